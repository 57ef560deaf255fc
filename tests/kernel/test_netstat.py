"""Counters: against the files as they are, against nstat's words, and against broken files."""

import shutil
import subprocess
from pathlib import Path

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import netstat
from annotated_shadowsocks.kernel.netstat import counters, increase
from annotated_shadowsocks.testing.queues import StalledListener, until

NETSTAT = """\
TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 1 2 18446744073709551615
IpExt: InNoRoutes
IpExt: 5
"""
SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn PassiveOpens
Tcp: 1 -1 77
TcpX: PassiveOpens
TcpX: 3
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(netstat, "SELF_NET", str(tmp_path))
    (tmp_path / "netstat").write_text(NETSTAT)
    (tmp_path / "snmp").write_text(SNMP)
    return tmp_path


def test_an_overflow_is_counted() -> None:
    with StalledListener(0) as stalled:
        stalled.fill(1)
        before = counters()
        stalled.knock(2)
        # Other programs of the host count too, and none of them counts down.
        until(lambda: increase(before, counters()).get("ListenOverflows", 0) >= 2)
        assert increase(before, counters())["ListenDrops"] >= 2


def test_the_names_that_everything_here_relies_on() -> None:
    names = """
        ListenOverflows ListenDrops TCPReqQFullDoCookies TCPReqQFullDrop SyncookiesSent
        SyncookiesRecv SyncookiesFailed TCPTimeouts TCPSynRetrans EmbryonicRsts
        TCPDeferAcceptDrop PassiveOpens AttemptFails EstabResets RetransSegs OutRsts
    """
    assert counters().keys() >= set(names.split())


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("nstat") is None, reason="nstat is not installed")
def test_the_same_as_nstat() -> None:
    before = counters()
    shown = subprocess.run(["nstat", "-asz"], check=True, capture_output=True, text=True).stdout
    after = counters()
    rows = (line.split() for line in shown.splitlines() if line.startswith("Tcp"))
    theirs = {name.removeprefix("TcpExt").removeprefix("Tcp"): int(n) for name, n, _ in rows}
    for name in ("ListenOverflows", "ListenDrops", "TCPTimeouts", "PassiveOpens", "AttemptFails"):
        assert before[name] <= theirs[name] <= after[name]


def test_two_tables_of_four(files: Path) -> None:
    assert counters() == {
        "SyncookiesSent": 1,
        "ListenOverflows": 2,
        "ListenDrops": 2**64 - 1,
        "RtoAlgorithm": 1,
        "MaxConn": -1,
        "PassiveOpens": 77,
    }


def test_increase() -> None:
    before = {"a": 1, "b": 5, "gone": 1}
    assert increase(before, {"a": 4, "b": 5, "new": 9}) == {"a": 3}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("netstat", "", "0 lines begin with TcpExt:, there should be 2"),
        ("netstat", "TcpExt: A\n", "1 lines begin"),
        ("netstat", "TcpExt: A B\nTcpExt: 1\n", "2 names of TcpExt: for 1 values"),
        ("snmp", "Tcp: A\nTcp: x\n", "a value of Tcp: is no number"),
        ("snmp", "\xff\0", "0 lines begin with Tcp:"),
    ],
)
def test_broken_files(files: Path, name: str, text: str, reason: str) -> None:
    (files / name).write_text(text, "latin-1")
    with pytest.raises(ObserveError, match=reason) as caught:
        counters()
    assert str(caught.value).startswith(f"cannot see {files}/{name}: ")


def test_a_missing_file(files: Path) -> None:
    (files / "snmp").unlink()
    with pytest.raises(ObserveError, match=r"is /proc mounted"):
        counters()
