"""IP packets against the figures of their RFCs, and what a wire of one hop never carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError, Truncated
from annotated_shadowsocks.wire.internet import (
    TCP,
    Packet,
    checksum,
    decode,
    encode,
    pseudo_header,
)

V4 = Packet("192.0.2.1", "198.51.100.2", TCP, b"hello")
V6 = Packet("2001:db8::1", "2001:db8::2", TCP, b"hello")

# [RFC791 §3.1], field by field: 45 tos | 25 octets | no id | DF | ttl 64, TCP | sum b157 | hosts
V4_OCTETS = bytes.fromhex("4500 0019 0000 4000 4006 4ea8 c0000201 c6336402".replace(" ", ""))
# [RFC8200 §3]: version 6 | 5 octets, TCP, hop limit 64 | hosts
V6_OCTETS = bytes.fromhex(
    "60000000 0005 06 40".replace(" ", "")
    + "20010db8000000000000000000000001"
    + "20010db8000000000000000000000002"
)


def test_the_example_of_the_checksum() -> None:
    # [RFC1071 §3] the words 0001 f203 f4f5 f6f7 have the one's complement sum ddf2
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF


def test_an_odd_octet_is_the_high_half_of_its_word() -> None:
    assert checksum(b"\x01") == 0x0100 ^ 0xFFFF


def test_nothing_but_zeros_is_told_from_a_sum_of_ffff() -> None:
    assert checksum(bytes(4)) == 0xFFFF
    assert checksum(b"\xff\xff") == 0


@pytest.mark.parametrize(("packet", "octets"), [(V4, V4_OCTETS), (V6, V6_OCTETS)])
def test_as_the_figures_have_it(packet: Packet, octets: bytes) -> None:
    assert encode(packet) == octets + b"hello"
    assert decode(octets + b"hello") == packet


def test_the_sum_over_a_header_with_its_checksum_is_zero() -> None:
    assert checksum(encode(V4)[:20]) == 0


def test_padding_is_no_payload() -> None:
    assert decode(encode(V4) + bytes(21)).payload == b"hello"


def test_options_of_ipv4_are_passed_over() -> None:
    bare = bytearray(encode(V4)[:20])
    bare[0], bare[3] = 0x46, 29
    bare[10:12] = bytes(2)
    header = bytes(bare) + bytes([1, 1, 1, 0])
    header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    assert decode(header + b"hello").payload == b"hello"


def test_the_pseudo_header() -> None:
    assert pseudo_header(V4) == bytes.fromhex("c0000201c633640200060005")
    assert pseudo_header(V6) == V6_OCTETS[8:] + bytes.fromhex("0000000500000006")


@pytest.mark.parametrize("octets", [V4_OCTETS + b"hello", V6_OCTETS + b"hello"])
def test_every_cut_is_told(octets: bytes) -> None:
    for end in range(len(octets)):
        with pytest.raises(Truncated):
            decode(octets[:end])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({0: 0x55}, "version 5"),
        ({0: 0x44}, "header of 16"),
        ({0: 0x4F}, "header of 60"),
        ({6: 0x20}, "fragment"),
        ({7: 0x01}, "fragment"),
        ({8: 0x3F}, "checksum"),
    ],
)
def test_what_is_refused(changes: dict[int, int], what: str) -> None:
    octets = bytearray(encode(V4))
    for place, value in changes.items():
        octets[place] = value
    with pytest.raises(RemoteProtocolError, match=what):
        decode(bytes(octets))


def test_two_families_are_no_packet() -> None:
    with pytest.raises(LocalProtocolError, match="family"):
        encode(V4._replace(dst="::1"))


def test_what_fits_in_no_packet() -> None:
    with pytest.raises(LocalProtocolError, match="fit"):
        encode(V4._replace(payload=bytes(65_516)))


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_an_error_of_the_peer(octets: bytes) -> None:
    try:
        packet = decode(octets)
    except RemoteProtocolError:
        return
    assert len(packet.payload) <= len(octets)
