"""How a duration varies: constant, anywhere between two bounds, or without memory."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import TypeAlias

from ..tcp_model.instant import Duration

__all__ = ["Constant", "Exponential", "Spread", "Uniform"]

Draw: TypeAlias = Callable[[], Duration]


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same."""

    value: Duration

    @property
    def mean(self) -> Duration:
        """The value."""
        return self.value

    @property
    def variation(self) -> float:
        """The squared coefficient of variation, which queueing formulas ask for."""
        return 0.0

    def drawer(self, source: random.Random) -> Draw:
        """What gives one value after the other."""
        value = self.value
        return lambda: value


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anywhere from ``least`` to ``most``, each as likely."""

    least: Duration
    most: Duration

    @property
    def mean(self) -> Duration:
        """The middle."""
        return (self.least + self.most) // 2

    @property
    def variation(self) -> float:
        """As above."""
        total = self.least + self.most
        return (self.most - self.least) ** 2 / 3 / total**2 if total else 0.0

    def drawer(self, source: random.Random) -> Draw:
        """What gives one value after the other."""
        least, span, chance = self.least, self.most - self.least + 1, source.random
        return lambda: least + int(span * chance())


@dataclass(frozen=True, slots=True)
class Exponential:
    """Mostly short and sometimes long: what has lasted says nothing of what remains."""

    mean: Duration

    @property
    def variation(self) -> float:
        """As above."""
        return 1.0 if self.mean else 0.0

    def drawer(self, source: random.Random) -> Draw:
        """What gives one value after the other."""
        # As random.expovariate does, without a call of a Python function for each.
        mean, chance = self.mean, source.random
        return lambda: round(mean * -log(1.0 - chance()))


Spread: TypeAlias = Constant | Uniform | Exponential
