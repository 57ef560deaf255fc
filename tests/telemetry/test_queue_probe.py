"""The probe: what it sees of real queues, what it makes of what the kernel tells, and garbage."""

import errno
import logging
import os
import socket
from collections.abc import Iterator, Mapping

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.relay.sockets import accept_queue
from annotated_shadowsocks.telemetry.figures import Figures
from annotated_shadowsocks.telemetry.queue_probe import QueueProbe, Readings
from annotated_shadowsocks.testing.queues import StalledListener, until


class Kernel:
    """What a kernel would tell."""

    def __init__(self) -> None:
        self.drops: dict[int, int | None] = {}
        self.overflows = 1000
        self.broken: Exception | None = None
        self.bound = 4096

    def readings(self) -> Readings:
        return Readings(
            lambda: self.told(self.drops),
            lambda: self.told({"ListenOverflows": self.overflows, "ListenDrops": self.overflows}),
            lambda family, port: self.told({0: 3})[0],
            somaxconn=lambda: self.bound,
        )

    def told(self, answer: Mapping) -> Mapping:  # type: ignore[type-arg]
        if self.broken is not None:
            raise self.broken
        return answer


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def stalled() -> Iterator[StalledListener]:
    with StalledListener(8) as one:
        yield one


def seen(probe: QueueProbe, name: str, at: StalledListener, *labels: str) -> float:
    figures = Figures()
    probe.figures(figures)
    return figures.get(name, f"127.0.0.1:{at.port}", "all", *labels)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


# -- the live kernel ------------------------------------------------------------------------------


def test_a_real_queue_that_overflows(
    stalled: StalledListener, caplog: pytest.LogCaptureFixture
) -> None:
    probe = QueueProbe()
    probe.watch([(stalled.sock, None)], 8)
    probe.look(0.0)
    assert seen(probe, "listener_backlog_asked", stalled) == 8
    assert seen(probe, "listener_accept_queue_limit", stalled) == 8
    assert probe.crowded() == [] and not warnings(caplog)
    # listen(n) admits n + 1, and turns away who comes then.
    stalled.fill(9)
    before = seen(probe, "listen_overflows_total", stalled)
    stalled.knock(2)

    def lost() -> bool:
        probe.look(0.5)
        return seen(probe, "listener_overflows_total", stalled, "socket") >= 2

    until(lost)
    assert seen(probe, "listener_accept_queue_depth", stalled) == 9
    assert seen(probe, "listener_accept_queue_high_water", stalled) == 9
    assert seen(probe, "listener_drops_total", stalled) >= 2
    figures = Figures()
    probe.figures(figures)
    assert figures.get("listen_overflows_total") >= before + 2
    assert probe.crowded() == [f"the accept queue of 127.0.0.1:{stalled.port} is at 9 of 8"]
    assert probe.status() == f"accept queue 9/8 at 127.0.0.1:{stalled.port}"
    probe.close()
    [warning] = warnings(caplog)
    assert warning.startswith(f"the accept queue of 127.0.0.1:{stalled.port} was at 9 of 8: ")
    assert warning.endswith("; backlog auto instead of 8, or backlog_adaptive, or more workers")


