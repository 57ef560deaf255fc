"""Each kind: what it takes, what it refuses, and that the refusal says what to write instead."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.config import kinds
from annotated_shadowsocks.config.kinds import HostPort
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError

Kind = Callable[[object], Any]

port_range = kinds.integer(1, 10)
mode = kinds.choice("tcp_only", "udp_only")
positive = kinds.seconds(0.001)


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (kinds.boolean, True, True),
        (kinds.boolean, False, False),
        (kinds.text, "x", "x"),
        (kinds.remark, "", ""),
        (kinds.remark, "x", "x"),
        (mode, "udp_only", "udp_only"),
        (port_range, 1, 1),
        (port_range, "10", 10),
        (positive, 1, 1.0),
        (positive, 0.25, 0.25),
        (positive, "300", 300.0),
        (positive, "0.5", 0.5),
        (kinds.seconds(), 0, 0.0),
        (kinds.port, 0, 0),
        (kinds.port, "65535", 65535),
        (kinds.ports, 8388, (8388,)),
        (kinds.ports, "8388", (8388,)),
        (kinds.ports, [8388, "8389"], (8388, 8389)),
        (kinds.host_port, "example.com", HostPort("example.com", None)),
        (kinds.host_port, " 192.0.2.1:443 ", HostPort("192.0.2.1", 443)),
        (kinds.host_port, "::", HostPort("::", None)),
        (kinds.host_port, "[::1]:443", HostPort("::1", 443)),
        (kinds.host_port, "[::1]", HostPort("::1", None)),
        (kinds.host_ports, "::1", (HostPort("::1", None),)),
        (kinds.host_ports, ["a", "b:1"], (HostPort("a", None), HostPort("b", 1))),
        (kinds.secret, "x", Secret("x")),
        (kinds.port_passwords, {"8388": "x"}, {8388: Secret("x")}),
        (kinds.cipher_method, "aes-128-gcm", TABLE["aes-128-gcm"]),
        (kinds.resolvers, "system", None),
        (kinds.resolvers, "192.0.2.1", (Endpoint("192.0.2.1", 53),)),
        (kinds.resolvers, "192.0.2.1, [::1]:5353", (("192.0.2.1", 53), ("::1", 5353))),
        (kinds.resolvers, ["192.0.2.1:54", "::1"], (("192.0.2.1", 54), ("::1", 53))),
        (kinds.backlog, "auto", None),
        (kinds.backlog, 128, 128),
        (kinds.backlog, "128", 128),
        (kinds.verbosity, 2, 2),
        (kinds.verbosity, True, 1),
        (kinds.verbosity, False, 0),
        (kinds.object_, {}, {}),
        (kinds.objects, [{}], [{}]),
        (kinds.objects, [], []),
    ],
)
def test_taken(kind: Kind, value: object, result: object) -> None:
    assert kind(value) == result


@pytest.mark.parametrize(
    ("kind", "value", "problem", "remedy"),
    [
        (kinds.boolean, "true", "wants true or false, found 'true'", "without quotes"),
        (kinds.boolean, 1, "wants true or false, found 1", "without quotes"),
        (kinds.text, "", "wants text, found nothing", "double quotes"),
        (kinds.text, 5, "wants text, found 5", "double quotes"),
        (kinds.text, "\udcff", "not UTF-8", "write it in UTF-8"),
        (kinds.remark, [], "wants text, found a list", "double quotes"),
        (mode, "both", "wants tcp_only or udp_only, found 'both'", "write tcp_only or udp_only"),
        (mode, True, "wants tcp_only or udp_only, found a boolean", "write tcp_only or udp_only"),
        (port_range, 0, "a whole number from 1 to 10, found 0", "use 1 to 10"),
        (port_range, 11, "found 11", "use 1 to 10"),
        (port_range, 5.0, "found 5.0", "use 1 to 10"),
        (port_range, True, "found a boolean", "use 1 to 10"),
        (port_range, "-5", "found '-5'", "use 1 to 10"),
        (port_range, "５", "found '５'", "use 1 to 10"),
        (port_range, "9" * 5000, "found '999", "use 1 to 10"),
        (positive, 0, "wants a number of seconds, found 0", "0.001 or more"),
        (positive, -1, "found -1", "0.001 or more"),
        (positive, math.inf, "found inf", "0.001 or more"),
        (positive, "nan", "found 'nan'", "0.001 or more"),
        (positive, "1e999", "found '1e999'", "0.001 or more"),
        (positive, "soon", "found 'soon'", "0.001 or more"),
        (positive, False, "found a boolean", "0.001 or more"),
        (kinds.port, 65536, "wants a port, found 65536", "use 1 to 65535"),
        (kinds.port, "http", "wants a port, found 'http'", "use 1 to 65535"),
        (kinds.port, None, "wants a port, found nothing", "use 1 to 65535"),
        (kinds.ports, [], "wants a port, found a list", "at least one"),
        (kinds.ports, [1, {}], "wants a port, found an object", "use 1 to 65535"),
        (kinds.host_port, 5, "wants a host, found 5", "double quotes"),
        (kinds.host_port, "", "no host", "host:port"),
        (kinds.host_port, "a:b", "'b' in 'a:b' is not a port", "use 0 to 65535"),
        (kinds.host_port, "a b", "is not a host", "take the spaces out"),
        (kinds.host_port, "a,b", "wants a host, found 'a,b'", "one address or one name"),
        (kinds.host_port, "http://a", "is not a port", "use 0 to 65535"),
        (kinds.host_port, "a/b", "wants a host, found 'a/b'", "one address or one name"),
        (kinds.host_port, "x" * 254, "wants a host, found 'xxx", "one address or one name"),
        (kinds.host_port, "a:b:c", "not an address", "[address]:port"),
        (kinds.host_ports, [], "wants a host, found a list", "at least one"),
        (kinds.secret, 12345, "found a number", "double quotes"),
        (kinds.secret, None, "found nothing", "double quotes"),
        (kinds.secret, "", "an empty password", "ssservice genkey"),
        (kinds.secret, "mypassword", "a published example", "ssservice genkey"),
        (kinds.secret, "\udcff", "not UTF-8", "write it in UTF-8"),
        (
            kinds.port_passwords,
            {},
            "wants passwords by port, found an object",
            '{"8388": "password", …}',
        ),
        (
            kinds.port_passwords,
            "x",
            "wants passwords by port, found 'x'",
            '{"8388": "password", …}',
        ),
        (kinds.port_passwords, {"x": "y"}, "wants a port, found 'x'", "use 1 to 65535"),
        (kinds.port_passwords, {"1": 1}, "found a number", "double quotes"),
        (kinds.cipher_method, "aes-128-gmc", "unknown method", "did you mean aes-128-gcm?"),
        (kinds.cipher_method, "rc5-md5", "unknown method", "there is aes-128-gcm, aes-192-gcm"),
        (kinds.cipher_method, 5, "wants text, found 5", "double quotes"),
        (kinds.resolvers, "google", "the address of a DNS server, found 'google'", "192.0.2.1"),
        (kinds.resolvers, "tcp://192.0.2.1", "the address of a DNS server", "192.0.2.1"),
        (kinds.resolvers, "unix:///x", "the address of a DNS server", "192.0.2.1"),
        (kinds.resolvers, [], "wants DNS servers, found a list", "list of addresses"),
        (kinds.resolvers, {}, "wants DNS servers, found an object", "list of addresses"),
        (kinds.resolvers, [5], "the address of a DNS server, found 5", "192.0.2.1"),
        (kinds.backlog, 0, "wants a backlog, found 0", "use auto"),
        (kinds.backlog, 1 << 31, "wants a backlog", "use auto"),
        (kinds.backlog, "max", "wants a backlog, found 'max'", "use auto"),
        (kinds.verbosity, 4, "a whole number from 0 to 3", "use 0 to 3"),
        (kinds.object_, [], "wants an object, found a list", "{ … }"),
        (kinds.objects, {}, "wants a list of objects, found an object", "[{ … }, { … }]"),
        (kinds.objects, [1], "wants a list of objects, found a list", "[{ … }, { … }]"),
        (kinds.link, "http://x", "not a Shadowsocks URL", "ss://"),
    ],
)
def test_refused(kind: Kind, value: object, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(value)
    assert caught.value.place == ""
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("value", [["hunter2"], {"hunter2": 1}, "\udcffhunter2"])
@pytest.mark.parametrize("kind", [kinds.secret, lambda value: kinds.port_passwords({"1": value})])
def test_refused_secrets_are_not_shown(kind: Kind, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(value)
    assert "hunter2" not in str(caught.value)


def test_long_text_is_shown_in_part() -> None:
    with pytest.raises(ConfigError) as caught:
        mode("x" * 10_000)
    assert len(str(caught.value)) < 200


KINDS = [
    kinds.backlog,
    kinds.boolean,
    kinds.cipher_method,
    kinds.host_ports,
    kinds.link,
    kinds.objects,
    kinds.port_passwords,
    kinds.ports,
    kinds.remark,
    kinds.resolvers,
    kinds.secret,
    kinds.verbosity,
    port_range,
    positive,
    mode,
]
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(), leaves, max_size=3)


@given(st.sampled_from(KINDS), values)
def test_any_value_is_taken_or_refused_with_a_remedy(kind: Kind, value: object) -> None:
    try:
        kind(value)
    except ConfigError as error:
        assert error.problem
        assert error.remedy


@pytest.mark.parametrize(
    ("written", "version"),
    [
        # sing-box, "UDP over TCP": a boolean, or an object whose version is 2 where it is not said
        (False, 0),
        (True, 2),
        ({"enabled": True}, 2),
        ({"enabled": True, "version": 0}, 2),
        ({"enabled": True, "version": 1}, 1),
        ({"enabled": True, "version": 2}, 2),
        ({"enabled": False, "version": 1}, 0),
        ({}, 0),
        (0, 0),
        (1, 1),
        ("2", 2),
    ],
)
def test_versions_of_udp_over_tcp(written: object, version: int) -> None:
    assert kinds.udp_over_tcp(written) == version


@pytest.mark.parametrize(
    "written", [3, -1, "yes", None, {"enabled": True, "version": 3}, {"on": True}, {"enabled": 1}]
)
def test_what_is_no_version_of_udp_over_tcp(written: object) -> None:
    with pytest.raises(ConfigError):
        kinds.udp_over_tcp(written)
