"""The header in front of every datagram between a SOCKS5 client and its proxy.

::

    +-----+------+------+----------+----------+------------
    | rsv | frag | atyp | dst_addr | dst_port | data ...
    +-----+------+------+----------+----------+------------
    |  2  |  1   |  1   | variable |    2     | variable
    +-----+------+------+----------+----------+------------
                  `---- a Shadowsocks packet before it is sealed ----

From the fourth octet on this is exactly what a Shadowsocks packet carries, so a relay between the
two need not take the address apart to pass it on: it drops ``PREFIX`` one way and puts it in front
the other way.

Source: RFC 1928 section 7.
"""

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError, Truncated
from ..wire import address

__all__ = ["PREFIX", "decode", "encode"]

#: rsv and frag of a datagram that is whole.
PREFIX = bytes(3)


def decode(datagram: bytes | bytearray | memoryview) -> tuple[Endpoint, memoryview]:
    """Where a datagram goes to (or came from), and a view of its data.

    Raises ``Truncated`` for one that ends inside the header, and ``RemoteProtocolError`` for a
    fragment or an address that cannot be one. Whoever gets the error drops the datagram.
    """
    if len(datagram) < len(PREFIX):
        raise Truncated("datagram ends inside its header")
    # [RFC1928 §7] who does not reassemble must drop every fragment. Nobody reassembles.
    if datagram[2]:
        raise RemoteProtocolError(f"fragment {datagram[2]:#04x} of a datagram")
    # [RFC1928 §7] RSV is zero; what PySocks sends is, what shadowsocks-libev and -rust accept need
    # not be. Two octets that mean nothing are no reason to lose a datagram.
    endpoint, end = address.decode(datagram, len(PREFIX))
    return endpoint, memoryview(datagram)[end:]


def encode(endpoint: Endpoint, payload: bytes | bytearray | memoryview) -> bytes:
    """``payload`` behind a header that names ``endpoint``, copied once.

    Raises ``LocalProtocolError`` for an endpoint that cannot be sent.
    """
    return b"".join((PREFIX, address.encode(endpoint), payload))
