"""The hops that are ours; tests/interop starts the others."""

from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.hops import METHODS, OURS, Hops, Tunnel
from annotated_shadowsocks.testing.origin import Origin

NO_NAME_SERVER = Endpoint("127.0.0.1", 1)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture(scope="module")
def hops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hops]:
    with Hops(tmp_path_factory.mktemp("hops"), NO_NAME_SERVER) as running:
        yield running
    assert [hop.program.status for hop in running.ours] == [0, 0]


@pytest.fixture
def tunnel(hops: Hops, origin: Origin) -> Tunnel:
    return hops.tunnel(OURS, METHODS[0], Endpoint("127.0.0.1", origin.port))


def test_a_connection(tunnel: Tunnel, origin: Origin) -> None:
    target = Endpoint("127.0.0.1", origin.serve(lambda sock: sock.sendall(sock.recv(100))))
    with tunnel.connect(target) as sock:
        sock.sendall(b"through both")
        assert sock.recv(100) == b"through both"


def test_datagrams(tunnel: Tunnel, origin: Origin) -> None:
    with tunnel.datagrams() as client:
        for data in (b"one", b"two"):
            client.send(Endpoint("127.0.0.1", origin.port), data)
            assert client.receive() == data


def test_the_same_hop_is_started_once(hops: Hops, tunnel: Tunnel) -> None:
    again = hops.tunnel(OURS, METHODS[0], Endpoint("192.0.2.1", 80))
    assert (again.client, again.server) == (tunnel.client, tunnel.server)


def test_arguments_for_curl(tunnel: Tunnel) -> None:
    target = Endpoint("2001:db8::1", 80)
    socks = tunnel.curl(target, "/page")
    assert socks == [
        "--socks5-hostname",
        str(tunnel.client.endpoint),
        "http://[2001:db8::1]:80/page",
    ]
    direct = Tunnel(tunnel.client, tunnel.server, target).curl(target, "/page")
    assert direct[-1] == f"http://{tunnel.client.endpoint}/page"
