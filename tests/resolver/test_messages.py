"""Messages by hand, from the figures of RFC 1035 section 4.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.resolver.messages import build_query, read_response
from annotated_shadowsocks.resolver.question import Answer, Failure, Query, Response, Truncation

SERVER = Endpoint("192.0.2.53", 53)
QUERY = Query(0xBEEF, "www.example.test", "A", SERVER)

# RFC 1035 section 4.1.2: QNAME as length octets and labels, QTYPE, QCLASS.
QNAME = b"\x03www\x07example\x04test\x00"
QUESTION = QNAME + bytes.fromhex("0001 0001")
# RFC 1035 section 4.1.4: a pointer to offset 12, where the question's name begins.
HERE = b"\xc0\x0c"


def header(flags: str, answers: int = 0, authorities: int = 0, id_: str = "beef") -> bytes:
    """RFC 1035 section 4.1.1: ID, flags, and the four counts."""
    return bytes.fromhex(f"{id_} {flags} 0001 {answers:04x} {authorities:04x} 0000")


def record(owner: bytes, rtype: int, ttl: int, rdata: bytes) -> bytes:
    """RFC 1035 section 4.1.3: NAME, TYPE, CLASS IN, TTL, RDLENGTH, RDATA."""
    fields = rtype.to_bytes(2, "big") + b"\x00\x01" + ttl.to_bytes(4, "big")
    return owner + fields + len(rdata).to_bytes(2, "big") + rdata


A, CNAME, SOA, AAAA = 1, 5, 6, 28
OK, MISSING, BROKEN, TRUNCATED = "8180", "8183", "8182", "8380"
SOA_RDATA = b"\x02ns\x00\x04root\x00" + b"".join(n.to_bytes(4, "big") for n in (1, 2, 3, 4, 77))


def test_a_query_is_a_header_with_rd_and_one_question() -> None:
    assert build_query(QUERY) == bytes.fromhex("beef 0100 0001 0000 0000 0000") + QUESTION


def test_the_type_of_aaaa_is_28() -> None:
    wire = build_query(Query(1, "www.example.test", "AAAA", SERVER))
    assert wire == bytes.fromhex("0001 0100 0001 0000 0000 0000") + QNAME + b"\x00\x1c\x00\x01"


def test_no_octet_of_a_name_is_special() -> None:
    wire = build_query(Query(1, "a\\.@.test", "A", SERVER))
    assert wire[12:-4] == b"\x02a\\\x01@\x04test\x00"


ADDRESS = record(HERE, A, 300, bytes([192, 0, 2, 7]))
OTHER = record(HERE, A, 200, bytes([192, 0, 2, 8]))
# An alias of the question's name, and the alias's own address: "x" under the name's suffix.
ALIAS = record(HERE, CNAME, 60, b"\x01x\xc0\x10")
ALIASED = record(b"\x01x\xc0\x10", A, 300, bytes([192, 0, 2, 9]))

RESPONSES: dict[str, tuple[bytes, Response | None]] = {
    "one address": (header(OK, 1) + QUESTION + ADDRESS, Answer(("192.0.2.7",), 300)),
    "two addresses, the lower ttl": (
        header(OK, 2) + QUESTION + ADDRESS + OTHER,
        Answer(("192.0.2.7", "192.0.2.8"), 200),
    ),
    "an alias followed": (
        header(OK, 2) + QUESTION + ALIAS + ALIASED,
        Answer(("192.0.2.9",), 60),
    ),
    "an alias whose target comes first": (
        header(OK, 2) + QUESTION + ALIASED + ALIAS,
        Answer(("192.0.2.9",), 60),
    ),
    "somebody else's address": (header(OK, 1) + QUESTION + ALIASED, Answer((), 0)),
    "an address of the other type": (
        header(OK, 1) + QUESTION + record(HERE, AAAA, 300, bytes(16)),
        Answer((), 0),
    ),
    "no such name": (
        header(MISSING, 0, 1) + QUESTION + record(b"\xc0\x18", SOA, 900, SOA_RDATA),
        Answer((), 77, name_exists=False),
    ),
    "truncated, and cut in mid-record": (
        header(TRUNCATED, 1) + QUESTION + ADDRESS[:-2],
        Truncation(),
    ),
    "server failure": (header(BROKEN) + QUESTION, Failure("answered SERVFAIL")),
    "server failure without the question": (
        bytes.fromhex("beef 8182 0000 0000 0000 0000"),
        Failure("answered SERVFAIL"),
    ),
    "a referral by a server that does not recurse": (
        header("8100") + QUESTION,
        Failure("does not resolve names for others"),
    ),
    "an alias of itself": (
        header(OK, 1) + QUESTION + record(HERE, CNAME, 60, HERE),
        Failure("answered nonsense (ChainTooLong)"),
    ),
    "no such name, and an address": (
        header(MISSING, 1) + QUESTION + ADDRESS,
        Failure("answered nonsense (AnswerForNXDOMAIN)"),
    ),
    "octets behind the message": (
        header(OK, 1) + QUESTION + ADDRESS + b"junk",
        Answer(("192.0.2.7",), 300),
    ),
    "another letter case": (
        header(OK, 1) + QUESTION.replace(b"www", b"WwW") + ADDRESS,
        Answer(("192.0.2.7",), 300),
    ),
    # What is not a response to the query:
    "another id": (header(OK, 1, id_="beee") + QUESTION + ADDRESS, None),
    "another name": (header(OK, 1) + QUESTION.replace(b"www", b"ww2") + ADDRESS, None),
    "another type": (header(OK, 1) + QNAME + b"\x00\x1c\x00\x01" + ADDRESS, None),
    "another class": (header(OK, 1) + QNAME + b"\x00\x01\x00\x03" + ADDRESS, None),
    "truncated, about another name": (
        header(TRUNCATED) + QUESTION.replace(b"www", b"ww2"),
        None,
    ),
    "no question": (bytes.fromhex("beef 8180 0000 0000 0000 0000"), None),
    "the query itself": (header("0100") + QUESTION, None),
    "another opcode": (header("a980") + QUESTION, None),
    "no octets": (b"", None),
    "half a header": (header(OK)[:7], None),
    "a record that ends early": (header(OK, 1) + QUESTION + ADDRESS[:-2], None),
    "an address of three octets": (
        header(OK, 1) + QUESTION + record(HERE, A, 300, bytes(3)),
        None,
    ),
    "a pointer to itself": (header(OK, 1) + b"\xc0\x0c\x00\x01\x00\x01", None),
}


@pytest.mark.parametrize(("wire", "said"), RESPONSES.values(), ids=RESPONSES.keys())
def test_what_a_response_says(wire: bytes, said: Response | None) -> None:
    assert read_response(QUERY, wire) == said


def test_no_more_records_are_read_than_can_be_used() -> None:
    many = b"".join(record(HERE, A, 300, bytes([10, 0, n >> 8, n & 255])) for n in range(4000))
    said = read_response(QUERY, header(OK, 4000) + QUESTION + many)
    assert isinstance(said, Answer)
    assert len(said.addresses) == 48


@given(st.binary(max_size=80), st.sampled_from([OK, MISSING, BROKEN, TRUNCATED]), st.integers(0, 9))
def test_octets_of_any_kind_are_read_without_another_exception(
    rest: bytes, flags: str, answers: int
) -> None:
    for wire in (
        b"\xbe\xef" + rest,
        header(flags, answers, answers) + rest,
        header(flags, answers, answers) + QUESTION + rest,
    ):
        said = read_response(QUERY, wire)
        assert said is None or isinstance(said, Answer | Failure | Truncation)


@given(st.integers(1, 65535), st.binary(max_size=40), st.booleans())
def test_records_of_any_type_are_read_without_another_exception(
    rtype: int, rdata: bytes, first: bool
) -> None:
    strange = record(HERE, rtype, 300, rdata)
    records = strange + ADDRESS if first else ADDRESS + strange
    said = read_response(QUERY, header(OK, 2) + QUESTION + records)
    assert said is None or isinstance(said, Answer | Failure)
