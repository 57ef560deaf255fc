"""SIP004 packets: an address and a datagram, sealed as one box that stands for itself.

::

    +-----------+------+----------+----------+---------+-----+
    |   salt    | atyp | dst_addr | dst_port |  data   | tag |
    +-----------+------+----------+----------+---------+-----+
    | 16/24/32  |<----------- sealed ----------------->| 16  |

Packets get lost and overtake each other, so no packet may depend on another one: each brings a
salt, has a session subkey of its own, and seals its one box with the nonce zero. Deriving that
subkey, and keying a box with it, is most of what a packet costs (with XChaCha20, whose sealing
derives another subkey, half). [bench aead_packet]

Towards the server the address is the target's, towards the client it is whose answer this is.
The plain text is what a SOCKS5 datagram has behind its first three octets, so a relay hands over
one buffer and copies nothing in between.
"""

from ..crypto.aead import InvalidTag
from ..crypto.methods import TAG_SIZE, CipherMethod
from ..endpoint import Endpoint
from ..errors import AuthenticationError, ReplayError, Truncated
from ..wire import address
from .aead_stream import SaltGuard
from .key import MasterKey

__all__ = ["open_packet", "overhead", "seal_packet"]


def overhead(method: CipherMethod) -> int:
    """Octets that sealing adds to a plain text."""
    return method.salt_size + TAG_SIZE


def seal_packet(
    key: MasterKey, salt: bytes, plain: bytes | bytearray | memoryview, out: memoryview
) -> int:
    """Write the packet for ``plain``, an encoded address and the data behind it, to ``out``.

    ``salt`` is ``salt_size`` random octets, used for this packet alone. ``out`` does not overlap
    ``plain`` and has room for ``overhead`` more. Returns the octets written.
    """
    method = key.method
    body = len(salt)
    end = body + len(plain) + TAG_SIZE
    out[:body] = salt
    key.session(salt).encrypt_into(bytes(method.nonce_size), plain, None, out[body:end])
    return end


def open_packet(
    key: MasterKey, packet: memoryview, out: memoryview, guard: SaltGuard | None = None
) -> tuple[Endpoint, memoryview]:
    """The address and the data of ``packet``; the data is a part of ``out``.

    The plain text is written to the front of ``out``, which has room for all but ``overhead`` of
    the packet's octets and does not overlap it. ``guard`` is asked about the salt once the packet
    is authentic. Raises ``Truncated`` where the packet is too short for a box or the plain text
    for its address, ``AuthenticationError``, ``ReplayError``, and ``RemoteProtocolError`` for an
    address that cannot be one.
    """
    method = key.method
    body = method.salt_size
    size = len(packet) - body - TAG_SIZE
    if size < 0:
        raise Truncated(f"a packet of {len(packet)} octets")
    salt = bytes(packet[:body])
    plain = out[:size]
    try:
        key.session(salt).decrypt_into(bytes(method.nonce_size), packet[body:], None, plain)
    except InvalidTag:
        raise AuthenticationError("a packet does not authenticate") from None
    # Not earlier: whoever sees a salt pass could plant it here and shut the packet's sender out.
    if guard is not None and not guard.add(salt):
        raise ReplayError("this salt has opened a packet before")
    dst, data = address.decode(plain)
    return dst, plain[data:]
