"""SIP023: users on one port, and a server that passes on; ours and the peers' in turn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.origin import Origin
from peers import ours
from peers.catalogue import PEERS
from peers.checks import by_tcp, by_udp, in_order
from peers.methods import AES_2022
from peers.model import Link, Peer
from peers.stage import Stage, free_endpoint, new_key

pytestmark = pytest.mark.interop

WITH_USERS = ("shadowsocks-rust", "sing-box", "xray-core", "shadowsocks-go")
#: Only these pass on.
RELAYS = ("sing-box", "xray-core")

METHODS = sorted(AES_2022 & ours.SERVER.methods)

Record = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Way:
    """Who is the client, who are the servers; ``ours`` or a peer's name."""

    client: str
    servers: tuple[str, ...]

    def __str__(self) -> str:
        return " -> ".join((self.client, *self.servers))


def peer(name: str) -> Peer | None:
    return PEERS.get(name)


def ways() -> Iterator[Way]:
    for name in WITH_USERS:
        yield Way("ours", (name,))
        yield Way(name, ("ours",))


def relayed() -> Iterator[Way]:
    for name in RELAYS:
        yield Way("ours", (name, "ours"))
        yield Way("ours", ("ours", name))
        yield Way(name, ("ours", name))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", list(ways()), ids=str)
def test_two_users_of_one_port(
    way: Way, method: str, tmp_path: Path, origin: Origin, record_property: Record
) -> None:
    record_property("with a peer", f"{method}: users, {way}")
    users = {name: new_key(method) for name in ("anna", "boris")}
    link = Link(method, new_key(method), free_endpoint(), users=users)
    target = Endpoint("127.0.0.1", origin.port)
    with Stage(tmp_path) as stage:
        server = stage.server(peer(way.servers[0]), link)
        for key in users.values():
            own = Link(method, link.password, link.server, further_keys=key)
            tunnel = stage.join(peer(way.client), server, own)
            by_tcp(tunnel, target, origin)
            by_udp(tunnel, target, origin)
    assert in_order(stage)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", list(relayed()), ids=str)
def test_a_server_that_passes_on(
    way: Way, method: str, tmp_path: Path, origin: Origin, record_property: Record
) -> None:
    record_property("with a peer", f"{method}: passed on, {way}")
    user, last_key = new_key(method), new_key(method)
    last = Link(method, last_key, free_endpoint(), users={"anna": user})
    first = Link(
        method, new_key(method), free_endpoint(), destinations={"last": (last_key, last.server)}
    )
    target = Endpoint("127.0.0.1", origin.port)
    with Stage(tmp_path) as stage:
        stage.server(peer(way.servers[1]), last)
        server = stage.server(peer(way.servers[0]), first)
        own = Link(method, first.password, first.server, further_keys=f"{last_key}:{user}")
        tunnel = stage.join(peer(way.client), server, own)
        by_tcp(tunnel, target, origin)
        by_udp(tunnel, target, origin)
    assert in_order(stage)
