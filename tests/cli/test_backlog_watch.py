"""backlog watch: in a pipe, and in a terminal of the kernel's."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.errors import ObserveError, UsageError
from annotated_shadowsocks.testing.queues import StalledListener

PATIENCE = 30.0


def watched(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert backlog.run("backlog", ["watch", "--interval", "0.05", *words]) == 0
    return capsys.readouterr().out


def documents(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in watched(capsys, "--jsonl", *words).splitlines()]


def test_an_object_for_each_look(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(8) as stalled:
        stalled.connect(3)
        first, second = documents(capsys, "--count", "2", f":{stalled.port}")
        (one,) = second["listeners"]
        assert one["accept_queue"] == {"depth": 3, "limit": 8, "capacity": 9, "full": False}
        assert (one["high_water"], one["drops_since"], one["gone"]) == (3, 0, False)
        assert one["port"] == stalled.port
        assert first["problem"] is None
        assert first["at"] < second["at"]


def test_a_table_for_each_look(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(2) as stalled:
        stalled.connect(3)
        place = f":{stalled.port}"
        text = watched(capsys, "--count", "2", place)
    rows = [line.split() for line in text.splitlines() if place + " " in line]
    assert [row[:3] for row in rows if "/" in row[0]] == [["3/2", "!", "3"]] * 2


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "1e9"])
def test_an_interval_that_cannot_be(interval: str) -> None:
    with pytest.raises(UsageError, match="--interval"):
        backlog.run("backlog", ["watch", "--interval", interval])


@pytest.mark.parametrize("words", [["--count", "0"], ["dport = :80"]])
def test_other_things_that_cannot_be(words: list[str]) -> None:
    with pytest.raises(UsageError):
        backlog.run("backlog", ["watch", *words])


def test_where_nothing_can_be_seen_it_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ObserveError):
        backlog.run("backlog", ["watch", "--count", "1"])


def test_a_reader_that_goes_away_ends_it() -> None:
    command = [sys.executable, "-m", "annotated_shadowsocks", "backlog", "watch", "--jsonl"]
    command += ["--interval", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.wait(PATIENCE) in (141, -signal.SIGPIPE)
        assert program.stderr.read() == b""


class Terminal:
    """A program in a terminal of 80 by 24, whose picture is what it wrote, controls left out."""

    def __init__(self, master: int, program: "subprocess.Popen[bytes]") -> None:
        self._master = master
        self.program = program
        self.octets = b""

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def shows(self, text: str) -> None:
        """Wait until it has written ``text``, from here on."""
        deadline = time.monotonic() + PATIENCE
        seen = b""
        while text.encode() not in _plain(seen):
            assert time.monotonic() < deadline, (text, _plain(seen))
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    seen += os.read(self._master, 65536)
                except OSError:
                    break
        self.octets += seen
        assert text.encode() in _plain(seen), _plain(seen)


def _plain(octets: bytes) -> bytes:
    return re.sub(rb"\x1b(\[[0-9;?]*[a-zA-Z]|[()][A-Z0-9]|[=>])|\x0f", b"", octets)


@contextmanager
def terminal(*words: str, term: str = "xterm", folder: Path | None = None) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(slave)
    command = [sys.executable, "-m", "annotated_shadowsocks", "backlog", "watch", *words]
    environment = os.environ | {"TERM": term, "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    program = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder
    )
    try:
        yield Terminal(master, program)
        # Whatever happened, the terminal is as it was.
        assert termios.tcgetattr(slave) == before
    finally:
        program.kill()
        program.wait()
        os.close(master)
        os.close(slave)


def test_in_a_terminal(tmp_path: Path) -> None:
    with StalledListener(2) as stalled:
        stalled.connect(3)
        with terminal(f":{stalled.port}", folder=tmp_path) as screen:
            screen.shows("ACCEPTQ")
            screen.press(b"\r")
            screen.shows("accept queue 3 of 2, holds 3: full")
            screen.press(b"\x1b")
            screen.press(b"?")
            screen.shows("one listener by itself")
            screen.press(b"?e")
            screen.shows("written: backlog-watch-")
            screen.press(b"q")
            assert screen.program.wait(PATIENCE) == 0
    (exported,) = tmp_path.iterdir()
    (one,) = json.loads(exported.read_text())["listeners"]
    assert one["accept_queue"]["full"] is True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_signal_leaves_the_terminal_as_it_was(number: int, code: int) -> None:
    with terminal() as screen:
        screen.shows("ACCEPTQ")
        screen.program.send_signal(number)
        assert screen.program.wait(PATIENCE) == code


def test_a_dumb_terminal_gets_tables() -> None:
    with terminal("--interval", "0.1", term="dumb") as screen:
        screen.shows("ACCEPTQ")
        screen.shows("ACCEPTQ")
        assert b"\x1b" not in screen.octets
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE) == 130


def test_without_colour_there_is_no_emphasis() -> None:
    with terminal("--color", "never") as screen:
        screen.shows("ACCEPTQ")
        # SGR 1 is bold, 7 reverse.
        assert not re.search(rb"\x1b\[[0-9;]*\b[17]m", screen.octets)
        screen.press(b"q")
        assert screen.program.wait(PATIENCE) == 0
