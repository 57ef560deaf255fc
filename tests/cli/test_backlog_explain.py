"""backlog explain: what it says of a listener, and whether that comes true in a live kernel."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.cli.main import main
from annotated_shadowsocks.errors import ObserveError, UsageError
from annotated_shadowsocks.kernel import netstat, sysctl
from annotated_shadowsocks.kernel.netstat import counters, increase
from annotated_shadowsocks.policy.listen_queue import Sysctls
from annotated_shadowsocks.testing.namespaces import in_fresh_network, set_sysctl
from annotated_shadowsocks.testing.queues import StalledListener, until

# Linux's defaults, whatever this host has.
DEFAULTS = Sysctls(4096, 2048, 1, 0, 5, 0, 1, 6, 4)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that the namespace has these settings."""

    def pretend(**changes: int | None) -> None:
        monkeypatch.setattr(sysctl, "sysctls", lambda: DEFAULTS._replace(**changes))

    pretend()
    return pretend


def explain(capsys: pytest.CaptureFixture[str], address: str) -> str:
    assert backlog.run("backlog", ["explain", address]) == 0
    # One line, so that it does not matter where the text was wrapped.
    return " ".join(capsys.readouterr().out.split())


def document(capsys: pytest.CaptureFixture[str], address: str) -> dict[str, Any]:
    assert backlog.run("backlog", ["explain", "--json", address]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


# --- words ---


def test_a_listener_with_room(
    capsys: pytest.CaptureFixture[str], settings: Callable[..., None]
) -> None:
    with StalledListener(200) as stalled:
        stalled.fill(2)
        text = explain(capsys, f"127.0.0.1:{stalled.port}")
        assert text.startswith(f"127.0.0.1:{stalled.port} ")
    for sentence in (
        "2 connections wait for accept(), 201 fit; the limit is 200 and the kernel admits one more",
        "Asked 200 of listen(), and granted, being less than somaxconn (4096)",
        "0 half-open requests, 201 fit; beyond them SYNs are answered with cookies",
        "an ACK that finds no room is ignored, not reset: tcp_abort_on_overflow is 0",
        "An unanswered SYN is sent again after 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s, and its client "
        "gives up after 131 s",
        "An unanswered SYN/ACK is sent again after 1, 3, 7, 15, 31 s, and the request is forgotten "
        "after 63 s",
        "Drops 0 segments",
        "The next SYN is answered with SYN/ACK: both queues have room",
        "The next ACK makes a connection that waits for accept()",
        "To change nothing",
    ):
        assert sentence in text


def test_a_full_queue(capsys: pytest.CaptureFixture[str], settings: Callable[..., None]) -> None:
    with StalledListener(8) as stalled:
        stalled.fill(9)
        text = explain(capsys, f"127.0.0.1:{stalled.port}")
    for sentence in (
        "9 connections wait for accept(), 9 fit: it is full; the limit is 8 and",
        "The next SYN is dropped without an answer: the accept queue is full (9 > 8) (counts "
        "ListenOverflows, ListenDrops) The client hears nothing and tries again",
        "The next ACK is ignored, with the data that it may carry: the accept queue is full",
        f"({os.getpid()}) does not accept as fast as clients come",
        f"strace -f -p {os.getpid()}",
        "the program asked listen() for 8; let it ask for more",
        "backlog of listen(): 4096",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"somaxconn": 8},
            ["8 of listen(), or more, or less than 0: somaxconn is 8", "somaxconn cut the limit"],
        ),
        (
            {"somaxconn": 4},
            ["at least 8, while somaxconn was larger; it is 4 by now", "after a restart"],
        ),
        ({"somaxconn": None}, ["Asked unknown"]),
        (
            {"tcp_abort_on_overflow": 1},
            ["RST for an ACK that finds no room: tcp_abort_on_overflow is 1", "overflow=0"],
        ),
        (
            {"tcp_syncookies": 0},
            ["9 fit; beyond them SYNs are dropped, for tcp_syncookies is 0", "syncookies=1"],
        ),
        (
            {"tcp_syncookies": 2},
            [
                "0 fit; every SYN is answered with a cookie, for tcp_syncookies is 2",
                "The next SYN is answered with a cookie, and nothing is kept of it",
                "if its ACK is lost, nobody here will ask for it again",
            ],
        ),
        ({"tcp_syncookies": None}, ["are dropped, if this kernel has no syncookies"]),
        (
            {"tcp_synack_retries": 0, "tcp_syn_retries": 2, "tcp_syn_linear_timeouts": None},
            [
                "An unanswered SYN/ACK is not sent again, and the request is forgotten after 1 s",
                "An unanswered SYN is sent again after 1, 3 s, and its client gives up after 7 s",
            ],
        ),
        (
            {"tcp_synack_retries": None, "tcp_syn_retries": None},
            ["forgotten after 63 s", "gives up after 131 s"],
        ),
    ],
)
def test_settings(
    capsys: pytest.CaptureFixture[str],
    settings: Callable[..., None],
    changes: dict[str, int | None],
    sentences: list[str],
) -> None:
    settings(**changes)
    with StalledListener(8) as stalled:
        text = explain(capsys, f"127.0.0.1:{stalled.port}")
    for sentence in sentences:
        assert sentence in text


