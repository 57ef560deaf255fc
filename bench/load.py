"""The load: SOCKS5 connections through a hop, and what they do. One thread, see ``flows``.

Latency at an offered rate is counted from when a connection was *planned*, by a schedule that was
made before: a server that stalls for a second delays all who were to come in that second, and
whoever waited for the answer before sending the next would have counted one of them (coordinated
omission).
"""

import random
import socket
import time
from collections.abc import Callable

from .flows import READ, WRITE, Body, Flow, Flows, taken

__all__ = [
    "Target",
    "bulk",
    "connections",
    "held",
    "offered",
    "ping_pong",
    "schedule",
    "stirred",
]

_BUFFER = memoryview(bytearray(1 << 18))
_MESSAGE = bytes(64)

#: The port of the client hop, and the origin's.
Target = tuple[int, int]


def _connected(sock: socket.socket, target: Target, verb: bytes, size: int = 0) -> Flow:
    proxy, origin = target
    if sock.connect_ex(("127.0.0.1", proxy)):
        yield WRITE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.send(b"\x05\x01\x00")
    yield from taken(sock, 2)
    sock.send(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.to_bytes(2, "big"))
    reply = yield from taken(sock, 10)
    if reply[1]:
        raise ConnectionError("the proxy refused")
    sock.send(verb + size.to_bytes(8, "big"))


def bulk(target: Target, verb: bytes, size: int, flows_count: int = 1) -> None:
    """Move ``size`` octets in all down (``D``) or up (``U``), over so many connections."""
    flows = Flows()
    for _ in range(flows_count):
        flows.begin(_bulk(target, verb, size // flows_count))
    flows.run()


def _bulk(target: Target, verb: bytes, size: int) -> Body:
    def body(sock: socket.socket) -> Flow:
        left = size
        with sock:
            yield from _connected(sock, target, verb, size)
            while left and verb == b"U":
                yield WRITE
                left -= sock.send(_BUFFER[: min(left, len(_BUFFER))])
            if verb == b"U":
                yield from taken(sock, 1)
            while left:
                yield READ
                count = sock.recv_into(_BUFFER)
                if not count:
                    raise EOFError(f"{left} octets are missing")
                left -= count

    return body


def connections(target: Target, count: int, at_once: int = 1) -> None:
    """``count`` short exchanges, one connection each, ``at_once`` of them at any time."""
    flows = Flows()
    for _ in range(count):
        while len(flows) >= at_once:
            flows.turn(30)
        flows.begin(_exchange(target))
    flows.run()


def _exchange(target: Target, done: Callable[[], None] = lambda: None) -> Body:
    def body(sock: socket.socket) -> Flow:
        with sock:
            yield from _connected(sock, target, b"P")
            yield from taken(sock, 4)
            done()

    return body


def schedule(rate: float, seconds: float, seed: int = 1) -> list[float]:
    """When each is to begin: arrivals that do not know of each other, the same for everybody."""
    chance, at, plan = random.Random(seed), 0.0, []
    while (at := at + chance.expovariate(rate)) < seconds:
        plan.append(at)
    return plan


def offered(target: Target, plan: list[float]) -> tuple[list[float], list[float]]:
    """Exchanges as they were planned: seconds from plan to answer, and from plan to our begin."""
    flows, answers, lateness = Flows(), list[float](), list[float]()
    start = time.perf_counter() + 0.01
    for at in plan:
        planned = start + at
        while (left := planned - time.perf_counter()) > 0:
            flows.turn(left)
        lateness.append(-left)

        def done(planned: float = planned) -> None:
            answers.append(time.perf_counter() - planned)

        flows.begin(_exchange(target, done))
    flows.run()
    return answers, lateness


def held(target: Target, count: int) -> list[socket.socket]:
    """Connections that have exchanged 64 octets and stay open; the caller closes them."""
    flows, socks = Flows(), list[socket.socket]()

    def body(sock: socket.socket) -> Flow:
        socks.append(sock)
        yield from _connected(sock, target, b"E")
        sock.send(_MESSAGE)
        yield from taken(sock, len(_MESSAGE))

    for _ in range(count):
        flows.begin(body)
        while len(flows) > 50:
            flows.turn(30)
    flows.run()
    return socks


def stirred(socks: list[socket.socket], size: int = 1 << 16) -> None:
    """Send ``size`` octets there and back over each, fifty at a time."""
    flows, message = Flows(), bytes(size)

    def body(sock: socket.socket) -> Flow:
        left = message
        while left := left[sock.send(left) :]:
            yield WRITE
        yield from taken(sock, size)

    for sock in socks:
        flows.begin(body, sock)
        while len(flows) > 50:
            flows.turn(30)
    flows.run()


def ping_pong(socks: list[socket.socket], count: int, beside: Target | None = None) -> list[float]:
    """``count`` messages of 64 octets there and back, in turn on all; seconds of each.

    ``beside`` asks for a bulk flow down at the same time.
    """
    flows, seconds = Flows(), list[float]()
    if beside:
        flows.begin(_endless(beside, lambda: len(seconds) >= count))

    def body(sock: socket.socket) -> Flow:
        while len(seconds) < count:
            began = time.perf_counter()
            sock.send(_MESSAGE)
            yield from taken(sock, len(_MESSAGE))
            seconds.append(time.perf_counter() - began)

    for sock in socks:
        flows.begin(body, sock)
    flows.run()
    return seconds


def _endless(target: Target, over: Callable[[], bool]) -> Body:
    def body(sock: socket.socket) -> Flow:
        with sock:
            yield from _connected(sock, target, b"D", 1 << 50)
            while not over():
                yield READ
                sock.recv_into(_BUFFER)

    return body
