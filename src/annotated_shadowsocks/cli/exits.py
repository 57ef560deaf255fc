"""The one table from errors to exit codes.

The numbers are those of BSD's sysexits(3), which service managers and scripts know, and those of
the shell for a program that a signal ended (128 + signal).
"""

import errno

from ..errors import (
    ConfigError,
    DialError,
    ListenError,
    ObserveError,
    ResolveError,
    UsageError,
)
from .files import CannotCreate

__all__ = ["BROKEN_PIPE", "INTERRUPTED", "OK", "SOFTWARE", "exit_code"]

OK = 0
USAGE = 64
UNAVAILABLE = 69
SOFTWARE = 70
OS_ERROR = 71
CANNOT_CREATE = 73
NO_PERMISSION = 77
CONFIG = 78
INTERRUPTED = 130
BROKEN_PIPE = 141

# What the kernel said is more precise than where we were when it said so.
_BY_ERRNO = {
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EMFILE: OS_ERROR,
    errno.ENFILE: OS_ERROR,
    errno.ENOMEM: OS_ERROR,
    errno.ENOBUFS: OS_ERROR,
}

_BY_CLASS: dict[type[BaseException], int] = {
    UsageError: USAGE,
    ConfigError: CONFIG,
    CannotCreate: CANNOT_CREATE,
    ListenError: UNAVAILABLE,
    ObserveError: UNAVAILABLE,
    DialError: UNAVAILABLE,
    ResolveError: UNAVAILABLE,
    OSError: OS_ERROR,
    MemoryError: OS_ERROR,
    KeyboardInterrupt: INTERRUPTED,
    BrokenPipeError: BROKEN_PIPE,
}


def exit_code(error: BaseException) -> int:
    """The code with which a program ends that ``error`` ended; 70 for one that nobody planned."""
    if not isinstance(error, CannotCreate):
        code = _BY_ERRNO.get(getattr(error, "errno", None) or 0)
        if code is not None:
            return code
    return next((_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS), SOFTWARE)
