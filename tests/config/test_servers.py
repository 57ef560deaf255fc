"""Which servers a configuration means, and which password opens each."""

import json
import re
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint

ONE = {"server": "h", "server_port": 1, "password": "p", "method": "aes-256-gcm"}

#: aes-128-gcm:test, the first example of the SIP002 page.
URL = "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888"

Configure = Callable[..., Config]
Problems = Callable[..., list[str]]


def logins(config: Config) -> list[tuple[str, str]]:
    return [(str(server.endpoint), server.password.reveal()) for server in config.servers]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, [("h:1", "p")]),
        ({"server_port": "2"}, [("h:2", "p")]),
        ({"server_port": None}, [("h:8388", "p")]),
        ({"server": "h:9"}, [("h:9", "p")]),
        ({"server": "[::1]:9"}, [("[::1]:9", "p")]),
        ({"server": "::1"}, [("[::1]:1", "p")]),
        ({"server": ["a", "b:2"]}, [("a:1", "p"), ("b:2", "p")]),
        ({"server_port": [1, 2]}, [("h:1", "p"), ("h:2", "p")]),
        (
            {"server": ["a", "b"], "server_port": [1, 2]},
            [("a:1", "p"), ("a:2", "p"), ("b:1", "p"), ("b:2", "p")],
        ),
        ({"port_password": {"7": "x", "8": "y"}}, [("h:7", "x"), ("h:8", "y")]),
        ({"servers": [{"server": "a", "port": 5}]}, [("h:1", "p"), ("a:5", "p")]),
        ({"servers": [{"address": "a", "password": "q"}]}, [("h:1", "p"), ("a:1", "q")]),
        ({"servers": [{"server": "a", "disabled": True}]}, [("h:1", "p")]),
        (
            {"server": None, "servers": [{"server": "a"}, {"server": "b"}]},
            [("a:1", "p"), ("b:1", "p")],
        ),
        ({"server": None, "shadowsocks": [{"server": "a"}]}, [("a:1", "p")]),
    ],
)
def test_which_servers(
    change: dict[str, object], wanted: list[tuple[str, str]], configure: Configure
) -> None:
    assert logins(configure(json.dumps(ONE | change))) == wanted


def test_an_entry_has_its_own_settings_or_those_of_the_top(configure: Configure) -> None:
    entry = {"server": "a", "method": "aes-128-gcm", "timeout": 5, "name": "A", "mode": "udp_only"}
    text = json.dumps(ONE | {"timeout": 7, "remarks": "top", "servers": [entry, {"server": "b"}]})
    top, first, second = configure(text, "ssserver").servers
    assert (top.timeout, top.remarks, top.method.name) == (7, "top", "aes-256-gcm")
    assert (first.timeout, first.remarks, first.method.name) == (5, "A", "aes-128-gcm")
    assert (first.tcp, first.udp) == (False, True)
    assert (second.timeout, second.remarks, second.method.name) == (7, "", "aes-256-gcm")
    assert (second.tcp, second.udp) == (True, False)


def test_at_the_server_the_mode_is_the_servers(configure: Configure) -> None:
    (server,) = configure(json.dumps(ONE | {"mode": "tcp_and_udp"}), "ssserver").servers
    assert (server.tcp, server.udp) == (True, True)
    (server,) = configure(json.dumps(ONE), "ssserver").servers
    assert (server.tcp, server.udp) == (True, False)


def test_at_the_client_the_mode_is_the_listeners(configure: Configure) -> None:
    config = configure(json.dumps(ONE | {"mode": "udp_only"}), "sslocal")
    assert (config.servers[0].tcp, config.servers[0].udp) == (True, True)
    assert (config.locals[0].tcp, config.locals[0].udp) == (False, True)
    text = json.dumps(ONE | {"server": None, "servers": [{"server": "a", "mode": "tcp_only"}]})
    config = configure(text, "sslocal", {"mode": "tcp_and_udp"})
    assert (config.servers[0].tcp, config.servers[0].udp) == (True, False)


# --- passwords ---


def test_a_password_from_the_environment(configure: Configure) -> None:
    text = json.dumps(ONE | {"password": "${PW}"})
    assert logins(configure(text, PW="secret")) == [("h:1", "secret")]
    text = json.dumps(ONE | {"port_password": {"7": "${PW}"}})
    assert logins(configure(text, PW="secret")) == [("h:7", "secret")]


@pytest.mark.parametrize("name", ["good", "windows"])
def test_a_password_from_a_file_is_its_first_line(name: str, configure: Configure) -> None:
    text = json.dumps(ONE | {"password": None, "password_file": name})
    assert logins(configure(text)) == [("h:1", "from-a-file")]


def test_the_environment_is_the_last_resort(configure: Configure) -> None:
    text = json.dumps(ONE | {"password": None})
    assert logins(configure(text, SS_SERVER_PASSWORD="env")) == [("h:1", "env")]
    assert logins(configure(json.dumps(ONE), SS_SERVER_PASSWORD="env")) == [("h:1", "p")]


def test_an_entrys_file_wins_over_the_tops_password(configure: Configure) -> None:
    text = json.dumps(ONE | {"servers": [{"server": "a", "password_file": "good"}]})
    assert logins(configure(text)) == [("h:1", "p"), ("a:1", "from-a-file")]


