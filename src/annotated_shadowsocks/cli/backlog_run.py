"""``backlog run``: a packet script on the model, on the live kernel, or on both and compared."""

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError, Error, LocalProtocolError, UsageError
from ..lab.verdict import Difference, Refusal, Verdict
from ..pictures import depth_plot, ladder, mermaid, pcapng, svg_ladder
from ..pictures.printable import escape
from ..pictures.trace import Trace, to_jsonl
from ..scripts.parser import parse
from ..scripts.statements import Comment, Script
from ..tcp_model.profiles import PROFILES, find
from .arguments import ArgumentParser
from .files import CannotCreate
from .terminal import COLOR_CHOICES, styled, width
from .text import complain

__all__ = ["AGREED", "COULD_NOT_RUN", "DIFFERED", "add_parser", "run"]

AGREED, DIFFERED, COULD_NOT_RUN = 0, 1, 2

_ABOUT = "run a packet script on the model, on the live kernel, or on both, and compare the two"
_EPILOG = """\
Ends with 0 where everything was as the script says (and, on both, the same in every packet and
counter), with 1 where something was not, and with 2 where it could not be run. The kernel needs
root: it gets a network namespace of its own, which is gone afterwards. Of both, the files and the
ladder show the kernel's run. Of several scripts, the worst end counts.
"""
_FILES = {
    "pcapng": "write the packets as a capture that Wireshark opens, reasons as comments",
    "svg": "write a ladder diagram",
    "plot": "write the depths of the queues over time as SVG",
    "jsonl": "write every event as a line of JSON",
}
#: Octets of the largest script that is read; what is larger is some other file.
_LARGEST = 1 << 20


class _Where(NamedTuple):
    """What ``--on`` says."""

    model: bool
    kernel: bool
    profile: str | None


class _Run(NamedTuple):
    """What came of it: a verdict of each stage, and the first line in which two runs differ."""

    verdicts: tuple[Verdict, ...]
    disagreement: Any | None = None


class _End(NamedTuple):
    """How one script ended: its exit code, and what ``--json`` says of it."""

    code: int
    document: dict[str, Any]


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("run", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    what = "a packet script, - for standard input; several are run one after the other"
    parser.add_argument("scripts", metavar="SCRIPT", nargs="+", help=what)
    where = f"model, kernel or both, with :PROFILE for the model's ({', '.join(PROFILES)})"
    parser.add_argument("--on", metavar="WHERE", default="model", help=where)
    what = "print the run as a ladder, too: who sent what, and why"
    parser.add_argument("--ladder", action="store_true", help=what)
    what = "print the run as a Mermaid sequence diagram instead of a verdict"
    parser.add_argument("--mermaid", action="store_true", help=what)
    for name, what in _FILES.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=what)
    parser.add_argument("--json", action="store_true", help="print the verdict as an object")
    when = "use bold and colour: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Run each, print its verdict. Raises ``UsageError`` and ``CannotCreate``."""
    where = _where(arguments.on)
    paths: list[str] = arguments.scripts
    _check_one(arguments, len(paths))
    ends = [_play(arguments, path, where) for path in paths]
    if arguments.json:
        documents = [end.document for end in ends]
        print(json.dumps(documents if len(paths) > 1 else documents[0], indent=2))
    elif len(paths) > 1:
        print(_summary([end.code for end in ends]))
    return max(end.code for end in ends)


def _check_one(arguments: argparse.Namespace, scripts: int) -> None:
    """A picture is of one run."""
    for name in ("mermaid", *_FILES):
        if getattr(arguments, name) and scripts > 1:
            raise UsageError(f"--{name} shows one run, and there are {scripts} scripts; give one")


def _summary(codes: Sequence[int]) -> str:
    words = {AGREED: "agreed", DIFFERED: "differed", COULD_NOT_RUN: "could not be run"}
    counts = (f"{codes.count(code)} {text}" for code, text in words.items() if code in codes)
    return f"{len(codes)} scripts: {', '.join(counts)}"


def _play(arguments: argparse.Namespace, path: str, where: _Where) -> _End:
    try:
        script = _read(path)
        done = _perform(script, where)
    except (Error, OSError) as error:
        return _could_not(path, error)
    trace = done.verdicts[-1].trace
    _write_files(arguments, trace)
    if arguments.mermaid:
        print(mermaid.draw(trace), end="")
    elif not arguments.json:
        _print(arguments, done)
    return _End(_code(done), _document(script, done))


def _where(text: str) -> _Where:
    stage, colon, profile = text.partition(":")
    if stage not in ("model", "kernel", "both") or (stage == "kernel" and colon):
        raise UsageError(f"--on {text}: write model, kernel or both; model:PROFILE, both:PROFILE")
    if colon:
        try:
            find(profile)
        except ConfigError as error:
            raise UsageError(f"--on {text}: {error}") from error
    return _Where(stage != "kernel", stage != "model", profile or None)


