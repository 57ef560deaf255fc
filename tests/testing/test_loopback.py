import errno
import os
import resource
import socket

import pytest

from annotated_shadowsocks.testing.loopback import (
    abort,
    arrived,
    black_hole,
    listener,
    no_descriptors_left,
    open_descriptors,
    pair,
    read_to_end,
    unsent,
)


def test_a_pair_is_joined() -> None:
    inner, outer = pair()
    assert not inner.getblocking()
    assert inner.getpeername() == outer.getsockname()
    outer.send(b"hello")
    assert arrived(inner) == 5
    assert inner.recv(10) == b"hello"
    assert arrived(inner) == 0
    outer.close()
    inner.setblocking(True)
    assert read_to_end(inner) == (b"", "FIN")
    inner.close()


def test_small_buffers_are_full_soon() -> None:
    inner, outer = pair(16 * 1024)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += inner.send(bytes(1024))
    assert sent < 200 * 1024
    assert arrived(outer) + unsent(inner) <= sent
    assert unsent(inner) > 0
    inner.close()
    outer.close()


def test_abort_is_a_reset() -> None:
    inner, outer = pair()
    inner.send(b"last words")
    abort(inner)
    assert read_to_end(outer) == (b"last words", "RST")
    outer.close()


def test_a_listener_does_not_block() -> None:
    with listener() as sock, pytest.raises(BlockingIOError):
        sock.accept()


def test_a_black_hole_answers_no_syn() -> None:
    with black_hole("127.0.0.2") as port, socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(("127.0.0.2", port)) == errno.EINPROGRESS
        # 2 is SYN_SENT: on loopback any answer would have been here already.
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x02"


def test_no_descriptors_are_left_and_then_they_are_back() -> None:
    before, limits = open_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
    with no_descriptors_left() as taken:
        with pytest.raises(OSError) as caught:
            socket.socket()
        assert caught.value.errno == errno.EMFILE
        os.close(taken.pop())
        socket.socket().close()
    assert open_descriptors() == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


def test_open_descriptors_are_counted() -> None:
    before = open_descriptors()
    with socket.socket():
        assert open_descriptors() == before + 1
    assert open_descriptors() == before
