"""From a configuration to a running program, or one line that says why not."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import main
from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError, ListenError
from annotated_shadowsocks.supervision import run
from annotated_shadowsocks.supervision.process import LOOP_VARIABLE
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import local_config, server_config

#: Nothing is said of it.
STRONG = "w7Qe2-Lr9Zt4-Xk1Vb8-Ns6Hd3"

START: dict[str, Callable[[Config, Callable[[], Config]], int]] = {
    "ssserver": run.run_server,
    "sslocal": run.run_local,
}


def arguments(program: str, port: int, *more: str) -> list[str]:
    where = {
        "ssserver": ["-s", f"127.0.0.1:{port}"],
        "sslocal": ["-s", "127.0.0.1:1", "-b", f"127.0.0.1:{port}"],
    }[program]
    return [program, *where, "-m", "aes-128-gcm", *more]


def outcome(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "annotated_shadowsocks", *arguments],
        env=os.environ | {"SS_SERVER_PASSWORD": STRONG} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def complaints(done: subprocess.CompletedProcess[str], program: str) -> list[str]:
    """What it said besides its log."""
    assert done.stdout == ""
    return [line for line in done.stderr.splitlines() if line.startswith(f"{program}: ")]


@pytest.mark.parametrize("program", START)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_one_line(program: str, workers: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = outcome(arguments(program, port, "--workers", workers))
    assert done.returncode == 69
    (line,) = complaints(done, program)
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line
    assert "Traceback" not in done.stderr
    assert "listening" not in done.stderr


def test_udp_in_use_is_told_from_tcp() -> None:
    port = free_port()
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        done = outcome(arguments("ssserver", port, "-U"))
    assert done.returncode == 69
    (line,) = complaints(done, "ssserver")
    assert "UDP" in line


def test_an_address_that_is_not_ours_is_one_line() -> None:
    # An address for documentation, which no host has.
    done = outcome(["ssserver", "-s", "192.0.2.1:8388", "-m", "aes-128-gcm"])
    assert done.returncode == 69
    (line,) = complaints(done, "ssserver")
    assert "no such address" in line


@pytest.mark.parametrize("program", START)
def test_a_port_that_is_not_permitted_has_its_status(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Who may bind low ports differs from host to host; what the kernel says where one may not
    # does not.
    def bind(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("annotated_shadowsocks.relay.sockets._bound", bind)
    monkeypatch.setenv("SS_SERVER_PASSWORD", STRONG)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        assert main.main(arguments(program, 81)) == 77
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "CAP_NET_BIND_SERVICE" in capsys.readouterr().err


def test_a_loop_that_there_is_not_is_one_line() -> None:
    done = outcome(arguments("ssserver", free_port()), **{LOOP_VARIABLE: "twisted"})
    assert done.returncode == 78
    (line,) = complaints(done, "ssserver")
    assert LOOP_VARIABLE in line


def test_a_limit_that_cannot_be_had_is_one_line() -> None:
    # More than fs.nr_open ever is, so that not even root may have it.
    done = outcome(arguments("ssserver", free_port(), "-n", str(1 << 30)))
    assert done.returncode in (77, 78)
    (line,) = complaints(done, "ssserver")
    assert "nofile" in line


@pytest.mark.parametrize("program", START)
def test_nothing_is_half_started(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    for what in ("Process", "Supervisor", "SharedSalts"):
        monkeypatch.setattr(run, what, lambda *a, **k: started.append(a))
    monkeypatch.setattr(run, "raise_descriptor_limit", lambda wanted: wanted)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = Endpoint(*taken.getsockname())
        config = server_config(listen=at) if program == "ssserver" else local_config(at, listen=at)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            with pytest.raises(ListenError):
                START[program](config, lambda: config)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert not started


def test_a_limit_is_refused_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(wanted: int | None) -> int:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(run, "raise_descriptor_limit", refuse)
    monkeypatch.setattr(run, "Bindings", None)
    config = server_config()
    with pytest.raises(ConfigError, match="nofile"):
        run.run_server(config, lambda: config)
