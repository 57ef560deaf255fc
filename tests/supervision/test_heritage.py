"""Sockets that were left to us, by the rules of sd_listen_fds and by a predecessor."""

import os
import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.supervision import heritage as module
from annotated_shadowsocks.supervision.heritage import HANDOVER_VARIABLE, Heritage, inherited

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def bound(
    opened: list[socket.socket], family: int, kind: int, host: str, listens: bool = True
) -> socket.socket:
    sock = socket.socket(family, kind)
    opened.append(sock)
    if family == V6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind((host, 0))
    if kind == TCP and listens:
        sock.listen()
    return sock


def port(sock: socket.socket) -> int:
    number: int = sock.getsockname()[1]
    return number


def left(*sockets: socket.socket, predecessor: int | None = None) -> Heritage:
    return Heritage([("", sock) for sock in sockets], predecessor)


def test_a_socket_is_known_by_its_address(opened: list[socket.socket]) -> None:
    stream = bound(opened, V4, TCP, "127.0.0.1")
    datagrams = bound(opened, V4, UDP, "127.0.0.1")
    heritage = left(stream, datagrams)
    at = "127.0.0.1", port(datagrams)
    assert heritage.adopt(V4, TCP, ("127.0.0.2", port(stream))) is None
    assert heritage.adopt(V4, TCP, ("127.0.0.1", 1)) is None
    assert heritage.adopt(V6, TCP, ("::1", port(stream))) is None
    assert heritage.adopt(V4, UDP, at) is datagrams
    assert heritage.adopt(V4, TCP, ("127.0.0.1", port(stream))) is stream
    # Each is there once.
    assert heritage.adopt(V4, UDP, at) is None
    heritage.settle()


def test_a_socket_for_both_families_serves_every_address_of_ipv4(
    opened: list[socket.socket],
) -> None:
    both = bound(opened, V6, TCP, "::")
    heritage = left(both)
    assert heritage.adopt(V4, TCP, ("127.0.0.1", port(both))) is None
    assert heritage.adopt(V4, TCP, ("0.0.0.0", port(both))) is both


def test_what_the_configuration_does_not_name_is_an_error(opened: list[socket.socket]) -> None:
    stream = bound(opened, V4, TCP, "127.0.0.1")
    number = port(stream)
    with pytest.raises(ConfigError) as caught:
        Heritage([("web", stream)]).settle()
    assert str(caught.value) == (
        f"socket activation: nothing in the configuration listens on web (127.0.0.1:{number} TCP); "
        "name that address in the configuration, or take it out of the .socket unit"
    )


def test_what_a_predecessor_had_and_we_have_not_is_closed(opened: list[socket.socket]) -> None:
    stream = bound(opened, V4, TCP, "127.0.0.1")
    left(stream, predecessor=1).settle()
    assert stream.fileno() == -1


def activated(**environment: str) -> dict[str, str]:
    return {"LISTEN_PID": "7", "LISTEN_FDS": "1", "KEPT": "x", **environment}


def test_the_service_managers_sockets(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = bound(opened, V4, TCP, "127.0.0.1")
    number = os.dup(stream.fileno())
    monkeypatch.setattr(module, "_FIRST", number)
    environment = activated(LISTEN_FDNAMES="one")
    heritage = inherited(environment, 7, 1)
    # No child of ours takes them for its own.
    assert environment == {"KEPT": "x"}
    assert heritage.describe() == f"127.0.0.1:{port(stream)} TCP"
    sock = heritage.adopt(V4, TCP, ("127.0.0.1", port(stream)))
    assert sock is not None and sock.fileno() == number
    assert not sock.getblocking() and not sock.get_inheritable()
    sock.close()


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    for environment in ({}, {"LISTEN_FDS": "1"}, activated(LISTEN_PID="8")):
        heritage = inherited(environment, 7, 1)
        assert heritage.describe() == ""
        heritage.settle()
    assert inherited({HANDOVER_VARIABLE: "9:3,4"}, 7, 1).predecessor is None


@pytest.mark.parametrize("text", ["1:x", "1:3,,y"])
def test_a_predecessor_that_cannot_be_understood(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        inherited({HANDOVER_VARIABLE: text}, 7, 1)


def test_a_count_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"LISTEN_FDS: 'many' is no number"):
        inherited(activated(LISTEN_FDS="many"), 7, 1)


def refused(number: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(module, "_FIRST", number)
    with pytest.raises(ConfigError) as caught:
        inherited(activated(LISTEN_FDNAMES="one"), 7, 1)
    return str(caught.value)


def test_descriptors_that_are_of_no_use(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as file:
        text = refused(file.fileno(), monkeypatch)
        assert text.startswith(f"socket activation: one: descriptor {file.fileno()}: ")
    assert "Bad file descriptor" in refused(1 << 15, monkeypatch)
    silent = bound(opened, V4, TCP, "127.0.0.1", listens=False)
    text = refused(os.dup(silent.fileno()), monkeypatch)
    assert text == (
        "socket activation: one: a connection, and no listener; write Accept=no in its unit"
    )
    with socket.socket(socket.AF_UNIX) as unix:
        assert "neither TCP nor UDP" in refused(os.dup(unix.fileno()), monkeypatch)
