"""IP packets, of both versions: the envelope of a segment, and the checksum of all three.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+-------+---------------+-------------------------------+
    |   4   |  ihl  |      tos      |          total length         |     [RFC791 §3.1]
    +-------+-------+---------------+-----+-------------------------+
    |         identification        |flags|     fragment offset     |
    +---------------+---------------+-----+-------------------------+
    |      ttl      |    protocol   |        header checksum        |
    +---------------+---------------+-------------------------------+
    |                source, then destination, 4 octets each        |
    +---------------------------------------------------------------+

    +-------+---------------+---------------------------------------+
    |   6   | traffic class |              flow label               |     [RFC8200 §3]
    +-------+---------------+---------------+-----------------------+
    |         payload length        |  next header  |   hop limit   |
    +-------------------------------+---------------+---------------+
    |               source, then destination, 16 octets each        |
    +---------------------------------------------------------------+

What is written here is for a wire of one hop: no fragments, no options, no extension headers. What
is read may have IPv4 options, which nobody needs; fragments and IPv6 extension headers are refused.
"""

import ipaddress
import struct
from typing import NamedTuple

from ..errors import LocalProtocolError, RemoteProtocolError, Truncated

__all__ = ["ICMP", "ICMPV6", "TCP", "Packet", "checksum", "decode", "encode", "pseudo_header"]

ICMP = 1
TCP = 6
ICMPV6 = 58

_V4 = struct.Struct("!BBHHHBBH4s4s")
_V6 = struct.Struct("!IHBB16s16s")
_TTL = 64
# [RFC791 §3.1] "don't fragment" among the flags; and what is left of them says "a fragment"
_DONT_FRAGMENT = 0x4000
_FRAGMENT = 0x3FFF
_LONGEST = 0xFFFF


class Packet(NamedTuple):
    """A packet: ``src`` and ``dst`` as text, ``protocol`` the number of what it carries."""

    src: str
    dst: str
    protocol: int
    payload: bytes


def encode(packet: Packet) -> bytes:
    """A packet as octets, IPv4 or IPv6 as its addresses are.

    Raises ``LocalProtocolError`` for a payload that is too long and for unequal families.
    """
    src, dst = (ipaddress.ip_address(host) for host in (packet.src, packet.dst))
    if src.version != dst.version:
        raise LocalProtocolError(f"{src} and {dst} are not of one family")
    size = len(packet.payload)
    if size + _V4.size > _LONGEST:
        raise LocalProtocolError(f"{size} octets fit in no packet")
    if src.version == 6:
        header = _V6.pack(6 << 28, size, packet.protocol, _TTL, src.packed, dst.packed)
        return header + packet.payload
    # [RFC6864 §4.1] a packet that is never fragmented needs no number
    fields = (0x45, 0, _V4.size + size, 0, _DONT_FRAGMENT, _TTL, packet.protocol)
    bare = _V4.pack(*fields, 0, src.packed, dst.packed)
    return _V4.pack(*fields, checksum(bare), src.packed, dst.packed) + packet.payload


def decode(data: bytes) -> Packet:
    """The packet that ``data`` begins with; what follows its length is padding.

    Raises ``Truncated``, and ``RemoteProtocolError`` for what no host on a wire of one hop sends.
    """
    version = data[0] >> 4 if data else 0
    if version == 4:
        return _decode_v4(data)
    if version == 6:
        return _decode_v6(data)
    raise (RemoteProtocolError(f"IP version {version}") if data else Truncated("an empty packet"))


def checksum(data: bytes) -> int:
    """[RFC1071 §1] the complement of the one's complement sum of 16-bit words.

    Over octets that contain their own checksum it is 0.
    """
    if len(data) % 2:
        data += b"\0"
    # The sum modulo 2^16 - 1 is the sum with its carries added back in; a division is faster than
    # a loop over words.
    total = int.from_bytes(data, "big") % 0xFFFF
    if total == 0 and any(data):
        total = 0xFFFF
    return total ^ 0xFFFF


def pseudo_header(packet: Packet) -> bytes:
    """[RFC9293 §3.1] what the checksum of the payload covers besides the payload."""
    src, dst = (ipaddress.ip_address(host).packed for host in (packet.src, packet.dst))
    size = len(packet.payload)
    if len(src) == 4:
        return src + dst + struct.pack("!HH", packet.protocol, size)
    # [RFC8200 §8.1] the same with longer fields
    return src + dst + struct.pack("!II", size, packet.protocol)


def _decode_v4(data: bytes) -> Packet:
    if len(data) < _V4.size:
        raise Truncated(f"an IPv4 header of {len(data)} octets")
    first, _, total, _, fragment, _, protocol, _, src, dst = _V4.unpack_from(data)
    header = (first & 0xF) * 4
    if not _V4.size <= header <= total:
        raise RemoteProtocolError(f"an IPv4 header of {header} octets in a packet of {total}")
    if total > len(data):
        raise Truncated(f"{len(data)} octets of an IPv4 packet of {total}")
    if fragment & _FRAGMENT:
        raise RemoteProtocolError("a fragment")
    if checksum(data[:header]):
        raise RemoteProtocolError("the checksum of the IPv4 header is wrong")
    src, dst = (str(ipaddress.IPv4Address(host)) for host in (src, dst))
    return Packet(src, dst, protocol, data[header:total])


def _decode_v6(data: bytes) -> Packet:
    if len(data) < _V6.size:
        raise Truncated(f"an IPv6 header of {len(data)} octets")
    _, size, protocol, _, src, dst = _V6.unpack_from(data)
    if _V6.size + size > len(data):
        raise Truncated(f"{len(data)} octets of an IPv6 packet of {_V6.size + size}")
    src, dst = (str(ipaddress.IPv6Address(host)) for host in (src, dst))
    return Packet(src, dst, protocol, data[_V6.size : _V6.size + size])
