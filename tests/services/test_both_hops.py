"""Through both hops, sslocal and ssserver, to a target and back."""

import asyncio
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.poller import Scratch
from annotated_shadowsocks.relay.stream_relay import Leg
from annotated_shadowsocks.shadowsocks import aead2022_stream
from annotated_shadowsocks.shadowsocks.chunks import ChunkEncoder
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    ALL_METHODS,
    Service,
    exchange,
    local_config,
    master_key,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import (
    Dead,
    Target,
    read_all,
    reset,
    until,
)

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
all_methods = pytest.mark.parametrize("method", ALL_METHODS)

KEY = master_key()


@both_loops
@all_methods
@pytest.mark.parametrize(
    ("listens", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "localhost")]
)
def test_literals_and_names_are_reached(
    loop_name: str, method: str, listens: str, host: str
) -> None:
    async def main() -> None:
        with (
            serve(server_config(method)) as server,
            serve(local_config(server.endpoint, method=method)) as local,
        ):
            async with Target(host=listens) as target:
                dst = Endpoint(host, target.endpoint.port)
                sent = bytes(range(256)) * 400
                assert await exchange(local.endpoint, dst, sent) == sent
            await rested(server, local)

    run_on(loop_name, main)


async def answer_after_the_end(sock: socket.socket) -> None:
    """Hear everything, and only then answer, at length."""
    heard = await read_all(sock)
    await asyncio.get_running_loop().sock_sendall(sock, heard * 3)


