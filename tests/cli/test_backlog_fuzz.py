"""backlog fuzz: what it says of scripts that agree, of those that do not, and of bad flags."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import main
from annotated_shadowsocks.kernel import netns
from annotated_shadowsocks.kernel.netns import NamespaceError
from annotated_shadowsocks.lab import fleet
from annotated_shadowsocks.lab.fleet import Outcome


class _Fleet:
    """Differs on every script with a certain line in it."""

    size = 2
    wrong = "+0 bind("

    def __init__(self, size: int | None) -> None:
        self.played = 0

    def run(self, scripts: Iterable[tuple[str, str]]) -> Iterator[Outcome]:
        for name, text in scripts:
            self.played += 1
            told = "packet 1\n  model   a\n  kernel  b" if self.wrong in text else ""
            yield Outcome(name, text, ran=True, told=told, seconds=0.1)

    def __enter__(self) -> "_Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(fleet, "Fleet", _Fleet)
    monkeypatch.setattr(netns, "_make", lambda: -1)
    return monkeypatch


def fuzz(*words: str) -> int:
    return main.backlog(["fuzz", *words])


def test_all_agree(double: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    double.setattr(_Fleet, "wrong", "nothing of the kind")
    assert fuzz("--count", "3", "--seed", "7") == 0
    assert capsys.readouterr().out == "3 of 3 scripts agreed, from seed 7 on\n"


def test_what_differs_is_shrunk_and_kept(
    double: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz("--count", "1", "--keep", str(tmp_path / "found")) == 1
    out = capsys.readouterr().out
    assert out.endswith("0 of 1 scripts agreed, from seed 0 on\n")
    assert "seed-0\npacket 1\n  model   a\n  kernel  b\n+0 bind(3, ..., ...) = 0\n" in out
    assert (tmp_path / "found" / "seed-0.pkt").read_text("utf-8") == (
        "// packet 1\n//   model   a\n//   kernel  b\n+0 bind(3, ..., ...) = 0\n"
    )


def test_json(double: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz("--count", "2", "--json") == 1
    first, second, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert {first["name"], second["name"]} == {"seed-0", "seed-1"}
    counts = {"scripts": 2, "agreed": 0, "differed": 2, "could_not_run": 0}
    assert summary == {**counts, "first_seed": 0}


def test_what_could_not_be_run_has_not_agreed(
    double: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _Fleet.run

    def too_late(self: _Fleet, scripts: Iterable[tuple[str, str]]) -> Iterator[Outcome]:
        return (one._replace(ran=False) for one in run(self, scripts))

    double.setattr(_Fleet, "run", too_late)
    assert fuzz("--count", "1") == 2
    assert capsys.readouterr().out == (
        "0 of 1 scripts agreed, from seed 0 on\n1 could not be run; with fewer --jobs they may\n"
    )


def test_a_folder_that_cannot_be(
    double: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert fuzz("--count", "1", "--keep", str(tmp_path / "file" / "x")) == 73
    assert "cannot create" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--count", "0"], "--count 0: use 1 to 1000000"),
        (["--jobs", "1000"], "--jobs 1000: use 1 to 256"),
        (["--seconds", "nan"], "--seconds nan: use 0 to 86400"),
    ],
)
def test_absurd_sizes(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(*words) == 64
    assert complaint in capsys.readouterr().err


def test_without_root_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> int:
        raise NamespaceError("a network namespace of one's own", "only root may", 1)

    monkeypatch.setattr(netns, "_make", refuse)
    assert fuzz() == 2
    assert capsys.readouterr().err.splitlines() == [
        "backlog: a network namespace of one's own: only root may"
    ]


@pytest.mark.root
@pytest.mark.timeout(300)
def test_a_few_on_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz("--count", "4", "--seed", "2000", "--jobs", "4") == 0
    assert capsys.readouterr().out == "4 of 4 scripts agreed, from seed 2000 on\n"