def test_the_namespaces_counters_are_those_that_the_kernel_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netstat, "counters", lambda: {"ListenDrops": 5, "InSegs": 7})
    with StalledListener() as stalled:
        text = explain(capsys, f":{stalled.port}")
        assert document(capsys, f":{stalled.port}")["counters"] == {"ListenDrops": 5}
    assert text.endswith("all listeners together since it began: ListenDrops 5")


def test_lines_are_as_wide_as_the_terminal(
    capsys: pytest.CaptureFixture[str], settings: Callable[..., None]
) -> None:
    with StalledListener(8) as stalled:
        stalled.fill(9)
        backlog.run("backlog", ["explain", f":{stalled.port}"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert not any(line != line.rstrip() for line in lines)


# --- which listener ---


def addresses(capsys: pytest.CaptureFixture[str], address: str) -> list[str]:
    return [each["address"] for each in document(capsys, address)["listeners"]]


def test_who_answers_there(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(host="0.0.0.0", shared=True) as anywhere:
        port = anywhere.port
        with (
            StalledListener(host="127.0.0.2", port=port, shared=True),
            StalledListener(host="::1", port=port, family=socket.AF_INET6),
        ):
            assert addresses(capsys, f"127.0.0.1:{port}") == [f"0.0.0.0:{port}"]
            assert addresses(capsys, f"127.0.0.2:{port}") == [f"127.0.0.2:{port}"]
            assert addresses(capsys, f"[::1]:{port}") == [f"[::1]:{port}"]
            assert set(addresses(capsys, f":{port}")) == {
                f"0.0.0.0:{port}",
                f"127.0.0.2:{port}",
                f"[::1]:{port}",
            }
            with pytest.raises(ObserveError, match=re.escape(f"there is 0.0.0.0:{port}, 127.0")):
                explain(capsys, f"[::2]:{port}")


def test_all_ports_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(host="127.0.0.3") as one, StalledListener(host="127.0.0.3") as other:
        found = addresses(capsys, "127.0.0.3")
        assert {f"127.0.0.3:{one.port}", f"127.0.0.3:{other.port}"} <= set(found)


def test_a_group_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        StalledListener(shared=True) as first,
        StalledListener(shared=True, port=first.port),
    ):
        text = explain(capsys, f"127.0.0.1:{first.port}")
    assert text.count("one of 2 listeners of this address, and the kernel picks one") == 2


def test_nothing_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener() as stalled:
        port = stalled.port
    with pytest.raises(ObserveError, match="nothing listens there, so a client is refused at once"):
        explain(capsys, f":{port}")


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener() as stalled:
        port = stalled.port
        assert main(["backlog", "explain", f":{port}"]) == 0
    assert main(["backlog", "explain", f":{port}"]) == 69
    assert main(["backlog", "explain", "nonsense"]) == 64
    error = capsys.readouterr().err.splitlines()
    assert error[-2].startswith(f"backlog: cannot see :{port}: nothing listens there")
    assert error[-1].startswith("backlog: 'nonsense' is not an address; write ")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("*:*", "is every listener; see 'backlog list'"),
        ("443", "write :443 for the port"),
        ("example.com:443", "is not an address"),
        ("10.0.0.0/8:443", "is a network; name one address of it"),
    ],
)
def test_an_address_that_is_none(
    capsys: pytest.CaptureFixture[str], address: str, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        explain(capsys, address)


# --- does it come true? ---

ABOUT_QUEUES = {
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "SyncookiesSent",
    "EmbryonicRsts",
    "OutRsts",
}


def room(stalled: StalledListener) -> Callable[[], object]:
    return lambda: stalled.fill(1)


def full(stalled: StalledListener) -> Callable[[], object]:
    stalled.fill(stalled.queue()[1] + 1)
    return lambda: stalled.knock(1)


def half_open(stalled: StalledListener) -> Callable[[], object]:
    stalled.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    stalled.connect(2)
    return lambda: stalled.knock(1)


def full_with_one_half_open(stalled: StalledListener) -> Callable[[], object]:
    """A limit of 1: two connections in the queue, and a client that has yet to send its data."""
    stalled.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    first, second = stalled.connect(2)
    first.send(b"x")
    until(lambda: stalled.queue()[0] == 1)
    (third,) = stalled.connect(1)
    second.send(b"x")
    until(lambda: stalled.queue()[0] == 2)
    return lambda: third.send(b"x")


@pytest.mark.root
@pytest.mark.parametrize(
    ("changes", "scene", "segment", "verdict"),
    [
        ({}, room, "next_syn", "answered"),
        ({}, full, "next_syn", "dropped"),
        ({}, half_open, "next_syn", "cookie"),
        ({"tcp_syncookies": 0}, half_open, "next_syn", "dropped"),
        ({"tcp_syncookies": 2}, room, "next_syn", "cookie"),
        ({"tcp_syncookies": 2}, full, "next_syn", "dropped"),
        ({"tcp_syncookies": 0, "tcp_max_syn_backlog": 1}, half_open, "next_syn", "dropped"),
        ({}, full_with_one_half_open, "next_ack", "ignored"),
        ({"tcp_abort_on_overflow": 1}, full_with_one_half_open, "next_ack", "reset"),
    ],
)
def test_it_comes_true(
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, int],
    scene: Callable[[StalledListener], Callable[[], object]],
    segment: str,
    verdict: str,
) -> None:
    def inside() -> tuple[dict[str, Any], dict[str, int]]:
        for name, value in changes.items():
            set_sysctl(f"net.ipv4.{name}", value)
        with StalledListener(1) as stalled:
            act = scene(stalled)
            (said,) = document(capsys, f":{stalled.port}")["listeners"]
            before = counters()
            act()
            told = said[segment]["counters"]
            until(lambda: increase(before, counters()).keys() >= set(told))
            return said[segment], increase(before, counters())

    said, counted = in_fresh_network(inside)
    assert said["verdict"] == verdict
    assert set(said["counters"]) == counted.keys() & ABOUT_QUEUES


