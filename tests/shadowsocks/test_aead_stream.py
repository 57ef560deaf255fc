from collections.abc import Iterable
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, find, of_generation
from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError, ReplayError
from annotated_shadowsocks.shadowsocks.aead_stream import MAX_PAYLOAD, AeadDecoder, AeadEncoder
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.chunking import Outcome, check, run_decoder

AEAD = of_generation(Generation.AEAD)

every_method = pytest.mark.parametrize("method", AEAD.values(), ids=AEAD)

# HMBSbige/Shadowsocks.Net UnitTest/AEADShadowsocksCryptoTest.cs: password 密码. Its encoder cuts
# the text after seven octets, in the middle of a character.
PEER_TEXT = "这是原文".encode()
PEER_CHUNKS = (PEER_TEXT[:7], PEER_TEXT[7:])
PEER = {
    "aes-128-gcm": (
        "c3b3e419f8de8c2d4701d94f5258915a967bf7b27a9e97e4cee0c00d67caa7c992f4f41d83109f0a9a671087"
        "1501b64851ffa1588c0603c168e00a4ac50b4d729203aecfddd1475b78e338bfe943662fe25f2fe49afc1f5e"
        "b00389113d417e5e"
    ),
    "aes-192-gcm": (
        "c58266923546894ea26c786e1cb6e35a4a15ac9b5ba83cbdf43187f7b1d53bd0bb4e61821d519c71eb2fdcea"
        "0573aaaa0a7a0ba59a3e4e966b51750b2602c740f293720a31665f879332974ad715b0cd7a8e1428d9b7c4b7"
        "1f5ed07c539f7f1a296dd39ffe354924"
    ),
    "aes-256-gcm": (
        "5648a2d3e86fe68d7c137ad894294f8e8b57ce55eb545cb7da69b93708e2a689a4a8798171d001ed9ef8d3e1"
        "b1c89d862604ce7e0803584719ea65e0c4025800187a0e0a2c5408519e93b2279358fb81842e9c913a76ee93"
        "ee25d4ddbfb4729fcc64411054411a01a4ada4f22c5e401e"
    ),
    "chacha20-ietf-poly1305": (
        "8bd996a259f861d54c4b27e740a6ad23381631dae3ab69e5c0377625752fa0f5dc68c4ae6a4c6b2c4f6bdda9"
        "2ffad4e11fbf5b63bf05809d419cd0b562e927b370c627f14f42b18e146c832bfb6e6bd1f58cc71333ac6094"
        "3d5592a8f8148687d6008defd21c791fc199efe26dc136e5"
    ),
    "xchacha20-ietf-poly1305": (
        "1dca4629620bfecd77133488d3e34d9594155982cf514f554f8d0332a4007742979d66ac9524d52d03d82bad"
        "6594da985a20b53a52138b5dfc95e9ead17f1e7281568e90111b0b8d26dd11a74eb36457de35505dbb99d91e"
        "f4a4848fa9c4dffb1e5938c1a9537b3c09f1bcba762a2f64"
    ),
}

published = pytest.mark.parametrize("method", [AEAD[name] for name in PEER], ids=PEER)

LENGTH_BOX = 2 + 16


class Guard:
    """A salt guard that answers as it is told, and remembers what it was asked."""

    def __init__(self, answer: bool = True) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        self.asked.append(salt)
        return self.answer


def key(method: CipherMethod) -> MasterKey:
    return MasterKey.from_password(method, "密码")


def peer(method: CipherMethod) -> bytes:
    return bytes.fromhex(PEER[method.name])


def salt(method: CipherMethod) -> bytes:
    return bytes(range(method.salt_size))


def by_the_figure(method: CipherMethod, boxes: Iterable[bytes]) -> bytes:
    """A stream of the salt and of these boxes, whatever is in them, in the order of SIP004."""
    box, wire = key(method).session(salt(method)), salt(method)
    for counter, plain in enumerate(boxes):
        sealed = bytearray(len(plain) + 16)
        # SIP004: the nonce is a little-endian counter that goes up with every box
        box.encrypt_into(counter.to_bytes(method.nonce_size, "little"), plain, None, sealed)
        wire += sealed
    return wire


