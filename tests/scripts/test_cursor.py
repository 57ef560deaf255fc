"""Positions, space, comments and numbers."""

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.scripts.cursor import Cursor, compiled
from annotated_shadowsocks.scripts.statements import Place


def test_places_count_from_one() -> None:
    cursor = Cursor("ab\n  cd\n", "x.pkt")
    assert cursor.place == Place(1, 1)
    assert cursor.take("ab", "letters") == "ab"
    assert not cursor.at_line_start
    cursor.skip()
    assert cursor.place == Place(2, 3)
    assert cursor.at_line_start
    assert cursor.take("cd", "letters") == "cd"
    cursor.skip_newlines()
    assert cursor.ended


def test_what_does_not_fit_is_left() -> None:
    cursor = Cursor("  // why\n ab", "x.pkt")
    assert cursor.maybe("cd") is None
    assert cursor.at == 0
    assert cursor.sees("ab")
    assert not cursor.sees_on_line("ab")
    cursor.skip_blanks()
    assert cursor.comment() == " why"
    assert cursor.comment() is None
    with pytest.raises(ConfigError, match=r"x.pkt:2:2: found 'ab'; expected '!'"):
        cursor.symbol("!")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), (".5", 500_000_000), ("63", 63_000_000_000), ("1.000000001", 1_000_000_001)],
)
def test_nanoseconds(text: str, value: int) -> None:
    assert Cursor(text, "x").nanoseconds("a time") == value


def test_numbers() -> None:
    cursor = Cursor("-5 +7 8 -", "x")
    assert [cursor.integer("n"), cursor.integer("n"), cursor.natural("n")] == [-5, 7, 8]
    with pytest.raises(ConfigError, match="found '-'; expected a size"):
        cursor.natural("a size")
    with pytest.raises(ConfigError, match="a number of 20 characters"):
        Cursor("1" * 20, "x").integer("n")
    with pytest.raises(ConfigError, match="found the end of the script"):
        Cursor("", "x").nanoseconds("a time")


def test_patterns_are_compiled_once() -> None:
    assert compiled("a+") is compiled("a+")
