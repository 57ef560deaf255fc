"""Where a manager listens, what it serves from the start, and what it makes of a request."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from annotated_shadowsocks.config.manager import MANAGERS, added
from annotated_shadowsocks.config.model import Config, ManagerConfig
from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.manager_protocol.requests import Add, User

Configure = Callable[..., Config]
Problems = Callable[..., list[str]]

ONE = {"manager_address": "127.0.0.1:6001"}
CHACHA, GCM = methods.find("chacha20-ietf-poly1305"), methods.find("aes-256-gcm")


def managed(configure: Configure, program: str = "ssmanager", **settings: Any) -> ManagerConfig:
    manager = configure(json.dumps(ONE | settings), program).manager
    assert manager is not None
    return manager


def test_what_is_taken_for_granted(configure: Configure) -> None:
    config = configure(json.dumps(ONE), "ssmanager")
    assert config.manager == ManagerConfig(Endpoint("127.0.0.1", 6001), CHACHA)
    assert config.servers == ()
    assert managed(configure, "ss-manager").libev


@pytest.mark.parametrize(
    ("settings", "listen"),
    [
        ({"manager_address": "127.0.0.1", "manager_port": 6002}, Endpoint("127.0.0.1", 6002)),
        ({"manager_address": "[::1]:6002"}, Endpoint("::1", 6002)),
        ({"manager_address": "localhost:6002"}, Endpoint("localhost", 6002)),
        ({"manager_address": "/run/manager.sock"}, "/run/manager.sock"),
        ({"manager_address": "./manager.sock"}, "./manager.sock"),
    ],
)
def test_where_it_listens(
    settings: dict[str, Any], listen: Endpoint | str, configure: Configure
) -> None:
    assert managed(configure, **settings).listen == listen


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"manager_address": "0.0.0.0:6001"}, "0.0.0.0 can be reached from elsewhere"),
        ({"manager_address": "192.0.2.1:6001"}, "the path of a Unix socket, and come by ssh"),
        ({"manager_address": "example.org:6001"}, "can be reached from elsewhere"),
        ({"manager_address": "127.0.0.1"}, "'127.0.0.1' has no port"),
        ({"manager_address": "manager.sock"}, "'manager.sock' has no port"),
        ({"manager_address": None}, "no manager_address"),
        ({"workers": 2}, "set workers to 1"),
        ({"method": "rc4-md5"}, "rc4"),
    ],
)
def test_what_is_refused_is_one_clear_error(
    settings: dict[str, object], words: str, configure: Configure, problems: Problems
) -> None:
    document = ONE | {"server": "127.0.0.1", "port_password": {"1": "p"}} | settings
    [problem] = problems(json.dumps(document), "ssmanager")
    assert words in problem


def test_a_port_behind_the_host_is_refused(problems: Problems) -> None:
    [problem] = problems(json.dumps(ONE), "ssmanager", {"server": "127.0.0.1:8388"})
    assert "--server: each server has a port of its own; give the host alone" in problem


def test_the_other_programs_have_no_manager(configure: Configure, problems: Problems) -> None:
    document = json.dumps(ONE | {"server": "h", "password": "p", "method": "aes-256-gcm"})
    assert configure(document, "sslocal").manager is None
    [problem] = problems(document, "ssserver")
    assert "ssserver takes no orders; run ssmanager" in problem


@pytest.mark.parametrize("program", MANAGERS)
def test_what_is_served_from_the_start(program: str, configure: Configure) -> None:
    document = ONE | {
        "server": ["127.0.0.1", "::1"],
        "port_password": {"1": "p", "2": "q"},
        "servers": [{"server_port": 3, "password": "r", "method": "aes-256-gcm"}],
    }
    found = {
        (str(one.endpoint), one.password.reveal(), one.method.name)
        for one in configure(json.dumps(document), program).servers
    }
    assert found == {
        ("127.0.0.1:1", "p", CHACHA.name),
        ("127.0.0.1:2", "q", CHACHA.name),
        ("[::1]:1", "p", CHACHA.name),
        ("[::1]:2", "q", CHACHA.name),
        # An entry of servers says for itself where it is.
        ("0.0.0.0:3", "r", GCM.name),
    }


def test_flags_say_what_added_ports_are_like(configure: Configure) -> None:
    flags = {"server": "127.0.0.1", "method": "aes-256-gcm", "mode": "tcp_and_udp"}
    manager = configure(json.dumps(ONE), "ssmanager", flags).manager
    assert manager is not None
    [server] = added(manager, Add(8001, "p"))
    assert (server.endpoint, server.method) == (Endpoint("127.0.0.1", 8001), GCM)
    assert server.tcp and server.udp


def test_a_request_may_say_it_otherwise(configure: Configure) -> None:
    manager = managed(configure, server=["127.0.0.1", "::1"])
    users = (User("a", "k"),)
    servers = added(manager, Add(8001, "p", "aes-256-gcm", "udp_only", users))
    assert [one.endpoint for one in servers] == [Endpoint("127.0.0.1", 8001), Endpoint("::1", 8001)]
    for server in servers:
        assert server.method is GCM
        assert (server.tcp, server.udp) == (False, True)
        assert server.users is not None
        assert [(one.name, one.password.reveal()) for one in server.users] == [("a", "k")]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Add(1, "p", "nonsense"), "nonsense"),
        (Add(1, "p", "rc4-md5"), "rc4-md5"),
        (Add(1, "not a key", "2022-blake3-aes-128-gcm"), "key"),
        (Add(1, "mypassword"), "published example"),
    ],
)
def test_a_request_that_nobody_should_make(request_: Add, words: str, configure: Configure) -> None:
    with pytest.raises(ConfigError, match=words):
        added(managed(configure), request_)


def test_insecure_ciphers_are_allowed_where_the_operator_says_so(configure: Configure) -> None:
    manager = managed(configure, allow_insecure_ciphers=True)
    assert added(manager, Add(1, "p", "rc4-md5"))[0].method.name == "rc4-md5"
