"""A fresh network is another one, has loopback and leaves nothing behind."""

import os
import socket
from pathlib import Path

import pytest

from annotated_shadowsocks.kernel import netns
from annotated_shadowsocks.kernel.netns import NamespaceError
from annotated_shadowsocks.testing.namespaces import can_unshare, in_fresh_network, set_sysctl

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def namespace() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_without_privilege_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(call: str, *arguments: int) -> None:
        raise NamespaceError("a network namespace", "no", 1)

    monkeypatch.setattr(netns, "_call", refuse)
    assert not can_unshare()


@pytest.mark.root
def test_a_fresh_network() -> None:
    def inside() -> tuple[int, int]:
        set_sysctl("net.core.somaxconn", 8)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=10).close()
        return namespace(), int(SOMAXCONN.read_text())

    before = SOMAXCONN.read_text()
    number, somaxconn = in_fresh_network(inside)
    assert number != namespace()
    assert somaxconn == 8
    assert SOMAXCONN.read_text() == before


@pytest.mark.root
def test_what_is_raised_inside_is_raised_outside() -> None:
    def inside() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        in_fresh_network(inside)
