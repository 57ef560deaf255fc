"""The SOCKS address, in SOCKS5 requests and at the head of every Shadowsocks stream and packet.

::

    +------+----------+----------+        atyp 0x01  4 octets, IPv4
    | atyp | dst_addr | dst_port |             0x03  1 length octet, then that many of a name
    +------+----------+----------+             0x04  16 octets, IPv6
    |  1   | variable |    2     |        dst_port is in network order
    +------+----------+----------+

What ``decode`` and ``read`` give can always be encoded again, so that an address may pass from
one protocol to the next without a second check. An address may come back in another form than it
came in: a literal that a peer sent as a name leaves as the literal, a name in UTF-8 as IDNA.

Sources: RFC 1928 section 5; the Shadowsocks stream and packet formats use the same three types.
"""

import ipaddress
from collections.abc import Generator
from functools import lru_cache

from ..endpoint import Endpoint
from ..errors import LocalProtocolError, RemoteProtocolError, Truncated
from .reader import StreamReader

__all__ = [
    "ATYP_DOMAINNAME",
    "ATYP_IPV4",
    "ATYP_IPV6",
    "MAX_NAME",
    "MAX_SIZE",
    "UnknownAddressType",
    "decode",
    "encode",
    "read",
]

ATYP_IPV4 = 0x01
ATYP_DOMAINNAME = 0x03
ATYP_IPV6 = 0x04

#: Octets of the longest address: a name of 255.
MAX_SIZE = 1 + 1 + 255 + 2

#: RFC 1035 section 3.1 allows 255 octets on the wire, which leaves 253 characters of text.
MAX_NAME = 253


class UnknownAddressType(RemoteProtocolError):
    """An atyp that no specification has; SOCKS5 alone has a reply of its own for it."""


@lru_cache(maxsize=4096)
def encode(endpoint: Endpoint) -> bytes:
    """The wire form of ``endpoint``; a name is sent as IDNA where it is not ASCII.

    Raises ``LocalProtocolError`` for a host or a port that cannot be sent.
    """
    port = endpoint.port
    if not 0 <= port <= 65535:
        raise LocalProtocolError(f"port {port} does not fit two octets")
    try:
        host = _ascii_name(endpoint.host)
    except ValueError as error:
        raise LocalProtocolError(f"{endpoint.host!r} cannot be sent: {error}") from error
    literal = Endpoint(host, port).address
    if literal is None:
        head = bytes([ATYP_DOMAINNAME, len(host)]) + host.encode("ascii")
    else:
        head = bytes([ATYP_IPV4 if literal.version == 4 else ATYP_IPV6]) + literal.packed
    return head + port.to_bytes(2, "big")


def decode(data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[Endpoint, int]:
    """The address that starts at ``offset``, and the offset behind it.

    Raises ``Truncated`` where ``data`` ends first (a stream may yet bring the rest) and
    ``RemoteProtocolError`` for an address type that does not exist or a name that cannot be one.
    """
    end = offset + _size(data, offset)
    if len(data) < end:
        raise Truncated("address ends early")
    return _decode_whole(bytes(data[offset:end])), end


def read(reader: StreamReader) -> Generator[None, None, Endpoint]:
    """Take one address from ``reader``, in the order of the figure; raises as ``decode`` does."""
    # The type alone, so that an unknown one is refused without waiting for what never comes.
    head = yield from reader.read_exact(1)
    if head[0] == ATYP_DOMAINNAME:
        head += yield from reader.read_exact(1)
    rest = yield from reader.read_exact(_size(head, 0) - len(head))
    return _decode_whole(head + rest)


def _size(data: bytes | bytearray | memoryview, offset: int) -> int:
    """Octets of the address whose first one (of a name: first two) are at ``offset``."""
    if len(data) <= offset:
        raise Truncated("address ends early")
    atyp = data[offset]
    if atyp == ATYP_IPV4:
        return 1 + 4 + 2
    if atyp == ATYP_IPV6:
        return 1 + 16 + 2
    # Some peers mask the type with 0x0F, where a flag of a dead extension once lived. A type that
    # no specification has is refused here: guessing would give a prober a second spelling.
    if atyp != ATYP_DOMAINNAME:
        raise UnknownAddressType(f"address type {atyp:#04x} does not exist")
    # [RFC1928 §5] only DOMAINNAME carries a length octet
    if len(data) <= offset + 1:
        raise Truncated("address ends early")
    return 1 + 1 + data[offset + 1] + 2


@lru_cache(maxsize=4096)
def _decode_whole(data: bytes) -> Endpoint:
    port = int.from_bytes(data[-2:], "big")
    if data[0] == ATYP_IPV4:
        return Endpoint("{}.{}.{}.{}".format(*data[1:5]), port)
    if data[0] == ATYP_IPV6:
        return Endpoint(str(ipaddress.IPv6Address(data[1:17])), port)
    try:
        return Endpoint(_ascii_name(data[2:-2].decode("utf-8")), port)
    except ValueError as error:
        raise RemoteProtocolError(f"not a host name: {error}") from error


def _ascii_name(text: str) -> str:
    """``text`` as it is looked up; raises ``ValueError`` with the reason where it cannot be."""
    # Everything below looks at what IDNA made: it can lengthen a name, and turns some letters into
    # spaces, dots and digits.
    name = text if text.isascii() else text.encode("idna").decode("ascii")
    if not 0 < len(name.removesuffix(".")) <= MAX_NAME:
        raise ValueError(f"no name has {len(name)} octets")
    if not name.isprintable() or " " in name:
        raise ValueError("spaces or control characters")
    # [RFC4007 §6] a zone names an interface of the host that wrote it
    if "%" in name:
        raise ValueError("a zone means nothing to another host")
    return name
