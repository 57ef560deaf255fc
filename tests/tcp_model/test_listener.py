"""What a listener counts, and what it can say about itself."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT, find
from annotated_shadowsocks.tcp_model.sysctl import Sysctl
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def test_both_limits_are_what_linux_shows() -> None:
    laboratory = Laboratory(3)
    assert laboratory.accept_queue == "0/3"
    assert laboratory.syn_queue == "0/3"


def test_a_single_queue_has_one_limit_for_both() -> None:
    laboratory = Laboratory(4, "bsd44")
    assert laboratory.listener.syn_queue.limit == 6
    assert laboratory.listener.accept_queue.limit == 4


def test_young_requests_grow_old() -> None:
    laboratory = Laboratory(5)
    queue = laboratory.listener.syn_queue
    laboratory.peer().syn()
    laboratory.at(0.5)
    laboratory.peer().syn()
    assert (queue.depth, queue.young) == (2, 2)
    laboratory.at(1.2)
    assert (queue.depth, queue.young) == (2, 1)


def test_capacities_follow_the_settings() -> None:
    listener = Listener(1, Endpoint("192.0.2.1", 80), DEFAULT, reuse_port=False)
    listener.accept_queue.limit = listener.first_limit = 9
    listener.resize(Sysctl(tcp_max_syn_backlog=8))
    assert [capacity for _, capacity, _ in listener.syn_capacities] == [10, 10, 7]
    assert listener.ack_capacity == 10


def test_some_systems_never_refuse_an_ack() -> None:
    listener = Listener(1, Endpoint("192.0.2.1", 80), find("bsd44"), reuse_port=False)
    listener.resize(Sysctl())
    assert listener.refuses_ack() is None


def test_repr_tells_both_queues() -> None:
    laboratory = Laboratory(1)
    laboratory.peer().syn()
    expected = "<Listener 1 10.9.0.1:5000 LISTEN accept_queue 0/1 syn_queue 1/1>"
    assert repr(laboratory.listener) == expected
