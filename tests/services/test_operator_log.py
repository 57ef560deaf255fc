"""What a log says to whoever runs the service: each cause once, and what to look at."""

import asyncio
import logging
import socket
import time

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead_packet import seal_packet
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    TunnelClient,
    client_key,
    exchange,
    local_config,
    master_key,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, Script, Target, read_all, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

WRONG = master_key(password="battery staple")
TARGET = Endpoint("192.0.2.1", 80)
# RFC 1928 section 5
ADDRESS = bytes.fromhex("01 c0000201 0050")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def packet(key: MasterKey) -> bytes:
    out = memoryview(bytearray(1000))
    return bytes(out[: seal_packet(key, entropy(key.method.salt_size), ADDRESS + b"hello", out)])


@both_loops
def test_a_wrong_key_on_udp_is_one_line(loop_name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Endpoint:
        with serve(server_config(udp=True)) as server:
            (relay,) = server.port.packet_relays
            async with Datagrams() as client:
                for _ in range(5):
                    client.send(packet(WRONG), server.udp_endpoint)
                await until(lambda: relay.dropped["authentication"] == 5)
                return client.endpoint

    client = run_on(loop_name, main)
    (line,) = warnings(caplog)
    assert line.startswith(f"{client} sent what the key of Shadowsocks aes-256-gcm on 127.0.0.1:")
    assert "(1 so far)" in line
    assert "a wrong password or method, or a probe" in line


@both_loops
def test_a_wrong_key_on_tcp_is_one_line(loop_name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with serve(server_config(timeout=0.1)) as server:
            for _ in range(3):
                async with TunnelClient(server.endpoint, WRONG, TARGET) as client:
                    await client.send(b"hello")
                    assert await client.receive() == b""
            assert server.port.runtime.counters.failures == {"authentication": 3}

    run_on(loop_name, main)
    (line,) = warnings(caplog)
    assert "does not open (1 so far): a wrong password or method, or a probe" in line


@both_loops
@pytest.mark.parametrize(
    ("greeting", "version"),
    [
        # SOCKS4, as its protocol's figure has it: VN, CD, DSTPORT, DSTIP, USERID, NULL
        (bytes.fromhex("04 01 0050 c0000201 00"), "0x04"),
        (b"GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\n\r\n", "0x47"),
        (b"CONNECT example.test:443 HTTP/1.1\r\n\r\n", "0x43"),
    ],
    ids=["SOCKS4", "GET", "CONNECT"],
)
def test_a_client_of_another_protocol_is_one_line(
    loop_name: str, greeting: bytes, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with serve(local_config(TARGET)) as local:
            loop = asyncio.get_running_loop()
            for _ in range(3):
                with socket.socket() as sock:
                    sock.setblocking(False)
                    await loop.sock_connect(sock, local.endpoint)
                    await loop.sock_sendall(sock, greeting)
                    assert await read_all(sock) == b""
            await rested(local)

    run_on(loop_name, main)
    (line,) = warnings(caplog)
    assert line.startswith("127.0.0.1:")
    assert f"a greeting of version {version} is not SOCKS5; SOCKS5 on 127.0.0.1:" in line


def test_a_client_that_leaves_in_its_greeting_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with serve(local_config(TARGET)) as local:
            with socket.create_connection(local.endpoint) as sock:
                sock.sendall(b"\x05\x02")
            await until(lambda: local.port.runtime.counters.failures["truncated"] == 1)

    run_on("asyncio", main)
    assert warnings(caplog) == []


async def silence(sock: socket.socket) -> None:
    """A server that ends without a word."""
    await asyncio.get_running_loop().sock_recv(sock, 1 << 16)


async def nonsense(sock: socket.socket) -> None:
    """A server with another key."""
    loop = asyncio.get_running_loop()
    await loop.sock_recv(sock, 1 << 16)
    await loop.sock_sendall(sock, bytes(200))
    await read_all(sock)


@both_loops
@pytest.mark.parametrize("server", [silence, nonsense])
def test_a_server_that_ends_without_an_answer_is_one_line(
    loop_name: str, server: Script, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Target(server) as upstream:
            with serve(local_config(upstream.endpoint)) as local:
                for _ in range(3):
                    sock, _ = await open_socks(local.endpoint, TARGET)
                    with sock:
                        sock.sendall(b"hello")
                        sock.shutdown(socket.SHUT_WR)
                        try:
                            assert await read_all(sock) == b""
                        except ConnectionResetError:
                            pass
                await until(lambda: not local.port.relays)
                assert upstream.accepts == 3

    run_on(loop_name, main)
    (line,) = warnings(caplog)
    assert "a server has ended a connection without an answer that our key opens" in line
    assert "a wrong password or method" in line


@both_loops
def test_a_server_that_answers_is_no_line(loop_name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Target() as target:
            with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
                assert await exchange(local.endpoint, target.endpoint, b"hello") == b"hello"
                await rested(server, local)

    run_on(loop_name, main)
    assert warnings(caplog) == []


@both_loops
def test_clocks_that_differ_are_one_line(loop_name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        method = "2022-blake3-aes-128-gcm"
        with serve(server_config(method, timeout=0.1)) as server:
            for _ in range(3):
                late = TunnelClient(
                    server.endpoint, client_key(method), TARGET, lambda: time.time() + 3600
                )
                async with late as client:
                    await client.send(b"hello")
                    assert await client.receive() == b""
            assert server.port.runtime.counters.failures == {"clock": 3}

    run_on(loop_name, main)
    (line,) = warnings(caplog)
    assert "s ahead of our clock, and 30 are allowed (1 so far): set both clocks" in line
