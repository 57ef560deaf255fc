"""What was tried with the peers, as a table: a row for each method, a column for each peer.

::

                              shadowsocks-libev  sing-box
    aes-128-gcm               TCP UDP            TCP UDP
    2022-blake3-aes-128-gcm   -                  TCP UDP(-v6)

A transport stands for IPv4, IPv6 and a name as the target; those that failed follow in brackets.
"""

from collections import defaultdict
from collections.abc import Iterable

from annotated_shadowsocks.crypto.methods import TABLE

from .catalogue import PEERS

__all__ = ["Cell", "table"]

#: The direction, the method, the peer, the transport, the kind of target, and whether it worked.
Cell = tuple[str, str, str, str, str, bool]


def table(cells: Iterable[Cell]) -> dict[str, list[str]]:
    """The lines of the table of each direction."""
    tried: dict[str, dict[tuple[str, str], dict[str, dict[str, bool]]]] = {}
    for direction, method, peer, transport, target, worked in cells:
        cell = tried.setdefault(direction, defaultdict(dict))[method, peer]
        cell.setdefault(transport, {})[target] = worked
    return {direction: list(_lines(cells)) for direction, cells in sorted(tried.items())}


def _lines(cells: dict[tuple[str, str], dict[str, dict[str, bool]]]) -> Iterable[str]:
    peers = [name for name in PEERS if any(peer == name for _, peer in cells)]
    methods = [name for name in TABLE if any(method == name for method, _ in cells)]
    rows = [["", *peers]]
    rows += [
        [method, *(_text(cells.get((method, peer), {})) for peer in peers)] for method in methods
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _text(transports: dict[str, dict[str, bool]]) -> str:
    return " ".join(_outcome(name, targets) for name, targets in transports.items()) or "-"


def _outcome(transport: str, targets: dict[str, bool]) -> str:
    failed = [target for target, worked in targets.items() if not worked]
    return f"{transport}(-{',-'.join(failed)})" if failed else transport
