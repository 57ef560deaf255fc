import pytest

from annotated_shadowsocks.crypto.methods import TABLE, CipherMethod
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.shadowsocks import credentials
from annotated_shadowsocks.shadowsocks.credentials import (
    Holder,
    KeyRing,
    client_keys,
    server_keys,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable
from annotated_shadowsocks.shadowsocks.key import MasterKey

AEAD = TABLE["aes-128-gcm"]
AEAD_2022 = TABLE["2022-blake3-aes-128-gcm"]
STREAM = TABLE["aes-128-cfb"]
ONE, TWO, THREE = (
    "AAECAwQFBgcICQoLDA0ODw==",
    "AQECAwQFBgcICQoLDA0ODw==",
    "AgECAwQFBgcICQoLDA0ODw==",
)


def ring(*names: str) -> KeyRing:
    return KeyRing([Holder(name, MasterKey.from_password(AEAD, name)) for name in names])


# --- from passwords -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", [AEAD, STREAM, TABLE["none"]], ids=lambda m: m.name)
def test_one_password_is_a_ring_of_one(method: CipherMethod) -> None:
    keys = server_keys(method, "secret")
    assert isinstance(keys, KeyRing)
    assert keys.holders == (Holder("", MasterKey.from_password(method, "secret")),)
    assert keys.method is method
    assert client_keys(method, "secret") == keys.holders[0].key


def test_users_of_sip004_are_a_ring() -> None:
    keys = server_keys(AEAD, "", [("ann", "a"), ("bob", "b")])
    assert isinstance(keys, KeyRing)
    assert [holder.name for holder in keys.holders] == ["ann", "bob"]
    assert keys.holders[1].key == MasterKey.from_password(AEAD, "b")


def test_a_key_of_sip022() -> None:
    keys = server_keys(AEAD_2022, ONE)
    assert isinstance(keys, KeyTable)
    assert keys.header_size == 0
    assert keys.method is AEAD_2022
    chain = client_keys(AEAD_2022, ONE)
    assert isinstance(chain, KeyChain)
    assert chain.method is AEAD_2022
    assert chain.psk.identity == keys.psk.identity


def test_users_of_sip022_are_a_table() -> None:
    keys = server_keys(AEAD_2022, ONE, [("ann", TWO), ("bob", THREE)])
    assert isinstance(keys, KeyTable)
    chain = client_keys(AEAD_2022, f"{ONE}:{THREE}")
    assert isinstance(chain, KeyChain)
    assert keys.stream_user(bytes(16), chain.stream_headers(bytes(16))).name == "bob"


def test_no_users_at_all() -> None:
    table = server_keys(AEAD_2022, ONE, [])
    assert isinstance(table, KeyTable)
    assert table.header_size == 16
    with pytest.raises(ConfigError, match="there are no users"):
        server_keys(AEAD, "", [])


def test_stream_ciphers_have_no_users() -> None:
    with pytest.raises(ConfigError, match="aes-128-cfb takes one password"):
        server_keys(STREAM, "", [("ann", "a")])


def test_a_users_bad_key_is_told_by_name() -> None:
    with pytest.raises(ConfigError, match=r"user 'bob': the password of .* is not base64") as told:
        server_keys(AEAD_2022, ONE, [("ann", TWO), ("bob", "hello")])
    assert "hello" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize("method", [AEAD, AEAD_2022], ids=lambda m: m.name)
def test_names_and_keys_differ(method: CipherMethod) -> None:
    with pytest.raises(ConfigError, match="'ann'"):
        server_keys(method, ONE, [("ann", ONE), ("ann", TWO)])
    with pytest.raises(ConfigError, match=r"users 'ann' and 'bob'"):
        server_keys(method, ONE, [("ann", TWO), ("bob", TWO)])


# --- where a search begins ----------------------------------------------------------------------


def names(keys: KeyRing, host: str) -> list[str]:
    return [holder.name for holder in keys.candidates(host)]


def test_whoever_was_there_last_is_tried_first() -> None:
    keys = ring("ann", "bob", "cid")
    assert names(keys, "192.0.2.1") == ["ann", "bob", "cid"]
    keys.remember("192.0.2.1", keys.holders[2])
    assert names(keys, "192.0.2.1") == ["cid", "ann", "bob", "cid"]
    assert names(keys, "192.0.2.2") == ["ann", "bob", "cid"]
    keys.remember("192.0.2.1", keys.holders[1])
    assert names(keys, "192.0.2.1")[0] == "bob"


def test_addresses_are_forgotten_longest_unused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_ADDRESSES", 2)
    keys = ring("ann", "bob")
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        keys.remember(host, keys.holders[1])
    assert names(keys, "192.0.2.1")[0] == "bob"
    assert names(keys, "192.0.2.2")[0] == "ann"


def test_a_ring_of_one_remembers_nothing() -> None:
    keys = ring("ann")
    keys.remember("192.0.2.1", keys.holders[0])
    assert names(keys, "192.0.2.1") == ["ann"]
