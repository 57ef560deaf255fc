"""Keys from passwords, and the subkey of one session from a key and a salt.

Two derivations with two ages. ``evp_bytes_to_key`` turns a password into a key as OpenSSL did in
1998, and every SIP004 peer still does: no salt, one round of MD5. It is only as strong as the
password, which is why ``ssservice genkey`` exists. ``session_subkey`` then gives every stream and
every packet a key of its own, so that the nonces below can start from zero each time.
"""

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["evp_bytes_to_key", "session_subkey"]

_INFO = b"ss-subkey"

_SHA1 = hashes.SHA1()


def evp_bytes_to_key(password: bytes, key_size: int) -> bytes:
    """The first ``key_size`` octets of D1, D2, ...: D1 = MD5(password), Dn = MD5(Dn-1, password).

    Source: OpenSSL EVP_BytesToKey with MD5, no salt and one round, as SIP004 names it.
    """
    key = digest = b""
    while len(key) < key_size:
        digest = hashlib.md5(digest + password, usedforsecurity=False).digest()
        key += digest
    return key[:key_size]


def session_subkey(key: bytes, salt: bytes) -> bytes:
    """HKDF-SHA1 of ``key`` with ``salt`` and info ``ss-subkey``, as long as the key [SIP004]."""
    return HKDF(_SHA1, len(key), salt, _INFO).derive(key)
