"""SIP022 datagrams: numbered packets of a session, in two forms.

Methods with AES put a separate header before the sealed body. It is one block under the PSK, so the
receiver learns by one block operation whose packet it is, and has the box for it at hand::

    +-----------------------+------------------+----------------------+-----+
    | session id, packet id | identity headers |         body         | tag |
    +-----------------------+------------------+----------------------+-----+
    |     16, one block     |     16 each      |<------ sealed ------>| 16  |

The body's key belongs to the session, its nonce is the last 12 octets of the separate header.
Methods with ChaCha have no block cipher. There session and packet id stand inside the box, and the
box is XChaCha20-Poly1305 under the PSK itself, with a random nonce::

    +-------+-----------------------+----------------------+-----+
    | nonce | session id, packet id |         body         | tag |
    +-------+-----------------------+----------------------+-----+
    |  24   |<------------------ sealed ---------------->  | 16  |

The body, of which the third field is in answers only::

    | type | timestamp | client session id | padding length | padding | address | data |
    |  1   |     8     |       (8)         |       2        |         |         |      |

The address is the target's on the way to the server, and on the way back whose answer this is. As
in SIP004 address and data are what a SOCKS5 datagram has behind its first three octets.
"""

import struct

from ..crypto.aead import Aead, InvalidTag
from ..crypto.methods import TAG_SIZE
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import AuthenticationError, RemoteProtocolError, Truncated
from ..wire import address
from .identity import KeyChain, KeyTable, User
from .psk import PreSharedKey

__all__ = [
    "CLIENT_BODY",
    "FROM_CLIENT",
    "FROM_SERVER",
    "HEADER_SIZE",
    "SERVER_BODY",
    "SESSION_ID_SIZE",
    "PacketSender",
    "body_offset",
    "forward_packet",
    "open_body",
    "open_header",
    "padding_for",
    "parse_rest",
    "session_box",
]

SESSION_ID_SIZE = 8

#: Octets of session and packet id.
HEADER_SIZE = 16

#: The types of the two directions.
FROM_CLIENT = 0
FROM_SERVER = 1

#: What a body begins with: type, timestamp, (client session id,) padding length.
CLIENT_BODY = struct.Struct(">BQH")
SERVER_BODY = struct.Struct(">BQ8sH")

_NONCE_SIZE = 24

_DNS = 53
_MAX_PADDING = 900
#: Octets of address and data that are not padded any further: with all that is around them they
#: stay below the least MTU of IPv6.
_PADDED_SIZE = 1100


def session_box(psk: PreSharedKey, session_id: bytes) -> Aead:
    """What seals the bodies of one session; with ChaCha, those of all sessions."""
    return psk.session(session_id) if psk.method.packet_aead is None else psk.packet_box


class PacketSender:
    """Numbers and seals the packets of one session in one direction; ``session_id`` is its own."""

    __slots__ = ("_box", "_chain", "_count", "_entropy", "session_id")

    def __init__(self, chain: KeyChain, session_id: bytes, entropy: Entropy) -> None:
        self.session_id = session_id
        self._chain = chain
        self._entropy = entropy
        self._box = session_box(chain.psk, session_id)
        self._count = 0

    @property
    def overhead(self) -> int:
        """Octets that sealing adds to a body."""
        if self._chain.psk.method.packet_aead is None:
            return HEADER_SIZE + self._chain.headers_size + TAG_SIZE
        return _NONCE_SIZE + HEADER_SIZE + TAG_SIZE

    def seal(self, head: bytes, plain: bytes | memoryview, out: memoryview) -> int:
        """Write the next packet, whose body is ``head`` and ``plain``, to ``out``.

        ``out`` does not overlap ``plain``, and has room for all of it. Returns the octets written.
        """
        chain = self._chain
        # to_bytes raises OverflowError before a nonce could repeat.
        header = self.session_id + self._count.to_bytes(8, "big")
        self._count += 1
        if chain.psk.method.packet_aead is None:
            front = chain.first.block.encrypt(header) + chain.packet_headers(header)
            nonce, body = header[4:], b"".join((head, plain))
        else:
            front = nonce = self._entropy(_NONCE_SIZE)
            body = b"".join((header, head, plain))
        start = len(front)
        end = start + len(body) + TAG_SIZE
        out[:start] = front
        self._box.encrypt_into(nonce, body, None, out[start:end])
        return end


