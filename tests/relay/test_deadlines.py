import pytest

from annotated_shadowsocks.relay.deadlines import DeadlineQueue
from annotated_shadowsocks.testing.manual_loop import ManualLoop


class Fixture:
    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.expired: list[str] = []
        self.queue: DeadlineQueue[str] = DeadlineQueue(self.loop, 10.0, self.expired.append)


@pytest.fixture
def made() -> Fixture:
    return Fixture()


def test_each_is_due_once_and_in_order(made: Fixture) -> None:
    for name in "abc":
        made.queue.add(name)
        made.loop.advance(1)
    assert made.queue.oldest() == "a"
    assert made.queue.due("b") == made.queue.due("a") + 1
    made.loop.advance(6.5)
    assert made.expired == []
    made.loop.advance(1)
    assert made.expired == ["a"]
    assert len(made.queue) == 2
    made.loop.advance(100)
    assert made.expired == ["a", "b", "c"]
    assert len(made.queue) == 0
    assert made.loop.timers() == []


def test_any_number_shares_one_timer(made: Fixture) -> None:
    for number in range(1000):
        made.queue.add(str(number))
    assert made.loop.timers() == [10]


def test_what_was_discarded_is_never_due(made: Fixture) -> None:
    made.queue.add("a")
    made.queue.add("b")
    made.queue.discard("a")
    made.queue.discard("a")
    made.queue.discard("never here")
    made.loop.advance(20)
    assert made.expired == ["b"]


def test_adding_again_starts_anew(made: Fixture) -> None:
    made.queue.add("a")
    made.queue.add("b")
    made.loop.advance(9)
    made.queue.add("a")
    made.loop.advance(2)
    assert made.expired == ["b"]
    made.loop.advance(7)
    assert made.expired == ["b"]
    made.loop.advance(1)
    assert made.expired == ["b", "a"]


def test_a_timer_that_finds_nothing_due_waits_for_the_next(made: Fixture) -> None:
    made.queue.add("a")
    made.loop.advance(5)
    made.queue.add("b")
    made.queue.discard("a")
    made.loop.advance(5)
    assert made.expired == []
    assert made.loop.timers() == [5]


def test_clear_forgets_all_and_the_timer(made: Fixture) -> None:
    made.queue.add("a")
    made.queue.clear()
    made.queue.clear()
    assert made.loop.timers() == []
    made.queue.add("b")
    made.loop.advance(10)
    assert made.expired == ["b"]


def test_an_expiry_may_discard_another(made: Fixture) -> None:
    expired: list[str] = []

    def expire(name: str) -> None:
        expired.append(name)
        queue.discard("b")

    queue: DeadlineQueue[str] = DeadlineQueue(made.loop, 1.0, expire)
    for name in "abc":
        queue.add(name)
    made.loop.advance(1)
    assert expired == ["a", "c"]


def test_an_expiry_may_add(made: Fixture) -> None:
    expired: list[str] = []

    def expire(name: str) -> None:
        expired.append(name)
        if len(expired) < 3:
            queue.add(name)

    queue: DeadlineQueue[str] = DeadlineQueue(made.loop, 1.0, expire)
    queue.add("a")
    queue.add("b")
    made.loop.advance(1)
    assert expired == ["a", "b"]
    assert made.loop.timers() == [1]
    made.loop.advance(1)
    assert expired == ["a", "b"] * 2
    assert made.loop.timers() == []


def test_one_that_raises_does_not_keep_the_others(made: Fixture) -> None:
    expired: list[str] = []

    def expire(name: str) -> None:
        if name == "a":
            raise ZeroDivisionError
        expired.append(name)

    queue: DeadlineQueue[str] = DeadlineQueue(made.loop, 1.0, expire)
    for name in "abc":
        queue.add(name)
    with pytest.raises(ZeroDivisionError):
        made.loop.advance(1)
    made.loop.advance(1)
    assert expired == ["b", "c"]
    assert made.loop.timers() == []
