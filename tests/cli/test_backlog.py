"""``backlog compare``: what listen(b) means on each system, and the command's manners."""

import json
import sys

import pytest

from annotated_shadowsocks.cli.main import backlog
from annotated_shadowsocks.tcp_model.profiles import PROFILES


def compare(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = backlog(["compare", *words])
    out, err = capsys.readouterr()
    return code, out, err


# Stevens, UNIX Network Programming, volume 1, 3rd edition, figure 4.10, for b = 0 to 5: the
# columns that are formulas, (3b/2)+1 of the BSDs and b+1 of FreeBSD 4 and of Linux today.
STEVENS = {"bsd44": [1, 2, 4, 5, 7, 8], "linux-6.18": [1, 2, 3, 4, 5, 6]}


@pytest.mark.parametrize("name", STEVENS)
def test_connections_are_those_of_the_book(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = compare(capsys, "-b", "0-5", "-p", name)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert next(row[1:] for row in rows if row[:1] == [name]) == [str(n) for n in STEVENS[name]]


def test_every_system_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = compare(capsys, "-b", "3")
    assert {line.split()[0] for line in out.splitlines() if line.strip()} >= set(PROFILES)


def test_the_object_names_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = compare(capsys, "-b", "0,128", "--json")
    systems = json.loads(out)["systems"]
    assert code == 0
    assert len(systems) == len(PROFILES)
    assert all(system["sources"] for system in systems), systems[0].keys()


def test_lines_fit_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = compare(capsys)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_every_backlog_has_a_column_in_one_block_or_another(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = compare(capsys, "-b", "0-29,1000", "-p", "linux-4.3", "-p", "xnu")
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    headings = [word for line in lines if line.startswith("b ") for word in line.split()[1:]]
    # Once in the table of connections, once in that of half-open requests.
    assert headings == 2 * [*map(str, range(30)), "1000"]


def test_a_full_queue(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = compare(capsys, "-b", "2", "-p", "freebsd-12", "-p", "linux-6.18")
    assert "freebsd-12  SYN/ACK   RST                     FreeBSD 12 and later" in out.splitlines()
    assert "linux-6.18  nothing   ignored, SYN/ACK again  Linux 6.18" in out.splitlines()


def test_the_object_has_rules_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = compare(capsys, "-b=-1,3", "-p", "linux-6.18", "--json")
    [linux] = json.loads(out)["systems"]
    # Half open: three quarters of tcp_max_syn_backlog, 2048, come before 4097.
    assert linux["listen"] == [
        {"backlog": -1, "limit": 4096, "connections": 4097, "half_open": 1537},
        {"backlog": 3, "limit": 3, "connections": 4, "half_open": 4},
    ]
    assert linux["rules"]["syn"][1] == "n > L: dropped in silence"
    assert linux["full"] == {"to_syn": "nothing", "to_ack": "ignored, SYN/ACK again"}
    source = linux["sources"]["syn: the accept queue is full"]
    assert source["standing"] == "seen on a running kernel"


def test_headings_are_bold_on_a_terminal_unless_asked_not_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert compare(capsys, "-b", "0", "-p", "lwip")[1].startswith("\x1b[1mlisten(b)")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in compare(capsys, "-b", "0", "-p", "lwip")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-b", "five"], "'five' is not a backlog; write 5, 0-14 or 128,511"),
        (["-b", "0-100000"], "ask for fewer"),
        (["-b", "5-2"], "'5-2' is no range of C integers"),
        (["-b", "1,,2"], "'' is not a backlog"),
        (["-p", "freebsd"], "did you mean freebsd-12?"),
        (["-p", "linux-9"], "linux-9"),
    ],
)
def test_a_bad_word_is_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = compare(capsys, *words)
    assert (code, out) == (64, "")
    assert said in err
    assert "Traceback" not in err
