"""Routes: which networks are taken."""

import ipaddress
from pathlib import Path

import pytest

from annotated_shadowsocks.kernel import routes as module
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.kernel.routes import device_of, routes
from annotated_shadowsocks.kernel.tun import Tun

V4 = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
down0\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF\t0\t0\t0
"""
V6 = """\
fd000000000000000000000000000000 40 00 00 00 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00 00 fe80 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000000 00 00 00 00 ffffffff 00000001 00000000 00200200       lo
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "route").write_text(V4, "ascii")
    (tmp_path / "ipv6_route").write_text(V6, "ascii")
    monkeypatch.setattr(module, "SELF_NET", str(tmp_path))


@pytest.mark.usefixtures("files")
def test_what_the_files_say() -> None:
    assert list(routes(4)) == [
        (ipaddress.ip_network("0.0.0.0/0"), "eth0"),
        (ipaddress.ip_network("192.0.2.0/24"), "eth0"),
    ]
    assert list(routes(6)) == [
        (ipaddress.ip_network("fd00::/64"), "eth0"),
        (ipaddress.ip_network("::/0"), "eth0"),
    ]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("network", "device"),
    [
        ("192.0.2.128/25", "eth0"),
        ("192.0.0.0/16", "eth0"),
        ("198.51.100.0/24", None),
        ("10.0.0.0/8", None),
        ("fd00::/96", "eth0"),
        ("fd01::/64", None),
    ],
)
def test_the_default_route_takes_no_network(network: str, device: str | None) -> None:
    assert device_of(ipaddress.ip_network(network)) == device


@pytest.mark.root
def test_the_kernel_says_the_same() -> None:
    with NetworkNamespace() as namespace, namespace.entered(), Tun("taken%d") as tun:
        networks = [ipaddress.ip_network("10.9.0.0/16"), ipaddress.ip_network("fd09::/64")]
        assert [device_of(one) for one in networks] == [None, None]
        tun.configure(ipaddress.ip_interface("10.9.0.1/16"), ipaddress.ip_interface("fd09::1/64"))
        assert [device_of(one) for one in networks] == ["taken0", "taken0"]
