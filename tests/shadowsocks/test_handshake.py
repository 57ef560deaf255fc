from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, find, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.aead_stream import AeadEncoder, opens
from annotated_shadowsocks.shadowsocks.credentials import Holder, KeyRing
from annotated_shadowsocks.shadowsocks.handshake import (
    KeySought,
    ServerHandshake,
    TunnelRequested,
    client_encoder,
)
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.wire.address import UnknownAddressType
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

AEAD = of_generation(Generation.AEAD)

every_method = pytest.mark.parametrize("method", AEAD.values(), ids=AEAD)

METHOD = find("aes-128-gcm")
KEY = MasterKey.from_password(METHOD, "barfoo!")

TARGET = Endpoint("example.com", 443)
# RFC 1928 section 5: atyp, length, name, port
ADDRESS = bytes.fromhex("03 0b 6578616d706c652e636f6d 01bb")


def salt(method: CipherMethod = METHOD) -> bytes:
    return bytes(range(method.salt_size))


def key(method: CipherMethod) -> MasterKey:
    return MasterKey.from_password(method, "barfoo!")


def stream(*payloads: bytes, method: CipherMethod = METHOD) -> bytes:
    """The salt, and for each payload the two boxes of a chunk in the order of SIP004."""
    box, wire, counter = key(method).session(salt(method)), salt(method), 0
    for payload in payloads:
        for plain in (len(payload).to_bytes(2, "big"), payload):
            sealed = bytearray(len(plain) + 16)
            box.encrypt_into(counter.to_bytes(method.nonce_size, "little"), plain, None, sealed)
            wire += sealed
            counter += 1
    return wire


def flipped(wire: bytes, at: int) -> bytes:
    return wire[:at] + bytes([wire[at] ^ 1]) + wire[at + 1 :]


def received(wire: bytes) -> ServerHandshake:
    core = ServerHandshake(KeyRing.of(KEY))
    core.receive_data(wire)
    return core


def refusal(core: ServerHandshake) -> RemoteProtocolError:
    """The error of ``core``, which stays the same and is never said to the peer."""
    with pytest.raises(RemoteProtocolError) as first:
        core.next_event()
    with pytest.raises(RemoteProtocolError) as again:
        core.next_event()
    assert again.value is first.value
    assert core.data_to_send() == b""
    return first.value


def opened(core: ServerHandshake, wire: bytes) -> bytes:
    """What ``core.decoder`` makes of all of ``wire``."""
    out = memoryview(bytearray(1000))
    taken, made = core.decoder.convert(memoryview(wire), out)
    assert taken == len(wire)
    return bytes(out[:made])


def splits(data: bytes) -> Iterator[list[bytes]]:
    """All ways to split ``data`` into pieces that are not empty."""
    for choice in range(1 << len(data) - 1):
        pieces, start = [], 0
        for at in range(1, len(data)):
            if choice >> at - 1 & 1:
                pieces.append(data[start:at])
                start = at
        yield [*pieces, data[start:]]


# --- the request --------------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("payload", [b"", b"hello"])
def test_a_request_however_it_is_cut(method: CipherMethod, payload: bytes) -> None:
    check(
        run_core(lambda: ServerHandshake(KeyRing.of(key(method)))),
        stream(ADDRESS + payload, method=method),
        Outcome((TunnelRequested(TARGET, payload),)),
    )


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("01 7f000001 0050", Endpoint("127.0.0.1", 80)),
        ("04 20010db8000000000000000000000001 01bb", Endpoint("2001:db8::1", 443)),
        ("03 01 61 ffff", Endpoint("a", 65535)),
    ],
)
def test_every_type_of_address(address: str, endpoint: Endpoint) -> None:
    core = received(stream(bytes.fromhex(address) + b"hello"))
    assert core.next_event() == TunnelRequested(endpoint, b"hello")


def test_an_address_may_be_split_over_chunks_in_every_way() -> None:
    # RFC 1928 section 5: IPv4 192.0.2.1, port 80
    for pieces in splits(bytes.fromhex("01 c0000201 0050")):
        pieces[-1] += b"hello"
        core = received(stream(*pieces))
        assert core.next_event() == TunnelRequested(Endpoint("192.0.2.1", 80), b"hello")
        assert core.unread() == b""


