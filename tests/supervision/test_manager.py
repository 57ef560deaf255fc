"""ssmanager: what it answers, what it changes, and that clients get through and out."""

import asyncio
import dataclasses
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from annotated_shadowsocks.config.model import Config, ManagerConfig
from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.supervision.management import Management
from annotated_shadowsocks.supervision.manager import Manager
from annotated_shadowsocks.testing.curl import download
from annotated_shadowsocks.testing.manager_client import ManagerClient
from annotated_shadowsocks.testing.origin import Origin
from annotated_shadowsocks.testing.programs import Program, free_port, listening
from annotated_shadowsocks.testing.queues import until

STRONG, OTHER = "w7Qe2-Lr9Zt4-Xk1Vb8-Ns6Hd3", "h5Tn8-Pw2Yc6-Jm9Rf4-Gx7Bq1"


class Desk:
    """An office that only notes what it is told; ``taken`` ports cannot be opened."""

    def __init__(self, libev: bool = True) -> None:
        method = methods.find("aes-256-gcm")
        manager = ManagerConfig("/manager", method, ("127.0.0.1", "::1"), libev=libev)
        self.config = Config(servers=(), manager=manager)
        self.taken: set[int] = set()
        self.anew: list[set[Endpoint]] = []

    def change(self, config: Config, anew: Collection[Endpoint]) -> None:
        for server in config.servers:
            if server.endpoint.port in self.taken:
                raise ListenError(str(server.endpoint), "Address already in use")
        self.anew.append(set(anew))
        self.config = config

    def octets(self, endpoint: Endpoint) -> int:
        return endpoint.port

    @property
    def ports(self) -> list[int]:
        return sorted({server.endpoint.port for server in self.config.servers})


@pytest.fixture
def asked() -> Iterator[Callable[..., list[bytes]]]:
    """What a manager answers to one datagram, at one desk."""
    loop = asyncio.new_event_loop()
    managers: dict[Desk, Manager] = {}

    def ask(desk: Desk, datagram: bytes, private: bool = True) -> list[bytes]:
        if desk not in managers:
            managers[desk] = Manager(loop, Management([]), desk)
        return managers[desk].answers(datagram, private)

    yield ask
    loop.close()


Asked = Callable[..., list[bytes]]


def add(port: int, password: str = STRONG, **more: object) -> bytes:
    return f"add: {json.dumps({'server_port': port, 'password': password, **more})}".encode()


def remove(port: int) -> bytes:
    return f'remove: {{"server_port":{port}}}'.encode()


def test_a_port_comes_and_goes_on_each_host(asked: Asked) -> None:
    desk = Desk()
    assert asked(desk, add(8001)) == [b"ok"]
    assert [str(one.endpoint) for one in desk.config.servers] == ["127.0.0.1:8001", "[::1]:8001"]
    assert asked(desk, b"ping") == [b'stat: {"8001":16002}']
    assert asked(desk, remove(8001)) == [b"ok"]
    assert asked(desk, b"ping") == [b"stat: {}"]
    assert desk.config.servers == ()
    places = {Endpoint("127.0.0.1", 8001), Endpoint("::1", 8001)}
    assert desk.anew == [places, places]


def test_the_same_again_changes_nothing_and_another_password_does(asked: Asked) -> None:
    desk = Desk()
    for datagram in (add(8001), add(8001), add(8001, OTHER)):
        assert asked(desk, datagram) == [b"ok"]
    assert len(desk.anew) == 2
    assert {one.password.reveal() for one in desk.config.servers} == {OTHER}


def test_a_port_that_is_not_free_leaves_all_as_it_was(asked: Asked) -> None:
    desk = Desk()
    asked(desk, add(8001))
    before = desk.config
    desk.taken = {8002}
    assert asked(desk, add(8002)) == [b"port is not available"]
    assert desk.config is before


