"""Virtual time, and wires."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.effects import SendSegment
from annotated_shadowsocks.tcp_model.host import Host
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND, Instant
from annotated_shadowsocks.tcp_model.network import Network, delayed
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.segment import SYN, Segment
from annotated_shadowsocks.tcp_model.states import State

CLIENT, SERVER = Endpoint("192.0.2.7", 1234), Endpoint("192.0.2.1", 80)


def network() -> Network:
    server = Host(DEFAULT)
    made = Network({SERVER.host: server, CLIENT.host: Host(DEFAULT)})
    made.note(SERVER.host, server.listen(server.bind(SERVER), 5, 0))
    return made


def test_a_round_trip_takes_its_time() -> None:
    made = network()
    made.wire = delayed(30 * MILLISECOND)
    client = made.hosts[CLIENT.host]
    connection, effects = client.connect(CLIENT, SERVER, made.now)
    made.note(CLIENT.host, effects)
    made.run_until(59 * MILLISECOND)
    assert connection.state is State.SYN_SENT
    made.run_until(60 * MILLISECOND)
    assert client.state_of(connection.flow) is State.ESTABLISHED
    assert connection.srtt == 60 * MILLISECOND


def test_a_wire_may_lose_and_reorder() -> None:
    made = network()
    sent: list[Segment] = []

    def wire(segment: Segment, now: Instant) -> Instant | None:
        sent.append(segment)
        return None if len(sent) == 1 else now + (4 - len(sent)) * MILLISECOND

    made.wire = wire
    client = made.hosts[CLIENT.host]
    connection, effects = client.connect(CLIENT, SERVER, made.now)
    made.note(CLIENT.host, effects)
    made.run()
    # [RFC6298 §2.1] the second SYN, after a second
    assert client.state_of(connection.flow) is State.ESTABLISHED
    assert [one.flags & SYN for one in sent] == [SYN, SYN, SYN, 0]
    assert made.now >= SECOND


def test_segments_come_before_timers_of_the_same_time() -> None:
    made = network()
    made.wire = delayed(SECOND)
    client = made.hosts[CLIENT.host]
    _, effects = client.connect(CLIENT, SERVER, made.now)
    made.note(CLIENT.host, effects)
    made.run_until(SECOND)
    order = [moment.host for moment in made.trace if isinstance(moment.effect, SendSegment)]
    # The server's SYN/ACK, and only then the client's second SYN
    assert order == [CLIENT.host, SERVER.host, CLIENT.host]


def test_segments_for_nobody_vanish() -> None:
    made = network()
    made.send(Segment(CLIENT, Endpoint("203.0.113.9", 9), SYN, 0))
    made.run()
    assert made.now == 0


def test_time_passes_when_nothing_happens() -> None:
    made = network()
    made.run_until(5 * SECOND)
    assert made.now == 5 * SECOND
    made.send_at(Segment(CLIENT, SERVER, SYN, 0), 0)
    made.settle()
    assert made.trace[-1].at == 5 * SECOND
