import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.pictures.printable import escape


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text, größer 文字", "plain text, größer 文字"),
        ("a\nb", r"a\nb"),
        ("a\r\tb\x00", r"a\r\tb\x00"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x7f\x85\x9b", r"\x7f\x85\x9b"),
        ("\u2028\u2029", r"\u2028\u2029"),
        # the bidirectional controls: marks, embeddings, overrides, isolates
        ("\u200e\u200f\u061c", r"\u200e\u200f\u061c"),
        ("\u202a\u202b\u202c\u202d\u202e", r"\u202a\u202b\u202c\u202d\u202e"),
        ("\u2066\u2067\u2068\u2069", r"\u2066\u2067\u2068\u2069"),
        ("\u200b\ufeff", r"\u200b\ufeff"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@given(st.text())
def test_whatever_is_escaped_is_one_printable_line(text: str) -> None:
    assert escape(text).isprintable()
    assert len(escape(text).splitlines()) <= 1
