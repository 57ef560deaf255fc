"""Time in the model: whole nanoseconds since any start that the driver likes.

Integers, not floats, because the model's times are compared for equality. 0.101 + 1.0 seconds is
no float that a test could write down, and a rate limit of 500 ms that lets a segment through
after 499.99999999999994 ms makes the same inputs give another trace. It is also what
``time.monotonic_ns`` returns and what a capture file stores.
"""

from typing import TypeAlias

__all__ = ["MICROSECOND", "MILLISECOND", "SECOND", "Duration", "Instant", "seconds", "text"]

#: A point in time, in nanoseconds since the start of the run; never decreases.
Instant: TypeAlias = int
#: A length of time in nanoseconds.
Duration: TypeAlias = int

MICROSECOND: Duration = 1_000
MILLISECOND: Duration = 1_000_000
SECOND: Duration = 1_000_000_000


def seconds(value: float) -> Duration:
    """A number of seconds as people write it, to the nearest nanosecond."""
    return round(value * SECOND)


def text(duration: Duration) -> str:
    """A duration for readers: ``1 s``, ``0.5 s``, ``63 s``; never in exponents."""
    whole, rest = divmod(abs(duration), SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if duration < 0 else ''}{whole}{fraction} s"
