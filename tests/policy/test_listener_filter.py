"""The filter language: what ss would find, found here too; what it cannot mean, refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import UsageError
from annotated_shadowsocks.policy.listener_filter import parse_address, parse_filter

WEB = Endpoint("0.0.0.0", 80)
TLS = Endpoint("::", 443)
LOCAL = Endpoint("127.0.0.1", 8388)
V6 = Endpoint("2001:db8::1", 443)
ALL = [WEB, TLS, LOCAL, V6]


def found(words: str) -> list[Endpoint]:
    return [endpoint for endpoint in ALL if parse_filter(words)(endpoint)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", ALL),
        ("state listening", ALL),
        ("state listening sport = :80", [WEB]),
        ("sport = :443", [TLS, V6]),
        ("sport=443", [TLS, V6]),
        ("sport :443", [TLS, V6]),
        ("sport eq :443", [TLS, V6]),
        ("sport != :443", [WEB, LOCAL]),
        ("sport neq :443", [WEB, LOCAL]),
        ("sport >= :443", [TLS, LOCAL, V6]),
        ("sport gt :443", [LOCAL]),
        ("sport <= :443", [WEB, TLS, V6]),
        ("sport lt :443", [WEB]),
        ("src 127.0.0.1", [LOCAL]),
        ("src = 127.0.0.0/8", [LOCAL]),
        ("src != 127.0.0.1", [WEB, TLS, V6]),
        ("src 2001:db8::/32", [V6]),
        ("src [2001:db8::]/32:443", [V6]),
        ("src [2001:db8::1]:443", [V6]),
        ("src :443", [TLS, V6]),
        ("src *:443", [TLS, V6]),
        ("src 0.0.0.0/0", [WEB, LOCAL]),
        (":80", [WEB]),
        ("127.0.0.1:8388", [LOCAL]),
        ("127.0.0.1:*", [LOCAL]),
        ("[::]:443", [TLS]),
        (":80 or :8388", [WEB, LOCAL]),
        ("not :443", [WEB, LOCAL]),
        ("! :443", [WEB, LOCAL]),
        ("sport = :443 and src [::]", [TLS]),
        ("sport = :443 src [::]", [TLS]),
        (":80 || :443 && [::]:443", [WEB, TLS]),
        ("( :80 or :443 ) and not [::]:443", [WEB, V6]),
        ("(:80|:443)&!src [::]", [WEB, V6]),
        ("not not :80", [WEB]),
    ],
)
def test_filters(words: str, wanted: list[Endpoint]) -> None:
    assert found(words) == wanted


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("sport", "it ends where a port should be"),
        ("src", "it ends where an address should be"),
        ("state", "it ends where a state should be"),
        ("not", "it ends where a condition, like sport = :443 should be"),
        (":80 or", "it ends where a condition"),
        ("state syn-recv", "only listening sockets are shown here"),
        ("dport = :443", "a listener has no peer; use sport or src"),
        ("dst 10.0.0.1", "a listener has no peer"),
        ("( :80", "a parenthesis is not closed"),
        (":80 )", r"'\)' is too much"),
        ("sport = :https", "'https' is not a port"),
        ("sport = :65536", "'65536' is not a port"),
        ("sport = :٣", "is not a port"),
        ("443", "write :443 for the port"),
        ("localhost:443", "'localhost:443' is not an address"),
        ("src 10.0.0.0/33", "is not an address"),
        ("src 1::2::3", "is not an address"),
        ("and :80", "'and' is not an address"),
        ("(" * 201, "201 words are too many; 200 is the most"),
        ("not " * 199, "it ends where a condition"),
    ],
)
def test_what_cannot_be_meant(words: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_filter(words)


def test_addresses() -> None:
    assert parse_address(":443") == (None, 443)
    assert parse_address("*") == (None, None)
    address = parse_address("[fe80::1]")
    assert (str(address.network), address.port) == ("fe80::1/128", None)


WORDS = [
    "sport",
    "src",
    "=",
    "!=",
    ":80",
    "[::]:443",
    "(",
    ")",
    "and",
    "or",
    "not",
    "10.0.0.0/8",
    "x",
]


@given(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.text(max_size=40))
def test_any_words_are_a_filter_or_a_usage_error(words: str) -> None:
    try:
        meant = parse_filter(words)
    except UsageError:
        return
    assert all(meant(endpoint) in (True, False) for endpoint in ALL)