def test_a_split_address_however_the_stream_is_cut() -> None:
    check(
        run_core(lambda: ServerHandshake(KeyRing.of(KEY))),
        stream(ADDRESS[:1], ADDRESS[1:5], ADDRESS[5:] + b"hello"),
        Outcome((TunnelRequested(TARGET, b"hello"),)),
    )


def test_whole_chunks_that_came_along_are_the_payload() -> None:
    core = received(stream(ADDRESS, b"hello", b", again"))
    assert core.next_event() == TunnelRequested(TARGET, b"hello, again")
    assert core.unread() == b""


def test_after_the_request_it_pauses() -> None:
    core = received(stream(ADDRESS))
    core.next_event()
    assert core.next_event() is PAUSED
    core.receive_data(b"more")
    core.receive_eof()
    assert core.next_event() is PAUSED
    assert core.data_to_send() == b""
    assert core.unread() == b"more"


def test_octet_by_octet_it_says_that_it_needs_more() -> None:
    wire, core = stream(ADDRESS), ServerHandshake(KeyRing.of(KEY))
    for at in range(len(wire) - 1):
        core.receive_data(wire[at : at + 1])
        assert core.next_event() is NEED_DATA
        assert core.data_to_send() == b""
    core.receive_data(wire[-1:])
    assert core.next_event() == TunnelRequested(TARGET, b"")


def test_what_follows_at_every_cut_is_for_the_decoder() -> None:
    request, wire = stream(ADDRESS), stream(ADDRESS, b"hello")
    for cut in range(len(request), len(wire)):
        core = received(wire[:cut])
        assert core.next_event() == TunnelRequested(TARGET, b"")
        left = core.unread()
        # A length box is opened as soon as it is whole, and then no longer unread.
        boxed = cut - len(request) >= 2 + 16
        assert left == wire[len(request) + (18 if boxed else 0) : cut]
        assert core.decoder.between_chunks is not boxed
        assert core.unread() == b""
        assert opened(core, left + wire[cut:]) == b"hello"


@settings(max_examples=25)
@given(payload=st.binary(max_size=40), data=st.data())
def test_any_chunking_is_the_same_request(payload: bytes, data: st.DataObject) -> None:
    plain = ADDRESS + payload
    places = data.draw(st.sets(st.integers(1, len(plain) - 1), max_size=5))
    ends = [*sorted(places), len(plain)]
    chunks = [plain[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    wire = stream(*chunks)
    cut = data.draw(st.integers(0, len(wire)))
    core = received(wire[:cut])
    event = core.next_event()
    core.receive_data(wire[cut:])
    if event is NEED_DATA:
        event = core.next_event()
    assert isinstance(event, TunnelRequested)
    assert event.dst == TARGET
    assert event.payload + opened(core, core.unread()) == payload


# --- what is no request -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("03 00 0050", id="a name of no octets"),
        pytest.param("03 03 610062 0050", id="a NUL"),
        pytest.param("03 03 612062 0050", id="a space"),
        pytest.param("03 01 ff 0050", id="no UTF-8"),
        pytest.param(f"03 fe {'61' * 254} 0050", id="a name of 254 octets"),
        pytest.param(f"03 ff {'61' * 255} 0050", id="a name of 255 octets"),
        pytest.param("01 7f000001 0000", id="IPv4, port 0"),
        pytest.param("03 01 61 0000", id="a name, port 0"),
        pytest.param(f"04 {'00' * 15}01 0000", id="IPv6, port 0"),
    ],
)
def test_an_address_that_cannot_be_dialled(address: str) -> None:
    error = refusal(received(stream(bytes.fromhex(address))))
    assert type(error) is RemoteProtocolError


def test_the_longest_name() -> None:
    name = b"a" * 253
    core = received(stream(b"\x03\xfd" + name + b"\x00\x50"))
    assert core.next_event() == TunnelRequested(Endpoint(name.decode(), 80), b"")