def chunks(method: CipherMethod, *payloads: bytes) -> bytes:
    """A stream of the salt and of these chunks."""
    boxes: list[bytes] = []
    for payload in payloads:
        boxes += [len(payload).to_bytes(2, "big"), payload]
    return by_the_figure(method, boxes)


def flipped(wire: bytes, at: int) -> bytes:
    return wire[:at] + bytes([wire[at] ^ 1]) + wire[at + 1 :]


def sealed(encoder: AeadEncoder, *pieces: bytes) -> bytes:
    out, wire = memoryview(bytearray(0x20000)), b""
    for piece in pieces:
        taken, made = encoder.convert(memoryview(piece), out)
        assert taken == len(piece)
        wire += out[:made]
    return wire


def opened(decoder: AeadDecoder, wire: bytes) -> tuple[int, bytes]:
    """Octets taken, and what came of them."""
    out = memoryview(bytearray(0x20000))
    taken, made = decoder.convert(memoryview(wire), out)
    return taken, bytes(out[:made])


# --- published streams --------------------------------------------------------------------------


@published
def test_a_stream_of_a_peer_however_it_is_cut(method: CipherMethod) -> None:
    wire = peer(method)
    check(
        run_decoder(lambda: AeadDecoder(key(method))),
        wire,
        Outcome(octets=PEER_TEXT),
        boundaries=(0, method.salt_size + LENGTH_BOX + len(PEER_CHUNKS[0]) + 16),
    )


@published
def test_the_encoder_writes_what_the_peer_wrote(method: CipherMethod) -> None:
    wire = peer(method)
    encoder = AeadEncoder(key(method), wire[: method.salt_size])
    assert sealed(encoder, *PEER_CHUNKS) == wire


def test_a_length_that_was_captured() -> None:
    # gfw.report, shadowsocks-org issue 184: aes-256-gcm, password "mypassword".
    wire = bytes.fromhex(
        "b0cee48154f678d86bb11ef35c4a069fedd6c7748ceca018702f104a6f52b22b"
        "9119ac97fb74c9de333a57fedcd71c604672"
    )
    decoder = AeadDecoder(MasterKey.from_password(find("aes-256-gcm"), "mypassword"))
    assert decoder.between_chunks
    assert opened(decoder, wire) == (len(wire), b"")
    assert decoder.error is None
    assert not decoder.between_chunks
    # 000f: the payload box has 15 octets and a tag, so with 30 it is not whole and with 31 it is.
    assert opened(decoder, bytes(15 + 15)) == (0, b"")
    assert decoder.error is None
    assert opened(decoder, bytes(15 + 16)) == (0, b"")
    assert isinstance(decoder.error, AuthenticationError)


# --- decoder ------------------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("length", [0, 0x4000, 0x8000, 0xC000, 0x4005, 0x8005, 0xFFFF])
def test_a_length_out_of_range(method: CipherMethod, length: int) -> None:
    good = chunks(method, b"good")
    box = length.to_bytes(2, "big")
    wire = by_the_figure(method, [b"\x00\x04", b"good", box, b"after"])
    decoder = AeadDecoder(key(method))
    assert opened(decoder, wire) == (len(good), b"good")
    assert type(decoder.error) is RemoteProtocolError
    assert opened(decoder, wire[len(good) :]) == (0, b"")


def test_a_length_out_of_range_however_it_is_cut() -> None:
    method = find("aes-128-gcm")
    check(
        run_decoder(lambda: AeadDecoder(key(method))),
        by_the_figure(method, [b"\x00\x04", b"good", b"\x00\x00"]),
        Outcome(octets=b"good", error=RemoteProtocolError),
        boundaries=(0, len(chunks(method, b"good"))),
    )


@every_method
@pytest.mark.parametrize("where", ["length", "payload"])
@pytest.mark.parametrize("bad", range(3))
def test_what_stands_before_a_bad_box_is_given_out(
    method: CipherMethod, where: str, bad: int
) -> None:
    payloads = (b"one", b"two", b"three")
    start = len(chunks(method, *payloads[:bad]))
    # In the box of the payload, its last octet: a bad tag behind octets that are right.
    offset = 0 if where == "length" else LENGTH_BOX + len(payloads[bad]) + 16 - 1
    wire = flipped(chunks(method, *payloads), start + offset)
    decoder = AeadDecoder(key(method))
    taken, plain = opened(decoder, wire)
    assert plain == b"".join(payloads[:bad])
    assert taken == start + (0 if where == "length" else LENGTH_BOX)
    error = decoder.error
    assert isinstance(error, AuthenticationError)
    # Not even what would be right at this place changes that.
    for later in (wire[taken:], chunks(method, *payloads)[taken:], b""):
        assert opened(decoder, later) == (0, b"")
    assert decoder.error is error


