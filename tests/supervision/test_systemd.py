"""sd_notify: what a service manager's socket receives."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotated_shadowsocks.supervision.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        path = str(tmp_path / "notify")
        name = f"@annotated-{os.getpid()}"
        address = path if request.param == "path" else name
        sock.bind(path if request.param == "path" else "\0" + name[1:])
        sock.settimeout(10)
        yield sock, address


def test_what_is_told(manager: tuple[socket.socket, str]) -> None:
    sock, address = manager
    notifier = Notifier.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"}, os.getpid())
    assert notifier.watchdog == 30.0
    notifier.ready()
    assert sock.recv(100) == b"READY=1\nMAINPID=%d" % os.getpid()
    notifier.reloading()
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", sock.recv(100))
    notifier.alive()
    assert sock.recv(100) == b"WATCHDOG=1"
    # A line for people, once as long as it is the same.
    notifier.status("accept queue 0/4096\nat a place")
    notifier.status("accept queue 0/4096\nat a place")
    notifier.stopping()
    assert sock.recv(100) == b"STATUS=accept queue 0/4096 at a place"
    assert sock.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1000000"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "nonsense"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_the_watchdog_is_ours_or_none(environment: dict[str, str], watchdog: float | None) -> None:
    assert Notifier.of(environment, 7).watchdog == watchdog


def test_nobody_to_tell_is_no_error(tmp_path: Path) -> None:
    for notifier in (Notifier(), Notifier(str(tmp_path / "absent"), 1.0), Notifier("@absent", 1.0)):
        notifier.ready()
        notifier.reloading()
        notifier.alive()
        notifier.status("x")
        notifier.stopping()
