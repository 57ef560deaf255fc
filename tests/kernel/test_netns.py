"""Namespaces of one's own: what is in them, who is in them, and that nothing is left."""

import ctypes
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.kernel import netns
from annotated_shadowsocks.kernel.netns import NamespaceError, NetworkNamespace
from annotated_shadowsocks.kernel.procfs import network_namespace
from annotated_shadowsocks.testing.queues import until


@pytest.mark.root
def test_only_loopback_is_there_and_it_is_up() -> None:
    with NetworkNamespace() as ours, ours.entered():
        assert network_namespace() == ours.inode
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()


@pytest.mark.root
def test_a_thread_comes_back_whatever_happens_inside() -> None:
    before = network_namespace()
    with NetworkNamespace() as ours:
        with pytest.raises(ZeroDivisionError), ours.entered():
            _ = 1 // 0
        assert network_namespace() == before


@pytest.mark.root
def test_a_socket_stays_where_it_was_made() -> None:
    with NetworkNamespace() as ours:
        with ours.entered():
            server = socket.create_server(("127.0.0.1", 0))
        with server:
            with socket.socket() as outsider:
                assert outsider.connect_ex(server.getsockname())
            with ours.entered():
                socket.create_connection(server.getsockname()).close()


@pytest.mark.root
def test_settings_are_those_of_the_namespace() -> None:
    path = Path("/proc/sys/net/core/somaxconn")
    outside = path.read_text("ascii")
    with NetworkNamespace() as ours:
        ours.set_sysctls({"net.core.somaxconn": 3})
        with ours.entered():
            assert path.read_text("ascii") == "3\n"
        assert path.read_text("ascii") == outside


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("net.ipv4.tcp_no_such_thing", 1, "no such setting"),
        ("net.ipv4.tcp_syn_retries", 128, "128 is refused: Invalid argument"),
    ],
)
def test_a_setting_that_is_refused(name: str, value: int, reason: str) -> None:
    with NetworkNamespace() as ours, pytest.raises(NamespaceError, match=reason) as caught:
        ours.set_sysctls({name: value})
    assert str(caught.value).startswith(f"sysctl {name}: ")


@pytest.mark.root
def test_it_is_gone_when_it_is_closed() -> None:
    ours = NetworkNamespace()
    number = ours.inode
    assert number in _namespaces_held()
    ours.close()
    ours.close()
    assert number not in _namespaces_held()


_HOLD = """
import sys, time
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.kernel.tun import Tun
with NetworkNamespace() as ours:
    with ours.entered():
        tun = Tun()
    print(ours.inode, flush=True)
    time.sleep(600)
"""


@pytest.mark.root
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_it_is_gone_when_its_process_is(how: signal.Signals) -> None:
    words = [sys.executable, "-c", _HOLD]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdout is not None
        number = int(holder.stdout.readline())
        assert number in _namespaces_held()
        holder.send_signal(how)
        holder.wait()
    until(lambda: number not in _namespaces_held())


def _namespaces_held() -> set[int]:
    """The network namespaces that a descriptor of any process holds."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("net:["):
            found.add(int(target[5:-1]))
    return found


class _NoCalls:
    """A C library whose calls all fail as they do without privilege."""

    def __getattr__(self, name: str) -> object:
        def refuse(*arguments: int) -> int:
            ctypes.set_errno(1)
            return -1

        return refuse


def test_without_root_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: _NoCalls())
    with pytest.raises(NamespaceError, match=r"only root may \(CAP_SYS_ADMIN\)") as caught:
        NetworkNamespace()
    assert caught.value.errno == 1
    assert "\n" not in str(caught.value)


def test_a_kernel_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netns, "_call", lambda *_: None)
    monkeypatch.setattr(netns, "_SELF", "/no/such/file")
    with pytest.raises(NamespaceError, match="No such file"):
        NetworkNamespace()