@pytest.mark.parametrize("end", [LENGTH_BOX, LENGTH_BOX + 4 + 16])
def test_a_bad_tag_however_it_is_cut(end: int) -> None:
    method = find("aes-128-gcm")
    first = chunks(method, b"good")
    wire = chunks(method, b"good", b"evil")[: len(first) + end]
    check(
        run_decoder(lambda: AeadDecoder(key(method))),
        flipped(wire, len(wire) - 1),
        Outcome(octets=b"good", error=AuthenticationError),
        boundaries=(0, len(first)),
    )


@every_method
def test_every_octet_of_the_first_chunk_is_authentic(method: CipherMethod) -> None:
    wire = chunks(method, b"hello")
    for at in range(len(wire)):
        decoder = AeadDecoder(key(method))
        assert opened(decoder, flipped(wire, at))[1] == b""
        assert isinstance(decoder.error, AuthenticationError)


@every_method
def test_between_chunks_at_every_cut(method: CipherMethod) -> None:
    first, wire = chunks(method, b"one"), chunks(method, b"one", b"three")
    for end in range(len(wire) + 1):
        decoder = AeadDecoder(key(method))
        taken, _ = opened(decoder, wire[:end])
        whole = end in (0, len(first), len(wire))
        # What was not taken is with the caller, who sees that too.
        assert (taken == end and decoder.between_chunks) is whole


def test_a_peer_that_stops_early_leaves_no_state() -> None:
    method = find("aes-256-gcm")
    wire = chunks(method, b"hello")
    for end in range(method.salt_size + LENGTH_BOX):
        decoder = AeadDecoder(key(method))
        assert opened(decoder, wire[:end]) == (0, b"")
        assert opened(decoder, wire) == (len(wire), b"hello")


def test_a_decoder_has_no_last_words() -> None:
    method = find("aes-256-gcm")
    decoder = AeadDecoder(key(method))
    opened(decoder, chunks(method, b"hello")[:-1])
    assert decoder.finish(memoryview(bytearray(100))) == 0


# --- salt guard ---------------------------------------------------------------------------------


@every_method
def test_the_guard_is_asked_once_and_not_before_a_chunk_is_authentic(method: CipherMethod) -> None:
    guard = Guard()
    decoder = AeadDecoder(key(method), guard)
    first, wire = len(chunks(method, b"hello")), chunks(method, b"hello", b"again")
    held, plain = b"", b""
    for at in range(len(wire)):
        held += wire[at : at + 1]
        taken, made = opened(decoder, held)
        held, plain = held[taken:], plain + made
        assert guard.asked == ([salt(method)] if at + 1 >= first else [])
    assert plain == b"helloagain"


@every_method
def test_the_guard_is_not_asked_about_what_is_not_authentic(method: CipherMethod) -> None:
    wire = chunks(method, b"hello")
    box_end = method.salt_size + LENGTH_BOX
    for sent in (
        wire[: method.salt_size],
        wire[:box_end],
        wire[: method.salt_size] + bytes(200),
        wire[:box_end] + bytes(200),
        flipped(wire, len(wire) - 1),
    ):
        guard = Guard()
        opened(AeadDecoder(key(method), guard), sent)
        assert guard.asked == []


@every_method
def test_what_the_guard_refuses_gives_nothing_out(method: CipherMethod) -> None:
    guard = Guard(answer=False)
    decoder = AeadDecoder(key(method), guard)
    wire = chunks(method, b"hello", b"again")
    taken, plain = opened(decoder, wire)
    assert plain == b""
    assert isinstance(decoder.error, ReplayError)
    assert opened(decoder, wire[taken:]) == (0, b"")
    assert guard.asked == [salt(method)]


