"""Each method through each pair of hops, to each kind of target, by TCP and by UDP, both ways."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.curl import download, upload
from annotated_shadowsocks.testing.hops import METHODS, PATHS, Hops
from annotated_shadowsocks.testing.origin import Origin, random_octets

pytestmark = pytest.mark.interop

#: No resolver but ours knows the name, so whoever asks for it did not go past the tunnel.
HOSTS = {"v4": "127.0.0.1", "v6": "::1", "name": "origin.test"}

SIZE = 3_000_001
SMALL = (1, 512, 1400)

Path = tuple[str, str]
Record = Callable[[str, object], None]

by_path = pytest.mark.parametrize("path", PATHS, ids="-".join)
by_method = pytest.mark.parametrize("method", METHODS)
by_target = pytest.mark.parametrize("target", HOSTS)


def cell(method: str, path: Path, column: str, text: str = "ok") -> tuple[str, str, str, str]:
    return method, " -> ".join(path), column, text


@by_path
@by_method
@by_target
def test_a_download_and_an_upload_at_once(
    hops: Hops, origin: Origin, record_property: Record, method: str, path: Path, target: str
) -> None:
    record_property("cell", cell(method, path, f"TCP {target}"))
    at = Endpoint(HOSTS[target], origin.port)
    tunnel = hops.tunnel(path, method, at)
    name = f"{method}/{'-'.join(path)}-{target}"
    wanted = f"/octets/{SIZE}/{name.replace('/', '-')}"
    with ThreadPoolExecutor() as threads:
        up = threads.submit(upload, tunnel.curl(at, "/"), random_octets(SIZE))
        size, digest = download(tunnel.curl(at, wanted))
        sent, received = up.result()
    assert (size, digest) == (SIZE, origin.digest(wanted))
    assert sent == received


@by_path
@by_method
@by_target
def test_datagrams_there_and_back(
    hops: Hops, origin: Origin, record_property: Record, method: str, path: Path, target: str
) -> None:
    record_property("cell", cell(method, path, f"UDP {target}"))
    at = Endpoint(HOSTS[target], origin.port)
    with hops.tunnel(path, method, at).datagrams() as client:
        for size in SMALL:
            data = os.urandom(size)
            client.send(at, data)
            assert client.receive() == data


#: The length in an IPv4 header counts its own twenty octets, and the eight of UDP's (RFC 768).
BIGGEST = 65535 - 20 - 8


@by_path
@by_method
def test_the_biggest_datagram(
    hops: Hops, origin: Origin, record_property: Record, method: str, path: Path
) -> None:
    # [SIP004] a salt as long as the key, the address, and a tag of 16 octets
    salt = {"aes-128-gcm": 16, "aes-192-gcm": 24}.get(method, 32)
    biggest = BIGGEST - salt - (1 + 4 + 2) - 16
    record_property("cell", cell(method, path, "biggest datagram", str(biggest)))
    at = Endpoint(HOSTS["v4"], origin.port)
    with hops.tunnel(path, method, at).datagrams() as client:
        data = os.urandom(biggest)
        client.send(at, data)
        assert client.receive() == data
        # One octet more is lost, and neither cut off nor the end of what comes after it.
        client.send(at, os.urandom(biggest + 1))
        client.send(at, b"next")
        assert client.receive() == b"next"


@pytest.mark.parametrize("path", PATHS, ids="-".join)
def test_a_server_that_is_reached_by_ipv6(hops: Hops, origin: Origin, path: Path) -> None:
    at = Endpoint(HOSTS["v4"], origin.port)
    tunnel = hops.tunnel(path, METHODS[0], at, server_host="::1")
    wanted = f"/octets/{SIZE}/{'-'.join(path)}-over-ipv6"
    assert download(tunnel.curl(at, wanted)) == (SIZE, origin.digest(wanted))
    with tunnel.datagrams() as client:
        client.send(at, b"over IPv6")
        assert client.receive() == b"over IPv6"


def test_a_client_s_many_targets(hops: Hops, origin: Origin) -> None:
    # Not through ss-server: its association keeps the address family of its first target.
    for path in (("ss-local", "ssserver"), ("sslocal", "ssserver")):
        targets = [Endpoint(host, origin.port) for host in (*HOSTS.values(), "six.origin.test")]
        with hops.tunnel(path, METHODS[0], targets[0]).datagrams() as client:
            for target in targets * 3:
                client.send(target, bytes(str(target), "ascii"))
                assert client.receive() == bytes(str(target), "ascii")


@by_path
def test_libev_as_it_comes(hops: Hops, origin: Origin, path: Path) -> None:
    """With the MTU that libev assumes where none is configured."""
    at = Endpoint(HOSTS["v4"], origin.port)
    with hops.tunnel(path, METHODS[0], at, mtu=1492).datagrams() as client:
        for size in SMALL:
            data = os.urandom(size)
            client.send(at, data)
            assert client.receive() == data
