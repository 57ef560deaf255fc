"""What the tests of packet relays share."""

from collections.abc import Iterator

import pytest

from annotated_shadowsocks.relay.poller import EpollPoller, LoopPoller
from annotated_shadowsocks.testing.loopback import open_descriptors
from annotated_shadowsocks.testing.packet_ground import PacketGround


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[PacketGround]:
    """A relay on either poller, which in the end has left nothing behind."""
    before = open_descriptors()
    made = PacketGround(request.param)
    yield made
    made.relay.close()
    assert len(made.relay) == 0
    assert len(made.poller) == 0
    assert made.loop.timers() == []
    made.close()
    assert open_descriptors() == before
