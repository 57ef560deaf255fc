"""The model as a live host: real clients connect to it, and meet what its profile says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.lab.live_model import LiveModel, interfaces
from annotated_shadowsocks.tcp_model.effects import DropAck, DropSyn, Effect, SendSegment
from annotated_shadowsocks.tcp_model.host import Host
from annotated_shadowsocks.tcp_model.instant import MILLISECOND
from annotated_shadowsocks.tcp_model.profiles import find
from annotated_shadowsocks.tcp_model.segment import RST, Segment
from annotated_shadowsocks.testing.queues import until

Seen = list[Segment | Effect]


@contextmanager
def serving(
    profile: str, backlog: int, pace: int | None = 0, address: str = "198.51.100.2/24"
) -> Iterator[tuple[LiveModel, Seen]]:
    """A live model in a namespace of its own, in which the test's thread is too."""
    seen: Seen = []
    ended = threading.Event()
    with NetworkNamespace() as namespace, namespace.entered():
        host = Host(find(profile), {}, b"secret")
        with LiveModel(host, address, 80, pace, lambda _, what: seen.append(what)) as model:
            model.listen(backlog)

            def serve() -> None:
                while not ended.is_set():
                    model.run(model.now + 5 * MILLISECOND)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield model, seen
            finally:
                ended.set()
                thread.join()


def connect(model: LiveModel) -> socket.socket:
    return socket.create_connection((model.endpoint.host, model.endpoint.port), timeout=20)


def fetch(client: socket.socket) -> bytes:
    with client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: client.recv(4096), b""))


@contextmanager
def knocking(model: LiveModel, count: int) -> Iterator[list[socket.socket]]:
    clients = [socket.socket() for _ in range(count)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(tuple(model.endpoint))
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def is_rst(what: Segment | Effect) -> bool:
    return isinstance(what, SendSegment) and bool(what.segment.flags & RST)


@pytest.mark.root
@pytest.mark.parametrize("address", ["198.51.100.2/24", "fd0a::2/64"])
def test_it_serves_a_page_that_says_what_it_is(address: str) -> None:
    with serving("bsd44", 5, address=address) as (model, _):
        for number in (1, 2):
            page = fetch(connect(model))
            assert page.startswith(b"HTTP/1.0 200 OK")
            assert b"behaves as 4.4BSD does" in page
            assert f"You are connection {number};".encode() in page


@pytest.mark.root
def test_a_stalled_44bsd_holds_three_halves_of_its_backlog_and_one_more() -> None:
    with serving("bsd44", 2, pace=None) as (model, seen), knocking(model, 6):
        until(lambda: sum(isinstance(one, DropSyn) for one in seen) >= 2)
        until(lambda: model.listener.accept_queue.depth == 4)


@pytest.mark.root
def test_windows_answers_a_syn_too_many_with_rst() -> None:
    with serving("windows", 1, pace=None) as (model, seen), knocking(model, 4) as clients:
        until(lambda: any(is_rst(one) for one in seen))
        errors: list[int] = []

        def refused() -> bool:
            errors.extend(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for c in clients)
            return 111 in errors

        until(refused)


@pytest.mark.root
def test_freebsd_answers_a_final_ack_too_many_with_rst() -> None:
    with serving("freebsd-12", 0, pace=None) as (model, seen), knocking(model, 4):
        until(lambda: any(isinstance(one, DropAck) for one in seen))
        until(lambda: any(is_rst(one) for one in seen))


@pytest.mark.root
def test_a_slow_application_serves_all_in_the_end() -> None:
    with serving("linux-6.18", 8, pace=30 * MILLISECOND) as (model, _):
        pages = [fetch(client).decode() for client in [connect(model) for _ in range(4)]]
        found = [page.partition("You are connection ")[2][:1] for page in pages]
        assert sorted(found) == ["1", "2", "3", "4"]


@pytest.mark.root
def test_a_visitor_that_resets_is_forgotten() -> None:
    with serving("linux-6.18", 8) as (model, _):
        with knocking(model, 1) as (client,):
            until(lambda: model.accepted == 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        until(lambda: not model.host.connections)
        assert fetch(connect(model))


@pytest.mark.root
def test_its_device_goes_with_it_and_a_network_is_not_taken_twice() -> None:
    with NetworkNamespace() as namespace, namespace.entered():
        with LiveModel(Host(find("bsd44")), "198.51.100.2/24", 80, 0, lambda *_: None) as model:
            assert model.device in [name for _, name in socket.if_nameindex()]
            with pytest.raises(ConfigError, match=r"backlog0 has a route to 198.51.100.0/24; cho"):
                LiveModel(Host(find("bsd44")), "198.51.100.9/24", 80, 0, lambda *_: None)
        assert [name for _, name in socket.if_nameindex()] == ["lo"]


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("198.51.100.2/24", "198.51.100.1/24"),
        ("198.51.100.1/24", "198.51.100.2/24"),
        ("fd0a::2/64", "fd0a::1/64"),
    ],
)
def test_the_two_ends_of_the_wire(text: str, theirs: str) -> None:
    assert tuple(map(str, interfaces(text))) == (theirs, text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("example.org", "that is no address"),
        ("198.51.100.2", "no room for two hosts"),
        ("198.51.100.2/31", "no room for two hosts"),
        ("198.51.100.0/24", "no address of a host"),
        ("198.51.100.255/24", "no address of a host"),
        ("127.0.0.2/8", "a meaning of its own"),
        ("224.0.0.2/24", "a meaning of its own"),
        ("fe80::2/64", "a meaning of its own"),
    ],
)
def test_addresses_that_are_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        interfaces(text)
    assert str(caught.value).endswith("; write it as 198.51.100.2/24")
