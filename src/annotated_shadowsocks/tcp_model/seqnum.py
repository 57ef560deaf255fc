"""Sequence numbers: arithmetic modulo 2^32, where "before" is a question of the shorter way.

[RFC9293 §3.4] The number space is a circle. Two numbers closer than half of it have an order,
and nobody may compare two that are farther apart.
"""

from typing import TypeAlias

__all__ = ["MODULUS", "SeqNum", "add", "after", "before", "distance", "overlaps_window"]

#: An integer in [0, 2^32).
SeqNum: TypeAlias = int

MODULUS = 1 << 32
_MASK = MODULUS - 1
_HALF = 1 << 31


def add(number: SeqNum, count: int) -> SeqNum:
    """The number ``count`` further along the circle."""
    return (number + count) & _MASK


def distance(start: SeqNum, end: SeqNum) -> int:
    """How far ``end`` lies ahead of ``start``, in [-2^31, 2^31)."""
    return ((end - start + _HALF) & _MASK) - _HALF


def before(first: SeqNum, second: SeqNum) -> bool:
    """Whether ``first`` is earlier than ``second``."""
    return (first - second) & _MASK >= _HALF


def after(first: SeqNum, second: SeqNum) -> bool:
    """Whether ``first`` is later than ``second``."""
    return (second - first) & _MASK >= _HALF


def overlaps_window(seq: SeqNum, end_seq: SeqNum, window_start: SeqNum, window_size: int) -> bool:
    """Whether a segment from ``seq`` up to ``end_seq`` has anything inside a receive window.

    [RFC9293 §3.4] An empty segment may stand on either edge, also of a window of size zero.
    """
    window_end = add(window_start, window_size)
    if seq == window_start:
        return True
    if after(end_seq, window_start) and before(seq, window_end):
        return True
    return seq == window_end and seq == end_seq
