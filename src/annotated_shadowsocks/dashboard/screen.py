"""A picture in lines, in a real terminal, and the keys from it: by curses, which knows them all."""

import curses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from .watch_frame import Emphasis, Line

__all__ = ["Screen", "opened"]

_KEYS = {
    "\n": "enter",
    "\r": "enter",
    "\x1b": "escape",
    "\x7f": "backspace",
    "\b": "backspace",
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_ENTER: "enter",
    curses.KEY_BACKSPACE: "backspace",
    curses.KEY_HOME: "g",
    curses.KEY_END: "G",
}
_ATTRIBUTES = {
    Emphasis.PLAIN: curses.A_NORMAL,
    Emphasis.BOLD: curses.A_BOLD,
    Emphasis.CHOSEN: curses.A_REVERSE,
}
#: Milliseconds after which an escape is a key, and not the beginning of another.
_ESCAPE = 25


class Screen:
    """An open terminal."""

    def __init__(self, window: "curses.window", styled: bool) -> None:
        self._window = window
        self._styled = styled

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        rows, columns = self._window.getmaxyx()
        return columns, rows

    def draw(self, lines: Sequence[Line]) -> None:
        """Show ``lines`` instead of what was there."""
        self._window.erase()
        for row, line in enumerate(lines):
            attribute = _ATTRIBUTES[line.emphasis] if self._styled else curses.A_NORMAL
            # A terminal that has become smaller meanwhile, or its last corner.
            with suppress(curses.error):
                self._window.addstr(row, 0, line.text, attribute)
        self._window.refresh()

    def key(self, seconds: float) -> str | None:
        """The next key, or None where there was none in ``seconds``, or the size has changed."""
        self._window.timeout(max(0, round(seconds * 1000)))
        try:
            key = self._window.get_wch()
        except curses.error:
            return None
        if key == curses.KEY_RESIZE:
            return None
        return _KEYS.get(key, key if isinstance(key, str) else "")


@contextmanager
def opened(styled: bool) -> Iterator[Screen]:
    """The terminal of this process; it is as it was when the block is over, however it ends."""
    screen = curses.initscr()
    try:
        curses.noecho()
        curses.cbreak()
        screen.keypad(True)
        curses.set_escdelay(_ESCAPE)
        # A dumb terminal has no cursor to hide.
        with suppress(curses.error):
            curses.curs_set(0)
        yield Screen(screen, styled)
    finally:
        screen.keypad(False)
        curses.nocbreak()
        curses.echo()
        curses.endwin()
