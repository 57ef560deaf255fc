"""The harness of probes, on servers whose manners are known: it must tell them apart."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reaction, reactions
from annotated_shadowsocks.testing.targets import Target

DEADLINE = 0.2

Script = Callable[[socket.socket], Awaitable[None]]


async def read(size: int, sock: socket.socket) -> None:
    """Read this much, and let the connection be closed."""
    loop = asyncio.get_running_loop()
    while size > 0 and (octets := await loop.sock_recv(sock, size)):
        size -= len(octets)


async def answer(sock: socket.socket) -> None:
    await read(1, sock)
    await asyncio.get_running_loop().sock_sendall(sock, b"HTTP/1.1 400\r\n\r\n")


async def reset(sock: socket.socket) -> None:
    await read(1, sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def wait(sock: socket.socket) -> None:
    await asyncio.sleep(DEADLINE)


async def hang(sock: socket.socket) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer, Reaction(16, End.FIN, When.BEFORE_DEADLINE)),
        (reset, Reaction(0, End.RST, When.BEFORE_DEADLINE)),
        (partial(read, 2), Reaction(0, End.FIN, When.BEFORE_DEADLINE)),
        (wait, Reaction(0, End.RST, When.AT_DEADLINE)),
        (hang, Reaction(0, End.NONE, When.NEVER)),
    ],
)
def test_what_a_server_does_is_what_is_reported(
    loop_name: str, script: Script, expected: Reaction
) -> None:
    async def main() -> None:
        async with Target(script) as server:
            probe = Probe((b"x", b"y"), pause=0.01)
            patience = 0.0 if script is hang else 20.0
            assert await reaction(server.endpoint, probe, DEADLINE, patience) == expected

    run_on(loop_name, main)


def test_how_much_a_plain_close_reads_shows() -> None:
    # The positive control of security testing: a server that reads what it needs, finds it wrong
    # and closes tells the number of octets that it needs, to the octet.
    async def main() -> None:
        async with Target(partial(read, 50)) as server:
            probes = {str(size): Probe((bytes(size),)) for size in (1, 49, 50, 51, 221)}
            seen = await reactions(server.endpoint, probes, DEADLINE, patience=0.0)
        assert seen == {
            Reaction(0, End.NONE, When.NEVER): ["1", "49"],
            Reaction(0, End.FIN, When.BEFORE_DEADLINE): ["50"],
            Reaction(0, End.RST, When.BEFORE_DEADLINE): ["51", "221"],
        }

    run_on("asyncio", main)


def test_a_fin_is_sent_where_it_is_asked_for() -> None:
    async def main() -> None:
        async with Target(partial(read, 50)) as server:
            seen = await reaction(server.endpoint, Probe((b"x",), fin=True), 60.0)
        assert seen == Reaction(0, End.FIN, When.BEFORE_DEADLINE)

    run_on("asyncio", main)