def test_a_replay_however_it_is_cut() -> None:
    method = find("aes-128-gcm")
    check(
        run_decoder(lambda: AeadDecoder(key(method), Guard(answer=False))),
        chunks(method, b"hello"),
        Outcome(error=ReplayError),
        boundaries=(0,),
    )


# --- encoder ------------------------------------------------------------------------------------


@every_method
@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (1, [1]),
        (MAX_PAYLOAD, [0x3FFF]),
        (MAX_PAYLOAD + 1, [0x3FFF, 1]),
        (2 * MAX_PAYLOAD, [0x3FFF, 0x3FFF]),
    ],
)
def test_a_chunk_has_at_most_3fff_octets(method: CipherMethod, size: int, sizes: list[int]) -> None:
    payload = bytes(at % 251 for at in range(size))
    ends = list(accumulate(sizes))
    expected = [payload[end - chunk : end] for end, chunk in zip(ends, sizes, strict=True)]
    wire = sealed(AeadEncoder(key(method), salt(method)), payload)
    assert wire == chunks(method, *expected)
    assert opened(AeadDecoder(key(method)), wire) == (len(wire), payload)


@every_method
def test_the_head_joins_the_first_payload_in_one_chunk(method: CipherMethod) -> None:
    encoder = AeadEncoder(key(method), salt(method), b"head")
    assert sealed(encoder, b"first", b"second") == chunks(method, b"headfirst", b"second")


def test_a_head_that_does_not_fit_pushes_the_payload_on() -> None:
    method = find("aes-128-gcm")
    encoder = AeadEncoder(key(method), salt(method), b"head")
    payload = b"x" * (MAX_PAYLOAD - 1) + b"end"
    wire = chunks(method, b"head" + payload[: MAX_PAYLOAD - 4], payload[MAX_PAYLOAD - 4 :])
    assert sealed(encoder, payload) == wire


@every_method
def test_a_head_that_no_payload_carried_goes_out_at_the_end(method: CipherMethod) -> None:
    encoder = AeadEncoder(key(method), salt(method), b"head")
    assert encoder.waiting
    out = memoryview(bytearray(200))
    assert bytes(out[: encoder.finish(out)]) == chunks(method, b"head")
    assert not encoder.waiting
    assert encoder.finish(out) == 0


def test_a_head_that_a_payload_carried_is_not_said_again() -> None:
    method = find("aes-128-gcm")
    encoder = AeadEncoder(key(method), salt(method), b"head")
    sealed(encoder, b"first")
    assert not encoder.waiting
    assert encoder.finish(memoryview(bytearray(200))) == 0


def test_a_stream_without_a_head_may_stay_unsaid() -> None:
    method = find("aes-128-gcm")
    encoder = AeadEncoder(key(method), salt(method))
    assert encoder.finish(memoryview(bytearray(200))) == 0
    assert encoder.waiting
    assert sealed(encoder, b"hello") == chunks(method, b"hello")
    assert not encoder.waiting
    assert encoder.finish(memoryview(bytearray(200))) == 0


def test_an_encoder_touches_nothing_behind_what_it_writes() -> None:
    method = find("aes-128-gcm")
    out = bytearray(b"\xee" * 100)
    AeadEncoder(key(method), salt(method)).convert(memoryview(b"hello"), memoryview(out))
    wire = chunks(method, b"hello")
    assert out == wire + b"\xee" * (100 - len(wire))


@every_method
@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_no_nonce_is_used_twice(method: CipherMethod, left: int) -> None:
    encoder = AeadEncoder(key(method), salt(method))
    sealed(encoder, b"first")
    last = 1 << 8 * method.nonce_size
    encoder._counter = last - left
    # Two nonces for each chunk: one that is left over seals a length that nobody will see.
    if left >= 2:
        sealed(encoder, b"last")
    for _ in range(2):
        with pytest.raises(OverflowError):
            sealed(encoder, b"one more")


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 500), max_size=6),
    method=st.sampled_from(list(AEAD.values())),
)
def test_what_was_sealed_in_any_pieces_is_opened_in_any_others(
    payloads: list[bytes], cuts: list[int], method: CipherMethod
) -> None:
    wire = sealed(AeadEncoder(key(method), salt(method)), *payloads)
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(places)]
    outcome = run_decoder(lambda: AeadDecoder(key(method)))(pieces, True)
    assert outcome == Outcome(octets=b"".join(payloads))
