"""Whole streams of every generation, both directions, as whoever owns the sockets sees them."""

import pytest

from annotated_shadowsocks.crypto.methods import TABLE, Generation
from annotated_shadowsocks.errors import RemoteProtocolError
from annotated_shadowsocks.shadowsocks.credentials import (
    ClientKeys,
    ServerKeys,
    client_keys,
    server_keys,
)
from annotated_shadowsocks.shadowsocks.handshake import KeySought, TunnelRequested
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.shadowsocks.tunnel import (
    Decoder,
    Encoder,
    client_codecs,
    server_handshake,
)
from annotated_shadowsocks.testing.sip022 import TARGET, VECTORS, Vector, scripted, timestamps
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

AVAILABLE = [name for name, row in TABLE.items() if not row.unavailable]


def store() -> ReplayStore:
    return ReplayStore(bytearray(ReplayStore.required_size(100)), bytes(16), capacity=100)


def sealed(encoder: Encoder, payload: bytes) -> bytes:
    out = memoryview(bytearray(len(payload) + 4096))
    taken, made = encoder.convert(memoryview(payload), out)
    assert taken == len(payload)
    return bytes(out[:made])


def opened(decoder: Decoder, wire: bytes) -> bytes:
    out = memoryview(bytearray(len(wire) + 1))
    taken, made = decoder.convert(memoryview(wire), out)
    assert decoder.error is None
    assert taken == len(wire)
    return bytes(out[:made])


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_session_of_2022_is_reproduced_octet_by_octet(vector: Vector) -> None:
    keys = server_keys(vector.method, vector.psk_base64)
    chain = client_keys(vector.method, vector.psk_base64)
    drawn = scripted(vector.request_salt, (3).to_bytes(2, "big"))
    encoder, decoder = client_codecs(chain, TARGET, store(), timestamps(), drawn)
    wire = sealed(encoder, b"hello") + sealed(encoder, b"again")
    assert wire == vector.request

    core = server_handshake(keys, store(), timestamps())
    core.receive_data(wire)
    assert core.next_event() == TunnelRequested(TARGET, b"hello")
    assert core.next_event() is PAUSED
    assert opened(core.decoder, core.unread()) == b"again"
    answer = sealed(core.encoder(scripted(vector.response_salt)), b"world")
    assert answer == vector.response
    assert opened(decoder, answer) == b"world"


@pytest.mark.parametrize(
    "vector",
    [one for one in VECTORS.values() if one.upsk_identity],
    ids=lambda one: one.method.name,
)
def test_a_users_session_of_2022_is_reproduced(vector: Vector) -> None:
    keys = server_keys(vector.method, vector.psk_base64, [("bob", vector.upsk_base64)])
    chain = client_keys(vector.method, f"{vector.psk_base64}:{vector.upsk_base64}")
    drawn = scripted(vector.request_salt, (3).to_bytes(2, "big"))
    encoder, _ = client_codecs(chain, TARGET, store(), timestamps(), drawn)
    wire = sealed(encoder, b"hello")
    assert wire == vector.identity_request
    core = server_handshake(keys, store(), timestamps())
    core.receive_data(wire)
    assert core.next_event() == TunnelRequested(TARGET, b"hello")
    assert core.user == "bob"


def pair(name: str) -> tuple[ServerKeys, ClientKeys]:
    method = TABLE[name]
    text = "secret"
    if method.generation is Generation.AEAD_2022:
        text = VECTORS[name].psk_base64
    return server_keys(method, text), client_keys(method, text)


@pytest.mark.parametrize("name", AVAILABLE)
def test_both_directions_of_every_method(name: str) -> None:
    keys, client = pair(name)
    entropy = lambda size: bytes(range(1, size + 1))  # noqa: E731
    encoder, decoder = client_codecs(client, TARGET, store(), timestamps(), entropy)
    assert encoder.waiting
    wire = sealed(encoder, b"hello") + sealed(encoder, bytes(70_000))
    assert not encoder.waiting
    core = server_handshake(keys, store(), timestamps())
    core.receive_data(wire)
    event = core.next_event()
    assert isinstance(event, TunnelRequested)
    assert event.dst == TARGET
    assert event.payload + opened(core.decoder, core.unread()) == b"hello" + bytes(70_000)
    other = lambda size: bytes(range(2, size + 2))  # noqa: E731
    assert opened(decoder, sealed(core.encoder(other), b"world")) == b"world"


def test_of_many_keys_one_is_sought() -> None:
    method = TABLE["aes-128-gcm"]
    keys = server_keys(method, "", [("ann", "a"), ("bob", "b")])
    encoder, _ = client_codecs(client_keys(method, "b"), TARGET, store(), timestamps(), bytes)
    core = server_handshake(keys, store(), timestamps())
    assert core.next_event() is NEED_DATA
    core.receive_data(sealed(encoder, b"hello"))
    assert isinstance(core.next_event(), KeySought)


@pytest.mark.parametrize("name", [name for name in AVAILABLE if TABLE[name].salt_size])
def test_a_stream_is_taken_once(name: str) -> None:
    keys, client = pair(name)
    entropy = lambda size: bytes(range(1, size + 1))  # noqa: E731
    encoder, _ = client_codecs(client, TARGET, store(), timestamps(), entropy)
    wire, salts = sealed(encoder, b"hello"), store()
    first, again = (server_handshake(keys, salts, timestamps()) for _ in range(2))
    for core in (first, again):
        core.receive_data(wire)
    assert isinstance(first.next_event(), TunnelRequested)
    with pytest.raises(RemoteProtocolError, match="has opened a stream before"):
        again.next_event()
