from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import TABLE, CipherMethod, Generation, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.credentials import KeyRing
from annotated_shadowsocks.shadowsocks.handshake import TunnelRequested
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.shadowsocks.stream_cipher_stream import (
    ServerHandshake,
    StreamDecoder,
    StreamEncoder,
    cipher,
    client_encoder,
)
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

USABLE = {
    name: row for name, row in of_generation(Generation.STREAM).items() if not row.unavailable
}

every_method = pytest.mark.parametrize("method", USABLE.values(), ids=USABLE)

TARGET = Endpoint("example.com", 443)
# RFC 1928 section 5
ADDRESS = bytes.fromhex("030b 6578616d706c652e636f6d 01bb")

# HMBSbige/Shadowsocks.Net UnitTest/StreamShadowsocksCryptoTest.cs: password 密码, aes-256-cfb.
PEER = bytes.fromhex("8ad24b29c2b0ed9eda1393224ec816f8c2cefebf757c0cc68e61a6ec")
PEER_TEXT = "这是原文".encode()


def key(method: CipherMethod) -> MasterKey:
    return MasterKey.from_password(method, "密码")


def iv(method: CipherMethod) -> bytes:
    return bytes(range(method.salt_size))


def converted(codec: StreamEncoder | StreamDecoder, *pieces: bytes) -> bytes:
    out, made = memoryview(bytearray(0x11000)), b""
    for piece in pieces:
        taken, written = codec.convert(memoryview(piece), out)
        assert taken == len(piece)
        made += out[:written]
    return made


def request(method: CipherMethod, payload: bytes = b"") -> bytes:
    encoder = client_encoder(key(method), TARGET, lambda size: bytes(range(size)))
    return converted(encoder, payload)


# --- codecs -------------------------------------------------------------------------------------


def test_a_stream_of_a_peer() -> None:
    method = TABLE["aes-256-cfb"]
    assert converted(StreamEncoder(key(method), PEER[:16]), PEER_TEXT) == PEER
    assert converted(StreamDecoder(key(method)), PEER) == PEER_TEXT


@every_method
@given(plain=st.binary(max_size=200), cuts=st.lists(st.integers(0, 230), max_size=6))
def test_the_decoder_does_not_see_how_a_stream_was_cut(
    method: CipherMethod, plain: bytes, cuts: list[int]
) -> None:
    wire = converted(StreamEncoder(key(method), iv(method)), plain)
    decoder, out = StreamDecoder(key(method)), memoryview(bytearray(300))
    given_out = held = b""
    for start, end in pairwise([0, *sorted(cuts), len(wire)]):
        held += wire[start : max(end, start)]
        taken, made = decoder.convert(memoryview(held), out)
        held = held[taken:]
        given_out += out[:made]
    assert given_out == plain
    assert not held


@every_method
def test_nothing_is_given_out_before_the_iv_is_whole(method: CipherMethod) -> None:
    wire = converted(StreamEncoder(key(method), iv(method)), b"hello")
    for size in range(method.salt_size):
        decoder = StreamDecoder(key(method))
        assert decoder.convert(memoryview(wire[:size]), memoryview(bytearray(99))) == (0, 0)


@every_method
def test_the_head_goes_out_with_the_first_payload_or_without(method: CipherMethod) -> None:
    master = key(method)
    whole = converted(StreamEncoder(master, iv(method), ADDRESS), b"hello")
    assert whole == converted(StreamEncoder(master, iv(method)), ADDRESS + b"hello")
    encoder = StreamEncoder(master, iv(method), ADDRESS)
    assert encoder.waiting
    out = bytearray(100)
    made = encoder.finish(memoryview(out))
    assert out[:made] == whole[: len(iv(method) + ADDRESS)]
    assert not encoder.waiting
    assert encoder.finish(memoryview(out)) == 0
    assert converted(encoder, b"hello") == whole[made:]


def test_a_server_that_says_nothing_sends_nothing() -> None:
    encoder = ServerHandshake(KeyRing.of(key(TABLE["aes-256-cfb"]))).encoder(bytes)
    assert encoder.finish(memoryview(bytearray(100))) == 0
    assert len(converted(encoder, b"hello")) == 16 + 5