@both_loops
def test_the_client_may_end_first(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(answer_after_the_end) as target:
                sent = bytes(range(256)) * 4096
                assert await exchange(local.endpoint, target.endpoint, sent) == sent * 3
                # A FIN alone, and a FIN right behind the request, are passed on like any other.
                assert await exchange(local.endpoint, target.endpoint, b"") == b""
                assert target.accepts == 2
            await rested(server, local)

    run_on(loop_name, main)


@both_loops
def test_the_target_may_end_first(loop_name: str) -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def script(sock: socket.socket) -> None:
            await asyncio.get_running_loop().sock_sendall(sock, b"that was all")
            sock.shutdown(socket.SHUT_WR)
            heard.append(await read_all(sock))

        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(script) as target:
                sock, _ = await open_socks(local.endpoint, target.endpoint)
                with sock:
                    assert await read_all(sock) == b"that was all"
                    sent = bytes(range(256)) * 4096
                    await asyncio.get_running_loop().sock_sendall(sock, sent)
                    sock.shutdown(socket.SHUT_WR)
                    await until(lambda: heard == [sent])
            await rested(server, local)

    run_on(loop_name, main)


@both_loops
def test_both_may_end_at_once(loop_name: str) -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def script(sock: socket.socket) -> None:
            await asyncio.get_running_loop().sock_sendall(sock, b"theirs")
            sock.shutdown(socket.SHUT_WR)
            heard.append(await read_all(sock))

        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(script) as target:
                answers = await asyncio.gather(
                    *(exchange(local.endpoint, target.endpoint, b"ours") for _ in range(20))
                )
                assert answers == [b"theirs"] * 20
                await until(lambda: heard == [b"ours"] * 20)
            await rested(server, local)

    run_on(loop_name, main)


SIZE = 40 << 20


def legs(*services: Service) -> list[Leg]:
    relays = [relay for service in services for relay in service.port.relays]
    return [leg for relay in relays for leg in (relay.near, relay.far)]


def assert_bounded(*services: Service) -> None:
    for leg in legs(*services):
        assert len(leg.pending) + len(leg.peer.residue) <= Scratch.LIMIT


@both_loops
@pytest.mark.parametrize("slow", ["client", "target"])
def test_a_slow_reader_holds_the_writer_back_through_both_hops(loop_name: str, slow: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        piece = bytes(range(256)) * 1024
        may_read = asyncio.Event()
        received = []

        async def write(sock: socket.socket) -> None:
            for _ in range(SIZE // len(piece)):
                await loop.sock_sendall(sock, piece)
            sock.shutdown(socket.SHUT_WR)

        async def read(sock: socket.socket) -> None:
            await may_read.wait()
            received.append(await read_all(sock))

        at_target, at_client = (write, read) if slow == "client" else (read, write)
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(at_target) as target:
                sock, _ = await open_socks(local.endpoint, target.endpoint)
                with sock:
                    client = asyncio.create_task(at_client(sock))
                    # Two hops hold octets that the kernel does not take: everything is full.
                    await until(lambda: sum(bool(leg.pending) for leg in legs(server, local)) == 2)
                    assert_bounded(server, local)
                    may_read.set()
                    await client
                    await until(lambda: bool(received))
            assert received[0] == piece * (SIZE // len(piece))

    run_on(loop_name, main)


@both_loops
def test_a_reset_reaches_the_other_end(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ends: list[str] = []

        async def listen(sock: socket.socket) -> None:
            try:
                await read_all(sock)
                ends.append("FIN")
            except ConnectionResetError:
                ends.append("RST")

        async def break_off(sock: socket.socket) -> None:
            await loop.sock_recv(sock, 1)
            reset(sock)

        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(listen) as target:
                for octets in (b"", b"x", bytes(100_000)):
                    sock, _ = await open_socks(local.endpoint, target.endpoint)
                    await loop.sock_sendall(sock, octets)
                    await until(lambda: len(server.port.relays) == 1)
                    reset(sock)
                    await rested(server, local)
                await until(lambda: len(ends) == 3)
                assert ends == ["RST"] * 3
            async with Target(break_off) as target:
                sock, _ = await open_socks(local.endpoint, target.endpoint)
                with sock:
                    await loop.sock_sendall(sock, b"x")
                    with pytest.raises(ConnectionResetError):
                        await loop.sock_recv(sock, 1)
                await rested(server, local)

    run_on(loop_name, main)


@both_loops
def test_a_target_that_refuses_is_an_end_of_the_stream(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            with Dead() as dead:
                assert await exchange(local.endpoint, dead, b"hello") == b""
            assert await exchange(local.endpoint, Endpoint("no.test", 80), b"hello") == b""
            await rested(server, local)
            failures = server.port.runtime.counters.failures
            assert failures == {"dial": 1, "resolve": 1}

    run_on(loop_name, main)


@both_loops
def test_private_targets_are_refused_through_both(loop_name: str) -> None:
    async def main() -> None:
        config = server_config(allow_private_targets=False)
        with serve(config) as server, serve(local_config(server.endpoint)) as local:
            async with Target() as target:
                for host in ("127.0.0.1", "localhost", "::ffff:127.0.0.1"):
                    dst = Endpoint(host, target.endpoint.port)
                    assert await exchange(local.endpoint, dst, b"hello") == b""
                assert target.accepts == 0

    run_on(loop_name, main)


@pytest.mark.parametrize("method", [one for one in ALL_METHODS if one.startswith("2022-")])
def test_the_largest_chunks_that_a_peer_may_send(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ours are half as large; here both hops send what others' may.
    monkeypatch.setattr(aead2022_stream, "OWN_PAYLOAD", aead2022_stream.MAX_PAYLOAD)
    largest, seal_chunks = [0], ChunkEncoder.seal_chunks

    def noted(encoder: ChunkEncoder, src: memoryview, dst: memoryview, at: int) -> int:
        largest[0] = max(largest[0], min(len(src), encoder._limit))
        return seal_chunks(encoder, src, dst, at)

    monkeypatch.setattr(ChunkEncoder, "seal_chunks", noted)

    async def main() -> None:
        with (
            serve(server_config(method)) as server,
            serve(local_config(server.endpoint, method=method)) as local,
        ):
            async with Target() as target:
                sent = bytes(range(251)) * 16_000
                assert await exchange(local.endpoint, target.endpoint, sent) == sent
            await rested(server, local)

    run_on("asyncio", main)
    assert largest == [aead2022_stream.MAX_PAYLOAD]
