"""The kernel's rules about its two queues, against what was measured on Linux 6.18."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.policy.listen_queue import (
    Asked,
    ListenQueue,
    Sysctls,
    Verdict,
    asked,
    next_ack,
    next_syn,
    syn_queue_capacity,
    syn_schedule,
    synack_schedule,
)
from annotated_shadowsocks.tcp_model.ceiling import Counted, Sizes
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.profile import Condition
from annotated_shadowsocks.tcp_model.profile import Verdict as Gated
from annotated_shadowsocks.tcp_model.profiles.linux import LINUX_6_18

DEFAULTS = Sysctls(somaxconn=4096, tcp_max_syn_backlog=2048, tcp_syncookies=1)


@pytest.mark.parametrize(("depth", "full"), [(0, False), (7, False), (8, False), (9, True)])
def test_the_accept_queue_holds_one_more_than_its_limit(depth: int, full: bool) -> None:
    queue = ListenQueue(depth, 8)
    assert queue.capacity == 9
    assert queue.is_full is full


@pytest.mark.parametrize(
    ("limit", "somaxconn", "wanted"),
    [
        (511, 4096, Asked.EXACTLY),
        (4096, 4096, Asked.AT_LEAST),
        (4096, 128, Asked.BEFORE),
        (128, None, Asked.UNKNOWN),
    ],
)
def test_what_was_asked(limit: int, somaxconn: int | None, wanted: Asked) -> None:
    assert asked(limit, somaxconn) is wanted


# depth, limit, half-open, then tcp_syncookies and tcp_max_syn_backlog
@pytest.mark.parametrize(
    ("numbers", "settings", "verdict", "counters"),
    [
        ((0, 8, 0), (1, 2048), Verdict.ANSWERED, ()),
        ((8, 8, 8), (1, 2048), Verdict.ANSWERED, ()),
        ((9, 8, 0), (1, 2048), Verdict.DROPPED, ("ListenOverflows", "ListenDrops")),
        ((0, 8, 9), (1, 2048), Verdict.COOKIE, ("TCPReqQFullDoCookies", "SyncookiesSent")),
        ((0, 8, 9), (0, 2048), Verdict.DROPPED, ("TCPReqQFullDrop", "ListenDrops")),
        # A cookie is refused at a full accept queue too, and both are counted.
        (
            (9, 8, 9),
            (1, 2048),
            Verdict.DROPPED,
            ("TCPReqQFullDoCookies", "ListenOverflows", "ListenDrops"),
        ),
        ((0, 8, 0), (2, 2048), Verdict.COOKIE, ("TCPReqQFullDoCookies", "SyncookiesSent")),
        # The SYN queue is asked first.
        ((9, 8, 9), (0, 2048), Verdict.DROPPED, ("TCPReqQFullDrop", "ListenDrops")),
        # The last quarter: 16 - 13 < 4.
        ((0, 128, 12), (0, 16), Verdict.ANSWERED, ()),
        ((0, 128, 13), (0, 16), Verdict.DROPPED, ("ListenDrops",)),
        ((0, 128, 13), (1, 16), Verdict.ANSWERED, ()),
    ],
)
def test_the_next_syn(
    numbers: tuple[int, int, int],
    settings: tuple[int, int],
    verdict: Verdict,
    counters: tuple[str, ...],
) -> None:
    sysctls = Sysctls(tcp_syncookies=settings[0], tcp_max_syn_backlog=settings[1])
    fate = next_syn(ListenQueue(*numbers), sysctls)
    assert (fate.verdict, fate.counters) == (verdict, counters)


def test_an_unknown_syn_queue_is_taken_for_empty() -> None:
    assert next_syn(ListenQueue(0, 0), DEFAULTS).verdict is Verdict.ANSWERED


def test_no_setting_for_syncookies_means_a_kernel_without() -> None:
    fate = next_syn(ListenQueue(0, 8, 9), Sysctls())
    assert fate.verdict is Verdict.DROPPED
    assert "tcp_syncookies is 0" in fate.reason


@pytest.mark.parametrize(
    ("depth", "abort", "verdict"),
    [
        (8, 0, Verdict.QUEUED),
        (9, 0, Verdict.IGNORED),
        (9, None, Verdict.IGNORED),
        (9, 1, Verdict.RESET),
        (8, 1, Verdict.QUEUED),
    ],
)
def test_the_next_ack(depth: int, abort: int | None, verdict: Verdict) -> None:
    fate = next_ack(ListenQueue(depth, 8), Sysctls(tcp_abort_on_overflow=abort))
    assert fate.verdict is verdict
    assert ("ListenOverflows" in fate.counters) == (depth == 9)


# Half-open requests that a flood of SYNs left in a live listener: limit, tcp_max_syn_backlog,
# tcp_syncookies, held.
@pytest.mark.parametrize(
    ("limit", "most", "cookies", "held"),
    [
        (4, 8, 0, 5),
        (10, 8, 0, 7),
        (16, 16, 0, 13),
        (300, 128, 0, 97),
        (128, 128, 0, 97),
        (100, 4, 0, 4),
        (100, 3, 0, 4),
        (100, 1, 0, 2),
        (0, 2048, 0, 1),
        (1, 2048, 0, 2),
        (4, 8, 1, 5),
        (10, 8, 1, 11),
        (10, 8, 2, 0),
    ],
)
def test_the_syn_queue(limit: int, most: int, cookies: int, held: int) -> None:
    sysctls = Sysctls(tcp_syncookies=cookies, tcp_max_syn_backlog=most)
    assert syn_queue_capacity(limit, sysctls) == held
    # The two rules are one: the SYN beyond is the first that finds no room.
    verdicts = [next_syn(ListenQueue(0, limit, n), sysctls).verdict for n in range(held + 1)]
    assert verdicts == [Verdict.ANSWERED] * held + [verdicts[-1]]
    assert verdicts[-1] is not Verdict.ANSWERED


@pytest.mark.parametrize(
    ("retries", "sent", "until"),
    [
        (0, (0,), 1),
        (2, (0, 1, 3), 7),
        (5, (0, 1, 3, 7, 15, 31), 63),
        (8, (0, 1, 3, 7, 15, 31, 63, 127, 247), 367),
    ],
)
def test_syn_ack_schedule(retries: int, sent: tuple[int, ...], until: int) -> None:
    assert synack_schedule(retries) == (sent, until)


# Sent by a live client into the void; the last two rows are the kernel's documentation of its
# defaults (tcp_syn_retries in ip-sysctl) and of the time before linear timeouts.
@pytest.mark.parametrize(
    ("retries", "linear", "sent", "until"),
    [
        (1, 0, (0, 1), 3),
        (2, 0, (0, 1, 3), 7),
        (3, 0, (0, 1, 3, 7), 15),
        (1, 4, (0, 1, 2), 3),
        (2, 1, (0, 1, 2, 4), 8),
        (2, 4, (0, 1, 2, 3, 4, 5), 7),
        (3, 4, (0, 1, 2, 3, 4, 5, 7, 11), 19),
        (4, 4, (0, 1, 2, 3, 4, 5, 7, 11, 19), 35),
        (6, 4, (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67), 131),
        (6, 0, (0, 1, 3, 7, 15, 31, 63), 127),
    ],
)
def test_syn_schedule(retries: int, linear: int, sent: tuple[int, ...], until: int) -> None:
    assert syn_schedule(retries, linear) == (sent, until)


def test_a_patient_client_waits_two_minutes_between_tries() -> None:
    schedule = syn_schedule(9, 0)
    assert schedule.sent == (0, 1, 3, 7, 15, 31, 63, 127, 247, 367)
    assert schedule.until == 487


# --- the model of TCP has the same rules, in a form that covers other systems too ---

SMALL = st.integers(0, 12)


@given(SMALL, SMALL, SMALL, st.sampled_from([0, 1]), SMALL)
def test_the_model_agrees(depth: int, limit: int, half_open: int, cookies: int, most: int) -> None:
    sizes = Sizes(limit, limit, most)
    counts = {Counted.ACCEPT_QUEUE: depth, Counted.SYN_QUEUE: half_open}
    modelled = Verdict.ANSWERED
    for gate in LINUX_6_18.syn_gates:
        if cookies and gate.condition is Condition.WITHOUT_SYNCOOKIES:
            continue
        if counts[gate.ceiling.counted] >= gate.ceiling.capacity(sizes):
            cookie = gate.verdict is Gated.COOKIE and cookies
            modelled = Verdict.COOKIE if cookie else Verdict.DROPPED
            if not cookie:
                break
    queue = ListenQueue(depth, limit, half_open)
    sysctls = Sysctls(tcp_syncookies=cookies, tcp_max_syn_backlog=most)
    assert next_syn(queue, sysctls).verdict is modelled
    assert LINUX_6_18.ack_gate is not None
    full = depth >= LINUX_6_18.ack_gate.ceiling.capacity(sizes)
    assert (next_ack(queue, sysctls).verdict is Verdict.IGNORED) is full


@given(st.integers(0, 12))
def test_the_models_schedule_agrees(retries: int) -> None:
    intervals = [LINUX_6_18.schedule.interval(n, 120 * SECOND) for n in range(retries + 1)]
    times = [sum(intervals[:n]) // SECOND for n in range(retries + 2)]
    assert synack_schedule(retries) == (tuple(times[:-1]), times[-1])
