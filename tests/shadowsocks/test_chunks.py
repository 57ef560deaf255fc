"""The loops that seal and open chunks, whatever stands before them.

Expected octets are made box by box from the figure, with ``cryptography`` itself.
"""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError
from annotated_shadowsocks.shadowsocks.chunks import LENGTH_BOX, ChunkDecoder, ChunkEncoder
from annotated_shadowsocks.testing.chunking import Outcome, check, run_decoder

KEY = bytes(range(32))
LIMIT = 300

boxes = pytest.mark.parametrize("box", [AESGCM(KEY), ChaCha20Poly1305(KEY)], ids=["aes", "chacha"])


class Encoder(ChunkEncoder):
    """Chunks with nothing before them."""


def wire_of(box: AESGCM | ChaCha20Poly1305, *payloads: bytes, counter: int = 0) -> bytes:
    """Chunks by the figure, from the nonce ``counter`` on."""
    wire = b""
    for payload in payloads:
        for plain in (len(payload).to_bytes(2, "big"), payload):
            wire += box.encrypt(counter.to_bytes(12, "little"), plain, None)
            counter += 1
    return wire


@boxes
def test_sealed_as_the_figure_has_it(box: AESGCM | ChaCha20Poly1305) -> None:
    encoder, out = Encoder(box, b"", 12, LIMIT), memoryview(bytearray(4096))
    # A box of a header first: the chunks go on with the nonce behind it.
    at = encoder.seal(b"header", out, 0)
    assert out[:at] == box.encrypt(bytes(12), b"header", None)
    plain = bytes(i % 251 for i in range(2 * LIMIT + 1))
    end = encoder.seal_chunks(memoryview(plain), out, at)
    payloads = plain[:LIMIT], plain[LIMIT : 2 * LIMIT], plain[2 * LIMIT :]
    assert out[at:end] == wire_of(box, *payloads, counter=1)
    assert encoder.seal_chunks(memoryview(b""), out, 7) == 7


@boxes
@pytest.mark.parametrize("counter", [0, 1, 2, 255, 1 << 40])
def test_opened_in_any_pieces(box: AESGCM | ChaCha20Poly1305, counter: int) -> None:
    payloads = b"a", b"b" * (LIMIT - 1), b"c" * LIMIT
    wire = wire_of(box, *payloads, counter=counter)
    ends, at = [0], 0
    for payload in payloads:
        at += LENGTH_BOX + len(payload) + 16
        ends.append(at)
    check(
        run_decoder(lambda: ChunkDecoder(box, counter, 12, LIMIT)),
        wire,
        Outcome(octets=b"".join(payloads)),
        boundaries=tuple(ends),
    )


@boxes
@pytest.mark.parametrize("length", [0, LIMIT + 1, 0xFFFF])
def test_a_length_that_is_out_of_range(box: AESGCM | ChaCha20Poly1305, length: int) -> None:
    bad = box.encrypt((2).to_bytes(12, "little"), length.to_bytes(2, "big"), None)
    decoder, out = ChunkDecoder(box, 0, 12, LIMIT), memoryview(bytearray(4096))
    good = wire_of(box, b"good")
    taken, made = decoder.convert(memoryview(good + bad + bytes(100)), out)
    assert (taken, bytes(out[:made])) == (len(good), b"good")
    assert type(decoder.error) is RemoteProtocolError
    assert decoder.convert(memoryview(good), out) == (0, 0)


def test_a_nonce_is_never_used_again() -> None:
    box, out = AESGCM(KEY), memoryview(bytearray(4096))
    encoder = Encoder(box, b"", 12, LIMIT)
    encoder._counter = (1 << 96) - 2
    encoder.seal_chunks(memoryview(b"the last"), out, 0)
    with pytest.raises(OverflowError):
        encoder.seal_chunks(memoryview(b"one too many"), out, 0)


def test_without_a_box_nothing_is_opened() -> None:
    decoder = ChunkDecoder(None, 0, 12, LIMIT)
    assert decoder.convert(memoryview(bytes(100)), memoryview(bytearray(100))) == (0, 0)
    assert decoder.error is None
    assert decoder.between_chunks
    assert decoder.finish(memoryview(b"")) == 0


def test_what_does_not_authenticate() -> None:
    box = AESGCM(KEY)
    wire = bytearray(wire_of(box, b"one", b"two"))
    wire[-1] ^= 1
    decoder, out = ChunkDecoder(box, 0, 12, LIMIT), memoryview(bytearray(100))
    taken, made = decoder.convert(memoryview(wire), out)
    assert (taken, bytes(out[:made])) == (len(wire) - 3 - 16, b"one")
    assert type(decoder.error) is AuthenticationError
