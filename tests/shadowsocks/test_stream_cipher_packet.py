import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import TABLE, CipherMethod, Generation, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import RemoteProtocolError, ReplayError, Truncated
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.shadowsocks.stream_cipher_packet import (
    open_packet,
    overhead,
    seal_packet,
)

USABLE = {
    name: row for name, row in of_generation(Generation.STREAM).items() if not row.unavailable
}

every_method = pytest.mark.parametrize("method", USABLE.values(), ids=USABLE)

CFB = TABLE["aes-128-cfb"]
TARGET = Endpoint("example.com", 443)
# RFC 1928 section 5
ADDRESS = bytes.fromhex("030b 6578616d706c652e636f6d 01bb")


def seal(key: MasterKey, plain: bytes) -> bytes:
    iv = bytes(range(key.method.salt_size))
    out = bytearray(len(plain) + overhead(key.method) + 2)
    size = seal_packet(key, iv, plain, memoryview(out))
    assert size == len(out) - 2
    assert out[size:] == bytes(2)
    return bytes(out[:size])


def opened(
    key: MasterKey, packet: bytes, guard: ReplayStore | None = None
) -> tuple[Endpoint, bytes]:
    dst, data = open_packet(key, memoryview(packet), memoryview(bytearray(len(packet))), guard)
    return dst, bytes(data)


def test_the_packet_is_that_of_the_standard() -> None:
    # SP 800-38A F.3.13: the plain text begins with no address, which sealing does not look at.
    key = MasterKey(CFB, bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    packet = seal(key, bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"))
    assert packet[:16] == bytes(range(16))
    assert packet[16:].hex() == "3b3fd92eb72dad20333449f8e83cfb4a"


@every_method
@given(data=st.binary(max_size=1500))
def test_round_trip(method: CipherMethod, data: bytes) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    packet = seal(key, ADDRESS + data)
    assert len(packet) == method.salt_size + len(ADDRESS + data)
    assert opened(key, packet) == (TARGET, data)


@every_method
def test_every_cut_into_the_address_is_refused(method: CipherMethod) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    packet = seal(key, ADDRESS + b"hello")
    for size in range(method.salt_size + len(ADDRESS)):
        with pytest.raises(Truncated):
            opened(key, packet[:size])


@given(st.binary(max_size=100))
def test_noise_is_an_error_or_an_address(packet: bytes) -> None:
    # Nothing tells the one from the other: that is what these methods lack.
    try:
        dst, data = opened(MasterKey.from_password(CFB, "barfoo!"), packet)
    except RemoteProtocolError:
        return
    assert len(data) < len(packet)
    assert dst.host


def test_an_iv_opens_one_packet() -> None:
    store = ReplayStore(bytearray(ReplayStore.required_size(100)), bytes(16), capacity=100)
    key = MasterKey.from_password(CFB, "barfoo!")
    packet = seal(key, ADDRESS + b"hello")
    with pytest.raises(Truncated):
        opened(key, packet[:20], store)
    assert opened(key, packet, store)[1] == b"hello"
    with pytest.raises(ReplayError):
        opened(key, packet, store)
    plain = MasterKey.from_password(TABLE["none"], "barfoo!")
    for _ in range(2):
        assert opened(plain, ADDRESS + b"hello", store)[1] == b"hello"
