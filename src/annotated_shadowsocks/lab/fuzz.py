"""Random scripts, on which model and kernel must agree.

A script here only does things: peers send segments, clients connect, the application accepts or
does not, settings change. What should come of it is not said, since ``compare`` looks at all of it.
The same seed makes the same script.

Two things would make a difference that is none. A deed that falls on a timer is before it on one
side and behind it on the other: the model knows when its timers fire, and a deed that is too close
to one is put off. And what depends on a rate, or on who wins a race of microseconds, is left out:
the limit on answers is either off or longer than the script.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..pictures.trace import Noted
from ..scripts.parser import parse
from ..scripts.statements import Outcome
from ..tcp_model.instant import MILLISECOND, SECOND, Instant
from .conductor import conduct
from .model_stage import ModelStage

__all__ = ["generate", "shrink"]

_PEERS = ("P1", "P2", "P3", "P4")
_CLIENTS = ("A", "B", "C")
#: Before a timer, for whoever plays the script is late; behind it, for the kernel is.
_BEFORE, _BEHIND = 350 * MILLISECOND, 250 * MILLISECOND
_GAPS = (10, 10, 10, 100, 100, 300, 700, 1500)
_STEPS = (4, 14)
_IGNORED = f"        {_PEERS[0]}..{_PEERS[-1]} ignored\n"
_LONGEST: Instant = 9 * SECOND
#: How far ahead timers are looked for: further than a deed is ever put off.
_FORESIGHT = 6 * SECOND


class _Deed(NamedTuple):
    """So many microseconds after the one before, and the lines that are done then."""

    gap: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        first, *rest = self.lines
        head = f"+{self.gap / 1_000_000:.6f} {first}\n"
        return head + "".join(f"        {line}\n" for line in rest)


def generate(seed: int) -> str:
    """A script."""
    return _Author(random.Random(seed)).write()


def shrink(text: str, differs: Callable[[Sequence[str]], Sequence[bool]]) -> str:
    """The script without every line that is not needed for ``differs`` to hold of it.

    ``differs`` is given many candidates at once, which it may try at the same time.
    """
    lines = text.splitlines()
    while True:
        candidates = [lines[:i] + lines[i + 1 :] for i in range(len(lines))]
        verdicts = differs(["\n".join(one) + "\n" for one in candidates])
        needless = [index for index, verdict in enumerate(verdicts) if verdict]
        if not needless:
            return "\n".join(lines) + "\n"
        # Each can go; whether they can go together is for the next round to say.
        together = [line for index, line in enumerate(lines) if index not in needless]
        if len(needless) > 1 and differs(["\n".join(together) + "\n"])[0]:
            lines = together
        else:
            lines = candidates[needless[0]]


class _Author:
    """Writes one script, and plays it on the model line by line to know what comes of it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._deeds: list[_Deed] = []
        self._head = ""
        self._next_fd = 4
        self._accepted: list[int] = []
        self._connected: list[str] = []
        self._closed: set[str] = set()
        self._listening = True
        self._holding = False
        #: The model, where the script has got to; a little later, to be exact.
        self._stage = ModelStage()
        self._timers: set[Instant] = set()

    def write(self) -> str:
        """The whole."""
        self._head = "".join(f"{line}\n" for line in self._beginning())
        self._stage = ModelStage(ipv6=self._head.startswith("--ip"))
        conduct(parse(self._head), self._stage)
        for _ in range(self._chance.randint(*_STEPS)):
            lines = self._deed()
            if lines:
                self._add(lines)
        if self._holding:
            self._add(("wire release",))
        return self._text() + _IGNORED

    def _text(self) -> str:
        return self._head + "".join(map(str, self._deeds))

    def _beginning(self) -> Iterable[str]:
        pick = self._chance.choice
        if pick((True, False, False, False)):
            yield "--ip_version=ipv6"
        yield f"sysctl tcp_synack_retries = {pick((0, 1, 1, 2))}"
        yield f"sysctl tcp_invalid_ratelimit = {pick((0, 60_000))}"
        settings: tuple[tuple[str, tuple[int, ...]], ...] = (
            ("tcp_syncookies", (0, 0, 1, 2)),
            ("tcp_abort_on_overflow", (0, 0, 1)),
            ("tcp_max_syn_backlog", (2048, 1, 3, 8)),
            ("somaxconn", (4096, 2)),
            ("tcp_fastopen", (1, 515)),
            ("tcp_timestamps", (1, 0)),
        )
        for name, values in settings:
            if pick((True, False)):
                yield f"sysctl {name} = {pick(values)}"
        yield "clients sysctl tcp_syn_retries = 2"
        yield "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"
        yield "+0 bind(3, ..., ...) = 0"
        for option, values in (
            ("TCP_DEFER_ACCEPT", (0, 0, 0, 0, 1, 3)),
            ("TCP_SYNCNT", (0, 0, 0, 1, 2)),
            ("TCP_FASTOPEN", (0, 0, 1, 3)),
        ):
            value = pick(values)
            if value:
                yield f"+0 setsockopt(3, IPPROTO_TCP, {option}, [{value}], 4) = 0"
        yield f"+0 listen(3, {pick((0, 0, 1, 1, 2, 3, -1))}) = 0"

    # Deeds

    def _deed(self) -> tuple[str, ...]:
        deeds: tuple[tuple[int, Callable[[], tuple[str, ...]]], ...] = (
            (8, self._handshake),
            (8, self._syn),
            (8, self._ack),
            (6, self._segment),
            (3, self._connect),
            (2, self._use_client),
            (4, self._accept),
            (1, self._listen),
            (1, self._sysctl),
            (1, self._shutdown),
            (2, self._wire),
            (1, self._icmp),
            (1, self._close),
        )
        weights = [weight for weight, _ in deeds]
        return self._chance.choices(deeds, weights)[0][1]()

    def _peer(self) -> str:
        return self._chance.choice(_PEERS)

    def _say(self, peer: str, packet: str) -> tuple[str, ...]:
        return (f"{peer} < {packet}", f"{peer} ignored")

    def _syn(self) -> tuple[str, ...]:
        pick, peer = self._chance.choice, self._peer()
        options = pick(("", "", " <mss 1000>", " <mss 1460,sackOK,TS val 1 ecr 0,wscale 7>"))
        data = pick(("0:0(0)", "0:0(0)", "0:0(0)", "0:5(5)", "5000:5000(0)"))
        return self._say(peer, f"S {data}{options}")

    def _ack(self) -> tuple[str, ...]:
        packet = self._chance.choice((". 1:1(0)", ". 1:1(0)", "P. 1:11(10)", "F. 1:1(0)"))
        return self._say(self._peer(), f"{packet} ack 1")

    def _handshake(self) -> tuple[str, ...]:
        peer = self._peer()
        return self._say(peer, "S 0:0(0)") + self._say(peer, ". 1:1(0) ack 1")

    def _segment(self) -> tuple[str, ...]:
        packet = self._chance.choice(
            (
                "R 1:1(0)",
                "R. 1:1(0) ack 1",
                "R 9:9(0)",
                "R 300000:300000(0)",
                ". 1:1(0) ack 7",
                ". 300000:300000(0) ack 1",
                "P. 11:21(10) ack 1",
                "P. 1:21(20) ack 1",
                "P 1:11(10)",
                "S. 0:0(0) ack 1",
                "SF 0:0(0)",
                "F. 11:11(0) ack 1",
                "- 1:1(0)",
            )
        )
        return self._say(self._peer(), packet)

    def _icmp(self) -> tuple[str, ...]:
        peer = self._peer()
        return self._say(peer, "icmp unreachable host_unreachable [0:0(0)]")

    def _connect(self) -> tuple[str, ...]:
        fresh = [name for name in _CLIENTS if name not in self._connected]
        if not fresh:
            return ()
        self._connected.append(fresh[0])
        return (f"client {fresh[0]} connect",)

    def _use_client(self) -> tuple[str, ...]:
        open_ones = [one for one in self._connected if one not in self._closed]
        if not open_ones:
            return ()
        name = self._chance.choice(open_ones)
        if self._stage.outcome(name) is not Outcome.CONNECTED or self._chance.random() < 0.3:
            self._closed.add(name)
            return (f"client {name} close",)
        return (f"client {name} send 5",)

    def _accept(self) -> tuple[str, ...]:
        if not self._listening:
            return ()
        if not self._stage.queues(3).accept_depth:
            return ("accept(3, ..., ...) = -1 EAGAIN",)
        fd, self._next_fd = self._next_fd, self._next_fd + 1
        self._accepted.append(fd)
        return (f"accept(3, ..., ...) = {fd}",)

    def _close(self) -> tuple[str, ...]:
        if not self._accepted:
            return ()
        return (f"close({self._accepted.pop(0)}) = 0",)

    def _listen(self) -> tuple[str, ...]:
        self._listening = True
        return (f"listen(3, {self._chance.choice((0, 1, 2, 5))}) = 0",)

    def _shutdown(self) -> tuple[str, ...]:
        if not self._listening:
            return ()
        self._listening = False
        return ("shutdown(3, SHUT_RDWR) = 0",)

    def _sysctl(self) -> tuple[str, ...]:
        name, values = self._chance.choice(
            (
                ("tcp_syncookies", (0, 1, 2)),
                ("tcp_abort_on_overflow", (0, 1)),
                ("tcp_synack_retries", (0, 1, 2)),
                ("tcp_max_syn_backlog", (1, 4, 2048)),
                ("somaxconn", (0, 1, 4096)),
            )
        )
        return (f"sysctl {name} = {self._chance.choice(values)}",)

    def _wire(self) -> tuple[str, ...]:
        self._holding = not self._holding
        return ("wire hold" if self._holding else "wire release",)

    # Time

    def _add(self, lines: tuple[str, ...]) -> None:
        """Put it where no timer is near, or leave it out where there is no such place."""
        # An odd number, so that no deed falls on a timer that another deed has set.
        gap = self._chance.choice(_GAPS) * 1000 + self._chance.randrange(1, 2000, 2)
        for _ in range(40):
            self._deeds.append(_Deed(gap, lines))
            stage = ModelStage(ipv6=self._head.startswith("--ip"))
            agreed = conduct(parse(self._text() + _IGNORED), stage).agreed
            ended = stage.now
            if not agreed or ended > _LONGEST:
                break
            # Those too that would have fired, had the deed not been done.
            timers = _timers(stage)
            near = (at - _BEFORE < ended < at + at // 8 + _BEHIND for at in timers | self._timers)
            if not any(near):
                self._stage, self._timers = stage, timers
                return
            self._deeds.pop()
            gap += 100_000
        else:
            return
        self._deeds.pop()


def _timers(stage: ModelStage) -> set[Instant]:
    """When timers have fired or will, soon: everything that happened while nobody did anything."""
    stage.advance(stage.now + _FORESIGHT)
    events = stage.trace("").events
    deeds = {event.at for event in events if isinstance(event, Noted) and not event.host}
    return {event.at for event in events} - deeds
