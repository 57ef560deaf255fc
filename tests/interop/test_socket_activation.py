"""Sockets that systemd's own tool opened, and a service manager's watchdog."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.testing.programs import Program, free_port
from annotated_shadowsocks.testing.queues import until
from annotated_shadowsocks.testing.server_harness import PASSWORD

pytestmark = pytest.mark.interop


def activated(folder: Path, port: int, *listen: str, **changes: object) -> list[str]:
    """The command that opens the sockets and starts a server with the first connection."""
    file = folder / "server.json"
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": "aes-256-gcm",
        "password": PASSWORD,
        **changes,
    }
    file.write_text(json.dumps(document))
    own = [sys.executable, "-m", "annotated_shadowsocks", "ssserver", "-c", str(file)]
    # The tool passes on no variable that it is not told of.
    passed = [f"--setenv={name}" for name in ("PYTHONPATH", "XDG_STATE_HOME", "NOTIFY_SOCKET")]
    return ["systemd-socket-activate", *passed, *(f"--listen={at}" for at in listen), *own]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_connection_that_woke_it_is_served(workers: int, tmp_path: Path) -> None:
    port = free_port()
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(30)
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    command = activated(tmp_path, port, f"127.0.0.1:{port}", workers=workers, timeout=0.2)
    heard: list[str] = []

    def is_told(text: str) -> bool:
        heard.append(told.recv(200).decode())
        return any(text in one for one in heard)

    with told, Program(command, [("tcp", port)], environment) as server:
        # Nothing runs, and nobody is refused.
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            until(lambda: is_told(f"READY=1\nMAINPID={server.pid}"))
            client.sendall(bytes(100))
            client.shutdown(socket.SHUT_WR)
            # Not authentic, so silence and the end.
            assert client.recv(1) == b""
        assert f"sockets were left to us: 127.0.0.1:{port} TCP" in server.output()
        limit = Path("/proc/sys/net/core/somaxconn").read_text().strip()
        until(lambda: is_told(f"STATUS=accept queue 0/{limit} at 127.0.0.1:{port}; "))
        assert server.end() == 0
        until(lambda: is_told("STOPPING=1"))


def test_a_socket_that_the_configuration_does_not_name(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    command = activated(tmp_path, port, f"127.0.0.1:{other}")
    with Program(command, [("tcp", other)]) as server:
        socket.create_connection(("127.0.0.1", other), 30).close()
        until(lambda: "nothing in the configuration listens on" in server.output())
        text = server.output()
        assert f"(127.0.0.1:{other} TCP)" in text or f"127.0.0.1:{other} TCP" in text
        assert "Traceback" not in text
