"""The time in every AEAD-2022 header: what lets a server forget salts.

A header says when it was made, in seconds since 1970, and one that is more than thirty seconds off
is refused. So a salt need not be remembered for ever, only until its timestamp would be refused
anyway::

    made 30 s ahead of us            accepted                   refused from here on
    ----------|-------------------------|--------------------------|------>
              ^ at the earliest: now    30 s                       61 s

61 and not 60, because both clocks are rounded down to a second. What remembers salts for this
protocol counts no seconds: when the clock was set back, old timestamps are recent once more. It
knows the timestamp of each salt, and refuses all that are as early as one it has forgotten (see
``replay``).
"""

from collections.abc import Callable

from ..errors import ClockSkewError, ReplayError

__all__ = ["MAX_SKEW", "Timestamps"]

#: Seconds that a timestamp may lie before or after our own time [SIP022].
MAX_SKEW = 30


class Timestamps:
    """Makes timestamps and judges them; ``wall`` gives seconds since 1970.

    ``since`` is when the memory for salts began, where it began empty: what is older by more than
    a second may have been accepted before, and by whoever had that memory.
    """

    __slots__ = ("_since", "_wall")

    def __init__(self, wall: Callable[[], float], since: float = 0.0) -> None:
        self._wall = wall
        self._since = since

    def now(self) -> int:
        """The timestamp of a header that is made now."""
        return int(self._wall())

    def check(self, timestamp: int) -> None:
        """Raise ``ClockSkewError`` or ``ReplayError`` where ``timestamp`` is not recent."""
        offset = timestamp - self.now()
        if not -MAX_SKEW <= offset <= MAX_SKEW:
            raise ClockSkewError(offset)
        if timestamp < self._since - 1:
            raise ReplayError("a timestamp from before our memory began")
