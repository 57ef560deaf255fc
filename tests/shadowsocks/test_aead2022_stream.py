import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.errors import (
    AuthenticationError,
    ClockSkewError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.aead2022_stream import (
    CHUNK_SIZE,
    MAX_PADDING,
    RequestEncoder,
    ResponseDecoder,
    ResponseEncoder,
)
from annotated_shadowsocks.shadowsocks.chunks import ChunkDecoder
from annotated_shadowsocks.shadowsocks.identity import KeyChain
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.testing.chunking import Outcome, Run, check, run_decoder
from annotated_shadowsocks.testing.sip022 import (
    TARGET,
    TIME,
    VECTORS,
    Vector,
    scripted,
    timestamps,
)
from annotated_shadowsocks.wire import address

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

AES = VECTORS["2022-blake3-aes-128-gcm"]

# Four octets of padding: their number is one more than what entropy gives.
FOUR = (3).to_bytes(2, "big")


def sealed(encoder: RequestEncoder | ResponseEncoder, *pieces: bytes) -> bytes:
    out, wire = memoryview(bytearray(0x40000)), b""
    for piece in pieces:
        taken, made = encoder.convert(memoryview(piece), out)
        assert taken == len(piece)
        wire += out[:made]
    return wire


def request(vector: Vector, chain: KeyChain, padding: bytes = FOUR) -> RequestEncoder:
    entropy = scripted(vector.request_salt, padding)
    return RequestEncoder(chain, TARGET, timestamps(), entropy)


def response(vector: Vector) -> ResponseEncoder:
    entropy = scripted(vector.response_salt)
    return ResponseEncoder(vector.psk, vector.request_salt, timestamps(), entropy)


def boxes(vector: Vector, psk: PreSharedKey, wire: bytes, *sizes: int) -> list[bytes]:
    """The plain texts of the boxes behind the salt, of which these are the sizes."""
    at = vector.method.salt_size
    box, plains = psk.session(wire[:at]), []
    for counter, size in enumerate(sizes):
        plain = bytearray(size)
        nonce = counter.to_bytes(12, "little")
        box.decrypt_into(nonce, wire[at : at + size + 16], None, plain)
        plains.append(bytes(plain))
        at += size + 16
    assert at == len(wire)
    return plains


# --- requests -----------------------------------------------------------------------------------


@every_vector
def test_request_gives_the_vector(vector: Vector) -> None:
    encoder = request(vector, KeyChain(vector.psk))
    assert encoder.salt == vector.request_salt
    assert encoder.waiting
    assert sealed(encoder, b"hello", b"again") == vector.request
    assert not encoder.waiting


@with_identity
def test_request_with_an_identity_header_gives_the_vector(vector: Vector) -> None:
    chain = KeyChain(vector.upsk, (vector.psk,))
    assert sealed(request(vector, chain), b"hello") == vector.identity_request


@pytest.mark.parametrize(("drawn", "size"), [(0, 1), (899, 900), (900, 1), (0xFFFF, 736)])
@pytest.mark.parametrize("finish", [False, True])
def test_a_request_without_payload_is_padded(drawn: int, size: int, finish: bool) -> None:
    encoder = request(AES, KeyChain(AES.psk), drawn.to_bytes(2, "big"))
    if finish:
        out = bytearray(2000)
        wire = bytes(out[: encoder.finish(memoryview(out))])
        assert encoder.finish(memoryview(out)) == 0
    else:
        wire = sealed(encoder, b"")
    target = address.encode(TARGET)
    fixed, variable = boxes(AES, AES.psk, wire, 11, len(target) + 2 + size)
    # SIP022 section 3.1.3: type, timestamp, length; then address, padding length, padding
    assert fixed == struct.pack(">BQH", 0, TIME, len(variable))
    assert variable == target + size.to_bytes(2, "big") + bytes(size)


@pytest.mark.parametrize("size", [1, MAX_PADDING - 1])
def test_a_short_payload_shares_its_box_with_padding(size: int) -> None:
    wire = sealed(request(AES, KeyChain(AES.psk)), b"x" * size)
    target = address.encode(TARGET)
    _, variable = boxes(AES, AES.psk, wire, 11, len(target) + 2 + 4 + size)
    assert variable == target + bytes([0, 4]) + bytes(4) + b"x" * size


def test_a_payload_long_enough_is_not_padded() -> None:
    entropy = scripted(AES.request_salt)
    encoder = RequestEncoder(KeyChain(AES.psk), TARGET, timestamps(), entropy)
    wire = sealed(encoder, b"x" * MAX_PADDING)
    target = address.encode(TARGET)
    _, variable = boxes(AES, AES.psk, wire, 11, len(target) + 2 + MAX_PADDING)
    assert variable == target + bytes(2) + b"x" * MAX_PADDING


def test_a_payload_that_fills_the_variable_header_goes_on_in_a_chunk() -> None:
    target = address.encode(TARGET)
    room = 0xFFFF - len(target) - 2
    entropy = scripted(AES.request_salt)
    encoder = RequestEncoder(KeyChain(AES.psk), TARGET, timestamps(), entropy)
    wire = sealed(encoder, b"x" * (room + 1))
    _, variable, length, chunk = boxes(AES, AES.psk, wire, 11, 0xFFFF, 2, 1)
    assert len(variable) == 0xFFFF
    assert (length, chunk) == (b"\0\x01", b"x")


def test_timestamps_are_those_of_the_writing() -> None:
    clock = [TIME]
    stamps = Timestamps(lambda: clock[0])
    encoder = RequestEncoder(KeyChain(AES.psk), TARGET, stamps, scripted(AES.request_salt, FOUR))
    clock[0] = TIME + 5
    fixed, _ = boxes(AES, AES.psk, sealed(encoder, b""), 11, 15 + 2 + 4)
    assert int.from_bytes(fixed[1:9], "big") == TIME + 5


# --- responses ----------------------------------------------------------------------------------


@every_vector
def test_response_gives_the_vector(vector: Vector) -> None:
    assert sealed(response(vector), b"world") == vector.response


def test_a_response_waits_for_its_first_payload() -> None:
    encoder = response(AES)
    assert sealed(encoder, b"", b"") == b""
    assert encoder.finish(memoryview(bytearray(100))) == 0
    assert sealed(encoder, b"world") == AES.response


def test_chunks_of_a_response_are_half_as_long_as_they_may_be() -> None:
    wire = sealed(response(AES), b"x" * (0x7FFF + 1), b"yz")
    fixed, first, *rest = boxes(AES, AES.psk, wire, 1 + 8 + 16 + 2, 0x7FFF, 2, 1, 2, 2)
    # SIP022 section 3.1.3: type, timestamp, request salt, length of the first payload
    assert fixed == b"\x01" + struct.pack(">Q", TIME) + AES.request_salt + b"\x7f\xff"
    assert first == b"x" * 0x7FFF
    assert rest == [b"\0\x01", b"x", b"\0\x02", b"yz"]


# --- decoders -----------------------------------------------------------------------------------


@dataclass
class ResponseBoxes:
    """Makes responses that no encoder of ours would."""

    kind: int = 1
    ahead: int = 0
    request_salt: bytes = AES.request_salt
    length: int = 5

    def wire(self, *plains: bytes) -> bytes:
        fixed = struct.pack(">BQ", self.kind, TIME + self.ahead) + self.request_salt
        wire, box = AES.response_salt, AES.psk.session(AES.response_salt)
        for counter, plain in enumerate((fixed + struct.pack(">H", self.length), *plains)):
            out = bytearray(len(plain) + 16)
            box.encrypt_into(counter.to_bytes(12, "little"), plain, None, out)
            wire += out
        return wire


def decoder(vector: Vector = AES) -> ResponseDecoder:
    return ResponseDecoder(vector.psk, vector.request_salt, timestamps())


def opened(decoder: ChunkDecoder, wire: bytes) -> tuple[int, bytes]:
    out = memoryview(bytearray(len(wire)))
    taken, made = decoder.convert(memoryview(wire), out)
    return taken, bytes(out[:made])


@every_vector
def test_response_decoder_takes_the_vector(vector: Vector) -> None:
    reader = decoder(vector)
    assert opened(reader, vector.response) == (len(vector.response), b"world")
    assert reader.error is None
    assert reader.between_chunks


def after_first_read(wire: bytes, size: int, vector: Vector = AES) -> Run:
    """Runs that begin with one read of ``size`` octets of ``wire``, as the rule wants it."""

    def begun() -> ResponseDecoder:
        reader = decoder(vector)
        assert opened(reader, wire[:size]) == (size, b"")
        return reader

    return run_decoder(begun)


@every_vector
def test_behind_the_first_read_cuts_mean_nothing(vector: Vector) -> None:
    head = 2 * vector.method.salt_size + 11 + 16
    wire = sealed(response(vector), b"world", b"wide", b"w" * 100)
    boundaries = {5 + 16, 5 + 16 + 18 + 4 + 16}
    run = after_first_read(wire, head, vector)
    check(run, wire[head:], Outcome(octets=b"worldwide" + b"w" * 100), boundaries=boundaries)


@every_vector
def test_the_header_comes_in_the_first_read_or_not_at_all(vector: Vector) -> None:
    head = 2 * vector.method.salt_size + 11 + 16
    for size in range(1, head):
        reader = decoder(vector)
        assert opened(reader, b"") == (0, b"")
        assert opened(reader, vector.response[:size]) == (0, b"")
        assert isinstance(reader.error, Truncated)
        assert opened(reader, vector.response) == (0, b"")


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (ResponseBoxes(kind=0).wire(b"world"), RemoteProtocolError),
        (ResponseBoxes(kind=2).wire(b"world"), RemoteProtocolError),
        (ResponseBoxes(ahead=31).wire(b"world"), ClockSkewError),
        (ResponseBoxes(ahead=-31).wire(b"world"), ClockSkewError),
        (ResponseBoxes(request_salt=AES.response_salt).wire(b"world"), ReplayError),
        (ResponseBoxes(length=0).wire(b""), RemoteProtocolError),
        (AES.request, AuthenticationError),
        (bytes(100), AuthenticationError),
    ],
)
def test_a_header_that_is_no_answer_to_us(wire: bytes, error: type[Exception]) -> None:
    reader = decoder()
    assert opened(reader, wire) == (0, b"")
    assert type(reader.error) is error
    assert opened(reader, AES.response) == (0, b"")


