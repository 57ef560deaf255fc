"""The TCP counters of the thread's network namespace, under the names that ``nstat`` uses.

They are sums over every listener of the namespace, so that an overflow seen here says *that*
somebody loses connections and not *who*; the only counter of a single listener is its ``drops``.
A name that a kernel does not have is missing, which is not the same as 0.
"""

from collections.abc import Mapping

from ..errors import ObserveError
from .procfs import SELF_NET, read

__all__ = ["counters", "increase"]

# Each file has pairs of lines with the same prefix: the names, then the numbers.
_TABLES = {"netstat": "TcpExt:", "snmp": "Tcp:"}


def counters() -> dict[str, int]:
    """``TcpExt`` and ``Tcp`` by name (``ListenOverflows``, ``PassiveOpens``).

    ``CurrEstab`` is a level and ``RtoMin``, ``RtoMax`` and ``MaxConn`` are constants; the others
    only grow. Raises ``ObserveError``.
    """
    found: dict[str, int] = {}
    for name, prefix in _TABLES.items():
        path = f"{SELF_NET}/{name}"
        found |= _table(path, read(path), prefix)
    return found


def increase(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What changed between two readings, by how much."""
    return {
        name: value - before[name]
        for name, value in after.items()
        if name in before and value != before[name]
    }


def _table(path: str, text: str, prefix: str) -> dict[str, int]:
    rows = [line.split() for line in text.splitlines() if line.startswith(prefix)]
    if len(rows) != 2:
        raise ObserveError(path, f"{len(rows)} lines begin with {prefix}, there should be 2")
    names, values = rows
    if len(names) != len(values):
        raise ObserveError(path, f"{len(names) - 1} names of {prefix} for {len(values) - 1} values")
    try:
        return dict(zip(names[1:], map(int, values[1:]), strict=True))
    except ValueError as error:
        raise ObserveError(path, f"a value of {prefix} is no number: {error}") from error
