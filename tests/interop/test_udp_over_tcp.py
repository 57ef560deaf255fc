"""Datagrams in a stream, as sing-box and Xray send them, where a server takes no others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.origin import Origin
from peers import ours
from peers.catalogue import PEERS
from peers.checks import by_udp, in_order
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

pytestmark = pytest.mark.interop

#: One of each generation.
METHODS = sorted({"aes-128-gcm", "2022-blake3-aes-256-gcm"} & ours.CLIENT.methods)


def cases() -> Iterator[tuple[str, str, str]]:
    """Method, client and server."""
    for method in METHODS:
        yield method, "ours", "sing-box"
        yield method, "ours", "xray-core"
        yield method, "sing-box", "ours"
        # The client of Xray has it in AEAD-2022 alone, and sends datagrams otherwise.
        if method.startswith("2022"):
            yield method, "xray-core", "ours"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("case", list(cases()), ids=" ".join)
def test_datagrams_that_are_not_sent_as_such(
    case: tuple[str, str, str],
    version: int,
    tmp_path: Path,
    origin: Origin,
    record_property: Callable[[str, object], None],
) -> None:
    method, *ends = case
    what = f"{method}: UDP over TCP version {version}, {' -> '.join(ends)}"
    record_property("with a peer", what)
    client, server = (PEERS.get(end) for end in ends)
    link = Link(method, new_key(method), free_endpoint(), udp_over_tcp=version, datagrams=False)
    with Stage(tmp_path) as stage:
        tunnel = stage.tunnel(client, server, link)
        for host in ("127.0.0.1", "::1"):
            by_udp(tunnel, Endpoint(host, origin.port), origin)
        said = tunnel.server.program.output()
    assert in_order(stage), said
