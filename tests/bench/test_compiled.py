"""The extension of ``bench/compiled`` does what the pure path does, octet for octet.

Expected is what the package itself makes of the same input; that this is right is shown by its own
tests. The C compiler and the headers have to be here, as other programs have to be for ``interop``.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.aead import Aead, InvalidTag
from annotated_shadowsocks.crypto.kdf import session_subkey
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.shadowsocks.chunks import LENGTH_BOX, ChunkDecoder, ChunkEncoder
from bench.compiled import kinds, native
from bench.compiled.install import CIPHERS, Native, box_of, loops
from bench.hops import COMPILED, Hops

pytestmark = pytest.mark.interop

#: One method for each cipher that there is.
METHODS = sorted({cipher: name for name, cipher in CIPHERS.items()}.values())
TAG = 16
NONCE = bytes(range(12))
PLAIN = bytes(range(100))

methods = pytest.mark.parametrize("method", METHODS)
octets = st.binary(max_size=300)
limits = st.integers(1, 120)
counters = st.sampled_from([0, 1, 255, 1 << 40])


@cache
def compiled() -> Native:
    if why := native.missing():
        pytest.skip(why)
    return native.load()


@dataclass(frozen=True)
class Way:
    """One of the two: boxes, and codecs that use them."""

    box: Aead
    encoder: type[ChunkEncoder]
    decoder: type[ChunkDecoder]

    def seal(self, plain: bytes, limit: int, counter: int = 0) -> tuple[int, bytes]:
        """The next counter, and the chunks."""
        encoder = self.encoder(self.box, b"", 12, limit)
        encoder._counter = counter
        out = bytearray(3 + len(plain) + -(-len(plain) // limit) * (LENGTH_BOX + TAG))
        end = encoder.seal_chunks(memoryview(plain), memoryview(out), 3)
        assert end == len(out)
        return encoder._counter, bytes(out)

    def open(self, pieces: Sequence[bytes], limit: int, counter: int = 0) -> list[object]:
        """What each call said and made, and in which state it ended."""
        decoder = self.decoder(self.box, counter, 12, limit)
        left, steps = b"", list[object]()
        for piece in pieces:
            src = left + piece
            out = bytearray(len(src))
            used, made = decoder.convert(memoryview(src), memoryview(out))
            left = src[used:]
            state = decoder._counter, decoder._length, repr(decoder.error)
            steps.append((used, bytes(out[:made]), *state))
        return steps


@cache
def ways(method: str) -> tuple[Way, Way]:
    """Pure, and compiled."""
    seal, open_ = loops(compiled())
    names = {"__slots__": ()}
    encoder = type("Encoder", (ChunkEncoder,), names | {"seal_chunks": seal})
    decoder = type("Decoder", (ChunkDecoder,), names | {"open_chunks": open_})
    key = bytes(range(TABLE[method].key_size))
    return (
        Way(TABLE[method].aead(key), ChunkEncoder, ChunkDecoder),
        Way(box_of(compiled(), method)(key), encoder, decoder),
    )


def cut(wire: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted(place % (len(wire) + 1) for place in places)
    return [wire[a:b] for a, b in zip([0, *ends], [*ends, len(wire)], strict=True)]


cuts = st.lists(st.integers(0, 10_000), max_size=6)


@methods
@given(plain=octets, limit=limits, counter=counters)
def test_seals_the_same_chunks(method: str, plain: bytes, limit: int, counter: int) -> None:
    pure, native = ways(method)
    assert native.seal(plain, limit, counter) == pure.seal(plain, limit, counter)


@methods
@given(plain=octets, limit=limits, counter=counters, places=cuts, smaller=st.integers(0, 3))
def test_opens_the_same_chunks(
    method: str, plain: bytes, limit: int, counter: int, places: list[int], smaller: int
) -> None:
    # A limit that is smaller than the sender's finds lengths that are out of range.
    pure, native = ways(method)
    pieces = cut(pure.seal(plain, limit, counter)[1][3:], places)
    steps = native.open(pieces, max(limit - smaller, 1), counter)
    assert steps == pure.open(pieces, max(limit - smaller, 1), counter)


@methods
@given(plain=octets.filter(len), limit=limits, places=cuts, bit=st.integers(0, 100_000))
def test_refuses_the_same_octets(
    method: str, plain: bytes, limit: int, places: list[int], bit: int
) -> None:
    pure, native = ways(method)
    wire = bytearray(pure.seal(plain, limit)[1][3:])
    wire[bit // 8 % len(wire)] ^= 1 << bit % 8
    steps = native.open(cut(bytes(wire), places), limit)
    assert steps == pure.open(cut(bytes(wire), places), limit)
    assert "does not authenticate" in str(steps[-1])


@methods
@pytest.mark.parametrize("length", [0, 0x4000, 0xFFFF])
def test_refuses_the_same_lengths(method: str, length: int) -> None:
    pure, native = ways(method)
    wire = bytearray(LENGTH_BOX)
    pure.box.encrypt_into(bytes(12), length.to_bytes(2, "big"), None, wire)
    steps = native.open([bytes(wire), b"more"], 0x3FFF)
    assert steps == pure.open([bytes(wire), b"more"], 0x3FFF)
    assert f"chunk length {length} is out of range" in str(steps[-1])


@methods
@given(nonce=st.binary(min_size=12, max_size=12), plain=octets, aad=st.none() | octets)
def test_boxes_are_the_same(method: str, nonce: bytes, plain: bytes, aad: bytes | None) -> None:
    boxes = [way.box for way in ways(method)]
    sealed = [bytearray(len(plain) + TAG) for _ in boxes]
    opened = [bytearray(len(plain)) for _ in boxes]
    for box, out in zip(boxes, sealed, strict=True):
        assert box.encrypt_into(nonce, plain, aad, out) == len(out)
    assert sealed[0] == sealed[1]
    for box, out in zip(boxes, opened, strict=True):
        assert box.decrypt_into(nonce, sealed[0], aad, out) == len(plain)
    assert opened == [plain, plain]
    with pytest.raises(InvalidTag):
        boxes[1].decrypt_into(nonce, sealed[0], (aad or b"") + b"more", opened[1])


@methods
def test_boxes_refuse_the_same_sizes(method: str) -> None:
    for box in (way.box for way in ways(method)):
        sealed = bytearray(len(PLAIN) + TAG)
        box.encrypt_into(NONCE, PLAIN, None, sealed)
        for size in (0, 15, 17, 115, 117):
            with pytest.raises(ValueError):
                box.encrypt_into(NONCE, PLAIN, None, bytearray(size))
        for size in (0, 99, 101):
            with pytest.raises(ValueError):
                box.decrypt_into(NONCE, sealed, None, bytearray(size))
        for size in (0, 15):
            with pytest.raises(InvalidTag):
                box.decrypt_into(NONCE, bytes(size), None, bytearray())
        with pytest.raises(ValueError):
            box.encrypt_into(b"short", PLAIN, None, sealed)


@given(key=st.binary(min_size=1, max_size=100), salt=st.binary(max_size=100))
def test_subkeys_are_the_same(key: bytes, salt: bytes) -> None:
    assert compiled().session_subkey(key, salt) == session_subkey(key, salt)


def test_a_nonce_is_never_used_twice() -> None:
    box, most = ways(METHODS[0])[1].box, (1 << 64) - 1
    out = memoryview(bytearray(200))
    assert compiled().seal_chunks(box, most - 2, 9, b"x", out, 0) == (most, 35)
    for counter in (most - 1, most, most + 1, -1):
        before = bytes(out)
        with pytest.raises(OverflowError):
            compiled().seal_chunks(box, counter, 9, b"x", out, 0)
        with pytest.raises(OverflowError):
            compiled().open_chunks(box, counter, 0, 9, before[:35], 0, out)
        assert out == before


def test_nothing_is_written_beyond_a_buffer() -> None:
    pure, native = ways(METHODS[0])
    _, wire = pure.seal(PLAIN, 40)
    module, out = compiled(), memoryview(bytearray(300))
    for room, at in ((100, 0), (201, 0), (300, 99), (300, 301), (300, -1)):
        with pytest.raises(ValueError):
            module.seal_chunks(native.box, 0, 40, PLAIN, out[:room], at)
    assert not any(out)
    for length, used in ((-1, 0), (1 << 16, 0), (0, -1)):
        with pytest.raises(ValueError):
            module.open_chunks(native.box, 0, length, 40, wire[3:], used, out)
    with pytest.raises(ValueError):
        module.open_chunks(native.box, 0, 0, 40, wire[3:], 0, out[:99])
    assert not any(out[99:])
    for limit in (0, -1, 1 << 16):
        with pytest.raises(ValueError):
            module.seal_chunks(native.box, 0, limit, PLAIN, out, 0)
    beyond = module.open_chunks(native.box, 0, 0, 40, wire, len(wire) + 1, out)
    assert beyond == (0, 0, len(wire) + 1, 0, 0)


def test_what_is_no_box_is_refused() -> None:
    out = memoryview(bytearray(100))
    with pytest.raises(TypeError):
        compiled().seal_chunks(ways(METHODS[0])[0].box, 0, 9, b"x", out, 0)
    with pytest.raises(ValueError, match="no cipher"):
        compiled().Box("AES-256-CBC", bytes(32))
    with pytest.raises(ValueError, match="a key of 31 octets"):
        compiled().Box("AES-256-GCM", bytes(31))


INSTALLED = """
import shadowsocks_native
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.shadowsocks import chunks, key
from bench.compiled.install import CIPHERS

