"""Many keys on one port where no header names the key: each peer that can, and ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.origin import Origin
from peers.catalogue import PEERS
from peers.checks import by_tcp, by_udp, in_order
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

pytestmark = pytest.mark.interop

METHODS = ("aes-128-gcm", "chacha20-ietf-poly1305")

#: Those with many keys are tried as servers, these as clients of ours.
SERVERS = ("sing-box", "xray-core")
CLIENTS = ("shadowsocks-libev", "go-shadowsocks2", "sing-box", "shadowsocks-rust")

WAYS = [*(("ours", name) for name in SERVERS), *((name, "ours") for name in CLIENTS)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS, ids=" -> ".join)
def test_each_of_many_keys(
    way: tuple[str, str],
    method: str,
    tmp_path: Path,
    origin: Origin,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("with a peer", f"{method}: four keys on one port, {' -> '.join(way)}")
    client, server = (PEERS.get(name) for name in way)
    keys = {f"user-{number}": new_key(method) for number in range(4)}
    at = free_endpoint()
    target = Endpoint("127.0.0.1", origin.port)
    with Stage(tmp_path) as stage:
        running = stage.server(server, Link(method, "", at, keys=keys))
        for key in keys.values():
            tunnel = stage.join(client, running, Link(method, key, at))
            by_tcp(tunnel, target, origin)
            by_udp(tunnel, target, origin)
    assert in_order(stage)
