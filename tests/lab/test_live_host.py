"""A live kernel of one's own: pinned settings, exact calls, counters from zero."""

import ipaddress
import socket
import subprocess

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.kernel.sysctl import sysctls
from annotated_shadowsocks.lab.live_host import LiveHost, cookie_of, listen, tcp_info
from annotated_shadowsocks.tcp_model import packet
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.segment import ACK, RST, SYN, Segment

PEER = {False: "10.9.0.3", True: "fd09::3"}
HOST = {False: "10.9.0.1", True: "fd09::1"}


@pytest.mark.root
def test_it_has_the_settings_of_the_model() -> None:
    defaults = DEFAULT.sysctl()
    with LiveHost(HOST[False], ipv6=False) as host:
        found = host.inside(sysctls)
        for name, value in found._asdict().items():
            if name in DEFAULT.knobs:
                assert value == getattr(defaults, name), name


@pytest.mark.root
@pytest.mark.parametrize("ipv6", [False, True])
def test_a_segment_in_and_the_answer_out(ipv6: bool) -> None:
    with LiveHost(HOST[ipv6], ipv6) as host:
        syn = Segment(Endpoint(PEER[ipv6], 9), Endpoint(HOST[ipv6], 5000), SYN, 7)
        at = host.receive(packet.encode(syn))
        answer = host.sent()
        assert answer is not None
        assert answer.at >= at - 1_000_000
        segment = packet.decode(answer.octets)
        assert isinstance(segment, Segment)
        assert (segment.flags, segment.ack) == (RST | ACK, 8)
        assert host.counter("OutRsts") == 1
        assert host.counters()["OutRsts"] == 1


@pytest.mark.root
def test_listen_takes_any_argument_and_the_kernel_shows_the_limit() -> None:
    with LiveHost(HOST[False], ipv6=False) as host:
        sock = host.open_socket()
        host.bind(sock, Endpoint(HOST[False], 5000))
        listen(sock, -1)
        assert tcp_info(sock) == (10, 0, 4096)
        assert cookie_of(sock)
        sock.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            listen(sock, 1)


@pytest.mark.root
def test_settings_and_counters_that_there_are_not() -> None:
    with LiveHost(HOST[False], ipv6=False) as host:
        host.set_sysctl("tcp_syncookies", 2)
        with pytest.raises(ConfigError, match="sysctl rst_on_sock_fail: no script can set that"):
            host.set_sysctl("rst_on_sock_fail", 1)
        with pytest.raises(ConfigError, match=r"300 is refused: .*; write 0 to 255"):
            host.set_sysctl("tcp_syncookies", 300)
        with pytest.raises(ConfigError, match="counter NoSuch: this kernel has none"):
            host.counter("NoSuch")


@pytest.mark.root
def test_nothing_is_left_of_it() -> None:
    with LiveHost(HOST[False], ipv6=False) as host:
        sock = host.open_socket()
    assert sock.fileno() == -1
    host.close()
    assert ipaddress.ip_address(host.address)
    assert socket.if_nameindex()


@pytest.mark.root
@pytest.mark.interop
def test_ss_and_nstat_say_the_same() -> None:
    with LiveHost(HOST[False], ipv6=False) as host:
        sock = host.open_socket()
        host.bind(sock, Endpoint(HOST[False], 5000))
        listen(sock, 0)
        peers = [Endpoint(PEER[False], port) for port in (9, 10, 11)]
        for peer in peers:
            host.receive(packet.encode(Segment(peer, Endpoint(HOST[False], 5000), SYN, 7)))
        answer = host.sent()
        assert answer is not None
        syn_ack = packet.decode(answer.octets)
        assert isinstance(syn_ack, Segment)
        final = Segment(peers[0], syn_ack.src, ACK, 8, syn_ack.seq + 1 & 0xFFFF_FFFF)
        host.receive(packet.encode(final))

        def told(*words: str) -> list[list[str]]:
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            return [line.split() for line in done.stdout.splitlines()]

        (row,) = host.inside(lambda: told("ss", "-ltnH"))
        assert tuple(map(int, row[1:3])) == tcp_info(sock)[1:] == (1, 0)
        rows = host.inside(lambda: told("nstat", "-asz"))[1:]
        theirs = {row[0].removeprefix("TcpExt").removeprefix("Tcp"): int(row[1]) for row in rows}
        for name, number in host.counters().items():
            if name != "CurrEstab":
                assert theirs[name] == number, name
