"""Real programs: started by a test, waited for, and ended by their process id.

::

    sockets = [("tcp", 8388), ("udp", 8388)]
    with Program(["ss-server", "-c", "server.json"], sockets) as server:
        ...
    assert server.status == 0, server.output()

A program is up when the kernel lists the ports that it is to listen on as its own. That is read
from /proc and not found out by connecting: a connection is traffic, which a tunnel passes on and a
server takes for a probe, and whoever answers might be another program.
"""

import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

__all__ = ["Program", "ProgramError", "find_program", "free_port", "listening", "program_version"]

#: A transport, ``tcp`` or ``udp``, and a port.
Socket = tuple[str, int]

#: Which Debian package has a program, for whoever lacks it.
_PACKAGES = {
    "curl": "curl",
    "dig": "dnsutils",
    "promtool": "prometheus",
    "ss-local": "shadowsocks-libev",
    "ss-manager": "shadowsocks-libev",
    "ss-server": "shadowsocks-libev",
    "ss-tunnel": "shadowsocks-libev",
    "systemd-socket-activate": "systemd",
}

_LOOK = 0.02

#: Source: /proc/net/tcp in proc(5). The state of a TCP socket that listens is TCP_LISTEN, 10; of a
#: UDP socket that is not connected it is TCP_CLOSE, 7.
_WAITING_STATE = {"tcp": "0A", "udp": "07"}


class ProgramError(Exception):
    """A program is missing, did not start, or did not end; the text says which and what to do."""


def find_program(name: str) -> str:
    """Where ``name`` is installed. Raises ``ProgramError`` that says how to install it."""
    path = shutil.which(name)
    if path is None:
        package = _PACKAGES.get(name, name)
        raise ProgramError(f"{name} is not installed; on Debian: apt install {package}")
    return path


def program_version(name: str) -> str:
    """What ``name`` calls itself in the first line that it says for a flag that asks for it."""
    for flag in ("--version", "-h"):
        done = subprocess.run([find_program(name), flag], capture_output=True, text=True)
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        if done.returncode == 0 and lines:
            return lines[0]
    raise ProgramError(f"{name} does not say what version it is")


class Program:
    """A program that runs as long as its block does; SIGTERM ends it.

    The block begins when the program listens on all of ``sockets``. Raises ``ProgramError``, with
    what the program said, where that does not happen within ``patience`` seconds.
    """

    def __init__(
        self,
        command: Sequence[str],
        sockets: Iterable[Socket] = (),
        environment: Mapping[str, str] | None = None,
        patience: float = 30.0,
    ) -> None:
        self.command = [find_program(command[0]), *command[1:]]
        #: The exit status once it has ended, negative for the signal that ended it.
        self.status: int | None = None
        self._sockets = set(sockets)
        self._environment = environment
        self._patience = patience

    def __enter__(self) -> "Program":
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self.command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_up()
        except BaseException:
            self.kill()
            self._output.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.end()
        finally:
            self._last_words = self.output()
            self._output.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def output(self) -> str:
        """All that it has written to stdout and stderr; also after its end."""
        if self._output.closed:
            return self._last_words
        # The file's position is shared with the program that writes to it, so it is left alone.
        descriptor = self._output.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def cpu_seconds(self) -> float:
        """Seconds that all its threads have spent on a processor."""
        # utime and stime are sampled by the tick; schedstat counts nanoseconds.
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def descriptors(self) -> int:
        """How many descriptors it has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def end(self, number: int = signal.SIGTERM, patience: float = 30.0) -> int:
        """Send ``number`` unless it has ended, wait for its end and return its exit status.

        Raises ``ProgramError`` for one that has to be killed.
        """
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self.status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            name = signal.Signals(number).name
            raise ProgramError(self._report(f"still ran {patience:g} s after {name}")) from None
        return self.status

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self.status = self._process.wait()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + self._patience
        while missing := self._sockets - listening(self.pid):
            if (status := self._process.poll()) is not None:
                raise ProgramError(self._report(f"ended with status {status}"))
            if time.monotonic() > deadline:
                raise ProgramError(self._report(f"does not listen on {sorted(missing)}"))
            time.sleep(_LOOK)

    def _report(self, what: str) -> str:
        return f"{' '.join(self.command)} {what}; it said:\n{self.output()}"


def listening(pid: int) -> set[Socket]:
    """The sockets on which a process waits for others, of any address; empty when it has ended."""
    try:
        own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        # The process ended, or closed a descriptor between the two calls: it is asked again.
        return set()
    found = set()
    for transport, state in _WAITING_STATE.items():
        for table in (transport, f"{transport}6"):
            # Of its network namespace, which need not be ours.
            for row in _rows(Path(f"/proc/{pid}/net", table)):
                if row[3] == state and f"socket:[{row[9]}]" in own:
                    found.add((transport, int(row[1].rpartition(":")[2], 16)))
    return found


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:  # a host without IPv6, or a process that has ended meanwhile
        return []


_given: set[int] = set()


def free_port() -> int:
    """A port that is free on loopback, for TCP and UDP and both families, and given out once.

    It is below the ports that the kernel chooses itself: between the choice and the bind, no
    connection of anybody else can be given it as its own.
    """
    low, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    candidates = range(10_000, max(int(low), 20_000))
    while True:
        port = random.choice(candidates)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as sock:
                    sock.bind((host, port))
            except OSError as error:
                # Any other error is about the host, which may have no IPv6, and not about the port.
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
