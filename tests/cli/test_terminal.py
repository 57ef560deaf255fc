"""What is shown on which terminal."""

import io

import pytest

from annotated_shadowsocks.cli.terminal import Style, styled, table, width


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "terminal", "environ", "wanted"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        # https://no-color.org: present and not an empty string
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_who_decides(choice: str, terminal: bool, environ: dict[str, str], wanted: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert styled(choice, stream, environ) is wanted


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    assert width(io.StringIO()) is None
    monkeypatch.setenv("COLUMNS", "100")
    assert width(Terminal()) == 100
    monkeypatch.setenv("COLUMNS", "7")
    assert width(Terminal()) == 40


def test_style() -> None:
    assert Style.BOLD.wrap("x") == "\x1b[1mx\x1b[0m"
    assert Style.REVERSE.wrap("x", False) == "x"


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    rows = [("N", "", "NAME"), ("1", "", "one"), ("100", "", "a hundred")]
    assert table(rows, right=[0]) == ["  N  NAME", "  1  one", "100  a hundred"]


def test_lines_are_cut_at_the_edge() -> None:
    assert table([("abc", "defghij")], [], most=10) == ["abc  defg…"]
    assert table([("abc", "defgh")], [], most=10) == ["abc  defgh"]
