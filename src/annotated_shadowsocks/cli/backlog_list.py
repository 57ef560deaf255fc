"""``backlog list``: every listener and its queues, in the words of ``ss``."""

import argparse
import json

from ..policy.listener_filter import parse_filter
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, table, width
from .text import complain

__all__ = ["add_parser", "run"]

_ABOUT = "every listener with its accept queue, its SYN queue and its drops"
_EPILOG = """\
ACCEPTQ is depth/limit, ss's Recv-Q and Send-Q: connections that wait for accept(). A queue is full
when depth > limit, for the kernel admits limit + 1. SYNQ counts half-open requests; ~ marks an
estimate, where listeners share a port. DROPS are segments that the listener threw away since it was
opened: 1 for a refused SYN, 2 for a refused ACK, and 1 for each that is nobody's loss, like a SYN
that came twice. A filter: sport = :443, src 10.0.0.0/8 or not :22, 127.0.0.1:8388.
"""
_HEAD = ("ACCEPTQ", "", "SYNQ", "DROPS", "Local Address:Port", "Process")
_RIGHT = (0, 2, 3)


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("list", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="as of ss; default: all")
    parser.add_argument("-H", "--no-header", action="store_true", help="print no header")
    parser.add_argument("--json", action="store_true", help="print an object")
    when = "use bold and reverse: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)
    # What fingers type after ss; all of it is so anyway.
    for flag in "ltnpm":
        parser.add_argument(f"-{flag}", action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Print the table. Raises ``ObserveError`` and ``UsageError``."""
    meant = parse_filter(" ".join(arguments.filter))
    # Imported here: --help and a wrong filter need nothing of the kernel.
    from ..dashboard.listener_view import SCHEMA, hidden_owners, look
    from ..kernel.procfs import network_namespace

    sights = [each for each in look() if meant(each.listener.local)]
    if arguments.json:
        listeners = [each.document() for each in sights]
        document = {"schema": SCHEMA, "namespace": network_namespace(), "listeners": listeners}
        print(json.dumps(document, indent=2))
        return exits.OK
    rows = [
        (
            f"{one.listener.depth}/{one.listener.limit}",
            "full" if one.listener.queue.is_full else "",
            one.half_open,
            "?" if one.listener.drops is None else str(one.listener.drops),
            one.listener.address,
            one.processes,
        )
        for one in sights
    ]
    head, *lines = table([_HEAD, *rows], _RIGHT, width())
    style = styled(arguments.color)
    if not arguments.no_header:
        print(Style.BOLD.wrap(head, style))
    for row, line in zip(rows, lines, strict=True):
        print(Style.REVERSE.wrap(line, style and bool(row[1])))
    if note := hidden_owners(sights):
        complain("backlog", note)
    return exits.OK
