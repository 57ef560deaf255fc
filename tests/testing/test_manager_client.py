import socket
from pathlib import Path

from annotated_shadowsocks.testing.manager_client import ManagerClient


def test_a_client_on_loopback_is_answered() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as manager:
        manager.bind(("127.0.0.1", 0))
        with ManagerClient(manager.getsockname()) as client:
            client.tell(b"ping")
            asked, place = manager.recvfrom(100)
            manager.sendto(b"pong", place)
            assert (asked, client.ask(b"list")) == (b"ping", b"pong")
            assert manager.recv(100) == b"list"


def test_a_client_of_a_file_is_answered(tmp_path: Path) -> None:
    path = str(tmp_path / "manager")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        with ManagerClient(path) as client:
            client.tell(b"ping")
            _, place = manager.recvfrom(100)
            manager.sendto(b"pong", place)
            assert client.ask(b"list") == b"pong"
