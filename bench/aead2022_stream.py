"""What AEAD-2022 streams cost: CPU µs for a full read sealed and opened, by the size of our chunks.

Run from the root of the repository: ``python -m bench.aead2022_stream``. The opening side does what
a relay does: it reads what arrives in pieces that know nothing of chunks, keeps what is not a whole
chunk, and shows it again in front of the next piece.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Protocol

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.shadowsocks import aead2022_stream
from annotated_shadowsocks.shadowsocks.aead2022_stream import ResponseDecoder, ResponseEncoder
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps

READ = 64 * 1024 - 512  # what a relay reads at once
READS = 200


class Codec(Protocol):
    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]: ...


def seal(encoder: Codec) -> tuple[bytes, float]:
    src, dst = memoryview(bytes(READ)), memoryview(bytearray(READ + 2048))
    wire = bytearray()
    spent = 0
    for _ in range(READS):
        start = time.process_time_ns()
        _, made = encoder.convert(src, dst)
        spent += time.process_time_ns() - start
        wire += dst[:made]
    return bytes(wire), spent / READS / 1000


def open_(decoder: Codec, wire: bytes) -> float:
    buffer, dst = memoryview(bytearray(2 * READ)), memoryview(bytearray(2 * READ))
    residue = b""
    spent = made = 0
    for at in range(0, len(wire), READ):
        piece = wire[at : at + READ]
        start = time.process_time_ns()
        held = len(residue)
        if held:
            buffer[:held] = residue
        filled = held + len(piece)
        buffer[held:filled] = piece
        taken, written = decoder.convert(buffer[:filled], dst)
        residue = bytes(buffer[taken:filled])
        spent += time.process_time_ns() - start
        made += written
    assert made == READS * READ
    return spent / READS / 1000


def sip022(name: str, size: int) -> tuple[float, float]:
    psk = PreSharedKey(TABLE[name], os.urandom(TABLE[name].key_size))
    timestamps, salt = Timestamps(time.time), os.urandom(psk.method.salt_size)
    aead2022_stream.OWN_PAYLOAD = size
    wire, sealing = seal(ResponseEncoder(psk, salt, timestamps, os.urandom))
    decoder = ResponseDecoder(psk, salt, timestamps)
    return sealing, open_(decoder, wire)


def main() -> None:
    rows: dict[str, Callable[[], tuple[float, float]]] = {}
    for name in ("2022-blake3-aes-128-gcm", "2022-blake3-chacha20-poly1305"):
        for size in (0x3FFF, 0x7FFF, 0xFFFF):
            rows[f"{name}, {size:#06x}"] = partial(sip022, name, size)
    results: dict[str, list[tuple[float, float]]] = {row: [] for row in rows}
    for _ in range(7):
        for row, measure in rows.items():
            results[row].append(measure())
    print(f"{f'CPU µs for {READ:,} octets':<40}{'sealed':>8}{'opened':>8}")
    for row, figures in results.items():
        sealed, opened = (median(column) for column in zip(*figures, strict=True))
        print(f"{row:<40}{sealed:>8.1f}{opened:>8.1f}")


if __name__ == "__main__":
    main()
