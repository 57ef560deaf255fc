"""The Fast Open queue of a live listener: its limit, and who is in it before the ACK."""

import ipaddress
import select
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.kernel.tun import Tun
from annotated_shadowsocks.tcp_model import packet
from annotated_shadowsocks.tcp_model.segment import ACK, SYN, Segment
from annotated_shadowsocks.telemetry.figures import Figures
from annotated_shadowsocks.telemetry.queue_probe import QueueProbe
from annotated_shadowsocks.testing.namespaces import set_sysctl
from annotated_shadowsocks.testing.queues import until

SERVER, CLIENT = "10.9.0.1", "10.9.0.2"

#: Servers take it, and take data in a SYN without a cookie.
_SERVER_WITHOUT_COOKIE = 0x2 | 0x200


@pytest.mark.root
def test_who_is_let_in_before_the_ack_is_counted() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        set_sysctl("net.ipv4.tcp_fastopen", _SERVER_WITHOUT_COOKIE)
        tun.configure(ipaddress.ip_interface(f"{SERVER}/24"))
        with socket.socket() as listener:
            listener.bind((SERVER, 0))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
            listener.listen(16)
            at = Endpoint(*listener.getsockname())
            probe = QueueProbe()
            probe.watch([(listener, None)], 16)

            def depth() -> float:
                probe.look(0.0)
                figures = Figures()
                probe.figures(figures)
                assert figures.get("listener_fast_open_limit", str(at), "all") == 5
                return figures.get("listener_fast_open_depth", str(at))

            assert depth() == 0
            # A SYN without data makes a half-open request, which is in the other queue.
            tun.write(packet.encode(Segment(Endpoint(CLIENT, 1000), at, SYN, 1, 0)))
            for port in (1001, 1002):
                opening = Segment(Endpoint(CLIENT, port), at, SYN, 1, 0, payload=b"data")
                tun.write(packet.encode(opening))
            until(lambda: depth() == 2)
            answers: dict[int, Segment] = {}

            def answered() -> bool:
                select.select([tun], [], [], 1)
                octets = tun.read()
                segment = packet.decode(octets) if octets is not None else None
                if isinstance(segment, Segment):
                    answers[segment.dst.port] = segment
                return 1001 in answers

            until(answered)
            # The handshake that is complete is in the accept queue alone.
            synack = answers[1001]
            ack = Segment(Endpoint(CLIENT, 1001), at, ACK, 6, synack.seq + 1)
            tun.write(packet.encode(ack))
            until(lambda: depth() == 1)
            probe.close()
