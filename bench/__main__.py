"""``python -m bench``: ours and every peer that is installed do the same work in turn.

Ours, peer, ours, peer: a machine whose speed drifts drifts for all of them. What is printed are
medians of the rounds and ratios of neighbouring measurements; the seconds themselves say more about
the machine. Parts: bulk, connect, offered, small, idle, udp, burst.
"""

import argparse
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.system import raise_descriptor_limit

from . import report
from .compiled.folder import BuildError
from .hops import COMPILED, FLOOR, KINDS, OURS, Hops, Pair, can, version_of
from .parts import PARTS, Scene, aead_alone
from .run import Run, host
from .udp import echo

__all__: list[str] = []

_METHODS = ["chacha20-ietf-poly1305"]
#: Only with --workers; and only who is named in --kinds, since it is compiled first.
_EXTRA = {"ours, 2 workers"}
_NAMED = {*COMPILED}


def _arguments() -> argparse.Namespace:
    about = "ours and every peer that is installed, side by side"
    parser = argparse.ArgumentParser(prog="python -m bench", description=about)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("-m", "--method", action="append", help="may be given again; or: all")
    parser.add_argument("--kinds", help=f"who is measured, of {', '.join(KINDS)}")
    parser.add_argument("--workers", action="store_true", help="ours with two workers, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=200_000_000, help="for each bulk transfer")
    parser.add_argument("--connections", type=int, default=500, help="for each round")
    parser.add_argument("--rates", default="50,200", help="connections a second that are offered")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each offered rate")
    parser.add_argument("--most", type=int, default=9000, help="connections that are held idle")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the run")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    arguments = parser.parse_args()
    arguments.kinds = arguments.kinds.split(";") if arguments.kinds else _everybody(arguments)
    unknown = set(arguments.parts) - set(PARTS) | set(arguments.kinds) - set(KINDS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    arguments.parts = arguments.parts or list(PARTS)
    arguments.method = arguments.method or _METHODS
    if arguments.method == ["all"]:
        arguments.method = [name for name in TABLE if can("ours", name)]
    return arguments


def _everybody(arguments: argparse.Namespace) -> list[str]:
    left_out = _NAMED if arguments.workers else _NAMED | _EXTRA
    return [kind for kind in KINDS if kind not in left_out]


def _measure(arguments: argparse.Namespace, run: Run, method: str, echo_port: int) -> None:
    kinds = [kind for kind in arguments.kinds if can(kind, method)]
    if not set(kinds) - {FLOOR}:
        sys.exit(f"python -m bench: nobody who is installed has {method}")
    run.kinds |= {kind: version_of(kind) for kind in kinds}
    rates = tuple(float(rate) for rate in arguments.rates.split(","))
    with Hops(method) as hops:
        origin, port = hops.origin()
        scene = Scene(
            origin,
            port,
            echo_port,
            arguments.bytes,
            arguments.connections,
            rates,
            arguments.seconds,
            arguments.most,
        )
        try:
            pairs = [hops.start(kind) for kind in kinds]
        except BuildError as error:
            sys.exit(f"python -m bench: {error}")
        for part in arguments.parts:
            for round_ in range(1 if part in ("idle", "burst") else arguments.rounds):
                if part == "bulk" and (alone := aead_alone(method)) is not None:
                    row = run.row("limits", "seal or open 16 KiB", method, "AEAD alone", "s/GB")
                    row.add({"server": alone}, 0)
                for pair in pairs:
                    _progress(f"{method}: {part}, round {round_ + 1}, {pair.kind}")
                    _one(run, scene, part, method, pair)
                if arguments.json:
                    run.save(arguments.json)
    _progress("")


def _one(run: Run, scene: Scene, part: str, method: str, pair: Pair) -> None:
    try:
        for sample in PARTS[part](scene, pair):
            row = run.row(part, sample.variant, method, pair.kind, sample.unit)
            if sample.refused:
                row.refused.append(sample.refused)
            else:
                row.add(sample.figures, sample.load)
    except (OSError, EOFError, subprocess.CalledProcessError) as error:
        # One that cannot do a part is told of, and the others go on.
        run.row(part, "failed", method, pair.kind, "").refused.append(f"{error}")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


@contextmanager
def _echo() -> Iterator[int]:
    process = echo()
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    raise_descriptor_limit()
    # Whatever was started is ended, also where the run is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    socket.setdefaulttimeout(30)
    run = Run(f"python -m bench {shlex.join(sys.argv[1:])}", host(), {})
    with _echo() as port:
        for method in arguments.method:
            _measure(arguments, run, method, port)
    print(report.terminal(run, set(OURS)))
    if arguments.html:
        arguments.html.write_text(report.page([run], set(OURS)), "utf-8")


if __name__ == "__main__":
    main()
