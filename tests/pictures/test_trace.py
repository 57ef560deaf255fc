import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.pictures import trace as t
from annotated_shadowsocks.tcp_model.segment import (
    SYN,
    Flow,
    Segment,
    Unreachable,
    UnreachableKind,
)

SERVER, CLIENT = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.2", 30001)
FLOW = Flow(SERVER, CLIENT)
PARTIES = (t.Party("server", "10.9.0.1"), t.Party("A", "10.9.0.2", 30001))
EVERY_KIND: tuple[t.Event, ...] = (
    t.Noted(0, "listen(1): „eins“"),
    t.PacketSent(5, 1, "A", "server", Segment(CLIENT, SERVER, SYN, 9), "connect()"),
    t.PacketHeld(5, 1, "the script holds it"),
    t.PacketArrived(20, 1),
    t.Acted(20, "server", "AddRequest", "a SYN, and room for it", FLOW, 1),
    t.StateChanged(20, "server", FLOW, "LISTEN", "TCP_NEW_SYN_RECV"),
    t.QueueMeasured(20, "server", t.SYN_QUEUE, 1, 1),
    t.QueueMeasured(20, "server", t.ACCEPT_QUEUE, 0, None, listener=2),
    t.CounterMoved(20, "server", "sk_drops", 2, listener=1),
    t.PacketSent(
        30, 2, "A", "server", Unreachable(FLOW, 7, UnreachableKind.HOST), "a router says so"
    ),
    t.PacketLost(30, 2, "the wire is cut"),
)

text = st.text(max_size=10)
events = st.one_of(
    st.builds(t.Noted, st.integers(0), text, text),
    st.builds(t.PacketHeld, st.integers(0), st.integers(0), text),
    st.builds(t.QueueMeasured, st.integers(0), text, text, st.integers(0), st.none()),
    st.builds(t.CounterMoved, st.integers(0), text, text, st.integers(0), st.integers(0)),
    st.builds(t.Acted, st.integers(0), text, text, text, st.just(FLOW), st.none()),
)
traces = st.builds(
    t.Trace,
    text,
    text,
    st.lists(st.builds(t.Party, text, text, st.none() | st.integers(0, 65535))).map(tuple),
    st.lists(events).map(tuple),
)


def trace(*events: t.Event) -> t.Trace:
    return t.Trace("a title", "model linux-6.18", PARTIES, events)


def test_every_kind_of_event_survives_json() -> None:
    assert {type(event) for event in EVERY_KIND} == set(t.Event.__args__)
    whole = trace(*EVERY_KIND)
    assert t.from_jsonl(t.to_jsonl(whole)) == whole


@given(traces)
def test_any_trace_survives_json(whole: t.Trace) -> None:
    assert t.from_jsonl(t.to_jsonl(whole)) == whole


def test_one_line_for_each_event_after_the_head() -> None:
    head, line = t.to_jsonl(trace(t.PacketLost(7, 3, "cut"))).splitlines()
    assert json.loads(line) == {"event": "PacketLost", "at": 7, "packet": 3, "reason": "cut"}
    assert json.loads(head)["parties"][1] == {"name": "A", "address": "10.9.0.2", "port": 30001}


def test_blank_lines_are_skipped() -> None:
    whole = trace(*EVERY_KIND)
    assert t.from_jsonl("\n" + t.to_jsonl(whole).replace("\n", "\n \n")) == whole


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Expecting property name"),
        ("[]", "[] should be dict"),
        ('{"event": "Exploded"}', "'Exploded' is missing or unknown"),
        ('{"at": 1}', "'event' is missing or unknown"),
        ('{"event": "PacketArrived", "at": 1}', "'packet'"),
        ('{"event": "PacketArrived", "at": 1, "packet": true}', "True should be int"),
        ('{"event": "PacketArrived", "at": 1, "packet": 1, "x": 1}', "'x' is missing or unknown"),
        ('{"event": "Noted", "at": 1, "text": 5}', "5 should be str"),
        ('{"event": ["Noted"], "at": 1, "text": ""}', "unhashable"),
        ('{"event": "PacketSent", "at": 1, "packet": 1, "segment": 3}', "3 should be dict"),
        ('{"event": "Acted", "at": 1, "host": "", "action": "", "flow": ["a"]}', "not enough"),
        ('{"event": "Acted", "at": 1, "host": "", "action": "", "flow": [5, 6]}', "5 should be"),
    ],
)
def test_a_bad_line_is_named(line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=r"^ladder\.jsonl:2: ") as caught:
        t.from_jsonl(t.to_jsonl(trace()) + line, "ladder.jsonl")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no line in it"),
        ('{"format": "something else"}', "'something else'"),
        ('{"event": "Noted", "at": 1, "text": ""}', "'format' is missing"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_trace(content: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        t.from_jsonl(content)
    assert says in str(caught.value)


def test_a_segment_that_is_broken_is_named_by_its_line() -> None:
    sent = t.to_jsonl(trace(EVERY_KIND[1])).replace('"flags": "S"', '"flags": "?"')
    with pytest.raises(ConfigError, match=r"^trace:2: '\?' is missing or unknown"):
        t.from_jsonl(sent)
