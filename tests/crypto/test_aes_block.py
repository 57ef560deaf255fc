import pytest

from annotated_shadowsocks.crypto.aes_block import BLOCK_SIZE, AesBlock
from annotated_shadowsocks.errors import LocalProtocolError

# FIPS 197 appendix C: key 00 01 02 .., plain text 00 11 22 .. ff
PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
VECTORS = {
    16: "69c4e0d86a7b0430d8cdb78070b4c55a",
    24: "dda97ca4864cdfe06eaf70a0ec0d7191",
    32: "8ea2b7ca516745bfeafc49904b496089",
}

every_size = pytest.mark.parametrize("size", VECTORS)


@every_size
def test_published_vectors(size: int) -> None:
    block = AesBlock(bytes(range(size)))
    assert block.encrypt(PLAIN).hex() == VECTORS[size]
    assert block.decrypt(bytes.fromhex(VECTORS[size])) == PLAIN


@every_size
def test_blocks_do_not_depend_on_each_other(size: int) -> None:
    block = AesBlock(bytes(range(size)))
    blocks = [bytes([number]) * BLOCK_SIZE for number in range(5)]
    sealed = [block.encrypt(memoryview(plain)) for plain in blocks]
    assert [block.encrypt(plain) for plain in reversed(blocks)] == sealed[::-1]
    assert [block.decrypt(memoryview(bytearray(one))) for one in sealed] == blocks


@every_size
@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_what_is_no_block_changes_nothing(size: int, length: int) -> None:
    block = AesBlock(bytes(range(size)))
    for call in (block.encrypt, block.decrypt):
        with pytest.raises(LocalProtocolError, match=f"a block of {length} octets"):
            call(bytes(length))
    assert block.encrypt(PLAIN).hex() == VECTORS[size]
