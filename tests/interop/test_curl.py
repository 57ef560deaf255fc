"""What people do with curl, through each pair of hops that takes SOCKS5."""

import hashlib
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.curl import curl, download
from annotated_shadowsocks.testing.hops import PATHS, Hops, Tunnel
from annotated_shadowsocks.testing.loops import LOOPS
from annotated_shadowsocks.testing.origin import Origin

pytestmark = pytest.mark.interop

METHOD = "chacha20-ietf-poly1305"
SOCKS_PATHS = [path for path in PATHS if path[0] != "ss-tunnel"]


@pytest.fixture(params=LOOPS)
def hops(request: pytest.FixtureRequest, hops_by_loop: dict[str, Hops]) -> Hops:
    return hops_by_loop[request.param]


@pytest.fixture(params=SOCKS_PATHS, ids="-".join)
def tunnel(request: pytest.FixtureRequest, hops: Hops, origin: Origin) -> Tunnel:
    return hops.tunnel(request.param, METHOD, Endpoint("origin.test", origin.port))


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("socks5", "127.0.0.1"),
        ("socks5", "[::1]"),
        ("socks5", "localhost"),
        ("socks5h", "127.0.0.1"),
        ("socks5h", "origin.test"),
        ("socks5h", "six.origin.test"),
    ],
)
def test_a_proxy_url(tunnel: Tunnel, origin: Origin, scheme: str, host: str) -> None:
    url = f"http://{host}:{origin.port}/octets/1000/{tunnel.client.endpoint.port}-{scheme}-{host}"
    got = download(["--proxy", f"{scheme}://{tunnel.client.endpoint}", url])
    assert got == (1000, origin.digest(url.partition(str(origin.port))[2]))


def test_the_option_that_resolves_names_here(tunnel: Tunnel, origin: Origin) -> None:
    url = f"http://localhost:{origin.port}/octets/1000/{tunnel.client.endpoint.port}-here"
    assert download(["--socks5", str(tunnel.client.endpoint), url])[0] == 1000


def test_a_body_that_waits_for_100_continue(tunnel: Tunnel, origin: Origin) -> None:
    body = os.urandom(2_000_001)
    arguments = tunnel.curl(Endpoint("origin.test", origin.port), "/")
    done = curl("-v", "-H", "Expect: 100-continue", "--data-binary", "@-", *arguments, body=body)
    assert done.stdout.decode() == hashlib.sha256(body).hexdigest()
    assert b"HTTP/1.1 100 Continue" in done.stderr


@pytest.mark.parametrize("framing", ["chunked", "closed"])
def test_a_body_without_a_length(tunnel: Tunnel, origin: Origin, framing: str) -> None:
    path = f"/{framing}/3000001/{tunnel.client.endpoint.port}"
    got = download(tunnel.curl(Endpoint("origin.test", origin.port), path))
    assert got == (3_000_001, origin.digest(path))


def test_several_requests_on_one_connection(tunnel: Tunnel, origin: Origin) -> None:
    at = Endpoint("origin.test", origin.port)
    names = [f"{tunnel.client.endpoint.port}-kept-{number}" for number in range(5)]
    urls = [f"http://{at}/octets/70000/{name}" for name in names]
    sinks = ["--output", "/dev/null"] * len(urls)
    counts = ["--write-out", "%{num_connects} %{size_download}\n"]
    done = curl("--socks5-hostname", str(tunnel.client.endpoint), *counts, *sinks, *urls)
    assert done.stdout.split(b"\n") == [b"1 70000", *[b"0 70000"] * 4, b""]


def test_fifty_at_once(tunnel: Tunnel, origin: Origin) -> None:
    at = Endpoint("origin.test", origin.port)
    paths = [f"/octets/100000/{tunnel.client.endpoint.port}-crowd-{n}" for n in range(50)]
    with ThreadPoolExecutor(len(paths)) as threads:
        got = list(threads.map(lambda path: download(tunnel.curl(at, path)), paths))
    assert got == [(100_000, origin.digest(path)) for path in paths]


def test_a_server_that_speaks_first(tunnel: Tunnel, origin: Origin) -> None:
    at = Endpoint("origin.test", origin.serve(say_hello))
    done = curl(
        "--socks5-hostname", str(tunnel.client.endpoint), f"telnet://{at}", body=b"QUIT\r\n"
    )
    assert done.stdout == b"220 ready\r\n221 you said QUIT\r\n"


def say_hello(sock: socket.socket) -> None:
    """Begin as mail servers do: greet, and wait for a line."""
    sock.sendall(b"220 ready\r\n")
    with sock.makefile("rb") as lines:
        sock.sendall(b"221 you said " + lines.readline())