@pytest.mark.root
def test_the_last_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    """Without cookies, a SYN of nobody known finds no room long before the limit."""

    def inside() -> tuple[list[str], int, dict[str, int]]:
        set_sysctl("net.ipv4.tcp_syncookies", 0)
        set_sysctl("net.ipv4.tcp_max_syn_backlog", 4)
        verdicts = []
        with StalledListener(128, deferred=True) as stalled:
            for _ in range(5):
                (said,) = document(capsys, f":{stalled.port}")["listeners"]
                verdicts.append(said["next_syn"]["verdict"])
                before = counters()
                stalled.knock(1)
            until(lambda: "ListenDrops" in increase(before, counters()))
            return verdicts, said["syn_queue"]["capacity"], increase(before, counters())

    verdicts, capacity, counted = in_fresh_network(inside)
    assert verdicts == ["answered"] * 4 + ["dropped"]
    assert capacity == 4
    assert "ListenOverflows" not in counted


@pytest.mark.interop
@pytest.mark.root
@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_a_stalled_server_in_a_namespace_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """somaxconn 8, and a program that asked for 4096: the same story as ss and the counters."""

    def inside() -> tuple[dict[str, Any], str, str, dict[str, int]]:
        set_sysctl("net.core.somaxconn", 8)
        set_sysctl("net.ipv4.tcp_synack_retries", 2)
        with StalledListener(4096) as stalled:
            stalled.fill(9)
            stalled.knock(3)
            until(lambda: counters()["ListenOverflows"] >= 3)
            text = explain(capsys, f"127.0.0.1:{stalled.port}")
            ss = subprocess.run(["ss", "-ltnH"], check=True, capture_output=True, text=True)
            found = document(capsys, f"127.0.0.1:{stalled.port}")
            return found, text, ss.stdout, counters()

    found, text, ss, counted = in_fresh_network(inside)
    (said,) = found["listeners"]
    shown = (said["accept_queue"]["depth"], said["accept_queue"]["limit"], said["address"])
    assert tuple(ss.split()[1:4]) == tuple(map(str, shown))
    assert said["asked"] == {"relation": "at least", "limit": 8}
    assert said["syn_ack_schedule"] == {"sent": [0, 1, 3], "until": 7}
    assert found["sysctls"]["somaxconn"] == 8
    for name, value in found["counters"].items():
        assert value <= counted[name]
    assert found["counters"]["ListenOverflows"] == found["counters"]["ListenDrops"] >= 3
    assert said["drops"] >= 3
    assert "somaxconn cut the limit at 8" in text
    assert "sysctl -w net.core.somaxconn=4096" in text