@pytest.mark.parametrize("atyp", [0x00, 0x02, 0x05, 0x11, 0x13, 0x83, 0xFF])
def test_a_type_that_does_not_exist_is_refused_without_waiting(atyp: int) -> None:
    assert isinstance(refusal(received(stream(bytes([atyp])))), UnknownAddressType)


def test_a_bad_address_however_it_is_cut() -> None:
    check(
        run_core(lambda: ServerHandshake(KeyRing.of(KEY))),
        stream(b"\x01\x7f\x00\x00\x01", b"\x00\x00"),
        Outcome(error=RemoteProtocolError),
    )


@every_method
def test_a_wrong_password(method: CipherMethod) -> None:
    core = ServerHandshake(KeyRing.of(MasterKey.from_password(method, "another")))
    core.receive_data(stream(ADDRESS, method=method))
    assert isinstance(refusal(core), AuthenticationError)


@pytest.mark.parametrize("payloads", [(ADDRESS,), (ADDRESS[:3], ADDRESS[3:])])
def test_a_bad_chunk_before_the_address_is_whole(payloads: tuple[bytes, ...]) -> None:
    wire = stream(*payloads)
    core = received(flipped(wire, len(wire) - 1))
    # It does not depend on the end of the stream.
    assert isinstance(refusal(core), AuthenticationError)
    core.receive_eof()
    assert isinstance(refusal(core), AuthenticationError)


def test_a_bad_chunk_behind_the_address_is_the_relays_to_find() -> None:
    wire = stream(ADDRESS, b"hello", b"again")
    core = received(flipped(wire, len(wire) - 1))
    assert core.next_event() == TunnelRequested(TARGET, b"hello")
    assert core.next_event() is PAUSED
    assert isinstance(core.decoder.error, AuthenticationError)


@pytest.mark.parametrize("cut", [0, 1, 16, 33, 34, 40])
def test_an_end_inside_the_address(cut: int) -> None:
    core = received(stream(ADDRESS)[:cut])
    core.receive_eof()
    assert type(refusal(core)) is Truncated


def test_an_end_between_two_chunks_of_the_address() -> None:
    core = received(stream(ADDRESS[:5]))
    assert core.next_event() is NEED_DATA
    core.receive_eof()
    assert type(refusal(core)) is Truncated


def test_an_end_behind_the_address_changes_nothing() -> None:
    core = received(stream(ADDRESS))
    core.receive_eof()
    assert core.next_event() == TunnelRequested(TARGET, b"")


# --- replays ------------------------------------------------------------------------------------


@pytest.fixture
def store() -> ReplayStore:
    return ReplayStore(bytearray(ReplayStore.required_size(100)), bytes(16), capacity=100)


def test_a_request_is_served_once(store: ReplayStore) -> None:
    wire = stream(ADDRESS + b"hello")
    first, second = ServerHandshake(KeyRing.of(KEY), store), ServerHandshake(KeyRing.of(KEY), store)
    first.receive_data(wire)
    assert first.next_event() == TunnelRequested(TARGET, b"hello")
    second.receive_data(wire)
    assert isinstance(refusal(second), ReplayError)


def test_a_part_of_a_request_does_not_lock_its_owner_out(store: ReplayStore) -> None:
    wire = stream(ADDRESS)
    prober = ServerHandshake(KeyRing.of(KEY), store)
    prober.receive_data(wire[:-1])
    assert prober.next_event() is NEED_DATA
    prober.receive_eof()
    assert isinstance(refusal(prober), Truncated)
    owner = ServerHandshake(KeyRing.of(KEY), store)
    owner.receive_data(wire)
    assert owner.next_event() == TunnelRequested(TARGET, b"")


# --- encoders -----------------------------------------------------------------------------------


def written(encoder: AeadEncoder, payload: bytes) -> bytes:
    out = memoryview(bytearray(1000))
    return bytes(out[: encoder.convert(memoryview(payload), out)[1]])


