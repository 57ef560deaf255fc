"""What every stream relay promises to the two programs at its ends, as one suite.

A relay is *made* by a function that joins two sockets by one relay or a chain of them; the suite
plays the programs on the other sides. It knows nothing of codecs, loops and pollers, and so the
same scenarios hold all of them to the same promises::

    exact          octets pass unaltered, both ways at once, in any sizes
    half closed    an EOF passes on alone; the other direction goes on as long as it likes
    bounded        what nobody reads stays with its sender; a relay never holds more than
                   ``Scratch.LIMIT`` octets for a direction, and does not spin meanwhile
    honest         a reset arrives as a reset, behind the octets that were taken before it
    clean          after the end nothing is watched, open or ending

A test names a ground to run on, a maker and a scenario::

    check_stream_relay(ground, make_relay, scenario)
"""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import takewhile

from ..relay.endings import Endings
from ..relay.event_loop import RelayEventLoop
from ..relay.poller import EpollPoller, LoopPoller, Poller, Scratch, Watcher, new_poller
from ..relay.stream_relay import Codec, StreamRelay
from .loopback import abort, arrived, open_descriptors, pair, unsent

__all__ = ["GROUNDS", "SCENARIOS", "Ground", "MakeRelay", "check_stream_relay"]

NewLoop = Callable[[], asyncio.AbstractEventLoop]
NewPoller = Callable[[asyncio.AbstractEventLoop], Poller]


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


#: Octets of a transfer that no buffer along the way could hold.
_MUCH = 10_000_000

#: Kernel buffers where a scenario wants them full soon, and where large reads come before that.
_SMALL = 32 * 1024
_MEDIUM = 256 * 1024

#: Turns of the loop without an event after which nothing more happens by itself, and events in a
#: row after which something spins.
_QUIET = 5
_SPIN = 20_000

#: Seconds of one scenario after which it is taken for one that hangs.
_PATIENCE = 60

#: Loop and poller by name: each pair that the relay runs on.
GROUNDS: dict[str, tuple[NewLoop, NewPoller]] = {
    "relay": (RelayEventLoop, new_poller),
    "asyncio": (asyncio.SelectorEventLoop, EpollPoller),
    "uvloop": (_uvloop, EpollPoller),
    "asyncio_add_reader": (asyncio.SelectorEventLoop, LoopPoller),
}


