r"""JSON as people write it, read into values that remember where each one stood.

Peers disagree on what a configuration file is: strict JSON in one, JSON5 in another. This reader
takes every JSON document [RFC8259] to the value that it has there, and also the liberties that
real files take: ``//``, ``/* */`` and ``#`` comments, a comma behind the last element, names
without quotes and strings in single quotes.

The standard library's parser is not used because it forgets positions: an unknown key deep inside
``servers`` deserves a line and a column just as a missing bracket does. It also lets a second
occurrence of a key win silently.

Errors never quote the document: what stands at the wrong place may be a password.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import ConfigError

__all__ = ["MAX_DEPTH", "Document", "Path", "read"]

#: Where a value stands: keys of objects and indices of arrays, outermost first.
Path = tuple[str | int, ...]

#: Deepest nesting that is read. A real configuration needs 5.
MAX_DEPTH = 32

#: Longest number that is read, in characters.
MAX_NUMBER = 64

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])")
_WORD = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
# [RFC8259 §7] a string ends at its quote; a control character inside it must be escaped
_STOP = {'"': re.compile(r'["\\\x00-\x1f]'), "'": re.compile(r"['\\\x00-\x1f]")}
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f"}
_ESCAPES |= {"n": "\n", "r": "\r", "t": "\t"}
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Document:
    """A value and the places of all its parts; ``name`` is the file's, as the operator knows it."""

    name: str
    lines: Sequence[int] = field(default=(0,), repr=False)
    """Where each line starts; not the text, for that has passwords in it."""
    value: object = field(default_factory=dict, repr=False)
    marks: dict[Path, int] = field(default_factory=dict, repr=False)

    def place(self, path: Path) -> str:
        """``config.json:3:7 servers[0].method``: where ``path`` starts, its key if it has one."""
        if not path:
            return self.name
        return f"{self.name}:{_position(self.lines, self.marks[path])} {_dotted(path)}"


def read(text: str, name: str) -> Document:
    """The one JSON value in ``text``. Raises ``ConfigError`` with line, column and remedy."""
    # Some editors put a byte order mark before UTF-8. [RFC8259 §8.1] it may be ignored
    parser = _Parser(text.removeprefix("\ufeff"), name)
    value = parser.read_document()
    return Document(name, _line_starts(parser.text), value, parser.marks)


def _position(starts: Sequence[int], at: int) -> str:
    line = bisect_right(starts, at)
    return f"{line}:{at - starts[line - 1] + 1}"


