"""What a person has chosen to see of the listeners, and what each key does to that.

The keys are those of other programs that list things: ``j`` and ``k`` or the arrows move, ``s``
sorts by another column, ``/`` filters, ``Enter`` looks closer, ``Esc`` goes back, space holds the
picture still. Nothing here knows a terminal: a key is a word.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ..errors import UsageError
from ..policy.listener_filter import ListenerFilter, parse_filter
from .history import History, Track

__all__ = ["HELP", "SORTS", "Page", "WatchView"]

#: What a key does, as the page of help and the manual say it.
HELP = (
    ("j k, arrows", "move; g and G go to the first and the last"),
    ("Enter", "one listener by itself; Esc goes back"),
    ("s", "sort by the next column; S turns the order round"),
    ("/", "filter, in the words of ss: sport = :443; an empty one shows all"),
    ("space", "hold the picture still, and go on"),
    ("r", "begin high-water marks and sums anew"),
    ("e", "write what is seen to a file"),
    ("?", "this page"),
    ("q", "end"),
)

#: Columns to sort by, with what is compared; the largest comes first.
SORTS: tuple[tuple[str, Callable[[Track], float]], ...] = (
    ("fullness", lambda track: track.sight.listener.depth / (track.sight.listener.limit + 1)),
    ("depth", lambda track: track.sight.listener.depth),
    ("high", lambda track: track.high),
    ("drops", lambda track: track.rate * 1e9 + track.drops),
    ("port", lambda track: -track.sight.listener.local.port),
)


class Page(Enum):
    """What fills the screen."""

    LIST = "list"
    DETAIL = "detail"
    HELP = "help"


@dataclass
class WatchView:
    """The choices; ``meant`` is the filter, ``words`` is how it was written."""

    meant: ListenerFilter = lambda endpoint: True
    words: str = ""
    page: Page = Page.LIST
    sort: int = 0
    reverse: bool = False
    paused: bool = False
    over: bool = False
    #: The cookie of the chosen listener, 0 before there is one.
    chosen: int = 0
    #: What is being typed behind ``/``; None where nothing is.
    typed: str | None = None
    #: One line for the person; gone with the next key.
    message: str = ""
    #: What the program is to do, and this view cannot: ``reset`` or ``export``.
    wishes: list[str] = field(default_factory=list)

    def listed(self, history: History) -> list[Track]:
        """The listeners to show, in order."""
        key = SORTS[self.sort][1]
        tracks = [one for one in history.tracks.values() if self.meant(one.sight.listener.local)]
        # Equal ones keep one order, so that rows do not dance.
        tracks.sort(key=lambda one: (one.sight.listener.local.port, one.sight.listener.cookie))
        tracks.sort(key=key, reverse=not self.reverse)
        return tracks

    def at(self, tracks: Sequence[Track]) -> int:
        """The place of the chosen listener, the first where it is gone."""
        cookies = [track.sight.listener.cookie for track in tracks]
        return cookies.index(self.chosen) if self.chosen in cookies else 0

    def press(self, key: str, history: History) -> None:
        """One key: a character, or ``up down enter escape backspace``."""
        self.message = ""
        if self.typed is not None:
            self._type(key)
        elif key == "q":
            self.over = True
        elif key == "?":
            self.page = Page.LIST if self.page is Page.HELP else Page.HELP
        elif key == "escape":
            self.page = Page.LIST
        elif key == "enter":
            self.page = Page.DETAIL if self.page is Page.LIST else Page.LIST
            self._move(0, history)
        elif key in _MOVES:
            self._move(_MOVES[key], history)
        else:
            self._set(key)

    def _set(self, key: str) -> None:
        if key == "s":
            self.sort = (self.sort + 1) % len(SORTS)
        elif key == "S":
            self.reverse = not self.reverse
        elif key == "/":
            self.typed, self.page = "", Page.LIST
        elif key == " ":
            self.paused = not self.paused
        elif key == "r":
            self.wishes.append("reset")
        elif key == "e":
            self.wishes.append("export")
        else:
            self.message = "? shows the keys"

    def _move(self, by: int, history: History) -> None:
        tracks = self.listed(history)
        if tracks:
            place = min(max(self.at(tracks) + by, 0), len(tracks) - 1)
            self.chosen = tracks[place].sight.listener.cookie

    def _type(self, key: str) -> None:
        typed = self.typed or ""
        if key == "escape":
            self.typed = None
        elif key == "backspace":
            self.typed = typed[:-1]
        elif key == "enter":
            self.typed = None
            try:
                self.meant, self.words = parse_filter(typed), typed
            except UsageError as error:
                self.message = str(error)
        elif len(key) == 1 and key.isprintable():
            self.typed = typed + key


_FAR = 1 << 30
_MOVES = {"j": 1, "down": 1, "k": -1, "up": -1, "g": -_FAR, "G": _FAR}
