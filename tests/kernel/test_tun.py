"""A TUN device: packets out, packets in, both families, and what is refused."""

import ipaddress
import select
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel import tun as module
from annotated_shadowsocks.kernel.netns import NamespaceError, NetworkNamespace
from annotated_shadowsocks.kernel.tun import Tun
from annotated_shadowsocks.tcp_model import packet
from annotated_shadowsocks.tcp_model.segment import ACK, RST, SYN, Segment

V4 = ipaddress.ip_interface("10.9.0.1/24")
V6 = ipaddress.ip_interface("fd00:9::1/64")


def next_segment(tun: Tun) -> Segment:
    assert select.select([tun], [], [], 10)[0]
    octets = tun.read()
    assert octets is not None
    segment = packet.decode(octets)
    assert isinstance(segment, Segment)
    return segment


@pytest.mark.root
@pytest.mark.parametrize(("ours", "peer"), [(V4, "10.9.0.2"), (V6, "fd00:9::2")])
def test_a_kernels_syn_comes_out_and_an_rst_goes_in(ours: module.Interface, peer: str) -> None:
    with NetworkNamespace() as namespace:
        with namespace.entered():
            tun = Tun()
            tun.configure(V4, V6)
            client = socket.socket(socket.AF_INET6 if ours.version == 6 else socket.AF_INET)
        with tun, client:
            client.setblocking(False)
            client.connect_ex((peer, 80))
            syn = next_segment(tun)
            assert (syn.src.host, syn.dst, syn.flags) == (str(ours.ip), Endpoint(peer, 80), SYN)
            refusal = Segment(syn.dst, syn.src, RST | ACK, 0, syn.end_seq)
            tun.write(packet.encode(refusal))
            select.select([], [client], [], 10)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111


@pytest.mark.root
def test_nothing_is_on_the_wire_that_nobody_put_there() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        tun.configure(V4, V6)
        # A neighbour solicitation or a report would come when the address does.
        assert tun.read() is None


@pytest.mark.root
def test_names() -> None:
    with NetworkNamespace() as namespace, namespace.entered():
        with Tun("other%d") as tun:
            assert tun.name == "other0"
            assert "other0" in [name for _, name in socket.if_nameindex()]
            with pytest.raises(NamespaceError, match="'other0': a device of that name is in use"):
                Tun("other0")
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
        tun.close()


@pytest.mark.root
def test_a_device_that_is_down_loses_packets() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun() as tun:
        tun.write(packet.encode(Segment(Endpoint("10.9.0.2", 1), Endpoint("10.9.0.1", 2), SYN, 0)))


@pytest.mark.root
def test_addresses_need_a_device_of_this_namespace() -> None:
    with NetworkNamespace() as namespace:
        with namespace.entered():
            tun = Tun("lost%d")
        with tun, pytest.raises(NamespaceError, match="No such device"):
            tun.configure(V4)


def test_a_kernel_without_tun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEVICE", "/no/such/device")
    with pytest.raises(NamespaceError, match="as root: modprobe tun"):
        Tun()


def test_what_is_no_tun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEVICE", "/dev/null")
    with pytest.raises(NamespaceError, match="Inappropriate ioctl"):
        Tun()
