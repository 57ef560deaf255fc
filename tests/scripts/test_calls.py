"""Arguments as packetdrill's scripts have them."""

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.scripts.calls import parse_call, parse_expression
from annotated_shadowsocks.scripts.cursor import Cursor
from annotated_shadowsocks.scripts.expressions import (
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
from annotated_shadowsocks.scripts.statements import Call


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("...", Rest()),
        ("-1", Number(-1)),
        ("0x203", Number(515, hexadecimal=True)),
        ("MSG_PEEK", Word("MSG_PEEK")),
        ("htons(8080)", Word("htons", (Number(8080),))),
        ('"ab" "c"', Text("abc")),
        ('"ab"...', Text("ab", cut=True)),
        ("A|B|0x4", Either((Word("A"), Word("B"), Number(4, hexadecimal=True)))),
        ("[]", Array(())),
        ("[1, 2]", Array((Number(1), Number(2)))),
        (
            "{events=POLLIN|POLLOUT, fd=4}",
            Braces(
                (
                    Assignment(Word("events"), Either((Word("POLLIN"), Word("POLLOUT")))),
                    Assignment(Word("fd"), Number(4)),
                )
            ),
        ),
        ("msg_iov(1)=[{..., 0}]", None),
    ],
)
def test_expressions(text: str, value: Expression | None) -> None:
    found = parse_expression(Cursor(text, "x"))
    if value is None:
        inner = Array((Braces((Rest(), Number(0))),))
        value = Assignment(Word("msg_iov", (Number(1),)), inner)
    assert found == value


def test_an_error_name_stands_on_the_line_of_its_result() -> None:
    cursor = Cursor("x() = -1\nEND silent", "x")
    assert parse_call(cursor, None) == Call("x", (), Number(-1))
    assert cursor.sees("END silent")
    noted = parse_call(Cursor("x() = A (no)", "x"), None)
    assert noted == Call("x", (), Word("A"), "", "no")
    call = parse_call(Cursor("x() = -1 EINVAL (no)", "x"), 5)
    assert call == Call("x", (), Number(-1), "EINVAL", "no", 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x(", "expected an argument: a number, a word"),
        ("x(1", r"expected ',' or '\)'"),
        ("x() = ", "expected an argument"),
        ("x() = 0 (note", r"expected a note that ends with '\)'"),
        ("3()", "expected the name of a call"),
    ],
)
def test_broken_calls(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_call(Cursor(text, "x"), None)
