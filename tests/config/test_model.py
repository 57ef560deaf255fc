from annotated_shadowsocks.config.model import Config, LocalConfig, ServerConfig, User
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.crypto.methods import find
from annotated_shadowsocks.endpoint import Endpoint

SERVER = ServerConfig(Endpoint("h", 1), find("aes-256-gcm"), Secret("hunter2"))
LOCAL = LocalConfig(Endpoint("127.0.0.1", 1080), users=(User("alice", Secret("hunter3")),))


def test_a_configuration_does_not_show_its_secrets() -> None:
    shown = repr(Config((SERVER,), (LOCAL,)))
    assert "alice" in shown
    assert "hunter" not in shown


def test_configurations_are_values() -> None:
    assert Config((SERVER,), (LOCAL,)) == Config((SERVER,), (LOCAL,))
    assert len({Config((SERVER,)), Config((SERVER,))}) == 1
