"""``backlog list``: every listener and its queues, in the words of ``ss``."""

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from ..dashboard.asked_backlog import AskedBacklog
from ..errors import UsageError
from ..policy.listener_filter import parse_filter
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, table, width
from .text import complain

if TYPE_CHECKING:
    from ..dashboard.history import Track

__all__ = ["add_parser", "run"]

_ABOUT = "every listener with its accept queue, its SYN queue and its drops"
_EPILOG = """\
ACCEPTQ is depth/limit, ss's Recv-Q and Send-Q: connections that wait for accept(). A queue is full
when depth > limit, for the kernel admits limit + 1. ASKED is what the program asked of listen(), as
far as limit and somaxconn tell. SYNQ counts half-open requests; ~ marks an estimate, where
listeners share a port. DROPS are segments that the listener threw away since it was opened: 1 for a
refused SYN, 2 for a refused ACK, and 1 for each that is nobody's loss, like a SYN that came twice.
--for looks ten times a second for that long, and adds HIGH, the deepest queue that was seen, and
DROPS/s. A filter: sport = :443, src 10.0.0.0/8 or not :22, 127.0.0.1:8388.
"""
_HEAD = (
    "ACCEPTQ",
    "",
    "ASKED",
    "HIGH",
    "SYNQ",
    "DROPS",
    "DROPS/s",
    "Local Address:Port",
    "Process",
)
_WATCHED = ("HIGH", "DROPS/s")
_RIGHT = (0, 2, 3, 4, 5, 6)
_LOOK = 0.1
_LONGEST = 3600.0


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("list", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="as of ss; default: all")
    parser.add_argument("-H", "--no-header", action="store_true", help="print no header")
    long = "watch for so long, and show high-water marks and rates too"
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help=long)
    parser.add_argument("--json", action="store_true", help="print an object")
    when = "use bold and reverse: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)
    # What fingers type after ss; all of it is so anyway.
    for flag in "ltnpm":
        parser.add_argument(f"-{flag}", action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Print the table. Raises ``ObserveError`` and ``UsageError``."""
    meant = parse_filter(" ".join(arguments.filter))
    if arguments.seconds is not None and not 0 < arguments.seconds <= _LONGEST:
        raise UsageError(f"--for: {arguments.seconds:g} is not 0 to {_LONGEST:g} seconds")
    # Imported here: --help and a wrong filter need nothing of the kernel.
    from ..dashboard.listener_view import SCHEMA, hidden_owners
    from ..kernel.procfs import network_namespace
    from ..kernel.sysctl import sysctls

    somaxconn = sysctls().somaxconn
    tracks = [each for each in _watched(arguments.seconds) if meant(each.sight.listener.local)]
    if arguments.json:
        documents = [_document(each, somaxconn, arguments.seconds) for each in tracks]
        document = {"schema": SCHEMA, "namespace": network_namespace(), "listeners": documents}
        print(json.dumps(document, indent=2))
        return exits.OK
    watched = arguments.seconds is not None
    rows = [_row(each, somaxconn, watched) for each in tracks]
    # A column that is empty is left out.
    titles = [title if watched or title not in _WATCHED else "" for title in _HEAD]
    head, *lines = table([titles, *rows], _RIGHT, width())
    style = styled(arguments.color)
    if not arguments.no_header:
        print(Style.BOLD.wrap(head, style))
    for row, line in zip(rows, lines, strict=True):
        print(Style.REVERSE.wrap(line, style and bool(row[1])))
    if note := hidden_owners([each.sight for each in tracks]):
        complain("backlog", note)
    return exits.OK


def _watched(seconds: float | None) -> "list[Track]":
    """All listeners that there are, as they were seen once, or for so long."""
    from ..dashboard.history import History
    from ..dashboard.listener_view import look
    from ..dashboard.looker import Looker

    history = History()
    if seconds is not None:
        with Looker(history) as looker:
            looker.look()
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, _LOOK))
                looker.look()
    # The last look tells half-open requests one by one, which the many before only estimate.
    history.add(time.monotonic(), look(), {})
    return [each for each in history.tracks.values() if not each.gone]


def _row(track: "Track", somaxconn: int | None, watched: bool) -> tuple[str, ...]:
    one = track.sight.listener
    known = one.drops is not None
    return (
        f"{one.depth}/{one.limit}",
        "full" if one.queue.is_full else "",
        AskedBacklog(one.limit, somaxconn).short,
        str(track.high) if watched else "",
        track.sight.half_open,
        str(one.drops) if known else "?",
        (f"{track.rate:.1f}" if known else "?") if watched else "",
        one.address,
        track.sight.processes,
    )


def _document(track: "Track", somaxconn: int | None, seconds: float | None) -> dict[str, Any]:
    document = track.document() if seconds is not None else track.sight.document()
    asked = AskedBacklog(track.sight.listener.limit, somaxconn)
    return document | {"asked": asked.document()}
