"""Groups of listeners."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.reuseport import Group, choose
from annotated_shadowsocks.tcp_model.states import State


def listeners(count: int) -> list[Listener]:
    made = [Listener(n, Endpoint("192.0.2.1", 80), DEFAULT, True) for n in range(count)]
    for one in made:
        one.state = State.LISTEN
    return made


def test_the_high_bits_choose() -> None:
    three = listeners(3)
    words = [0, 0x55555555, 0x55555556, 0xAAAAAAAB, 0xFFFFFFFF]
    # [linux reciprocal_scale] word * 3 / 2^32
    assert [choose(three, word) for word in words] == [three[n] for n in (0, 0, 1, 2, 2)]


def test_only_who_listens_can_be_chosen() -> None:
    two = listeners(2)
    two[0].state = State.CLOSED
    assert choose(two, 0) is two[1]
    two[1].state = State.CLOSED
    assert choose(two, 0) is None
    assert choose([], 0) is None


def test_the_last_takes_the_place_of_who_leaves() -> None:
    first, second, third = listeners(3)
    group = Group([first, second, third])
    group.leave(first)
    assert group.members == [third, second]
    group.leave(second)
    group.leave(third)
    assert group.members == []
