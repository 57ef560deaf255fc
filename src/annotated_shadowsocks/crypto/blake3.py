"""BLAKE3 of short inputs, for keys: the hash and the key derivation that AEAD-2022 is named after.

BLAKE3 cuts its input into chunks of 1,024 octets, chunks into blocks of 64, and compresses one
block after another into a chaining value of eight words. Chunks then form a tree; a single chunk is
its own root. All that Shadowsocks hashes is two keys long, so this module knows one chunk and no
tree, and refuses more.

The compression works on sixteen words of 32 bits in four rows, and mixes four columns at a time
that do not touch each other, then four diagonals. Python's integers have any width, so a row is
*one* integer here: four lanes of 64 bits, of which the lower 32 hold the word and the upper 32 take
what an addition or a shift carries out of it, until the mask drops it::

     255      192 191      128 127       64 63         0
    +------+------+------+------+------+------+------+------+
    | 0 .. | word | 0 .. | word | 0 .. | word | 0 .. | word |
    +------+------+------+------+------+------+------+------+
     lane 3        lane 2        lane 1        lane 0

Four additions are then one addition, which halves the time of one word after another.

A connection needs one derivation for each direction, and a session of datagrams likewise. In
Python one costs about as much as seven chunks of payload; the optional package ``blake3`` takes a
thirtieth of that, and is used where it is installed. [bench blake3]

Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere", 2020,
section 2.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from ..errors import LocalProtocolError

#: The optional package's class, or None.
_package: Any
try:
    from blake3 import blake3 as _package  # type: ignore[import-not-found, no-redef, unused-ignore]
except ImportError:
    _package = None

__all__ = ["MAX_INPUT", "derive_key", "digest"]

#: Octets of one chunk, the longest input that is taken.
MAX_INPUT = 1024

_BLOCK = 64

_CHUNK_START = 1
_CHUNK_END = 2
_ROOT = 8
_DERIVE_KEY_CONTEXT = 32
_DERIVE_KEY_MATERIAL = 64

# The initial value of SHA-256: fractional parts of the square roots of the first eight primes.
_IV = bytes.fromhex("67e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b")

_WORDS = struct.Struct("<16I")
_LANES = struct.Struct("<16Q")
_HALF_LANES = struct.Struct("<8Q")
_CHAIN = struct.Struct("<8I")

_MASK = int.from_bytes(struct.pack("<4Q", *[0xFFFFFFFF] * 4), "little")
_ROW = (1 << 256) - 1


def _schedule() -> list[Callable[[tuple[int, ...]], tuple[int, ...]]]:
    """For each of seven rounds: which word of the block goes where.

    Words 0, 2, 4, 6 go into the columns, then 1, 3, 5, 7, and the upper eight into the diagonals;
    between rounds the words change places by one permutation.
    """
    order = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]
    permutation = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
    rounds: list[Callable[[tuple[int, ...]], tuple[int, ...]]] = []
    for _ in range(7):
        rounds.append(itemgetter(*order))
        order = [permutation[place] for place in order]
    return rounds


_ROUNDS = _schedule()


def derive_key(context: str, material: bytes, size: int = 32) -> bytes:
    """The key of ``size`` octets, at most 32, that follows from ``material`` for one purpose.

    ``context`` names the purpose; another one gives an unrelated key. Raises ``LocalProtocolError``
    where ``material`` is longer than ``MAX_INPUT``.
    """
    _check(material)
    if _package is not None:
        return bytes(_package(material, derive_key_context=context).digest(size))
    return _hash(_context_key(context), material, _DERIVE_KEY_MATERIAL)[:size]


def digest(data: bytes) -> bytes:
    """The hash of ``data``, 32 octets; raises as ``derive_key`` does."""
    _check(data)
    return bytes(_package(data).digest()) if _package is not None else _hash(_IV, data, 0)


def _check(data: bytes) -> None:
    if len(data) > MAX_INPUT:
        raise LocalProtocolError(f"BLAKE3 of {len(data)} octets, which is more than one chunk")


@lru_cache(maxsize=16)
def _context_key(context: str) -> bytes:
    return _hash(_IV, context.encode("utf-8"), _DERIVE_KEY_CONTEXT)


def _hash(key: bytes, data: bytes, flags: int) -> bytes:
    """The first 32 octets of output for a chunk that is the root."""
    chain, mode = key, flags | _CHUNK_START
    # An empty input is one block of no octets.
    for start in range(0, len(data) - _BLOCK, _BLOCK):
        chain = _compress(chain, data[start : start + _BLOCK], mode)
        mode = flags
    last = data[(len(data) - 1) // _BLOCK * _BLOCK :] if data else b""
    return _compress(chain, last, mode | _CHUNK_END | _ROOT)


def _compress(chain: bytes, block: bytes, flags: int) -> bytes:
    """The next chaining value, after ``block``; of a root, the output."""
    rows = _HALF_LANES.pack(*_CHAIN.unpack(chain))
    a = int.from_bytes(rows[:32], "little")
    b = int.from_bytes(rows[32:], "little")
    c = _IV_ROW
    # The counter of the chunk, in lanes 0 and 1, is zero.
    d = len(block) << 128 | flags << 192
    words = _WORDS.unpack(block.ljust(_BLOCK, b"\0"))
    for order in _ROUNDS:
        lanes = _LANES.pack(*order(words))
        a, b, c, d = _mix(a, b, c, d, lanes[:32], lanes[32:64])
        # The diagonals: rows b, c and d move one, two and three lanes, and back afterwards.
        b = (b >> 64 | b << 192) & _ROW
        c = (c >> 128 | c << 128) & _ROW
        d = (d >> 192 | d << 64) & _ROW
        a, b, c, d = _mix(a, b, c, d, lanes[64:96], lanes[96:])
        b = (b >> 192 | b << 64) & _ROW
        c = (c >> 128 | c << 128) & _ROW
        d = (d >> 64 | d << 192) & _ROW
    out = (a ^ c).to_bytes(32, "little") + (b ^ d).to_bytes(32, "little")
    return _CHAIN.pack(*_HALF_LANES.unpack(out))


def _mix(a: int, b: int, c: int, d: int, first: bytes, second: bytes) -> tuple[int, int, int, int]:
    """Four quarter rounds side by side: add, exclusive or, rotate right by 16, 12, 8 and 7."""
    a = (a + b + int.from_bytes(first, "little")) & _MASK
    d ^= a
    d = (d >> 16 | d << 16) & _MASK
    c = (c + d) & _MASK
    b ^= c
    b = (b >> 12 | b << 20) & _MASK
    a = (a + b + int.from_bytes(second, "little")) & _MASK
    d ^= a
    d = (d >> 8 | d << 24) & _MASK
    c = (c + d) & _MASK
    b ^= c
    b = (b >> 7 | b << 25) & _MASK
    return a, b, c, d


_IV_ROW = int.from_bytes(_HALF_LANES.pack(*_CHAIN.unpack(_IV))[:32], "little")
