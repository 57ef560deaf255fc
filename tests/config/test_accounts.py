import json
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.model import Config, Destination, User
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.config.show import shown
from annotated_shadowsocks.endpoint import Endpoint

Configure = Callable[..., Config]
Problems = Callable[..., list[str]]

#: Base64 of sixteen octets each.
SERVER, ANN, BOB = (f"A{letter}ECAwQFBgcICQoLDA0ODw==" for letter in "AQg")

AEAD = {"server": "127.0.0.1:8388", "method": "aes-128-gcm"}
AEAD_2022 = AEAD | {"method": "2022-blake3-aes-128-gcm", "password": SERVER}
USERS = [{"name": "ann", "password": ANN}, {"name": "bob", "password": BOB}]
HOPS = [{"name": "far", "server": "203.0.113.1", "server_port": 8389, "password": ANN}]


@pytest.mark.parametrize("document", [AEAD, AEAD_2022, {"servers": [AEAD | {"users": USERS}]}])
def test_users_of_a_server(document: dict[str, object], configure: Configure) -> None:
    document = document if "servers" in document else document | {"users": USERS}
    (server,) = configure(json.dumps(document), "ssserver").servers
    assert server.users == (User("ann", Secret(ANN)), User("bob", Secret(BOB)))


def test_no_list_is_not_an_empty_list(configure: Configure) -> None:
    (server,) = configure(json.dumps(AEAD_2022), "ssserver").servers
    assert server.users is None
    (server,) = configure(json.dumps(AEAD_2022 | {"users": []}), "ssserver").servers
    assert server.users == ()


def test_a_users_password_may_be_in_the_environment(configure: Configure) -> None:
    users = [{"name": "ann", "password": "${ANN}"}]
    (server,) = configure(json.dumps(AEAD | {"users": users}), "ssserver", ANN="secret").servers
    assert server.users == (User("ann", Secret("secret")),)


def test_the_password_of_other_servers_is_no_users(configure: Configure) -> None:
    document = {"password": "x", "servers": [AEAD | {"users": USERS}]}
    (server,) = configure(json.dumps(document), "ssserver").servers
    assert server.users


def test_destinations(configure: Configure) -> None:
    document = AEAD_2022 | {"destinations": [*HOPS, {"server": "far.test:1", "password": BOB}]}
    (server,) = configure(json.dumps(document), "ssserver").servers
    assert server.destinations == (
        Destination("far", Endpoint("203.0.113.1", 8389), Secret(ANN)),
        Destination("far.test:1", Endpoint("far.test", 1), Secret(BOB)),
    )


def test_what_is_shown_has_no_passwords(configure: Configure) -> None:
    config = configure(json.dumps(AEAD_2022 | {"users": USERS}), "ssserver")
    assert shown(config)["servers"][0]["users"] == ["ann", "bob"]
    config = configure(json.dumps(AEAD_2022 | {"destinations": HOPS}), "ssserver")
    hops = [{"name": "far", "server": "203.0.113.1:8389"}]
    assert shown(config)["servers"][0]["destinations"] == hops


def test_a_client_joins_the_keys(configure: Configure) -> None:
    document = AEAD_2022 | {"password": f"{SERVER}:{BOB}"}
    (server,) = configure(json.dumps(document)).servers
    assert server.password == Secret(f"{SERVER}:{BOB}")


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        (
            AEAD | {"users": []},
            ["users: there are no users; add one, or leave the key out"],
        ),
        (
            AEAD | {"users": USERS, "password": "x"},
            ["password: with aes-128-gcm each user has a password, and nobody this"],
        ),
        (
            AEAD | {"users": [{"name": "ann"}, {"password": ANN}]},
            [
                "users[0]: no password; add",
                "users[1]: a user without a name",
            ],
        ),
        (
            AEAD | {"users": [{"name": "ann", "password": "x", "cipher": "y"}]},
            ["users[0].cipher: unknown key 'cipher'"],
        ),
        (
            AEAD_2022 | {"users": [USERS[0], USERS[0] | {"name": "bob"}]},
            ["users: users 'ann' and 'bob' have the same key; give each"],
        ),
        (
            AEAD_2022 | {"users": [{"name": "ann", "password": "secret"}]},
            ["users: user 'ann': the password of 2022-blake3-aes-128-gcm is not"],
        ),
        (
            AEAD_2022 | {"password": "secret"},
            [
                "password: the password of 2022-blake3-aes-128-gcm is not base64; "
                "make a key with 'ssservice genkey -m 2022-blake3-aes-128-gcm'"
            ],
        ),
        (
            AEAD_2022 | {"method": "2022-blake3-aes-256-gcm"},
            [
                "password: a key of 16 octets for 2022-blake3-aes-256-gcm, which "
                "takes 32; make one with 'ssservice genkey -m 2022-blake3-aes-256-gcm'"
            ],
        ),
        (
            AEAD_2022 | {"users": USERS, "destinations": HOPS},
            ["users and destinations on one port; keep one of the two"],
        ),
        (
            AEAD | {"password": "x", "destinations": HOPS},
            ["destinations are chosen by identity headers, and aes-128-gcm has none"],
        ),
        (
            AEAD_2022 | {"destinations": [{"password": ANN}]},
            ["destinations[0]: a destination is one server"],
        ),
        (
            AEAD | {"method": "aes-128-cfb", "allow_insecure_ciphers": True, "users": USERS},
            ["no password"],
        ),
    ],
)
def test_problems(document: dict[str, object], lines: list[str], problems: Problems) -> None:
    found = problems(json.dumps(document), "ssserver")
    text = "\n".join(found)
    for line in lines:
        assert line in text
    assert "secret" not in text.replace("secrets", "")


@pytest.mark.parametrize("method", ["rc4-md5", "none", "aes-256-ctr"])
@pytest.mark.parametrize("program", ["sslocal", "ssserver"])
def test_insecure_methods_must_be_meant(
    method: str, program: str, configure: Configure, problems: Problems
) -> None:
    document = AEAD | {"method": method, "password": "x"}
    (line,) = problems(json.dumps(document), program)
    assert f"method: method '{method}' is insecure" in line
    assert "--allow-insecure-ciphers" in line
    for flags, more in (
        ({"allow_insecure_ciphers": True}, {}),
        ({}, {"allow_insecure_ciphers": True}),
    ):
        (server,) = configure(json.dumps(document | more), program, flags).servers
        assert server.method.name == method


def test_none_needs_no_password(configure: Configure) -> None:
    document = AEAD | {"method": "none", "allow_insecure_ciphers": True}
    (server,) = configure(json.dumps(document), "ssserver").servers
    assert server.password == Secret("")
