"""Descriptions of peers: what they say fits together, whether or not a peer is installed."""

import re
from pathlib import Path

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from peers import ours
from peers.catalogue import PEERS
from peers.model import Link, Peer
from peers.recipes import CargoCrate, GoModule, PythonPackage

TREE = Path(__file__).parents[2]

every_peer = pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)


@every_peer
def test_the_version_is_the_one_that_is_pinned(peer: Peer) -> None:
    recipe = peer.recipe
    if isinstance(recipe, GoModule):
        text = (TREE / "peers" / "go" / recipe.name / "go.mod").read_text()
        module = recipe.package.partition("/cmd/")[0].removesuffix("/main")
        pinned = re.findall(rf"^(?:require|\t)\s*{re.escape(module)} v(\S+)", text, re.M)
        assert pinned == [peer.version]
        assert f"tool {recipe.package}\n" in text
    elif isinstance(recipe, CargoCrate):
        assert recipe.version == peer.version
    elif isinstance(recipe, PythonPackage):
        text = (TREE / "peers" / "python" / f"{recipe.name}.txt").read_text()
        assert f"{recipe.name}=={peer.version} " in text


@every_peer
def test_methods_are_called_as_we_call_them(peer: Peer) -> None:
    for side in filter(None, (peer.client, peer.server)):
        assert side.methods and side.methods <= TABLE.keys()
        assert side.udp <= side.methods


@every_peer
def test_a_launch_runs_a_program_of_the_peer_and_keeps_its_files_apart(
    peer: Peer, tmp_path: Path
) -> None:
    local, server = Endpoint("127.0.0.1", 10001), Endpoint("127.0.0.1", 10002)
    for side, at in ((peer.client, local), (peer.server, server)):
        for method in side.methods if side else ():
            assert side
            launch = side.launch(at, Link(method, "secret", server), tmp_path / "own.json")
            assert launch.command[0] in peer.programs
            assert all(file.parent == tmp_path for file in launch.files)
            said = " ".join(launch.command) + "".join(launch.files.values())
            words = ["10002", str(at.port)]
            if TABLE[method].key_size:
                words.append("secret")
            assert all(word in said for word in words)


def test_every_method_that_ours_has_is_tried_with_a_peer() -> None:
    has = [side.methods for peer in PEERS.values() for side in (peer.client, peer.server) if side]
    alone = (ours.CLIENT.methods | ours.SERVER.methods) - frozenset().union(*has)
    assert not alone
