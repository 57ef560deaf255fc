"""What a stream of junk costs a port of many keys, and what it costs everybody else on the loop.

Run from the root of the repository: ``python -m bench.key_search``. Printed are CPU µs for each key
that is tried, and how late a timer of 1 ms is while junk is searched for: in steps, as the services
do it, and in a thread, which they do not.
"""

import argparse
import asyncio
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator

from annotated_shadowsocks.crypto.methods import CipherMethod, find
from annotated_shadowsocks.services.key_search import KeySearches
from annotated_shadowsocks.shadowsocks.aead_stream import opens
from annotated_shadowsocks.shadowsocks.credentials import Holder, KeyRing
from annotated_shadowsocks.shadowsocks.handshake import KeySought
from annotated_shadowsocks.shadowsocks.key import MasterKey

METHODS = ("aes-256-gcm", "chacha20-ietf-poly1305")


def ring(method: CipherMethod, size: int) -> KeyRing:
    return KeyRing([Holder(str(n), MasterKey(method, os.urandom(32))) for n in range(size)])


def junk(answered: Callable[[object], None] = lambda _: None) -> KeySought:
    return KeySought(os.urandom(32), os.urandom(18), answered)


def us_per_key(method: CipherMethod) -> float:
    keys, sought = ring(method, 2000), junk()
    began = time.process_time_ns()
    for holder in keys.holders:
        opens(holder.key, sought.salt, sought.box)
    return (time.process_time_ns() - began) / 2000 / 1000


def in_thread(keys: KeyRing, done: Callable[[], None]) -> None:
    sought = junk()

    def search() -> None:
        for holder in keys.holders:
            opens(holder.key, sought.salt, sought.box)

    future = asyncio.get_running_loop().run_in_executor(None, search)
    future.add_done_callback(lambda _: done())


def in_steps(keys: KeyRing, done: Callable[[], None]) -> None:
    searches = KeySearches(asyncio.get_running_loop(), keys)
    if searches.begin(junk(), "192.0.2.1", done) is None:
        done()


async def lateness(keys: KeyRing, search: Callable[[KeyRing, Callable[[], None]], None]) -> float:
    """The worst of a hundred milliseconds, in ms, of a loop that also sends now and then."""
    running = True

    def again() -> None:
        if running:
            search(keys, again)

    again()
    one, two = socket.socketpair()
    late = []
    with one, two:
        for _ in range(200):
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            # System calls, as a relay makes them: each of them lets go of the interpreter's lock.
            for _ in range(20):
                one.send(b"x")
                two.recv(1)
            late.append(time.perf_counter() - due)
    running = False
    return statistics.quantiles(late, n=100)[98] * 1000


def rows(size: int) -> Iterator[str]:
    for name in METHODS:
        yield f"{name:24} {us_per_key(find(name)):8.1f} us for each key"
    keys = ring(find(METHODS[0]), size)
    idle = ring(find(METHODS[0]), 1)
    for what, some, search in (
        ("no junk", idle, lambda keys, done: None),
        ("junk, in steps", keys, in_steps),
        ("junk, in a thread", keys, in_thread),
    ):
        yield f"{what:24} {asyncio.run(lateness(some, search)):8.2f} ms late, 99th percentile"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.key_search")
    parser.add_argument("--keys", type=int, default=10_000)
    for row in rows(parser.parse_args().keys):
        print(row, flush=True)


if __name__ == "__main__":
    main()
