import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.testing import programs
from annotated_shadowsocks.testing.programs import (
    Program,
    ProgramError,
    find_program,
    free_port,
    listening,
    program_version,
)

LISTEN = """
import signal, socket, sys
print("up", flush=True)
port = int(sys.argv[1])
tcp = socket.create_server(("127.0.0.1", port))
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", port))
"""
UNTIL_SIGNAL = LISTEN + "signal.pause()"


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def both(port: int) -> set[tuple[str, int]]:
    return {("tcp", port), ("udp", port)}


def test_a_program_is_up_when_its_block_begins_and_gone_when_it_ends() -> None:
    port = free_port()
    with Program(python(UNTIL_SIGNAL, port), both(port)) as program:
        assert listening(program.pid) == both(port)
        socket.create_connection(("127.0.0.1", port)).close()
        assert program.cpu_seconds() > 0
        # Both sockets, and the three that every program has.
        assert program.descriptors() == 5
    assert program.status == -signal.SIGTERM
    assert program.output() == "up\n"


def test_what_it_says_is_kept() -> None:
    port = free_port()
    code = f"import sys; sys.stderr.write('note, ')\n{LISTEN}\nsys.stdin.read(); signal.pause()"
    with Program(python(code, port), both(port)) as program:
        assert program.output() == "note, up\n"
    assert program.output() == "note, up\n"


def test_one_that_ends_before_it_listens() -> None:
    command = python("import sys; sys.exit('no licence')")
    with pytest.raises(ProgramError, match=r"ended with status 1; it said:\nno licence"):
        Program(command, both(free_port())).__enter__()


def test_one_that_listens_elsewhere() -> None:
    port, other = free_port(), free_port()
    program = Program(python(UNTIL_SIGNAL, port), both(other), patience=0.5)
    with pytest.raises(ProgramError, match=rf"does not listen on .*{other}"):
        program.__enter__()
    assert program.status == -signal.SIGKILL


def test_another_program_s_sockets_are_not_taken_for_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        sleeper = Program(python("import signal; signal.pause()"), [("tcp", port)], patience=0.5)
        with pytest.raises(ProgramError, match="does not listen"):
            sleeper.__enter__()


def test_one_that_does_not_end() -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + UNTIL_SIGNAL
    port = free_port()
    with Program(python(code, port), both(port)) as program:
        with pytest.raises(ProgramError, match=r"still ran 0\.2 s after SIGTERM"):
            program.end(patience=0.2)
        assert program.status == -signal.SIGKILL


def test_a_program_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="apt install shadowsocks-libev"):
        find_program("ss-server")
    with pytest.raises(ProgramError, match="nothing-like-it is not installed"):
        Program(["nothing-like-it"])


def test_a_version() -> None:
    done = subprocess.run([sys.executable, "--version"], capture_output=True, text=True)
    assert program_version(sys.executable) == done.stdout.strip()


def test_a_port_is_free_and_given_out_once() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_is_taken_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = free_port(), free_port()
    monkeypatch.setattr(programs, "_given", set())
    offers = [taken, free]
    monkeypatch.setattr("random.choice", lambda _: offers.pop(0))
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", taken))
        assert free_port() == free
