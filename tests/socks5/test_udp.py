"""The UDP header: octets by hand from the figure of RFC 1928 section 7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError, Truncated
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.wire import address

# [RFC1928 §7] rsv frag atyp dst_addr dst_port data
FIGURE = [
    ("0000 00 01 c0000207 0035", Endpoint("192.0.2.7", 53)),
    ("0000 00 03 0b 6578616d706c652e636f6d 01bb", Endpoint("example.com", 443)),
    ("0000 00 04 20010db8000000000000000000000001 0035", Endpoint("2001:db8::1", 53)),
]


def decode(datagram: bytes | bytearray | memoryview) -> tuple[Endpoint, bytes]:
    endpoint, payload = udp.decode(datagram)
    return endpoint, bytes(payload)


@pytest.mark.parametrize(("octets", "endpoint"), FIGURE)
@pytest.mark.parametrize("payload", [b"", b"data", b"\x00" * 1400])
def test_figure(octets: str, endpoint: Endpoint, payload: bytes) -> None:
    datagram = bytes.fromhex(octets) + payload
    assert udp.encode(endpoint, payload) == datagram
    assert udp.encode(endpoint, memoryview(payload)) == datagram
    for received in (datagram, bytearray(datagram), memoryview(datagram)):
        assert decode(received) == (endpoint, payload)


@pytest.mark.parametrize(("octets", "endpoint"), FIGURE)
def test_every_prefix_is_truncated(octets: str, endpoint: Endpoint) -> None:
    header = bytes.fromhex(octets)
    for end in range(len(header)):
        with pytest.raises(Truncated):
            udp.decode(header[:end])


def test_the_payload_is_a_view() -> None:
    buffer = bytearray(bytes.fromhex("000000 01 c0000207 0035") + b"data")
    _, payload = udp.decode(buffer)
    buffer[-4:] = b"DATA"
    assert bytes(payload) == b"DATA"


@pytest.mark.parametrize("frag", [0x01, 0x7F, 0x80, 0xFF])
def test_fragments_are_refused(frag: int) -> None:
    datagram = bytes([0, 0, frag]) + bytes.fromhex("01 c0000207 0035") + b"data"
    with pytest.raises(RemoteProtocolError, match="fragment"):
        udp.decode(datagram)


def test_reserved_octets_that_are_not_zero_lose_no_datagram() -> None:
    datagram = b"\xff\xff\x00" + bytes.fromhex("01 c0000207 0035") + b"data"
    assert decode(datagram) == (Endpoint("192.0.2.7", 53), b"data")


def test_bad_addresses() -> None:
    with pytest.raises(address.UnknownAddressType):
        udp.decode(bytes.fromhex("000000 05 c0000207 0035"))
    with pytest.raises(RemoteProtocolError):
        udp.decode(bytes.fromhex("000000 03 00 0035"))
    with pytest.raises(LocalProtocolError):
        udp.encode(Endpoint("", 53), b"")


def test_what_follows_the_prefix_is_a_shadowsocks_packet() -> None:
    packet = address.encode(Endpoint("example.com", 443)) + b"data"
    assert udp.PREFIX + packet == udp.encode(Endpoint("example.com", 443), b"data")


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: bytes(3) + tail))
def test_only_our_errors_escape(datagram: bytes) -> None:
    try:
        endpoint, payload = udp.decode(datagram)
    except RemoteProtocolError:
        return
    assert datagram.endswith(payload)
    assert udp.decode(udp.encode(endpoint, payload))[1] == payload
