"""How connections begin, last and end through each pair of hops.

libev closes both of its sockets when one side has ended, so a half-closed connection does not
outlive it. What was sent before the end must arrive all the same, whichever hop is ours, and where
both are the other direction goes on.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.hops import OURS, PATHS, PATIENCE, Hops, Tunnel
from annotated_shadowsocks.testing.loops import LOOPS
from annotated_shadowsocks.testing.origin import Origin

pytestmark = pytest.mark.interop

METHOD = "aes-128-gcm"

#: What every connection holds; what the kernel holds for a reader that has not begun; more than
#: all buffers on the way.
SIZES = (1, 150_000, 16_000_000)

#: Seconds without progress after which a sender is taken to stand still.
STILL = 0.3

Path = tuple[str, str]

by_path = pytest.mark.parametrize("path", PATHS, ids="-".join)
by_size = pytest.mark.parametrize("size", SIZES)


@pytest.fixture(params=LOOPS)
def hops(request: pytest.FixtureRequest, hops_by_loop: dict[str, Hops]) -> Hops:
    return hops_by_loop[request.param]


def receive_all(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def tunnel_to(
    hops: Hops, origin: Origin, path: Path, handler: Callable[[socket.socket], None]
) -> tuple[Tunnel, Endpoint]:
    target = Endpoint("127.0.0.1", origin.serve(handler))
    return hops.tunnel(path, METHOD, target), target


def send_all(sock: socket.socket, data: bytes, reader_may_begin: threading.Event) -> None:
    """Send ``data``, and say when the buffers of the whole way are full."""
    left = memoryview(data)
    while left:
        _, writable, _ = select.select([], [sock], [], STILL)
        if writable:
            left = left[sock.send(left, socket.MSG_DONTWAIT) :]
        else:
            reader_may_begin.set()


@by_path
@by_size
@pytest.mark.parametrize("end", ["shutdown", "close"])
def test_what_a_client_sends_before_its_end_arrives(
    hops: Hops, origin: Origin, path: Path, size: int, end: str
) -> None:
    received: Future[bytes] = Future()
    reader_may_begin = threading.Event()

    def take(sock: socket.socket) -> None:
        reader_may_begin.wait(PATIENCE)
        try:
            received.set_result(receive_all(sock))
        except OSError as error:
            received.set_exception(error)

    tunnel, target = tunnel_to(hops, origin, path, take)
    data = os.urandom(size)
    with tunnel.connect(target) as sock:
        send_all(sock, data, reader_may_begin)
        if end == "close":
            sock.close()
        else:
            sock.shutdown(socket.SHUT_WR)
        reader_may_begin.set()
        assert received.result(PATIENCE) == data


@by_path
@by_size
def test_what_a_target_sends_before_its_end_arrives(
    hops: Hops, origin: Origin, path: Path, size: int
) -> None:
    data = os.urandom(size)
    reader_may_begin = threading.Event()

    def give(sock: socket.socket) -> None:
        sock.recv(1)
        send_all(sock, data, reader_may_begin)
        sock.close()
        reader_may_begin.set()

    tunnel, target = tunnel_to(hops, origin, path, give)
    with tunnel.connect(target) as sock:
        sock.sendall(b"?")
        reader_may_begin.wait(PATIENCE)
        assert receive_all(sock) == data


@by_size
def test_between_our_hops_the_other_direction_goes_on(
    hops: Hops, origin: Origin, size: int
) -> None:
    def answer(sock: socket.socket) -> None:
        sock.sendall(receive_all(sock)[::-1])

    tunnel, target = tunnel_to(hops, origin, OURS, answer)
    data = os.urandom(size)
    with tunnel.connect(target) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == data[::-1]


@by_path
def test_five_hundred_short_connections(hops: Hops, origin: Origin, path: Path) -> None:
    def echo(sock: socket.socket) -> None:
        sock.sendall(sock.recv(1 << 16))

    tunnel, target = tunnel_to(hops, origin, path, echo)
    ours = [hop for hop in (tunnel.client, tunnel.server) if hop.name in OURS]
    before = [hop.program.descriptors() for hop in ours]

    def exchange(_: int) -> bool:
        data = os.urandom(100)
        with tunnel.connect(target) as sock:
            sock.sendall(data)
            return receive_all(sock) == data

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(exchange, range(500)))
    for hop, count in zip(ours, before, strict=True):
        comes_true(lambda: hop.program.descriptors() <= count)  # noqa: B023 - called at once


def comes_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_idle_connections_stay(hops: Hops, origin: Origin) -> None:
    """Four connections, all idle for three times the second that all hops have as their timeout."""

    def echo(sock: socket.socket) -> None:
        while data := sock.recv(1 << 16):
            sock.sendall(data)

    target = Endpoint("127.0.0.1", origin.serve(echo))
    tunnels = [hops.tunnel(path, METHOD, target, timeout=1) for path in PATHS]
    connections = [tunnel.connect(target) for tunnel in tunnels]
    try:
        for text in (b"before", b"after"):
            for sock in connections:
                sock.sendall(text)
            assert [sock.recv(100) for sock in connections] == [text] * len(connections)
            if text == b"before":
                # Not to wait for something: that time has passed is what is tested.
                time.sleep(3)
    finally:
        for sock in connections:
            sock.close()
