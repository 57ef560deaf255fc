"""Endpoints as people write them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7:8388", "192.0.2.7", 8388),
        ("example.com:443", "example.com", 443),
        ("example.com.:443", "example.com.", 443),
        ("bücher.example:80", "bücher.example", 80),
        ("[2001:db8::1]:8388", "2001:db8::1", 8388),
        ("[fe80::1%eth0]:8388", "fe80::1%eth0", 8388),
        ("[::]:0", "::", 0),
        ("example.com:65535", "example.com", 65535),
    ],
)
def test_host_and_port(text: str, host: str, port: int) -> None:
    endpoint = Endpoint.parse(text)
    assert endpoint == Endpoint(host, port)
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        # A literal, not ``::1`` and a port: whoever means that writes the brackets.
        ("::1:8388", "::1:8388"),
    ],
)
def test_bare_host_takes_the_default_port(text: str, host: str) -> None:
    assert Endpoint.parse(text, default_port=1080) == Endpoint(host, 1080)
    with pytest.raises(ConfigError, match="has no port"):
        Endpoint.parse(text)


def test_a_written_port_beats_the_default() -> None:
    assert Endpoint.parse("example.com:443", default_port=1080) == Endpoint("example.com", 443)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no host"),
        (":8388", "has no host"),
        ("example.com:", "is not a port"),
        ("example.com:http", "is not a port"),
        ("example.com:-1", "is not a port"),
        ("example.com:65536", "is not a port"),
        ("example.com:٣", "is not a port"),
        ("example.com:" + "1" * 5000, "is not a port"),
        ("[::1]:", "is not a port"),
        ("[::1]x:80", "is not an address"),
        ("[::1", "is not an address"),
        ("[example.com]:80", "is not an address"),
        ("[]:80", "is not an address"),
        ("example.com:80:90", "is not an address"),
        ("exam ple.com:80", "is not a host"),
        ("example.com\n:80", "is not a host"),
    ],
)
def test_what_is_not_an_endpoint_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Endpoint.parse(text, default_port=1080)
    assert repr(text) in str(caught.value) or text == ""
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", ipaddress.IPv4Address("192.0.2.7")),
        ("2001:db8::1", ipaddress.IPv6Address("2001:db8::1")),
        ("example.com", None),
        # What C's inet_aton would take for 127.0.0.1 is a name until somebody looks it up.
        ("127.1", None),
        ("0x7f000001", None),
    ],
)
def test_address(host: str, address: object) -> None:
    assert Endpoint(host, 80).address == address


@given(st.ip_addresses(), st.integers(0, 65535))
def test_text_form_round_trips(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    endpoint = Endpoint(str(address), port)
    assert Endpoint.parse(str(endpoint)) == endpoint


@given(st.text(), st.none() | st.integers(0, 65535))
def test_only_config_errors_escape(text: str, default_port: int | None) -> None:
    try:
        endpoint = Endpoint.parse(text, default_port)
    except ConfigError:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint
