"""Segments as octets: what crosses a real wire, for a real kernel on its other side.

::

    +-------------------------------+-------------------------------+
    |          source port          |       destination port        |     [RFC9293 §3.1]
    +-------------------------------+-------------------------------+
    |                        sequence number                        |
    +---------------------------------------------------------------+
    |                     acknowledgment number                     |
    +-------+-------+---------------+-------------------------------+
    | offset|  rsrvd|     flags     |            window             |
    +-------+-------+---------------+-------------------------------+
    |            checksum           |         urgent pointer        |
    +-------------------------------+-------------------------------+
    |    options: 0 (end) | 1 (no-op) | kind, length, value ...     |
    +---------------------------------------------------------------+

An ICMP error quotes the beginning of the packet that it is about: its IP header and eight octets,
which hold the ports and the sequence number and no more.
"""

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..endpoint import Endpoint
from ..errors import LocalProtocolError, RemoteProtocolError, Truncated
from ..wire import internet
from ..wire.internet import ICMP, ICMPV6, TCP, Packet
from .segment import (
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
)

__all__ = ["decode", "encode", "encode_options", "encode_unreachable"]

_HEADER = struct.Struct("!HHIIBBHHH")
_QUOTED = struct.Struct("!HHI")
_ICMP = struct.Struct("!BBHI")
_CHECKSUM = slice(16, 18)
_END, _NO_OP = 0, 1
#: Octets of options that the offset of four bits leaves room for.
_MOST_OPTIONS = 40

#: [RFC792] type and code of each kind
_V4: Mapping[UnreachableKind, tuple[int, int]] = MappingProxyType(
    {
        UnreachableKind.NETWORK: (3, 0),
        UnreachableKind.HOST: (3, 1),
        UnreachableKind.PORT: (3, 3),
        UnreachableKind.TOO_BIG: (3, 4),
        UnreachableKind.TIME_EXCEEDED: (11, 0),
        UnreachableKind.PARAMETER_PROBLEM: (12, 0),
    }
)
#: [RFC4443 §3] the same of ICMPv6
_V6: Mapping[UnreachableKind, tuple[int, int]] = MappingProxyType(
    {
        UnreachableKind.NETWORK: (1, 0),
        UnreachableKind.HOST: (1, 3),
        UnreachableKind.PORT: (1, 4),
        UnreachableKind.TOO_BIG: (2, 0),
        UnreachableKind.TIME_EXCEEDED: (3, 0),
        UnreachableKind.PARAMETER_PROBLEM: (4, 0),
    }
)
_KINDS_V4 = {code: kind for kind, code in _V4.items()}
_KINDS_V6 = {code: kind for kind, code in _V6.items()}


def encode(segment: Segment) -> bytes:
    """A segment in its IP packet. Raises ``LocalProtocolError`` for what does not fit in one."""
    options = encode_options(segment.options)
    offset = (_HEADER.size + len(options)) // 4
    header = _HEADER.pack(
        segment.src.port,
        segment.dst.port,
        segment.seq,
        segment.ack,
        offset << 4,
        segment.flags,
        segment.window,
        0,
        0,
    )
    octets = bytearray(header + options + segment.payload)
    packet = Packet(segment.src.host, segment.dst.host, TCP, bytes(octets))
    total = internet.checksum(internet.pseudo_header(packet) + octets)
    octets[_CHECKSUM] = total.to_bytes(2, "big")
    return internet.encode(packet._replace(payload=bytes(octets)))


def encode_options(options: tuple[Option, ...]) -> bytes:
    """Options in their order, filled up with no-ops. Raises ``LocalProtocolError`` past 40."""
    octets = b"".join(_option(one) for one in options)
    octets += bytes([_NO_OP]) * (-len(octets) % 4)
    if len(octets) > _MOST_OPTIONS:
        raise LocalProtocolError(f"{len(octets)} octets of options, and {_MOST_OPTIONS} fit")
    return octets


def encode_unreachable(error: Unreachable, reporter: str) -> bytes:
    """An ICMP error from ``reporter`` to the host that had sent what it quotes."""
    local, remote = error.flow
    quoted = _QUOTED.pack(local.port, remote.port, error.seq)
    inner = internet.encode(Packet(local.host, remote.host, TCP, quoted))
    version6 = ":" in local.host
    type_, code = (_V6 if version6 else _V4)[error.kind]
    message = bytearray(_ICMP.pack(type_, code, 0, 0) + inner)
    packet = Packet(reporter, local.host, ICMPV6 if version6 else ICMP, bytes(message))
    covered = internet.pseudo_header(packet) if version6 else b""
    message[2:4] = internet.checksum(covered + message).to_bytes(2, "big")
    return internet.encode(packet._replace(payload=bytes(message)))


