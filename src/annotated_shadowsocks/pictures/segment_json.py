"""Segments, flows and ICMP errors as JSON: a line that a person can read and ``jq`` can ask.

::

    {"src": "10.9.0.2:30001", "dst": "10.9.0.1:5000", "flags": "S", "seq": 1000, "ack": 0,
     "window": 65535, "options": [["mss", 1460], ["sackOK"], ["wscale", 7]], "payload": ""}

Flags have tcpdump's letters, options its names, and octets are hexadecimal.
"""

from collections.abc import Mapping
from typing import Any

from ..endpoint import Endpoint
from ..tcp_model.segment import (
    FastOpenCookie,
    Flow,
    MaximumSegmentSize,
    Option,
    SackBlocks,
    SackPermitted,
    Segment,
    Timestamps,
    UnknownOption,
    Unreachable,
    UnreachableKind,
    WindowScale,
    flags_text,
)

__all__ = ["decode", "decode_flow", "encode", "encode_flow"]

_BITS = {letter: 1 << bit for bit, letter in enumerate("FSRP.UEW")}


def encode(packet: Segment | Unreachable) -> dict[str, Any]:
    """What ``json`` can write of a packet."""
    if isinstance(packet, Unreachable):
        error = {"icmp": packet.kind.name, "seq": packet.seq}
        return error | {"flow": encode_flow(packet.flow)}
    return {
        "src": str(packet.src),
        "dst": str(packet.dst),
        "flags": "" if not packet.flags else flags_text(packet.flags),
        "seq": packet.seq,
        "ack": packet.ack,
        "window": packet.window,
        "options": [_encode_option(option) for option in packet.options],
        "payload": packet.payload.hex(),
    }


def decode(document: Mapping[str, Any]) -> Segment | Unreachable:
    """The same back. Raises ``KeyError``, ``TypeError`` and ``ValueError``; a caller adds where."""
    if "icmp" in document:
        kind = UnreachableKind[document["icmp"]]
        return Unreachable(decode_flow(document["flow"]), _number(document["seq"]), kind)
    return Segment(
        _endpoint(document["src"]),
        _endpoint(document["dst"]),
        sum({_BITS[letter] for letter in document["flags"]}),
        _number(document["seq"]),
        _number(document["ack"]),
        _number(document["window"], 0xFFFF),
        tuple(_decode_option(*option) for option in document["options"]),
        bytes.fromhex(document["payload"]),
    )


def encode_flow(flow: Flow) -> list[str]:
    """Local, then remote."""
    return [str(flow.local), str(flow.remote)]


def decode_flow(document: list[str]) -> Flow:
    """The same back, raising what ``decode`` does."""
    local, remote = document
    return Flow(_endpoint(local), _endpoint(remote))


def _encode_option(option: Option) -> list[Any]:
    match option:
        case MaximumSegmentSize(value):
            return ["mss", value]
        case WindowScale(shift):
            return ["wscale", shift]
        case SackPermitted():
            return ["sackOK"]
        case SackBlocks(blocks):
            return ["sack", *map(list, blocks)]
        case Timestamps(tsval, tsecr):
            return ["TS", tsval, tsecr]
        case FastOpenCookie(cookie):
            return ["tfo", cookie.hex()]
        case UnknownOption(kind, data):
            return ["unknown", kind, data.hex()]


def _decode_option(name: str, *operands: Any) -> Option:
    match name, operands:
        case "mss", (value,):
            return MaximumSegmentSize(_number(value, 0xFFFF))
        case "wscale", (shift,):
            return WindowScale(_number(shift, 0xFF))
        case "sackOK", ():
            return SackPermitted()
        case "sack", blocks:
            return SackBlocks(tuple((_number(left), _number(right)) for left, right in blocks))
        case "TS", (tsval, tsecr):
            return Timestamps(_number(tsval), _number(tsecr))
        case "tfo", (cookie,):
            return FastOpenCookie(bytes.fromhex(cookie))
        case "unknown", (kind, data):
            return UnknownOption(_number(kind, 0xFF), bytes.fromhex(data))
        case _:
            raise ValueError(f"{name!r} is no TCP option, or has other operands")


def _endpoint(value: object) -> Endpoint:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} should be host:port")
    return Endpoint.parse(value)


def _number(value: object, most: int = 0xFFFFFFFF) -> int:
    # A boolean is an integer to Python, and not to JSON.
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not between 0 and {most}")
    return value
