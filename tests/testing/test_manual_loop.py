import socket

import pytest

from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop


def test_time_stands_still_until_it_is_moved() -> None:
    loop = ManualLoop()
    before = loop.time()
    called: list[str] = []
    loop.call_later(2, called.append, "b")
    loop.call_at(before + 1, called.append, "a")
    loop.call_later(2, called.append, "c")
    loop.settle()
    assert (loop.time(), called) == (before, [])
    assert loop.timers() == [1, 2, 2]
    loop.advance(1.5)
    assert (loop.time(), called) == (before + 1.5, ["a"])
    loop.advance(1.5)
    assert called == ["a", "b", "c"]
    assert loop.timers() == []


def test_a_timer_that_was_cancelled() -> None:
    loop = ManualLoop()
    called: list[str] = []
    loop.call_later(1, called.append, "never").cancel()
    assert loop.timers() == []
    loop.advance(2)
    assert called == []


def test_a_timer_sees_its_own_time_and_may_arm_another() -> None:
    loop = ManualLoop()
    seen: list[float] = []
    began = loop.time()

    def tick() -> None:
        seen.append(loop.time() - began)
        loop.call_later(1, tick)

    loop.call_later(1, tick)
    loop.advance(3.5)
    assert seen == [1, 2, 3]


def test_what_is_overdue_is_called_now() -> None:
    loop = ManualLoop()
    called: list[float] = []
    loop.call_later(-5, lambda: called.append(loop.time()))
    now = loop.time()
    loop.advance(0)
    assert called == [now]


def test_descriptors_are_real() -> None:
    loop = ManualLoop()
    inner, outer = pair()
    seen: list[str] = []
    loop.add_reader(inner.fileno(), lambda: seen.append(inner.recv(10).decode()))
    loop.settle()
    outer.send(b"hello")
    loop.settle()
    assert seen == ["hello"]
    loop.add_writer(inner.fileno(), seen.append, "writable")
    loop.advance(0)
    assert seen == ["hello", "writable"]
    assert loop.remove_writer(inner.fileno())
    assert not loop.remove_writer(inner.fileno())
    assert loop.remove_reader(inner.fileno())
    inner.close()
    outer.close()


def test_a_reader_that_was_removed_in_the_same_turn_is_not_called() -> None:
    loop = ManualLoop()
    pairs = [pair(), pair()]
    called: list[int] = []

    def ready(number: int) -> None:
        called.append(number)
        for inner, _ in pairs:
            loop.remove_reader(inner.fileno())

    for number, (inner, outer) in enumerate(pairs):
        loop.add_reader(inner.fileno(), ready, number)
        outer.send(b"x")
    loop.settle()
    assert len(called) == 1
    for sock in (sock for both in pairs for sock in both):
        sock.close()


def test_a_spin_is_found() -> None:
    loop = ManualLoop()
    inner, outer = pair()
    loop.add_writer(inner.fileno(), lambda: None)
    with pytest.raises(AssertionError, match="again and again"):
        loop.settle()
    inner.close()
    outer.close()


def test_waits_for_a_condition_without_moving_time() -> None:
    loop = ManualLoop()
    inner, outer = pair()
    received: list[bytes] = []
    loop.add_reader(inner.fileno(), lambda: received.append(inner.recv(10)))
    loop.call_later(1, received.append, b"too late")
    outer.send(b"x")
    outer.shutdown(socket.SHUT_WR)
    loop.run_until(lambda: b"" in received)
    assert received[0] == b"x"
    assert loop.timers() == [1]
    inner.close()
    outer.close()


def test_what_a_callback_raises_reaches_the_test() -> None:
    loop = ManualLoop()
    loop.call_later(1, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.advance(1)


def test_there_is_nothing_to_close() -> None:
    assert ManualLoop().is_closed()
