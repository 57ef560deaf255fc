"""Complaints."""

import io

import pytest

from annotated_shadowsocks.cli.text import complain


def test_complain_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain("sslocal", "a\nb")
    assert capsys.readouterr() == ("", "sslocal: a\\nb\n")


def test_complain_survives_a_stderr_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    complain("sslocal", "a")
