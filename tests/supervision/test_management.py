"""The places where a manager is told: who may send there, and what is left behind."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.supervision.management import open_management
from annotated_shadowsocks.testing.programs import free_port


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manager.sock"


def test_the_file_is_its_owners_from_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    before = os.umask(0)
    try:
        management = open_management(str(path))
        modes.append(stat.S_IMODE(path.stat().st_mode))
        management.close()
    finally:
        os.umask(before)
    # What it is after bind(2) is what it was at once: nothing else touches its mode.
    monkeypatch.setattr(os, "chmod", None)
    monkeypatch.setattr(Path, "chmod", None)
    management = open_management(str(path))
    modes.append(stat.S_IMODE(path.stat().st_mode))
    management.close()
    assert modes == [0o600, 0o600]


def test_the_file_goes_with_it(path: Path) -> None:
    management = open_management(str(path))
    assert path.is_socket()
    management.close()
    management.close()
    assert not path.exists()


def test_the_file_of_another_stays(path: Path) -> None:
    management = open_management(str(path))
    path.rename(path.with_name("old"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        management.close()
        assert path.exists()


def test_what_a_dead_manager_left_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    open_management(str(path)).close()
    assert not path.exists()


def test_a_manager_that_lives_keeps_its_file(path: Path) -> None:
    management = open_management(str(path))
    with pytest.raises(ListenError, match="another manager has it"):
        open_management(str(path))
    assert path.is_socket()
    management.close()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(ListenError, match="no socket; name another"):
        open_management(str(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "number"), [("missing/manager.sock", errno.ENOENT), ("x" * 200, None)]
)
def test_a_place_that_cannot_be(name: str, number: int | None, tmp_path: Path) -> None:
    with pytest.raises(ListenError) as caught:
        open_management(str(tmp_path / name))
    assert caught.value.errno == number
    assert str(tmp_path / name) in str(caught.value)


def test_loopback_is_a_udp_socket() -> None:
    port = free_port()
    management = open_management(Endpoint("127.0.0.1", port))
    [sock] = management.sockets
    assert sock.getsockname() == ("127.0.0.1", port)
    with pytest.raises(ListenError, match="UDP"):
        open_management(Endpoint("127.0.0.1", port))
    management.close()
