"""The kernel's own times of what it sent."""

import ipaddress
import socket
import time

import pytest

from annotated_shadowsocks.kernel.capture import Capture
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.kernel.tun import Tun
from annotated_shadowsocks.testing.queues import until

ADDRESS = ipaddress.ip_interface("10.9.0.1/24")


def send(sock: socket.socket, octets: bytes) -> None:
    sock.sendto(octets, ("10.9.0.2", 9))


def wait_for(tun: Tun) -> bytes:
    packets: list[bytes] = []

    def came() -> bool:
        packet = tun.read()
        packets.extend([packet] if packet else [])
        return bool(packets)

    until(came)
    return packets[0]


@pytest.mark.root
def test_a_packet_has_the_time_of_its_sending_and_not_of_its_reading() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        tun.configure(ADDRESS)
        with Capture(tun.name) as capture, socket.socket(type=socket.SOCK_DGRAM) as sock:
            earliest = time.monotonic_ns()
            send(sock, b"first")
            between = time.monotonic_ns()
            send(sock, b"second")
            # Stamps are of the wall clock, which the two readings of it are not made at once with.
            slack = 1_000_000
            time.sleep(0.05)
            first, second = wait_for(tun), wait_for(tun)
            assert earliest - slack <= capture.sent_at(first) <= between + slack
            assert between - slack <= capture.sent_at(second) <= time.monotonic_ns() - 40_000_000


@pytest.mark.root
def test_what_was_never_seen_is_of_now_and_what_was_lost_is_passed_over() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        tun.configure(ADDRESS)
        with Capture(tun.name) as capture, socket.socket(type=socket.SOCK_DGRAM) as sock:
            before = time.monotonic_ns()
            assert before <= capture.sent_at(b"nothing") <= time.monotonic_ns()
            send(sock, b"lost")
            send(sock, b"read")
            wait_for(tun)
            assert capture.sent_at(wait_for(tun)) < time.monotonic_ns()


@pytest.mark.root
def test_what_arrives_is_no_packet_of_the_kernel() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        tun.configure(ADDRESS)
        with Capture(tun.name) as capture, socket.socket(type=socket.SOCK_DGRAM) as sock:
            send(sock, b"out")
            packet = wait_for(tun)
            tun.write(packet)
            then = capture.sent_at(packet)
            assert capture.sent_at(packet) > then


@pytest.mark.root
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such device"):
        Capture("none0")
