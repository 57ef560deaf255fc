"""What is measured: each part does its work on one pair and gives samples.

A sample is refused where the load generator or the origin was what limited it. That is decided by
demand: the share of the time in which a process ran or was ready to run, as the scheduler counts
it. One that hardly ever waited for the hops, while the hops waited for it, has measured itself. Of
latencies at an offered rate, the generator's own lateness is part: where its 99th percentile is
more than half of theirs, they are refused too.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from annotated_shadowsocks.crypto.methods import TABLE, Generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.socks5 import udp as socks_udp
from annotated_shadowsocks.testing.programs import Program

from . import load
from .accounting import Usage, own_usage, resident_kib, usage
from .hops import FLOOR, Pair
from .run import Figures
from .udp import Association

__all__ = ["PARTS", "Part", "Sample", "Scene", "aead_alone"]

#: A process that wants a processor this much of the time waits for nobody.
_BUSY = 0.95


@dataclass(frozen=True, slots=True)
class Scene:
    """What all parts share: where the load ends up, and how much of it there is."""

    origin: Program
    origin_port: int
    echo_port: int
    bytes: int
    connections: int
    rates: tuple[float, ...]
    seconds: float
    most: int

    def target(self, pair: Pair) -> load.Target:
        return pair.port, self.origin_port


@dataclass(slots=True)
class Sample:
    """One measurement; ``refused`` says why it is none."""

    variant: str
    unit: str
    figures: Figures
    load: float = 0.0
    refused: str = ""


Part = Callable[[Scene, Pair], Iterator[Sample]]


class _Meter:
    """Processor time of all who take part, between its making and ``stop``."""

    def __init__(self, scene: Scene, pair: Pair) -> None:
        self._pids = scene.origin.pid, pair.local.pid, pair.server.pid
        self._began, self._before = time.monotonic(), self._usages()

    def stop(self) -> None:
        """Find out what each has used, and who waited for whom."""
        used = [b - a for a, b in zip(self._before, self._usages(), strict=True)]
        self.seconds = time.monotonic() - self._began
        own, origin, client, server = (one.wanted / self.seconds for one in used)
        self.client, self.server = used[2].ran, used[3].ran
        self.load, self.refused = max(own, origin), ""
        if self.load > max(_BUSY, client, server):
            who = "load generator" if own >= origin else "origin"
            self.refused = f"the {who} was busy {self.load:.0%} of the time, and no hop was more"

    def _usages(self) -> list[Usage]:
        return [own_usage(), *(usage(pid) for pid in self._pids)]


def _spent(
    scene: Scene, pair: Pair, what: tuple[str, str], per: float, work: Callable[[], object]
) -> Sample:
    meter = _Meter(scene, pair)
    work()
    meter.stop()
    figures = {
        "client": meter.client / per,
        "server": meter.server / per,
        "seconds": meter.seconds / per,
    }
    return Sample(*what, figures, meter.load, meter.refused)


def _bulk(scene: Scene, pair: Pair) -> Iterator[Sample]:
    for flows in (1, 16):
        for verb, name in ((b"D", "download"), (b"U", "upload")):
            what = f"{name}, {flows} flow{'s' * (flows > 1)}", "s/GB"

            def work(verb: bytes = verb, flows: int = flows) -> None:
                load.bulk(scene.target(pair), verb, scene.bytes, flows)

            yield _spent(scene, pair, what, scene.bytes / 1e9, work)


def _connect(scene: Scene, pair: Pair) -> Iterator[Sample]:
    # One at a time, each wake-up finds the processor's caches cold; fifty keep them warm.
    for at_once in (1, 50):
        what = f"{at_once} at a time", "us/connection"

        def work(at_once: int = at_once) -> None:
            load.connections(scene.target(pair), scene.connections, at_once)

        yield _spent(scene, pair, what, scene.connections / 1e6, work)


def _offered(scene: Scene, pair: Pair) -> Iterator[Sample]:
    for rate in scene.rates:
        plan = load.schedule(rate, scene.seconds)
        meter = _Meter(scene, pair)
        answers, lateness = load.offered(scene.target(pair), plan)
        meter.stop()
        figures = _latencies(answers)
        late = statistics.quantiles(lateness, n=100)[98] * 1e3
        refused = meter.refused
        if late > figures["p99"] / 2:
            refused = f"the load generator was {late:.1f} ms late itself (p99)"
        yield Sample(f"{rate:g} a second", "ms", figures | {"late": late}, meter.load, refused)


def _latencies(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=1000)
    return {"p50": cuts[499] * 1e3, "p99": cuts[989] * 1e3, "p99.9": cuts[998] * 1e3}


def _small(scene: Scene, pair: Pair) -> Iterator[Sample]:
    target = scene.target(pair)
    for count, beside in ((1, None), (1, target), (1000, None)):
        socks = load.held(target, count)
        try:
            messages = 500 if beside else 3000
            meter = _Meter(scene, pair)
            seconds = load.ping_pong(socks, messages, beside)
            meter.stop()
        finally:
            _close(socks)
        figures = _latencies(seconds)
        if not beside:
            figures["client"] = meter.client * 1e6 / messages
            figures["server"] = meter.server * 1e6 / messages
        name = f"{count} connection{'s' * (count > 1)}" + " beside a bulk flow" * bool(beside)
        yield Sample(name, "us/message, ms", figures, meter.load, meter.refused)


def _idle(scene: Scene, pair: Pair) -> Iterator[Sample]:
    target = scene.target(pair)
    pids = pair.local.pid, pair.server.pid
    base = [resident_kib(pid) for pid in pids]
    socks: list[socket.socket] = []

    def memory(name: str) -> Sample:
        time.sleep(0.5)
        client, server = (
            (resident_kib(pid) - before) / len(socks)
            for pid, before in zip(pids, base, strict=True)
        )
        return Sample(name, "KiB/connection", {"client": client, "server": server})

    def connect() -> Sample:
        what = f"1 at a time, beside {len(socks)}", "us/connection"
        return _spent(scene, pair, what, 200 / 1e6, lambda: load.connections(target, 200))

    try:
        for count in (100, 1000, scene.most):
            socks += load.held(target, count - len(socks))
            if count > 100:
                yield memory(f"{count} open")
            yield connect()
        load.stirred(socks)
        yield memory(f"{scene.most} open, each was busy once")
    finally:
        _close(socks)


def _close(socks: list[socket.socket]) -> None:
    for sock in socks:
        sock.close()


def _udp(scene: Scene, pair: Pair) -> Iterator[Sample]:
    if pair.kind == FLOOR:
        return
    for size in (64, 1200):
        datagram = socks_udp.encode(Endpoint("127.0.0.1", scene.echo_port), bytes(size))
        for rate in (1000, 4000):
            with Association(pair.port) as association:
                association.offer(datagram, 100, 0.1)
                meter = _Meter(scene, pair)
                sent, back = association.offer(datagram, rate, 1.0)
                meter.stop()
            handled = (sent + back) / 1e6
            figures = {
                "client": meter.client / handled,
                "server": meter.server / handled,
                "lost %": 100 * (1 - back / sent),
            }
            refused = meter.refused
            if sent < 0.95 * rate:
                refused = f"the load generator sent {sent} of {rate} datagrams"
            yield Sample(f"{size} B, {rate} a second", "us/datagram", figures, meter.load, refused)


def _burst(scene: Scene, pair: Pair) -> Iterator[Sample]:
    if pair.kind == FLOOR:
        return
    command = [sys.executable, "-m", "bench.burst", "--kinds", pair.kind, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (one,) = json.loads(done.stdout)
    figures = {
        "slowest": one["slowest_connect"],
        "retransmitted": one["kernel"]["TCPSynRetrans"],
        "overflows": one["kernel"]["ListenOverflows"],
        "unserved": one["refused"] + one["reset"] + one["unserved"],
    }
    yield Sample("4000 clients in a second", "s, count", figures)


PARTS: dict[str, Part] = {
    "bulk": _bulk,
    "connect": _connect,
    "offered": _offered,
    "small": _small,
    "idle": _idle,
    "udp": _udp,
    "burst": _burst,
}


def aead_alone(method: str, megabytes: int = 64) -> float | None:
    """CPU s per GB of sealing and opening in chunks of 16 KiB, the mean of both; None: not AEAD."""
    row = TABLE[method]
    if row.generation is Generation.STREAM:
        return None
    box, nonce = row.aead(bytes(range(row.key_size))), bytes(row.nonce_size)
    plain, sealed = bytearray(16383), bytearray(16383 + 16)
    count = megabytes * 1_000_000 // len(plain)
    began = time.process_time()
    for _ in range(count):
        box.encrypt_into(nonce, plain, None, sealed)
        box.decrypt_into(nonce, sealed, None, plain)
    return (time.process_time() - began) / (count * len(plain) / 1e9) / 2
