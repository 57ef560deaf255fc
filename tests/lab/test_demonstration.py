"""The demonstration, on this kernel: what it says is what happens."""

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.lab import demonstration
from annotated_shadowsocks.lab.demonstration import Moment, demonstrate


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    return list(demonstrate(1))


def test_a_syn_finds_the_queue_full(moments: list[Moment]) -> None:
    found = [one for one in moments if "SYN" in one.scene]
    assert [(one.depth, one.limit) for one in found] == [
        (0, 1),
        (1, 1),
        (2, 1),
        (2, 1),
        (2, 1),
        (2, 1),
        (1, 1),
        (2, 1),
    ]
    assert [one.drops for one in found] == [0, 0, 0, 1, 2, 3, 3, 3]
    # Each refused SYN is an overflow and a drop of the namespace too; others may add to them.
    for one in found:
        assert one.drops is not None
        assert one.counters["ListenOverflows"] >= one.drops
        assert one.counters["ListenDrops"] >= one.drops
    # A second between the SYNs at least, which is the client's timer.
    sent = [one.at for one in found if one.drops]
    assert sent[1] - sent[0] > 0.9 and sent[2] - sent[1] > 0.9


def test_an_ack_finds_the_queue_full(moments: list[Moment]) -> None:
    found = [one for one in moments if "ACK" in one.scene]
    assert [(one.depth, one.half_open) for one in found] == [(0, 1), (2, 1), (2, 1), (2, 1), (2, 0)]
    assert found[2].counters["ListenOverflows"] > found[1].counters["ListenOverflows"]


def test_a_kernel_that_does_nothing_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "_PATIENCE", 0.01)
    monkeypatch.setattr(demonstration._Scene, "_connect", lambda scene: None)
    with pytest.raises(ObserveError, match="has not done it"):
        list(demonstrate(1))
