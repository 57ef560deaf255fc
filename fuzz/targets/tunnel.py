"""What comes to a server or a client of the tunnel: from strangers, and from holders of the key.

Targets named ``…-keyed`` seal their input first: a peer that knows the key can still send any
header and any length, and the parser behind the box must stand that too.
"""

from contextlib import suppress

from annotated_shadowsocks.crypto.aead import Aead
from annotated_shadowsocks.crypto.methods import TABLE, TAG_SIZE
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError
from annotated_shadowsocks.shadowsocks.aead2022_handshake import RelayHandshake, ServerHandshake
from annotated_shadowsocks.shadowsocks.aead2022_packet import (
    HEADER_SIZE,
    PacketSender,
    forward_packet,
)
from annotated_shadowsocks.shadowsocks.aead2022_session import ClientSession, SessionTable
from annotated_shadowsocks.shadowsocks.aead2022_stream import NONCE_SIZE, ResponseDecoder
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, seal_packet
from annotated_shadowsocks.shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from annotated_shadowsocks.shadowsocks.credentials import Holder, KeyRing
from annotated_shadowsocks.shadowsocks.handshake import ServerHandshake as SaltedHandshake
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.shadowsocks.replay import HASH_KEY_SIZE, ReplayStore
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.shadowsocks.window import SIZE, SlidingWindow
from annotated_shadowsocks.testing.chunking import run_core, run_decoder

from .pieces import Pieces, scattered

__all__ = ["TARGETS"]

_NOW = 1_700_000_000
_TIMESTAMPS = Timestamps(lambda: _NOW)
_ROOM = 1 << 17
_OUT = memoryview(bytearray(_ROOM))

_KEY = MasterKey.from_password(TABLE["aes-128-gcm"], "correct horse battery staple")
_RING = KeyRing([Holder("", _KEY)])
_PSKS = [
    PreSharedKey(TABLE[f"2022-blake3-{name}"], bytes(range(size)))
    for name, size in (("aes-128-gcm", 16), ("aes-256-gcm", 32), ("chacha20-poly1305", 32))
]
_USER = User("user", PreSharedKey(_PSKS[0].method, bytes(range(16, 32))))
_TABLES = [*(KeyTable(psk) for psk in _PSKS), KeyTable(_PSKS[0], [_USER])]
_CHAINS = [*(KeyChain(psk) for psk in _PSKS), KeyChain(_USER.psk, (_PSKS[0],))]


class _Chance:
    """Entropy that is the same for each input, and never the same twice."""

    def __init__(self) -> None:
        self._drawn = 1 << 32

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(16, "little")[:size].ljust(size, b"!")


def _sealed(box: Aead, counter: int, plain: bytes) -> bytes:
    out = bytearray(len(plain) + TAG_SIZE)
    box.encrypt_into(counter.to_bytes(NONCE_SIZE, "little"), plain, None, out)
    return bytes(out)


class _Fresh:
    """A guard that has seen nothing."""

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        return True


def aead_stream(data: bytes) -> None:
    """Octets of a stranger: nothing comes out, and the cuts do not matter."""
    run = run_decoder(lambda: AeadDecoder(_KEY))
    outcome = run([data], True)
    assert not outcome.octets
    assert run(scattered(data, len(data)), True) == outcome


def aead_stream_keyed(data: bytes) -> None:
    """Whatever a holder of the key says first is an address, or an error; never another."""
    plain = Pieces(data)
    salt = plain.octets(_KEY.method.salt_size)
    encoder = AeadEncoder(_KEY, salt)
    text = plain.rest()
    size = encoder.convert(memoryview(text), _OUT)[1]
    wire = bytes(_OUT[:size])
    run = run_core(lambda: SaltedHandshake(_RING, _Fresh()))
    outcome = run([wire], True)
    assert run(scattered(wire, len(wire)), True) == outcome


def aead_packet(data: bytes) -> None:
    """Junk is refused; a packet of a holder of the key is an address and data, or an error."""
    with suppress(RemoteProtocolError):
        open_packet(_KEY, memoryview(data), _OUT)
        raise AssertionError("junk was opened")
    size = seal_packet(_KEY, bytes(_KEY.method.salt_size), data, _OUT)
    packet = bytes(_OUT[:size])
    with suppress(RemoteProtocolError):
        _, payload = open_packet(_KEY, memoryview(packet), _OUT)
        assert data.endswith(bytes(payload))


def request_2022(data: bytes) -> None:
    """Octets of a stranger bring about nothing, at a server with users and without, and a relay."""
    for table in _TABLES:
        outcome = run_core(lambda table=table: _server(table))([data], True)  # type: ignore[misc]
        assert not outcome.events and not outcome.octets
    run_core(lambda: RelayHandshake(_TABLES[-1]))([data], True)


def request_2022_keyed(data: bytes) -> None:
    """Any fixed and variable header, sealed as it should be; cuts after the first read are free."""
    pieces = Pieces(data)
    psk = _PSKS[pieces.number() % len(_PSKS)]
    salt = pieces.octets(psk.method.salt_size)
    box = psk.session(salt)
    fixed = pieces.octets(11)
    variable = pieces.rest()
    if len(variable) % 2:
        # Half of all inputs are a header that is right, so that what is behind it is reached.
        fixed = b"\0" + _NOW.to_bytes(8, "big") + len(variable).to_bytes(2, "big")
    head = salt + _sealed(box, 0, fixed)
    rest = _sealed(box, 1, variable)
    run = run_core(lambda: _server(KeyTable(psk)))
    outcome = run([head + rest], True)
    assert run([head, *scattered(rest, len(rest))], True) == outcome
    assert len(outcome.events) <= 1


