"""The whole of it: documents of real peers, settings of the whole program, errors."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.config.build import build
from annotated_shadowsocks.config.model import Config, LogConfig
from annotated_shadowsocks.config.options import OPTIONS
from annotated_shadowsocks.config.reader import read
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError

ONE = {"server": "h", "password": "p", "method": "aes-256-gcm"}

Configure = Callable[..., Config]
Problems = Callable[..., list[str]]


def test_defaults(configure: Configure) -> None:
    config = configure(json.dumps(ONE))
    assert config == Config(config.servers, config.locals)


@pytest.mark.parametrize(
    ("key", "value", "field", "wanted"),
    [
        ("timeout", 5, "timeout", 5.0),
        ("timeout", 0.2, "timeout", 0.2),
        ("udp_timeout", 7, "udp_timeout", 7.0),
        ("udp_max_associations", 512, "udp_max_associations", 512),
        ("no_delay", False, "no_delay", False),
        ("keep_alive", 0, "keep_alive", 0),
        ("fast_open", True, "fast_open", True),
        ("ipv6_first", True, "ipv6_first", True),
        ("prefer_ipv6", True, "ipv6_first", True),
        ("nofile", 51200, "nofile", 51200),
        ("backlog", "auto", "backlog", None),
        ("backlog", 4096, "backlog", 4096),
        ("backlog_adaptive", True, "backlog_adaptive", True),
        ("reuse_port", True, "reuse_port", True),
        ("defer_accept", 5, "defer_accept", 5),
        ("workers", 4, "workers", 4),
        ("allow_private_targets", True, "allow_private_targets", True),
        ("dns", "system", "dns", None),
        ("dns", ["192.0.2.1"], "dns", (Endpoint("192.0.2.1", 53),)),
        ("nameserver", "192.0.2.1,192.0.2.2", "dns", (("192.0.2.1", 53), ("192.0.2.2", 53))),
        ("dns_server", ["192.0.2.1"], "dns", (Endpoint("192.0.2.1", 53),)),
        ("shutdown_grace", 0, "shutdown_grace", 0.0),
        ("verbose", 1, "log", LogConfig(1)),
        ("verbose", True, "log", LogConfig(1)),
        ("log", {"level": 2}, "log", LogConfig(2)),
        ("log", {"format": {"without_time": True}}, "log", LogConfig(0, True)),
    ],
)
def test_settings_of_the_whole_program(
    key: str, value: object, field: str, wanted: object, configure: Configure
) -> None:
    assert getattr(configure(json.dumps(ONE | {key: value})), field) == wanted
    assert getattr(configure(json.dumps(ONE | {key: value}), "ssserver"), field) == wanted


@pytest.mark.parametrize(
    ("flags", "field", "wanted"),
    [
        ({"timeout": "5"}, "timeout", 5.0),
        ({"keep_alive": "0"}, "keep_alive", 0),
        ({"workers": "3"}, "workers", 3),
        ({"dns": "192.0.2.9"}, "dns", (Endpoint("192.0.2.9", 53),)),
        ({"verbose": 2}, "log", LogConfig(2)),
        ({"without_time": True}, "log", LogConfig(1, True)),
    ],
)
def test_a_flag_wins(
    flags: dict[str, object], field: str, wanted: object, configure: Configure
) -> None:
    document = {"timeout": 9, "keep_alive": 9, "workers": 9, "dns": "192.0.2.1"}
    text = json.dumps(ONE | document | {"log": {"level": 1}})
    assert getattr(configure(text, flags=flags), field) == wanted


# Documents as the peers' own manuals show them, with secrets and hosts of documentation.
LIBEV = """{
    "server": ["[::0]", "0.0.0.0"],
    "server_port": 8388,
    "local_port": 1080,
    "password": "barfoo!",
    "timeout": 60,
    "method": "chacha20-ietf-poly1305",
    "mode": "tcp_and_udp",
    "fast_open": false,
    "reuse_port": false,
    "nameserver": "192.0.2.53",
    "plugin": "",
    "plugin_opts": ""
}"""
RUST = """{
    // several servers and listeners, as JSON5
    "servers": [
        {
            "server": "192.0.2.1", "server_port": 8388, "password": "rwQc8qPXVsRpGx3uW+Y3Lj4Y42yF",
            "method": "aes-256-gcm", "timeout": 7200, "remarks": "one", "id": "x",
        },
        {
            "disabled": true,
            "address": "2001:db8::2", "port": 8389, "password": "/dliNXn5V4jg6vBW4MnC1I8Jljg9x7",
            "method": "chacha20-ietf-poly1305", "name": "two",
        },
    ],
    "locals": [
        {"local_address": "127.0.0.1", "local_port": 1080, "mode": "tcp_and_udp"},
        {"protocol": "socks", "local_address": "::1", "local_port": 1080},
    ],
    "udp_timeout": 300, "udp_max_associations": 512, "keep_alive": 15, "nofile": 10240,
    "ipv6_first": false, "no_delay": false, "mptcp": false,
    "log": {"level": 1, "format": {"without_time": false}},
}"""
PYTHON = """{
    "server": "my_server_ip",
    "local_address": "127.0.0.1",
    "local_port": 1080,
    "port_password": {
        "8381": "foobar1",
        "8382": "foobar2"
    },
    "timeout": 300,
    "method": "aes-256-gcm",
    "fast_open": false,
    "workers": 1,
    "prefer_ipv6": false,
    "pid-file": "/var/run/shadowsocks.pid",
    "log-file": "/var/log/shadowsocks.log"
}"""
SIP008 = """{
    "version": 1,
    "servers": [
        {
            "id": "27b8a625-4f4b-4428-9f0f-8a2317db7c79",
            "remarks": "Name of the server",
            "server": "example.com",
            "server_port": 8388,
            "password": "example",
            "method": "chacha20-ietf-poly1305",
            "plugin": "",
            "plugin_opts": ""
        }
    ],
    "bytes_used": 274877906944,
    "bytes_remaining": 824633720832
}"""


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        (LIBEV, ["[::0]:8388", "0.0.0.0:8388"]),
        (RUST, ["192.0.2.1:8388"]),
        (PYTHON, ["my_server_ip:8381", "my_server_ip:8382"]),
        (SIP008, ["example.com:8388"]),
    ],
)
@pytest.mark.parametrize("program", ["sslocal", "ssserver"])
def test_documents_of_peers(
    text: str, servers: list[str], program: str, configure: Configure
) -> None:
    assert [str(one.endpoint) for one in configure(text, program).servers] == servers


def test_two_servers_on_one_endpoint(configure: Configure, problems: Problems) -> None:
    text = json.dumps(ONE | {"server": ["h", "h"]})
    assert problems(text, "ssserver") == [
        "c.json: h:8388 is configured twice; remove one of the two"
    ]
    assert len(configure(text, "sslocal").servers) == 2
    assert len(configure(json.dumps(ONE | {"server": ["h:0", "h:0"]}), "ssserver").servers) == 2


def test_what_could_not_be_read_is_not_missing_as_well(problems: Problems) -> None:
    text = '{\n"server": 5,\n"password": [],\n"method": "x",\n"modee": 1}'
    assert [line.partition(";")[0] for line in problems(text)] == [
        "c.json:2:1 server: wants a host, found 5",
        "c.json:3:1 password: found a list",
        "c.json:4:1 method: unknown method 'x'",
        "c.json:5:1 modee: unknown key 'modee'",
    ]


REMARK, LEVEL = '"remark"', '"level"'


def test_problems_deep_inside_have_line_and_column(problems: Problems) -> None:
    text = RUST.replace('"remarks": "one"', '"remark": "one"').replace('"level": 1', '"level": 9')
    lines = text.splitlines()
    remark = next(n for n, line in enumerate(lines) if REMARK in line)
    level = next(n for n, line in enumerate(lines) if LEVEL in line)
    assert [line.partition(";")[0] for line in problems(text)] == [
        f"c.json:{remark + 1}:{lines[remark].index(REMARK) + 1} servers[0].remark: "
        "unknown key 'remark'",
        f"c.json:{level + 1}:{lines[level].index(LEVEL) + 1} log.level: "
        "wants a whole number from 0 to 3, found 9",
    ]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 70000),
    st.sampled_from(["", "x", "tcp_only", "8388", "127.0.0.1", "aes-256-gcm", "auto", "good"]),
    st.just([]),
    st.just({}),
    st.lists(st.just({}), max_size=2),
    st.dictionaries(st.sampled_from(["server", "local_port", "level", "8388", "x"]), st.just("h")),
)
documents = st.dictionaries(
    st.sampled_from([name for row in OPTIONS for name in row.names] + ["x"]), values, max_size=6
)


@given(documents, st.sampled_from(["sslocal", "ssserver"]))
def test_any_document_is_a_configuration_or_an_error_with_a_place(
    document: dict[str, object], program: str
) -> None:
    def read_text(path: str) -> str:
        raise ConfigError("", f"cannot read {path}", "check the name")

    try:
        build(read(json.dumps(document), "c.json"), {}, program, {}, read_text)
    except ConfigError as error:
        assert error.place.startswith("c.json")
        assert error.problem
        assert error.remedy


def test_users_on_udp_want_one_worker(configure: Configure) -> None:
    """Who has given a password is known to one worker, and any of them may get the datagram."""
    document = {
        "server": "192.0.2.1",
        "password": "correct horse battery staple",
        "method": "aes-256-gcm",
        "mode": "tcp_and_udp",
        "socks5_auth_config_path": "users",
    }
    assert configure(json.dumps(document)).workers == 1
    with pytest.raises(ConfigError, match="set workers to 1"):
        configure(json.dumps({**document, "workers": 2}))
    assert configure(json.dumps({**document, "workers": 2, "mode": "tcp_only"})).workers == 2


def test_a_day_is_not_a_handshake(configure: Configure) -> None:
    """What Debian ships for shadowsocks-libev says 86400, and means an idle timeout."""
    document = {
        "server": ["::1", "127.0.0.1"],
        "mode": "tcp_and_udp",
        "server_port": 8388,
        "local_port": 1080,
        "password": "LetMeInWithAVeryLongPassword",
        "timeout": 86400,
        "method": "chacha20-ietf-poly1305",
    }
    config = configure(json.dumps(document))
    assert config.timeout == 60.0
    assert {server.timeout for server in config.servers} == {60.0}
