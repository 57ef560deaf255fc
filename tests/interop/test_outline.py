"""Our client and outline-ss-server, which knows many keys and goes to no private target.

So its targets have addresses that are kept for documentation, in a network namespace of the test.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.namespaces import in_fresh_network
from annotated_shadowsocks.testing.origin import Origin
from annotated_shadowsocks.testing.programs import find_program
from peers import ours
from peers.checks import by_tcp, by_udp, in_order
from peers.model import Link
from peers.outline import OUTLINE
from peers.stage import Stage, free_endpoint, new_key

pytestmark = [pytest.mark.interop, pytest.mark.root]

#: [RFC5737 §3] TEST-NET-2, and [RFC3849 §2] the prefix of the same purpose.
PUBLIC = {"v4": "198.51.100.1", "v6": "2001:db8::1"}

assert OUTLINE.server is not None
METHODS = sorted(ours.CLIENT.methods & OUTLINE.server.methods)


@pytest.mark.parametrize("method", METHODS)
def test_each_of_many_keys(
    method: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("with a peer", f"{method}: four keys on one port of {OUTLINE.name}")
    worked = False
    try:
        in_fresh_network(lambda: each_of_many_keys(method, tmp_path))
        worked = True
    finally:
        for transport in ("TCP", "UDP"):
            for target in PUBLIC:
                cell = ("ours -> peer", method, OUTLINE.name, transport, target, worked)
                record_property("peer", cell)


def each_of_many_keys(method: str, folder: Path) -> None:
    for host in PUBLIC.values():
        command = [find_program("ip"), "address", "add", host, "dev", "lo"]
        subprocess.run([*command, "nodad"] if ":" in host else command, check=True)
    keys = {f"user-{number}": new_key(method) for number in range(4)}
    at = free_endpoint()
    with Origin(*PUBLIC.values()) as origin, Stage(folder) as stage:
        server = stage.server(OUTLINE, Link(method, "", at, keys=keys))
        for key in keys.values():
            tunnel = stage.join(None, server, Link(method, key, at))
            for host in PUBLIC.values():
                by_tcp(tunnel, Endpoint(host, origin.port), origin)
                by_udp(tunnel, Endpoint(host, origin.port), origin)
    assert not origin.errors and in_order(stage)
