"""Owners by /proc/PID/fd: our own sockets, shared ones, and processes that end meanwhile."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.kernel import owners as module
from annotated_shadowsocks.kernel.owners import Owner, owners
from annotated_shadowsocks.testing.queues import StalledListener

COMMAND = Path("/proc/self/comm").read_text().rstrip("\n")


def test_our_own_sockets() -> None:
    with StalledListener() as first, StalledListener() as second:
        us = (Owner(os.getpid(), COMMAND),)
        assert owners([first.inode, second.inode]) == {first.inode: us, second.inode: us}


def test_a_socket_of_two_processes() -> None:
    with StalledListener() as stalled:
        wait = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        child = subprocess.Popen(
            wait, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[stalled.sock.fileno()]
        )
        assert child.stdout is not None
        child.stdout.read(1)
        pids = [owner.pid for owner in owners([stalled.inode])[stalled.inode]]
        child.communicate()
        assert pids == sorted([os.getpid(), child.pid])


def test_a_closed_socket_has_none() -> None:
    with socket.socket() as sock:
        inode = os.fstat(sock.fileno()).st_ino
    assert owners([inode]) == {}


def test_no_question_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROC", None)
    assert owners([]) == owners([0]) == {}


# --- another /proc ---


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_PROC", tmp_path)
    return tmp_path


def process(proc: Path, pid: int, command: bytes, *links: str) -> Path:
    directory = proc / str(pid)
    (directory / "fd").mkdir(parents=True)
    (directory / "comm").write_bytes(command)
    for number, link in enumerate(links):
        (directory / "fd" / str(number)).symlink_to(link)
    return directory


def test_processes_in_the_order_of_their_numbers(proc: Path) -> None:
    process(proc, 20, b"nginx\n", "socket:[7]", "/dev/null", "socket:[8]", "socket:[7]")
    process(proc, 3, b"nginx\n", "socket:[7]")
    (proc / "self").symlink_to("20")
    (proc / "version").write_text("Linux")
    found = owners([7, 9])
    assert found == {7: (Owner(3, "nginx"), Owner(20, "nginx"))}


def test_any_octets_as_a_name(proc: Path) -> None:
    process(proc, 1, b"\xff(evil) \x1b[2J\n", "socket:[7]")
    assert owners([7]) == {7: (Owner(1, "\ufffd(evil) \x1b[2J"),)}


def test_processes_that_are_not_ours_or_gone(proc: Path) -> None:
    (process(proc, 1, b"gone\n", "socket:[7]") / "comm").unlink()
    (process(proc, 2, b"hidden\n") / "fd").rmdir()
    (proc / "3").write_text("no directory")
    # A descriptor that is closed while we look: its name is there, and its link no more.
    (process(proc, 4, b"quick\n") / "fd" / "0").write_text("no link")
    assert owners([7]) == {7: (Owner(1, "?"),)}


def test_no_proc_at_all(proc: Path) -> None:
    proc.rmdir()
    assert owners([7]) == {}
