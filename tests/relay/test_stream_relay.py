import socket

import pytest

from annotated_shadowsocks.crypto.methods import METHODS, find
from annotated_shadowsocks.relay.stream_relay import Plain
from annotated_shadowsocks.shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.relay import (
    GROUNDS,
    SCENARIOS,
    Ground,
    MakeRelay,
    check_stream_relay,
)


def plain(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    """One relay that changes nothing."""
    ground.relay((one, Plain()), (two, Plain()))


def tunnel(method: str) -> MakeRelay:
    """Two relays in a chain, as sslocal and ssserver are: the first seals, the second opens."""

    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        key = MasterKey.from_password(find(method), "barfoo!")
        salts = bytes(range(64))
        size = key.method.salt_size
        here, there = ground.pair()
        ground.relay((one, AeadEncoder(key, salts[:size])), (here, AeadDecoder(key)))
        ground.relay((there, AeadDecoder(key)), (two, AeadEncoder(key, salts[-size:])))

    return make


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_plain_relay(ground: str, scenario: str) -> None:
    check_stream_relay(ground, plain, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_tunnel(ground: str, scenario: str) -> None:
    check_stream_relay(ground, tunnel("chacha20-ietf-poly1305"), scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("method", METHODS)
def test_tunnel_of_each_method(method: str, scenario: str) -> None:
    check_stream_relay("relay", tunnel(method), scenario)
