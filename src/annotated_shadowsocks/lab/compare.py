"""One script on the model and on the live kernel: do the two do the same?

A script says what it is about and leaves out the rest. Here nothing is left out: every packet that
crossed the wire, in the order of its flow and direction, and every counter that the model knows.

What may differ is masked. Initial numbers and timestamps are random, a window is a question of
memory, and padding is nobody's business: compared are flags, numbers relative to each side's first,
length, and which options there are. Time is compared one-sidedly: a kernel's timer is late and
never early, so that a packet may come later than the model's by as much as packets before it did,
and by an eighth of its own waiting time; and what has not happened when the script ends is waited
for as long as that allows.
"""

import platform
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import ConfigError
from ..pictures.trace import Noted, PacketSent, Trace
from ..scripts.statements import Script
from ..tcp_model.counters import MEANINGS, SK_DROPS
from ..tcp_model.instant import MILLISECOND, SECOND, Duration, Instant
from ..tcp_model.segment import ACK, SYN, Segment, flags_text
from ..tcp_model.seqnum import MODULUS, SeqNum, distance
from .conductor import conduct
from .kernel_stage import KernelStage
from .model_stage import ModelStage
from .verdict import Verdict

__all__ = ["Comparison", "Disagreement", "compare", "profile_of"]

#: How often what is still under way is looked for.
_GLANCE = 10 * MILLISECOND
_SERVER = "server"
_VERSIONS = (
    ((6, 19), "linux-6.19"),
    ((6, 18), "linux-6.18"),
    ((6, 13), "linux-6.13"),
    ((4, 10), "linux-4.10"),
    ((4, 4), "linux-4.4"),
    ((0, 0), "linux-4.3"),
)
#: Between two stamps of one clock tick.
_TICK = 10 * MILLISECOND


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The first thing that was not the same: what, and how it was on each side."""

    what: str
    model: str
    kernel: str

    def __str__(self) -> str:
        """Three lines for a terminal."""
        return f"{self.what}\n  model   {self.model}\n  kernel  {self.kernel}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both verdicts, and what differs between the two runs apart from the script's own lines."""

    model: Verdict
    kernel: Verdict
    disagreement: Disagreement | None

    @property
    def agreed(self) -> bool:
        """Whether both did what the script says, and the same in everything else."""
        return self.model.agreed and self.kernel.agreed and self.disagreement is None

    @property
    def ran(self) -> bool:
        """Whether the script could be run on both."""
        return self.model.refusal is None and self.kernel.refusal is None


class _Way(NamedTuple):
    """One direction of one flow."""

    sender: str
    receiver: str


class _Packet(NamedTuple):
    """When a packet was sent, and what is compared of it, in words."""

    sent_at: Instant
    words: str

    def __str__(self) -> str:
        """For readers."""
        return f"{self.sent_at / SECOND:.3f}  {self.words}"


def compare(script: Script, profile: str | None = None) -> Comparison:
    """Run a script on both. The kernel is compared with ``profile``, by default with its own.

    Raises ``NamespaceError`` where there is no kernel to be had, and ``ConfigError``, also for a
    script that is about another system. A kernel's run that this machine was too busy for, and that
    differed, is refused.
    """
    own = profile_of(platform.release())
    name = profile or own
    if script.profile not in (None, name):
        problem = f"it is about {script.profile}, and the kernel here is {own}"
        raise ConfigError(script.name, problem, "run it on the model")
    model = ModelStage(name, script.ipv6)
    predicted = conduct(script, model)
    if predicted.refusal is not None:
        return Comparison(predicted, predicted, None)
    with KernelStage(script.ipv6) as kernel:
        seen = conduct(script, kernel)
        if seen.refusal is not None or seen.difference is not None or not predicted.agreed:
            return Comparison(predicted, seen, None)
        disagreement = _Match(model, kernel).find()
        if disagreement is not None and seen.late is not None:
            return Comparison(predicted, replace(seen, refusal=seen.late), None)
        traces = (model.trace(script.name), kernel.trace(script.name))
    return Comparison(
        replace(predicted, trace=traces[0]), replace(seen, trace=traces[1]), disagreement
    )


