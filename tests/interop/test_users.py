"""sslocal for users only: curl and PySocks, with the right password and without."""

import json
import os
import socket
from pathlib import Path

import pytest
import socks  # type: ignore[import-untyped]

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.curl import curl, download
from annotated_shadowsocks.testing.hops import PATIENCE, Hops, Tunnel
from annotated_shadowsocks.testing.origin import Origin

pytestmark = pytest.mark.interop

METHOD = "aes-192-gcm"
NAME, PASSWORD = "reader", "corr€ct horse"
WRONG = [("reader", "wrong"), ("writer", PASSWORD), ("reader", ""), None]

#: CURLE_PROXY: the proxy did not let it through.
REFUSED_BY_PROXY = 97


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of users, readable by its owner alone."""
    file = tmp_path_factory.mktemp("users") / "users.json"
    file.touch(0o600)
    listed = [{"user_name": NAME, "password": PASSWORD}]
    file.write_text(json.dumps({"password": {"users": listed}}))
    return file


@pytest.fixture
def tunnel(hops: Hops, users: Path) -> Tunnel:
    server = hops.server("ssserver", METHOD)
    return Tunnel(
        hops.client("sslocal", METHOD, server, socks5_auth_config_path=str(users)), server
    )


def test_curl_with_the_right_password(tunnel: Tunnel, origin: Origin) -> None:
    arguments = tunnel.curl(Endpoint("origin.test", origin.port), "/octets/1000/user")
    got = download(["--proxy-user", f"{NAME}:{PASSWORD}", *arguments])
    assert got == (1000, origin.digest("/octets/1000/user"))


@pytest.mark.parametrize("user", WRONG)
def test_curl_without_it(tunnel: Tunnel, origin: Origin, user: tuple[str, str] | None) -> None:
    arguments = tunnel.curl(Endpoint("origin.test", origin.port), "/octets/1000/refused")
    login = ["--proxy-user", ":".join(user)] if user else []
    done = curl(*login, *arguments)
    assert (done.returncode, done.stdout) == (REFUSED_BY_PROXY, b""), done.stderr


def test_a_udp_association_with_the_right_password(tunnel: Tunnel, origin: Origin) -> None:
    with datagram_socket(tunnel, NAME, PASSWORD) as sock:
        sock.bind(("", 0))
        data = os.urandom(1000)
        sock.sendto(data, ("origin.test", origin.port))
        assert sock.recvfrom(1 << 16)[0] == data


def test_a_udp_association_without_it(tunnel: Tunnel) -> None:
    with (
        datagram_socket(tunnel, NAME, "wrong") as sock,
        pytest.raises(OSError, match="authentication failed"),
    ):
        sock.bind(("", 0))


def datagram_socket(tunnel: Tunnel, name: str, password: str) -> socks.socksocket:
    sock = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.set_proxy(socks.SOCKS5, *tunnel.client.endpoint, True, name, password)
    return sock
