"""What is counted does not depend on the machine's mood: ``python -m bench.counted``.

Both hops run in this thread and the clients and their target in another, so that a profiler of this
thread sees the tunnel alone. Counted are calls of the package's own functions, system calls on
sockets and epoll, boxes sealed and opened, and octets that a codec left over and the relay had to
copy. All happens one step after the other: a block is sent when the one before was answered. In a
second pass tracemalloc says how much memory was taken at most, above what was there before: clients
and target take none, so it is the tunnel's.

``bench/counted.json`` holds the baseline, and a test compares. A change that makes a count better
or worse on purpose renews it: ``python -m bench.counted --renew``, committed with the change.
"""

import argparse
import asyncio
import json
import socket
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import annotated_shadowsocks
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.event_loop import new_event_loop
from annotated_shadowsocks.testing.server_harness import local_config, serve, server_config

__all__ = ["BASELINE", "METHODS", "Counts", "complaints", "count"]

METHODS = ("chacha20-ietf-poly1305", "2022-blake3-aes-128-gcm", "aes-128-ctr")
BASELINE = Path(__file__).with_name("counted.json")

_CONNECTIONS, _BLOCKS, _BLOCK = 50, 64, 32 * 1024
_BUFFER, _SINK = memoryview(bytes(_BLOCK)), memoryview(bytearray(_BLOCK))
_PACKAGE = str(Path(annotated_shadowsocks.__file__).parent)
_SYSTEM = {"socket", "epoll"}
#: Methods of theirs that are none, or that wait: how often depends on who else is there.
_NOT_COUNTED = {"poll", "fileno", "gettimeout"}
_LEFT_OVER = "octets left over"
_ALLOCATED = "octets allocated at most"

#: By what was done and what was counted: for each connection, or for each MB.
Counts = dict[str, dict[str, float]]


class _Profile:
    """Counts events of the thread that sets it as its profiler."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._own: dict[str, bool] = {}
        self._offered: list[int] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call":
            # What stands in angle brackets is a frame in one version of Python and none in another.
            if self._is_own(code.co_filename) and not code.co_name.startswith("<"):
                self.counts["calls"] += 1
                if code.co_name == "convert":
                    self._offered.append(len(frame.f_locals["src"]))
        elif event == "c_call":
            name = getattr(argument, "__name__", "")
            of = type(getattr(argument, "__self__", None)).__name__
            if of in _SYSTEM and name not in _NOT_COUNTED:
                self.counts["system calls"] += 1
            elif name in ("encrypt_into", "decrypt_into", "update_into"):
                self.counts["boxes"] += 1
        elif event == "return" and code.co_name == "convert" and isinstance(argument, tuple):
            self.counts[_LEFT_OVER] += self._offered.pop() - argument[0]

    def _is_own(self, filename: str) -> bool:
        if filename not in self._own:
            self._own[filename] = filename.startswith(_PACKAGE) and "testing" not in filename
        return self._own[filename]


def count(method: str) -> Counts:
    """What both hops do for a connection, and for a MB up and a MB down."""
    loop = new_event_loop()
    try:
        return loop.run_until_complete(_counted(method))
    finally:
        loop.close()


async def _counted(method: str) -> Counts:
    target = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(target,), daemon=True).start()
    at = target.getsockname()[1]
    megabytes = _BLOCKS * _BLOCK / 1e6
    with (
        target,
        serve(server_config(method)) as server,
        serve(local_config(server.endpoint, method=method)) as local,
    ):
        proxy = local.endpoint

        async def profiled(work: Callable[[], None], per: float) -> dict[str, float]:
            # What happens once in a process has happened.
            await asyncio.to_thread(_exchanges, proxy, at, 2)
            profile = _Profile()
            sys.setprofile(profile)
            try:
                await asyncio.to_thread(work)
            finally:
                sys.setprofile(None)
            return {name: round(n / per, 1) for name, n in sorted(profile.counts.items())}

        async def moved(work: Callable[[], None]) -> dict[str, float]:
            return await profiled(work, megabytes) | {_ALLOCATED: await _allocated(work)}

        return {
            "connection": await profiled(lambda: _exchanges(proxy, at, _CONNECTIONS), _CONNECTIONS),
            "MB up": await moved(lambda: _blocks(proxy, at, _BLOCK, 1)),
            "MB down": await moved(lambda: _blocks(proxy, at, 1, _BLOCK)),
        }


async def _allocated(work: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        await asyncio.to_thread(work)
        # What one pass leaves behind, in caches and free lists, the next one finds.
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await asyncio.to_thread(work)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _exchanges(proxy: Endpoint, at: int, number: int) -> None:
    for _ in range(number):
        with _connected(proxy, at) as sock:
            _exchange(sock, 4, 4)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)


def _blocks(proxy: Endpoint, at: int, up: int, down: int) -> None:
    with _connected(proxy, at) as sock:
        for _ in range(_BLOCKS):
            _exchange(sock, up, down)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def _exchange(sock: socket.socket, up: int, down: int) -> None:
    head = up.to_bytes(4, "big") + down.to_bytes(4, "big")
    sock.sendmsg([head, _BUFFER[:up]])
    _taken(sock, down)


def _connected(proxy: Endpoint, at: int) -> socket.socket:
    sock = socket.create_connection(proxy)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"\x05\x01\x00")
    _taken(sock, 2)
    sock.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + at.to_bytes(2, "big"))
    _taken(sock, 10)
    return sock


def _serve(target: socket.socket) -> None:
    while True:
        try:
            sock, _ = target.accept()
        except OSError:
            return
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while head := sock.recv(8, socket.MSG_WAITALL):
                _taken(sock, int.from_bytes(head[:4], "big"))
                sock.sendall(_BUFFER[: int.from_bytes(head[4:], "big")])


def _taken(sock: socket.socket, size: int) -> None:
    if sock.recv_into(_SINK, size, socket.MSG_WAITALL) < size:
        raise EOFError("the connection ended too early")


def complaints(method: str, found: Counts, baseline: Counts, band: float = 0.1) -> list[str]:
    """What is more than ``band`` away from the baseline, a line each."""
    lines = []
    for what, counts in baseline.items():
        for name, before in counts.items():
            now = found[what].get(name, 0.0)
            # Where a stream is cut is the kernel's affair, and what else allocates Python's, so of
            # these there is a most.
            low, high = before * (1 - band) - 1, before * (1 + band) + 1
            if name in (_LEFT_OVER, _ALLOCATED):
                low, high = 0, 2 * before + _BLOCK
            if not low <= now <= high:
                lines.append(f"{method}: {name} for each {what}: {now:g}, and it was {before:g}")
    return lines


def main() -> None:
    """Print what is counted, or make it the baseline."""
    parser = argparse.ArgumentParser(prog="python -m bench.counted")
    parser.add_argument("--renew", action="store_true", help="write the baseline anew")
    options = parser.parse_args()
    found = {method: count(method) for method in METHODS}
    if options.renew:
        BASELINE.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    for method, counts in found.items():
        for what, figures in counts.items():
            print(f"{method:26}{what:12}{figures}")


if __name__ == "__main__":
    main()
