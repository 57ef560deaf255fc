import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import PolicyRejected
from annotated_shadowsocks.policy.target_filter import TargetFilter

PERMITTED = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2003::1",
    "2620:4f:8000::1",
    "3ffe:ffff::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2606:4700::5efe:808:808",
]

REFUSED = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "shared address space",
    "100.100.100.200": "shared address space",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "cloud platform",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.1": "protocol assignments",
    "192.0.0.9": "protocol assignments",
    "192.0.0.171": "protocol assignments",
    "192.0.0.192": "protocol assignments",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay anycast",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.254": "reserved",
    "255.255.255.255": "limited broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "IPv4-compatible",
    "::8.8.8.8": "IPv4-compatible",
    "::ffff:127.0.0.1": "loopback (127.0.0.1 inside IPv4-mapped)",
    "::ffff:a9fe:a9fe": "link-local (169.254.169.254 inside IPv4-mapped)",
    "::ffff:0:127.0.0.1": "not assigned",
    "64:ff9b::7f00:1": "loopback (127.0.0.1 inside NAT64)",
    "64:ff9b::a9fe:a9fe": "link-local (169.254.169.254 inside NAT64)",
    "64:ff9b:1::808:808": "local NAT64",
    "100::1": "discard-only",
    "100:0:0:1::1": "dummy prefix",
    "200::1": "not assigned",
    "2001::": "this network (0.0.0.0 inside Teredo server)",
    # The client's address is inverted: 80ff:fffe is 127.0.0.1.
    "2001:0:808:808::80ff:fffe": "loopback (127.0.0.1 inside Teredo client)",
    "2001:0:a00:1::f7f7:f7f7": "private (10.0.0.1 inside Teredo server)",
    "2001:1::1": "protocol assignments",
    "2001:2::1": "benchmarking",
    "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHIDv2",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "loopback (127.0.0.1 inside 6to4)",
    "2002:c0a8:101::1": "private (192.168.1.1 inside 6to4)",
    "2606:4700::5efe:10.0.0.1": "private (10.0.0.1 inside ISATAP)",
    "2606:4700::200:5efe:127.0.0.1": "loopback (127.0.0.1 inside ISATAP)",
    "3fff::1": "documentation",
    "4000::1": "not assigned",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd00:ec2::254": "unique local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "2606:4700::1%eth0": "zone of this host",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
}

# Spellings that inet_aton(3) and some resolvers would take for an address, and plain mistakes.
UNREADABLE = [
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "127.0.0.01",
    "[::1]",
    "localhost",
    "",
    "1.2.3.4 ",
]

NOWHERE = ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1"]
NOWHERE_IN_DISGUISE = ["::ffff:0.0.0.0", "64:ff9b::e000:1", "2002:ffff:ffff::1"]


def rule_against(target_filter: TargetFilter, address: str) -> str | None:
    try:
        target_filter.check(address)
    except PolicyRejected as rejected:
        assert rejected.subject == address
        return rejected.rule
    return None


@pytest.mark.parametrize("address", PERMITTED)
def test_public_addresses_are_permitted(address: str) -> None:
    assert rule_against(TargetFilter(), address) is None


@pytest.mark.parametrize(("address", "rule"), REFUSED.items())
def test_special_addresses_are_refused_by_name(address: str, rule: str) -> None:
    assert rule_against(TargetFilter(), address) == rule


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("allow_private", [False, True])
def test_what_is_no_literal_is_refused(text: str, allow_private: bool) -> None:
    assert rule_against(TargetFilter(allow_private), text) == "not an address literal"


@pytest.mark.parametrize("address", sorted({*PERMITTED, *REFUSED} - set(NOWHERE)))
def test_allow_private_admits_what_names_a_host(address: str) -> None:
    rule = rule_against(TargetFilter(allow_private=True), address)
    names_many = rule is not None and rule.startswith(("multicast", "this network"))
    assert rule is None or (names_many and REFUSED[address] == rule)


