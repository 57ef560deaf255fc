"""The SOCKS address, in SOCKS5 requests and at the head of every Shadowsocks stream and packet.

::

    +------+----------+----------+        atyp 0x01  4 octets, IPv4
    | atyp | dst_addr | dst_port |             0x03  1 length octet, then that many of a name
    +------+----------+----------+             0x04  16 octets, IPv6
    |  1   | variable |    2     |        dst_port is in network order
    +------+----------+----------+

Sources: RFC 1928 section 5; the Shadowsocks stream and packet formats use the same three types.
"""

import ipaddress
from collections.abc import Generator
from functools import lru_cache

from ..endpoint import Endpoint
from ..errors import LocalProtocolError, RemoteProtocolError, Truncated
from .reader import StreamReader

__all__ = ["ATYP_DOMAINNAME", "ATYP_IPV4", "ATYP_IPV6", "MAX_SIZE", "decode", "encode", "read"]

ATYP_IPV4 = 0x01
ATYP_DOMAINNAME = 0x03
ATYP_IPV6 = 0x04

#: Octets of the longest address: a name of 255.
MAX_SIZE = 1 + 1 + 255 + 2

#: RFC 1035 section 3.1 allows 255 octets on the wire, which leaves 253 characters of text.
MAX_NAME = 253


@lru_cache(maxsize=4096)
def encode(endpoint: Endpoint) -> bytes:
    """The wire form of ``endpoint``; a name is sent as IDNA where it is not ASCII.

    Raises ``LocalProtocolError`` for a name that cannot be sent.
    """
    literal = endpoint.address
    port = endpoint.port.to_bytes(2, "big")
    if literal is not None:
        atyp = ATYP_IPV4 if literal.version == 4 else ATYP_IPV6
        return bytes([atyp]) + literal.packed + port
    name = _name_octets(endpoint.host)
    return bytes([ATYP_DOMAINNAME, len(name)]) + name + port


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
    """Take one address from ``reader``, in the order of the figure."""
    head = yield from reader.read_exact(2)
    rest = yield from reader.read_exact(_size(head, 0) - 2)
    return _decode_whole(head + rest)


def _size(data: bytes | bytearray | memoryview, offset: int) -> int:
    """Octets of the address whose first two octets are at ``offset``."""
    if len(data) < offset + 2:
        raise Truncated("address ends early")
    atyp = data[offset]
    if atyp == ATYP_IPV4:
        return 1 + 4 + 2
    if atyp == ATYP_IPV6:
        return 1 + 16 + 2
    # Some peers mask the type with 0x0F, where a flag of a dead extension once lived. A type that
    # no specification has is refused here: guessing would give a prober a second spelling.
    if atyp != ATYP_DOMAINNAME:
        raise RemoteProtocolError(f"address type {atyp:#04x} does not exist")
    # [RFC1928 §5] only DOMAINNAME carries a length octet
    return 1 + 1 + data[offset + 1] + 2


@lru_cache(maxsize=4096)
def _decode_whole(data: bytes) -> Endpoint:
    port = int.from_bytes(data[-2:], "big")
    if data[0] == ATYP_IPV4:
        return Endpoint("{}.{}.{}.{}".format(*data[1:5]), port)
    if data[0] == ATYP_IPV6:
        return Endpoint(str(ipaddress.IPv6Address(data[1:17])), port)
    return Endpoint(_name_text(data[2:-2]), port)


def _name_text(octets: bytes) -> str:
    if not 0 < len(octets) <= MAX_NAME:
        raise RemoteProtocolError(f"a name of {len(octets)} octets cannot be looked up")
    try:
        name = octets.decode("utf-8")
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise RemoteProtocolError("a name that is neither ASCII nor IDNA") from error
    if not name.isprintable() or " " in name:
        raise RemoteProtocolError("a name with spaces or control characters")
    return name


def _name_octets(host: str) -> bytes:
    try:
        name = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError as error:
        raise LocalProtocolError(f"'{host}' cannot be written as a host name") from error
    if not 0 < len(name) <= 255:
        raise LocalProtocolError(f"a host name of {len(name)} octets does not fit the address")
    return name