def test_a_queue_grows_before_it_is_full(
    stalled: StalledListener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    probe = QueueProbe()
    probe.watch([(stalled.sock, None)], 8, adaptive=True)
    stalled.fill(6)
    probe.glance()
    assert stalled.queue() == (6, 8)
    stalled.fill(1)
    probe.glance()
    assert stalled.queue() == (7, 16)
    assert seen(probe, "listener_backlog_asked", stalled) == 16
    assert seen(probe, "listener_accept_queue_limit", stalled) == 16
    assert f"127.0.0.1:{stalled.port} may hold 16 instead of 8: it was at 7" in caplog.text
    # Twice what there was room for has come, and nobody was turned away.
    stalled.fill(10)
    probe.look(1.0)
    assert stalled.queue() == (17, 32)
    assert seen(probe, "listener_overflows_total", stalled, "socket") == 0
    probe.close()


def test_a_bound_that_is_raised_while_we_run_is_noticed(
    stalled: StalledListener, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    probe = QueueProbe(kernel.readings())
    kernel.bound = 8
    probe.watch([(stalled.sock, None)])
    probe.look(0.0)
    assert stalled.queue() == (0, 8)
    kernel.bound = 20
    probe.glance()
    assert stalled.queue() == (0, 8)
    probe.look(1.0)
    assert stalled.queue() == (0, 20)
    assert "may hold 20 instead of 8: net.core.somaxconn is 20" in caplog.text
    kernel.bound = 4
    probe.look(2.0)
    assert stalled.queue() == (0, 20)


# -- whose overflows they are ---------------------------------------------------------------------


def test_each_listener_answers_for_its_own_drops(kernel: Kernel) -> None:
    with StalledListener() as one, StalledListener() as two:
        kernel.drops = {one.cookie: 5, two.cookie: 7}
        probe = QueueProbe(kernel.readings())
        probe.watch([(one.sock, None), (two.sock, None)], 8)
        probe.look(0.0)
        kernel.overflows += 3
        kernel.drops = {one.cookie: 9, two.cookie: 7}
        probe.look(1.0)
        # Four dropped, one of them for another reason, or an ACK that counts twice.
        assert seen(probe, "listener_overflows_total", one, "socket") == 3
        assert seen(probe, "listener_overflows_total", two, "socket") == 0
        assert seen(probe, "listener_drops_total", one) == 9
        # A drop without an overflow is none: a stray segment, say.
        kernel.drops = {one.cookie: 10, two.cookie: 8}
        probe.look(2.0)
        assert seen(probe, "listener_overflows_total", one, "socket") == 3
        assert seen(probe, "listener_overflows_total", two, "socket") == 0


def test_an_overflow_between_two_readings_is_charged_by_the_next_look(
    stalled: StalledListener, kernel: Kernel
) -> None:
    kernel.drops = {stalled.cookie: 0}
    probe = QueueProbe(kernel.readings())
    probe.watch([(stalled.sock, None)], 8)
    probe.look(0.0)
    kernel.overflows += 2
    probe.look(1.0)
    kernel.drops = {stalled.cookie: 2}
    probe.look(2.0)
    assert seen(probe, "listener_overflows_total", stalled, "socket") == 2
    # Once: what nobody has dropped by then was another program's.
    kernel.overflows += 5
    probe.look(3.0)
    probe.look(4.0)
    kernel.drops = {stalled.cookie: 3}
    probe.look(5.0)
    assert seen(probe, "listener_overflows_total", stalled, "socket") == 2


def test_a_queue_that_filled_and_emptied_while_nobody_looked(
    stalled: StalledListener, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.drops = {stalled.cookie: 0}
    probe = QueueProbe(kernel.readings())
    probe.watch([(stalled.sock, None)], 8)
    probe.look(0.0)
    kernel.overflows += 2
    kernel.drops = {stalled.cookie: 2}
    probe.look(1.0)
    [warning] = warnings(caplog)
    assert " was full between two looks, which saw 0 of 8: 2 times a client was turned" in warning


def test_a_kernel_that_does_not_tell_whose_they_are(
    stalled: StalledListener, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.drops = {stalled.cookie: None}
    probe = QueueProbe(kernel.readings())
    probe.watch([(stalled.sock, None)], 8)
    probe.look(0.0)
    kernel.overflows += 4
    probe.look(1.0)
    assert seen(probe, "listener_overflows_total", stalled, "namespace") == 4
    [warning] = warnings(caplog)
    assert "4 times a client was turned away in this network namespace" in warning


# -- the log --------------------------------------------------------------------------------------


def test_one_line_a_second_at_most_however_many_queues(
    kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    with StalledListener(4) as one, StalledListener(4) as two:
        one.fill(4)
        two.fill(5)
        probe = QueueProbe(kernel.readings())
        probe.watch([(one.sock, None), (two.sock, None)], 4)
        for now in (0.0, 0.3, 0.9):
            probe.look(now)
        assert len(warnings(caplog)) == 1
        probe.look(1.0)
        assert len(warnings(caplog)) == 2
        # The one that is worse off, and how many more.
        assert f"127.0.0.1:{two.port} was at 5 of 4: nearly full; 1 other queues too" in caplog.text
        for each in (one, two):
            while each.queue()[0]:
                each.sock.accept()[0].close()
        probe.look(2.0)
        # What was between two looks is told with the second.
        assert len(warnings(caplog)) == 3
        probe.look(3.0)
        assert len(warnings(caplog)) == 3


# -- garbage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        ObserveError("TCP sockets", "the kernel's answer is malformed: cut off"),
        ObserveError("/proc/thread-self/net/netstat", "there is no such file", errno.ENOENT),
        ObserveError("TCP sockets", "netlink is not permitted here", errno.EPERM),
    ],
)
def test_what_cannot_be_read_is_told_once_and_the_rest_goes_on(
    broken: ObserveError,
    stalled: StalledListener,
    kernel: Kernel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernel.broken = broken
    probe = QueueProbe(kernel.readings())
    probe.watch([(stalled.sock, None)], 8)
    stalled.fill(5)
    for now in range(5):
        probe.look(float(now))
    assert seen(probe, "listener_accept_queue_depth", stalled) == 5
    assert warnings(caplog) == [f"{broken}; the queues are watched without it"]
    figures = Figures()
    probe.figures(figures)
    assert "shadowsocks_listen_overflows_total" not in figures.values
    kernel.broken = None
    kernel.drops = {stalled.cookie: 2}
    probe.look(6.0)
    assert seen(probe, "listener_drops_total", stalled) == 2


def test_a_listener_that_is_gone_or_unlike_any_other(
    stalled: StalledListener, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    probe = QueueProbe(kernel.readings())
    probe.watch([(stalled.sock, None)], 8)
    stalled.fill(3)
    # It vanishes between two readings: there is no row of it in the kernel's list.
    probe.look(0.0)
    stalled.sock.close()
    for now in (1.0, 2.0):
        probe.glance()
        probe.look(now)
    assert len(warnings(caplog)) == 1
    probe.watch([])
    probe.look(3.0)
    assert (probe.status(), probe.crowded()) == ("no listener", [])


def test_a_socket_that_will_not_listen_again(
    stalled: StalledListener, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    with Stubborn(fileno=os.dup(stalled.sock.fileno())) as sock:
        probe = QueueProbe(kernel.readings())
        probe.watch([(sock, None)])
        probe.look(0.0)
        probe.look(2.0)
        assert [w for w in warnings(caplog) if "again" in w] == [
            "listen(4096) again: Invalid argument; the queues are watched without it"
        ]


# -- Fast Open, and workers -----------------------------------------------------------------------


def test_the_fast_open_queue(kernel: Kernel) -> None:
    with StalledListener() as one:
        probe = QueueProbe(kernel.readings())
        probe.watch([(one.sock, None)], 8)
        probe.look(0.0)
        figures = Figures()
        probe.figures(figures)
        at = f"127.0.0.1:{one.port}"
        assert "shadowsocks_listener_fast_open_depth" not in figures.values
        one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        probe.look(1.0)
        probe.figures(figures)
        assert figures.get("listener_fast_open_limit", at, "all") == 5
        assert figures.get("listener_fast_open_depth", at) == 3


def test_each_workers_own_queue_is_shown_as_its_own(kernel: Kernel) -> None:
    with StalledListener(shared=True) as one, StalledListener(port=one.port, shared=True) as two:
        probe = QueueProbe(kernel.readings())
        probe.watch([(one.sock, 0), (two.sock, 1)], 8)
        one.connect(6)
        until(lambda: one.queue()[0] + two.queue()[0] == 6)
        probe.glance()
        figures = Figures()
        probe.figures(figures)
        at = f"127.0.0.1:{one.port}"
        for sock, worker in ((one.sock, "0"), (two.sock, "1")):
            depth = figures.get("listener_accept_queue_depth", at, worker)
            assert (depth, 8) == accept_queue(sock)


def test_what_was_seen_is_kept_when_the_listeners_change(kernel: Kernel) -> None:
    with StalledListener() as one, StalledListener() as two:
        probe = QueueProbe(kernel.readings())
        probe.watch([(one.sock, None)], 8)
        one.fill(4)
        probe.glance()
        while one.queue()[0]:
            one.sock.accept()[0].close()
        probe.watch([(two.sock, None), (one.sock, None)], 8)
        assert seen(probe, "listener_accept_queue_high_water", one) == 4
        assert seen(probe, "listener_accept_queue_high_water", two) == 0
        assert probe.status().endswith("(the fullest of 2)")
