"""The load: SOCKS5 connections through a hop, and what they do."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["bulk", "connections", "cpu_seconds", "idle_kib", "resident_kib"]

_CHUNK = 1 << 18


def cpu_seconds(pid: int) -> float:
    """Seconds on a processor of all threads of ``pid``, from the scheduler's own clock."""
    # utime and stime are sampled with each tick, and what is measured here wakes and sleeps in
    # step with it; schedstat counts nanoseconds.
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_kib(pid: int) -> int:
    """Resident memory of ``pid``."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise LookupError(f"process {pid} has no resident memory")


def bulk(proxy: int, origin: int, verb: bytes, size: int) -> None:
    """Move ``size`` octets down (``D``) or up (``U``) over one connection."""
    with _connect(proxy, origin) as sock:
        sock.sendall(verb + size.to_bytes(8, "big"))
        left = size
        if verb == b"D":
            buffer = bytearray(_CHUNK)
            while left:
                count = sock.recv_into(buffer)
                if not count:
                    raise EOFError(f"{left} octets are missing")
                left -= count
        else:
            chunk = bytes(_CHUNK)
            while left:
                left -= sock.send(chunk[: min(left, _CHUNK)])
            if sock.recv(1) != b"k":
                raise EOFError("the upload was not confirmed")


def connections(proxy: int, origin: int, count: int, at_once: int = 1) -> None:
    """``count`` short exchanges, one connection each, ``at_once`` of them at any time."""

    def one(_: int) -> None:
        with _connect(proxy, origin) as sock:
            _exchange(sock, b"P")

    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(one, range(count)):
            pass


def idle_kib(proxy: int, origin: int, count: int, pids: tuple[int, ...]) -> list[float]:
    """Resident KiB for each of ``count`` connections that have exchanged something and are idle."""
    before = [resident_kib(pid) for pid in pids]
    held = []
    try:
        for _ in range(count):
            sock = _connect(proxy, origin)
            held.append(sock)
            _exchange(sock, b"H")
        time.sleep(0.5)
        return [(resident_kib(pid) - base) / count for pid, base in zip(pids, before, strict=True)]
    finally:
        for sock in held:
            sock.close()


def _exchange(sock: socket.socket, verb: bytes) -> None:
    sock.sendall(verb + bytes(8))
    if not sock.recv(16):
        raise EOFError("the origin did not answer")


def _connect(proxy: int, origin: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", proxy), 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"\x05\x01\x00")
    _receive(sock, 2)
    sock.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.to_bytes(2, "big"))
    if _receive(sock, 10)[1]:
        raise ConnectionError("the proxy refused")
    return sock


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        received = sock.recv(size - len(data))
        if not received:
            raise EOFError("the proxy closed the connection")
        data += received
    return data
