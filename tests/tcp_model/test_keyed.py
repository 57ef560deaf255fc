"""Numbers that a peer cannot guess and a test can repeat."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.instant import MILLISECOND
from annotated_shadowsocks.tcp_model.keyed import Keyed
from annotated_shadowsocks.tcp_model.segment import Flow

FLOW = Flow(Endpoint("192.0.2.1", 80), Endpoint("192.0.2.7", 1234))
OTHER = Flow(Endpoint("192.0.2.1", 80), Endpoint("192.0.2.7", 1235))


def test_the_same_secret_gives_the_same_numbers() -> None:
    assert Keyed(b"a").iss(FLOW, 5) == Keyed(b"a").iss(FLOW, 5)
    assert Keyed(b"a").iss(FLOW, 5) != Keyed(b"b").iss(FLOW, 5)


def test_flows_and_purposes_are_told_apart() -> None:
    keyed = Keyed(b"a")
    words = {keyed.word("a", FLOW), keyed.word("b", FLOW), keyed.word("a", OTHER)}
    words.add(keyed.word("a", FLOW, 1))
    assert len(words) == 4


def test_clocks_run() -> None:
    keyed = Keyed()
    # [linux seq_scale] 64 ns a tick
    assert (keyed.iss(FLOW, 6400) - keyed.iss(FLOW, 0)) % 2**32 == 100
    assert (keyed.tsval(FLOW, 7 * MILLISECOND) - keyed.tsval(FLOW, 0)) % 2**32 == 7