@pytest.mark.parametrize("ahead", [-30, 30])
def test_thirty_seconds_are_no_matter(ahead: int) -> None:
    assert opened(decoder(), ResponseBoxes(ahead=ahead).wire(b"world"))[1] == b"world"


def test_our_own_request_is_no_answer() -> None:
    # An echo: the same key, our own salt, and a fixed header that is as long as it likes.
    reader = decoder()
    opened(reader, sealed(request(AES, KeyChain(AES.psk)), b"x" * 500))
    assert isinstance(reader.error, AuthenticationError)


def test_a_bad_chunk_ends_the_stream_after_the_good_ones() -> None:
    wire = bytearray(sealed(response(AES), b"world", b"wide"))
    wire[-1] ^= 1
    check(
        after_first_read(bytes(wire), 59),
        bytes(wire[59:]),
        Outcome(octets=b"world", error=AuthenticationError),
        boundaries={5 + 16},
    )


def test_a_chunk_of_nothing_is_refused() -> None:
    reader = decoder()
    wire = ResponseBoxes().wire(b"world", b"\0\0")
    assert opened(reader, wire)[1] == b"world"
    assert type(reader.error) is RemoteProtocolError


def test_every_flipped_bit_is_refused() -> None:
    for bit in range(8 * len(AES.response)):
        wire = bytearray(AES.response)
        wire[bit // 8] ^= 1 << bit % 8
        reader = decoder()
        assert opened(reader, bytes(wire))[1] == b""
        assert isinstance(reader.error, AuthenticationError)


@given(st.binary(min_size=1, max_size=300))
def test_noise_is_an_error_and_nothing_else(wire: bytes) -> None:
    reader = decoder()
    assert opened(reader, wire) == (0, b"")
    assert isinstance(reader.error, AuthenticationError | Truncated)


def test_the_largest_chunk_fits_a_buffer_of_chunk_size() -> None:
    payload = bytes(range(256)) * 255 + bytes(255)
    wire = ResponseBoxes().wire(b"world", b"\xff\xff", payload, b"\0\x02", b"ok")
    reader, plain, held = decoder(), b"", b""
    out = memoryview(bytearray(CHUNK_SIZE))
    while wire:
        room = CHUNK_SIZE - len(held)
        assert room, "a full buffer, and no octet taken: this stream would stand still"
        src, wire = held + wire[:room], wire[room:]
        taken, made = reader.convert(memoryview(src), out)
        plain += out[:made]
        held = src[taken:]
    assert plain == b"world" + payload + b"ok"
    assert not held


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=5))
def test_round_trip(payloads: list[bytes]) -> None:
    wire = sealed(response(AES), *payloads)
    assert opened(decoder(), wire) == (len(wire), b"".join(payloads))


@pytest.mark.parametrize("name", VECTORS)
def test_a_method_is_told_by_its_tag(name: str) -> None:
    for other in VECTORS.values():
        if other.method.name == name or other.method.key_size != TABLE[name].key_size:
            continue
        reader = ResponseDecoder(other.psk, other.request_salt, timestamps())
        opened(reader, VECTORS[name].response)
        assert isinstance(reader.error, AuthenticationError)