def response_2022(data: bytes) -> None:
    """A server's words: of a stranger, and sealed as they should be."""
    pieces = Pieces(data)
    psk = _PSKS[pieces.number() % len(_PSKS)]
    request_salt, salt = bytes(psk.method.salt_size), pieces.octets(psk.method.salt_size)
    run = run_decoder(lambda: ResponseDecoder(psk, request_salt, _TIMESTAMPS))
    assert not run([data], True).octets
    fixed = pieces.octets(1 + 8 + len(salt) + 2)
    payload = pieces.rest()
    if len(payload) % 2:
        size = len(payload).to_bytes(2, "big")
        fixed = b"\1" + _NOW.to_bytes(8, "big") + request_salt + size
    box = psk.session(salt)
    head = salt + _sealed(box, 0, fixed)
    rest = _sealed(box, 1, payload)
    outcome = run([head + rest], True)
    assert run([head, *scattered(rest, len(rest))], True) == outcome
    assert outcome.octets in (b"", payload)


def _server(table: KeyTable) -> ServerHandshake:
    return ServerHandshake(table, _Fresh(), _TIMESTAMPS)


def packet_2022(data: bytes) -> None:
    """Datagrams of a stranger make no session, and move nothing."""
    for table, chain in zip(_TABLES, _CHAINS, strict=True):
        sessions = SessionTable(_TIMESTAMPS, _Chance())
        client = ClientSession(chain, _TIMESTAMPS, _Chance())
        with suppress(RemoteProtocolError):
            sessions.open(table, memoryview(data), _OUT, 0.0)
            raise AssertionError("junk was opened")
        with suppress(RemoteProtocolError):
            client.open(memoryview(data), _OUT, 0.0)
            raise AssertionError("junk was opened")
        assert not len(sessions)
    with suppress(RemoteProtocolError):
        forward_packet(_TABLES[-1], memoryview(data), _OUT)


def packet_2022_keyed(data: bytes) -> None:
    """Any body, sealed as it should be, to a server; what comes out was in it."""
    pieces = Pieces(data)
    at = pieces.number() % len(_TABLES)
    sender = PacketSender(_CHAINS[at], pieces.octets(8), _Chance())
    body = pieces.rest()
    if len(body) % 2:
        body = b"\0" + _NOW.to_bytes(8, "big") + body
    size = sender.seal(b"", body, _OUT)
    packet = bytes(_OUT[:size])
    assert size >= len(body) + HEADER_SIZE
    sessions = SessionTable(_TIMESTAMPS, _Chance())
    with suppress(RemoteProtocolError):
        _, _, payload = sessions.open(_TABLES[at], memoryview(packet), _OUT, 0.0)
        assert body.endswith(bytes(payload))
        with suppress(RemoteProtocolError):
            sessions.open(_TABLES[at], memoryview(packet), _OUT, 0.0)
            raise AssertionError("a packet was accepted twice")


def identity_header(data: bytes) -> None:
    """A stranger is nobody; who is told apart by a header is told apart by that header alone."""
    pieces = Pieces(data)
    table = _TABLES[-1]
    salt, header = pieces.octets(16), pieces.octets(16)
    with suppress(RemoteProtocolError):
        assert table.stream_user(salt, header) == _USER
        assert header == _CHAINS[-1].stream_headers(salt)
    with suppress(RemoteProtocolError):
        assert table.packet_user(salt, header) == _USER


def sliding_window(data: bytes) -> None:
    """The window is the set of all numbers, as far back as it promises."""
    pieces, window, seen, newest = Pieces(data), SlidingWindow(), set[int](), 0
    base = pieces.number(8)
    while pieces:
        number = (base + pieces.number(2)) % (1 << 64)
        new = window.add(number)
        if number in seen:
            assert not new
        elif number > newest - SIZE:
            assert new
        if new:
            seen.add(number)
            newest = max(newest, number)


def replay_store(data: bytes) -> None:
    """A store that somebody else wrote to is refused, or goes on; a salt is never new twice."""
    capacity = 700
    memory = bytearray(ReplayStore.required_size(capacity))
    ReplayStore(memory, bytes(HASH_KEY_SIZE), capacity=capacity)
    pieces = Pieces(data)
    for _ in range(pieces.number() % 8):
        at = 8 + pieces.number(2) % (len(memory) - 16)
        memory[at : at + 8] = pieces.octets(8)
    with suppress(LocalProtocolError):
        store = ReplayStore(memory, bytes(HASH_KEY_SIZE), capacity=capacity)
        while pieces:
            salt = pieces.octets(4)
            store.add(salt)
            assert not store.add(salt)


TARGETS = {
    "aead-stream": aead_stream,
    "aead-stream-keyed": aead_stream_keyed,
    "aead-packet": aead_packet,
    "request-2022": request_2022,
    "request-2022-keyed": request_2022_keyed,
    "response-2022": response_2022,
    "packet-2022": packet_2022,
    "packet-2022-keyed": packet_2022_keyed,
    "identity-header": identity_header,
    "sliding-window": sliding_window,
    "replay-store": replay_store,
}