def _line_starts(text: str) -> list[int]:
    return [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n")]


def _dotted(path: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


class _Parser:
    """Recursive descent; ``at`` is the offset of the next character that was not read."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.at = 0
        self.marks: dict[Path, int] = {}

    def read_document(self) -> object:
        if not self.peek():
            raise self.error("the file is empty", 'write an object: {"server": …}')
        value = self.read_value(())
        if self.peek():
            raise self.error("more text behind the document", "keep one JSON value in the file")
        return value

    def read_value(self, path: Path) -> object:
        if len(path) > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep", "no setting needs that")
        start = self.peek()
        self.marks.setdefault(path, self.at)
        if start == "{":
            return self.read_object(path)
        if start == "[":
            return self.read_array(path)
        if start in _STOP:
            return self.read_string()
        if start == "-" or start.isdigit():
            return self.read_number()
        return self.read_constant()

    def read_object(self, path: Path) -> dict[str, object]:
        members: dict[str, object] = {}
        opened = self.at
        self.at += 1
        while self.another("}", bool(members), opened):
            mark = self.at
            key = self.read_key()
            if key in members:
                first = _position(_line_starts(self.text), self.marks[(*path, key)])
                raise self.error(f"'{key}' is here twice, first at {first}", "keep one", mark)
            # A key's own position is the better one to show: it is what people search for.
            self.marks[(*path, key)] = mark
            if self.peek() != ":":
                raise self.error(f"expected ':' but found {self.found()}", "write it behind a key")
            self.at += 1
            members[key] = self.read_value((*path, key))
        return members

    def read_array(self, path: Path) -> list[object]:
        elements: list[object] = []
        opened = self.at
        self.at += 1
        while self.another("]", bool(elements), opened):
            elements.append(self.read_value((*path, len(elements))))
        return elements

    def another(self, close: str, after_one: bool, opened: int) -> bool:
        """Step over a comma or the closing bracket; True where one more element follows."""
        if after_one and self.peek() not in (",", close, ""):
            remedy = "a comma is missing before it, or a bracket"
            raise self.error(f"expected ',' or '{close}' but found {self.found()}", remedy)
        if after_one and self.peek() == ",":
            self.at += 1
        if not self.peek():
            problem = (
                f"the file ends inside what {_position(_line_starts(self.text), opened)} opened"
            )
            raise self.error(problem, f"close it with '{close}'")
        if self.peek() != close:
            return True
        self.at += 1
        return False

    def read_key(self) -> str:
        if self.peek() in _STOP:
            return self.read_string()
        if word := _WORD.match(self.text, self.at):
            self.at = word.end()
            return word[0]
        raise self.error(f"expected a key but found {self.found()}", "write keys as strings")

    def read_string(self) -> str:
        quote = self.text[self.at]
        opened = self.at
        self.at += 1
        parts: list[str] = []
        while (stop := _STOP[quote].search(self.text, self.at)) and stop[0] in (quote, "\\"):
            parts.append(self.text[self.at : stop.start()])
            self.at = stop.start()
            if stop[0] == quote:
                self.at += 1
                return "".join(parts)
            parts.append(self.escape())
        remedy = f"close it with {quote}; a line break inside is written \\n"
        raise self.error("a string without its closing quote", remedy, opened)

    def escape(self) -> str:
        mark = self.at
        letter = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != "u":
            raise self.error("no such escape", "a backslash itself is written \\\\", mark)
        unit = self.code_unit(mark)
        # [RFC8259 §7] a character outside the Basic Multilingual Plane is a surrogate pair
        if 0xD800 <= unit < 0xDC00 and self.text.startswith("\\u", self.at):
            self.at += 2
            low = self.code_unit(mark)
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        # A lone surrogate has no UTF-8 form, so no password and no name can hold one.
        if 0xD800 <= unit < 0xE000:
            raise self.error("half a surrogate pair", "write the character itself", mark)
        return chr(unit)

    def code_unit(self, mark: int) -> int:
        digits = _HEX4.match(self.text, self.at)
        if digits is None:
            raise self.error("\\u without four hexadecimal digits", "write \\u0041 for A", mark)
        self.at = digits.end()
        return int(digits[0], 16)

    def read_number(self) -> int | float:
        number = _NUMBER.match(self.text, self.at)
        if number is None or len(number[0]) > MAX_NUMBER:
            raise self.error("not a number", "put text in double quotes")
        self.at = number.end()
        return float(number[0]) if number["fraction"] else int(number[0])

    def read_constant(self) -> object:
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self.error(f"expected a value but found {self.found()}", "write a JSON value")
        if word[0] not in _CONSTANTS:
            near = word[0].lower() if word[0].lower() in _CONSTANTS else ""
            remedy = f"write {near}" if near else "put text in double quotes"
            raise self.error("a word without quotes", remedy)
        self.at = word.end()
        return _CONSTANTS[word[0]]

    def peek(self) -> str:
        """The next character that counts, behind white space and comments; empty at the end."""
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at
        if self.text.startswith("/*", self.at):
            raise self.error("a comment without its end", "close it with */")
        return self.text[self.at : self.at + 1]

    def found(self) -> str:
        """What stands here, by its sort; its text might be a secret."""
        start = self.peek()
        if start in _STOP:
            return "a string"
        if start.isdigit():
            return "a number"
        if _WORD.match(self.text, self.at):
            return "a word"
        return f"'{start}'" if start else "the end of the file"

    def error(self, problem: str, remedy: str, at: int | None = None) -> ConfigError:
        where = _position(_line_starts(self.text), self.at if at is None else at)
        return ConfigError(f"{self.name}:{where}", problem, remedy)
