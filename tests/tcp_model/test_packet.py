"""Segments as octets: the figures of the RFCs, what is refused, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError, Truncated
from annotated_shadowsocks.tcp_model.packet import (
    decode,
    encode,
    encode_options,
    encode_unreachable,
)
from annotated_shadowsocks.tcp_model.segment import (
    ACK,
    PSH,
    SYN,
    FastOpenCookie,
    Flow,
    MaximumSegmentSize,
    Option,
    SackBlocks,
    SackPermitted,
    Segment,
    Timestamps,
    UnknownOption,
    Unreachable,
    UnreachableKind,
    WindowScale,
)
from annotated_shadowsocks.wire import internet

CLIENT, SERVER = Endpoint("192.0.2.2", 0x1234), Endpoint("192.0.2.1", 80)
CLIENT6, SERVER6 = Endpoint("2001:db8::2", 40_000), Endpoint("2001:db8::1", 443)

# [RFC9293 §3.1] offset 6 (24 octets), SYN, window 0x2000, one option; [RFC9293 §3.7.1] kind 2
SYN_OCTETS = bytes.fromhex("1234 0050 01020304 00000000 60 02 2000".replace(" ", ""))
SYN_SEGMENT = Segment(CLIENT, SERVER, SYN, 0x01020304, 0, 0x2000, (MaximumSegmentSize(1460),))

OPTIONS: tuple[tuple[Option, str], ...] = (
    (MaximumSegmentSize(1460), "020405b4"),
    (WindowScale(7), "030307"),
    (SackPermitted(), "0402"),
    (SackBlocks(((1, 2), (3, 4))), "0512" + "00000001000000020000000300000004"),
    (Timestamps(0x01020304, 5), "080a0102030400000005"),
    (FastOpenCookie(b"\x01\x02\x03\x04"), "220601020304"),
    (FastOpenCookie(b""), "2202"),
    (UnknownOption(200, b"x"), "c80378"),
)

numbers = st.integers(0, 2**32 - 1)
options = st.lists(st.sampled_from([option for option, _ in OPTIONS]), max_size=3).map(tuple)
segments = st.builds(
    Segment,
    st.sampled_from([CLIENT, SERVER]),
    st.just(Endpoint("198.51.100.9", 1)),
    st.integers(0, 255),
    numbers,
    numbers,
    st.integers(0, 65535),
    options.filter(lambda them: len(b"".join(encode_options((one,)) for one in them)) <= 36),
    st.binary(max_size=40),
)


def test_a_syn_as_the_figure_has_it() -> None:
    packet = internet.decode(encode(SYN_SEGMENT))
    assert packet.payload[:16] == SYN_OCTETS
    assert packet.payload[18:] == bytes.fromhex("0000020405b4")
    covered = internet.pseudo_header(packet) + packet.payload
    assert internet.checksum(covered) == 0


@pytest.mark.parametrize(("option", "octets"), OPTIONS)
def test_every_option(option: Option, octets: str) -> None:
    raw = bytes.fromhex(octets)
    assert encode_options((option,)) == raw + b"\x01" * (-len(raw) % 4)
    read = decode(encode(SYN_SEGMENT._replace(options=(option,))))
    assert isinstance(read, Segment)
    assert read.options == (option,)


@given(segments)
def test_nothing_is_lost(segment: Segment) -> None:
    assert decode(encode(segment)) == segment


def test_ipv6() -> None:
    segment = Segment(SERVER6, CLIENT6, PSH | ACK, 7, 8, 9, (Timestamps(1, 2),), b"hello")
    assert decode(encode(segment)) == segment


def test_an_option_of_a_size_that_it_does_not_have_is_not_known() -> None:
    odd = UnknownOption(2, b"\x01")
    read = decode(encode(SYN_SEGMENT._replace(options=(odd,))))
    assert isinstance(read, Segment)
    assert read.options == (odd,)


def test_more_options_than_there_is_room_for() -> None:
    with pytest.raises(LocalProtocolError, match="44 octets of options"):
        encode(SYN_SEGMENT._replace(options=(UnknownOption(200, bytes(39)),)))


@pytest.mark.parametrize("kind", UnreachableKind.__members__.values())
@pytest.mark.parametrize("flow", [Flow(SERVER, CLIENT), Flow(SERVER6, CLIENT6)])
def test_an_icmp_error_quotes_ports_and_number(kind: UnreachableKind, flow: Flow) -> None:
    error = Unreachable(flow, 0xFFFF_FFFF, kind)
    octets = encode_unreachable(error, flow.remote.host)
    packet = internet.decode(octets)
    assert (packet.src, packet.dst) == (flow.remote.host, flow.local.host)
    assert decode(octets) == error


def test_host_unreachable_as_the_figures_have_it() -> None:
    error = Unreachable(Flow(SERVER, CLIENT), 1, UnreachableKind.HOST)
    message = internet.decode(encode_unreachable(error, "192.0.2.9")).payload
    # [RFC792] type 3, code 1; unused; the internet header and 64 bits of the datagram
    assert message[:2] == b"\x03\x01"
    assert internet.checksum(message) == 0
    assert message[4:8] == bytes(4)
    assert message[28:] == bytes.fromhex("0050123400000001")
    error6 = Unreachable(Flow(SERVER6, CLIENT6), 1, UnreachableKind.HOST)
    # [RFC4443 §3] type 1, code 3: address unreachable
    assert internet.decode(encode_unreachable(error6, "2001:db8::9")).payload[:2] == b"\x01\x03"


def test_other_protocols_and_other_icmp_are_nothing() -> None:
    assert decode(internet.encode(internet.Packet("192.0.2.1", "192.0.2.2", 17, b"x"))) is None
    echo = bytes(8)
    assert decode(internet.encode(internet.Packet("192.0.2.1", "192.0.2.2", 1, echo))) is None


def _with(payload: bytes) -> bytes:
    """A packet from client to server whose TCP checksum is right."""
    bare = payload[:16] + bytes(2) + payload[18:]
    packet = internet.Packet("192.0.2.2", "192.0.2.1", internet.TCP, bare)
    total = internet.checksum(internet.pseudo_header(packet) + bare).to_bytes(2, "big")
    return internet.encode(packet._replace(payload=bare[:16] + total + bare[18:]))


SEGMENT = internet.decode(encode(SYN_SEGMENT)).payload


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (SEGMENT[:12] + b"\x40" + SEGMENT[13:], "header of 16"),
        (SEGMENT[:12] + b"\xf0" + SEGMENT[13:], "header of 60"),
        (SEGMENT[:20] + b"\x02\x00\x05\xb4", "option of 0"),
        (SEGMENT[:20] + b"\x02\x05\x05\xb4", "option of 5"),
        (SEGMENT[:20] + b"\x01\x01\x01\x02", "option of 0"),
    ],
)
def test_what_is_refused(payload: bytes, what: str) -> None:
    with pytest.raises(RemoteProtocolError, match=what):
        decode(_with(payload))


def test_a_wrong_checksum_is_refused() -> None:
    octets = bytearray(encode(SYN_SEGMENT))
    octets[-1] ^= 1
    with pytest.raises(RemoteProtocolError, match="checksum"):
        decode(bytes(octets))


@pytest.mark.parametrize("size", range(20))
def test_half_a_header(size: int) -> None:
    packet = internet.Packet("192.0.2.2", "192.0.2.1", internet.TCP, SEGMENT[:size])
    with pytest.raises(Truncated):
        decode(internet.encode(packet))


@pytest.mark.parametrize("flow", [Flow(SERVER, CLIENT), Flow(SERVER6, CLIENT6)])
def test_half_a_quotation(flow: Flow) -> None:
    error = Unreachable(flow, 1, UnreachableKind.HOST)
    packet = internet.decode(encode_unreachable(error, flow.remote.host))
    for end in range(len(packet.payload)):
        with pytest.raises(Truncated):
            decode(internet.encode(packet._replace(payload=packet.payload[:end])))


@given(st.binary(max_size=60), st.sampled_from([internet.TCP, internet.ICMP]))
def test_any_payload_is_something_or_an_error_of_the_peer(payload: bytes, protocol: int) -> None:
    packet = internet.Packet("192.0.2.2", "192.0.2.1", protocol, payload)
    try:
        decode(internet.encode(packet))
    except RemoteProtocolError:
        return
