import hashlib
import http.client
import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.testing.origin import Origin, random_octets


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server
    assert not server.errors


def connect(origin: Origin, host: str = "127.0.0.1") -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, origin.port, timeout=30)


@pytest.mark.parametrize("size", [0, 1, 262144, 262145, 1_000_000])
def test_random_octets_are_as_many_as_asked_for(size: int) -> None:
    assert sum(map(len, random_octets(size))) == size


def test_random_octets_do_not_repeat() -> None:
    pieces = [*random_octets(1 << 19), *random_octets(1 << 19)]
    assert len(set(pieces)) == 4


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("framing", ["octets", "chunked", "closed"])
def test_a_body_and_its_digest(origin: Origin, host: str, framing: str) -> None:
    path = f"/{framing}/300000/{host}"
    connection = connect(origin, host)
    connection.request("GET", path)
    body = connection.getresponse().read()
    assert len(body) == 300_000
    assert hashlib.sha256(body).hexdigest() == origin.digest(path)
    connection.close()


def test_a_body_for_the_origin(origin: Origin) -> None:
    connection = connect(origin)
    numbers = set()
    for body in (b"abc", iter([b"a", b"bc"])):
        connection.request("PUT", "/", body)
        response = connection.getresponse()
        numbers.add(response.headers["X-Connection"])
        # FIPS 180-4's example, SHA-256 of "abc"
        assert response.read().startswith(b"ba7816bf8f01cfea414140de5dae2223b00361a3")
    assert len(numbers) == 1
    connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_datagram_comes_back(origin: Origin, host: str) -> None:
    with socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        sock.settimeout(30)
        for data in (b"ping", b"", b"pong"):
            sock.sendto(data, (host, origin.port))
            assert sock.recv(100) == data


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_protocol_of_one_s_own(origin: Origin, host: str) -> None:
    port = origin.serve(lambda sock: sock.sendall(sock.recv(100).upper()))
    with socket.create_connection((host, port), 30) as sock:
        sock.sendall(b"loud")
        assert sock.recv(100) + sock.recv(100) == b"LOUD"


def test_errors_are_kept_unless_the_peer_went_away() -> None:
    def reset(sock: socket.socket) -> None:
        raise ConnectionResetError

    def fail(sock: socket.socket) -> None:
        raise ValueError("of the test's own")

    with Origin() as origin:
        for handler in (reset, fail):
            with socket.create_connection(("127.0.0.1", origin.serve(handler)), 30) as sock:
                assert sock.recv(1) == b""
    assert [str(error) for error in origin.errors] == ["of the test's own"]
