import json
from collections.abc import Callable
from typing import Any

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.config.show import shown

DOCUMENT: dict[str, Any] = {
    "servers": [
        {
            "server": "h",
            "server_port": 1,
            "method": "aes-256-gcm",
            "password": "hunter2",
            "mode": "udp_only",
            "timeout": 5.0,
            "udp_over_tcp": 1,
            "remarks": "one",
        }
    ],
    "locals": [{"local_address": "::1", "local_port": 2, "mode": "tcp_and_udp"}],
    "timeout": 6.0,
    "udp_timeout": 7.0,
    "udp_max_associations": 8,
    "no_delay": False,
    "keep_alive": 9,
    "fast_open": True,
    "ipv6_first": True,
    "nofile": 1024,
    "backlog": 11,
    "backlog_adaptive": True,
    "reuse_port": True,
    "defer_accept": 3,
    "metrics": {"listen": "[::1]:9150", "token": "hunter3"},
    "state_directory": "/var/lib/x",
    "workers": 12,
    "allow_private_targets": True,
    "allow_weak_passwords": False,
    "dns": ["192.0.2.1:53", "[2001:db8::1]:54"],
    "shutdown_grace": 13.0,
    "log": {"level": 2, "format": {"without_time": True}},
}


def test_what_is_shown_is_a_document_again(configure: Callable[..., Config]) -> None:
    config = configure(json.dumps(DOCUMENT))
    shown_again = shown(config)
    assert shown_again["servers"][0].pop("password") == "******"
    assert shown_again["locals"][0].pop("users") == []
    assert shown_again["metrics"].pop("token") == "******"
    shown_again["servers"][0]["password"] = "hunter2"
    shown_again["metrics"]["token"] = "hunter3"
    assert shown_again == DOCUMENT
    assert configure(json.dumps(shown_again)) == config


def test_defaults_are_written_out(configure: Callable[..., Config]) -> None:
    text = json.dumps({"server": "h", "password": "hunter2", "method": "aes-256-gcm"})
    found = shown(configure(text))
    assert found["backlog"] == "auto"
    assert "dns" not in found
    assert found["locals"][0]["mode"] == "tcp_only"


def test_secrets_are_masked(configure: Callable[..., Config]) -> None:
    document = {**DOCUMENT, "workers": 1, "socks5_auth_config_path": "users"}
    text = json.dumps(shown(configure(json.dumps(document))))
    assert "alice" in text
    assert "hunter2" not in text
    assert '"p"' not in text
