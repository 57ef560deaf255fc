"""inet_diag messages, by hand from the structures of sock_diag(7) and <linux/inet_diag.h>."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import RemoteProtocolError, Truncated
from annotated_shadowsocks.wire import inet_diag
from annotated_shadowsocks.wire.inet_diag import Extension


def u16(value: int) -> bytes:
    return value.to_bytes(2, sys.byteorder)


def u32(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


def u64(value: int) -> bytes:
    return value.to_bytes(8, sys.byteorder)


def attribute(type_: int, payload: bytes) -> bytes:
    """nla_len, nla_type, payload, padding."""
    return u16(4 + len(payload)) + u16(type_) + payload + bytes(-len(payload) % 4)


# idiag_family, idiag_state, idiag_timer, idiag_retrans; then the sockid: idiag_sport and
# idiag_dport, idiag_src and idiag_dst (four words each), idiag_if, idiag_cookie (two words);
# then idiag_expires, idiag_rqueue, idiag_wqueue, idiag_uid, idiag_inode.
LISTENER = (
    bytes([2, 10, 0, 0])
    + bytes.fromhex("01bb 0000")
    + bytes.fromhex("c0000207" + "00" * 12 + "00" * 16)
    + u32(3)
    + u64(0x1_0000_002A)
    + u32(0)
    + u32(9)
    + u32(8)
    + u32(1000)
    + u32(4711)
)
REQUEST_V6 = (
    bytes([10, 3, 1, 2])
    + bytes.fromhex("1f90 c350")
    + bytes.fromhex("20010db8" + "00" * 11 + "01")
    + bytes.fromhex("00" * 10 + "ffff c6336401")
    + u32(0)
    + u64(7)
    + u32(1500)
    + u32(0) * 4
)

# [linux sock_diag_put_meminfo] rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued,
# optmem, backlog, drops
SKMEMINFO = b"".join(u32(word) for word in (1, 2, 3, 4, 5, 6, 7, 8, 13))


def decode(payload: bytes) -> inet_diag.DiagSocket:
    return inet_diag.decode(memoryview(payload))


def optional(found: inet_diag.DiagSocket) -> list[object]:
    """What not every kernel sends."""
    return [
        *(found.drops, found.v6only, found.congestion),
        *(found.mark, found.cgroup, found.tcp_info),
    ]


def test_a_request_for_listeners() -> None:
    # sdiag_family, sdiag_protocol, idiag_ext, pad; idiag_states; the sockid with its sport
    wanted = bytes([2, 6, 0, 0]) + u32(1 << 10) + bytes.fromhex("01bb") + bytes(46)
    assert inet_diag.request(2, 1 << inet_diag.TCP_LISTEN, 443) == wanted


def test_extensions_are_asked_for_by_the_bit_below_their_number() -> None:
    # <linux/inet_diag.h>: INET_DIAG_INFO 2, INET_DIAG_CONG 4, INET_DIAG_SKMEMINFO 7
    wanted = 1 << Extension.INFO | 1 << Extension.CONG | 1 << Extension.SKMEMINFO
    assert inet_diag.request(10, 1, extensions=wanted)[:3] == bytes([10, 6, 0b0100_1010])


def test_a_listener() -> None:
    found = decode(LISTENER)
    assert found.family == inet_diag.AF_INET
    assert found.state == inet_diag.TCP_LISTEN
    assert found.local == Endpoint("192.0.2.7", 443)
    assert found.remote == Endpoint("0.0.0.0", 0)
    assert (found.rqueue, found.wqueue) == (9, 8)
    assert (found.interface, found.cookie) == (3, 0x1_0000_002A)
    assert (found.uid, found.inode) == (1000, 4711)
    assert found.attributes == {}


def test_what_a_kernel_does_not_send_is_none() -> None:
    assert optional(decode(LISTENER)) == [None] * 6


def test_a_half_open_request_over_ipv6() -> None:
    found = decode(REQUEST_V6)
    assert (found.state, found.timer, found.retrans) == (inet_diag.TCP_SYN_RECV, 1, 2)
    assert found.local == Endpoint("2001:db8::1", 8080)
    assert found.remote == Endpoint("::ffff:198.51.100.1", 50000)
    assert (found.expires, found.cookie) == (1500, 7)


def test_attributes() -> None:
    found = decode(
        LISTENER
        + attribute(7, SKMEMINFO)
        + attribute(11, b"\1")
        + attribute(4, b"cubic\0")
        + attribute(15, u32(42))
        + attribute(14, b"")
        + attribute(21, u64(0x1_0000_0003))
    )
    assert found.drops == 13
    assert found.v6only is True
    assert found.congestion == "cubic"
    assert found.mark == 42
    assert found.cgroup == 0x1_0000_0003


def test_tcp_info() -> None:
    # struct tcp_info: eight octets, then tcpi_rto, ato, snd_mss, rcv_mss, unacked, sacked, ...
    octets = bytes([10, 0, 1, 2, 3, 4, 5, 6])
    info = decode(LISTENER + attribute(2, octets + b"".join(map(u32, range(100, 124))))).tcp_info
    assert info is not None
    assert (info.state, info.rto, info.unacked, info.sacked) == (10, 100, 104, 105)
    assert (info.rtt, info.total_retrans) == (115, 123)
    longer = decode(LISTENER + attribute(2, octets + b"".join(map(u32, range(100, 160)))))
    assert longer.tcp_info == info


def test_attributes_of_an_older_kernel_are_shorter() -> None:
    found = decode(
        LISTENER
        + attribute(7, SKMEMINFO[:32])
        + attribute(2, bytes(8))
        + attribute(11, b"")
        + attribute(15, b"\1")
        + attribute(21, u32(1))
    )
    assert optional(found) == [None] * 6


def test_every_cut_is_truncated() -> None:
    for end in range(len(LISTENER)):
        with pytest.raises(Truncated, match="72 are its least"):
            decode(LISTENER[:end])
    whole = LISTENER + attribute(7, SKMEMINFO)
    for end in range(len(LISTENER) + 1, len(whole)):
        with pytest.raises(Truncated):
            decode(whole[:end])


def test_a_family_that_was_not_asked_for() -> None:
    with pytest.raises(RemoteProtocolError, match="address family 1"):
        decode(b"\1" + LISTENER[1:])


@given(
    st.binary(max_size=140)
    | st.builds(
        lambda head, tail: head + tail,
        st.sampled_from([LISTENER, REQUEST_V6]),
        st.binary(max_size=60) | st.lists(st.integers(0, 30)).map(lambda x: b"".join(map(u16, x))),
    )
)
def test_any_octets_are_read_or_raise_ours(payload: bytes) -> None:
    try:
        optional(decode(payload))
    except RemoteProtocolError:
        pass
