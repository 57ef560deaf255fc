"""The terminal: opened, drawn on, and given back; keys are words."""

import locale
import os
import pty
from collections.abc import Callable

import pytest

from annotated_shadowsocks.dashboard.screen import opened
from annotated_shadowsocks.dashboard.watch_frame import Emphasis, Line


def in_terminal(work: Callable[[], int], keys: bytes = b"") -> tuple[int, bytes]:
    """``work`` in a process with a terminal on which ``keys`` are pressed: its exit status, and
    what it wrote."""
    pid, master = pty.fork()
    if not pid:
        os.environ.update(TERM="xterm", LC_ALL="C.UTF-8", LINES="24", COLUMNS="80")
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    written = b""
    while True:
        if keys and b"\x1b[?1049h" in written:
            # Not before: a terminal that is not in its mode treats some of them itself.
            os.write(master, keys)
            keys = b""
        try:
            octets = os.read(master, 65536)
        except OSError:
            break
        if not octets:
            break
        written += octets
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written


def test_lines_are_drawn_and_the_terminal_given_back() -> None:
    def work() -> int:
        with opened(styled=True) as screen:
            assert screen.size == (80, 24)
            screen.draw([Line("one"), Line("two", Emphasis.CHOSEN), *[Line("x" * 200)] * 40])
        return 0

    code, written = in_terminal(work)
    assert code == 0
    assert b"one" in written and b"two" in written
    # The alternate screen, entered and left.
    assert written.index(b"\x1b[?1049h") < written.index(b"one") < written.index(b"\x1b[?1049l")


def test_an_error_inside_gives_it_back_too() -> None:
    def work() -> int:
        try:
            with opened(styled=False):
                raise ValueError
        except ValueError:
            os.write(1, b"caught")
        return 3

    code, written = in_terminal(work)
    assert code == 3
    assert written.index(b"\x1b[?1049l") < written.index(b"caught")


@pytest.mark.parametrize(
    ("octets", "key"),
    [
        (b"q", "q"),
        ("ü".encode(), "ü"),
        (b"\r", "enter"),
        (b"\x7f", "backspace"),
        (b"\x1bOA", "up"),
        (b"\x1bOB", "down"),
        (b"\x1b", "escape"),
        (b"", None),
    ],
)
def test_keys(octets: bytes, key: str | None) -> None:
    def work() -> int:
        locale.setlocale(locale.LC_ALL, "")
        with opened(styled=False) as screen:
            screen.draw([])
            return 0 if screen.key(30 if octets else 0.01) == key else 1

    assert in_terminal(work, octets)[0] == 0
