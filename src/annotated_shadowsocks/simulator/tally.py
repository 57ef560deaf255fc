"""What a run is reduced to while it runs: none of it grows with the number of clients."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..tcp_model.instant import MILLISECOND, Duration, Instant
from .attempt import NEVER, Attempt, Outcome

__all__ = ["DepthHistory", "Depths", "Endings", "Histogram", "Quantiles"]

_BITS = 8
_MOST = 512
_TOGETHER = 1024


class Quantiles(NamedTuple):
    """A distribution of durations, each to within one part in 128; ``most`` is exact."""

    number: int
    mean: Duration
    p50: Duration
    p90: Duration
    p99: Duration
    p999: Duration
    most: Duration


class Histogram:
    """Durations by their leading eight bits: a few hundred buckets hold any number of them."""

    __slots__ = ("_buckets", "_most", "_total")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._total = 0
        self._most = 0

    def update(self, values: Sequence[Duration]) -> None:
        """Count durations."""
        self._total += sum(values)
        self._most = max(self._most, *values, 0)
        self._buckets.update(map(_bucket, values))

    def quantiles(self) -> Quantiles | None:
        """What was counted, or None where nothing was."""
        count = self._buckets.total()
        if not count:
            return None
        buckets = sorted(self._buckets.items())
        p50, p90, p99, p999 = (_at(buckets, -(-count * p // 1000)) for p in (500, 900, 990, 999))
        return Quantiles(count, self._total // count, p50, p90, p99, p999, self._most)

    def share_from(self, least: Duration) -> float:
        """Which part of all durations is ``least`` or more."""
        count = self._buckets.total()
        late = sum(number for value, number in self._buckets.items() if value >= least)
        return late / count if count else 0.0


def _bucket(value: Duration) -> Duration:
    shift = value.bit_length() - _BITS
    return value if shift <= 0 else value >> shift << shift


def _at(buckets: list[tuple[int, int]], rank: int) -> int:
    """The value of the ``rank``-th smallest."""
    for value, number in buckets:
        rank -= number
        if rank <= 0:
            return value
    return buckets[-1][0]


class Endings:
    """What attempts came to. They are counted by the thousand: one by one would cost a multiple."""

    __slots__ = ("_fresh", "connect_times", "knocks", "outcomes", "served_times", "waiting_times")

    def __init__(self) -> None:
        self._fresh: list[Attempt] = []
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))
        #: How many clients connected or gave up after so many SYNs.
        self.knocks: Counter[int] = Counter()
        #: From the first SYN until connect() returned, and until accept(); and in the accept queue.
        self.connect_times = Histogram()
        self.served_times = Histogram()
        self.waiting_times = Histogram()

    def add(self, attempt: Attempt) -> None:
        """An attempt has ended, and will not change."""
        fresh = self._fresh
        fresh.append(attempt)
        if len(fresh) == _TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Count those who were not counted before, and forget them."""
        fresh = self._fresh
        self.outcomes.update([one.outcome for one in fresh if one.outcome is not None])
        self.knocks.update([one.knocks for one in fresh])
        self.connect_times.update(
            [one.connected_at - one.started_at for one in fresh if one.connected_at is not None]
        )
        served = [one for one in fresh if one.accepted_at != NEVER]
        self.served_times.update([one.accepted_at - one.started_at for one in served])
        self.waiting_times.update([one.accepted_at - one.queued_at for one in served])
        fresh.clear()


class Depths(NamedTuple):
    """The deepest that both queues of any listener were from ``at`` on, for one interval."""

    at: Instant
    accept_queue: int
    syn_queue: int


class DepthHistory:
    """Peaks at equal intervals; when there are too many, the intervals double."""

    __slots__ = ("_peaks", "interval")

    def __init__(self) -> None:
        self._peaks: list[tuple[int, int]] = []
        self.interval: Duration = MILLISECOND

    def add(self, accept_queue: int, syn_queue: int) -> None:
        """The peaks of one more interval."""
        self._peaks.append((accept_queue, syn_queue))
        if len(self._peaks) == _MOST:
            pairs = zip(self._peaks[::2], self._peaks[1::2], strict=True)
            self._peaks = [(max(a, c), max(b, d)) for (a, b), (c, d) in pairs]
            self.interval *= 2

    def __iter__(self) -> Iterator[Depths]:
        """All intervals, in order."""
        for number, (accept_queue, syn_queue) in enumerate(self._peaks):
            yield Depths(number * self.interval, accept_queue, syn_queue)
