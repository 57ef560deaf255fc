import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.relay import sockets
from annotated_shadowsocks.relay.sockets import (
    SocketOptions,
    accept_queue,
    connecting,
    fast_open_limit,
    open_stream_listeners,
    open_udp,
    reset_on_close,
    somaxconn,
    unsent,
    unsent_room,
)
from annotated_shadowsocks.testing.loopback import (
    black_hole,
    open_descriptors,
    pair,
    read_to_end,
)
from annotated_shadowsocks.testing.queues import until

ANY_PORT = Endpoint("127.0.0.1", 0)
OPTIONS = SocketOptions()


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Closed when the test is over."""
    before = open_descriptors()
    opened: list[socket.socket] = []
    yield opened
    for sock in opened:
        sock.close()
    assert open_descriptors() == before


def place(sock: socket.socket) -> Endpoint:
    return Endpoint(*sock.getsockname()[:2])


def option(sock: socket.socket, level: int, name: int) -> int:
    return sock.getsockopt(level, name)


# -- listening ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backlog", [1, 7, 100])
def test_the_backlog_as_granted_is_read_back(opened: list[socket.socket], backlog: int) -> None:
    opened += open_stream_listeners(ANY_PORT, backlog, OPTIONS)
    assert accept_queue(opened[0]) == (0, min(backlog, somaxconn()))
    assert not opened[0].getblocking()


def test_no_backlog_is_as_much_as_the_kernel_allows(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, None, OPTIONS)
    assert accept_queue(opened[0]) == (0, somaxconn())


def test_more_than_the_kernel_allows_is_cut(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, somaxconn() + 1, OPTIONS)
    assert accept_queue(opened[0]) == (0, somaxconn())


def test_somaxconn_is_the_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert somaxconn() == int(Path("/proc/sys/net/core/somaxconn").read_text())
    monkeypatch.setattr(sockets, "_SOMAXCONN", tmp_path / "absent")
    assert somaxconn() == socket.SOMAXCONN
    (tmp_path / "absent").write_text("not a number")
    assert somaxconn() == socket.SOMAXCONN


def test_the_depth_counts_who_waits(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 10, OPTIONS)
    for depth in 1, 2:
        opened.append(socket.create_connection(place(opened[0])))
        assert accept_queue(opened[0]) == (depth, 10)


def test_only_tcp_has_an_accept_queue(opened: list[socket.socket]) -> None:
    opened += open_udp(ANY_PORT)
    assert accept_queue(opened[0]) is None


def test_options_are_inherited_by_what_is_accepted(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 5, SocketOptions(keep_alive=33))
    opened.append(socket.create_connection(place(opened[0])))
    accepted, _ = opened[0].accept()
    opened.append(accepted)
    assert option(accepted, socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert option(accepted, socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    # A dead peer is given up a minute after its silence was noticed.
    assert option(accepted, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 33
    assert option(accepted, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
    assert option(accepted, socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 6


def test_options_that_are_off_are_not_touched(opened: list[socket.socket]) -> None:
    off = SocketOptions(no_delay=False, keep_alive=0)
    opened += open_stream_listeners(ANY_PORT, 5, off)
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    assert option(opened[0], socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 0


def test_fast_open_has_a_queue_as_long_as_the_backlog(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 5, SocketOptions(fast_open=True))
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 5


def test_options_of_a_listener_can_be_taken_back(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 5, SocketOptions(fast_open=True))
    SocketOptions(no_delay=False, keep_alive=0).apply_listening(opened[0], 5)
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    assert option(opened[0], socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 0


# TCP_FASTOPEN_CONNECT of include/uapi/linux/tcp.h, which the socket module has no name for.
FASTOPEN_CONNECT = 30


@pytest.mark.parametrize("fast_open", [True, False])
def test_fast_open_of_a_socket_that_will_connect(
    opened: list[socket.socket], fast_open: bool
) -> None:
    opened.append(socket.socket())
    for call in SocketOptions(fast_open=fast_open).dialling():
        opened[0].setsockopt(*call)
    assert option(opened[0], socket.IPPROTO_TCP, FASTOPEN_CONNECT) == fast_open
    assert option(opened[0], socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_fast_open_tells_how_long_its_queue_is(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 7, OPTIONS)
    opened += open_stream_listeners(ANY_PORT, 7, SocketOptions(fast_open=True))
    assert list(map(fast_open_limit, opened)) == [0, 7]


def test_a_silent_connection_is_kept_out_of_the_queue(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 7, SocketOptions(defer_accept=60))
    (sock,) = opened
    with socket.create_connection(sock.getsockname()) as client:
        assert accept_queue(sock) == (0, 7)
        client.send(b"x")
        until(lambda: accept_queue(sock) == (1, 7))
    # What listens already may be told otherwise.
    SocketOptions().apply_listening(sock, 7)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) == 0


def test_listeners_share_an_address_only_where_asked_to(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 7, OPTIONS, share=True)
    at = place(opened[0])
    opened += open_stream_listeners(at, 7, OPTIONS, share=True)
    assert list(map(place, opened)) == [at, at]
    with pytest.raises(ListenError, match="another program listens there"):
        open_stream_listeners(at, 7, OPTIONS)


def test_a_socket_that_was_left_to_us_is_taken(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 3, OPTIONS)
    (left,) = opened
    at = place(left)

    def adopt(family: int, kind: int, address: tuple[str, int]) -> socket.socket | None:
        assert (family, kind, address) == (socket.AF_INET, socket.SOCK_STREAM, at)
        return left

    assert open_stream_listeners(at, 9, OPTIONS, adopt=adopt) == [left]
    # It listens as this configuration says, and not as whoever left it.
    assert accept_queue(left) == (0, 9)


def test_binds_again_while_old_connections_wait(opened: list[socket.socket]) -> None:
    (first,) = open_stream_listeners(ANY_PORT, 5, OPTIONS)
    client = socket.create_connection(place(first))
    accepted, _ = first.accept()
    # Whoever closes first has the connection in TIME_WAIT.
    accepted.close()
    assert client.recv(1) == b""
    client.close()
    again = place(first)
    first.close()
    opened += open_stream_listeners(again, 5, OPTIONS)
    assert place(opened[0]) == again


# -- both families --------------------------------------------------------------------------------


def test_the_unspecified_address_of_ipv6_takes_ipv4_too(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(Endpoint("::", 0), 5, OPTIONS)
    port = place(opened[0]).port
    opened.append(socket.create_connection(("127.0.0.1", port)))
    opened.append(socket.create_connection(("::1", port)))
    assert accept_queue(opened[0]) == (2, 5)


def test_any_other_address_of_ipv6_is_only_itself(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(Endpoint("::1", 0), 5, OPTIONS)
    assert option(opened[0], socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    same_port = Endpoint("127.0.0.1", place(opened[0]).port)
    opened += open_stream_listeners(same_port, 5, OPTIONS)
    opened += open_udp(Endpoint("::1", same_port.port))
    opened += open_udp(same_port)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    def getaddrinfo(host: str, port: int, **_: int) -> list[object]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, 0, 0, "", (each, port))
            for each in hosts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_each_address_of_a_name_is_listened_on_once(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "::1", "127.0.0.1")
    opened += open_stream_listeners(Endpoint("some.test", 0), 5, OPTIONS)
    assert [place(sock).host for sock in opened] == ["127.0.0.1", "::1"]


# 192.0.2.0/24 is documentation's [RFC6890 §2.2.2]: no host has an address in it.
ELSEWHERE = "192.0.2.1"


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
def test_all_addresses_or_none(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    resolve_to(monkeypatch, "127.0.0.1", ELSEWHERE)
    endpoint = Endpoint("some.test", 0)
    with pytest.raises(ListenError) as caught:
        if transport == "TCP":
            open_stream_listeners(endpoint, 5, OPTIONS)
        else:
            open_udp(endpoint)
    assert str(caught.value) == (
        f"cannot listen on some.test:0 ({transport}): Cannot assign requested address; "
        "this host has no such address"
    )
    assert caught.value.errno == errno.EADDRNOTAVAIL
    # And the fixture finds no descriptor left open.


# -- what can be wrong ----------------------------------------------------------------------------


def test_a_port_in_use(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 5, OPTIONS)
    taken = place(opened[0])
    with pytest.raises(ListenError) as caught:
        open_stream_listeners(taken, 5, OPTIONS)
    assert str(caught.value) == (
        f"cannot listen on {taken} (TCP): Address already in use; "
        "another program listens there; stop it or choose another port"
    )
    assert caught.value.errno == errno.EADDRINUSE


def test_no_permission(opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sockets, "_bound", forbidden)
    with pytest.raises(ListenError, match="ports below 1024 need root or CAP_NET_BIND_SERVICE"):
        open_stream_listeners(Endpoint("127.0.0.1", 443), 5, OPTIONS)


def test_any_other_error_is_told_in_the_kernels_words(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.ENOBUFS, "No buffer space available")

    monkeypatch.setattr(sockets, "_bound", failing)
    with pytest.raises(ListenError) as caught:
        open_udp(ANY_PORT)
    assert str(caught.value) == "cannot listen on 127.0.0.1:0 (UDP): No buffer space available"


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ListenError) as caught:
        open_stream_listeners(Endpoint("nowhere.test", 8388), 5, OPTIONS)
    assert str(caught.value) == (
        "cannot listen on nowhere.test:8388: unknown host (Name or service not known)"
    )


# -- what becomes of a connection -----------------------------------------------------------------


def test_a_close_that_resets() -> None:
    sock, peer = pair()
    sock.send(b"delivered")
    reset_on_close(sock)
    sock.close()
    assert read_to_end(peer) == (b"delivered", "RST")
    # Nobody is left to be told.
    reset_on_close(sock)
    peer.close()


def test_whether_a_connection_is_still_being_made(opened: list[socket.socket]) -> None:
    opened += [socket.socket(), *pair()]
    assert not connecting(opened[1])
    assert not connecting(opened[0])
    with black_hole("127.0.0.2") as port:
        opened[0].setblocking(False)
        opened[0].connect_ex(("127.0.0.2", port))
        assert connecting(opened[0])
    opened += open_udp(ANY_PORT)
    assert not connecting(opened[-1])


# -- how much a socket takes ----------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [0, 1, 10, 100, 1000])
@pytest.mark.parametrize("piece", [1, 100, 1500, 60_000])
@pytest.mark.parametrize("buffers", [None, 16 * 1024, 512 * 1024])
def test_as_much_as_there_is_room_for_is_taken_at_once(
    buffers: int | None, piece: int, pieces: int
) -> None:
    sock, peer = pair(buffers)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    much = bytes(8 * 1024 * 1024)
    # Nobody reads, and small pieces take more memory for each octet.
    for _ in range(pieces):
        try:
            sock.send(much[:piece])
        except BlockingIOError:
            break
    room = unsent_room(sock)
    if room > 0:
        assert sock.send(much[:room]) == room
    sock.close()
    peer.close()


def test_what_is_unsent_counts_until_it_is_acknowledged() -> None:
    sock, peer = pair(16 * 1024)
    assert unsent(sock) == 0
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(1024))
    except BlockingIOError:
        pass
    assert 0 < unsent(sock) <= sent
    sock.close()
    peer.close()


def test_no_room_where_the_system_does_not_say(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened += pair()
    assert unsent_room(opened[0]) > 0
    monkeypatch.setattr(sockets, "_SO_MEMINFO", 999)
    assert unsent_room(opened[0]) == 0


def test_nothing_is_unsent_where_the_system_does_not_say(opened: list[socket.socket]) -> None:
    opened += open_stream_listeners(ANY_PORT, 5, OPTIONS)
    assert unsent(opened[0]) == 0


# -- datagrams ------------------------------------------------------------------------------------


def test_datagram_sockets_share_an_address_only_where_asked_to(opened: list[socket.socket]) -> None:
    opened += open_udp(ANY_PORT, share=True)
    shared = place(opened[0])
    opened += open_udp(shared, share=True)
    assert place(opened[1]) == shared
    assert not opened[0].getblocking()
    with pytest.raises(ListenError, match=r"\(UDP\): Address already in use"):
        open_udp(shared)


def test_an_own_datagram_socket_is_not_shared(opened: list[socket.socket]) -> None:
    opened += open_udp(ANY_PORT)
    with pytest.raises(ListenError, match=r"\(UDP\): Address already in use"):
        open_udp(place(opened[0]), share=True)
