"""When clients come: by chance, in step, in bursts, or when they came before.

Each process gives its instants one after the other, so a run of a million clients never holds a
list of them.
"""

import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log
from typing import TypeAlias

from ..errors import ConfigError
from ..tcp_model.instant import SECOND, Duration, Instant

__all__ = ["Arrivals", "Bursts", "Even", "Poisson", "Recorded", "merged", "read_timestamps"]


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent clients, ``rate`` a second on average, until ``end``."""

    rate: float
    end: Duration

    def instants(self, source: random.Random) -> Iterator[Instant]:
        """When each comes."""
        # As random.expovariate does, without a call of a Python function for each.
        chance, mean, at = source.random, SECOND / self.rate, 0.0
        while (at := at - mean * log(1.0 - chance())) < self.end:
            yield int(at)


@dataclass(frozen=True, slots=True)
class Even:
    """Clients in step, ``rate`` a second, until ``end``."""

    rate: float
    end: Duration

    def instants(self, source: random.Random) -> Iterator[Instant]:
        """When each comes."""
        for number in range(int(self.rate * self.end / SECOND)):
            yield int(number * SECOND / self.rate)


@dataclass(frozen=True, slots=True)
class Bursts:
    """``size`` clients at once, every ``period``, the first at ``start``; each burst takes
    ``width`` to come.
    """

    size: int
    period: Duration
    end: Duration
    start: Instant = 0
    width: Duration = 0

    def instants(self, source: random.Random) -> Iterator[Instant]:
        """When each comes."""
        for begin in range(self.start, self.end, self.period):
            for number in range(self.size):
                yield begin + number * self.width // self.size


@dataclass(frozen=True, slots=True)
class Recorded:
    """Instants that were seen, in order."""

    seen: tuple[Instant, ...]

    def instants(self, source: random.Random) -> Iterator[Instant]:
        """When each comes."""
        return iter(self.seen)


Arrivals: TypeAlias = Poisson | Even | Bursts | Recorded


def merged(processes: Iterable[Arrivals], seed: str) -> Iterator[Instant]:
    """All processes together, in the order of time, each with chances of its own."""
    return heapq.merge(
        *(
            process.instants(random.Random(f"{seed} {number}"))
            for number, process in enumerate(processes)
        )
    )


def read_timestamps(place: str, lines: Iterable[str]) -> Recorded:
    """Times in seconds, one a line, as a log or ``tshark -Tfields -e frame.time_epoch`` has them.

    The first becomes 0, and their order does not matter. Empty lines and those that begin with
    ``#`` are skipped. Raises ``ConfigError`` with ``place`` and the number of the line.
    """
    seen = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            # Not by way of a float: a time since 1970 has no room for nanoseconds in one.
            whole, _, fraction = text.partition(".")
            nanoseconds = int(f"{fraction or 0:0<9}"[:9])
            if not text.isascii() or not f"{whole or 0}{fraction}".isdecimal():
                raise ValueError(text)
        except ValueError:
            problem = f"{text[:40]!r} is no time in seconds"
            raise ConfigError(f"{place}:{number}", problem, "write one number a line") from None
        seen.append(int(whole or 0) * SECOND + nanoseconds)
    if not seen:
        raise ConfigError(place, "there is no time in it", "write one number of seconds a line")
    seen.sort()
    return Recorded(tuple(at - seen[0] for at in seen))
