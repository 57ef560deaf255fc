"""backlog doctor: its words, its document, and the exit codes of monitoring plugins."""

import json
import re
from typing import Any

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import listeners, netstat, sysctl, timekeeping
from annotated_shadowsocks.policy.listen_queue import Sysctls
from annotated_shadowsocks.testing.namespaces import in_fresh_network, set_sysctl
from annotated_shadowsocks.testing.queues import StalledListener

HEALTHY = Sysctls(4096, 2048, 1, 0, 5, 1)
REAL = listeners.listeners
NOTHING_LOST = {"ListenOverflows": 0, "TCPReqQFullDrop": 0, "TCPReqQFullDoCookies": 0}


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A host on which nothing is wrong; a test spoils one thing."""
    monkeypatch.setattr(sysctl, "sysctls", lambda: HEALTHY)
    monkeypatch.setattr(netstat, "counters", lambda: NOTHING_LOST)
    monkeypatch.setattr(listeners, "listeners", lambda diag: [])
    monkeypatch.setattr(timekeeping, "is_synchronised", lambda: True)
    monkeypatch.setattr("resource.getrlimit", lambda which: (65536, 65536))
    return monkeypatch


def refuse(*_: object) -> None:
    raise ObserveError("anything", "no")


def status(checks: str, name: str) -> str:
    found = re.search(rf"^(\w+) +{name} ", checks, re.MULTILINE)
    assert found is not None
    return found[1]


def test_a_healthy_host(healthy: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert backlog.run("backlog", ["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("OK: 12 checks\n\n")
    assert len(re.findall("^OK  ", out, re.MULTILINE)) == 12
    assert "\x1b" not in out


def test_a_warning(healthy: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    healthy.setattr(sysctl, "sysctls", lambda: HEALTHY._replace(somaxconn=128))
    assert backlog.run("backlog", ["doctor", "--color", "always"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("\x1b[1mWARNING: somaxconn\x1b[0m\n")
    assert "\n              sysctl -w net.core.somaxconn=4096\n" in out
    assert "/etc/sysctl.d/60-somaxconn.conf" in out


def test_a_full_queue_is_critical(
    healthy: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with StalledListener(0) as stalled:
        stalled.fill(1)
        healthy.setattr(listeners, "listeners", lambda diag: REAL(diag, stalled.port))
        assert backlog.run("backlog", ["doctor"]) == 2
        out = capsys.readouterr().out
        assert out.startswith("CRITICAL: accept queues\n")
        assert f"backlog explain 127.0.0.1:{stalled.port}\n" in out


@pytest.mark.parametrize(
    ("module", "function", "unknown"),
    [
        (sysctl, "sysctls", "tcp_syncookies"),
        (netstat, "counters", "losses"),
        (listeners, "listeners", "accept queues"),
        (timekeeping, "is_synchronised", "clock"),
    ],
)
def test_what_cannot_be_read_is_unknown(
    healthy: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: object,
    function: str,
    unknown: str,
) -> None:
    healthy.setattr(module, function, refuse)
    assert backlog.run("backlog", ["doctor"]) == 3
    out = capsys.readouterr().out
    assert out.startswith("UNKNOWN: ")
    assert status(out, unknown) == "UNKNOWN"


def test_a_document(healthy: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    healthy.setattr(timekeeping, "is_synchronised", lambda: False)
    assert backlog.run("backlog", ["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["status"], found["code"]) == (1, "warning", 1)
    (clock,) = [check for check in found["checks"] if check["name"] == "clock"]
    assert clock == {
        "name": "clock",
        "status": "warning",
        "value": "not synchronised",
        "verdict": "nobody keeps it right, and AEAD-2022 peers refuse 30 s of difference",
        "fix": ["timedatectl set-ntp true"],
    }


def test_this_host_has_an_answer_to_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code = backlog.run("backlog", ["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["code"] == code
    assert {check["status"] for check in found["checks"]} <= {
        "ok",
        "warning",
        "critical",
        "unknown",
    }


@pytest.mark.root
def test_each_fix_mends_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that are told, typed in a namespace where everything is wrong."""
    wrong = {
        "net.core.somaxconn": 16,
        "net.ipv4.tcp_syncookies": 0,
        "net.ipv4.tcp_max_syn_backlog": 16,
        "net.ipv4.tcp_abort_on_overflow": 1,
        "net.ipv4.tcp_synack_retries": 0,
    }

    def findings() -> dict[str, Any]:
        backlog.run("backlog", ["doctor", "--json"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        return {check["name"]: check for check in checks}

    def inside() -> tuple[dict[str, Any], dict[str, Any]]:
        for name, value in wrong.items():
            set_sysctl(name, value)
        before = findings()
        for name in wrong:
            (command, *_) = before[name.rpartition(".")[2]]["fix"]
            told = re.fullmatch(r"sysctl -w (\S+)=(\d+)", command)
            assert told is not None
            set_sysctl(told[1], int(told[2]))
        return before, findings()

    before, after = in_fresh_network(inside)
    names = {name.rpartition(".")[2] for name in wrong}
    assert {before[name]["status"] for name in names} == {"warning", "critical"}
    assert {after[name]["status"] for name in names} == {"ok"}
