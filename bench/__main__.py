"""``python -m bench``: CPU per GB and per connection, memory per idle connection, side by side.

Ours and every peer that is installed do the same work in turn (ours, peer, ours, peer, ...), so
that a machine whose speed drifts drifts for all of them. What is printed are medians of the rounds
and ratios to the peer; the seconds themselves say more about the machine.
"""

import argparse
import json
import platform
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable

from .hops import KINDS, Hops, Pair, can, version_of
from .load import bulk, connections, cpu_seconds, idle_kib

__all__: list[str] = []

#: Part, kind: one (client hop, server hop) figure for each round.
Rows = dict[tuple[str, str], list[tuple[float, float]]]

_UNITS = {
    "download": "s/GB",
    "upload": "s/GB",
    "connect": "us/conn",
    "connect50": "us/conn",
    "idle": "KiB/conn",
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(_UNITS)}; all when none is named")
    parser.add_argument("-m", "--method", action="append", help="may be given again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=200_000_000, help="for each bulk transfer")
    parser.add_argument("--connections", type=int, default=500, help="for each round")
    parser.add_argument("--idle", type=int, default=1000, help="connections that are held")
    parser.add_argument("--kinds", default=",".join(KINDS), help="who is measured")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(_UNITS) | set(arguments.kinds.split(",")) - set(KINDS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    arguments.parts = arguments.parts or list(_UNITS)
    arguments.method = arguments.method or ["chacha20-ietf-poly1305"]
    return arguments


def _spent(pair: Pair, work: Callable[[], None], per: float) -> tuple[float, float]:
    """CPU seconds of (client hop, server hop) for ``work``, divided by ``per``."""
    pids = pair.local.pid, pair.server.pid
    before = [cpu_seconds(pid) for pid in pids]
    work()
    local, server = (cpu_seconds(pid) - base for pid, base in zip(pids, before, strict=True))
    return local / per, server / per


def _measure(arguments: argparse.Namespace, method: str, kinds: list[str]) -> Rows:
    rows: Rows = defaultdict(list)
    with Hops(method) as hops:
        origin = hops.origin()
        pairs = [hops.start(kind) for kind in kinds]
        for pair in pairs:
            connections(pair.port, origin, 50)
        for part in arguments.parts:
            for round_ in range(1 if part == "idle" else arguments.rounds):
                _progress(f"{method}: {part}, round {round_ + 1}")
                for pair in pairs:
                    rows[part, pair.kind].append(_one(part, pair, origin, arguments))
    _progress("")
    return rows


def _one(part: str, pair: Pair, origin: int, arguments: argparse.Namespace) -> tuple[float, float]:
    if part == "idle":
        pids = pair.local.pid, pair.server.pid
        local, server = idle_kib(pair.port, origin, arguments.idle, pids)
        return local, server
    if part in ("connect", "connect50"):
        # One at a time, each wake-up finds the processor's caches cold; fifty keep them warm.
        count, at_once = arguments.connections, 50 if part == "connect50" else 1
        return _spent(pair, lambda: connections(pair.port, origin, count, at_once), count / 1e6)
    verb = b"D" if part == "download" else b"U"
    size = arguments.bytes
    return _spent(pair, lambda: bulk(pair.port, origin, verb, size), size / 1e9)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _report(
    rows: Rows, method: str, kinds: list[str], arguments: argparse.Namespace, reference: str | None
) -> None:
    print(f"\n{method}, {platform.system()} {platform.release()}, {platform.machine()}")
    for kind in kinds:
        print(f"  {kind}: {version_of(kind)}")
    to = f"   client and server, to {reference}" if reference else ""
    print(f"\n{'':28}{'client hop':>20}{'server hop':>20}{to}")
    for part in arguments.parts:
        for kind in kinds:
            local, server = (
                statistics.median(side) for side in zip(*rows[part, kind], strict=True)
            )
            line = (
                f"{part:9} {kind:17} {local:11.2f} {_UNITS[part]:8}{server:11.2f} {_UNITS[part]:8}"
            )
            if reference and kind != reference:
                line += "   " + "  ".join(
                    f"{_ratio(rows[part, kind], rows[part, reference], side):.2f}"
                    for side in (0, 1)
                )
            print(line)


def _ratio(ours: list[tuple[float, float]], theirs: list[tuple[float, float]], side: int) -> float:
    """Median of the ratios of neighbouring measurements."""
    return statistics.median(
        a[side] / b[side] for a, b in zip(ours, theirs, strict=True) if b[side]
    )


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    found: dict[str, Rows] = {}
    for method in arguments.method:
        kinds = [kind for kind in arguments.kinds.split(",") if can(kind, method)]
        if not kinds:
            sys.exit(f"python -m bench: nobody who is installed has {method}")
        found[method] = rows = _measure(arguments, method, kinds)
        # Whom the others are compared with: the first that is not ours.
        reference = next((kind for kind in kinds if not kind.startswith("ours")), None)
        if not arguments.json:
            _report(rows, method, kinds, arguments, reference)
    if arguments.json:
        print(json.dumps({m: {f"{p} {k}": f for (p, k), f in r.items()} for m, r in found.items()}))


if __name__ == "__main__":
    main()
