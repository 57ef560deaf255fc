"""When a queue is full: the comparisons that systems make, as values.

Every system compares a count with a bound, and the famous differences between them are which
entries it counts, what the bound is, and whether it writes ``>`` or ``>=``. A ceiling says these
three; ``capacity`` is what follows from them, the number of entries that fit.

In formulas ``n`` counts the accept queue, ``n0`` the half-open requests, ``L`` is the listener's
limit and ``M`` ``tcp_max_syn_backlog``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from .named import Named

__all__ = [
    "Ceiling",
    "Counted",
    "Crowd",
    "Fixed",
    "LastQuarter",
    "Proportion",
    "Sizes",
    "SynTable",
]


class Counted(Named):
    """Which entries a system counts; the value is what formulas call them."""

    ACCEPT_QUEUE = "n"
    SYN_QUEUE = "n0"
    BOTH = "n + n0"
    #: One cache for all listeners of the host.
    SYN_CACHE = "all n0"


class Sizes(NamedTuple):
    """What a bound may depend on."""

    #: The listener's limit, from its latest listen().
    limit: int
    #: The same from its first one.
    first_limit: int
    max_syn_backlog: int


class Ceiling(ABC):
    """A count, a bound, and the comparison between them."""

    __slots__ = ()

    #: What is compared with the bound.
    counted: Counted
    #: Whether the source writes ``>=``, so that the bound itself is already too many.
    at_least: bool

    @abstractmethod
    def bound(self, sizes: Sizes) -> int:
        """The number that the count is compared with."""

    @property
    @abstractmethod
    def formula(self) -> str:
        """When it is full, as the system's source says it."""

    def capacity(self, sizes: Sizes) -> int:
        """How many fit: the queue is full when the count has reached this."""
        # [linux sk_acceptq_is_full] the whole mystery of "listen(n) admits n + 1": it writes >
        return max(0, self.bound(sizes) + (0 if self.at_least else 1))


@dataclass(frozen=True, slots=True)
class Proportion(Ceiling):
    """A multiple of the limit, rounded down: ``n > L``, ``n + n0 > 3L/2``, ``n0 >= L + 1024``."""

    counted: Counted
    times: int = 1
    over: int = 1
    plus: int = 0
    at_least: bool = False

    def bound(self, sizes: Sizes) -> int:
        """The multiple."""
        return sizes.limit * self.times // self.over + self.plus

    @property
    def formula(self) -> str:
        """Like ``n + n0 > 3L/2``."""
        times = f"{self.times}L" if self.times > 1 else "L"
        over = f"/{self.over}" if self.over > 1 else ""
        plus = f" {'+' if self.plus > 0 else '-'} {abs(self.plus)}" if self.plus else ""
        return f"{self.counted.value} {'>=' if self.at_least else '>'} {times}{over}{plus}"


@dataclass(frozen=True, slots=True)
class Fixed(Ceiling):
    """A number that no listener can change."""

    counted: Counted
    number: int
    at_least: bool = True

    def bound(self, sizes: Sizes) -> int:
        """The number."""
        return self.number

    @property
    def formula(self) -> str:
        """Like ``all n0 >= 15360``."""
        return f"{self.counted.value} {'>=' if self.at_least else '>'} {self.number}"


@dataclass(frozen=True, slots=True)
class LastQuarter(Ceiling):
    """[linux tcp_conn_request] the last quarter of ``tcp_max_syn_backlog``, kept for known peers.

    Full when ``M - n0 < M / 4``, which is ``n0 > M - M / 4``; the quarter is a shift, so it is
    rounded down.
    """

    counted: Counted = Counted.SYN_QUEUE
    at_least: bool = False

    def bound(self, sizes: Sizes) -> int:
        """Three quarters."""
        return sizes.max_syn_backlog - (sizes.max_syn_backlog >> 2)

    @property
    def formula(self) -> str:
        """The comparison."""
        return "n0 > M - M/4"


@dataclass(frozen=True, slots=True)
class SynTable(Ceiling):
    """[linux reqsk_queue_alloc] the table of requests that Linux allotted once, up to 4.3.

    Its size was a power of two above the limit and at least 16, made at the first listen() and
    kept: this is where the habit of ``listen(511)`` comes from, which filled 512 exactly.
    ``part`` divides it: 1 asks whether it is full, 2 whether half of it is.
    """

    part: int = 1
    counted: Counted = Counted.SYN_QUEUE
    at_least: bool = True

    def bound(self, sizes: Sizes) -> int:
        """The next power of two above the limit, in parts."""
        wanted = max(8, min(sizes.first_limit, sizes.max_syn_backlog)) + 1
        table: int = 1 << (wanted - 1).bit_length()
        return table // self.part

    @property
    def formula(self) -> str:
        """The comparison."""
        table = "2^ceil(log2(max(8, min(L, M)) + 1))"
        return f"n0 >= {table}" + (f" / {self.part}" if self.part > 1 else "")


@dataclass(frozen=True, slots=True)
class Crowd(Ceiling):
    """[linux reqsk_timer_handler] more than half of the limit, or of 8: old requests age faster."""

    counted: Counted = Counted.SYN_QUEUE
    at_least: bool = False

    def bound(self, sizes: Sizes) -> int:
        """Half, rounded down."""
        return max(8, sizes.limit) // 2

    @property
    def formula(self) -> str:
        """The comparison."""
        return "2 n0 > max(8, L)"
