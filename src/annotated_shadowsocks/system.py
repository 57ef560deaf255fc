"""The host's own clock and entropy: the only place where a core's arguments become real."""

import os
import time

__all__ = ["SystemClock", "entropy"]


class SystemClock:
    """``clock.Clock`` on the host's clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


# A salt must never repeat under one key, in any process, after any fork: only the kernel's
# generator gives that without state of our own that a fork would copy.
entropy = os.urandom
