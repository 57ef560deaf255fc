import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures.segment_json import decode, decode_flow, encode, encode_flow
from annotated_shadowsocks.tcp_model import segment as s
from annotated_shadowsocks.tcp_model.segment import Flow, Segment, Unreachable, UnreachableKind

SERVER, CLIENT = Endpoint("10.9.0.1", 5000), Endpoint("2001:db8::2", 30001)

words = st.integers(0, 2**32 - 1)
octets = st.binary(max_size=8)
options = st.one_of(
    st.builds(s.MaximumSegmentSize, st.integers(0, 65535)),
    st.builds(s.WindowScale, st.integers(0, 255)),
    st.just(s.SackPermitted()),
    st.builds(s.SackBlocks, st.lists(st.tuples(words, words), max_size=4).map(tuple)),
    st.builds(s.Timestamps, words, words),
    st.builds(s.FastOpenCookie, octets),
    st.builds(s.UnknownOption, st.integers(0, 255), octets),
)
segments = st.builds(
    Segment,
    st.just(SERVER),
    st.just(CLIENT),
    st.integers(0, 255),
    words,
    words,
    st.integers(0, 65535),
    st.lists(options, max_size=4).map(tuple),
    octets,
)
errors = st.builds(
    Unreachable, st.just(Flow(SERVER, CLIENT)), words, st.sampled_from(UnreachableKind)
)


@given(st.one_of(segments, errors))
def test_a_packet_survives_json(packet: Segment | Unreachable) -> None:
    assert decode(json.loads(json.dumps(encode(packet)))) == packet


def test_a_segment_reads_like_tcpdump() -> None:
    stamped = (s.MaximumSegmentSize(1460), s.SackPermitted(), s.Timestamps(7, 0))
    document = encode(Segment(CLIENT, SERVER, s.SYN | s.ACK, 9, 5, 100, stamped, b"hi"))
    assert document == {
        "src": "[2001:db8::2]:30001",
        "dst": "10.9.0.1:5000",
        "flags": "S.",
        "seq": 9,
        "ack": 5,
        "window": 100,
        "options": [["mss", 1460], ["sackOK"], ["TS", 7, 0]],
        "payload": "6869",
    }


def test_a_flow_is_two_endpoints() -> None:
    flow = Flow(SERVER, CLIENT)
    assert encode_flow(flow) == ["10.9.0.1:5000", "[2001:db8::2]:30001"]
    assert decode_flow(encode_flow(flow)) == flow


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("flags", "Q", KeyError),
        ("seq", -1, ValueError),
        ("seq", True, TypeError),
        ("ack", 1.5, TypeError),
        ("window", 65536, ValueError),
        ("options", [["mss"]], ValueError),
        ("options", [["what", 1]], ValueError),
        ("payload", "x", ValueError),
    ],
)
def test_what_is_no_segment(field: str, value: object, error: type[Exception]) -> None:
    document = encode(Segment(CLIENT, SERVER, s.SYN, 9)) | {field: value}
    with pytest.raises(error):
        decode(document)