def test_two_directions_have_two_ivs() -> None:
    number = iter(range(9))
    entropy = lambda size: bytes([next(number)]) * size  # noqa: E731
    master = key(TABLE["aes-256-cfb"])
    there = client_encoder(master, TARGET, entropy)
    back = ServerHandshake(KeyRing.of(master)).encoder(entropy)
    assert there.salt != back.salt


def test_a_method_with_boxes_is_no_stream_cipher() -> None:
    with pytest.raises(LocalProtocolError, match="aes-256-gcm is no stream cipher"):
        cipher(key(TABLE["aes-256-gcm"]), bytes(32))


# --- handshake ----------------------------------------------------------------------------------


@every_method
def test_a_request_however_it_is_cut(method: CipherMethod) -> None:
    wire = request(method)
    assert len(wire) == method.salt_size + len(ADDRESS)
    event = TunnelRequested(TARGET, b"")
    check(
        run_core(lambda: ServerHandshake(KeyRing.of(key(method)))), wire, Outcome(events=(event,))
    )


@every_method
def test_the_decoder_goes_on_behind_the_address(method: CipherMethod) -> None:
    core = ServerHandshake(KeyRing.of(key(method)))
    core.receive_data(request(method, b"hello"))
    assert core.next_event() == TunnelRequested(TARGET, b"")
    assert core.next_event() is PAUSED
    assert core.data_to_send() == b""
    assert converted(core.decoder, core.unread()) == b"hello"
    assert core.unread() == b""


@pytest.mark.parametrize(
    ("address", "error"),
    [("00 7f000001 0050", RemoteProtocolError), ("01 7f000001 0000", RemoteProtocolError)],
)
def test_what_is_no_target(address: str, error: type[Exception]) -> None:
    method = TABLE["chacha20-ietf"]
    wire = converted(StreamEncoder(key(method), iv(method), bytes.fromhex(address)), b"")
    core = ServerHandshake(KeyRing.of(key(method)))
    core.receive_data(wire)
    with pytest.raises(error):
        core.next_event()
    assert core.data_to_send() == b""


@pytest.fixture
def store() -> ReplayStore:
    return ReplayStore(bytearray(ReplayStore.required_size(100)), bytes(16), capacity=100)


def test_an_iv_opens_one_stream(store: ReplayStore) -> None:
    method = TABLE["aes-256-cfb"]
    for expected in (TunnelRequested(TARGET, b""), None):
        core = ServerHandshake(KeyRing.of(key(method)), store)
        core.receive_data(request(method))
        if expected is not None:
            assert core.next_event() == expected
            continue
        with pytest.raises(ReplayError):
            core.next_event()


def test_an_iv_that_opened_nothing_is_not_remembered(store: ReplayStore) -> None:
    method = TABLE["aes-256-cfb"]
    core = ServerHandshake(KeyRing.of(key(method)), store)
    core.receive_data(request(method)[:-1])
    assert core.next_event() is NEED_DATA
    core.receive_eof()
    with pytest.raises(Truncated):
        core.next_event()
    core = ServerHandshake(KeyRing.of(key(method)), store)
    core.receive_data(request(method))
    assert core.next_event() == TunnelRequested(TARGET, b"")


def test_a_method_without_ivs_remembers_none(store: ReplayStore) -> None:
    # Else its second stream would be a replay of the first.
    for name in ("rc4", "table", "none"):
        for _ in range(2):
            core = ServerHandshake(KeyRing.of(key(TABLE[name])), store)
            core.receive_data(request(TABLE[name]))
            assert core.next_event() == TunnelRequested(TARGET, b"")


def test_an_answer_cannot_be_sent_back_as_a_request(store: ReplayStore) -> None:
    master = key(TABLE["aes-256-cfb"])
    encoder = ServerHandshake(KeyRing.of(master), store).encoder(bytes)
    core = ServerHandshake(KeyRing.of(master), store)
    core.receive_data(converted(encoder, ADDRESS))
    with pytest.raises(ReplayError):
        core.next_event()
