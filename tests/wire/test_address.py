"""The SOCKS address: octets by hand from the figure of RFC 1928 section 5."""

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError, Truncated
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.wire import address
from annotated_shadowsocks.wire.core import HandshakeCore

# [RFC1928 §5] atyp, then 4 octets | length octet and name | 16 octets, then the port
FIGURE = [
    ("01 c0000207 01bb", Endpoint("192.0.2.7", 443)),
    ("01 00000000 0000", Endpoint("0.0.0.0", 0)),
    ("01 ffffffff ffff", Endpoint("255.255.255.255", 65535)),
    ("03 0b 6578616d706c652e636f6d 01bb", Endpoint("example.com", 443)),
    ("03 01 78 0050", Endpoint("x", 80)),
    # A trailing dot is part of a name: it says that no search domain is to be tried.
    ("03 0c 6578616d706c652e636f6d2e 0050", Endpoint("example.com.", 80)),
    ("04 20010db8000000000000000000000001 0035", Endpoint("2001:db8::1", 53)),
    ("04 00000000000000000000000000000000 0000", Endpoint("::", 0)),
]

NAME_253 = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


class OneAddress(HandshakeCore[Endpoint]):
    __slots__ = ()

    def _run(self) -> Generator[Endpoint | None, None, None]:
        yield (yield from address.read(self._reader))


@pytest.mark.parametrize(("octets", "endpoint"), FIGURE)
def test_figure(octets: str, endpoint: Endpoint) -> None:
    wire = bytes.fromhex(octets)
    assert address.encode(endpoint) == wire
    assert address.decode(wire) == (endpoint, len(wire))
    assert address.decode(memoryview(b"\xff\xff" + wire + b"data"), 2) == (endpoint, len(wire) + 2)
    check(run_core(OneAddress), wire, Outcome((endpoint,)))


@pytest.mark.parametrize(("octets", "endpoint"), FIGURE)
def test_every_prefix_is_truncated(octets: str, endpoint: Endpoint) -> None:
    wire = bytes.fromhex(octets)
    for end in range(len(wire)):
        with pytest.raises(Truncated):
            address.decode(wire[:end])


@pytest.mark.parametrize("atyp", sorted(set(range(256)) - {1, 3, 4}))
def test_unknown_type_is_refused_at_its_first_octet(atyp: int) -> None:
    with pytest.raises(address.UnknownAddressType):
        address.decode(bytes([atyp]))
    check(run_core(OneAddress), bytes([atyp]), Outcome(error=address.UnknownAddressType))


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b".",
        b"a" * 254,
        b"a" * 255,
        b"exa\0mple.com",
        b"example.com\n",
        b"exa mple.com",
        b"\x1b[2J.example.com",
        b"\xff\xfe",
        "é..example".encode(),
        # IDNA 2003 makes a space of a no-break space and four octets more of every label.
        "é\u00a0.example".encode(),
        ("é." * 84).encode(),
        b"fe80::1%eth0",
    ],
)
def test_what_cannot_be_a_name_is_refused(name: bytes) -> None:
    wire = bytes([0x03, len(name)]) + name + b"\0\x50"
    with pytest.raises(RemoteProtocolError):
        address.decode(wire)
    check(run_core(OneAddress), wire, Outcome(error=RemoteProtocolError))


def test_the_longest_name() -> None:
    for name in (NAME_253, NAME_253 + "."):
        wire = bytes([0x03, len(name)]) + name.encode() + b"\0\x50"
        assert address.decode(wire) == (Endpoint(name, 80), len(wire))
        assert address.encode(Endpoint(name, 80)) == wire
    assert address.MAX_SIZE == 4 + 255


def test_names_outside_ascii_travel_as_idna() -> None:
    # The customary example of IDNA: the German word for books.
    ace = b"xn--bcher-kva.example"
    wire = bytes([0x03, len(ace)]) + ace + b"\0\x50"
    assert address.encode(Endpoint("bücher.example", 80)) == wire
    utf8 = "bücher.example".encode()
    sloppy = bytes([0x03, len(utf8)]) + utf8 + b"\0\x50"
    assert address.decode(sloppy)[0] == Endpoint(ace.decode(), 80)


@pytest.mark.parametrize(
    ("host", "octets"),
    [("192.0.2.7", "01 c0000207 0050"), ("::1", "04 00000000000000000000000000000001 0050")],
)
def test_a_literal_in_the_name_field_leaves_as_the_literal(host: str, octets: str) -> None:
    wire = bytes([0x03, len(host)]) + host.encode() + b"\0\x50"
    endpoint, _ = address.decode(wire)
    assert endpoint == Endpoint(host, 80)
    assert address.encode(endpoint) == bytes.fromhex(octets)


def test_digits_of_other_scripts_are_the_literal_too() -> None:
    fullwidth = "１２７.０.０.１"
    assert address.encode(Endpoint(fullwidth, 80)) == bytes.fromhex("01 7f000001 0050")


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("", 80),
        Endpoint("a" * 254, 80),
        Endpoint("é" * 100, 80),
        Endpoint("exa mple", 80),
        Endpoint("exa\0mple", 80),
        Endpoint("\ud800", 80),
        Endpoint("fe80::1%eth0", 80),
        Endpoint("example.com", -1),
        Endpoint("example.com", 65536),
    ],
)
def test_what_cannot_be_sent_is_our_fault(endpoint: Endpoint) -> None:
    with pytest.raises(LocalProtocolError):
        address.encode(endpoint)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_literals_round_trip(host: object, port: int) -> None:
    endpoint = Endpoint(str(host), port)
    wire = address.encode(endpoint)
    decoded, end = address.decode(wire)
    assert end == len(wire)
    assert decoded.address == endpoint.address
    assert decoded.port == port


@given(st.binary(max_size=300))
def test_any_octets_decode_to_something_that_can_be_sent_or_raise_ours(data: bytes) -> None:
    try:
        endpoint, end = address.decode(data)
    except RemoteProtocolError:
        return
    assert end <= len(data)
    again, _ = address.decode(address.encode(endpoint))
    assert address.encode(again) == address.encode(endpoint)


@given(st.text(max_size=80))
def test_any_name_decodes_to_something_that_can_be_sent_or_raises_ours(name: str) -> None:
    octets = name.encode("utf-8", "surrogatepass")[:255]
    try:
        endpoint, _ = address.decode(bytes([0x03, len(octets)]) + octets + b"\0\x50")
    except RemoteProtocolError:
        return
    assert address.decode(address.encode(endpoint))[0].port == 80
