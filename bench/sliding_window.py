"""What the sliding window of a session of datagrams costs: CPU ns a packet, octets of memory.

Run from the root of the repository: ``python -m bench.sliding_window``. Next to it, what opening
the packet costs.
"""

import sys
import time
from collections.abc import Callable, Iterable
from statistics import median

from annotated_shadowsocks.crypto.aead import aes_gcm
from annotated_shadowsocks.shadowsocks.window import SIZE, SlidingWindow

PACKETS = 50_000


def cpu_ns(call: Callable[[int], object], numbers: Iterable[int]) -> float:
    start = time.process_time_ns()
    for number in numbers:
        call(number)
    return (time.process_time_ns() - start) / PACKETS


def in_order() -> float:
    window = SlidingWindow()
    # The window's integer is longest once a whole window was seen.
    for number in range(SIZE + 1):
        window.add(number)
    return cpu_ns(window.add, range(SIZE + 1, SIZE + 1 + PACKETS))


def swapped() -> float:
    window = SlidingWindow()
    return cpu_ns(window.add, (number ^ 1 for number in range(PACKETS)))


def opening() -> float:
    box, sealed, plain = aes_gcm(bytes(16)), bytearray(1216), bytearray(1200)
    box.encrypt_into(bytes(12), plain, None, sealed)
    return cpu_ns(lambda _: box.decrypt_into(bytes(12), sealed, None, plain), range(PACKETS))


def main() -> None:
    print("CPU ns a packet")
    for name, measure in (
        ("window, packets in order", in_order),
        ("window, every two packets swapped", swapped),
        ("opening 1,200 octets, AES-128-GCM", opening),
    ):
        print(f"{name:<36}{median(measure() for _ in range(9)):>8.0f}")
    print(f"memory of a full window: {sys.getsizeof((1 << SIZE + 1) - 1):,} octets")


if __name__ == "__main__":
    main()
