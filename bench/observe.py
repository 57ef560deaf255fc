"""What it costs to look: CPU µs of each reading of the kernel, and CPU of polling at three rates.

Run from the root of the repository: ``python -m bench.observe``. CPU time of this process, user and
system, so that a busy machine disturbs it little. The sockets that fill the tables are its own, on
loopback, by turns of IPv4 and IPv6, and both ends of each connection are here.
"""

import argparse
import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from statistics import median

from annotated_shadowsocks.kernel import netstat
from annotated_shadowsocks.kernel.listeners import glance, listeners, requests, survey
from annotated_shadowsocks.kernel.owners import owners
from annotated_shadowsocks.kernel.sock_diag import SockDiag
from annotated_shadowsocks.kernel.sysctl import sysctls

RATES = (1, 10, 100)


@contextlib.contextmanager
def sockets(connections: int, listening: int) -> Iterator[list[int]]:
    """So many established sockets and listeners; gives the listeners' inodes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(address, family=family))
            for number in range(listening)
            for family, address in [
                (socket.AF_INET6, ("::1", 0)) if number % 2 else (socket.AF_INET, ("127.0.0.1", 0))
            ]
        ]
        for number in range(connections // 2):
            server = servers[number % len(servers)]
            stack.enter_context(socket.create_connection(server.getsockname()[:2]))
            stack.enter_context(server.accept()[0])
        yield [os.fstat(server.fileno()).st_ino for server in servers]


def cpu_us(call: Callable[[], object], rounds: int) -> float:
    """CPU µs of one ``call``: the median of some means."""
    means = []
    for _ in range(5):
        start = time.process_time_ns()
        for _ in range(rounds):
            call()
        means.append((time.process_time_ns() - start) / rounds / 1000)
    return median(means)


def polled(call: Callable[[], object], rate: int, seconds: float) -> float:
    """CPU of this process, as a share of one processor, while it calls ``rate`` times a second."""
    start, cpu = time.monotonic(), time.process_time()
    for turn in range(1, round(rate * seconds) + 1):
        call()
        time.sleep(max(0.0, start + turn / rate - time.monotonic()))
    return (time.process_time() - cpu) / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sockets", type=int, default=2000, help="established, both ends counted")
    parser.add_argument("--listeners", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=40, help="calls for each of 5 means")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each rate")
    options = parser.parse_args()

    with sockets(options.sockets, options.listeners) as inodes, SockDiag() as diag:

        def watch() -> None:
            glance(diag)
            netstat.counters()

        def watch_all() -> None:
            survey(diag)
            netstat.counters()

        readings: dict[str, Callable[[], object]] = {
            "listeners": lambda: listeners(diag),
            "half-open requests": lambda: requests(diag),
            "both queues, exact": lambda: survey(diag),
            "both queues, estimated": lambda: glance(diag),
            "counters": netstat.counters,
            "sysctls": sysctls,
            "owners": lambda: owners(inodes),
        }
        print(f"{options.sockets} sockets, {options.listeners} listeners of ours\n")
        for name, call in readings.items():
            rounds = 2 if name == "owners" else options.rounds
            print(f"{name:24}{cpu_us(call, rounds):>10.0f} µs")
        print(f"\n{'CPU of polling at':24}" + "".join(f"{rate:>8} Hz" for rate in RATES))
        for name, call in {
            "glance and counters": watch,
            "survey and counters": watch_all,
        }.items():
            shares = [polled(call, rate, options.seconds) for rate in RATES]
            print(f"{name:24}" + "".join(f"{share:>9.2%}  " for share in shares))


if __name__ == "__main__":
    main()
