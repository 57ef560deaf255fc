"""``backlog demo``: fill a queue on this kernel, and watch what becomes of the clients."""

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, width

if TYPE_CHECKING:
    from ..lab.demonstration import Moment

__all__ = ["add_parser", "run"]

_ABOUT = "fill a listener's queue on this kernel, without root, and watch what happens"
_EPILOG = """\
Everything is real and on loopback: a listener that never accepts, clients that are ordinary
sockets, and the kernel's own numbers after each moment. QUEUE is depth/limit of the accept queue,
DROPS what this listener threw away. The counters are the namespace's, so other traffic moves them
too. It takes some seconds: those are the clients' timers. 'backlog tour' explains more.
"""
_MOST = 64
_NARROW = 80


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("demo", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    size = "the argument of listen() (default 2)"
    parser.add_argument("-b", "--backlog", type=int, default=2, metavar="N", help=size)
    parser.add_argument("--json", action="store_true", help="print an object")
    when = "use bold: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Show it. Raises ``ObserveError``."""
    if not 0 <= arguments.backlog <= _MOST:
        raise UsageError(f"-b: {arguments.backlog} is not 0 to {_MOST}, which is enough to see it")
    # Imported here: --help and a wrong number need nothing of the kernel.
    from ..lab.demonstration import demonstrate

    moments = demonstrate(arguments.backlog)
    if arguments.json:
        document = {"schema": 1, "backlog": arguments.backlog}
        print(json.dumps(document | {"moments": [one.document() for one in moments]}, indent=2))
        return exits.OK
    style = styled(arguments.color)
    scene = ""
    for moment in moments:
        if moment.scene != scene:
            scene = moment.scene
            print(f"\n{Style.BOLD.wrap(scene[0].upper() + scene[1:], style)}\n")
        for line in _lines(moment, min(width() or _NARROW, 100), style):
            print(line)
        sys.stdout.flush()
    return exits.OK


def _lines(moment: "Moment", wide: int, style: bool) -> list[str]:
    head = f"{moment.at:7.3f} s  {moment.what}"
    indent = " " * 11
    syn_queue = "?" if moment.half_open is None else moment.half_open
    numbers = f"accept queue {moment.depth}/{moment.limit}, SYN queue {syn_queue}"
    if moment.drops is not None:
        numbers += f", drops {moment.drops}"
    moved = ", ".join(f"{name} +{by}" for name, by in moment.counters.items() if by)
    texts = (numbers, moved, moment.why)
    wrapped = [line for text in texts for line in textwrap.wrap(text, wide - len(indent))]
    return [Style.BOLD.wrap(head, style), *(indent + line for line in wrapped), ""]
