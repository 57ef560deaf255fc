"""The settings of the thread's network namespace that bound its listeners' queues.

/proc/sys/net shows the namespace of whoever reads, thread by thread, with no path to another's.
"""

from typing import Final

from ..errors import ObserveError
from ..policy.listen_queue import Sysctls
from .procfs import read

__all__ = ["PATHS", "sysctls"]

_CORE: Final = "/proc/sys/net/core"
_IPV4: Final = "/proc/sys/net/ipv4"

#: Where each field of ``Sysctls`` is; those of IPv4 hold for TCP over IPv6 too.
PATHS: Final = {
    name: f"{_CORE if name == 'somaxconn' else _IPV4}/{name}" for name in Sysctls._fields
}


def sysctls() -> Sysctls:
    """All of them; None for one that this kernel or container does not have or show.

    Raises ``ObserveError`` for one that is no number.
    """
    return Sysctls(**{name: _value(path) for name, path in PATHS.items()})


def _value(path: str) -> int | None:
    try:
        text = read(path)
    except ObserveError:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise ObserveError(path, f"{text.strip()!r} is no number") from error
