"""Whether the kernel believes that somebody keeps the host's clock right.

A clock that is wrong loses connections where a protocol refuses old handshakes, and such a loss
looks like a network's. The kernel is told by its NTP client how far off the clock may be, and calls
it unsynchronised when that client has been silent for too long.
"""

import ctypes
import errno
import os
from ctypes import c_int, c_long, c_uint

from ..errors import ObserveError

__all__ = ["is_synchronised"]

# adjtimex(2): what it returns when the clock is not synchronised, and the least size of its struct
_TIME_ERROR = 5
_TIMEX_SIZE = 256


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", c_uint),
        ("offset", c_long),
        ("freq", c_long),
        ("maxerror", c_long),
        ("esterror", c_long),
        ("status", c_int),
        ("rest", ctypes.c_char * _TIMEX_SIZE),
    )


def is_synchronised() -> bool:
    """Whether the clock is kept by NTP or PTP, as the kernel was told. Raises ``ObserveError``."""
    libc = ctypes.CDLL(None, use_errno=True)
    # With no modes set it only reads, and needs no privilege.
    state: int = libc.adjtimex(ctypes.byref(_Timex()))
    if state < 0:
        code = ctypes.get_errno()
        reason = "forbidden by a sandbox" if code == errno.EPERM else os.strerror(code)
        raise ObserveError("the state of the clock", reason, code)
    return state != _TIME_ERROR
