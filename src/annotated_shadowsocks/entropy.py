"""Randomness as an argument, so that a whole session can be repeated byte for byte."""

from collections.abc import Callable

__all__ = ["Entropy"]

#: Returns exactly *n* unpredictable octets. The real one is ``system.entropy``.
Entropy = Callable[[int], bytes]
