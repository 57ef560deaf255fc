"""The one table of cipher methods. Whatever knows a method by name knows it from here."""

import difflib
from dataclasses import dataclass
from enum import Enum

from ..errors import ConfigError
from .aead import AeadFactory, XChaCha20Poly1305, aes_gcm, chacha20_poly1305

__all__ = ["METHODS", "TAG_SIZE", "CipherMethod", "Generation", "find"]

#: Octets of every tag in the table: GCM's and Poly1305's are the same size.
TAG_SIZE = 16


class Generation(Enum):
    """How a method frames its octets; each generation is a protocol of its own."""

    AEAD = "AEAD (SIP004)"


@dataclass(frozen=True, slots=True)
class CipherMethod:
    """One row: the sizes are octets. In SIP004 the salt is as long as the key."""

    name: str
    generation: Generation
    key_size: int
    salt_size: int
    nonce_size: int
    aead: AeadFactory


def _aead(name: str, key_size: int, nonce_size: int, aead: AeadFactory) -> CipherMethod:
    return CipherMethod(name, Generation.AEAD, key_size, key_size, nonce_size, aead)


METHODS: dict[str, CipherMethod] = {
    row.name: row
    for row in (
        _aead("aes-128-gcm", 16, 12, aes_gcm),
        _aead("aes-192-gcm", 24, 12, aes_gcm),
        _aead("aes-256-gcm", 32, 12, aes_gcm),
        _aead("chacha20-ietf-poly1305", 32, 12, chacha20_poly1305),
        _aead("xchacha20-ietf-poly1305", 32, 24, XChaCha20Poly1305),
    )
}


def find(name: str) -> CipherMethod:
    """The method of that name; ``ConfigError`` lists what there is, nearest first."""
    method = METHODS.get(name.lower())
    if method is not None:
        return method
    near = difflib.get_close_matches(name.lower(), METHODS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError("", f"unknown method '{name}'", f"{hint}there is {', '.join(METHODS)}")
