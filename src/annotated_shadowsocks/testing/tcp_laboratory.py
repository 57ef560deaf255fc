"""One server, its clients, and a wire between them that can hold segments back, in virtual time.

Two kinds of clients. ``connect`` makes a client with a kernel of its own: it does what Linux does.
``peer`` makes a scripted one: it does what the test says, and hears everything that is sent to it.

Segments are written as short texts with numbers relative to each side's first: ``S. 0 ack 1``,
``P. 1(5) ack 1``, ``R 1``; heard ones with the time before them in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..endpoint import Endpoint
from ..pictures.recorded_network import RecordedNetwork
from ..pictures.trace import Party, Trace
from ..tcp_model import segment as s
from ..tcp_model.connection import Connection
from ..tcp_model.effects import Effect, SendSegment
from ..tcp_model.host import Host, SocketOption
from ..tcp_model.instant import MILLISECOND, SECOND, Duration, Instant, seconds
from ..tcp_model.profiles import DEFAULT, find
from ..tcp_model.segment import Flow, Option, Segment
from ..tcp_model.seqnum import SeqNum, add, distance

__all__ = ["CLIENT", "SERVER", "Client", "Laboratory", "Peer", "within_timer_wheel"]

SERVER = Endpoint("10.9.0.1", 5000)
CLIENT = "10.9.0.2"
_STRANGER = "10.9.0.3"
_FLAGS = {"F": s.FIN, "S": s.SYN, "R": s.RST, "P": s.PSH, ".": s.ACK}


class Laboratory:
    """A server under ``profile`` that listens with ``backlog``, and everything around it."""

    def __init__(
        self,
        backlog: int = 1,
        profile: str = DEFAULT.name,
        settings: Mapping[str, int] | None = None,
        options: Mapping[SocketOption, int] | None = None,
        client_settings: Mapping[str, int] | None = None,
        reuse_port: bool = False,
    ) -> None:
        self.server = Host(find(profile), settings, secret=b"server")
        self.clients = Host(DEFAULT, client_settings, secret=b"clients")
        hosts = {SERVER.host: self.server, CLIENT: self.clients}
        parties = [Party("server", SERVER.host), Party("clients", CLIENT)]
        self.network = RecordedNetwork(hosts, self._carry, parties)
        self.listener = self.server.bind(SERVER, reuse_port)
        for option, value in (options or {}).items():
            self.server.setsockopt(self.listener, option, value)
        self.did(self.server.listen(self.listener, backlog, 0))
        #: How long final ACKs and data take to the server; SYNs take none.
        self.hold: Duration = 0
        #: Nothing passes.
        self.cut = False
        self._ports = 30_000

    def _carry(self, segment: Segment, now: Instant) -> Instant | None:
        if self.cut:
            return None
        held = segment.dst == SERVER and not segment.flags & s.SYN
        return now + (self.hold if held else 0)

    @property
    def now(self) -> Instant:
        """The time."""
        return self.network.now

    def at(self, time: float) -> None:
        """Let time pass until so many seconds after the start."""
        self.network.run_until(seconds(time))

    def did(self, effects: list[Effect]) -> None:
        """Let the network know what the server did."""
        self.network.note(SERVER.host, effects)
        self.network.settle()

    def accept(self) -> Connection | None:
        """The server's application takes one connection."""
        connection, effects = self.server.accept(self.listener, self.now)
        self.did(effects)
        return connection

    def fill(self) -> None:
        """Connect clients until the accept queue is full."""
        while self.listener.refuses_ack() is None:
            self.connect()

    def connect(self, syn_retries: int = 0) -> "Client":
        """A new client with a kernel."""
        local = self._introduced(CLIENT)
        connection, effects = self.clients.connect(local, SERVER, self.now, syn_retries)
        client = Client(self, connection)
        client.did(effects)
        return client

    def peer(self, isn: SeqNum = 1_000_000, options: tuple[Option, ...] = ()) -> "Peer":
        """A new scripted peer."""
        return Peer(self, self._introduced(_STRANGER), isn, options)

    def _introduced(self, address: str) -> Endpoint:
        """A new endpoint, with the next letter of the alphabet for a name."""
        self._ports += 1
        number = self._ports - 30_001
        letter = chr(ord("A") + number % 26) + (str(number // 26) if number > 25 else "")
        self.network.recorder.introduce(Party(letter, address, self._ports))
        return Endpoint(address, self._ports)

    def recorded(self, title: str = "") -> Trace:
        """Everything that has happened, for a picture."""
        return self.network.recorded(title, f"model {self.server.profile.name}")

    def counted(self) -> dict[str, int]:
        """The server's counters."""
        return self.server.counters.snapshot()

    @property
    def accept_queue(self) -> str:
        """The accept queue as ``depth/limit``."""
        return f"{self.listener.accept_queue.depth}/{self.listener.accept_queue.limit}"

    @property
    def syn_queue(self) -> str:
        """The SYN queue as ``depth/limit``."""
        return f"{self.listener.syn_queue.depth}/{self.listener.syn_queue.limit}"

    def trace(self, client: Endpoint) -> list[str]:
        """All segments of one client: ``0.1 > S 0`` to the server, ``0.1 < S. 0 ack 1`` from it."""
        flow = Flow(SERVER, client)
        isns: dict[bool, SeqNum] = {}
        lines = []
        for at, _, effect in self.network.trace:
            if isinstance(effect, SendSegment):
                segment, outward = effect.segment, effect.segment.src == SERVER
                if (segment.flow if not outward else Flow(segment.src, segment.dst)) != flow:
                    continue
                if segment.flags & s.SYN:
                    isns[outward] = segment.seq
                if outward and segment.flags & s.SYN:
                    isns[False] = add(segment.ack, -1)  # a scripted peer's own SYN is not traced
                mine, other = isns.get(outward, 0), isns.get(not outward, 0)
                text = _text(segment, mine, other)
                lines.append(f"{at / SECOND:g} {'<' if outward else '>'} {text}")
        return lines


@dataclass(slots=True)
class Client:
    """A client with a kernel."""

    laboratory: Laboratory
    connection: Connection

    @property
    def endpoint(self) -> Endpoint:
        """Its own end."""
        return self.connection.flow.local

    @property
    def heard_and_said(self) -> list[str]:
        """Its packets, as ``Laboratory.trace`` has them."""
        return self.laboratory.trace(self.endpoint)

    def did(self, effects: list[Effect]) -> None:
        """Let the network know what it did."""
        self.laboratory.network.note(CLIENT, effects)
        self.laboratory.network.settle()

    def send(self, data: bytes) -> None:
        """Write."""
        now = self.laboratory.now
        self.did(self.laboratory.clients.send(self.connection, data, now))

    def close(self) -> None:
        """Close."""
        self.did(self.laboratory.clients.close(self.connection, self.laboratory.now))


@dataclass(slots=True)
class Peer:
    """A scripted client: says what it is told to, in relative numbers."""

    laboratory: Laboratory
    endpoint: Endpoint
    isn: SeqNum
    options: tuple[Option, ...] = ()

    def say(
        self,
        flags: str,
        seq: int = 1,
        ack: int = 1,
        payload: bytes = b"",
        options: tuple[Option, ...] = (),
    ) -> list[str]:
        """Send a segment; returns what is answered at once, without times.

        ``ack`` counts from the server's latest initial number, which is zero if it has none.
        """
        bits = sum(_FLAGS[letter] for letter in flags)
        number = add(self.iss, ack) if bits & s.ACK else 0
        segment = Segment(
            self.endpoint, SERVER, bits, add(self.isn, seq), number, 65535, options, payload
        )
        before = len(self.segments)
        self.laboratory.network.send(segment)
        self.laboratory.network.run_until(self.laboratory.now + self.laboratory.hold)
        return [self._write(one) for _, one in self.segments[before:]]

    def syn(self) -> list[str]:
        """Send the SYN."""
        return self.say("S", 0, options=self.options)

    def ack(self) -> list[str]:
        """Send the final ACK."""
        return self.say(".")

    def connect(self) -> None:
        """The whole handshake."""
        self.syn()
        self.ack()

    @property
    def flow(self) -> Flow:
        """Its connection as the server names it."""
        return Flow(SERVER, self.endpoint)

    @property
    def iss(self) -> SeqNum:
        """The initial number of the server's latest SYN/ACK."""
        numbers = [one.seq for _, one in self.segments if one.flags & s.SYN]
        return numbers[-1] if numbers else 0

    @property
    def heard(self) -> list[str]:
        """Everything the server has sent to it: ``1 S. 0 ack 1`` is a SYN/ACK after one second."""
        return [f"{at / SECOND:g} {self._write(one)}" for at, one in self.segments]

    @property
    def last(self) -> Segment:
        """The segment that it heard last."""
        return self.segments[-1][1]

    @property
    def segments(self) -> list[tuple[Instant, Segment]]:
        """The same as values, with their times."""
        return [
            (at, effect.segment)
            for at, _, effect in self.laboratory.network.trace
            if isinstance(effect, SendSegment) and effect.segment.dst == self.endpoint
        ]

    def _write(self, segment: Segment) -> str:
        return _text(segment, self.iss, self.isn)


def _text(segment: Segment, own: SeqNum, other: SeqNum) -> str:
    # An RST to somebody unknown has sequence number 0, and that is no number relative to anything.
    bare_reset = segment.flags & s.RST and segment.seq == 0
    seq = 0 if bare_reset else distance(own, segment.seq)
    size = f"({len(segment.payload)})" if segment.payload else ""
    ack = f" ack {distance(other, segment.ack)}" if segment.flags & s.ACK else ""
    return f"{s.flags_text(segment.flags)} {seq}{size}{ack}"


def within_timer_wheel(model: list[float], seen: list[float]) -> bool:
    """Whether times seen on a kernel fit the model's, interval by interval.

    Linux's timer wheel fires late, never early: by up to an eighth of the interval, and a little
    for the way; [linux tcp_retransmit_timer] re-arms from the time at which it fired.
    """
    if len(model) != len(seen):
        return False
    slack = 10 * MILLISECOND / SECOND
    return all(
        (b - a) - slack <= (d - c) <= (b - a) * 1.125 + slack
        for (a, b), (c, d) in zip(pairwise(model), pairwise(seen), strict=True)
    )
