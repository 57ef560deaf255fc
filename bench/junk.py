"""Junk at the door: ``python -m bench.junk``. CPU µs that a server spends on a connection of junk.

Junk connections come at a fixed rate, each with a hundred random octets, and stay: who leaves at
once is not searched for. The port has 1, 100 or 10,000 keys, for each of which a client might be
meant. What one processor holds is a second through what one connection costs. Beside the junk, an
honest client asks for an exchange again and again; ``answered`` is how long it waits, and none of
it is spent on trying keys but what the server makes it wait.
"""

import argparse
import os
import shlex
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from annotated_shadowsocks.system import raise_descriptor_limit
from peers.catalogue import PEERS
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

from . import load, report
from .accounting import usage
from .flows import Flow, Flows
from .hops import OURS, Hops, can, version_of
from .run import Run, host

__all__: list[str] = []

#: Those that take many keys of SIP004 on one port; the others are here with one key.
MANY = ("ours", "outline-ss-server", "v2ray", "xray-core")
ONE = ("ours", "shadowsocks-libev", "go-shadowsocks2", "shadowsocks-rust", *MANY[1:])
#: Who refuses private targets, and cannot be told to serve them: nobody honest comes there.
NO_LOOPBACK = {"outline-ss-server"}
_JUNK = 100


def _measured(
    port: int, pid: int, honest: load.Target | None, rate: int, seconds: float
) -> dict[str, float]:
    """CPU µs for each junk connection, and ms that honest clients waited meanwhile."""
    junk, socks = Flows(), list[socket.socket]()

    def body(sock: socket.socket) -> Flow:
        socks.append(sock)
        sock.connect_ex(("127.0.0.1", port))
        sock.send(os.urandom(_JUNK))
        yield from ()

    before = usage(pid)
    start = time.perf_counter()
    answers: list[float] = []
    try:
        for number in range(int(rate * seconds)):
            while (left := start + number / rate - time.perf_counter()) > 0:
                time.sleep(left)
            junk.begin(body)
            if honest and number % rate == rate // 2:
                answers += load.offered(honest, [0.0])[0]
        _settled(pid)
        spent = usage(pid) - before
    finally:
        for sock in socks:
            sock.close()
        junk.close()
    each = spent.ran * 1e6 / len(socks)
    figures = {"server": each, "held": 1e6 / each}
    return figures | ({"answered": statistics.median(answers) * 1e3} if answers else {})


def _settled(pid: int) -> None:
    """Wait until the server is at rest again: what it still searches for belongs to the junk."""
    before = usage(pid).ran
    while True:
        time.sleep(0.3)
        now = usage(pid).ran
        if now - before < 0.01:
            return
        before = now


def _servers(stack: ExitStack, method: str, keys: int) -> Iterator[tuple[str, load.Target, int]]:
    """Kind, (an honest client's hop, the server), the server's process."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    for kind in MANY if keys > 1 else ONE:
        if kind not in OURS and not can_serve(kind, method):
            continue
        names = {f"user{n}": new_key(method) for n in range(keys)} if keys > 1 else {}
        password = next(reversed(names.values()), "") or new_key(method)
        at = free_endpoint()
        stage = stack.enter_context(Stage(folder, "asyncio"))
        server = stage.server(PEERS.get(kind), Link(method, password, at, keys=names, verbosity=0))
        client = stage.client(None, Link(method, password, at, verbosity=0))
        yield kind, (client.endpoint.port, server.endpoint.port), server.program.pid


def can_serve(kind: str, method: str) -> bool:
    """Whether ``kind`` is installed and serves ``method``; it needs no client."""
    side = PEERS[kind].server
    return can(kind, method) if PEERS[kind].client else bool(side and method in side.methods)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.junk")
    parser.add_argument("-m", "--method", default="chacha20-ietf-poly1305")
    parser.add_argument("--keys", default="1,100,10000")
    parser.add_argument("--rate", type=int, default=20, help="junk connections a second")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    options = _arguments()
    raise_descriptor_limit()
    run = Run(f"python -m bench.junk {shlex.join(sys.argv[1:])}", host(), {})
    for keys in map(int, options.keys.split(",")):
        with ExitStack() as stack, Hops(options.method) as hops:
            _, origin = hops.origin()
            servers = list(_servers(stack, options.method, keys))
            for _ in range(options.rounds):
                for kind, (near, at), pid in servers:
                    run.kinds[kind] = version_of(kind)
                    row = run.row("junk", f"{keys} keys", options.method, kind, "us/connection")
                    honest = None if kind in NO_LOOPBACK else (near, origin)
                    row.add(_measured(at, pid, honest, options.rate, options.seconds), 0)
    if options.json:
        run.save(options.json)
    print(report.terminal(run, set(OURS)))


if __name__ == "__main__":
    main()
