import asyncio
import logging
import os
import select
import socket
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from annotated_shadowsocks.relay.event_loop import RelayEventLoop
from annotated_shadowsocks.relay.poller import (
    BATCH,
    ERROR,
    HANGUP,
    READ,
    WRITE,
    EpollPoller,
    LoopPoller,
    Poller,
    new_poller,
)
from annotated_shadowsocks.testing.loopback import abort, pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.testing.relay import GROUNDS

POLLERS = {"epoll": EpollPoller, "loop": LoopPoller}


class Recorder:
    """A watcher that notes what it is told, and then does as it was asked to."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.told: list[int] = []
        self.abandoned: list[Exception] = []
        self._then = then

    def ready(self, events: int) -> None:
        self.told.append(events)
        self._then()

    def abandon(self, error: Exception) -> None:
        self.abandoned.append(error)


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture(params=POLLERS)
def poller(request: pytest.FixtureRequest, loop: ManualLoop) -> Iterator[Poller]:
    poller = POLLERS[request.param](loop)
    yield poller
    poller.stop()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    inner, outer = pair()
    yield inner, outer
    inner.close()
    outer.close()


Ends = tuple[socket.socket, socket.socket]


def test_tells_what_was_asked_for(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    recorder = Recorder()
    poller.watch(inner, READ, recorder)
    assert len(poller) == 1
    loop.settle()
    assert recorder.told == []
    outer.send(b"x")
    loop.advance(0)
    assert recorder.told == [READ]
    poller.watch(inner, WRITE, recorder)
    loop.advance(0)
    assert recorder.told == [READ, WRITE]


def test_tells_again_until_it_was_dealt_with(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    recorder = Recorder()
    poller.watch(inner, READ, recorder)
    outer.send(b"x")
    for _ in range(3):
        loop.advance(0)
    assert recorder.told == [READ] * 3
    inner.recv(1)
    loop.settle()
    assert len(recorder.told) == 3


def test_another_watcher_takes_over(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    one, two = Recorder(), Recorder()
    poller.watch(inner, READ, one)
    poller.watch(inner, READ, two)
    assert len(poller) == 1
    outer.send(b"x")
    loop.advance(0)
    assert (one.told, two.told) == ([], [READ])


def test_epoll_is_asked_only_for_what_is_new(loop: ManualLoop, ends: Ends) -> None:
    class Epoll:
        def __init__(self) -> None:
            self.asked: list[tuple[str, int]] = []

        def register(self, fd: int, events: int) -> None:
            self.asked.append(("register", events))

        def modify(self, fd: int, events: int) -> None:
            self.asked.append(("modify", events))

        def unregister(self, fd: int) -> None:
            self.asked.append(("unregister", 0))

    epoll = Epoll()
    poller = EpollPoller(loop, cast("select.epoll", epoll))
    for events in (READ, READ, WRITE, WRITE):
        poller.watch(ends[0], events, Recorder())
    poller.forget(ends[0])
    poller.watch(ends[0], WRITE, Recorder())
    assert epoll.asked == [
        ("register", READ),
        ("modify", WRITE),
        ("unregister", 0),
        ("register", WRITE),
    ]


def test_forgets_and_watches_again(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    recorder = Recorder()
    outer.send(b"x")
    poller.watch(inner, READ, recorder)
    poller.forget(inner)
    poller.forget(inner)
    assert len(poller) == 0
    loop.settle()
    assert recorder.told == []
    poller.watch(inner, READ, recorder)
    loop.advance(0)
    assert recorder.told == [READ]


def test_no_events_is_no_interest(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    recorder = Recorder()
    poller.watch(inner, 0, recorder)
    outer.send(b"x")
    outer.shutdown(socket.SHUT_WR)
    loop.settle()
    assert recorder.told == []


def test_epoll_tells_of_a_reset_without_being_asked(loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    poller = EpollPoller(loop)
    recorder = Recorder(lambda: poller.close(inner))
    poller.watch(inner, 0, recorder)
    abort(outer)
    loop.settle()
    poller.stop()
    assert recorder.told == [ERROR | HANGUP]


def test_the_constants_are_the_kernels() -> None:
    assert (READ, WRITE) == (select.EPOLLIN, select.EPOLLOUT)
    assert (ERROR, HANGUP) == (select.EPOLLERR, select.EPOLLHUP)


# -- closing --------------------------------------------------------------------------------------


def test_closes_at_once_between_batches(poller: Poller, ends: Ends) -> None:
    inner, outer = ends
    poller.watch(inner, READ, Recorder())
    poller.close(inner)
    assert inner.fileno() == -1
    assert len(poller) == 0
    assert outer.recv(1) == b""


def test_closes_what_was_never_watched_and_what_is_closed(poller: Poller, ends: Ends) -> None:
    inner, _ = ends
    poller.close(inner)
    poller.close(inner)
    poller.forget(inner)
    assert inner.fileno() == -1


def test_survives_a_descriptor_that_was_closed_behind_its_back(
    poller: Poller, loop: ManualLoop
) -> None:
    (one, peer_of_one), (two, peer_of_two) = pair(), pair()
    for sock in one, two:
        poller.watch(sock, READ, Recorder())
    os.close(one.fileno())
    poller.close(one)
    poller.close(two)
    assert two.fileno() == -1
    assert peer_of_two.recv(1) == b""
    peer_of_one.close()
    peer_of_two.close()


def test_says_that_descriptors_were_freed(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    freed: list[int] = []
    poller.on_freed.append(lambda: freed.append(inner.fileno()))
    poller.watch(inner, READ, Recorder(lambda: poller.close(inner)))
    outer.send(b"x")
    loop.settle()
    assert freed == [-1]


def test_epoll_closes_behind_the_batch(loop: ManualLoop) -> None:
    poller = EpollPoller(loop)
    pairs = [pair(), pair()]
    still_open: list[bool] = []

    def end_both() -> None:
        for inner, _ in pairs:
            poller.close(inner)
        still_open.extend(inner.fileno() >= 0 for inner, _ in pairs)

    recorders = [Recorder(end_both), Recorder(end_both)]
    for (inner, outer), recorder in zip(pairs, recorders, strict=True):
        poller.watch(inner, READ, recorder)
        outer.send(b"x")
    loop.settle()
    poller.stop()
    # Whoever was told first ended both, and the other one was not told any more.
    assert sorted(len(recorder.told) for recorder in recorders) == [0, 1]
    assert still_open == [True, True]
    assert [inner.fileno() for inner, _ in pairs] == [-1, -1]
    for _, outer in pairs:
        outer.close()


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_number_that_is_given_out_again_brings_no_strangers_event(ground: str) -> None:
    new_loop, new = GROUNDS[ground]

    async def main() -> None:
        poller = new(asyncio.get_running_loop())
        pairs = [pair(), pair()]
        # No gap below them, so that the next descriptor takes the number that becomes free first.
        gaps = []
        while (gap := os.dup(0)) < max(inner.fileno() for inner, _ in pairs):
            gaps.append(gap)
        os.close(gap)
        stranger = Recorder()
        newcomers: list[socket.socket] = []

        def replace_both() -> None:
            for inner, _ in pairs:
                poller.close(inner)
            for _ in pairs:
                newcomers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                poller.watch(newcomers[-1], READ, stranger)

        for inner, outer in pairs:
            outer.send(b"x")
            poller.watch(inner, READ, Recorder(replace_both))
        while not newcomers:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(newcomers) == 2
        assert stranger.told == []
        for sock in newcomers:
            poller.close(sock)
        poller.stop()
        for gap in gaps:
            os.close(gap)
        for _, outer in pairs:
            outer.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


# -- what watchers raise --------------------------------------------------------------------------


def boom() -> None:
    raise ZeroDivisionError("boom")


def test_a_crash_ends_one_connection(
    poller: Poller, loop: ManualLoop, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = [pair(), pair(), pair()]
    recorders = [Recorder(boom), Recorder(), Recorder(boom)]
    for (inner, outer), recorder in zip(pairs, recorders, strict=True):
        poller.watch(inner, READ, recorder)
        outer.send(b"x")
    loop.advance(0)
    assert [recorder.told for recorder in recorders] == [[READ]] * 3
    assert [len(recorder.abandoned) for recorder in recorders] == [1, 0, 1]
    lines = [record.getMessage() for record in caplog.records]
    assert (
        lines
        == [
            "internal error, connection abandoned: ZeroDivisionError('boom')",
        ]
        * 2
    )
    for inner, outer in pairs:
        poller.close(inner)
        outer.close()


def test_the_traceback_is_for_those_who_ask(
    poller: Poller, loop: ManualLoop, ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inner, outer = ends
    poller.watch(inner, READ, Recorder(boom))
    outer.send(b"x")
    loop.advance(0)
    assert [record.levelname for record in caplog.records] == ["ERROR", "DEBUG"]
    assert "ZeroDivisionError" in caplog.text


class Helpless(Recorder):
    def abandon(self, error: Exception) -> None:
        super().abandon(error)
        raise RuntimeError("no way out")


def test_a_watcher_that_cannot_even_be_abandoned_is_not_told_for_ever(
    poller: Poller, loop: ManualLoop, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = [pair(), pair()]
    helpless, other = Helpless(boom), Recorder(lambda: pairs[1][0].recv(1))
    for (inner, outer), recorder in zip(pairs, (helpless, other), strict=True):
        poller.watch(inner, READ, recorder)
        outer.send(b"x")
    loop.settle()
    assert len(helpless.told) == len(helpless.abandoned) == 1
    assert other.told == [READ]
    assert len(poller) == 1
    assert "not closed: RuntimeError('no way out')" in caplog.text
    for inner, outer in pairs:
        poller.close(inner)
        outer.close()


# -- the loop -------------------------------------------------------------------------------------


def test_more_events_than_a_batch_are_all_told(poller: Poller, loop: ManualLoop) -> None:
    # More than one look at the kernel brings.
    count = BATCH + 10
    recorders = []
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        recorders.append(Recorder())
        poller.watch(sock, WRITE, recorders[-1])
    loop.advance(0)
    assert all(recorder.told for recorder in recorders)
    for sock in sockets:
        poller.close(sock)


def test_stops_twice(poller: Poller, loop: ManualLoop, ends: Ends) -> None:
    inner, outer = ends
    recorder = Recorder()
    poller.watch(inner, READ, recorder)
    poller.stop()
    poller.stop()
    outer.send(b"x")
    loop.settle()
    assert recorder.told == []


def test_the_best_poller_that_there_is(monkeypatch: pytest.MonkeyPatch, loop: ManualLoop) -> None:
    poller = new_poller(loop)
    assert isinstance(poller, EpollPoller)
    poller.stop()
    inside = RelayEventLoop()
    assert new_poller(inside) is inside.poller
    inside.close()
    monkeypatch.delattr(select, "epoll")
    assert isinstance(new_poller(loop), LoopPoller)
