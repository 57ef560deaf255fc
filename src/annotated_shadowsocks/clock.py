"""Time as a value: what a core may know about clocks, and nothing that reads one.

Two clocks with different promises. *Monotonic* time never steps back and measures durations;
every timer uses it. *Wall* time is what peers agree on, and may be stepped by an administrator.
"""

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Where time comes from; the real one is ``system.SystemClock``."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never decreases."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z, as the host believes."""
        ...
