import pytest

from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError, Truncated
from annotated_shadowsocks.shadowsocks.aead2022_packet import (
    CLIENT_BODY,
    PacketSender,
    forward_packet,
    open_body,
    open_header,
    padding_for,
    parse_rest,
    session_box,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.testing.sip022 import (
    CLIENT_SESSION,
    SERVER_SESSION,
    TARGET,
    TIME,
    VECTORS,
    Vector,
    scripted,
)
from annotated_shadowsocks.wire import address

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

CHACHA_NONCE = bytes(range(24))
# SIP022 section 3.2.3: type, timestamp, padding length; then address and data.
HEAD = bytes(1) + TIME.to_bytes(8, "big") + bytes(2)
PING = address.encode(TARGET) + b"ping"


def sender(vector: Vector, chain: KeyChain, packets: int = 1) -> PacketSender:
    entropy = scripted(*[CHACHA_NONCE] * packets)
    return PacketSender(chain, CLIENT_SESSION, entropy)


def sealed(sender: PacketSender, head: bytes, plain: bytes) -> bytes:
    out = bytearray(2000)
    return bytes(out[: sender.seal(head, memoryview(plain), memoryview(out))])


@every_vector
def test_seal_gives_the_vector(vector: Vector) -> None:
    packets = sender(vector, KeyChain(vector.psk))
    assert sealed(packets, HEAD, PING) == vector.client_packet
    assert packets.overhead == len(vector.client_packet) - len(HEAD + PING)


@with_identity
def test_seal_with_an_identity_header_gives_the_vector(vector: Vector) -> None:
    packets = sender(vector, KeyChain(vector.upsk, (vector.psk,)))
    assert sealed(packets, HEAD, PING) == vector.identity_packet
    assert packets.overhead == len(vector.identity_packet) - len(HEAD + PING)


@every_vector
def test_open_takes_the_vector(vector: Vector) -> None:
    packet, out = memoryview(vector.client_packet), memoryview(bytearray(100))
    header = open_header(vector.psk, 0, packet, out)
    assert header == CLIENT_SESSION + bytes(8)
    box = session_box(vector.psk, CLIENT_SESSION)
    assert open_body(vector.psk, box, header, 0, packet, out) == HEAD + PING
    if vector.server_packet:
        packet = memoryview(vector.server_packet)
        assert open_header(vector.psk, 0, packet, out) == SERVER_SESSION + bytes(8)


@every_vector
def test_packets_are_numbered(vector: Vector) -> None:
    packets, out = sender(vector, KeyChain(vector.psk), 3), memoryview(bytearray(100))
    numbers = []
    for _ in range(3):
        packet = memoryview(sealed(packets, HEAD, PING))
        header = open_header(vector.psk, 0, packet, out)
        box = session_box(vector.psk, CLIENT_SESSION)
        assert open_body(vector.psk, box, header, 0, packet, out) == HEAD + PING
        numbers.append(int.from_bytes(header[8:], "big"))
    assert numbers == [0, 1, 2]


@every_vector
def test_every_cut_is_refused(vector: Vector) -> None:
    forms = [(vector.client_packet, 0, vector.psk)]
    if vector.identity_packet:
        forms.append((vector.identity_packet, 16, vector.upsk))
    out = memoryview(bytearray(100))
    for whole, identity, psk in forms:
        box = session_box(psk, CLIENT_SESSION)
        for size in range(len(whole)):
            packet = memoryview(whole[:size])
            with pytest.raises((Truncated, AuthenticationError)):
                header = open_header(vector.psk, identity, packet, out)
                open_body(vector.psk, box, header, identity, packet, out)


def test_an_address_that_ends_early_is_no_truncation() -> None:
    # A datagram is whole or not authentic: whoever sealed this knew the key and meant it.
    for size in range(len(HEAD + PING) - 4):
        with pytest.raises(RemoteProtocolError) as caught:
            parse_rest(memoryview((HEAD + PING)[:size]), CLIENT_BODY.size)
        assert type(caught.value) is RemoteProtocolError


@pytest.mark.parametrize("padding", [0, 1, 900])
def test_the_rest_begins_behind_the_padding(padding: int) -> None:
    body = memoryview(HEAD + bytes(padding) + PING)
    target, data = parse_rest(body, CLIENT_BODY.size + padding)
    assert (target, bytes(data)) == (TARGET, b"ping")


# --- a relay ------------------------------------------------------------------------------------


@with_identity
def test_a_relay_turns_the_packet_into_one_for_the_hop(vector: Vector) -> None:
    keys = KeyTable(vector.psk, [User("server", vector.upsk)])
    out = memoryview(bytearray(b"\xee" * 200))
    hop, packet = forward_packet(keys, memoryview(vector.identity_packet), out)
    assert hop.name == "server"
    assert len(packet) == len(vector.identity_packet) - 16
    assert bytes(out[len(packet) :]) == b"\xee" * (200 - len(packet))
    # The hop knows the user's key as its own here, and no identity headers.
    plain = memoryview(bytearray(200))
    assert open_header(vector.upsk, 0, packet, plain) == CLIENT_SESSION + bytes(8)
    box = session_box(vector.upsk, CLIENT_SESSION)
    body = open_body(vector.upsk, box, CLIENT_SESSION + bytes(8), 0, packet, plain)
    assert body == HEAD + PING


@with_identity
def test_a_relay_drops_what_names_no_hop(vector: Vector) -> None:
    keys = KeyTable(vector.psk, [User("server", vector.upsk)])
    out = memoryview(bytearray(200))
    for packet in (vector.client_packet, bytes(100)):
        with pytest.raises(AuthenticationError):
            forward_packet(keys, memoryview(packet), out)
    with pytest.raises(Truncated):
        forward_packet(keys, memoryview(vector.identity_packet[:47]), out)


# --- padding ------------------------------------------------------------------------------------


def test_only_dns_is_padded() -> None:
    assert padding_for(443, 50, scripted()) == 0
    assert padding_for(53, 50, scripted(b"\0\0")) == 1
    assert padding_for(53, 1099, scripted(b"\0\x05")) == 1
    assert padding_for(53, 1100, scripted()) == 0


@pytest.mark.parametrize(("drawn", "size"), [(0, 1), (899, 900), (900, 1)])
def test_padding_is_random(drawn: int, size: int) -> None:
    assert padding_for(53, 50, scripted(drawn.to_bytes(2, "big"))) == size


@every_vector
def test_padding_makes_no_fragments(vector: Vector) -> None:
    # The largest answer there is around it: 19 octets of head, and a UDP and an IPv6 header.
    overhead = sender(vector, KeyChain(vector.psk)).overhead + 19 + 8 + 40
    for size in range(0, 1300, 7):
        most = max(
            padding_for(53, size, lambda n, drawn=drawn: drawn.to_bytes(n, "big"))  # type: ignore[misc]
            for drawn in range(0, 2000, 13)
        )
        assert most == 0 if size >= 1100 else size + most + overhead <= 1280
