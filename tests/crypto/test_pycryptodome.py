"""Ciphers of an optional package; what they compute is in test_stream_cipher.py."""

import subprocess
import sys

import pytest

from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.crypto.pycryptodome import MissingPackage, rc2_cfb, salsa20

NAMES = ("rc2-cfb", "salsa20")


@pytest.mark.parametrize("factory", [rc2_cfb, salsa20])
def test_without_the_package_it_says_how_to_get_it(
    factory: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "Crypto.Cipher", None)
    with pytest.raises(MissingPackage, match=r"install annotated-shadowsocks\[legacy\]"):
        factory(bytes(16), bytes(8))  # type: ignore[operator]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    methods._missing_here.cache_clear()
    monkeypatch.setitem(sys.modules, "Crypto.Cipher", None)
    try:
        assert "annotated-shadowsocks[legacy]" in TABLE[name].unavailable
    finally:
        methods._missing_here.cache_clear()


def test_it_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from annotated_shadowsocks.crypto.methods import find; find('aes-256-gcm');"
        "print('Crypto' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("False\n", 0)


@pytest.mark.parametrize("factory", [rc2_cfb, salsa20])
def test_into_a_buffer_that_is_larger(factory: object) -> None:
    cipher = factory(bytes(range(16)), bytes(8))  # type: ignore[operator]
    out = memoryview(bytearray(b"." * 9))
    assert cipher.encryptor().update_into(b"hello", out) == 5
    assert bytes(out[5:]) == b"...."
    back = memoryview(bytearray(5))
    assert cipher.decryptor().update_into(out[:5], back) == 5
    assert bytes(back) == b"hello"
