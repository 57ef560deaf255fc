"""What other systems than Linux do when a listener closes."""

import pytest

from annotated_shadowsocks.tcp_model.effects import Dequeue, Move
from annotated_shadowsocks.tcp_model.host import SocketOption
from annotated_shadowsocks.testing.tcp_laboratory import SERVER, Laboratory


@pytest.mark.parametrize(
    ("profile", "heard", "left"),
    [
        ("linux-6.18", [], 1),
        ("bsd44", ["0 R. 1 ack 1"], 0),
        ("netbsd", [], 0),
        ("freebsd-12", [], 1),
    ],
)
def test_half_open_requests(profile: str, heard: list[str], left: int) -> None:
    laboratory = Laboratory(2, profile)
    peer = laboratory.peer()
    peer.syn()
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert peer.heard[1:] == heard
    assert len(laboratory.server.requests) == left
    # Whatever is left of them answers to nobody.
    assert peer.ack() == ["R 1"]
    assert not laboratory.server.requests


def test_deferred_connections_are_reset_too() -> None:
    laboratory = Laboratory(1, "illumos")
    peers = [laboratory.peer(), laboratory.peer()]
    for peer in peers:
        peer.syn()
    for peer in peers:
        peer.ack()
    assert len(laboratory.listener.deferred) == 1
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert [peer.heard[-1] for peer in peers] == ["0 R. 1 ack 1"] * 2
    assert not laboratory.server.connections


def test_an_inheritance_is_told_as_such() -> None:
    laboratory = Laboratory(5, settings={"tcp_migrate_req": 1}, reuse_port=True)
    laboratory.peer().connect()
    sibling = laboratory.server.bind(SERVER, reuse_port=True)
    laboratory.did(laboratory.server.listen(sibling, 0, 0))
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    dequeue, move = [
        effect for _, _, effect in laboratory.network.trace if isinstance(effect, Dequeue | Move)
    ]
    assert isinstance(dequeue, Dequeue)
    assert isinstance(move, Move)
    assert (move.listener, move.target) == (1, 2)
    # [linux inet_csk_reqsk_queue_add] nobody asks whether there is room
    assert sibling.accept_queue.depth == 1


def test_the_last_of_a_group_has_no_heir() -> None:
    laboratory = Laboratory(5, settings={"tcp_migrate_req": 1}, reuse_port=True)
    peer = laboratory.peer()
    peer.connect()
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert peer.heard[-1] == "0 R. 1 ack 1"
    assert laboratory.counted()["TCPMigrateReqFailure"] == 1


def test_a_fast_open_connection_takes_its_place_in_that_queue_along() -> None:
    laboratory = Laboratory(
        5,
        settings={"tcp_migrate_req": 1, "tcp_fastopen": 0x203},
        options={SocketOption.TCP_FASTOPEN: 3},
        reuse_port=True,
    )
    peer = laboratory.peer()
    peer.say("S", 0, payload=b"x")
    sibling = laboratory.server.bind(SERVER, reuse_port=True)
    laboratory.did(laboratory.server.listen(sibling, 5, 0))
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert (laboratory.listener.fast_open.depth, sibling.fast_open.depth) == (0, 1)
    peer.say(".", 2)
    assert sibling.fast_open.depth == 0
