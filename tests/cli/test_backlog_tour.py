"""backlog tour: what a reader sees, on the model; the kernel plays under the mark ``root``."""

import builtins
import io
import json
import os
import re
import sys

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.errors import UsageError
from annotated_shadowsocks.kernel.netns import NamespaceError
from annotated_shadowsocks.lab import tour
from annotated_shadowsocks.lab.tour import Scene
from annotated_shadowsocks.lab.verdict import Verdict
from annotated_shadowsocks.pictures.trace import from_jsonl
from annotated_shadowsocks.scripts.parser import parse


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colour, wherever this is run."""
    monkeypatch.setenv("NO_COLOR", "1")


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert backlog.run("backlog", ["tour", *words]) == code
    return capsys.readouterr().out


def test_a_scene_is_told_drawn_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "4", "--on", "model")
    assert text.startswith("4 of 8: The accept queue is full, and a SYN comes\n\n")
    assert "On model linux-6.18\n" in text
    assert text.count("─▶✗ LISTEN") == 3
    assert re.search(r"^accept queue  ▕.*█.*▏ limit 1, 3\.2 s$", text, re.MULTILINE)
    assert "counters      PassiveOpens 3, ListenOverflows 3, ListenDrops 3, sk_drops 3\n" in text
    assert "Before Linux 4.10" in text


def test_all_scenes_without_a_terminal_are_not_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = told(capsys, "--on", "model")
    assert re.findall(r"^(\d) of 8", text, re.MULTILINE) == list("12345678")
    assert max(map(len, text.splitlines())) <= 80
    assert "listen(b), b =" in text
    assert "\x1b" not in text


def test_a_scene_by_name_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    [scene] = json.loads(told(capsys, "one-queue", "--on", "model", "--json"))["scenes"]
    assert (scene["number"], scene["title"]) == (2, "One queue")
    [performance] = scene["performances"]
    assert (performance["stage"], performance["agreed"]) == ("model bsd44", True)
    trace = from_jsonl("\n".join(map(json.dumps, performance["trace"])))
    assert trace.source == "model bsd44"


def test_the_last_scene_has_the_numbers_in_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(told(capsys, "8", "--on", "model", "--json"))
    assert document["numbers"]["linux-6.18"][0]["connections"] == 1


def test_a_scene_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no scene 'nine'; there are 1 handshake"):
        backlog.run("backlog", ["tour", "nine"])


def test_a_scene_that_no_kernel_can_play(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="only the model can play it; use --on model"):
        backlog.run("backlog", ["tour", "2", "--on", "kernel"])
    assert "(this scene is about another system" in told(capsys, "2", "--on", "both")


def test_without_root_the_model_plays_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "(root would show the same on this kernel)" in told(capsys, "1")


def no_kernel(scene: Scene) -> Verdict:
    raise NamespaceError("a network namespace", "not here", 1)


def test_a_kernel_that_cannot_be_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tour, "on_kernel", no_kernel)
    assert "(a network namespace: not here)" in told(capsys, "1")
    with pytest.raises(NamespaceError):
        backlog.run("backlog", ["tour", "1", "--on", "kernel"])


def test_both_are_drawn_or_the_kernel_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tour, "on_kernel", tour.on_model)
    assert told(capsys, "1", "--on", "both").count("On model linux-6.18\n") == 2
    assert "model linux-6.18 does the same; --on kernel draws it.\n" in told(capsys, "1")


def test_a_scene_that_does_not_go_as_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = parse("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n"
                  "+0 listen(3, 1) = 0\naccept_queue 7/1\n", "wrong")  # fmt: skip
    broken = Scene(1, "broken", "Broken", ("A story.",), ("Since.",), wrong)
    monkeypatch.setattr(tour, "scenes", lambda: (broken,))
    text = told(capsys, "--on", "model", code=1)
    assert "expected accept_queue 7/1" in text
    assert json.loads(told(capsys, "--json", "--on", "model", code=1))["scenes"][0]["performances"][
        0
    ]["problem"].startswith("wrong on model linux-6.18")


class _Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """A terminal that has neither colour nor Unicode."""
    # Not a fixture: pytest puts its own stdout in place between a fixture and its test.
    out = _Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    return out


def test_on_a_terminal_it_stops_after_each_scene(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(["", "q"])
    monkeypatch.setattr(builtins, "input", lambda _: next(answers))
    out = terminal(monkeypatch)
    assert backlog.run("backlog", ["tour", "--on", "model"]) == 0
    text = out.getvalue()
    assert re.findall(r"^(\d) of 8", text, re.MULTILINE) == ["1", "2"]
    assert text.isascii()


def test_the_end_of_the_input_ends_the_tour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", ended)
    out = terminal(monkeypatch)
    assert backlog.run("backlog", ["tour", "--on", "model"]) == 0
    assert out.getvalue().count(" of 8: ") == 1


@pytest.mark.root
def test_on_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "1", "--on", "kernel")
    assert re.search(r"^On kernel \d", text, re.MULTILINE)
    assert "S. seq 0 ack 1" in text
