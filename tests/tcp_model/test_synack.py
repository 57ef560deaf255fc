"""SYN/ACKs and their timer, beyond what the predictions show."""

from annotated_shadowsocks.tcp_model.effects import ArmTimer, Removal, RemoveRequest, TimerKind
from annotated_shadowsocks.tcp_model.host import SocketOption
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.segment import FastOpenCookie, Timestamps
from annotated_shadowsocks.tcp_model.synack import advertised_mss
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def test_every_interval_is_announced() -> None:
    laboratory = Laboratory(settings={"tcp_synack_retries": 2})
    laboratory.peer().syn()
    laboratory.network.run()
    armed = [
        (at, effect.at)
        for at, _, effect in laboratory.network.trace
        if isinstance(effect, ArmTimer) and effect.kind is TimerKind.SYN_ACK
    ]
    assert armed == [(0, SECOND), (SECOND, 3 * SECOND), (3 * SECOND, 7 * SECOND)]


def test_intervals_stop_growing_at_two_minutes() -> None:
    laboratory = Laboratory(settings={"tcp_synack_retries": 9})
    peer = laboratory.peer()
    peer.syn()
    laboratory.network.run()
    times = [int(line.split()[0]) for line in peer.heard]
    assert times == [0, 1, 3, 7, 15, 31, 63, 127, 247, 367]


def test_the_reason_of_an_expiry_counts() -> None:
    laboratory = Laboratory(settings={"tcp_synack_retries": 1})
    laboratory.peer().syn()
    laboratory.network.run()
    ended = [e for _, _, e in laboratory.network.trace if isinstance(e, RemoveRequest)]
    assert [(e.cause, e.reason) for e in ended] == [
        (Removal.EXPIRED, "no answer to 2 SYN/ACKs in 3 s")
    ]


def test_repeated_timestamps_are_all_good_answers() -> None:
    laboratory = Laboratory()
    peer = laboratory.peer(options=(Timestamps(7, 0),))
    peer.syn()
    laboratory.at(1)
    request = laboratory.server.requests[peer.flow]
    assert (request.first_tsval, request.last_tsval) != (None, None)
    assert request.last_tsval == ((request.first_tsval or 0) + 1000) % 2**32


def test_a_fast_open_cookie_is_in_the_first_syn_ack_alone() -> None:
    laboratory = Laboratory(settings={"tcp_fastopen": 3}, options={SocketOption.TCP_FASTOPEN: 1})
    peer = laboratory.peer(options=(FastOpenCookie(b""),))
    peer.syn()
    assert any(isinstance(option, FastOpenCookie) for option in peer.last.options)
    laboratory.at(1)
    assert not any(isinstance(option, FastOpenCookie) for option in peer.last.options)


def test_the_size_of_a_segment_depends_on_the_network_header() -> None:
    peer = Laboratory().peer()
    assert advertised_mss(peer.flow) == 1460
    ipv6 = peer.flow._replace(local=peer.flow.local._replace(host="2001:db8::1"))
    assert advertised_mss(ipv6) == 1440
