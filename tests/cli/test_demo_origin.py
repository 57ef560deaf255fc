"""The origin of the demonstration."""

import asyncio
import hashlib
import socket

import pytest

from annotated_shadowsocks.cli.demo_origin import Origin
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.targets import Datagrams, read_all, reset

both_loops = pytest.mark.parametrize("loop_name", LOOPS)


async def ask(origin: Endpoint, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of what comes back."""
    with socket.socket() as sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, origin)
        await loop.sock_sendall(sock, request)
        sock.shutdown(socket.SHUT_WR)
        head, _, body = (await read_all(sock)).partition(b"\r\n\r\n")
    return head, body


@both_loops
def test_it_serves_a_page_and_random_octets(loop_name: str) -> None:
    async def main() -> None:
        async with Origin(300_000) as origin:
            head, body = await ask(origin.http, b"GET / HTTP/1.0\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"text/html" in head
            head, body = await ask(origin.http, b"GET /random HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Content-Length: 300000" in head
            assert hashlib.sha256(body).hexdigest() == origin.digest
            assert origin.digest.encode() in head
            head, _ = await ask(origin.http, b"GET /elsewhere HTTP/1.0\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 404 ")

    run_on(loop_name, main)


@both_loops
@pytest.mark.parametrize("request_", [b"", b"GET", b"\r\n\r\n", b"x" * 100_000])
def test_what_is_no_request_is_no_error(loop_name: str, request_: bytes) -> None:
    async def main() -> None:
        async with Origin(1000) as origin:
            try:
                assert await ask(origin.http, request_) == (b"", b"")
            except ConnectionResetError:
                # It was closed before all of that was read.
                pass
            head, _ = await ask(origin.http, b"GET / HTTP/1.0\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")

    run_on(loop_name, main)


@both_loops
def test_a_reader_that_goes_away_is_no_error(loop_name: str) -> None:
    async def main() -> None:
        async with Origin(10_000_000) as origin:
            loop = asyncio.get_running_loop()
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, origin.http)
            await loop.sock_sendall(sock, b"GET /random HTTP/1.0\r\n\r\n")
            await loop.sock_recv(sock, 1)
            reset(sock)
            await ask(origin.http, b"GET / HTTP/1.0\r\n\r\n")

    run_on(loop_name, main)


@both_loops
def test_it_echoes_datagrams(loop_name: str) -> None:
    async def main() -> None:
        async with Origin(0) as origin, Datagrams() as client:
            client.send(b"ping", origin.echo)
            assert await client.receive() == [(b"ping", origin.echo)]

    run_on(loop_name, main)