def decode(data: bytes) -> Segment | Unreachable | None:
    """What a packet carries; None where it is neither TCP nor an error about TCP.

    Raises ``Truncated`` and ``RemoteProtocolError``.
    """
    packet = internet.decode(data)
    if packet.protocol == TCP:
        return _segment(packet)
    if packet.protocol == (ICMPV6 if ":" in packet.src else ICMP):
        return _unreachable(packet)
    return None


def _segment(packet: Packet) -> Segment:
    octets = packet.payload
    if len(octets) < _HEADER.size:
        raise Truncated(f"a TCP header of {len(octets)} octets")
    if internet.checksum(internet.pseudo_header(packet) + octets):
        raise RemoteProtocolError("the checksum of the segment is wrong")
    sport, dport, seq, ack, offset, flags, window, _, _ = _HEADER.unpack_from(octets)
    start = (offset >> 4) * 4
    if not _HEADER.size <= start <= len(octets):
        raise RemoteProtocolError(f"a TCP header of {start} octets in {len(octets)}")
    return Segment(
        Endpoint(packet.src, sport),
        Endpoint(packet.dst, dport),
        flags,
        seq,
        ack,
        window,
        tuple(_options(octets[_HEADER.size : start])),
        octets[start:],
    )


def _unreachable(packet: Packet) -> Unreachable | None:
    octets = packet.payload
    if len(octets) < _ICMP.size:
        raise Truncated(f"an ICMP message of {len(octets)} octets")
    version6 = packet.protocol == ICMPV6
    kind = (_KINDS_V6 if version6 else _KINDS_V4).get((octets[0], octets[1]))
    if kind is None:
        return None
    # The quotation is cut off, so that its own length is not what has arrived.
    inner = octets[_ICMP.size :]
    header = 40 if version6 else (inner[0] & 0xF) * 4 if inner else 0
    if len(inner) < header + _QUOTED.size or not header:
        raise Truncated(f"{len(inner)} octets quoted")
    hosts = slice(8, 40) if version6 else slice(12, 20)
    if inner[6 if version6 else 9] != TCP:
        return None
    raw = inner[hosts]
    half = len(raw) // 2
    src, dst = (_host(raw[:half]), _host(raw[half:]))
    sport, dport, seq = _QUOTED.unpack_from(inner, header)
    return Unreachable(Flow(Endpoint(src, sport), Endpoint(dst, dport)), seq, kind)


def _host(octets: bytes) -> str:
    return str(ipaddress.ip_address(octets))


def _option(option: Option) -> bytes:
    match option:
        case MaximumSegmentSize(value):
            return struct.pack("!BBH", 2, 4, value)
        case WindowScale(shift):
            return bytes((3, 3, shift))
        case SackPermitted():
            return bytes((4, 2))
        case SackBlocks(blocks):
            edges = b"".join(struct.pack("!II", *block) for block in blocks)
            return bytes((5, 2 + len(edges))) + edges
        case Timestamps(tsval, tsecr):
            return struct.pack("!BBII", 8, 10, tsval, tsecr)
        case FastOpenCookie(cookie):
            return bytes((34, 2 + len(cookie))) + cookie
        case UnknownOption(kind, data):
            return bytes((kind, 2 + len(data))) + data


def _options(octets: bytes) -> Iterator[Option]:
    offset = 0
    while offset < len(octets) and octets[offset] != _END:
        if octets[offset] == _NO_OP:
            offset += 1
            continue
        size = octets[offset + 1] if offset + 1 < len(octets) else 0
        if not 2 <= size <= len(octets) - offset:
            raise RemoteProtocolError(f"a TCP option of {size} octets at octet {offset}")
        yield _read(octets[offset], octets[offset + 2 : offset + size])
        offset += size


def _read(kind: int, data: bytes) -> Option:
    """One option; of a size that it does not have, it is one that is not known."""
    match kind, len(data):
        case 2, 2:
            return MaximumSegmentSize(int.from_bytes(data, "big"))
        case 3, 1:
            return WindowScale(data[0])
        case 4, 0:
            return SackPermitted()
        case 5, size if size and size % 8 == 0:
            return SackBlocks(tuple(struct.iter_unpack("!II", data)))
        case 8, 8:
            return Timestamps(*struct.unpack("!II", data))
        case 34, _:
            return FastOpenCookie(data)
        case _:
            return UnknownOption(kind, data)
