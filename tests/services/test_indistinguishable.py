"""To somebody on the path, all that fails to be a handshake fails in the same way.

What is compared is packets, captured on the client's side of a network of its own: octets, flags,
the windows and acknowledgements on the way to the end, and when that came. Kinds of probe with as
many octets as each other are compared with each other, so that nothing differs but what they are.
Figures that vary are compared as distributions. Two samples that seem to differ are drawn once
more: what is in the server shows twice, and what chance did does not.
"""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import combinations, count
from pathlib import Path

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.credentials import client_keys
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.shadowsocks.tunnel import client_codecs
from annotated_shadowsocks.testing.commands import Command
from annotated_shadowsocks.testing.namespaces import in_fresh_network
from annotated_shadowsocks.testing.observer import Sight, Watch, apart
from annotated_shadowsocks.testing.targets import Target

pytestmark = pytest.mark.root

#: The server's deadline, how many connections of each kind, and how many at one time.
DEADLINE, TRIALS, AT_ONCE = 1.0, 60, 120
#: Chance may make one run in a thousand repeat itself, and one in a million fail.
CHANCE = 0.001
PORT = 8388

PSK = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
USER = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
SERVERS: dict[str, dict[str, object]] = {
    "aes-256-gcm": {"method": "aes-256-gcm", "password": "correct horse battery staple"},
    "2022": {"method": "2022-blake3-aes-256-gcm", "password": PSK},
    "2022 with users": {
        "method": "2022-blake3-aes-256-gcm",
        "password": PSK,
        "users": [{"name": "user", "password": USER}],
    },
}


class Recorder:
    """Makes genuine beginnings of streams, and others that are not quite genuine."""

    def __init__(self, server: dict[str, object], target: Endpoint, rng: random.Random) -> None:
        self._method = TABLE[str(server["method"])]
        self._password = str(server["password"])
        self._user = ":" + USER if "users" in server else ""
        self._target = target
        self._rng = rng

    def genuine(self, offset: float = 0.0, password: str | None = None) -> bytes:
        """The first octets of a stream, by a clock that is ``offset`` seconds ahead."""
        key = (self._password if password is None else password) + self._user
        keys = client_keys(self._method, key)
        times = Timestamps(lambda: time.time() + offset)
        encoder, _ = client_codecs(keys, self._target, Oblivion(), times, self._rng.randbytes)
        out = memoryview(bytearray(4096))
        return bytes(out[: encoder.convert(memoryview(bytes(100)), out)[1]])

    def kinds(self, recorded: list[bytes]) -> dict[str, Callable[[], bytes]]:
        """Kinds of probe of one size, by name."""
        rng, size = self._rng, len(recorded[0])
        other = PSK[::-1].lstrip("=") + "=" if "2022" in self._method.name else "another password"
        salt = self._method.salt_size

        def changed(*places: int) -> bytes:
            octets = bytearray(rng.choice(recorded))
            for place in places:
                octets[place] ^= rng.randrange(1, 256)
            return bytes(octets)

        kinds: dict[str, Callable[[], bytes]] = {
            "random": lambda: rng.randbytes(size),
            "replay": lambda: rng.choice(recorded),
            "R2": lambda: changed(0),
            "R3": lambda: changed(*range(8), 62, 63),
            "R4": lambda: changed(16),
            "R5": lambda: changed(6, 16),
            "its salt and junk": lambda: rng.choice(recorded)[:salt] + rng.randbytes(size - salt),
            "its last octet": lambda: changed(size - 1),
            "another key": lambda: self.genuine(password=other),
        }
        if "2022" in self._method.name:
            kinds["a clock behind"] = lambda: self.genuine(offset=-100)
            kinds["a clock ahead"] = lambda: self.genuine(offset=100)
        return kinds


class Oblivion:
    """A guard that forgets everything."""

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        return True


async def probe(octets: bytes, port: int, gate: asyncio.Semaphore) -> int:
    """Send ``octets`` from ``port`` and read to the end; returns ``port``."""
    loop = asyncio.get_running_loop()
    async with gate:
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", port))
            await loop.sock_connect(sock, ("127.0.0.1", PORT))
            await loop.sock_sendall(sock, octets)
            with suppress(ConnectionResetError):
                while await loop.sock_recv(sock, 4096):
                    pass
            return port


