"""Segments as scapy reads them: written here, dissected by somebody else."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model import packet
from annotated_shadowsocks.tcp_model.segment import (
    FastOpenCookie,
    MaximumSegmentSize,
    SackBlocks,
    SackPermitted,
    Segment,
    Timestamps,
    WindowScale,
)

HOSTS = {4: ("10.9.0.1", "192.0.2.77"), 6: ("fd09::1", "2001:db8::77")}
words = st.integers(0, 2**32 - 1)
shorts = st.integers(0, 2**16 - 1)
options = st.one_of(
    st.builds(MaximumSegmentSize, shorts),
    st.builds(WindowScale, st.integers(0, 14)),
    st.just(SackPermitted()),
    st.builds(Timestamps, words, words),
    st.builds(lambda left, right: SackBlocks(((left, right),)), words, words),
    st.builds(FastOpenCookie, st.binary(min_size=4, max_size=8).filter(lambda c: not len(c) % 2)),
)


@pytest.fixture(scope="module")
def scapy() -> Iterator[dict[int, Any]]:
    """The dissectors of both IPs, and TCP."""
    with warnings.catch_warnings():
        # Its import complains about ciphers that it will not need here.
        warnings.simplefilter("ignore")
        from scapy.layers.inet import IP, TCP
        from scapy.layers.inet6 import IPv6
    yield {4: IP, 6: IPv6, 0: TCP}


def as_scapy_says(option: object) -> tuple[str, object]:
    match option:
        case MaximumSegmentSize(value):
            return "MSS", value
        case WindowScale(shift):
            return "WScale", shift
        case SackPermitted():
            return "SAckOK", b""
        case Timestamps(tsval, tsecr):
            return "Timestamp", (tsval, tsecr)
        case SackBlocks(((left, right),)):
            return "SAck", (left, right)
        case FastOpenCookie(cookie):
            return "TFO", cookie
    raise AssertionError(option)


@pytest.mark.parametrize("version", [4, 6])
@given(
    flags=st.integers(0, 63),
    seq=words,
    ack=words,
    window=shorts,
    said=st.lists(options, max_size=2).map(tuple),
    payload=st.binary(max_size=99),
)
def test_scapy_reads_what_was_written(
    scapy: dict[int, Any],
    version: int,
    flags: int,
    seq: int,
    ack: int,
    window: int,
    said: tuple[Any, ...],
    payload: bytes,
) -> None:
    src, dst = (Endpoint(host, 5000 + n) for n, host in enumerate(HOSTS[version]))
    octets = packet.encode(Segment(src, dst, flags, seq, ack, window, said, payload))
    whole = scapy[version](octets)
    tcp = whole[scapy[0]]
    assert (whole.src, whole.dst, tcp.sport, tcp.dport) == (*HOSTS[version], 5000, 5001)
    assert (tcp.seq, tcp.ack, int(tcp.flags), tcp.window) == (seq, ack, flags, window)
    assert bytes(tcp.payload) == payload
    found = [(name, value) for name, value in tcp.options if name not in ("NOP", "EOL")]
    assert [name for name, _ in found] == [as_scapy_says(option)[0] for option in said]
    for (name, value), option in zip(found, said, strict=True):
        # A cookie comes as numbers, of which scapy wants a certain number.
        if name != "TFO":
            assert value == as_scapy_says(option)[1]
    # Built again from what was read, with checksums of its own, it is the same packet.
    again = scapy[version](octets)
    for layer in (again, again[scapy[0]]):
        for field in ("chksum", "len", "plen"):
            if field in layer.fields:
                delattr(layer, field)
    if not any(isinstance(option, FastOpenCookie) for option in said):
        assert bytes(again) == octets
