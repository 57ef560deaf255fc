"""What a BLAKE3 key derivation costs: CPU µs, in Python and by the package where it is installed.

Run from the root of the repository: ``python -m bench.blake3``. Medians of several rounds; CPU
time of this process, so that a busy machine disturbs it little. The chunk next to it is what a
relay does all day, for a sense of scale.
"""

import os
import time
from collections.abc import Callable
from statistics import median

from annotated_shadowsocks.crypto import blake3
from annotated_shadowsocks.crypto.aead import aes_gcm

ROUND = 500
CONTEXT = "shadowsocks 2022 session subkey"


def cpu_us(call: Callable[[], object]) -> float:
    results = []
    for _ in range(9):
        start = time.process_time_ns()
        for _ in range(ROUND):
            call()
        results.append((time.process_time_ns() - start) / ROUND / 1000)
    return median(results)


def main() -> None:
    package = blake3._package
    material, plain, sealed = os.urandom(64), bytes(0x3FFF), bytearray(0x3FFF + 16)
    box = aes_gcm(bytes(32))
    print("CPU µs")
    for name, implementation in (("in Python", None), ("by the package", package)):
        if name == "in Python" or package is not None:
            blake3._package = implementation
            us = cpu_us(lambda: blake3.derive_key(CONTEXT, material))
            print(f"key of 64 octets, {name:<16}{us:>8.2f}")
    us = cpu_us(lambda: box.encrypt_into(bytes(12), plain, None, sealed))
    print(f"chunk of {len(plain):,} octets sealed   {us:>8.2f}")


if __name__ == "__main__":
    main()
