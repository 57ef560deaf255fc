"""What the replay store costs: CPU µs of an add and of a lookup as it fills, and its memory.

Run from the root of the repository: ``python -m bench.replay_store``. Medians of several rounds;
CPU time of this process, so that a busy machine disturbs it little.
"""

import argparse
import hashlib
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median

from annotated_shadowsocks.shadowsocks.replay import CAPACITY, HASH_KEY_SIZE, ReplayStore

ROUND = 10_000
SALT_SIZE = 32
#: Salts of a full generation beyond its capacity: the pages of one table.
CLEARING = ReplayStore.required_size() // mmap.PAGESIZE // 2


def cpu_us(call: Callable[[bytes], object], salts: Iterable[bytes]) -> float:
    """CPU µs of one ``call``, over all of ``salts``."""
    salts = list(salts)
    start = time.process_time_ns()
    for salt in salts:
        call(salt)
    return (time.process_time_ns() - start) / len(salts) / 1000


def fresh(count: int = ROUND) -> Iterator[bytes]:
    return (os.urandom(SALT_SIZE) for _ in range(count))


def rss() -> int:
    """Octets of this process's memory that are resident."""
    resident_pages = Path("/proc/self/statm").read_text().split()[1]
    return int(resident_pages) * mmap.PAGESIZE


def hash_us(rounds: int) -> tuple[float, float]:
    """CPU µs of a keyed hash: by keying a new state, and by copying a keyed one."""
    key = os.urandom(HASH_KEY_SIZE)
    keyed = hashlib.blake2b(key=key, digest_size=8)

    def copied(salt: bytes) -> bytes:
        state = keyed.copy()
        state.update(salt)
        return state.digest()

    def new(salt: bytes) -> bytes:
        return hashlib.blake2b(salt, key=key, digest_size=8).digest()

    return (
        median(cpu_us(new, fresh()) for _ in range(rounds)),
        median(cpu_us(copied, fresh()) for _ in range(rounds)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of 10 000 salts per figure")
    rounds = parser.parse_args().rounds

    size = ReplayStore.required_size()
    memory = os.memfd_create("replay")
    os.ftruncate(memory, size)
    store = ReplayStore(memoryview(mmap.mmap(memory, size)), os.urandom(HASH_KEY_SIZE))
    print(f"capacity {CAPACITY:,} salts, {size:,} octets = {size / CAPACITY:.1f} a salt")
    new, copied = hash_us(rounds)
    print(f"keyed hash of a salt: {new:.2f} µs keyed anew, {copied:.2f} µs copied\n")
    print(f"{'salts':>9} {'add':>8} {'found':>8} {'not found':>10} {'resident':>10} {'a salt':>8}")
    held = 0
    clearing = 0.0
    for level in (0, 500_000, 1_000_000, 1_500_000):
        held += sum(map(store.add, fresh(level - held)))
        if level == CAPACITY:
            # The last salts of a generation clear a page each.
            clearing = cpu_us(store.add, fresh(CLEARING))
            held += CLEARING
        batches = [list(fresh()) for _ in range(rounds)]
        adds = median(cpu_us(store.add, batch) for batch in batches)
        hits = median(cpu_us(store.__contains__, batch) for batch in batches)
        misses = median(cpu_us(store.__contains__, fresh()) for _ in range(rounds))
        held += rounds * ROUND
        resident = os.fstat(memory).st_blocks * 512
        print(
            f"{level:>9,} {adds:>5.2f} µs {hits:>5.2f} µs {misses:>7.2f} µs"
            f" {resident / 2**20:>6.1f} MiB {resident / held:>6.1f} B"
        )
    print(f"\nadd while the next table is cleared, page faults included: {clearing:.2f} µs")
    print(f"resident memory of the whole process: {rss() / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
