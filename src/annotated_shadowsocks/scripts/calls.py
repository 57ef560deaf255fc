"""Calls as a script writes them: ``setsockopt(3, SOL_TCP, TCP_SYNCNT, [2], 4) = 0``."""

from .cursor import Cursor
from .expressions import (
    Array,
    Assignment,
    Braces,
    Either,
    Expression,
    Number,
    Rest,
    Text,
    Word,
)
from .statements import Call

__all__ = ["parse_call", "parse_expression"]

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_STRING = r'"(?:[^"\\\n]|\\.)*"'
#: Deeper than any call, and shallower than Python's stack.
_DEEPEST = 20


def parse_call(cursor: Cursor, until: int | None) -> Call:
    """``name(arguments) = result errno (note)``; all from ``=`` on may be left out."""
    name = cursor.take(_WORD, "the name of a call")
    cursor.symbol("(")
    arguments = _list(cursor, r"\)", "',' or ')'", 0)
    if not cursor.sees_on_line("="):
        return Call(name, arguments, until=until)
    cursor.symbol("=")
    result = parse_expression(cursor)
    error = note = ""
    if result == Number(-1) and cursor.sees_on_line("[A-Z][A-Z0-9]+\\b"):
        error = cursor.take(_WORD, "the name of an error")
    if cursor.sees_on_line(r"\("):
        note = cursor.take(r"\([^()\n]*\)", "a note that ends with ')'")[1:-1].strip()
    return Call(name, arguments, result, error, note, until)


def parse_expression(cursor: Cursor, depth: int = 0) -> Expression:
    """One argument. Raises ``ConfigError``."""
    parts = [_primary(cursor, depth)]
    while cursor.maybe(r"\|"):
        parts.append(_primary(cursor, depth))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _primary(cursor: Cursor, depth: int) -> Expression:
    if depth > _DEEPEST:
        cursor.refuse(f"brackets inside of brackets, {depth} deep", "write a simpler argument")
    if cursor.maybe(r"\.\.\."):
        return Rest()
    hexadecimal = cursor.maybe(r"0[xX][0-9a-fA-F]{1,16}\b")
    if hexadecimal is not None:
        return Number(int(hexadecimal, 16), True)
    if cursor.sees(r"-?[0-9]"):
        return Number(cursor.integer("a number"))
    if cursor.sees('"'):
        return _text(cursor)
    if cursor.maybe(r"\["):
        return Array(_list(cursor, r"\]", "',' or ']'", depth + 1))
    if cursor.maybe(r"\{"):
        return Braces(_list(cursor, r"\}", "',' or '}'", depth + 1))
    return _word(cursor, depth)


def _word(cursor: Cursor, depth: int) -> Expression:
    # A bracket that stands off is the note behind a result: = -1 EAGAIN (Try again).
    expected = "an argument: a number, a word, a string, [...] or {...}"
    name = cursor.take(rf"{_WORD}\(?", expected)
    word = Word(name)
    if name.endswith("("):
        word = Word(name[:-1], _list(cursor, r"\)", "',' or ')'", depth + 1))
    if cursor.maybe(r"=(?!=)"):
        return Assignment(word, parse_expression(cursor, depth + 1))
    return word


def _text(cursor: Cursor) -> Text:
    value = ""
    while cursor.sees('"'):
        value += cursor.take(_STRING, "a string that ends on its line")[1:-1]
    return Text(value, cursor.maybe(r"\.\.\.") is not None)


def _list(cursor: Cursor, end: str, expected: str, depth: int) -> tuple[Expression, ...]:
    items: list[Expression] = []
    if cursor.maybe(end):
        return ()
    while True:
        items.append(parse_expression(cursor, depth))
        if cursor.maybe(end):
            return tuple(items)
        cursor.take(",", expected)
