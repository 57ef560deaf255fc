from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError, Truncated
from annotated_shadowsocks.shadowsocks.udp_over_tcp import (
    HOSTS,
    MAX_DATAGRAM,
    DatagramReceived,
    UotClient,
    UotServer,
    version_of,
)
from annotated_shadowsocks.testing.chunking import Outcome, run_core
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

NAME = Endpoint("example.com", 53)
IPV4 = Endpoint("192.0.2.1", 53)
IPV6 = Endpoint("2001:db8::1", 53)

# The figures of sing-box's documentation; the families are those of sing common/uot/protocol.go.
DATAGRAMS = [
    (IPV4, b"four", bytes.fromhex("00 c0000201 0035 0004") + b"four"),
    (IPV6, b"six", bytes.fromhex("01 20010db8000000000000000000000001 0035 0003") + b"six"),
    (NAME, b"name", bytes.fromhex("02 0b 6578616d706c652e636f6d 0035 0004") + b"name"),
    (IPV4, b"", bytes.fromhex("00 c0000201 0035 0000")),
]
FRAMES = b"".join(frame for _, _, frame in DATAGRAMS)
EVENTS = tuple(DatagramReceived(peer, data) for peer, data, _ in DATAGRAMS)
ENDS = {sum(len(frame) for _, _, frame in DATAGRAMS[:n]) for n in range(len(DATAGRAMS))}

UNCONNECTED = bytes.fromhex("00 01 c0000201 0035")
CONNECTED = bytes.fromhex("01 03 0b 6578616d706c652e636f6d 0035")


def sent(core: UotClient | UotServer, *datagrams: tuple[Endpoint, bytes]) -> bytes:
    for peer, data in datagrams:
        core.send(peer, data)
    return core.data_to_send()


# --- what is said -------------------------------------------------------------------------------


def test_version_1_is_datagrams() -> None:
    assert sent(UotClient(1), *(row[:2] for row in DATAGRAMS)) == FRAMES
    assert sent(UotServer(1), *(row[:2] for row in DATAGRAMS)) == FRAMES


def test_version_2_begins_with_a_request() -> None:
    client = UotClient()
    assert client.data_to_send() == b""
    # It names the first peer, which binds nobody and may help to choose a way.
    assert sent(client, *(row[:2] for row in DATAGRAMS)) == UNCONNECTED + FRAMES


def test_a_connected_stream_has_no_addresses() -> None:
    client = UotClient(2, NAME)
    assert sent(client, (NAME, b"one"), (NAME, b"")) == CONNECTED + b"\0\3one\0\0"
    assert client.data_to_send() == b""


def test_a_connected_stream_answers_without_addresses() -> None:
    server = UotServer(2)
    server.receive_data(CONNECTED)
    assert server.next_event() is NEED_DATA
    assert server.connected == NAME
    assert sent(server, (NAME, b"answer")) == b"\0\6answer"
    with pytest.raises(LocalProtocolError, match=r"for 192\.0\.2\.1:53, connected to example"):
        server.send(IPV4, b"answer")


def test_the_largest_datagram() -> None:
    client = UotClient(1)
    assert sent(client, (IPV4, bytes(MAX_DATAGRAM)))[7:9] == b"\xff\xff"
    with pytest.raises(LocalProtocolError, match="65536 octets"):
        client.send(IPV4, bytes(MAX_DATAGRAM + 1))


def test_version_1_connects_to_nobody() -> None:
    with pytest.raises(LocalProtocolError):
        UotClient(1, NAME)


# --- what is heard ------------------------------------------------------------------------------


def cuts(wire: bytes) -> Iterator[list[bytes]]:
    yield [wire[at : at + 1] for at in range(len(wire))]
    for at in range(len(wire)):
        yield [wire[:at], wire[at:]]


@pytest.mark.parametrize(
    ("core", "request_"), [(lambda: UotServer(1), b""), (lambda: UotServer(2), UNCONNECTED)]
)
def test_datagrams_however_they_are_cut(core: Callable[[], UotServer], request_: bytes) -> None:
    # The law of all decoders but for its trailing octets: here they are the next datagram.
    wire = request_ + FRAMES
    for pieces in cuts(wire):
        assert run_core(core)(pieces, True) == Outcome(events=EVENTS)
    boundaries = {len(request_) + end for end in ENDS}
    for end in range(len(wire)):
        outcome = run_core(core)([wire[:end]], True)
        assert outcome.error is (None if end in boundaries else Truncated)
        assert outcome.events == EVENTS[: len(outcome.events)]


def test_datagrams_of_a_connected_stream() -> None:
    wire = CONNECTED + b"\0\3one\0\0"
    events = (DatagramReceived(NAME, b"one"), DatagramReceived(NAME, b""))
    assert run_core(lambda: UotServer(2))([wire], True) == Outcome(events=events)
    client = run_core(lambda: UotClient(2, NAME))([b"\0\3one\0\0"], True)
    assert client.events == events


@pytest.mark.parametrize(
    ("wire", "version"),
    [
        ("03 c0000201 0035 0000", 1),
        ("02 00 0035 0000", 1),
        ("02 01 20 0035 0000", 1),
        ("02 01 7f000001 0035", 2),
        ("00 00 7f000001 0035", 2),
        ("00 01 00000000 0000 04", 2),
    ],
)
def test_what_is_no_datagram(wire: str, version: int) -> None:
    octets = bytes.fromhex(wire)
    for pieces in cuts(octets):
        outcome = run_core(lambda: UotServer(version))(pieces, False)
        assert outcome.error is not None
        assert issubclass(outcome.error, RemoteProtocolError)
        assert outcome.error is not Truncated
        assert not outcome.events


def test_the_end_between_datagrams_is_an_end() -> None:
    server = UotServer(1)
    server.receive_data(DATAGRAMS[0][2])
    assert server.next_event() == EVENTS[0]
    assert server.next_event() is NEED_DATA
    server.receive_eof()
    assert server.next_event() is PAUSED


endpoints = st.sampled_from([NAME, IPV4, IPV6])


@given(st.lists(st.tuples(endpoints, st.binary(max_size=50))), st.sampled_from([1, 2]))
def test_either_end_understands_the_other(
    datagrams: list[tuple[Endpoint, bytes]], version: int
) -> None:
    client, server = UotClient(version), UotServer(version)
    events = tuple(DatagramReceived(*datagram) for datagram in datagrams)
    there = sent(client, *datagrams)
    assert run_core(lambda: UotServer(version))([there], True).events == events
    back = sent(server, *datagrams)
    assert run_core(lambda: UotClient(version))([back], True).events == events


# --- the hosts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", HOSTS)
def test_a_magic_host_is_known_in_any_case(version: int) -> None:
    host = HOSTS[version]
    assert version_of(host) == version_of(host.upper()) == version_of(host + ".") == version


@pytest.mark.parametrize("host", ["", "example.com", "udp-over-tcp.arpa", "192.0.2.1"])
def test_other_hosts_are_hosts(host: str) -> None:
    assert version_of(host) is None