@pytest.mark.parametrize(
    "datagram",
    [
        add(8001, method="nonsense"),
        add(8001, method="rc4-md5"),
        add(8001, method="2022-blake3-aes-128-gcm"),
        add(8001, "short"),
        add(0),
        b"add: {",
        b"remove: {}",
    ],
)
def test_what_is_not_obeyed_says_why_in_the_log_and_no_password(
    datagram: bytes, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    assert asked(desk, datagram) == [b"err"]
    assert desk.ports == []
    assert "not obeyed: " in caplog.text
    assert STRONG not in caplog.text


def test_the_other_dialect_says_why(asked: Asked) -> None:
    desk = Desk(libev=False)
    [answer] = asked(desk, add(8001, method="nonsense"))
    assert answer.startswith(b"unknown method 'nonsense'")
    assert asked(desk, add(8001)) == [b"ok\n"]
    assert asked(desk, b"ping") == [b'stat: {"8001":16002}\n']


@pytest.mark.parametrize("datagram", [b"", b"hello", b"stat: {}", b'stat: {"1":2}', b"\xff"])
def test_what_has_no_answer(datagram: bytes, asked: Asked) -> None:
    assert asked(Desk(), datagram) == []


@pytest.mark.parametrize("libev", [True, False])
def test_passwords_are_told_to_the_owner_alone(libev: bool, asked: Asked) -> None:
    desk = Desk(libev)
    users = [{"name": "alice", "password": OTHER}]
    asked(desk, add(8001, users=users))
    [private], [public] = asked(desk, b"list"), asked(desk, b"list", False)
    assert STRONG in private.decode()
    assert STRONG not in public.decode() and OTHER not in public.decode()
    [listed] = json.loads(public)
    assert (int(listed["server_port"]), listed["password"]) == (8001, "******")


def test_a_reload_keeps_what_datagrams_have_added(asked: Asked) -> None:
    desk = Desk()
    loop = asyncio.new_event_loop()
    manager = Manager(loop, Management([]), desk)
    loop.close()
    manager.answers(add(8001), True)
    manager.answers(add(8002), True)
    [named, _] = [one for one in desk.config.servers if one.endpoint.port == 8002]
    file = dataclasses.replace(desk.config, servers=(dataclasses.replace(named, remarks="file"),))
    file = dataclasses.replace(file, manager=None)
    assert manager.joined(file).manager is desk.config.manager
    joined = manager.joined(file).servers
    assert [(one.endpoint.port, one.remarks) for one in joined] == [
        (8002, "file"),
        (8001, ""),
        (8001, ""),
    ]


# --- as a process ---


@contextmanager
def managed(place: str, *flags: str, program: str = "ssmanager") -> Iterator[Program]:
    command = [sys.executable, "-m", "annotated_shadowsocks", program, "--manager-address", place]
    sockets = [] if "/" in place else [("udp", int(place.rpartition(":")[2]))]
    both = "-u" if program == "ss-manager" else "-U"
    command += ["-s", "127.0.0.1", "-m", "aes-256-gcm", both, "--allow-private-targets"]
    with Program([*command, *flags], sockets) as process:
        if not sockets:
            until(lambda: Path(place).is_socket())
        yield process
    assert "internal error" not in process.output()
    assert STRONG not in process.output()


@contextmanager
def sslocal(server: int, port: int, folder: Path) -> Iterator[None]:
    key = folder / "key"
    key.touch(0o600)
    key.write_text(STRONG)
    command = [sys.executable, "-m", "annotated_shadowsocks", "sslocal", "-m", "aes-256-gcm"]
    command += ["-s", f"127.0.0.1:{server}", "-b", f"127.0.0.1:{port}", "--password-file", str(key)]
    with Program(command, [("tcp", port)]):
        yield


def octets(panel: ManagerClient, port: int) -> int:
    found = json.loads(panel.ask(b"ping").removeprefix(b"stat: "))
    return int(found[str(port)])


def test_clients_get_through_and_out_again(tmp_path: Path) -> None:
    manager, port, local, metrics = (free_port() for _ in range(4))
    size = 100_000
    with (
        managed(f"127.0.0.1:{manager}", "--metrics", f"127.0.0.1:{metrics}") as process,
        ManagerClient(("127.0.0.1", manager)) as panel,
        Origin() as origin,
        sslocal(port, local, tmp_path),
    ):
        assert panel.ask(add(port)) == b"ok\n"
        until(lambda: {("tcp", port), ("udp", port)} <= listening(process.pid))
        proxy = ["--proxy", f"socks5h://127.0.0.1:{local}"]
        url = f"http://127.0.0.1:{origin.port}/octets/{size}/x"
        assert download([*proxy, url])[0] == size
        until(lambda: octets(panel, port) > size)
        figures = page(metrics)
        assert f'listener="127.0.0.1:{port}"' in figures
        assert 'program="ssmanager"' in figures
        with socket.create_connection(("127.0.0.1", local)) as client:
            client.settimeout(30)
            # [RFC1928 §3] one method, and then CONNECT 127.0.0.1
            client.sendall(bytes.fromhex("050100 05010001 7f000001") + origin.port.to_bytes(2))
            until(lambda: 'connections_open{state="relay"} 1' in page(metrics))
            assert panel.ask(remove(port)) == b"ok\n"
            # Its connections end, and nobody listens there any more.
            assert ended(client)
        until(lambda: ("tcp", port) not in listening(process.pid))
        assert panel.ask(b"ping") == b"stat: {}\n"
        assert panel.ask(add(port)) == b"ok\n"
        assert octets(panel, port) == 0


def page(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        with sock.makefile("rb") as file:
            return file.read().decode()


def ended(sock: socket.socket) -> bool:
    try:
        while sock.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_file_is_a_place_too_and_signals_are_those_of_ssserver(tmp_path: Path) -> None:
    place, port, other = str(tmp_path / "manager.sock"), free_port(), free_port()
    config = tmp_path / "manager.json"
    settings: dict[str, object] = {"manager_address": place, "server": "127.0.0.1"}
    config.write_text(json.dumps(settings))
    with (
        managed(place, "-c", str(config), program="ssmanager") as process,
        ManagerClient(place) as panel,
    ):
        assert panel.ask(add(port)) == b"ok\n"
        assert json.loads(panel.ask(b"list"))[0]["password"] == STRONG
        config.write_text(json.dumps(settings | {"port_password": {str(other): OTHER}}))
        os.kill(process.pid, signal.SIGHUP)
        until(lambda: {("tcp", port), ("tcp", other)} <= listening(process.pid))
        os.kill(process.pid, signal.SIGUSR2)
        until(lambda: "not handed over" in process.output())
        assert process.end() == 0
    assert not Path(place).exists()


def test_a_port_of_somebody_else_is_said_to_be(tmp_path: Path) -> None:
    manager = free_port()
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        managed(f"127.0.0.1:{manager}", program="ss-manager") as process,
        ManagerClient(("127.0.0.1", manager)) as panel,
    ):
        assert panel.ask(add(taken.getsockname()[1])) == b"port is not available"
        assert panel.ask(b"list") == b"[\n]"
        assert re.search(r"not obeyed: cannot listen on 127\.0\.0\.1:\d+", process.output())
