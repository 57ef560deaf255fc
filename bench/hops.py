"""The programs that are measured: a client hop and a server hop, ours or a peer's, on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

__all__ = ["KINDS", "Hops", "Pair", "version_of"]

_PASSWORD = "measured on loopback, and nowhere else"
_ROOT = Path(__file__).resolve().parent.parent

#: Who can be measured, and the program that must be installed for it.
KINDS = {"ours": sys.executable, "ours+uvloop": sys.executable, "libev": "ss-server"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One kind's two processes and the port on which its client hop listens."""

    kind: str
    local: subprocess.Popen[bytes]
    server: subprocess.Popen[bytes]
    port: int


class Hops:
    """Starts pairs, and ends them all with the block."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = Path(tempfile.mkdtemp(prefix="bench-"))

    def __enter__(self) -> "Hops":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, kind: str) -> Pair:
        """Start both hops of ``kind`` and wait until the client hop listens."""
        server_port, local_port = _free_port(), _free_port()
        document = self._folder / f"{kind}.json"
        settings: dict[str, object] = {
            "server": "127.0.0.1",
            "server_port": server_port,
            "local_address": "127.0.0.1",
            "local_port": local_port,
            "password": _PASSWORD,
            "method": self._method,
        }
        if kind == "libev":
            document.write_text(json.dumps(settings))
            commands = [["ss-server", "-c", str(document)], ["ss-local", "-c", str(document)]]
            environment = dict(os.environ)
        else:
            document.write_text(json.dumps(settings | {"allow_private_targets": True}))
            program = [sys.executable, "-m", "annotated_shadowsocks"]
            commands = [[*program, name, "-c", str(document)] for name in ("ssserver", "sslocal")]
            loop = "uvloop" if kind == "ours+uvloop" else "asyncio"
            environment = os.environ | {
                "PYTHONPATH": str(_ROOT / "src"),
                "ANNOTATED_SHADOWSOCKS_LOOP": loop,
            }
        server, local = (self._run(command, environment) for command in commands)
        for port in (server_port, local_port):
            _wait_for(port)
        return Pair(kind, local, server, local_port)

    def origin(self) -> int:
        """Start the origin; returns its port."""
        port = _free_port()
        command = [sys.executable, "-m", "bench.origin", str(port)]
        self._run(command, dict(os.environ))
        _wait_for(port)
        return port

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process


def version_of(kind: str) -> str:
    """What the measured program calls itself."""
    if kind == "libev":
        text = subprocess.run(["ss-server", "-h"], capture_output=True, text=True).stdout
        return next((line.strip() for line in text.splitlines() if line.strip()), "unknown")
    from annotated_shadowsocks import __version__

    return f"Annotated Shadowsocks {__version__}"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