# Whatever still went the pure way would find its tag size gone.
chunks.TAG_SIZE = None
for name in CIPHERS:
    row = TABLE[name]
    assert type(row.aead(bytes(row.key_size))) is shadowsocks_native.Box
    master = key.MasterKey(row, bytes(row.key_size))
    box, out = master.stream(bytes(row.salt_size)), memoryview(bytearray(99))
    end = chunks.ChunkEncoder(box, b"", 12, 9).seal_chunks(memoryview(b"plain"), out, 0)
    plain = memoryview(bytearray(99))
    assert chunks.ChunkDecoder(box, 0, 12, 9).convert(out[:end], plain) == (end, 5)
    assert plain[:5] == b"plain"
assert key.session_subkey is shadowsocks_native.session_subkey
"""


def test_a_process_that_is_to_use_it_uses_nothing_else() -> None:
    compiled()
    path = os.pathsep.join([kinds.search_path("ours, native"), *sys.path])
    command = [sys.executable, "-c", INSTALLED]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# mypyc compiles for a minute or two on a machine that is busy.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", COMPILED)
def test_both_hops_have_the_parts_of_their_kind(kind: str) -> None:
    if why := kinds.missing(kind):
        pytest.skip(why)
    parts = {"native": "/shadowsocks_native", "mypyc": "__mypyc."}
    with Hops(METHODS[-1]) as hops:
        pair = hops.start(kind)
        for program in (pair.local, pair.server):
            mapped = Path(f"/proc/{program.pid}/maps").read_text()
            found = {part for part, name in parts.items() if name in mapped}
            assert found == kinds.KINDS[kind]
