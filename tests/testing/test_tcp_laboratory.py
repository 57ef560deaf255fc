"""The laboratory in which the TCP model is tried."""

import pytest

from annotated_shadowsocks.testing.tcp_laboratory import Laboratory, within_timer_wheel


def test_kernel_clients_and_scripted_peers_are_heard_alike() -> None:
    laboratory = Laboratory()
    client, peer = laboratory.connect(), laboratory.peer()
    laboratory.at(0.25)
    peer.connect()
    assert client.heard_and_said == ["0 > S 0", "0 < S. 0 ack 1", "0 > . 1 ack 1"]
    assert peer.heard == ["0.25 S. 0 ack 1"]
    assert laboratory.trace(peer.endpoint) == ["0.25 < S. 0 ack 1"]
    assert laboratory.accept_queue == "2/1"


def test_the_wire_holds_everything_but_syns() -> None:
    laboratory = Laboratory()
    laboratory.hold = 500_000_000
    laboratory.connect()
    assert laboratory.accept_queue == "0/1"
    laboratory.at(0.5)
    assert laboratory.accept_queue == "1/1"


def test_a_cut_wire_carries_nothing() -> None:
    laboratory = Laboratory()
    laboratory.cut = True
    assert laboratory.peer().syn() == []


@pytest.mark.parametrize(
    ("seen", "fits"),
    [
        ([0.0, 1.0, 3.0], True),
        ([0.3, 1.4, 3.6], True),
        ([0.0, 1.13, 3.3], True),
        ([0.0, 1.2, 3.2], False),
        ([0.0, 0.9, 3.0], False),
        ([0.0, 1.0], False),
    ],
)
def test_a_kernel_is_late_and_never_early(seen: list[float], fits: bool) -> None:
    assert within_timer_wheel([0, 1, 3], seen) is fits
