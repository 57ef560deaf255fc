"""How deep queues were over time: the series, and their curves in text.

A queue has a depth at every instant, so a curve is made of steps. Where more happens than there are
columns, a column shows the most of its time: an overflow may last a millisecond, and it is what one
looks for.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..tcp_model.instant import Instant
from .trace import QueueMeasured, Trace

__all__ = ["Series", "braille", "series_of", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"
#: Dots of a braille character, by column and from the bottom up.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_EMPTY = 0x2800


@dataclass(frozen=True, slots=True)
class Series:
    """A queue's depth from each of ``times`` on, until ``end``; ``limit`` the last one it had."""

    name: str
    times: tuple[Instant, ...]
    depths: tuple[int, ...]
    end: Instant
    limit: int | None = None

    @property
    def start(self) -> Instant:
        """When the first depth is known."""
        return self.times[0] if self.times else self.end

    @property
    def most(self) -> int:
        """The greatest depth."""
        return max(self.depths, default=0)

    def columns(self, count: int) -> list[int]:
        """The greatest depth in each of so many equal parts of the time."""
        span = self.end - self.start
        edges = [self.start + span * number // count for number in range(count + 1)]
        found = []
        for left, right in pairwise(edges):
            # What stood at the left edge, and everything that changed before the right one.
            first = max(0, bisect_right(self.times, left) - 1)
            last = bisect_right(self.times, right - 1) if right > left else first + 1
            found.append(max(self.depths[first : max(last, first + 1)], default=0))
        return found


def series_of(trace: Trace) -> list[Series]:
    """All queues of a trace, SYN queues first."""
    end = max((event.at for event in trace.events), default=0)
    steps: dict[tuple[str, int, str], list[QueueMeasured]] = {}
    for event in trace.events:
        if isinstance(event, QueueMeasured):
            steps.setdefault((event.host, event.listener, event.queue), []).append(event)
    several = len({key[:2] for key in steps}) > 1
    found = []
    for (_, listener, queue), events in sorted(steps.items(), key=lambda item: item[0][::-1]):
        name = queue.replace("_", " ").replace("syn", "SYN")
        found.append(
            Series(
                f"{name} of listener {listener}" if several else name,
                tuple(event.at for event in events),
                tuple(event.depth for event in events),
                end,
                events[-1].limit,
            )
        )
    return sorted(found, key=lambda one: not one.name.startswith("SYN"))


def sparkline(series: Series, width: int = 60) -> str:
    """One line of blocks; a blank is an empty queue."""
    most = max(1, series.most)
    return "".join(
        _BLOCKS[-(-depth * len(_BLOCKS) // most) - 1] if depth else " "
        for depth in series.columns(width)
    )


def braille(series: Series, width: int = 60, height: int = 4) -> list[str]:
    """Lines of braille characters, the area under the curve filled."""
    dots, most = height * 4, max(1, series.most)
    levels = [-(-depth * dots // most) for depth in series.columns(width * 2)]
    pairs = list(zip(levels[::2], levels[1::2], strict=True))
    return [_line(pairs, bottom) for bottom in range(dots - 4, -1, -4)]


def _line(pairs: Sequence[tuple[int, int]], bottom: int) -> str:
    characters = []
    for pair in pairs:
        bits = 0
        for level, dots in zip(pair, _DOTS, strict=True):
            bits |= sum(dots[: max(0, min(4, level - bottom))])
        characters.append(chr(_EMPTY + bits))
    return "".join(characters)
