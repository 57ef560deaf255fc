"""``backlog serve``: connect to a listener of another system, with curl or a browser.

Everything that the model does is a line with its reason, as it happens: what a kernel keeps to
itself.
"""

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..endpoint import Endpoint
from ..errors import ConfigError, UsageError
from ..tcp_model import effects as e
from ..tcp_model.effects import Effect
from ..tcp_model.host import Host
from ..tcp_model.instant import SECOND, Instant
from ..tcp_model.profiles import DEFAULT, PROFILES, find
from ..tcp_model.segment import Segment, flags_text
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled

if TYPE_CHECKING:
    from ..lab.live_model import LiveModel

__all__ = ["add_parser", "run"]

_ABOUT = "the model as a live host on a TUN device: curl a listener that behaves as 4.4BSD does"
_EPILOG = """\
Needs root, for the device; 'backlog run --on model' does not. Ctrl-C ends it, and the device goes
with it. Try: backlog serve --profile bsd44 --backlog 1 --stall, and then several times curl.
"""
_ADDRESS = "198.51.100.2/24"
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
#: What says nothing that another line does not say.
_QUIET = (e.ArmTimer, e.Count, e.ChangeState, e.Deliver)


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("serve", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    which = f"the system to be (default {DEFAULT.name}; {', '.join(PROFILES)})"
    parser.add_argument("-p", "--profile", metavar="NAME", default=DEFAULT.name, help=which)
    where = f"the model's address and its network, used by nobody else (default {_ADDRESS})"
    parser.add_argument("--address", metavar="ADDR/BITS", default=_ADDRESS, help=where)
    parser.add_argument("--port", type=int, default=80, help="where it listens (default 80)")
    what = "the argument of listen() (default 5)"
    parser.add_argument("-b", "--backlog", type=int, default=5, metavar="N", help=what)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--stall", action="store_true", help="never call accept()")
    what = "how long the application takes between two accept() calls (default 0)"
    pace.add_argument("--accept-every", metavar="SECONDS", type=float, default=0.0, help=what)
    what = "a setting of the system, like tcp_syncookies=0; may be repeated"
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=what)
    parser.add_argument("--json", action="store_true", help="print each event as an object")
    when = "use bold: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises ``UsageError``, ``NamespaceError``, ``ConfigError``."""
    if not _INT_MIN <= arguments.backlog <= _INT_MAX:
        raise UsageError(f"--backlog {arguments.backlog}: that is no C integer")
    if not 1 <= arguments.port <= 65535:
        raise UsageError(f"--port {arguments.port}: use 1 to 65535")
    pace = arguments.accept_every
    if not (math.isfinite(pace) and 0 <= pace <= 86_400):
        raise UsageError(f"--accept-every {pace:g}: use 0 to 86400 seconds")
    try:
        host = Host(find(arguments.profile), _settings(arguments.set), os.urandom(32))
    except ConfigError as error:
        raise UsageError(str(error)) from error
    # Imported here: --help and a wrong flag need nothing of the kernel.
    from ..lab.live_model import LiveModel, interfaces

    try:
        interfaces(arguments.address)
    except ConfigError as error:
        raise UsageError(f"--address {error}") from error
    endpoint = Endpoint(arguments.address.partition("/")[0], arguments.port)
    printer = _Printer(endpoint, arguments.json, styled(arguments.color))
    interval = None if arguments.stall else round(pace * SECOND)
    with _interruptible():
        try:
            where = (arguments.address, arguments.port)
            with LiveModel(host, *where, interval, printer) as model:
                _introduce(model, arguments)
                model.listen(arguments.backlog)
                model.run()
        except KeyboardInterrupt:
            _take_leave(host, arguments.json)
    return exits.OK


def _settings(words: Sequence[str]) -> dict[str, int]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = int(value)
        except ValueError:
            raise UsageError(f"--set {word}: write it as NAME=NUMBER") from None
    return found


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM end what Ctrl-C ends, also where a shell has made us ignore Ctrl-C."""
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, _interrupt) for number in both]
    try:
        yield
    finally:
        for number, handler in zip(both, before, strict=True):
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _introduce(model: "LiveModel", arguments: argparse.Namespace) -> None:
    profile, at = model.host.profile, model.endpoint
    if arguments.json:
        document = {
            "profile": profile.name,
            "device": model.device,
            "address": str(at),
            "backlog": arguments.backlog,
        }
        print(json.dumps(document), flush=True)
        return
    behaviour = "its application never accepts" if arguments.stall else f"curl http://{at}/"
    print(f"{profile.title} listens on {at} over {model.device}: {behaviour}", flush=True)
    print("Ctrl-C ends it.", file=sys.stderr, flush=True)


def _take_leave(host: Host, as_json: bool) -> None:
    counted = host.counters.snapshot()
    if as_json:
        print(json.dumps({"counters": counted}), flush=True)
        return
    names = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
    print(f"\nCounted: {names or 'nothing'}.", flush=True)


class _Printer:
    """One line for each segment that arrived, and for each effect that is worth one."""

    def __init__(self, server: Endpoint, as_json: bool, style: bool) -> None:
        self._server = server
        self._json = as_json
        self._style = style

    def __call__(self, at: Instant, what: Segment | Effect) -> None:
        """Print it."""
        if self._json:
            print(json.dumps(_document(at, what)), flush=True)
        elif not isinstance(what, _QUIET):
            mark, text, reason = _words(what)
            because = f"  {reason}" if reason else ""
            loud = self._style and isinstance(what, (e.DropSyn, e.DropAck))
            line = f"{at / SECOND:10.3f} {mark} {text}{because}"
            print(Style.BOLD.wrap(line, loud), flush=True)


def _words(what: Segment | Effect) -> tuple[str, str, str]:
    """An arrow, what it is, and why."""
    match what:
        case Segment():
            return "<", _segment(what, what.src), ""
        case e.SendSegment(segment, reason):
            return ">", _segment(segment, segment.dst), reason
        case e.DropSyn() | e.DropAck() | e.DropSegment():
            return "x", f"{_name(what)} {what.segment.src}", what.reason
        case e.AddRequest() | e.RemoveRequest():
            return "·", f"{_name(what)} {what.flow.remote}, syn_queue {what.depth}", what.reason
        case e.QueueAccept() | e.Dequeue():
            return "·", f"{_name(what)} {what.flow.remote}, accept_queue {what.depth}", what.reason
        case e.SetLimit(_, limit, reason):
            return "·", f"SetLimit {limit}", reason
        case e.WriteLog(text, _):
            return "·", "kernel log", text
        case _:
            return "·", f"{_name(what)} {getattr(what, 'flow', '')}".rstrip(), what.reason


def _segment(segment: Segment, far: Endpoint) -> str:
    size = f" {len(segment.payload)} octets" if segment.payload else ""
    return f"{flags_text(segment.flags)} {far}{size}"


def _name(what: object) -> str:
    return type(what).__name__


def _document(at: Instant, what: Segment | Effect) -> dict[str, Any]:
    if isinstance(what, Segment):
        return {"at": at / SECOND, "event": "Arrived", "segment": str(what)}
    document: dict[str, Any] = {"at": at / SECOND, "event": _name(what), "reason": what.reason}
    for name in what.__slots__:
        value = getattr(what, name)
        if name != "reason":
            document[name] = value if isinstance(value, (int, str, bool)) else str(value)
    return document
