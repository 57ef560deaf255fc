"""ss-manager of shadowsocks-libev and ours get the same datagrams, and say the same octets."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotated_shadowsocks.testing.manager_client import ManagerClient
from annotated_shadowsocks.testing.programs import Program, find_program, free_port
from annotated_shadowsocks.testing.queues import until

pytestmark = pytest.mark.interop

ONE, TWO = free_port(), free_port()
SECOND = f'"server_port":"{TWO}","password":"h5Tn8-Pw2Yc6-Jm9Rf4","method":"aes-128-gcm"'

#: Ports that nobody uses, and requests to which both have an answer. libev takes a port for
#: unavailable that it has closed itself a moment ago, so none is added twice.
ASKED = [
    b"ping",
    b"list",
    f'add: {{"server_port":{ONE},"password":"w7Qe2-Lr9Zt4-Xk1Vb8"}}'.encode(),
    b"ping",
    b"list",
    f"add: {{{SECOND}}}".encode(),
    b"list\n",
    b"ping\n",
    b"  list",
    b"add",
    b"add: foo",
    b'add: {"password":"w7Qe2-Lr9Zt4-Xk1Vb8"}',
    f'add: {{"server_port":{ONE}}}'.encode(),
    b"remove: {}",
    b"remove:",
    f'remove: {{"server_port":{ONE}}}'.encode(),
    b"list",
    f'remove: {{"server_port":"{TWO}"}}'.encode(),
    b'remove: {"server_port":9}',
    b"ping",
    b"list",
]


def answers(command: list[str], place: str) -> Iterator[tuple[bytes, bytes]]:
    flags = ["--manager-address", place, "-s", "127.0.0.1", "-m", "aes-256-gcm"]
    with Program([*command, *flags]):
        until(lambda: Path(place).is_socket())
        with ManagerClient(place) as panel:
            for datagram in ASKED:
                yield datagram, panel.ask(datagram)


def test_both_managers_say_the_same(tmp_path: Path) -> None:
    ours = list(
        answers(
            [sys.executable, "-m", "annotated_shadowsocks", "ss-manager"], str(tmp_path / "ours")
        )
    )
    work = tmp_path / "work"
    work.mkdir()
    libev = list(answers([find_program("ss-manager"), "-D", str(work)], str(tmp_path / "libev")))
    assert ours == libev


def test_ours_needs_no_shell(tmp_path: Path) -> None:
    # [X41-2017-010] what is in a request reaches a command line there
    place = str(tmp_path / "manager")
    mark = tmp_path / "mark"
    command = [sys.executable, "-m", "annotated_shadowsocks", "ss-manager"]
    with Program([*command, "--manager-address", place, "-s", "127.0.0.1"]) as process:
        until(lambda: Path(place).is_socket())
        with ManagerClient(place) as panel:
            evil = f'add: {{"server_port":"1;touch {mark}","password":"w7Qe2-Lr9Zt4-Xk1Vb8"}}'
            assert panel.ask(evil.encode()) == b"err"
            children = subprocess.run(["ps", "--ppid", str(process.pid)], capture_output=True)
            assert children.returncode == 1
    assert not mark.exists()