# --- the command line ---


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"password": "q"}, [("h:1", "q"), ("a:1", "q")]),
        ({"password_file": "good"}, [("h:1", "from-a-file"), ("a:1", "from-a-file")]),
        ({"server_port": "9"}, [("h:9", "p"), ("a:9", "x")]),
        ({"server": "c:3"}, [("c:3", "p")]),
        ({"server": "c:3", "server_port": "9"}, [("c:3", "p")]),
        ({"server": "c:3", "password": "q"}, [("c:3", "q")]),
        ({"server": "c"}, [("c:1", "p")]),
        ({"server_url": URL}, [("192.168.100.1:8888", "test")]),
    ],
)
def test_a_flag_replaces_what_the_document_says(
    flags: dict[str, object], wanted: list[tuple[str, str]], configure: Configure
) -> None:
    text = json.dumps(ONE | {"servers": [{"server": "a", "password": "x"}]})
    assert logins(configure(text, flags=flags)) == wanted


def test_a_port_on_the_command_line_replaces_one_beside_a_host(configure: Configure) -> None:
    text = json.dumps(ONE | {"server": ["a:5", "b"], "server_port": 7})
    assert logins(configure(text, flags={"server_port": "9"})) == [("a:9", "p"), ("b:9", "p")]


def test_flags_alone_are_a_configuration(configure: Configure) -> None:
    flags = {"server": "h:1", "method": "aes-128-gcm", "password": "p"}
    (server,) = configure(flags=flags).servers
    assert (server.endpoint, server.method.name) == (Endpoint("h", 1), "aes-128-gcm")


def test_a_url_and_a_server_are_two_servers(configure: Configure) -> None:
    flags = {"server": "h:1", "method": "aes-256-gcm", "password": "p", "server_url": f"{URL}#tag"}
    first, second = configure(flags=flags).servers
    assert (first.method.name, first.password.reveal()) == ("aes-256-gcm", "p")
    assert (second.method.name, second.password.reveal()) == ("aes-128-gcm", "test")
    assert second.remarks == "tag"


# --- what is wrong ---

NO_PASSWORD = 'no password; add "password" or "password_file", or set SS_SERVER_PASSWORD'
NO_METHOD = 'no method; add "method", or -m; peers without one differ in what they assume'
NO_SERVER = 'no server is configured; add "server", or give -s HOST:PORT'
NO_VARIABLE = "the environment has no PW; set it, or use password_file"


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"password": None}, "", NO_PASSWORD),
        ({"method": None}, "", NO_METHOD),
        ({"server": None}, "", NO_SERVER),
        ({"server": None, "servers": []}, "", NO_SERVER),
        ({"server": None, "port_password": {"7": "x"}}, "", NO_SERVER),
        (
            {"servers": [{"mode": "tcp_only"}]},
            "servers[0]",
            'no server; add "server": "address or name"',
        ),
        ({"password": "${PW}"}, "password", NO_VARIABLE),
        ({"port_password": {"7": "${PW}"}}, "port_password", NO_VARIABLE),
        (
            {"password": None, "password_file": "gone"},
            "password_file",
            "cannot read gone: No such file; check the name",
        ),
        (
            {"password": None, "password_file": "empty"},
            "password_file",
            "an empty password; make one with 'ssservice genkey'",
        ),
        (
            {"password_file": "good"},
            "password_file",
            "c.json:1:35 password is a password too; keep one",
        ),
        ({"server_port": 0}, "", "a server has port 0; use 1 to 65535"),
    ],
)
def test_problems(change: dict[str, object], path: str, text: str, problems: Problems) -> None:
    (line,) = problems(json.dumps(ONE | change))
    place = rf":1:\d+ {re.escape(path)}" if path else ""
    assert re.fullmatch(rf"c\.json{place}: {re.escape(text)}", line)


def test_all_that_is_missing_is_reported(problems: Problems) -> None:
    found = problems(json.dumps({"server": "h"}))
    assert found == [f"c.json: {NO_METHOD}", f"c.json: {NO_PASSWORD}"]
    found = problems(flags={"server": "h:1"})
    assert found == [f"command line: {NO_METHOD}", f"command line: {NO_PASSWORD}"]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            {"password": "q"},
            "--password: c.json:1:77 port_password has a password for each port; give -s too",
        ),
        (
            {"server_url": "ss://cmM0LW1kNTpwYXNzd2Q@h:1"},
            "--server_url: method 'rc4-md5' is insecure: whoever is on the path",
        ),
        (
            {"server_url": f"{URL}/?plugin=obfs-local%3Bobfs%3Dhttp"},
            "--server_url: the URL wants the plugin obfs-local; start it beside",
        ),
        (
            {"server": "h:1", "password": "p", "password_file": "good"},
            "--password_file: --password is a password too; keep one",
        ),
    ],
)
def test_problems_of_flags(flags: dict[str, object], line: str, problems: Problems) -> None:
    (found,) = problems(json.dumps(ONE | {"port_password": {"7": "x"}}), flags=flags)
    assert found.startswith(line)


def test_problems_do_not_show_passwords(problems: Problems) -> None:
    for change in (
        {"password": ["hunter2"]},
        {"password": "hunter2", "password_file": "good"},
        {"port_password": {"x": "hunter2"}},
        {"port_password": {"7": {"hunter2": 1}}},
        {"password": "hunter2", "method": "x", "mode": "y"},
    ):
        assert "hunter2" not in "".join(problems(json.dumps(ONE | change)))


def test_a_url_takes_from_flags_what_it_has_no_words_for(configure: Configure) -> None:
    flags = {"server_url": "ss://none:@h:1", "allow_insecure_ciphers": True}
    (server,) = configure(flags=flags).servers
    assert (server.method.name, server.endpoint.port) == ("none", 1)
    # And what it has words for it says itself.
    (server,) = configure(flags=flags | {"method": "aes-256-gcm", "password": "p"}).servers
    assert (server.method.name, server.password.reveal()) == ("none", "")
