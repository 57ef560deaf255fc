"""``backlog simulate``: one report, a table, a document, and its manners."""

import json
import sys

import pytest

from annotated_shadowsocks.cli.main import backlog


def simulate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = backlog(["simulate", *words])
    out, err = capsys.readouterr()
    return code, out, err


FULL = ("--burst", "20", "-b", "4", "-w", "0", "--client-set", "tcp_syn_retries=1")


def test_one_point_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = simulate(capsys, *FULL)
    assert code == 0 and err == ""
    assert "accept queue: limit 4, 5 fit, at most 5 waited" in out
    assert "\n         5     25 %  still in the accept queue when nothing more happens\n" in out
    assert "accepted by worker: nobody" in out


def test_several_points_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = simulate(capsys, "-r", "100,200", "-b", "1,64", "--for", "1s", "-j", "1")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0 and err == ""
    assert rows[0][:3] == ["rate", "backlog", "clients"]
    assert [row[:2] for row in rows[1:5]] == [
        ["100", "1"],
        ["100", "64"],
        ["200", "1"],
        ["200", "64"],
    ]


def test_processes_tell_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("-r", "100", "-b", "1-3", "--for", "1s", "--json")
    assert simulate(capsys, *words, "-j", "1") == simulate(capsys, *words, "-j", "2")


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = simulate(capsys, *FULL, "--json")
    document = json.loads(out)
    [point] = document["points"]
    assert document["schema"] == 1
    assert point["parameters"]["backlog"] == 4
    assert point["outcomes"]["queued"] == 5
    assert max(depth["accept_queue"] for depth in point["depths"]) == 5


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "nobody comes"),
        (("--clients", "9"), "unknown flag --clients; try 'backlog --help'"),
        (("-r", "x"), "--rate: 'x' cannot be read"),
        (("-r", "5", "-p", "linux-9"), "there is no such profile"),
        (("-r", "5", "--set", "somaxconn=-1"), "-1 is impossible"),
        (("-r", "5", "--loss", "1"), "--loss: 1 is impossible"),
        (("-r", "5", "-j", "0"), "-j: 0 is impossible"),
        (("-r", "5", "-b", "0-9999", "-w", "1-50"), "combinations are too many"),
        (("-r", "5", "-p", "bsd44", "--reuse-port"), "bsd44 has none"),
        (("-r", "5", "--stall", "1s+1s#4"), "there is no worker 4"),
    ],
)
def test_a_wrong_value_is_one_line(
    words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = simulate(capsys, *words)
    assert (code, out) == (64, "")
    assert what in err and err.count("\n") == 1


def test_without_dask_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = simulate(capsys, "-r", "5", "--dask", "tcp://127.0.0.1:1")
    assert code == 78
    assert err.count("\n") == 1 and "annotated-shadowsocks[dask]" in err


def test_progress_is_for_terminals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, err = simulate(capsys, "-r", "100", "-b", "1,2", "--for", "1s", "-j", "1")
    assert err == "\r1 of 2\r2 of 2\r\x1b[K"
