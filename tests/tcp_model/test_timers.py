"""Deadlines: the earliest first, the latest word counts."""

from dataclasses import dataclass

from annotated_shadowsocks.tcp_model.timers import Timers


@dataclass(eq=False)
class Block:
    name: str
    deadline: int | None = None


def test_the_earliest_is_next_and_equals_keep_their_order() -> None:
    timers: Timers[Block] = Timers()
    late, one, two = Block("late"), Block("one"), Block("two")
    for block, at in ((late, 9), (one, 5), (two, 5)):
        timers.arm(block, at)
    assert timers.next() == 5
    assert [timers.pop(5), timers.pop(5), timers.pop(5)] == [one, two, None]
    assert one.deadline is None
    assert timers.pop(9) is late
    assert timers.next() is None


def test_a_new_deadline_replaces_the_old() -> None:
    timers: Timers[Block] = Timers()
    block = Block("block")
    timers.arm(block, 5)
    timers.arm(block, 9)
    assert timers.pop(8) is None
    timers.arm(block, 3)
    assert timers.next() == 3
    assert timers.pop(9) is block
    assert timers.pop(9) is None


def test_a_cancelled_deadline_never_comes() -> None:
    timers: Timers[Block] = Timers()
    block = Block("block")
    timers.arm(block, 5)
    block.deadline = None
    assert timers.next() is None
