"""The client of tests, against the servers' cores."""

from types import ModuleType

import pytest

from annotated_shadowsocks.shadowsocks import aead_packet, stream_cipher_packet
from annotated_shadowsocks.shadowsocks.aead2022_session import SessionTable
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.server_harness import master_key
from annotated_shadowsocks.testing.sip022 import TARGET, TIME, VECTORS, Vector, timestamps
from annotated_shadowsocks.wire import address

OUT = memoryview(bytearray(4096))


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_session(vector: Vector) -> None:
    client = PacketClient(KeyChain(vector.psk), lambda: TIME)
    table, keys = SessionTable(timestamps(), entropy), KeyTable(vector.psk)
    for data in (b"one", b"two"):
        packet = client.seal(TARGET, data, padding=7)
        session, target, opened = table.open(keys, memoryview(packet), OUT, 0.0)
        assert (target, bytes(opened)) == (TARGET, data)
    assert len(table) == 1
    answer = bytes(OUT[: session.seal(address.encode(TARGET) + b"back", OUT)])
    assert client.open(answer) == (TARGET, b"back")


@pytest.mark.parametrize(
    ("method", "form"), [("aes-256-gcm", aead_packet), ("aes-256-ctr", stream_cipher_packet)]
)
def test_packets_that_stand_for_themselves(method: str, form: ModuleType) -> None:
    key = master_key(method)
    client = PacketClient(key)
    target, data = form.open_packet(key, memoryview(client.seal(TARGET, b"data")), OUT)
    assert (target, bytes(data)) == (TARGET, b"data")
    assert client.open(client.seal(TARGET, b"data")) == (TARGET, b"data")


def test_what_is_no_address_can_be_sealed_too() -> None:
    key = master_key()
    packet = memoryview(PacketClient(key).seal_plain(b"\x02"))
    assert len(packet) == aead_packet.overhead(key.method) + 1
