"""Each method, between ours and each peer that has it, in both directions, by TCP and by UDP.

The rows are what we serve and the peers' descriptions say that they have: whoever teaches us a
method adds rows here. outline-ss-server, which refuses private targets, has tests of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.hops import Hop
from annotated_shadowsocks.testing.name_server import NameServer
from annotated_shadowsocks.testing.origin import Origin
from annotated_shadowsocks.testing.programs import ProgramError
from peers import ours
from peers.catalogue import PEERS
from peers.checks import LITTLE, Check, by_tcp, by_udp, in_order
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

pytestmark = pytest.mark.interop

#: Asked of a server that is not ours, and of ours.
TO_PEER, TO_OURS = "ours -> peer", "peer -> ours"

Record = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the table."""

    method: str
    direction: str
    peer: str

    def __str__(self) -> str:
        ends = ["ours", self.peer]
        return f"{self.method}: " + "->".join(ends if self.direction == TO_PEER else ends[::-1])

    def checks(self) -> Iterator[tuple[str, Check]]:
        """What to try, by transport."""
        peer = PEERS[self.peer]
        yield "TCP", partial(by_tcp, size=LITTLE) if self.method in peer.slow else by_tcp
        side = peer.server if self.direction == TO_PEER else peer.client
        if side and self.method in side.udp:
            yield "UDP", by_udp

    def hosts(self) -> dict[str, str]:
        """Where to go, by kind of target.

        No resolver but ours knows ``origin.test``, so whoever asks for it did not go past the
        tunnel. A server that cannot be told whom to ask is asked for a name that all know.
        """
        knows = self.direction == TO_OURS or PEERS[self.peer].resolves
        return {"v4": "127.0.0.1", "v6": "::1", "name": "origin.test" if knows else "localhost"}


def cases() -> Iterator[Case]:
    for method in TABLE:
        for name, peer in PEERS.items():
            for direction, own, side in (
                (TO_PEER, ours.CLIENT, peer.server),
                (TO_OURS, ours.SERVER, peer.client),
            ):
                if side and method in own.methods & side.methods and name != "outline-ss-server":
                    yield Case(method, direction, name)


@pytest.fixture(scope="session")
def our_servers(
    tmp_path_factory: pytest.TempPathFactory, name_server: NameServer
) -> Iterator["OurServers"]:
    with Stage(tmp_path_factory.mktemp("our-servers")) as stage:
        yield OurServers(stage, name_server.endpoint)
    assert in_order(stage)


class OurServers:
    """One for each method; the clients of all peers share it."""

    def __init__(self, stage: Stage, name_server: Endpoint) -> None:
        self._stage = stage
        self._name_server = name_server
        self._running: dict[str, tuple[Hop, Link]] = {}

    def __getitem__(self, method: str) -> tuple[Hop, Link]:
        if method not in self._running:
            link = Link(method, new_key(method), free_endpoint(), self._name_server)
            self._running[method] = self._stage.server(None, link), link
        return self._running[method]


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_both_ways_to_every_kind_of_target(
    case: Case,
    tmp_path: Path,
    our_servers: OurServers,
    name_server: NameServer,
    origin: Origin,
    record_property: Record,
) -> None:
    failures = {}
    with Stage(tmp_path) as stage:
        if case.direction == TO_OURS:
            server, link = our_servers[case.method]
            tunnel = stage.join(PEERS[case.peer], server, link)
        else:
            link = Link(case.method, new_key(case.method), free_endpoint(), name_server.endpoint)
            tunnel = stage.tunnel(None, PEERS[case.peer], link)
        for transport, check in case.checks():
            for target, host in case.hosts().items():
                cell = (case.direction, case.method, case.peer, transport)
                try:
                    check(tunnel, Endpoint(host, origin.port), origin)
                except (AssertionError, OSError, ProgramError) as error:
                    failures[f"{transport} {target}"] = error
                record_property("peer", (*cell, target, f"{transport} {target}" not in failures))
        said = "\n".join(hop.program.output() for hop in (tunnel.client, tunnel.server))
    assert not failures, f"{failures}\n{said}"
    assert in_order(stage)
