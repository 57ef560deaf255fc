"""What AEAD-2022 datagrams cost: CPU µs of sealing and opening one, and what a session holds.

Run from the root of the repository: ``python -m bench.aead2022_packet``. Medians of several rounds;
CPU time of this process, so that a busy machine disturbs it little. Packets are opened by a table
of a thousand sessions in turn, with and without identity headers.
"""

import gc
import os
import time
from pathlib import Path
from statistics import median

from annotated_shadowsocks.crypto.methods import TABLE, Generation, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead2022_session import (
    ClientSession,
    SessionTable,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.wire import address

SESSIONS = 1_000
HELD = 10_000
PLAIN = address.encode(Endpoint("192.0.2.1", 443)) + bytes(1200)


def row(name: str, chain: KeyChain, keys: KeyTable) -> str:
    stamps = Timestamps(time.time)
    clients = [ClientSession(chain, stamps, os.urandom) for _ in range(SESSIONS)]
    table = SessionTable(stamps, os.urandom)
    out, plain = memoryview(bytearray(2000)), memoryview(bytearray(2000))
    times: list[list[int]] = [[], [], []]
    for _ in range(10):
        start = time.process_time_ns()
        packets = [bytes(out[: client.seal(PLAIN, out)]) for client in clients]
        times[0].append(time.process_time_ns() - start)
        start = time.process_time_ns()
        sessions = [table.open(keys, memoryview(packet), plain, 0.0)[0] for packet in packets]
        times[1].append(time.process_time_ns() - start)
        start = time.process_time_ns()
        for session in sessions:
            session.seal(PLAIN, out)
        times[2].append(time.process_time_ns() - start)
    # The first round made the sessions.
    us = "".join(f"{median(column[1:]) / SESSIONS / 1000:>9.2f}" for column in times)
    return f"{name:<44}{us}"


def held() -> float:
    """KiB of memory for each session of a server, before its window has grown."""
    psk = PreSharedKey(TABLE["2022-blake3-aes-256-gcm"], os.urandom(32))
    chain, keys = KeyChain(psk), KeyTable(psk)
    stamps, out = Timestamps(time.time), memoryview(bytearray(2000))
    table = SessionTable(stamps, os.urandom)
    packets = []
    for _ in range(HELD):
        client = ClientSession(chain, stamps, os.urandom)
        packets.append(bytes(out[: client.seal(PLAIN[:7], out)]))
    before = resident()
    for packet in packets:
        table.open(keys, memoryview(packet), out, 0.0)[0].seal(PLAIN, out)
    return (resident() - before) / HELD / 1024


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    # First of all: later, memory that was given back would be used again.
    print(f"{held():.1f} KiB for each session, and up to 1.1 for its window")
    print(f"CPU µs of a packet with {len(PLAIN):,} octets of plain text")
    print(f"{'':<44}{'seal':>9}{'open':>9}{'answer':>9}")
    for name, method in of_generation(Generation.AEAD_2022).items():
        if method.unavailable:
            continue
        psk, upsk = (PreSharedKey(method, os.urandom(method.key_size)) for _ in range(2))
        print(row(name, KeyChain(psk), KeyTable(psk)))
        if method.packet_aead is None:
            users = KeyTable(psk, [User("bob", upsk)])
            print(row(f"{name}, a user", KeyChain(upsk, (psk,)), users))


if __name__ == "__main__":
    main()
