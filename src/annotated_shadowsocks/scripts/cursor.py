"""A position in a script's text, and the one error of its parser.

There is no separate lexer, because what is a token depends on where it stands: ``.`` is a flag,
the beginning of ``.5``, or a third of ``...``; ``linux-6.18`` is one word after ``profile`` and
would be three elsewhere. So the grammar asks for patterns where it stands.
"""

import bisect
import re
from decimal import Decimal
from typing import NoReturn

from ..errors import ConfigError
from .statements import Place

__all__ = ["Cursor", "compiled"]

_SPACE = re.compile(r"[ \t\r\n]*(?:/\*.*?\*/[ \t\r\n]*|(?://|#)[^\n]*[ \t\r\n]*)*", re.DOTALL)
_BLANK = re.compile(r"[ \t\r]*")
_COMMENT = re.compile(r"(?://|#)([^\n]*)|/\*(.*?)\*/", re.DOTALL)
_FOUND = re.compile(r"[A-Za-z0-9_]+|\.\.\.|\n|.", re.DOTALL)
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_INTEGER = re.compile(r"[-+]?[0-9]+")

#: No number in a script has more digits: it would be no sequence number, no size and no time.
_DIGITS = 18
_NANO = 9

_patterns: dict[str, re.Pattern[str]] = {}


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled once."""
    found = _patterns.get(pattern)
    if found is None:
        found = _patterns[pattern] = re.compile(pattern)
    return found


class Cursor:
    """``text`` and a position in it; ``name`` is where the text came from."""

    __slots__ = ("_lines", "_text", "at", "name")

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.name = name
        self.at = 0

    @property
    def place(self) -> Place:
        """Line and column of what comes next."""
        line = bisect.bisect_right(self._lines, self.at)
        return Place(line, self.at - self._lines[line - 1] + 1)

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self._text)

    @property
    def at_line_start(self) -> bool:
        """Whether only blanks come before this on its line."""
        return not self._text[self._text.rfind("\n", 0, self.at) + 1 : self.at].strip()

    def fail(self, expected: str) -> NoReturn:
        """Say what is here and what should be. Raises ``ConfigError``."""
        self.refuse(f"found {self._found()}", f"expected {expected}")

    def refuse(self, problem: str, remedy: str) -> NoReturn:
        """Name this place and say what is wrong. Raises ``ConfigError``."""
        where = self.place
        raise ConfigError(f"{self.name}:{where.line}:{where.column}", problem, remedy)

    def _found(self) -> str:
        match = _FOUND.match(self._text, self.at)
        if match is None:
            return "the end of the script"
        return "the end of the line" if match[0] == "\n" else repr(match[0])

    # Space and comments

    def skip(self) -> None:
        """Go over space, newlines and comments."""
        match = _SPACE.match(self._text, self.at)
        self.at = match.end() if match else self.at

    def skip_blanks(self) -> None:
        """Go over space on this line."""
        match = _BLANK.match(self._text, self.at)
        self.at = match.end() if match else self.at

    def skip_newlines(self) -> None:
        """Go over space and newlines, and stop at a comment."""
        while not self.ended and self._text[self.at].isspace():
            self.at += 1

    def comment(self) -> str | None:
        """The text of a comment that begins here, or None."""
        match = _COMMENT.match(self._text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[1] if match[1] is not None else match[2]

    # Tokens: all of them go over the space before, and stay where they are if nothing fits

    def sees(self, pattern: str) -> bool:
        """Whether ``pattern`` comes next, after space."""
        at = self.at
        self.skip()
        found = compiled(pattern).match(self._text, self.at) is not None
        self.at = at
        return found

    def sees_on_line(self, pattern: str) -> bool:
        """The same without going to the next line."""
        at = self.at
        self.skip_blanks()
        found = compiled(pattern).match(self._text, self.at) is not None
        self.at = at
        return found

    def maybe(self, pattern: str) -> str | None:
        """Take what fits ``pattern``, or nothing."""
        at = self.at
        self.skip()
        match = compiled(pattern).match(self._text, self.at)
        if match is None:
            self.at = at
            return None
        self.at = match.end()
        return match[0]

    def take(self, pattern: str, expected: str) -> str:
        """Take what fits. Raises ``ConfigError``."""
        found = self.maybe(pattern)
        if found is None:
            self.skip()
            self.fail(expected)
        return found

    def symbol(self, text: str) -> None:
        """Take exactly this."""
        self.take(re.escape(text), repr(text))

    def integer(self, expected: str) -> int:
        """A whole number with or without a sign."""
        self.skip()
        match = _INTEGER.match(self._text, self.at)
        if match is None:
            self.fail(expected)
        self._check_digits(match[0])
        self.at = match.end()
        return int(match[0])

    def natural(self, expected: str) -> int:
        """A whole number without a sign."""
        if not self.sees(r"[0-9]"):
            self.skip()
            self.fail(expected)
        return self.integer(expected)

    def nanoseconds(self, expected: str) -> int:
        """Seconds, ``0.25`` or ``.25``, to the nearest nanosecond."""
        self.skip()
        match = _DECIMAL.match(self._text, self.at)
        if match is None:
            self.fail(expected)
        self._check_digits(match[0])
        self.at = match.end()
        return int(Decimal(match[0]).scaleb(_NANO).to_integral_value())

    def _check_digits(self, text: str) -> None:
        if len(text) > _DIGITS:
            self.refuse(f"found a number of {len(text)} characters", "write a smaller one")