@every_method
def test_a_clients_first_chunk_is_the_address_and_the_payload(method: CipherMethod) -> None:
    encoder = client_encoder(key(method), TARGET, lambda size: bytes(range(size)))
    assert encoder.salt == salt(method)
    assert encoder.waiting
    assert written(encoder, b"hello") == stream(ADDRESS + b"hello", method=method)
    assert not encoder.waiting


def test_a_client_that_says_nothing_sends_the_address() -> None:
    encoder = client_encoder(KEY, TARGET, lambda size: bytes(range(size)))
    out = memoryview(bytearray(1000))
    assert bytes(out[: encoder.finish(out)]) == stream(ADDRESS)


def test_a_target_that_cannot_be_sent() -> None:
    with pytest.raises(LocalProtocolError, match="cannot be sent"):
        client_encoder(KEY, Endpoint("a" * 254, 80), bytes)


@every_method
def test_a_servers_first_chunk_is_the_answer(method: CipherMethod) -> None:
    core = ServerHandshake(KeyRing.of(key(method)))
    encoder = core.encoder(lambda size: bytes(range(size)))
    assert encoder.salt == salt(method)
    assert written(encoder, b"hello") == stream(b"hello", method=method)


def test_a_server_that_says_nothing_sends_nothing() -> None:
    encoder = ServerHandshake(KeyRing.of(KEY)).encoder(bytes)
    assert encoder.finish(memoryview(bytearray(1000))) == 0


def test_an_answer_cannot_be_sent_back_as_a_request(store: ReplayStore) -> None:
    encoder = ServerHandshake(KeyRing.of(KEY), store).encoder(lambda size: bytes(range(size)))
    core = ServerHandshake(KeyRing.of(KEY), store)
    core.receive_data(written(encoder, ADDRESS))
    assert isinstance(refusal(core), ReplayError)


# --- many keys ----------------------------------------------------------------------------------

ANN, BOB = (Holder(name, MasterKey.from_password(METHOD, f"of {name}")) for name in ("ann", "bob"))
RING = KeyRing([ANN, BOB])


def from_bob(payload: bytes) -> bytes:
    entropy = lambda size: bytes(range(size))  # noqa: E731
    return written(client_encoder(BOB.key, TARGET, entropy), payload)


def test_a_key_is_sought_and_then_the_request_is_read() -> None:
    wire, core = from_bob(b"hello"), ServerHandshake(RING)
    core.receive_data(wire)
    event = core.next_event()
    assert isinstance(event, KeySought)
    assert event.salt + event.box == wire[: 16 + 2 + 16]
    assert core.user == ""
    assert core.next_event() is PAUSED
    event.answer(BOB)
    assert core.next_event() == TunnelRequested(TARGET, b"hello")
    assert core.user == "bob"
    assert core.next_event() is PAUSED
    assert core.encoder(bytes)


def test_the_box_is_that_of_one_key() -> None:
    core = ServerHandshake(RING)
    core.receive_data(from_bob(b"hello"))
    sought = core.next_event()
    assert isinstance(sought, KeySought)
    assert opens(BOB.key, sought.salt, sought.box)
    assert not opens(ANN.key, sought.salt, sought.box)


def test_no_key_is_sought_for_less_than_a_box() -> None:
    wire, core = from_bob(b""), ServerHandshake(RING)
    for octet in wire[:33]:
        core.receive_data(bytes([octet]))
        assert core.next_event() is NEED_DATA
    core.receive_data(wire[33:34])
    assert isinstance(core.next_event(), KeySought)


def test_a_stream_that_ends_before_its_first_box() -> None:
    core = ServerHandshake(RING)
    core.receive_data(bytes(33))
    core.receive_eof()
    assert isinstance(refusal(core), Truncated)


def test_nobodys_box() -> None:
    core = ServerHandshake(RING)
    core.receive_data(bytes(34))
    sought = core.next_event()
    assert isinstance(sought, KeySought)
    sought.answer(None)
    assert isinstance(refusal(core), AuthenticationError)


def test_an_answer_needs_a_key() -> None:
    with pytest.raises(LocalProtocolError, match="before its key is known"):
        ServerHandshake(RING).encoder(bytes)
