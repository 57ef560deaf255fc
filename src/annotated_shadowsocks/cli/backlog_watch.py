"""``backlog watch``: every listener's queue as it fills and empties, until it is told to end."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..policy.listener_filter import ListenerFilter, parse_filter
from . import exits
from .arguments import ArgumentParser
from .files import CannotCreate, create_private
from .terminal import COLOR_CHOICES, styled

if TYPE_CHECKING:
    from ..dashboard.history import History
    from ..dashboard.looker import Looker
    from ..dashboard.watch_frame import Setting
    from ..dashboard.watch_view import WatchView

__all__ = ["add_parser", "run"]

_ABOUT = "every listener's queue, live: curves, high-water marks, drops as they come"
_EPILOG = """\
HIGH is the deepest accept queue that was seen since the start: a queue can be deeper between two
looks, and --interval says how often there is one. What misses nothing are the kernel's counters:
DROPS/s of each listener, and the overflows of the namespace above. Keys: ? shows them all. A pipe
gets a table for each look, or with --jsonl an object. A filter: sport = :443, 127.0.0.1:8388.
"""
#: A frame is drawn this often at most; looks may be more frequent.
_FRAME = 0.25
_LEAST, _MOST = 0.01, 3600.0


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("watch", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="as of ss; default: all")
    often = "seconds between two looks (default 1)"
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help=often)
    parser.add_argument("--count", type=int, metavar="N", help="end after so many looks")
    parser.add_argument("--jsonl", action="store_true", help="print an object a line, for pipes")
    parser.add_argument("--json", dest="jsonl", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    when = "use bold and reverse: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Watch. Raises ``ObserveError`` where not even the first look is possible."""
    if not _LEAST <= arguments.interval <= _MOST:
        raise UsageError(f"--interval: {arguments.interval:g} is not {_LEAST:g} to {_MOST:g}")
    if arguments.count is not None and arguments.count < 1:
        raise UsageError(f"--count: {arguments.count} looks show nothing; ask for 1 or more")
    words = " ".join(arguments.filter)
    meant = parse_filter(words)
    # Imported here: --help and a wrong filter need nothing of the kernel.
    from ..dashboard.history import History
    from ..dashboard.looker import Looker

    history = History(max(1.0, arguments.interval))
    with Looker(history) as looker:
        looker.look()
        interactive = sys.stdin.isatty() and sys.stdout.isatty() and not _is_dumb()
        if interactive and not arguments.jsonl and arguments.count is None:
            _in_terminal(arguments, history, looker, meant, words)
        else:
            _in_pipe(arguments, history, looker, meant)
    return exits.OK


def _is_dumb() -> bool:
    return os.environ.get("TERM", "dumb") == "dumb"


def _in_pipe(
    arguments: argparse.Namespace,
    history: "History",
    looker: "Looker",
    meant: ListenerFilter,
) -> None:
    """One look after another, each printed whole."""
    if not arguments.jsonl and not sys.stdout.isatty():
        # A reader of a table wants each one when it is made.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for number, _ in enumerate(_ticks(arguments.interval), 1):
        if number > 1:
            looker.try_to_look()
        if arguments.jsonl:
            print(json.dumps(_document(history, meant)), flush=True)
        else:
            _print_table(history, meant, arguments)
        if number == arguments.count:
            return


def _ticks(interval: float) -> Iterator[None]:
    """Now, and then every ``interval`` seconds; a tick that was missed is not made up for."""
    due = time.monotonic()
    while True:
        yield
        now = time.monotonic()
        due = max(due + interval, now)
        time.sleep(due - now)


def _document(history: "History", meant: ListenerFilter) -> dict[str, Any]:
    from ..dashboard.listener_view import SCHEMA

    tracks = [one for one in history.tracks.values() if meant(one.sight.listener.local)]
    return {
        "schema": SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "problem": history.problem or None,
        "listeners": [track.document() for track in tracks],
        "counters": {"since_start": history.grown, "since_last": history.lately},
    }


def _print_table(history: "History", meant: ListenerFilter, arguments: argparse.Namespace) -> None:
    from ..dashboard.watch_frame import frame
    from ..dashboard.watch_view import WatchView

    view = WatchView(meant=meant, words=" ".join(arguments.filter))
    rows = len(view.listed(history))
    setting = _setting(arguments, 120, rows + 5)
    for line in frame(history, view, setting)[:-1]:
        print(line.text.rstrip())
    if history.problem:
        print(history.problem)


def _in_terminal(
    arguments: argparse.Namespace,
    history: "History",
    looker: "Looker",
    meant: ListenerFilter,
    words: str,
) -> None:
    from ..dashboard.screen import opened
    from ..dashboard.watch_frame import frame
    from ..dashboard.watch_view import WatchView

    view = WatchView(meant=meant, words=words)
    due = drawn = time.monotonic()
    # Ctrl-Z, and a shell that is closed, find the terminal as it was.
    signal.signal(signal.SIGTERM, _interrupt)
    with opened(styled(arguments.color)) as screen:
        while not view.over:
            now = time.monotonic()
            if now >= due:
                due = max(due + arguments.interval, now)
                if not view.paused:
                    looker.try_to_look()
            if now >= drawn:
                drawn = now + min(_FRAME, arguments.interval)
                screen.draw(frame(history, view, _setting(arguments, *screen.size)))
            key = screen.key(max(0.0, min(due, drawn) - time.monotonic()))
            if key is not None:
                view.press(key, history)
                drawn = 0.0
            while view.wishes:
                _grant(view.wishes.pop(0), view, history)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _grant(wish: str, view: "WatchView", history: "History") -> None:
    if wish == "reset":
        history.reset()
        return
    name = f"backlog-watch-{datetime.now():%Y%m%d-%H%M%S}.json"
    try:
        create_private(name, json.dumps(_document(history, view.meant), indent=2) + "\n")
        view.message = f"written: {name}"
    except CannotCreate as error:
        view.message = str(error)


def _setting(arguments: argparse.Namespace, width: int, height: int) -> "Setting":
    from ..dashboard.watch_frame import Setting
    from ..kernel.procfs import network_namespace
    from ..kernel.sysctl import sysctls

    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return Setting(
        width,
        max(height, 6),
        encoding.startswith("utf") and not arguments.ascii,
        f"{datetime.now():%H:%M:%S}",
        f"net:[{network_namespace() or '?'}]",
        sysctls(),
    )
