"""What a SIP004 packet costs and where: CPU µs of sealing and opening one, and of its subkey.

Run from the root of the repository: ``python -m bench.aead_packet``. Medians of several rounds;
CPU time of this process, so that a busy machine disturbs it little.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

from annotated_shadowsocks.crypto.kdf import session_subkey
from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, overhead, seal_packet
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.wire import address

ROUND = 2_000
PLAIN = address.encode(Endpoint("192.0.2.1", 443)) + bytes(1200)


def cpu_us(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Median CPU µs of each call; the calls take turns, so that a slow moment meets them all."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, results in zip(calls, times, strict=True):
            start = time.process_time_ns()
            for _ in range(ROUND):
                call()
            results.append((time.process_time_ns() - start) / ROUND / 1000)
    return [median(results) for results in times]


def row(method: CipherMethod, rounds: int) -> str:
    key = MasterKey(method, os.urandom(method.key_size))
    salt = os.urandom(method.salt_size)
    sealed = memoryview(bytearray(len(PLAIN) + overhead(method)))
    plain = memoryview(bytearray(len(PLAIN)))
    calls: list[Callable[[], object]] = [
        lambda: session_subkey(key.key, salt),
        lambda: method.aead(key.key),
        lambda: seal_packet(key, salt, PLAIN, sealed),
        lambda: open_packet(key, sealed, plain),
    ]
    calls[2]()
    return f"{method.name:<24}" + "".join(f"{us:>10.2f}" for us in cpu_us(calls, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of 2 000 packets per figure")
    rounds = parser.parse_args().rounds
    print(f"CPU µs of a packet with {len(PLAIN):,} octets of plain text")
    print(f"{'':<24}{'subkey':>10}{'box':>10}{'seal':>10}{'open':>10}")
    for method in of_generation(Generation.AEAD).values():
        print(row(method, rounds))
    store = ReplayStore(bytearray(ReplayStore.required_size()), os.urandom(16))
    (us,) = cpu_us([lambda: store.add(os.urandom(32))], rounds)
    print(f"asking the replay store adds {us:.2f}")


if __name__ == "__main__":
    main()
