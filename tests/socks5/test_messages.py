"""The numbers of SOCKS5 against the lists of RFC 1928, and the shared figure."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError
from annotated_shadowsocks.socks5.messages import (
    UNSPECIFIED,
    AuthMethod,
    Command,
    Reply,
    RequestRefused,
    encode,
)


def test_the_lists_of_the_rfc() -> None:
    # [RFC1928 §3] [RFC1928 §4] [RFC1928 §6] each value with the words of the list, in its order
    assert [(m.value, m.name) for m in AuthMethod] == [
        (0x00, "NO_AUTHENTICATION_REQUIRED"),
        (0x01, "GSSAPI"),
        (0x02, "USERNAME_PASSWORD"),
        (0xFF, "NO_ACCEPTABLE_METHODS"),
    ]
    assert [(c.value, c.name) for c in Command] == [
        (0x01, "CONNECT"),
        (0x02, "BIND"),
        (0x03, "UDP_ASSOCIATE"),
    ]
    assert [(r.value, r.name) for r in Reply] == [
        (0x00, "SUCCEEDED"),
        (0x01, "GENERAL_SOCKS_SERVER_FAILURE"),
        (0x02, "CONNECTION_NOT_ALLOWED_BY_RULESET"),
        (0x03, "NETWORK_UNREACHABLE"),
        (0x04, "HOST_UNREACHABLE"),
        (0x05, "CONNECTION_REFUSED"),
        (0x06, "TTL_EXPIRED"),
        (0x07, "COMMAND_NOT_SUPPORTED"),
        (0x08, "ADDRESS_TYPE_NOT_SUPPORTED"),
    ]


@pytest.mark.parametrize(
    ("code", "endpoint", "octets"),
    [
        (Command.CONNECT, Endpoint("192.0.2.7", 80), "05 01 00 01 c0000207 0050"),
        (Command.UDP_ASSOCIATE, UNSPECIFIED, "05 03 00 01 00000000 0000"),
        (Reply.SUCCEEDED, Endpoint("::1", 80), f"05 00 00 04 {'00' * 15}01 0050"),
        (Reply.HOST_UNREACHABLE, UNSPECIFIED, "05 04 00 01 00000000 0000"),
    ],
)
def test_figure(code: Command | Reply, endpoint: Endpoint, octets: str) -> None:
    # [RFC1928 §4] ver cmd rsv atyp dst_addr dst_port
    # [RFC1928 §6] ver rep rsv atyp bnd_addr bnd_port
    assert encode(code, endpoint) == bytes.fromhex(octets)


def test_an_endpoint_that_cannot_be_sent() -> None:
    with pytest.raises(LocalProtocolError):
        encode(Command.CONNECT, Endpoint("", 80))


def test_a_refusal_says_why_in_the_words_of_the_rfc() -> None:
    error = RequestRefused(Reply.CONNECTION_NOT_ALLOWED_BY_RULESET)
    assert error.reply is Reply.CONNECTION_NOT_ALLOWED_BY_RULESET
    assert "connection not allowed by ruleset" in str(error)
