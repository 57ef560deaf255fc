"""Which gates are shut."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.admission import (
    Admission,
    admit,
    at_timeout,
    defers,
    next_timeout,
    on_ack_full,
    shut_gates,
)
from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profile import Exempt, OnAckFull, Verdict
from annotated_shadowsocks.tcp_model.profiles import find
from annotated_shadowsocks.tcp_model.request import Request
from annotated_shadowsocks.tcp_model.segment import Flow
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.tcp_model.sysctl import Sysctl

SERVER = Endpoint("192.0.2.1", 80)


def listening(profile: str, queued: int, half_open: int, sysctl: Sysctl) -> Listener:
    """A listener with a limit of 3, and so many in its queues."""
    listener = Listener(1, SERVER, find(profile), reuse_port=False)
    listener.accept_queue.limit = listener.first_limit = 3
    listener.resize(sysctl)
    flow = Flow(SERVER, SERVER)
    for _ in range(queued):
        one = Connection(flow, State.ESTABLISHED, 0, 0)
        listener.accept_queue.connections.append(one)
    listener.syn_queue.depth = listener.syn_queue.young = half_open
    return listener


def shut(
    profile: str,
    queued: int,
    half_open: int,
    *exempt: Exempt,
    young: int | None = None,
    sysctl: Sysctl | None = None,
) -> list[str]:
    """The formulas of the gates that are shut at a limit of 3."""
    sysctl = sysctl or Sysctl(tcp_syncookies=0)
    listener = listening(profile, queued, half_open, sysctl)
    if young is not None:
        listener.syn_queue.young = young
    gates = shut_gates(listener, sysctl, half_open, frozenset(exempt))
    return [gate.ceiling.formula for gate in gates]


@pytest.mark.parametrize(
    ("profile", "queued", "half_open", "formulas"),
    [
        ("linux-6.18", 3, 3, []),
        ("linux-6.18", 3, 4, ["n0 > L"]),
        ("linux-6.18", 4, 0, ["n > L"]),
        ("linux-6.18", 4, 4, ["n0 > L", "n > L"]),
        ("linux-4.10", 0, 3, ["n0 >= L"]),
        ("bsd44", 2, 2, []),
        ("bsd44", 2, 3, ["n + n0 > 3L/2"]),
        ("xnu", 1, 2, ["n + n0 >= L"]),
        ("freebsd-12", 99, 99, []),
    ],
)
def test_gates(profile: str, queued: int, half_open: int, formulas: list[str]) -> None:
    assert shut(profile, queued, half_open) == formulas


def test_a_lone_syn_passes_an_old_linux() -> None:
    assert shut("linux-4.4", 9, 2, young=1) == []
    assert shut("linux-4.4", 9, 2, young=2) == ["n > L"]


def test_the_last_quarter_is_kept_without_syncookies_alone() -> None:
    off = Sysctl(tcp_syncookies=0, tcp_max_syn_backlog=2)
    on = Sysctl(tcp_syncookies=1, tcp_max_syn_backlog=2)
    assert shut("linux-6.18", 0, 3, sysctl=off) == ["n0 > M - M/4"]
    assert shut("linux-6.18", 0, 3, sysctl=on) == []
    assert shut("linux-6.18", 0, 3, Exempt.PROVEN, sysctl=off) == []


def test_time_wait_passes_what_counts_half_open_requests() -> None:
    assert shut("linux-6.18", 0, 9, Exempt.REUSED) == []
    assert shut("linux-6.18", 9, 9, Exempt.REUSED) == ["n > L"]


def test_mode_2_shuts_the_first_gate_for_everybody() -> None:
    assert shut("linux-6.18", 0, 0, sysctl=Sysctl(tcp_syncookies=2)) == ["n0 > L"]


@pytest.mark.parametrize(
    ("profile", "queued", "half_open", "syncookies", "verdict", "by", "waived"),
    [
        ("linux-6.18", 3, 3, 0, None, None, []),
        ("linux-6.18", 0, 4, 0, Verdict.DROP, "n0 > L", []),
        ("linux-6.18", 0, 4, 1, Verdict.COOKIE, None, ["n0 > L"]),
        ("linux-6.18", 4, 4, 1, Verdict.DROP, "n > L", ["n0 > L"]),
        ("windows", 4, 0, 0, Verdict.RESET, "n + n0 > L", []),
        ("xnu", 1, 2, 0, None, None, ["n + n0 >= L"]),
        # Nobody is half open, so nobody can make room.
        ("xnu", 3, 0, 0, Verdict.DROP, "n + n0 >= L", []),
    ],
)
def test_what_becomes_of_a_syn(
    profile: str,
    queued: int,
    half_open: int,
    syncookies: int,
    verdict: Verdict | None,
    by: str | None,
    waived: list[str],
) -> None:
    sysctl = Sysctl(tcp_syncookies=syncookies)
    found = admit(listening(profile, queued, half_open, sysctl), sysctl, half_open)
    assert found.verdict is verdict
    assert (found.gate.ceiling.formula if found.gate else None) == by
    assert [gate.ceiling.formula for gate in found.waived] == waived


def test_room_for_a_syn_is_one_value() -> None:
    sysctl = Sysctl()
    assert admit(listening("linux-6.18", 0, 0, sysctl), sysctl, 0) == Admission(None, None, ())


@pytest.mark.parametrize(
    ("profile", "settings", "outcome"),
    [
        ("linux-6.18", {}, OnAckFull.KEEP),
        ("linux-6.18", {"tcp_abort_on_overflow": 1}, OnAckFull.RESET),
        ("freebsd-12", {}, OnAckFull.RESET),
        ("freebsd-12", {"rst_on_sock_fail": 0}, OnAckFull.FORGET),
        ("illumos", {}, OnAckFull.DEFER),
    ],
)
def test_what_becomes_of_a_final_ack(
    profile: str, settings: dict[str, int], outcome: OnAckFull
) -> None:
    gate = find(profile).ack_gate
    assert gate is not None
    assert on_ack_full(gate, Sysctl(**settings)) is outcome


def test_a_bare_ack_is_deferred_for_so_many_timeouts() -> None:
    listener = listening("linux-6.18", 0, 1, Sysctl())
    request = Request(Flow(SERVER, SERVER), listener, 0, 0, (), 0, 0)
    assert not defers(listener, request)
    listener.defer_accept = 2
    found = []
    for request.timeouts in range(4):
        found.append(defers(listener, request))
    assert found == [True, True, False, False]


def test_timeouts_of_a_request() -> None:
    sysctl = Sysctl(tcp_synack_retries=2)
    listener = listening("linux-6.18", 0, 1, sysctl)
    request = Request(Flow(SERVER, SERVER), listener, 0, 0, (), 0, 0)
    schedule = listener.profile.schedule
    firings = []
    for timeouts in range(3):
        request.timeouts = timeouts
        at = next_timeout(schedule, sysctl.rto_max, request, 0)
        assert at == SECOND << timeouts
        firings.append(at_timeout(listener, sysctl, request, at).expired)
    assert firings == [False, False, True]


def test_a_lifetime_ends_it_earlier() -> None:
    sysctl = Sysctl()
    listener = listening("bsd44", 0, 1, sysctl)
    request = Request(Flow(SERVER, SERVER), listener, 0, 0, (), 0, 0)
    request.timeouts = 2
    assert next_timeout(listener.profile.schedule, sysctl.rto_max, request, 30 * SECOND) == (
        75 * SECOND
    )
    assert not at_timeout(listener, sysctl, request, 74 * SECOND).expired
    assert at_timeout(listener, sysctl, request, 75 * SECOND).expired
