"""Datagrams of the first Shadowsocks: an IV, and an address and the data, encrypted by it.

::

    +------+------+----------+----------+---------+
    |  IV  | atyp | dst_addr | dst_port |  data   |
    +------+------+----------+----------+---------+
    | 0-24 |<---------- encrypted --------------->|

Each packet has a cipher of its own. It has no tag, so of a hundred packets of noise one is an
address and some data.
"""

from ..crypto.methods import CipherMethod
from ..endpoint import Endpoint
from ..errors import ReplayError, Truncated
from ..wire import address
from .aead_stream import SaltGuard
from .key import MasterKey
from .stream_cipher_stream import cipher

__all__ = ["open_packet", "overhead", "seal_packet"]


def overhead(method: CipherMethod) -> int:
    """Octets that sealing adds to a plain text."""
    return method.salt_size


def seal_packet(
    key: MasterKey, iv: bytes, plain: bytes | bytearray | memoryview, out: memoryview
) -> int:
    """Write the packet for ``plain``, an encoded address and the data behind it, to ``out``.

    ``iv`` is ``salt_size`` random octets, used for this packet alone. ``out`` does not overlap
    ``plain`` and has room for ``overhead`` more. Returns the octets written.
    """
    size = len(iv)
    out[:size] = iv
    return size + cipher(key, iv).encryptor().update_into(memoryview(plain), out[size:])


def open_packet(
    key: MasterKey, packet: memoryview, out: memoryview, guard: SaltGuard | None = None
) -> tuple[Endpoint, memoryview]:
    """The address and the data of ``packet``; the data is a part of ``out``.

    The plain text is written to the front of ``out``, which has room for all but the IV and does
    not overlap it. ``guard`` is asked about the IV once there is an address. Raises ``Truncated``,
    ``ReplayError``, and ``RemoteProtocolError`` for an address that cannot be one.
    """
    size = key.method.salt_size
    if len(packet) < size:
        raise Truncated(f"a packet of {len(packet)} octets")
    iv = bytes(packet[:size])
    made = cipher(key, iv).decryptor().update_into(packet[size:], out)
    plain = out[:made]
    dst, data = address.decode(plain)
    if iv and guard is not None and not guard.add(iv):
        raise ReplayError("this IV has opened a packet before")
    return dst, plain[data:]
