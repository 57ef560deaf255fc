import gc
import weakref

import pytest
from cryptography.exceptions import InvalidTag

from annotated_shadowsocks.crypto.aead import Aead, chacha20_poly1305
from annotated_shadowsocks.crypto.resting_box import AWAKE, RestingBox

NONCE = bytes(12)
KEY = bytes(range(32))


class Making:
    """Makes boxes and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, key: bytes) -> Aead:
        self.made += 1
        return chacha20_poly1305(key)


def sealed(box: Aead, plain: bytes) -> bytes:
    out = bytearray(len(plain) + 16)
    box.encrypt_into(NONCE, plain, None, out)
    return bytes(out)


def crowd() -> list[RestingBox]:
    """As many others as are kept awake."""
    others = [RestingBox(chacha20_poly1305, KEY) for _ in range(AWAKE)]
    for other in others:
        sealed(other, b"")
    return others


def test_it_is_made_when_it_is_asked_for() -> None:
    make = Making()
    box = RestingBox(make, KEY)
    assert make.made == 0
    assert sealed(box, b"text") == sealed(chacha20_poly1305(KEY), b"text")
    assert sealed(box, b"more") == sealed(chacha20_poly1305(KEY), b"more")
    assert make.made == 1


def test_it_opens_and_refuses_as_any_box_does() -> None:
    box, out = RestingBox(chacha20_poly1305, KEY), bytearray(4)
    good = sealed(box, b"text")
    assert box.decrypt_into(NONCE, good, None, out) == 4
    assert out == b"text"
    with pytest.raises(InvalidTag):
        box.decrypt_into(NONCE, good[:-1] + bytes([good[-1] ^ 1]), None, out)


def test_the_oldest_rests_where_many_are_awake_and_is_the_same_afterwards() -> None:
    make = Making()
    box = RestingBox(make, KEY)
    before = sealed(box, b"text")
    crowd()
    assert sealed(box, b"text") == before
    assert make.made == 2


def test_what_was_asked_for_stays_good_while_the_box_rests() -> None:
    box = RestingBox(chacha20_poly1305, KEY)
    seal, out = box.encrypt_into, bytearray(20)
    crowd()
    seal(NONCE, b"text", None, out)
    assert out == sealed(box, b"text")


def test_nobody_is_kept_alive() -> None:
    seen = [weakref.ref(box) for box in crowd()]
    gc.collect()
    assert not any(box() for box in seen)
