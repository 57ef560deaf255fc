"""backlog demo."""

import json

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.errors import UsageError


def test_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert backlog.run("backlog", ["demo", "-b", "0"]) == 0
    text = capsys.readouterr().out
    assert "A SYN finds the queue full" in text
    assert "An ACK finds the queue full" in text
    assert "accept queue 1/0, SYN queue 0, drops 1" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert backlog.run("backlog", ["demo", "-b", "0", "--json"]) == 0
    moments = json.loads(capsys.readouterr().out)["moments"]
    assert [one["depth"] for one in moments][:3] == [0, 1, 1]
    assert set(moments[0]) >= {"scene", "at", "what", "why", "limit", "half_open", "drops"}


@pytest.mark.parametrize("size", ["-1", "65"])
def test_sizes_that_show_nothing(size: str) -> None:
    with pytest.raises(UsageError, match="-b"):
        backlog.run("backlog", ["demo", "-b", size])
