"""What happens next."""

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from annotated_shadowsocks.simulator.agenda import Agenda


@dataclass(eq=False)
class Subject:
    name: int
    deadline: int | None = None


def test_events_happen_in_the_order_of_time_and_then_of_asking() -> None:
    agenda = Agenda()
    happened: list[tuple[int, str]] = []

    def action(subject: str, now: int) -> None:
        happened.append((now, subject))

    for at, name in ((5, "a"), (3, "b"), (5, "c")):
        agenda.at(at, action, name)
    agenda.run()
    assert happened == [(3, "b"), (5, "a"), (5, "c")]
    assert not agenda


@given(st.lists(st.tuples(st.integers(0, 1 << 22), st.integers(0, 1 << 21)), max_size=40))
def test_pages_change_nothing(pairs: list[tuple[int, int]]) -> None:
    # Each event asks for another when it happens: on its own page, or some pages on.
    agenda = Agenda()
    happened: list[tuple[int, int]] = []

    def action(subject: tuple[int, int | None], now: int) -> None:
        number, later = subject
        happened.append((now, number))
        if later is not None:
            agenda.at(now + later, action, (number + len(pairs), None))

    for number, (at, later) in enumerate(pairs):
        agenda.at(at, action, (number, later))
    agenda.run()
    asked = [(at, number) for number, (at, _) in enumerate(pairs)]
    asked += [(at + later, number + len(pairs)) for number, (at, later) in enumerate(pairs)]
    assert sorted(happened) == sorted(asked)
    assert [at for at, _ in happened] == sorted(at for at, _ in asked)


def test_segments_come_before_timers() -> None:
    agenda = Agenda()
    happened: list[Any] = []
    lane = agenda.lane(lambda subject, now: happened.append(subject.name))
    lane.alarm(7, Subject(1))
    agenda.at(7, lambda subject, now: happened.append("segment"), None)
    agenda.run()
    assert happened == ["segment", 1]


def test_a_timer_that_was_set_anew_fires_once() -> None:
    agenda = Agenda()
    happened: list[int] = []
    lane = agenda.lane(lambda subject, now: happened.append(now))
    one, other = Subject(1), Subject(2)
    lane.alarm(3, one)
    lane.alarm(4, other)
    lane.alarm(9, one)
    other.deadline = None
    agenda.run()
    assert happened == [9]
    assert one.deadline is None


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans())))
def test_a_lane_is_a_heap(timers: list[tuple[int, bool]]) -> None:
    agenda = Agenda()
    fired: list[tuple[int, int]] = []
    lane = agenda.lane(lambda subject, now: fired.append((now, subject.name)))
    kept = []
    for number, (at, cancelled) in enumerate(timers):
        subject = Subject(number)
        lane.alarm(at, subject)
        if cancelled:
            subject.deadline = None
        else:
            kept.append((at, number))
    agenda.run()
    assert fired == sorted(kept)