def profile_of(release: str) -> str:
    """The profile of a Linux, by what ``uname -r`` says; the newest for what is no version."""
    found = re.match(r"(\d+)\.(\d+)", release)
    version = (int(found[1]), int(found[2])) if found else (1_000, 0)
    return next(name for least, name in _VERSIONS if version >= least)


class _Match:
    """Both stages at the end of the same script, the model exactly and the kernel a little later.

    What the model did by then, the kernel must do; what it would do until the kernel's own end, the
    kernel may have done.
    """

    def __init__(self, model: ModelStage, kernel: KernelStage) -> None:
        self._model = model
        self._kernel = kernel
        self._ended = model.now
        self._least = _Sight.of(model)

    def find(self) -> Disagreement | None:
        """The first difference, or None."""
        self._catch_up()
        drift = self._kernel.now - self._ended
        seen = _Sight.of(self._kernel)
        self._model.advance(self._ended + max(drift, 0) + SECOND // 10)
        most = _Sight.of(self._model)
        return self._packets(seen, most) or self._counters(seen, most)

    def _catch_up(self) -> None:
        """Wait for what is late, as long as it may be."""
        deadline = self._kernel.now + self._kernel.tolerance(self._ended).late
        while self._kernel.now < deadline and not self._least.is_reached_by(
            _Sight.of(self._kernel)
        ):
            self._kernel.advance(self._kernel.now + _GLANCE)

    def _packets(self, seen: "_Sight", most: "_Sight") -> Disagreement | None:
        seen = seen._replace(packets=_alike(most.packets, seen.packets))
        found = []
        for way in {**most.packets, **seen.packets}:
            wanted, got = most.packets.get(way, []), seen.packets.get(way, [])
            needed = len(self._least.packets.get(way, []))
            for index in range(max(needed, len(got))):
                ours = wanted[index] if index < len(wanted) else None
                theirs = got[index] if index < len(got) else None
                if ours is None or theirs is None or ours.words != theirs.words:
                    at = min(one.sent_at for one in (ours, theirs) if one is not None)
                    found.append((at, _differ(way, index, ours, theirs)))
                    break
        if found:
            return min(found, key=lambda one: one[0])[1]
        return self._times(seen, most)

    def _times(self, seen: "_Sight", most: "_Sight") -> Disagreement | None:
        """None came early, and none later than what came before it explains."""
        pairs = [
            (ours, theirs, index, way)
            for way, got in seen.packets.items()
            for index, (ours, theirs) in enumerate(zip(most.packets[way], got, strict=False))
        ]
        lines = deque(zip(most.lines, seen.lines, strict=False))
        late: Duration = 0
        before: dict[_Way, Instant] = {}
        for ours, theirs, index, way in sorted(pairs, key=lambda pair: pair[0].sent_at):
            # What the script does is as late as we are.
            while lines and lines[0][0] <= ours.sent_at:
                nominal, actual = lines.popleft()
                late = max(late, actual - nominal)
            by = theirs.sent_at - ours.sent_at
            waited = ours.sent_at - before.get(way, 0)
            before[way] = ours.sent_at
            if not -_TICK <= by <= late + self._kernel.tolerance(waited).late:
                return _differ(way, index, ours, theirs)
            late = max(late, by)
        return None

    def _counters(self, seen: "_Sight", most: "_Sight") -> Disagreement | None:
        for name in sorted(most.counters.keys() | seen.counters.keys()):
            least = self._least.counters.get(name, 0)
            greatest = most.counters.get(name, 0)
            got = seen.counters.get(name, 0)
            if not least <= got <= greatest:
                model = str(least) if least == greatest else f"{least} to {greatest}"
                return Disagreement(f"counter {name}", model, str(got))
        return None


class _Sight(NamedTuple):
    """What can be seen of a stage: its packets by direction, and its counters."""

    packets: Mapping[_Way, list[_Packet]]
    counters: Mapping[str, int]
    #: When each statement of the script was done.
    lines: Sequence[Instant]

    @classmethod
    def of(cls, stage: ModelStage | KernelStage) -> "_Sight":
        """As it is now."""
        counters = {
            f"{prefix}{name}": number
            for prefix, clients in (("", False), ("clients ", True))
            for name, number in stage.counters(clients).items()
            if name in MEANINGS and name != SK_DROPS and number
        }
        counters |= {f"sk_drops of {fd}": number for fd, number in stage.all_drops().items()}
        trace = stage.trace("")
        lines = [event.at for event in trace.events if isinstance(event, Noted) and not event.host]
        return cls(_sorted(trace), counters, lines)

    def is_reached_by(self, other: "_Sight") -> bool:
        """Whether ``other`` has all of this."""
        return all(
            len(other.packets.get(way, ())) >= len(found) for way, found in self.packets.items()
        ) and all(other.counters.get(name, 0) >= number for name, number in self.counters.items())


def _sorted(trace: Trace) -> dict[_Way, list[_Packet]]:
    found: dict[_Way, list[_Packet]] = defaultdict(list)
    first: dict[tuple[Endpoint, Endpoint], SeqNum] = {}
    for event in trace.events:
        if not isinstance(event, PacketSent):
            continue
        segment = event.segment
        words = "icmp"
        if isinstance(segment, Segment):
            if segment.flags & SYN:
                first[segment.src, segment.dst] = segment.seq
            words = _words(segment, first)
        found[_Way(event.sender, event.receiver)].append(_Packet(event.at, words))
    return dict(found)


def _words(segment: Segment, first: Mapping[tuple[Endpoint, Endpoint], SeqNum]) -> str:
    """What is compared of a segment, in words.

    A number is relative to the latest first one, and as it is where there was none yet: a peer can
    acknowledge what was never sent, and is answered in its own numbers. An RST's may be 0.
    """
    way, back = (segment.src, segment.dst), (segment.dst, segment.src)
    seq = segment.seq and distance(first.get(way, 0), segment.seq) % MODULUS
    ack = distance(first.get(back, 0), segment.ack) % MODULUS
    words = f"{flags_text(segment.flags)} {seq}({len(segment.payload)})"
    words += f" ack {ack}" if segment.flags & ACK else ""
    options = sorted(type(option).__name__ for option in segment.options)
    return f"{words} <{','.join(options)}>" if options else words


def _alike(
    ours: Mapping[_Way, list[_Packet]], theirs: Mapping[_Way, list[_Packet]]
) -> dict[_Way, list[_Packet]]:
    """``theirs``, with peers exchanged that have said the same, where that makes them like ours.

    Of several requests with one deadline the kernel's timer wheel takes any first, and a listener
    of a group is chosen by a secret: which peer it was is nothing that could be the same.
    """
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for way, packets in ours.items():
        if way.receiver == _SERVER:
            groups[tuple(one.words for one in packets)].append(way.sender)
    result = dict(theirs)
    for names in groups.values():
        ways = [_Way(_SERVER, name) for name in names]
        by_story = [
            sorted(ways, key=lambda way: [one.words for one in side.get(way, [])])
            for side in (ours, theirs)
        ]
        for way, other in zip(*by_story, strict=True):
            result.pop(way, None)
            if other in theirs:
                result[way] = theirs[other]
    return result


def _differ(way: _Way, index: int, ours: _Packet | None, theirs: _Packet | None) -> Disagreement:
    what = f"packet {index + 1} from {way.sender} to {way.receiver}"
    model, kernel = (f"{one}" if one else "nothing" for one in (ours, theirs))
    return Disagreement(what, model, kernel)
