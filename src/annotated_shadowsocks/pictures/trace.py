"""What happened, in order: the one value from which every picture and every file is made.

A trace says nothing about who made it. The model gives its effects (``recorder`` turns them into
events); the laboratory gives what it captured on the wire and read from the kernel. A picture of
either is drawn by the same code, and two traces of one script lie side by side.

A packet has a number. It is sent once, may be held, and ends by arriving or by being lost; one
that does neither was on its way when the trace ended. Times are whole nanoseconds since the start
of the run. Parties are names: ``server``, ``A``. A party with a port is one client of an address
that many share.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar, get_args

from ..errors import ConfigError
from ..tcp_model.instant import Instant
from ..tcp_model.segment import Flow, Segment, Unreachable
from . import segment_json

__all__ = [
    "ACCEPT_QUEUE",
    "SYN_QUEUE",
    "Acted",
    "CounterMoved",
    "Event",
    "Noted",
    "PacketArrived",
    "PacketHeld",
    "PacketLost",
    "PacketSent",
    "Party",
    "QueueMeasured",
    "StateChanged",
    "Trace",
    "from_jsonl",
    "to_jsonl",
]

_T = TypeVar("_T")

SYN_QUEUE = "syn_queue"
ACCEPT_QUEUE = "accept_queue"


@dataclass(frozen=True, slots=True)
class PacketSent:
    """``sender`` put a packet on the wire; ``reason`` is empty where nobody knows it."""

    at: Instant
    packet: int
    sender: str
    receiver: str
    segment: Segment | Unreachable
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PacketHeld:
    """The wire keeps a packet back, until it arrives or is lost."""

    at: Instant
    packet: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PacketArrived:
    """The receiver has the packet."""

    at: Instant
    packet: int


@dataclass(frozen=True, slots=True)
class PacketLost:
    """The wire threw the packet away."""

    at: Instant
    packet: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acted:
    """A host did something, to a packet or to a connection: ``DropSyn``, ``AddRequest``.

    ``action`` is the name of an effect of the model, or of a call like ``accept()``.
    """

    at: Instant
    host: str
    action: str
    reason: str = ""
    flow: Flow | None = None
    packet: int | None = None


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A connection is in another state than before, at one of its ends."""

    at: Instant
    host: str
    flow: Flow
    old: str
    new: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueMeasured:
    """How full a queue of a listener is; ``limit`` None where the system has none.

    ``queue`` is ``syn_queue`` or ``accept_queue``; ``listener`` counts in the order of bind().
    """

    at: Instant
    host: str
    queue: str
    depth: int
    limit: int | None
    listener: int = 1


@dataclass(frozen=True, slots=True)
class CounterMoved:
    """A counter went up ``by`` so much: of the host, or of one listener."""

    at: Instant
    host: str
    name: str
    by: int = 1
    listener: int | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A remark for whoever reads the trace: a line of the script, a line of the kernel's log."""

    at: Instant
    text: str
    host: str = ""


Event: TypeAlias = (
    PacketSent
    | PacketHeld
    | PacketArrived
    | PacketLost
    | Acted
    | StateChanged
    | QueueMeasured
    | CounterMoved
    | Noted
)


@dataclass(frozen=True, slots=True)
class Party:
    """Who sends and receives: a host, or with a port one socket of it."""

    name: str
    address: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A run. ``source`` says what ran (``model linux-6.18``), ``title`` what for."""

    title: str
    source: str
    parties: tuple[Party, ...]
    events: tuple[Event, ...]


# --- JSON lines: the head, then one event a line ---

_FORMAT = "annotated-shadowsocks trace 1"
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def to_jsonl(trace: Trace) -> str:
    """The trace as lines, each a JSON object; what has its default value is left out."""
    parties = [_fields(one) for one in trace.parties]
    head = {"format": _FORMAT, "title": trace.title, "source": trace.source, "parties": parties}
    events = ({"event": type(one).__name__} | _fields(one) for one in trace.events)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (head, *events))


def from_jsonl(text: str, name: str = "trace") -> Trace:
    """The trace that ``to_jsonl`` wrote; blank lines are skipped.

    Raises ``ConfigError`` that says which line of ``name`` is wrong.
    """
    place, head, events = name, None, []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            document = _object(json.loads(line))
            if head is None:
                head = _head(document)
            else:
                events.append(_event(document))
        except KeyError as error:
            raise ConfigError(place, f"{error} is missing or unknown") from error
        except (ConfigError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError(place, str(error), "see what 'to_jsonl' writes") from error
    if head is None:
        raise ConfigError(place, "there is no line in it", "a trace begins with its head")
    return replace(head, events=tuple(events))


def _head(document: Mapping[str, Any]) -> Trace:
    if document["format"] != _FORMAT:
        raise ValueError(f"format is {document['format']!r} and not {_FORMAT!r}")
    parties = tuple(Party(**_values(Party, _object(one))) for one in document["parties"])
    return Trace(_exactly(str, document["title"]), _exactly(str, document["source"]), parties, ())


def _event(document: Mapping[str, Any]) -> Event:
    kind = _KINDS[document["event"]]
    return kind(**_values(kind, {k: v for k, v in document.items() if k != "event"}))


def _fields(value: Event | Party) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if content != field.default:
            found[field.name] = _ENCODERS.get(type(content), lambda same: same)(content)
    return found


def _values(kind: type[Event | Party], document: Mapping[str, Any]) -> dict[str, Any]:
    types = {field.name: field.type for field in fields(kind)}
    return {name: _DECODERS[types[name]](value) for name, value in document.items()}


def _object(value: object) -> dict[str, Any]:
    found: dict[str, Any] = _exactly(dict, value)
    return found


def _exactly(kind: type[_T], value: object) -> _T:
    # A boolean is an integer to Python, and not to JSON.
    if type(value) is not kind:
        raise TypeError(f"{value!r} should be {kind.__name__}")
    return value


_ENCODERS: Mapping[type, Callable[[Any], Any]] = {
    Segment: segment_json.encode,
    Unreachable: segment_json.encode,
    Flow: segment_json.encode_flow,
}
_DECODERS: Mapping[Any, Callable[[Any], Any]] = {
    int: partial(_exactly, int),
    int | None: lambda value: value if value is None else _exactly(int, value),
    str: partial(_exactly, str),
    Flow: segment_json.decode_flow,
    Flow | None: lambda value: value if value is None else segment_json.decode_flow(value),
    Segment | Unreachable: lambda value: segment_json.decode(_object(value)),
}
