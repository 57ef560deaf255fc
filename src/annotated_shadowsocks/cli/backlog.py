"""``backlog``: what listen(2)'s argument means, here and elsewhere."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..errors import ConfigError, UsageError
from ..tcp_model.instant import SECOND
from ..tcp_model.profile import Profile
from ..tcp_model.profiles import PROFILES, find
from ..tcp_model.survey import Answers, Survey, answers, survey
from . import (
    backlog_demo,
    backlog_doctor,
    backlog_explain,
    backlog_fuzz,
    backlog_list,
    backlog_plan,
    backlog_run,
    backlog_serve,
    backlog_simulate,
    backlog_tour,
    backlog_watch,
)
from .arguments import ArgumentParser
from .terminal import table

__all__ = ["run"]

_VERBS = {
    "list": backlog_list,
    "explain": backlog_explain,
    "watch": backlog_watch,
    "doctor": backlog_doctor,
    "demo": backlog_demo,
    "run": backlog_run,
    "serve": backlog_serve,
    "fuzz": backlog_fuzz,
    "simulate": backlog_simulate,
    "plan": backlog_plan,
    "tour": backlog_tour,
}
_MOST = 1000
_CONNECTIONS = "listen(b): clients that get a connection while nobody calls accept()"
_HALF_OPEN = "listen(b): half-open requests held at once, without syncookies"
_SAYS = "What a full accept queue says"
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


def run(program: str, argv: Sequence[str]) -> int:
    """One verb; returns its exit code."""
    found = _parser(program).parse_args(argv)
    if found.verb in _VERBS:
        code: int = _VERBS[found.verb].run(found)
        return code
    try:
        profiles = [find(name) for name in found.profile or PROFILES]
    except ConfigError as error:
        raise UsageError(f"-p: {error}") from error
    _compare(profiles, _backlogs(found.backlogs), found.json)
    return 0


def _parser(program: str) -> ArgumentParser:
    about = "The TCP listen queue: what a backlog means, and what a full one does."
    parser = ArgumentParser(program, description=about)
    version = f"{program} {__version__} (Annotated Shadowsocks)"
    parser.add_argument("-V", "--version", action="version", version=version)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    about = "what listen(b) means on each system, found out by connecting until it is full"
    compare = verbs.add_parser("compare", help=about, description=about)
    which = "the backlogs to try, like 5, 0-14 or 128,511 (default 0-14)"
    compare.add_argument("-b", "--backlogs", metavar="LIST", default="0-14", help=which)
    which = f"only this system; may be repeated ({', '.join(PROFILES)})"
    compare.add_argument("-p", "--profile", metavar="NAME", action="append", help=which)
    compare.add_argument("--json", action="store_true", help="print an object, with the sources")
    for verb in _VERBS.values():
        verb.add_parser(verbs)
    return parser


def _backlogs(text: str) -> list[int]:
    """Read ``0-14,128``, in the order given and each once. Raises ``UsageError``."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().rpartition("-")
        try:
            # A dash with nothing before it is a sign: listen(-1) is a question that people have.
            start, end = (int(first), int(last)) if dash and first else (int(part), int(part))
        except ValueError:
            raise UsageError(f"-b: {part!r} is not a backlog; write 5, 0-14 or 128,511") from None
        if not _INT_MIN <= start <= end <= _INT_MAX:
            raise UsageError(f"-b: {part!r} is no range of C integers; write it as 0-14")
        if end - start >= _MOST or len(found) > _MOST:
            raise UsageError(f"-b: {part!r} makes more than {_MOST} backlogs; ask for fewer")
        found |= dict.fromkeys(range(start, end + 1))
    return list(found)


@dataclass(frozen=True, slots=True)
class _Row:
    """One system."""

    profile: Profile
    surveys: list[Survey]
    answers: Answers


def _compare(profiles: list[Profile], backlogs: list[int], as_json: bool) -> None:
    rows = [_Row(p, survey(p, backlogs), answers(p)) for p in profiles]
    if as_json:
        print(json.dumps({"systems": [_document(row) for row in rows]}, indent=2))
        return
    bold, plain = _emphasis()
    for heading, lines in (
        (_CONNECTIONS, _numbers(rows, lambda one: one.connections)),
        (_HALF_OPEN, _numbers(rows, lambda one: one.half_open)),
        (_SAYS, _says(rows)),
    ):
        print(f"{bold}{heading}{plain}\n")
        print("\n".join(lines), end="\n\n")
    print("--json tells where each fact comes from.")


def _numbers(rows: list[_Row], number: Callable[[Survey], int]) -> Iterator[str]:
    """A table of systems by backlogs, in as many blocks as the terminal's width asks for."""
    first = max(len(row.profile.name) for row in rows)
    columns = [
        [str(rows[0].surveys[i].backlog), *(str(number(row.surveys[i])) for row in rows)]
        for i in range(len(rows[0].surveys))
    ]
    names = ["b", *(row.profile.name for row in rows)]
    for block in _blocks(columns, _width() - first):
        widths = [max(map(len, column)) for column in block]
        for index, name in enumerate(names):
            cells = (column[index].rjust(w) for column, w in zip(block, widths, strict=True))
            yield f"{name:<{first}}  {' '.join(cells)}"
        if block[-1] is not columns[-1]:
            yield ""


def _blocks(columns: list[list[str]], width: int) -> Iterator[list[list[str]]]:
    block: list[list[str]] = []
    room = width
    for column in columns:
        needs = max(map(len, column)) + 1
        if block and needs > room - 1:
            yield block
            block, room = [], width
        block.append(column)
        room -= needs
    yield block


def _says(rows: list[_Row]) -> Iterator[str]:
    cells = [("", "to a SYN", "to a final ACK", "which is")]
    for row in rows:
        to_syn, to_ack = row.answers
        cells.append((row.profile.name, to_syn.value, to_ack.value, row.profile.title))
    yield from table(cells, right=())


def _document(row: _Row) -> dict[str, Any]:
    profile = row.profile
    return {
        "name": profile.name,
        "title": profile.title,
        "remark": profile.remark,
        "listen": [one._asdict() for one in row.surveys],
        "full": {"to_syn": row.answers.to_syn.value, "to_ack": row.answers.to_ack.value},
        "rules": {
            "syn": [f"{g.ceiling.formula}: {g.verdict.value}" for g in profile.syn_gates],
            "ack": _ack_rule(profile),
            "syn_ack_seconds": [interval // SECOND for interval in profile.schedule.intervals],
        },
        "sources": {
            what: {"where": citation.where, "standing": citation.standing.value}
            for what, citation in profile.citations().items()
        },
    }


def _ack_rule(profile: Profile) -> str:
    gate = profile.ack_gate
    return "never refused" if gate is None else f"{gate.ceiling.formula}: {gate.on_full.value}"


def _width() -> int:
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def _emphasis() -> tuple[str, str]:
    """How to begin and end a heading: nothing in a pipe, or where NO_COLOR asks for it."""
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return "\x1b[1m", "\x1b[0m"
    return "", ""