class Ground:
    """Where relays are made: a poller, endings, and the owner that hears of their ends."""

    def __init__(self, poller: Poller, buffers: int | None) -> None:
        loop = asyncio.get_running_loop()
        self.poller = poller
        self.endings = Endings(poller, loop)
        # A reset waits for its last octets; how fast a machine takes them is not tested here.
        self.endings.last_words.delay = _PATIENCE
        #: What ended the relays that are over.
        self.errors: list[Exception | None] = []
        #: What ``pair`` has made.
        self.sockets: list[socket.socket] = []
        #: The most that a relay has held for one direction, and events so far.
        self.held = 0
        self.events = 0
        self._buffers = buffers
        self._relays: list[StreamRelay] = []
        self._watch = poller.watch
        # The one place that whoever hears of events passes, on every ground.
        poller.watch = self._watch_told  # type: ignore[method-assign]

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two joined sockets, for a chain of relays to have between two of them."""
        one, two = pair(self._buffers)
        two.setblocking(False)
        self.sockets += one, two
        return one, two

    def relay(self, near: tuple[socket.socket, Codec], far: tuple[socket.socket, Codec]) -> None:
        """Start a relay between two sockets."""
        relay = StreamRelay(self.poller, self.endings, self, near, far)
        self._relays.append(relay)
        relay.start()

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""
        self._relays.remove(relay)
        self.errors.append(error)

    def close(self) -> None:
        """Close what a relay that failed has left open."""
        self.poller.stop()
        for sock in self.sockets:
            sock.close()

    async def settle(self) -> None:
        """Wait until nothing happens any more by itself."""
        began, seen, quiet = self.events, -1, 0
        while quiet < _QUIET:
            quiet = quiet + 1 if seen == self.events else 0
            seen = self.events
            _expect(seen - began < _SPIN, "there are events without end")
            await asyncio.sleep(0)

    def promised(self, sock: socket.socket) -> int:
        """Octets that are on their way to ``sock`` from the relay next to it."""
        name = sock.getsockname()
        legs = [leg for relay in self._relays for leg in (relay.near, relay.far)]
        (last,) = [leg for leg in legs if leg.sock.getpeername() == name]
        return len(last.pending) + unsent(last.sock) + arrived(sock)

    def told(self) -> None:
        """Take note of an event, and of what the relays hold after it."""
        self.events += 1
        for relay in self._relays:
            for leg in (relay.near, relay.far):
                self.held = max(self.held, len(leg.residue) + len(leg.peer.pending))

    def _watch_told(self, sock: socket.socket, events: int, watcher: Watcher) -> None:
        self._watch(sock, events, _Told(self, watcher))


class _Told:
    """A watcher, and the ground that hears of its events too."""

    def __init__(self, ground: Ground, watcher: Watcher) -> None:
        self._ground = ground
        self._watcher = watcher
        self.abandon = watcher.abandon

    def ready(self, events: int) -> None:
        self._watcher.ready(events)
        self._ground.told()


#: Joins two sockets by starting a relay, or several in a chain, on a ground.
MakeRelay = Callable[[Ground, socket.socket, socket.socket], None]


def check_stream_relay(ground_name: str, make_relay: MakeRelay, scenario_name: str) -> None:
    """Play one of ``SCENARIOS``, once with each program at the near side of the relay.

    Raises ``AssertionError`` where a promise is broken.
    """
    new_loop, new_poller = GROUNDS[ground_name]
    scenario = SCENARIOS[scenario_name]
    # The first loop of a kind opens descriptors that stay.
    new_loop().close()
    for swapped in False, True:
        before = open_descriptors()
        unseen: list[dict[str, object]] = []
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))  # noqa: B023
            runner.run(_play(new_poller, make_relay, scenario, swapped))
        _expect(not unseen, f"exceptions have reached the loop: {unseen}")
        _expect(open_descriptors() <= before, "descriptors are left open")


async def _play(
    new_poller: NewPoller, make_relay: MakeRelay, scenario: "_Scenario", swapped: bool
) -> None:
    ground = Ground(new_poller(asyncio.get_running_loop()), scenario.buffers)
    (inner, one), (another, two) = ground.pair(), ground.pair()
    make_relay(ground, inner, another)
    try:
        async with asyncio.timeout(_PATIENCE):
            await scenario.play(ground, *((two, one) if swapped else (one, two)))
            while len(ground.poller) or len(ground.endings):
                await asyncio.sleep(0.001)
            left = [sock for sock in set(ground.sockets) - {one, two} if sock.fileno() >= 0]
            _expect(not left, f"left open: {left}")
    finally:
        ground.close()
    _expect(ground.held <= Scratch.LIMIT, f"{ground.held} octets were held for one direction")
    broken = any(error is not None for error in ground.errors)
    _expect(bool(ground.errors) and broken == scenario.breaks, f"relays ended: {ground.errors}")


def _expect(condition: bool, otherwise: str) -> None:
    # No assert statement: pytest explains those of tests only, and -O removes them.
    if not condition:
        raise AssertionError(otherwise)


# -- what the programs do -------------------------------------------------------------------------


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def _hear(sock: socket.socket, data: bytes, end: str) -> None:
    """Receive exactly ``data`` and then ``end``."""
    heard, how = await _receive(sock)
    if (heard, how) == (data, end):
        return
    alike = takewhile(lambda both: both[0] == both[1], zip(heard, data, strict=False))
    raise AssertionError(
        f"heard {len(heard)} octets and {how}, the first {len(list(alike))} as they were sent; "
        f"expected {len(data)} octets and {end}"
    )


async def _receive(sock: socket.socket) -> tuple[bytes, str]:
    """All that comes, and how it ends: ``FIN`` or ``RST``."""
    octets = bytearray()
    while True:
        try:
            piece = await asyncio.get_running_loop().sock_recv(sock, 1 << 18)
        except ConnectionResetError:
            return bytes(octets), "RST"
        if not piece:
            return bytes(octets), "FIN"
        octets += piece


async def _fill(ground: Ground, sock: socket.socket, data: bytes) -> int:
    """Send until nobody takes more, and nothing moves; returns the octets sent."""
    sent, before = 0, -1
    while sent > before:
        before = sent
        try:
            while sent < len(data):
                sent += sock.send(data[sent : sent + 65536])
        except BlockingIOError:
            await ground.settle()
    _expect(sent < len(data), "all of it was taken, and nobody has read any")
    return sent


def _octets(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _end(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


# -- scenarios: ``one`` and ``two`` are the programs' sockets -------------------------------------


async def _exact(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    async def talk(sock: socket.socket, data: bytes, seed: int) -> None:
        rng, at = random.Random(seed), 0
        while at < len(data):
            size = rng.choice((1, 3, 1400, 16383, 16384, 65536, 300_000))
            await _send(sock, data[at : at + size])
            at += size
        _end(sock)

    data = [_octets(2_000_000), _octets(2_000_001)]
    talks = talk(one, data[0], 1), talk(two, data[1], 2)
    await asyncio.gather(*talks, _hear(two, data[0], "FIN"), _hear(one, data[1], "FIN"))


async def _answer_after_eof(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    await _send(one, b"question")
    _end(one)
    await _hear(two, b"question", "FIN")
    answer = _octets(_MUCH)

    async def respond() -> None:
        await _send(two, answer)
        _end(two)

    await asyncio.gather(respond(), _hear(one, answer, "FIN"))


async def _silent_eof(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    _end(one)
    await _hear(two, b"", "FIN")
    await _send(two, b"farewell")
    _end(two)
    await _hear(one, b"farewell", "FIN")


async def _both_end_at_once(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    for sock in one, two:
        _end(sock)
    await asyncio.gather(_hear(one, b"", "FIN"), _hear(two, b"", "FIN"))


async def _eof_with_data(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    data = _octets(40_000)
    for sock in one, two:
        sock.send(data)
        _end(sock)
    await asyncio.gather(_hear(one, data, "FIN"), _hear(two, data, "FIN"))


async def _slow_reader(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    data = _octets(_MUCH)
    sent = await _fill(ground, one, data)
    # The other direction is none of its business.
    await _send(two, b"still here")
    back = await asyncio.get_running_loop().sock_recv(one, 100)
    _expect(back == b"still here", "one direction holds up the other")

    async def rest() -> None:
        await _send(one, data[sent:])
        _end(one)

    await asyncio.gather(rest(), _hear(two, data, "FIN"))
    _end(two)
    await _hear(one, b"", "FIN")


async def _blocked_and_ended(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    _end(two)
    await _hear(one, b"", "FIN")
    data = _octets(_MUCH)
    sent = await _fill(ground, one, data)
    # Both its directions have ended now, and the last octets are stuck: nothing may spin.
    _end(one)
    await ground.settle()
    await _hear(two, data[:sent], "FIN")


async def _both_blocked(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    data = [_octets(_MUCH), _octets(_MUCH + 1)]
    sent = [await _fill(ground, one, data[0]), await _fill(ground, two, data[1])]
    for sock in one, two:
        _end(sock)
    await ground.settle()
    to_two, to_one = data[0][: sent[0]], data[1][: sent[1]]
    await asyncio.gather(_hear(one, to_one, "FIN"), _hear(two, to_two, "FIN"))


async def _reset(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    data = _octets(30_000)
    one.send(data)
    await ground.settle()
    abort(one)
    await _hear(two, data, "RST")


async def _reset_behind_data(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    # The relay sees both in one event.
    data = _octets(30_000)
    one.send(data)
    abort(one)
    await _hear(two, data, "RST")


async def _reset_while_blocked(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    data = _octets(_MUCH)
    sent = await _fill(ground, one, data)
    promised = ground.promised(two)
    abort(one)
    await ground.settle()
    heard, end = await _receive(two)
    _expect(end == "RST", f"a reset arrived as {end}")
    _expect(data.startswith(heard[:sent]), "not what was sent")
    _expect(promised <= len(heard), f"{promised} octets were promised, {len(heard)} arrived")


async def _reset_by_reader(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    await _fill(ground, one, _octets(_MUCH))
    abort(two)
    await _hear(one, b"", "RST")


async def _answer_and_reset(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    # "Too large", says a server, and closes without reading the rest: what HTTP calls an early
    # response. The kernel makes a RST of that close, and the answer arrives before it.
    await _fill(ground, one, _octets(_MUCH))
    await _send(two, b"too large")
    two.close()
    await _hear(one, b"too large", "RST")


@dataclass(frozen=True)
class _Scenario:
    play: Callable[[Ground, socket.socket, socket.socket], Awaitable[None]]
    buffers: int | None = None
    breaks: bool = False


SCENARIOS = {
    "exact": _Scenario(_exact),
    "answer_after_eof": _Scenario(_answer_after_eof),
    "silent_eof": _Scenario(_silent_eof),
    "both_end_at_once": _Scenario(_both_end_at_once),
    "eof_with_data": _Scenario(_eof_with_data),
    "slow_reader": _Scenario(_slow_reader, _SMALL),
    "slow_reader_of_bulk": _Scenario(_slow_reader, _MEDIUM),
    "blocked_and_ended": _Scenario(_blocked_and_ended, _SMALL),
    "both_blocked": _Scenario(_both_blocked, _SMALL),
    "reset": _Scenario(_reset, breaks=True),
    "reset_behind_data": _Scenario(_reset_behind_data, breaks=True),
    "reset_while_blocked": _Scenario(_reset_while_blocked, _SMALL, breaks=True),
    "reset_by_reader": _Scenario(_reset_by_reader, _SMALL, breaks=True),
    "answer_and_reset": _Scenario(_answer_and_reset, _SMALL, breaks=True),
}
