"""Python's HTTP clients with their SOCKS transports, through each pair of hops."""

import asyncio
import hashlib
import os

import httpx
import pytest
import requests

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.hops import PATHS, Hops, Tunnel
from annotated_shadowsocks.testing.origin import Origin, random_octets

pytestmark = pytest.mark.interop

METHOD = "aes-256-gcm"
SIZE = 1_000_001


@pytest.fixture(params=[path for path in PATHS if path[0] != "ss-tunnel"], ids="-".join)
def tunnel(request: pytest.FixtureRequest, hops: Hops, origin: Origin) -> Tunnel:
    return hops.tunnel(request.param, METHOD, Endpoint("origin.test", origin.port))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("scheme", "host"), [("socks5h", "origin.test"), ("socks5", "127.0.0.1"), ("socks5", "[::1]")]
)
def test_requests(tunnel: Tunnel, origin: Origin, scheme: str, host: str) -> None:
    proxy = f"{scheme}://{tunnel.client.endpoint}"
    base = f"http://{host}:{origin.port}"
    name = f"{tunnel.client.endpoint.port}-requests-{len(host)}"
    with requests.Session() as session:
        session.proxies = {"http": proxy, "https": proxy}
        first = session.get(f"{base}/octets/{SIZE}/{name}", timeout=30)
        second = session.get(f"{base}/chunked/{SIZE}/{name}", timeout=30)
        body = os.urandom(SIZE)
        third = session.post(base, data=body, timeout=30)
        # An iterator has no length, so this one goes in chunks.
        fourth = session.post(base, data=random_octets(SIZE), timeout=30)
    assert sha256(first.content) == origin.digest(f"/octets/{SIZE}/{name}")
    assert sha256(second.content) == origin.digest(f"/chunked/{SIZE}/{name}")
    assert third.text == sha256(body)
    assert fourth.status_code == 200
    connections = {each.headers["X-Connection"] for each in (first, second, third, fourth)}
    assert len(connections) == 1


@pytest.mark.parametrize("host", ["origin.test", "127.0.0.1", "[::1]"])
def test_httpx(tunnel: Tunnel, origin: Origin, host: str) -> None:
    base = f"http://{host}:{origin.port}"
    path = f"/octets/{SIZE}/{tunnel.client.endpoint.port}-httpx-{len(host)}"
    with httpx.Client(proxy=f"socks5h://{tunnel.client.endpoint}", timeout=30) as client:
        first = client.get(base + path)
        body = os.urandom(SIZE)
        second = client.post(base, content=body)
    assert sha256(first.content) == origin.digest(path)
    assert second.text == sha256(body)
    assert first.headers["X-Connection"] == second.headers["X-Connection"]


def test_many_at_once_with_httpx(tunnel: Tunnel, origin: Origin) -> None:
    paths = [f"/octets/50000/{tunnel.client.endpoint.port}-async-{n}" for n in range(20)]

    async def fetch_all() -> list[httpx.Response]:
        proxy = f"socks5h://{tunnel.client.endpoint}"
        async with httpx.AsyncClient(proxy=proxy, timeout=30) as client:
            urls = (f"http://origin.test:{origin.port}{path}" for path in paths)
            return await asyncio.gather(*(client.get(url) for url in urls))

    responses = asyncio.run(fetch_all())
    assert [sha256(r.content) for r in responses] == [origin.digest(path) for path in paths]