async def sample(
    kinds: dict[str, Callable[[], bytes]], rng: random.Random, ports: Iterator[int]
) -> dict[str, list[Sight]]:
    """So many sights of each kind, their order drawn so that no kind has a busier hour."""
    order = [kind for kind in kinds for _ in range(TRIALS)]
    rng.shuffle(order)
    gate = asyncio.Semaphore(AT_ONCE)
    with Watch("lo", PORT) as watch:
        # One port for one connection: the network is ours, so they are free.
        tries = (probe(kinds[kind](), next(ports), gate) for kind in order)
        used = await asyncio.gather(*tries)
    sights = watch.sights()
    found: dict[str, list[Sight]] = {kind: [] for kind in kinds}
    for kind, port in zip(order, used, strict=True):
        found[kind].append(sights[port])
    return found


def differences(found: dict[str, list[Sight]]) -> set[tuple[str, str, str]]:
    """Pairs of kinds that can be told apart, and by what."""
    told: set[tuple[str, str, str]] = set()
    pairs = list(combinations(found, 2))
    for one, other in pairs:
        first, second = found[one], found[other]
        for what in ("octets", "end"):
            if {getattr(s, what) for s in first} != {getattr(s, what) for s in second}:
                told.add((one, other, what))
        figures: dict[str, Callable[[Sight], float]] = {
            "when": lambda sight: sight.ended,
            "acks": lambda sight: sight.acks,
            "window": lambda sight: sight.windows[-1] if sight.windows else 0,
        }
        for what, figure in figures.items():
            # Bonferroni's bound: the chance is shared among all questions that are asked.
            chance = CHANCE / (len(pairs) * len(figures))
            if apart([*map(figure, first)], [*map(figure, second)]) < chance:
                told.add((one, other, what))
    return told


def told_apart(
    serve: Callable[[], AbstractAsyncContextManager[object]], server: dict[str, object]
) -> set[tuple[str, str, str]]:
    """What an observer of a server learns, which shows twice."""

    async def main() -> set[tuple[str, str, str]]:
        rng = random.Random(20)
        async with Target() as target, serve():
            recorder = Recorder(server, target.endpoint, rng)
            recorded = [recorder.genuine() for _ in range(20)]
            recorded = [octets for octets in recorded if len(octets) == len(recorded[0])]
            await asyncio.gather(*(use(octets) for octets in recorded))
            kinds, ports = recorder.kinds(recorded), count(10_000)
            told = differences(await sample(kinds, rng, ports))
            if told:
                told &= differences(await sample(kinds, rng, ports))
            return told

    return in_fresh_network(lambda: asyncio.run(main()))


async def use(octets: bytes) -> None:
    """A genuine client says ``octets``; from then on they are a recording."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", PORT))
        await loop.sock_sendall(sock, octets)
        await asyncio.wait_for(loop.sock_recv(sock, 4096), 10)


@pytest.mark.parametrize("name", SERVERS)
def test_no_kind_of_failure_can_be_told_from_another(name: str, tmp_path: Path) -> None:
    document = {
        "server": "127.0.0.1",
        "server_port": PORT,
        "allow_private_targets": True,
        "timeout": DEADLINE,
        "nofile": 4096,
        **SERVERS[name],
    }

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        with Command("ssserver", tmp_path, document, [("tcp", PORT)]):
            yield

    assert not told_apart(serve, SERVERS[name])


class TestControls:
    """Servers that betray something, which must be found."""

    def told_of(self, react: Callable[[asyncio.StreamWriter, bool], Awaitable[None]]) -> set[str]:
        """What betrays a server that does ``react``, which knows what was said to it before."""

        @asynccontextmanager
        async def serve() -> AsyncIterator[None]:
            seen: set[bytes] = set()

            async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                octets = await reader.read(4096)
                again = octets in seen
                seen.add(octets)
                if len(seen) <= 20 and not again:
                    # The genuine clients, which are answered.
                    writer.write(b"answer")
                else:
                    await react(writer, again)
                writer.close()

            async with await asyncio.start_server(one, "127.0.0.1", PORT, backlog=256):
                yield

        return {what for _, _, what in told_apart(serve, SERVERS["aes-256-gcm"])}

    def test_an_answer_to_a_replay(self) -> None:
        async def react(writer: asyncio.StreamWriter, again: bool) -> None:
            if again:
                writer.write(b"?")

        assert "octets" in self.told_of(react)

    def test_an_end_twenty_milliseconds_late(self) -> None:
        async def react(writer: asyncio.StreamWriter, again: bool) -> None:
            await asyncio.sleep(DEADLINE + 0.02 * again)

        assert self.told_of(react) == {"when"}

    def test_a_reset_for_some(self) -> None:
        async def react(writer: asyncio.StreamWriter, again: bool) -> None:
            await asyncio.sleep(DEADLINE)
            if again:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        assert "end" in self.told_of(react)

    def test_one_that_betrays_nothing(self) -> None:
        async def react(writer: asyncio.StreamWriter, again: bool) -> None:
            await asyncio.sleep(DEADLINE)

        assert not self.told_of(react)
