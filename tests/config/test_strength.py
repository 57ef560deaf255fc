import json
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.config.strength import check_strength
from annotated_shadowsocks.errors import ConfigError

Configure = Callable[..., Config]

SERVER = {"server": "127.0.0.1:8388", "method": "aes-256-gcm"}
WEAK, FAIR, GOOD = "secret", "correct horse", "correct horse battery staple"


def document(password: str, **more: object) -> str:
    return json.dumps(SERVER | {"password": password} | more)


@pytest.mark.parametrize("program", ["sslocal", "ssserver"])
@pytest.mark.parametrize("method", ["aes-256-gcm", "chacha20"])
def test_a_good_password_is_no_word(method: str, program: str, configure: Configure) -> None:
    text = document(GOOD, method=method, allow_insecure_ciphers=True)
    assert check_strength(configure(text, program)) == []


@pytest.mark.parametrize("program", ["sslocal", "ssserver"])
def test_a_fair_password_is_a_warning(program: str, configure: Configure) -> None:
    (line,) = check_strength(configure(document(FAIR), program))
    assert line.startswith("127.0.0.1:8388: the password can be guessed: it has ")
    assert "ssservice genkey -m aes-256-gcm" in line
    assert FAIR not in line


def test_a_server_refuses_a_weak_password(configure: Configure) -> None:
    with pytest.raises(ConfigError, match="where 64 are good") as raised:
        check_strength(configure(document(WEAK), "ssserver"))
    assert raised.value.place == "127.0.0.1:8388"
    assert "--allow-weak-passwords" in raised.value.remedy
    assert WEAK not in str(raised.value)


def test_unless_it_is_told_to_allow_that(configure: Configure) -> None:
    config = configure(document(WEAK, allow_weak_passwords=True), "ssserver")
    assert len(check_strength(config)) == 1


def test_a_client_cannot_choose(configure: Configure) -> None:
    assert len(check_strength(configure(document(WEAK)))) == 1


def test_each_user_has_a_password(configure: Configure) -> None:
    users = [{"name": "ann", "password": GOOD}, {"name": "bob", "password": WEAK}]
    text = json.dumps(SERVER | {"users": users})
    with pytest.raises(ConfigError, match="the password of user 'bob'") as raised:
        check_strength(configure(text, "ssserver"))
    assert not getattr(raised.value, "__notes__", [])


def test_a_key_is_no_password(configure: Configure) -> None:
    text = document("AAAAAAAAAAAAAAAAAAAAAA==", method="2022-blake3-aes-128-gcm")
    assert check_strength(configure(text, "ssserver")) == []
    text = json.dumps(SERVER | {"method": "none", "allow_insecure_ciphers": True})
    assert check_strength(configure(text, "ssserver")) == []
