"""Sequence numbers, near zero above all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.tcp_model.seqnum import (
    MODULUS,
    add,
    after,
    before,
    distance,
    overlaps_window,
)

numbers = st.integers(0, MODULUS - 1)
steps = st.integers(1, MODULUS // 2 - 1)


@given(numbers, steps)
def test_a_step_forward_is_after(number: int, step: int) -> None:
    later = add(number, step)
    assert before(number, later)
    assert after(later, number)
    assert not after(number, later)
    assert distance(number, later) == step
    assert distance(later, number) == -step


@given(numbers)
def test_a_number_is_neither_before_nor_after_itself(number: int) -> None:
    assert not before(number, number)
    assert not after(number, number)
    assert distance(number, number) == 0


@pytest.mark.parametrize(
    ("seq", "end_seq", "start", "size", "inside"),
    # [RFC9293 §3.4] the table of the acceptability test, the window at the end of the circle
    [
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, True),
        (0, 0, 0xFFFFFFFF, 0, False),
        (0, 0, 0xFFFFFFFF, 2, True),
        (1, 1, 0xFFFFFFFF, 2, True),
        (2, 2, 0xFFFFFFFF, 2, False),
        (0xFFFFFFFE, 0, 0xFFFFFFFF, 2, True),
        (0xFFFFFFFD, 0xFFFFFFFF, 0xFFFFFFFF, 2, False),
        (1, 5, 0xFFFFFFFF, 2, False),
        (0, 5, 0xFFFFFFFF, 2, True),
    ],
)
def test_overlap_with_the_window(
    seq: int, end_seq: int, start: int, size: int, inside: bool
) -> None:
    assert overlaps_window(seq, end_seq, start, size) is inside