def _read(path: str) -> Script:
    """Parse a file. Raises ``ConfigError``."""
    try:
        with sys.stdin.buffer if path == "-" else Path(path).open("rb") as file:
            octets = file.read(_LARGEST + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(path, reason, "name a packet script") from error
    if len(octets) > _LARGEST:
        raise ConfigError(path, f"it is larger than {_LARGEST} octets", "name a packet script")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "it is not UTF-8", "name a packet script") from error
    script = parse(text, "script" if path == "-" else Path(path).name)
    if all(isinstance(one.body, Comment) for one in script.statements):
        # To agree with nothing would be a check that has passed.
        raise ConfigError(path, "there is nothing in it to run", "name a packet script")
    return script


def _perform(script: Script, where: _Where) -> _Run:
    # Imported here: --help needs nothing of the laboratory, nor does the model need a kernel.
    from ..lab.conductor import conduct

    if where.model and where.kernel:
        from ..lab.compare import compare

        both = compare(script, where.profile)
        if both.model.refusal is not None:  # and then the kernel was not asked
            return _Run((both.model,))
        return _Run((both.model, both.kernel), both.disagreement)
    if where.kernel:
        from ..lab.kernel_stage import KernelStage

        with KernelStage(script.ipv6) as kernel:
            return _Run((conduct(script, kernel),))
    from ..lab.model_stage import ModelStage
    from ..tcp_model.profiles import DEFAULT

    profile = where.profile or script.profile or DEFAULT.name
    return _Run((conduct(script, ModelStage(profile, script.ipv6)),))


def _code(done: _Run) -> int:
    if any(one.refusal for one in done.verdicts):
        return COULD_NOT_RUN
    agreed = all(one.agreed for one in done.verdicts) and done.disagreement is None
    return AGREED if agreed else DIFFERED


def _could_not(path: str, error: Exception) -> _End:
    reason = str(error)
    complain("backlog", reason)
    if getattr(error, "errno", None) in (errno.EPERM, errno.EACCES):
        complain("backlog", "the kernel needs root; --on model does not")
    return _End(COULD_NOT_RUN, {"script": path, "agreed": None, "reason": reason})


def _write_files(arguments: argparse.Namespace, trace: Trace) -> None:
    makers: Mapping[str, Callable[[Trace], bytes]] = {
        "pcapng": pcapng.encode,
        "svg": lambda one: svg_ladder.draw(one).encode(),
        "plot": lambda one: depth_plot.draw(one).encode(),
        "jsonl": lambda one: to_jsonl(one).encode(),
    }
    for flag, make in makers.items():
        path = getattr(arguments, flag)
        if path is None:
            continue
        try:
            Path(path).write_bytes(make(trace))
        except OSError as error:
            raise CannotCreate(f"cannot create {path}: {error.strerror}") from error
        except LocalProtocolError as error:
            raise CannotCreate(f"cannot create {path}: {error}") from error


def _print(arguments: argparse.Namespace, done: _Run) -> None:
    style = styled(arguments.color)
    if arguments.ladder:
        ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        trace = done.verdicts[-1].trace
        columns = width() or int(os.environ.get("COLUMNS", "0") or 0) or 100
        print(ladder.draw(trace, columns, styled=style, ascii_only=ascii_only))
    for verdict in done.verdicts:
        print(_escape_lines(str(verdict)))
    if len(done.verdicts) > 1 and all(one.agreed for one in done.verdicts):
        if done.disagreement is not None:
            print(_escape_lines(str(done.disagreement)))
        else:
            print("the two agree in every packet and every counter")


def _escape_lines(text: str) -> str:
    """Text with nothing in it that a terminal would obey, its lines as they were."""
    return "\n".join(escape(line) for line in text.split("\n"))


def _document(script: Script, done: _Run) -> dict[str, Any]:
    disagreement = done.disagreement
    return {
        "script": script.name,
        "agreed": {AGREED: True, DIFFERED: False}.get(_code(done)),
        "runs": [_verdict(one) for one in done.verdicts],
        "disagreement": disagreement
        and {
            "what": disagreement.what,
            "model": disagreement.model,
            "kernel": disagreement.kernel,
        },
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    return {
        "stage": one.stage,
        "agreed": one.agreed,
        "difference": _difference(one.difference),
        "refusal": _refusal(one.refusal),
        "seconds": max((event.at for event in one.trace.events), default=0) / 1e9,
    }


def _difference(one: Difference | None) -> dict[str, Any] | None:
    if one is None:
        return None
    place = {"line": one.place.line, "text": one.line}
    return place | {"expected": one.expected, "got": one.got}


def _refusal(one: Refusal | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"line": one.place.line, "text": one.line, "reason": one.reason}