def open_header(
    psk: PreSharedKey, identity_size: int, packet: memoryview, out: memoryview
) -> bytes:
    """Session and packet id of ``packet``, 16 octets, for whoever holds ``psk``.

    With AES they prove nothing: any sixteen octets are some header. With ChaCha they stand inside
    the box, so the whole packet is opened, to ``out``. Raises ``Truncated`` for one that is shorter
    than its headers, of which ``identity_size`` octets are ours, and ``AuthenticationError``.
    """
    if psk.method.packet_aead is None:
        if len(packet) < HEADER_SIZE + identity_size + TAG_SIZE:
            raise Truncated(f"a packet of {len(packet)} octets")
        return psk.block.decrypt(packet[:HEADER_SIZE])
    if len(packet) < _NONCE_SIZE + HEADER_SIZE + TAG_SIZE:
        raise Truncated(f"a packet of {len(packet)} octets")
    plain = _open(psk.packet_box, packet[:_NONCE_SIZE], packet[_NONCE_SIZE:], out)
    return bytes(plain[:HEADER_SIZE])


def open_body(
    psk: PreSharedKey,
    box: Aead,
    header: bytes,
    identity_size: int,
    packet: memoryview,
    out: memoryview,
) -> memoryview:
    """The body of ``packet``, a part of ``out``, after ``open_header`` with the same arguments.

    ``box`` is the session's. Raises ``AuthenticationError``.
    """
    if psk.method.packet_aead is None:
        return _open(box, header[4:], packet[HEADER_SIZE + identity_size :], out)
    return out[HEADER_SIZE : len(packet) - _NONCE_SIZE - TAG_SIZE]


def body_offset(psk: PreSharedKey) -> int:
    """Octets of ``out`` that ``open_body`` leaves in front of the body."""
    return 0 if psk.method.packet_aead is None else HEADER_SIZE


def forward_packet(keys: KeyTable, packet: memoryview, out: memoryview) -> tuple[User, memoryview]:
    """For a relay: the hop that ``packet`` names, and what is sent there, a part of ``out``.

    That is the packet without our identity header, and with the separate header for the hop's key
    [SIP023]. Answers pass as they are. Raises ``Truncated`` and ``AuthenticationError``.
    """
    header = open_header(keys.psk, keys.header_size, packet, out)
    rest = HEADER_SIZE + keys.header_size
    hop = keys.packet_user(header, packet[HEADER_SIZE:rest])
    size = len(packet) - keys.header_size
    out[:HEADER_SIZE] = hop.psk.block.encrypt(header)
    out[HEADER_SIZE:size] = packet[rest:]
    return hop, out[:size]


def parse_rest(body: memoryview, start: int) -> tuple[Endpoint, memoryview]:
    """Address and data of a ``body`` that has them from ``start`` on."""
    try:
        source, data = address.decode(body, start)
    except Truncated:
        raise RemoteProtocolError("an authentic packet that is not whole") from None
    return source, body[data:]


def padding_for(port: int, size: int, entropy: Entropy) -> int:
    """Octets of padding for a packet of ``size`` octets, address and data, to or from ``port``.

    A DNS query is as long as the name that it asks for, and its answer tells more, so these are
    padded by a random length. All else has no padding.
    """
    if port != _DNS or size >= _PADDED_SIZE:
        return 0
    most = min(_MAX_PADDING, _PADDED_SIZE - size)
    return 1 + int.from_bytes(entropy(2), "big") % most


def _open(box: Aead, nonce: bytes | memoryview, sealed: memoryview, out: memoryview) -> memoryview:
    plain = out[: len(sealed) - TAG_SIZE]
    try:
        box.decrypt_into(nonce, sealed, None, plain)
    except InvalidTag:
        raise AuthenticationError("a packet does not authenticate") from None
    return plain
