"""What many looks at all listeners add up to: curves, high-water marks, drops and their rates.

A look is a moment, and a queue fills and empties between two of them. So a high-water mark is the
deepest that was *seen*, and what can be trusted to miss nothing are the counters: the kernel's, of
drops for each listener and of overflows for the namespace.

Curves are of bins of a fixed time. A bin holds the deepest look in it, for a mean would hide the
moment that matters.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kernel.netstat import increase
from .listener_view import Sight

__all__ = ["BINS", "COUNTERS", "History", "Track"]

#: Bins of a curve that are kept: five minutes of seconds.
BINS = 300

#: Counters of the namespace that say why connections are lost, as ``nstat`` names them.
COUNTERS = (
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "SyncookiesSent",
    "SyncookiesFailed",
    "TCPTimeouts",
    "TCPSynRetrans",
    "TCPAbortOnOverflow",
)

#: Seconds over which a rate is taken, and for which a listener that is gone is still shown.
_RATE_OVER = 5.0
_LINGER = 10.0


@dataclass
class Track:
    """One listener from when it was first seen."""

    sight: Sight
    since: float
    seen: float
    high: int = 0
    """The deepest accept queue that was seen."""
    drops: int = 0
    """Segments that it threw away since then."""
    curve: deque[int] = field(default_factory=lambda: deque(maxlen=BINS))
    """The deepest look of each bin, the last one still open."""
    full_at: float | None = None
    """When it was last seen full."""
    marks: deque[tuple[float, int]] = field(default_factory=deque)
    """Looks of late, with the drops until then: what a rate is made of."""
    gone: bool = False

    @property
    def rate(self) -> float:
        """Drops a second of late."""
        (start, before), (end, after) = self.marks[0], self.marks[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def document(self) -> dict[str, Any]:
        """As JSON has it: the listener's document, and what was added up."""
        return self.sight.document() | {
            "high_water": self.high,
            "drops_since": None if self.sight.listener.drops is None else self.drops,
            "drops_per_second": round(self.rate, 3),
            "full_seen": self.full_at is not None,
            "gone": self.gone,
        }


class History:
    """All listeners that were seen; ``bin_seconds`` is the width of a bin."""

    def __init__(self, bin_seconds: float = 1.0) -> None:
        self.bin_seconds = bin_seconds
        self.tracks: dict[int, Track] = {}
        #: What ``COUNTERS`` have grown by since the first look, and by the last one.
        self.grown: dict[str, int] = {}
        self.lately: dict[str, int] = {}
        #: Why the last look failed; empty where it did not.
        self.problem = ""
        self._first: Mapping[str, int] | None = None
        self._last: Mapping[str, int] = {}
        self._bin = 0

    def add(self, now: float, sights: Iterable[Sight], counters: Mapping[str, int]) -> None:
        """Take one look; ``now`` is monotonic time in seconds."""
        self.problem = ""
        current = int(now / self.bin_seconds)
        passed = current - self._bin if self.tracks else 0
        self._bin = current
        for track in self.tracks.values():
            # A bin without a look repeats the last one, for nobody saw it change.
            for _ in range(min(passed, BINS)):
                track.curve.append(track.curve[-1] if track.gone else track.sight.listener.depth)
        present = {}
        for sight in sights:
            present[sight.listener.cookie] = self._look(now, sight)
        for cookie, track in list(self.tracks.items()):
            track.gone = cookie not in present
            if track.gone and now - track.seen > _LINGER:
                del self.tracks[cookie]
        self._count(counters)

    def fail(self, problem: str) -> None:
        """A look was not possible; what was seen before stays."""
        self.problem = problem

    def reset(self) -> None:
        """High-water marks and sums begin anew."""
        for track in self.tracks.values():
            track.high, track.drops, track.full_at = track.sight.listener.depth, 0, None
            track.marks = deque([(track.seen, 0)])
        self.grown, self._first = {}, self._last

    def _look(self, now: float, sight: Sight) -> Track:
        one = sight.listener
        track = self.tracks.get(one.cookie)
        if track is None:
            track = self.tracks[one.cookie] = Track(sight, now, now)
            track.curve.append(one.depth)
        if one.drops is not None and track.sight.listener.drops is not None:
            # The kernel tells it in 32 bits, which may wrap.
            track.drops += (one.drops - track.sight.listener.drops) % (1 << 32)
        track.sight, track.seen = sight, now
        track.high = max(track.high, one.depth)
        track.curve[-1] = max(track.curve[-1], one.depth)
        if one.queue.is_full:
            track.full_at = now
        track.marks.append((now, track.drops))
        while now - track.marks[0][0] > _RATE_OVER:
            track.marks.popleft()
        return track

    def _count(self, counters: Mapping[str, int]) -> None:
        if self._first is None:
            self._first = self._last = counters
        grown, lately = increase(self._first, counters), increase(self._last, counters)
        self.grown = {name: grown[name] for name in COUNTERS if name in grown}
        self.lately = {name: lately[name] for name in COUNTERS if name in lately}
        self._last = counters