@pytest.mark.parametrize("address", NOWHERE + NOWHERE_IN_DISGUISE)
def test_allow_private_still_refuses_what_names_no_host(address: str) -> None:
    assert rule_against(TargetFilter(allow_private=True), address) is not None


@pytest.mark.parametrize("address", ["8.8.4.4", "::ffff:8.8.4.4", "64:ff9b::808:404", "2600::7"])
def test_own_addresses_go_with_loopback(address: str) -> None:
    own = frozenset({"8.8.4.4", "2600::7", "fe80::1%eth0"})
    rule = rule_against(TargetFilter(own=own), address)
    assert rule is not None
    assert rule.startswith("own address")
    assert rule_against(TargetFilter(allow_private=True, own=own), address) is None
    assert rule_against(TargetFilter(own=own), "8.8.8.8") is None


def test_verdicts_are_remembered() -> None:
    target_filter = TargetFilter()
    for _ in range(3):
        assert rule_against(target_filter, "10.1.2.3") == "private"
        assert rule_against(target_filter, "8.8.8.8") is None


# The oracle: refused blocks as inclusive ranges, written down a second time, and the encodings by
# slices of the sixteen octets, so that no code is shared with what is tested.
REFUSED_V4 = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
]
ADMITTED_V6 = [
    ("::ffff:0.0.0.0", "::ffff:255.255.255.255"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
REFUSED_V6 = [
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
]


def within(packed: bytes, ranges: list[tuple[str, str]]) -> bool:
    return any(
        ipaddress.ip_address(low).packed <= packed <= ipaddress.ip_address(high).packed
        for low, high in ranges
    )


def oracle_permits(packed: bytes) -> bool:
    if len(packed) == 4:
        return not within(packed, REFUSED_V4)
    if not within(packed, ADMITTED_V6) or within(packed, REFUSED_V6):
        return False
    inner = []
    if packed[:12] in (bytes(10) + b"\xff\xff", bytes.fromhex("0064ff9b") + bytes(8)):
        inner.append(packed[12:])
    if packed[:2] == b"\x20\x02":
        inner.append(packed[2:6])
    if packed[:4] == b"\x20\x01\x00\x00":
        inner += [packed[4:8], bytes(octet ^ 0xFF for octet in packed[12:])]
    if packed[8:12] in (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"):
        inner.append(packed[12:])
    return all(oracle_permits(each) for each in inner)


def v4_octets() -> st.SearchStrategy[bytes]:
    edges = [ipaddress.ip_address(edge).packed for pair in REFUSED_V4 for edge in pair]
    return st.one_of(st.binary(min_size=4, max_size=4), st.sampled_from(edges))


def v6_octets() -> st.SearchStrategy[bytes]:
    prefixes = [
        ipaddress.ip_address(edge).packed[:length]
        for pair in ADMITTED_V6 + REFUSED_V6 + [("2001::", "2002::"), ("64:ff9b:1::", "fec0::")]
        for edge in pair
        for length in (2, 4, 6, 12)
    ]
    isatap = st.sampled_from([b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"])

    def filled(prefix: bytes) -> st.SearchStrategy[bytes]:
        tail = st.binary(min_size=16, max_size=16)
        plain = st.tuples(tail, v4_octets()).map(lambda t: (prefix + t[0])[:12] + t[1])
        early = st.tuples(v4_octets(), tail).map(lambda t: (prefix + t[0] + t[1])[:16])
        middle = st.tuples(tail, isatap, v4_octets())
        return st.one_of(plain, early, middle.map(lambda t: (prefix[:8] + t[0])[:8] + t[1] + t[2]))

    return st.one_of(st.binary(min_size=16, max_size=16), st.sampled_from(prefixes).flatmap(filled))


@given(st.one_of(v4_octets(), v6_octets()))
def test_permits_exactly_what_an_independent_reading_permits(packed: bytes) -> None:
    permitted = rule_against(TargetFilter(), str(ipaddress.ip_address(packed))) is None
    assert permitted == oracle_permits(packed)
