"""``backlog tour``: what happens between a SYN and accept(), told in eight scenes that are played.

Each scene is run while it is told, on the model and, where we may, on this kernel; what is shown is
what happened. On a terminal the tour stops after each scene.
"""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, UsageError
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, table, width

if TYPE_CHECKING:
    from ..lab.tour import Scene
    from ..lab.verdict import Verdict
    from ..pictures.trace import Trace

__all__ = ["add_parser", "run"]

_ABOUT = "the listen queue in eight scenes, each played on the model and on this kernel"
_EPILOG = """\
The kernel is asked in network namespaces of our own, which needs root and takes as long as its
timers do. Without --on, it is asked where that is possible, and the model is drawn. Ends with 1
where a scene did not go as it was told.
"""
_DIFFERED = 1
_NARROW = 80
_LABEL = 14
_NOT_HERE = "this scene is about another system; only the model can play it"


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("tour", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    which = "only this one, by number or name (default all, with a stop after each)"
    parser.add_argument("scene", nargs="?", metavar="SCENE", help=which)
    where = "who plays and is drawn: model, kernel or both"
    parser.add_argument("--on", choices=("model", "kernel", "both"), help=where)
    parser.add_argument("--json", action="store_true", help="print an object, with the traces")
    when = "use bold and colours: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Give the tour; 1 where a scene did not go as told.

    Raises ``UsageError``, and ``NamespaceError`` where the kernel was asked for and cannot be had.
    """
    # Imported here: --help and a wrong word need nothing of the laboratory.
    from ..lab import tour

    try:
        shown = [tour.find(arguments.scene)] if arguments.scene else list(tour.scenes())
    except ConfigError as error:
        raise UsageError(str(error)) from error
    if arguments.on == "kernel" and all(scene.needs_model for scene in shown):
        raise UsageError(f"{_NOT_HERE}; use --on model")
    players = _Players(arguments.on)
    if arguments.json:
        return _as_json(shown, players)
    teller = _Teller(styled(arguments.color), players)
    stops = len(shown) > 1 and sys.stdin.isatty() and sys.stdout.isatty()
    for scene in shown:
        for line in teller.tell(scene, len(tour.scenes())):
            print(line)
        if stops and scene is not shown[-1] and not _goes_on():
            break
    return _DIFFERED if players.differed else exits.OK


def _goes_on() -> bool:
    try:
        return input("Enter goes on, q ends: ").strip().lower() not in ("q", "quit")
    except EOFError:
        return False


class _Players:
    """Who plays a scene; remembers whether any performance differed from its script."""

    def __init__(self, on: str | None) -> None:
        self.on = on
        self.differed = False
        #: Why the kernel is left out, although nobody has said that it should be.
        self.absent = ""
        if on is None and os.geteuid() != 0:
            self.absent = "root would show the same on this kernel"

    def play(self, scene: "Scene") -> "Iterator[Verdict]":
        """One performance after the other."""
        from ..kernel.netns import NamespaceError
        from ..lab import tour

        if self.on != "kernel":
            yield self._noticed(tour.on_model(scene))
        if self.on == "model" or self.absent or scene.needs_model:
            return
        try:
            with _Patience(scene.title):
                verdict = tour.on_kernel(scene)
        except NamespaceError as error:
            if self.on is not None:
                raise
            self.absent = str(error)
            return
        yield self._noticed(verdict)

    def _noticed(self, verdict: "Verdict") -> "Verdict":
        self.differed = self.differed or not verdict.agreed
        return verdict


class _Patience:
    """Says on a terminal that the kernel takes its time, and takes the line back."""

    def __init__(self, what: str) -> None:
        self._text = f"on this kernel, in its own time: {what} …" if sys.stderr.isatty() else ""

    def __enter__(self) -> None:
        if self._text:
            print(self._text, end="", flush=True, file=sys.stderr)

    def __exit__(self, *_: object) -> None:
        if self._text:
            print(f"\r{'':{len(self._text)}}\r", end="", flush=True, file=sys.stderr)


class _Teller:
    def __init__(self, style: bool, players: _Players) -> None:
        self._style = style
        self._players = players
        self._width = width() or _NARROW
        self._plain = "utf" not in (sys.stdout.encoding or "").lower()

    def tell(self, scene: "Scene", count: int) -> Iterator[str]:
        """Title, story, what happened, what has changed."""
        yield self._bold(f"{scene.number} of {count}: {scene.title}")
        yield ""
        for paragraph in scene.story:
            yield from self._wrapped(paragraph)
            yield ""
        drawn = False
        for verdict in self._players.play(scene):
            yield from self._performance(verdict, brief=drawn and self._players.on is None)
            drawn = True
        if self._players.on != "model" and scene.needs_model:
            yield f"({_NOT_HERE})"
            yield ""
        elif self._players.absent:
            yield from self._wrapped(f"({self._players.absent})")
            yield ""
        if scene is _last():
            yield from self._numbers()
        for paragraph in scene.since:
            yield from self._wrapped(paragraph)
            yield ""

    def _performance(self, verdict: "Verdict", brief: bool) -> Iterator[str]:
        from ..pictures import ladder

        if not verdict.agreed:
            yield from str(verdict).splitlines()
            yield ""
        if brief and verdict.agreed:
            yield f"{verdict.stage} does the same; --on kernel draws it."
            yield ""
            return
        yield self._bold(f"On {verdict.stage}")
        yield ""
        drawing = ladder.draw(
            verdict.trace, self._width, styled=self._style, ascii_only=self._plain
        )
        yield from drawing.splitlines()
        yield ""
        yield from self._curves(verdict.trace)
        yield from self._counters(verdict.trace)
        yield ""

    def _curves(self, trace: "Trace") -> Iterator[str]:
        from ..pictures.depth import series_of, sparkline
        from ..tcp_model.instant import SECOND

        if self._plain:
            return
        room = min(self._width, _NARROW + 20) - _LABEL - 24
        for series in series_of(trace):
            limit = "no limit" if series.limit is None else f"limit {series.limit}"
            curve = sparkline(series, room)
            label = f"{series.name:<{_LABEL}}"
            yield f"{label}▕{curve}▏ {limit}, {(series.end - series.start) / SECOND:.1f} s"

    def _counters(self, trace: "Trace") -> Iterator[str]:
        counted = _counted(trace)
        if counted:
            said = ", ".join(f"{name} {by}" for name, by in counted.items())
            indent = " " * _LABEL
            yield from textwrap.wrap(
                f"{'counters':<{_LABEL}}{said}", self._width, subsequent_indent=indent
            )

    def _numbers(self) -> Iterator[str]:
        """The table that answers the last scene's question."""
        from ..lab import tour

        rows = [("listen(b), b =", *map(str, tour.BACKLOGS))]
        for name, cells in tour.numbers().items():
            rows.append((name, *map(str, cells)))
        head, *lines = table(rows, range(1, len(rows[0])))
        yield self._bold("Clients that get a connection, one by one, while nobody calls accept()")
        yield ""
        yield head
        yield from lines
        yield ""

    def _wrapped(self, paragraph: str) -> list[str]:
        return textwrap.wrap(paragraph, min(self._width, _NARROW))

    def _bold(self, text: str) -> str:
        return Style.BOLD.wrap(text, self._style)


def _last() -> "Scene":
    from ..lab import tour

    return tour.scenes()[-1]


def _counted(trace: "Trace") -> dict[str, int]:
    """What the server has counted, in the order of the first time."""
    from ..pictures.trace import CounterMoved

    found: dict[str, int] = {}
    for event in trace.events:
        if isinstance(event, CounterMoved) and event.host == "server":
            found[event.name] = found.get(event.name, 0) + event.by
    return found


def _as_json(shown: "Sequence[Scene]", players: _Players) -> int:
    from ..lab import tour

    documents = [_document(scene, players) for scene in shown]
    result: dict[str, Any] = {"scenes": documents}
    if tour.scenes()[-1] in shown:
        result["numbers"] = {
            name: [
                {"backlog": backlog, "connections": cell}
                for backlog, cell in zip(tour.BACKLOGS, cells, strict=True)
            ]
            for name, cells in tour.numbers().items()
        }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return _DIFFERED if players.differed else exits.OK


def _document(scene: "Scene", players: _Players) -> dict[str, Any]:
    from ..pictures.trace import to_jsonl

    performances = [
        {
            "stage": verdict.stage,
            "agreed": verdict.agreed,
            "problem": None if verdict.agreed else str(verdict),
            "counters": _counted(verdict.trace),
            "trace": [json.loads(line) for line in to_jsonl(verdict.trace).splitlines()],
        }
        for verdict in players.play(scene)
    ]
    return {
        "number": scene.number,
        "name": scene.name,
        "title": scene.title,
        "story": scene.story,
        "since": scene.since,
        "performances": performances,
    }
