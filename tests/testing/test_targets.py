"""The places where tunnels of tests lead: each does what its name says."""

import asyncio
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.targets import (
    Datagrams,
    Dead,
    FullQueue,
    Sink,
    Target,
    read_all,
    reset,
    until,
)


async def connect(endpoint: Endpoint) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, endpoint)
    except BaseException:
        sock.close()
        raise
    return sock


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_sink_keeps_what_it_hears_and_how_that_ended(loop_name: str) -> None:
    async def main() -> None:
        sink = Sink()
        loop = asyncio.get_running_loop()
        async with Target(sink) as target:
            for octets, end in ((b"one", socket.socket.close), (b"", reset)):
                sock = await connect(target.endpoint)
                await loop.sock_sendall(sock, octets)
                await until(lambda: len(sink.heard) == target.accepts)
                end(sock)
            await until(lambda: len(sink.ends) == 2)
        assert sink.heard == [b"one", b""]
        assert sink.ends == ["FIN", "RST"]
        assert target.accepts == 2

    run_on(loop_name, main)


def test_the_dead_refuse() -> None:
    async def main() -> None:
        with Dead() as dead, pytest.raises(ConnectionRefusedError):
            await connect(dead)

    run_on("asyncio", main)


def test_a_full_queue_says_nothing() -> None:
    async def main() -> None:
        with FullQueue() as nowhere, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await connect(nowhere)

    run_on("asyncio", main)


def test_what_never_comes_true_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotated_shadowsocks.testing.targets._PATIENCE", 0.01)
    with pytest.raises(TimeoutError):
        run_on("asyncio", lambda: until(lambda: False))


def test_what_a_target_raises_is_raised_at_its_end() -> None:
    async def broken(sock: socket.socket) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with Target(broken) as target:
            with socket.socket() as sock:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, target.endpoint)
                assert await read_all(sock) == b""

    with pytest.raises(ZeroDivisionError):
        run_on("asyncio", main)


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_are_kept_and_answered(loop_name: str, host: str) -> None:
    async def main() -> None:
        async with Datagrams(host, answer=True) as one, Datagrams(host) as two:
            two.send(b"ping", one.endpoint)
            assert await two.receive() == [(b"ping", one.endpoint)]
            assert one.heard == [(b"ping", two.endpoint)]

    run_on(loop_name, main)
