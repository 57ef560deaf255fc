"""What a datagram costs: CPU µs for each, at each hop, and what is lost, at rates that are offered.

Run from the root of the repository: ``python -m bench.udp``. A client sends datagrams through both
hops at a fixed rate, and a target sends each back, so each hop handles two for one that is sent.
Ours and every peer that is installed take turns, for each method that they have. Medians of the
rounds, and the ratio to shadowsocks-libev side by side; loss is of round trips.
"""

import argparse
import json
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.client import ClientHandshake, Established
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Command

from .accounting import usage
from .hops import FLOOR, KINDS, Hops, Pair, can, version_of

__all__ = ["Association", "echo"]

_METHODS = [
    "aes-128-gcm",
    "chacha20-ietf-poly1305",
    "2022-blake3-aes-128-gcm",
    "2022-blake3-chacha20-poly1305",
    "aes-128-ctr",
]

#: Datagrams are sent in bursts as long as this, in seconds: a timer cannot pace them singly.
_BURST = 0.002

#: CPU µs at the client hop and at the server hop, and the share that was lost.
Row = tuple[float, float, float]

#: Of each kind, size and rate, one row for each round.
Rows = dict[tuple[str, int, float], list[Row]]


class Association:
    """A SOCKS5 client's association with a pair's client hop, open for its block."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection(("127.0.0.1", port))
        handshake = ClientHandshake(UNSPECIFIED, Command.UDP_ASSOCIATE)
        while not isinstance(event := handshake.next_event(), Established):
            self._control.sendall(handshake.data_to_send())
            handshake.receive_data(self._control.recv(1))
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect(("127.0.0.1", event.bound.port))
        self.sock.setblocking(False)

    def __enter__(self) -> "Association":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
        self._control.close()

    def drain(self, patience: float = 0.0) -> int:
        """Take what has come, and wait so long for more."""
        taken = 0
        while True:
            try:
                self.sock.recv(1 << 16)
                taken += 1
            except BlockingIOError:
                if not select.select([self.sock], [], [], patience)[0]:
                    return taken

    def offer(self, datagram: bytes, rate: float, seconds: float) -> tuple[int, int]:
        """Send at ``rate`` for a time; returns how many were sent and how many came back."""
        sent = back = 0
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            while sent < rate * (now + _BURST):
                try:
                    self.sock.send(datagram)
                except OSError:
                    break
                sent += 1
            back += self.drain(_BURST / 2)
        return sent, back + self.drain(0.2)


def echo() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _ECHO]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


_ECHO = """
import socket
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
buffer = bytearray(1 << 16)
view = memoryview(buffer)
while True:
    count, source = sock.recvfrom_into(buffer)
    sock.sendto(view[:count], source)
"""


def _measure(
    pair: Pair, datagram: bytes, rate: float, seconds: float
) -> tuple[float, float, float]:
    """CPU µs for each datagram at (client hop, server hop), and the share of round trips lost."""
    pids = pair.local.pid, pair.server.pid
    with Association(pair.port) as association:
        # The first one opens everything that has to be opened.
        association.offer(datagram, 100, 0.2)
        before = [usage(pid).ran for pid in pids]
        sent, back = association.offer(datagram, rate, seconds)
        local, server = (usage(pid).ran - base for pid, base in zip(pids, before, strict=True))
    handled = sent + back
    return local * 1e6 / handled, server * 1e6 / handled, 1 - back / sent


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.udp", description=__doc__.split("\n")[0])
    parser.add_argument("-m", "--method", action="append", help="may be given again")
    parser.add_argument("--sizes", default="64,1200", help="octets of payload")
    parser.add_argument("--rates", default="2000", help="datagrams a second that are offered")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", default=",".join(KINDS), help="who is measured")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    rates = [float(rate) for rate in arguments.rates.split(",")]
    echoing = echo()
    try:
        assert echoing.stdout is not None
        target = Endpoint("127.0.0.1", int(echoing.stdout.readline()))
        found = {}
        for method in arguments.method or _METHODS:
            kinds = [k for k in arguments.kinds.split(",") if k != FLOOR and can(k, method)]
            found[method] = _rounds(arguments, method, kinds, target, sizes, rates)
            if not arguments.json:
                _report(method, found[method])
    finally:
        echoing.kill()
        echoing.wait()
    if arguments.json:
        named = {
            m: {" ".join(map(str, k)): v for k, v in rows.items()} for m, rows in found.items()
        }
        print(json.dumps(named))


def _rounds(
    arguments: argparse.Namespace,
    method: str,
    kinds: list[str],
    target: Endpoint,
    sizes: list[int],
    rates: list[float],
) -> Rows:
    rows: Rows = defaultdict(list)
    with Hops(method) as hops:
        pairs = [hops.start(kind) for kind in kinds]
        for _ in range(arguments.rounds):
            for rate in rates:
                for size in sizes:
                    datagram = udp.encode(target, bytes(size))
                    for pair in pairs:
                        row = _measure(pair, datagram, rate, arguments.seconds)
                        rows[pair.kind, size, rate].append(row)
    return rows


def _report(method: str, rows: Rows) -> None:
    print(f"\n{method:<32}{'CPU µs for each datagram':>26}{'lost':>9}   to shadowsocks-libev")
    print(f"{'':<32}{'client hop':>13}{'server hop':>13}")
    for kind, size, rate in rows:
        row = rows[kind, size, rate]
        local, server, lost = (statistics.median(column) for column in zip(*row, strict=True))
        line = f"{kind:<16}{size:>5} B {rate:>6,.0f}/s{local:>13.1f}{server:>13.1f}{lost:>9.2%}"
        reference = rows.get(("shadowsocks-libev", size, rate))
        if reference and kind != "shadowsocks-libev":
            line += "   " + "  ".join(
                f"{statistics.median(a[s] / b[s] for a, b in zip(row, reference, strict=True)):.2f}"
                for s in (0, 1)
            )
        print(line, flush=True)
    for kind in dict.fromkeys(kind for kind, _, _ in rows):
        print(f"  {kind}: {version_of(kind)}")


if __name__ == "__main__":
    main()
