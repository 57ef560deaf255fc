"""Netlink messages, by hand from struct nlmsghdr and struct nlattr of netlink(7).

Numbers are in the byte order of the host, so the expected octets are made of ``u16`` and ``u32``.
"""

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import RemoteProtocolError, Truncated
from annotated_shadowsocks.wire import netlink
from annotated_shadowsocks.wire.netlink import Message


def u16(value: int) -> bytes:
    return value.to_bytes(2, sys.byteorder)


def u32(value: int) -> bytes:
    return (value & 0xFFFF_FFFF).to_bytes(4, sys.byteorder)


def message(length: int, type_: int, payload: bytes, flags: int = 0) -> bytes:
    """nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq 7, nlmsg_pid 9, payload."""
    return u32(length) + u16(type_) + u16(flags) + u32(7) + u32(9) + payload


def attribute(length: int, type_: int, payload: bytes) -> bytes:
    """nla_len, nla_type, payload."""
    return u16(length) + u16(type_) + payload


def read(datagram: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """type, flags, seq, pid and payload of each message."""
    return [(*found[:4], bytes(found.payload)) for found in netlink.messages(datagram)]


def test_a_request_is_padded_and_leaves_the_port_to_the_kernel() -> None:
    wanted = u32(21) + u16(20) + u16(0x301) + u32(7) + u32(0) + b"hello\0\0\0"
    assert netlink.encode(20, 0x301, 7, b"hello") == wanted


def test_messages_of_one_datagram() -> None:
    datagram = message(21, 20, b"hello\0\0\0", flags=2) + message(16, 3, b"")
    assert read(datagram) == [(20, 2, 7, 9, b"hello"), (3, 0, 7, 9, b"")]


def test_the_last_message_may_come_without_its_padding() -> None:
    assert read(message(17, 20, b"x")) == [(20, 0, 7, 9, b"x")]


def test_an_empty_datagram_has_no_messages() -> None:
    assert read(b"") == []


def test_every_cut_is_truncated_or_an_earlier_message() -> None:
    datagram = message(20, 20, b"abcd") + message(20, 20, b"efgh")
    for end in range(1, len(datagram)):
        if end == 20:
            assert len(read(datagram[:end])) == 1
        else:
            with pytest.raises(Truncated, match=rf"of {end}$"):
                read(datagram[:end])


@pytest.mark.parametrize("length", [0, 1, 15])
def test_a_message_shorter_than_its_header(length: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"message of {length} octets at octet 0"):
        read(message(length, 20, b""))


def test_attributes() -> None:
    # 0x8000 says nested, 0x4000 network order: the type is in the other 14 bits.
    data = attribute(5, 8, b"\3\0\0\0") + attribute(8, 0xC007, b"wxyz") + attribute(4, 9, b"")
    assert netlink.attributes(memoryview(b"head" + data), 4) == {8: b"\3", 7: b"wxyz", 9: b""}
    assert netlink.attributes(memoryview(b"head"), 4) == {}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\5", Truncated),
        (attribute(9, 8, b"abcd"), Truncated),
        (attribute(0, 8, b"abcd"), RemoteProtocolError),
        (attribute(3, 8, b"abcd"), RemoteProtocolError),
    ],
)
def test_broken_attributes(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match="attribute"):
        netlink.attributes(memoryview(data))


@pytest.mark.parametrize("type_", [netlink.NLMSG_ERROR, netlink.NLMSG_DONE])
@pytest.mark.parametrize(("code", "errno"), [(-2, 2), (0, 0), (-13, 13), (5, 0)])
def test_errors_come_negative(type_: int, code: int, errno: int) -> None:
    assert netlink.errno_of(Message(type_, 0, 7, 9, memoryview(u32(code) + b"more"))) == errno


def test_only_the_end_of_a_dump_may_come_bare() -> None:
    assert netlink.errno_of(Message(netlink.NLMSG_DONE, 0, 7, 9, memoryview(b""))) == 0
    with pytest.raises(Truncated):
        netlink.errno_of(Message(netlink.NLMSG_ERROR, 0, 7, 9, memoryview(b"abc")))


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary())
def test_what_we_send_can_be_read(type_: int, flags: int, seq: int, payload: bytes) -> None:
    assert read(netlink.encode(type_, flags, seq, payload)) == [(type_, flags, seq, 0, payload)]


READERS: list[Callable[[bytes], object]] = [
    read,
    lambda data: netlink.attributes(memoryview(data)),
    lambda data: netlink.errno_of(Message(netlink.NLMSG_ERROR, 0, 0, 0, memoryview(data))),
]


@given(
    st.sampled_from(READERS),
    st.binary(max_size=80)
    | st.lists(st.integers(0, 40)).map(lambda words: b"".join(map(u32, words)))
    | st.lists(st.integers(0, 40)).map(lambda words: b"".join(map(u16, words))),
)
def test_any_octets_are_read_or_raise_ours(reader: Callable[[bytes], object], data: bytes) -> None:
    try:
        reader(data)
    except RemoteProtocolError:
        pass
