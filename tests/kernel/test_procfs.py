"""Reading /proc, and saying what is missing there."""

import errno
import os
from pathlib import Path

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import procfs
from annotated_shadowsocks.kernel.procfs import network_namespace, read
from annotated_shadowsocks.testing.namespaces import in_fresh_network


def test_a_file_of_the_kernel_comes_whole() -> None:
    text = read("/proc/self/net/netstat")
    assert text.startswith("TcpExt: ")
    assert text.endswith("\n")
    assert read("/proc/version") == Path("/proc/version").read_text()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ObserveError, match="there is no such file; is /proc mounted") as caught:
        read(str(tmp_path / "x"))
    assert caught.value.errno == errno.ENOENT
    assert caught.value.subject.endswith("/x")


def test_another_error_in_the_kernels_words(tmp_path: Path) -> None:
    with pytest.raises(ObserveError, match="Is a directory"):
        read(str(tmp_path))


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("/proc/version", str(tmp_path)):
        try:
            read(path)
        except ObserveError:
            pass
    assert os.listdir("/proc/self/fd") == before


def test_the_number_of_the_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.readlink("/proc/self/ns/net") == f"net:[{network_namespace()}]"
    monkeypatch.setattr(procfs, "_NAMESPACE", Path("/nowhere"))
    assert network_namespace() is None


@pytest.mark.root
def test_each_thread_has_its_own() -> None:
    assert in_fresh_network(network_namespace) != network_namespace()
