"""What the kernel, a name server and the wire say; they are not hostile, but they change."""

import ipaddress
from contextlib import suppress

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ObserveError, RemoteProtocolError
from annotated_shadowsocks.resolver.messages import read_response
from annotated_shadowsocks.resolver.question import Answer, Query
from annotated_shadowsocks.wire import inet_diag, internet, netlink

__all__ = ["TARGETS"]


def netlink_datagram(data: bytes) -> None:
    """Messages, their attributes and errors."""
    with suppress(RemoteProtocolError, ObserveError):
        for message in netlink.messages(data):
            netlink.attributes(message.payload)
            netlink.errno_of(message)


def socket_diagnosis(data: bytes) -> None:
    """A socket as sock_diag tells it, with everything that can be asked of it."""
    with suppress(RemoteProtocolError, ObserveError):
        socket = inet_diag.decode(memoryview(data))
        _ = socket.drops, socket.v6only, socket.congestion, socket.mark, socket.cgroup
        _ = socket.tcp_info


def dns_response(data: bytes) -> None:
    """A response gives addresses, or reasons, or is not heard."""
    query = Query(int.from_bytes(data[:2], "big"), "origin.test", "A", Endpoint("192.0.2.1", 53))
    response = read_response(query, data)
    if isinstance(response, Answer):
        assert all(map(ipaddress.ip_address, response.addresses))


def ip_packet(data: bytes) -> None:
    """A packet and the segment in it, written again as they were understood."""
    with suppress(RemoteProtocolError):
        packet = internet.decode(data)
        assert internet.decode(internet.encode(packet)) == packet


TARGETS = {
    "netlink-datagram": netlink_datagram,
    "socket-diagnosis": socket_diagnosis,
    "dns-response": dns_response,
    "ip-packet": ip_packet,
}
