"""A burst: thousands of clients in one second, and what becomes of them. Ours and every peer.

Run from the root of the repository: ``python -m bench.burst``. Each client connects to a server,
asks it for an echo through the tunnel and waits for the answer. Printed for each server are the
clients that were refused, reset or never served, what the kernel counted meanwhile, and the slowest
connect(): one that took a second or more had its SYN dropped.

As root it runs in a network namespace of its own, where nobody else's connections are counted.
Times are wall-clock times of a machine that client and server share, and say little but for that
second.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel import netstat
from annotated_shadowsocks.kernel.listeners import answering, listeners
from annotated_shadowsocks.kernel.netns import interface_up
from annotated_shadowsocks.kernel.sock_diag import SockDiag
from annotated_shadowsocks.relay.sockets import somaxconn
from annotated_shadowsocks.shadowsocks.aead_stream import AeadDecoder
from annotated_shadowsocks.shadowsocks.handshake import client_encoder
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.system import entropy, raise_descriptor_limit
from peers.catalogue import PEERS
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

from .hops import FLOOR, KINDS, OURS, can

METHOD = "aes-256-gcm"
_GREETING = b"hello"
_INSIDE = "BENCH_BURST_INSIDE"

_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies", "TCPSynRetrans")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one burst; times in seconds."""

    kind: str
    limit: int
    came_in: float
    served: int
    refused: int
    reset: int
    unserved: int
    slowest_connect: float
    median_connect: float
    slowest_answer: float
    kernel: Mapping[str, int]


class Burst:
    """``count`` clients of the server at ``at``, spread evenly over ``seconds``."""

    def __init__(self, at: Endpoint, key: MasterKey, echo: Endpoint, patience: float) -> None:
        self._at = at
        self._key = key
        self._echo = echo
        self._patience = patience
        self.fates: Counter[str] = Counter()
        self.connects: list[float] = []
        self.answers: list[float] = []

    async def run(self, count: int, seconds: float) -> float:
        """Returns how long it took for all to have come."""
        # Sealed before: what the clients compute would slow them down, and not the server.
        requests = [self._request() for _ in range(count)]
        loop = asyncio.get_running_loop()
        start = loop.time()
        clients = []
        for number, request in enumerate(requests):
            pause = start + seconds * number / count - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            elif number % 64 == 0:
                await asyncio.sleep(0)
            clients.append(asyncio.create_task(self._client(request)))
        came_in = loop.time() - start
        await asyncio.gather(*clients)
        return came_in

    def _request(self) -> bytes:
        out = memoryview(bytearray(256))
        encoder = client_encoder(self._key, self._echo, entropy)
        return bytes(out[: encoder.convert(memoryview(_GREETING), out)[1]])

    async def _client(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        with socket.socket() as sock:
            sock.setblocking(False)
            try:
                async with asyncio.timeout(self._patience):
                    await loop.sock_connect(sock, self._at)
                    self.connects.append(loop.time() - start)
                    await loop.sock_sendall(sock, request)
                    fate = await self._answer(sock)
                self.answers.append(loop.time() - start)
            except ConnectionRefusedError:
                fate = "refused"
            except ConnectionError:
                fate = "reset"
            except TimeoutError:
                fate = "unserved"
        self.fates[fate] += 1

    async def _answer(self, sock: socket.socket) -> str:
        loop, wire, out = asyncio.get_running_loop(), b"", memoryview(bytearray(256))
        while piece := await loop.sock_recv(sock, 256):
            wire += piece
            made = AeadDecoder(self._key).convert(memoryview(wire), out)[1]
            if bytes(out[:made]) == _GREETING:
                return "served"
        return "unserved"


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(256):
            writer.write(octets)
    except (OSError, asyncio.CancelledError):
        pass
    writer.close()


async def measured(kind: str, options: argparse.Namespace, folder: Path) -> Outcome:
    """One burst on one server that was just started."""
    echo = await asyncio.start_server(_echo, "127.0.0.1", 0, backlog=somaxconn())
    link = Link(METHOD, new_key(METHOD), free_endpoint(), verbosity=0)
    key = MasterKey.from_password(methods.find(METHOD), link.password)
    with Stage(folder, OURS.get(kind, "asyncio")) as stage:
        server = stage.server(PEERS.get(kind), link)
        at = server.endpoint
        before = netstat.counters()
        burst = Burst(at, key, Endpoint(*echo.sockets[0].getsockname()[:2]), options.patience)
        came_in = await burst.run(options.count, options.seconds)
        kernel = netstat.increase(before, netstat.counters())
        limit = _limit(at)
    echo.close()
    fates = burst.fates
    return Outcome(
        kind,
        limit,
        round(came_in, 2),
        fates["served"],
        fates["refused"],
        fates["reset"],
        fates["unserved"],
        round(max(burst.connects, default=0), 3),
        round(statistics.median(burst.connects or [0]), 4),
        round(max(burst.answers, default=0), 3),
        {name: kernel.get(name, 0) for name in _COUNTERS},
    )


def _limit(at: Endpoint) -> int:
    with SockDiag() as diag:
        found = answering(listeners(diag, at.port), at.host, at.port)
    return found[0].limit if found else -1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.burst", description=_about())
    there = [kind for kind in KINDS if kind != FLOOR and can(kind, METHOD)]
    parser.add_argument("--count", type=int, default=4000, help="clients (default 4000)")
    parser.add_argument("--seconds", type=float, default=1.0, help="in which they come (default 1)")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds for each client")
    parser.add_argument("--kinds", default=",".join(there), help="who is measured")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = set(options.kinds.split(",")) - set(there)
    if unknown:
        parser.error(f"not installed: {', '.join(sorted(unknown))}")
    return options


def _about() -> str:
    return (__doc__ or "").splitlines()[0]


def main() -> None:
    options = _arguments()
    if os.geteuid() == 0 and _INSIDE not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "bench.burst", *sys.argv[1:]]
        os.execvpe(command[0], command, os.environ | {_INSIDE: "1"})
    if _INSIDE in os.environ:
        interface_up("lo")
    raise_descriptor_limit()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for kind in options.kinds.split(","):
            outcomes.append(asyncio.run(measured(kind, options, Path(folder))))
            time.sleep(1)
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
        return
    print(f"{options.count} clients in {options.seconds:g} s, somaxconn {somaxconn()}\n")
    head = ("server", "came in", "limit", "served", "refused", "reset", "unserved", "overflows")
    print(f"{head[0]:20}" + "".join(f"{word:>10}" for word in (*head[1:], "slowest")))
    for one in outcomes:
        overflows = one.kernel["ListenOverflows"]
        cells = (one.limit, one.served, one.refused, one.reset, one.unserved, overflows)
        print(
            f"{one.kind:20}{one.came_in:>8.2f} s" + "".join(f"{cell:>10}" for cell in cells),
            f"{one.slowest_connect:>8.3f} s",
        )


if __name__ == "__main__":
    main()
