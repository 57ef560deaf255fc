"""The one table of cipher methods. Whatever knows a method by name knows it from here.

``TABLE`` has every method there is, ``METHODS`` those of a generation that is served: what a
configuration may name.
"""

import difflib
from dataclasses import dataclass
from enum import Enum

from ..errors import ConfigError, LocalProtocolError
from .aead import Aead, AeadFactory, XChaCha20Poly1305, aes_gcm, chacha20_poly1305

__all__ = [
    "METHODS",
    "SERVED",
    "TABLE",
    "TAG_SIZE",
    "CipherMethod",
    "Generation",
    "find",
    "of_generation",
]

#: Octets of every tag in the table: GCM's and Poly1305's are the same size.
TAG_SIZE = 16


class Generation(Enum):
    """How a method frames its octets; each generation is a protocol of its own."""

    AEAD = "AEAD (SIP004)"
    AEAD_2022 = "AEAD-2022 (SIP022)"


#: The generations that the services know how to relay. Whoever teaches them one adds it here.
SERVED = frozenset({Generation.AEAD})


@dataclass(frozen=True, slots=True)
class CipherMethod:
    """One row: the sizes are octets. In SIP004 and SIP022 the salt is as long as the key."""

    name: str
    generation: Generation
    key_size: int
    salt_size: int
    nonce_size: int
    aead: AeadFactory
    #: SIP022 only: the box for datagrams under the key itself, with nonces of 24 octets. Methods
    #: without one put a separate header before each datagram, a block of AES.
    packet_aead: AeadFactory | None = None
    #: Why the method cannot be used here, empty where it can.
    unavailable: str = ""


def _aead(name: str, key_size: int, nonce_size: int, aead: AeadFactory) -> CipherMethod:
    return CipherMethod(name, Generation.AEAD, key_size, key_size, nonce_size, aead)


def _aead_2022(
    name: str,
    key_size: int,
    aead: AeadFactory,
    packet_aead: AeadFactory | None = None,
    unavailable: str = "",
) -> CipherMethod:
    return CipherMethod(
        f"2022-blake3-{name}",
        Generation.AEAD_2022,
        key_size,
        key_size,
        12,
        aead,
        packet_aead,
        unavailable,
    )


def _no_box(key: bytes) -> Aead:
    raise LocalProtocolError("a method that is not available seals nothing")


TABLE: dict[str, CipherMethod] = {
    row.name: row
    for row in (
        _aead("aes-128-gcm", 16, 12, aes_gcm),
        _aead("aes-192-gcm", 24, 12, aes_gcm),
        _aead("aes-256-gcm", 32, 12, aes_gcm),
        _aead("chacha20-ietf-poly1305", 32, 12, chacha20_poly1305),
        _aead("xchacha20-ietf-poly1305", 32, 24, XChaCha20Poly1305),
        _aead_2022("aes-128-gcm", 16, aes_gcm),
        _aead_2022("aes-256-gcm", 32, aes_gcm),
        _aead_2022("chacha20-poly1305", 32, chacha20_poly1305, XChaCha20Poly1305),
        # OpenSSL has ChaCha with twenty rounds and no other.
        _aead_2022("chacha8-poly1305", 32, _no_box, _no_box, "OpenSSL has no ChaCha8"),
    )
}

METHODS: dict[str, CipherMethod] = {
    name: row for name, row in TABLE.items() if row.generation in SERVED
}


def of_generation(generation: Generation) -> dict[str, CipherMethod]:
    """The methods of one generation, whether they are served or not, by name."""
    return {name: row for name, row in TABLE.items() if row.generation is generation}


def find(name: str) -> CipherMethod:
    """The method of that name, which can be used and is served.

    Raises ``ConfigError`` that says why it cannot, or lists what there is, nearest first.
    """
    method = METHODS.get(name.lower())
    if method is not None and not method.unavailable:
        return method
    usable = [row.name for row in METHODS.values() if not row.unavailable]
    if method is not None:
        problem = f"method '{name}' is not available: {method.unavailable}"
        raise ConfigError("", problem, f"there is {', '.join(usable)}")
    near = difflib.get_close_matches(name.lower(), usable, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError("", f"unknown method '{name}'", f"{hint}there is {', '.join(usable)}")
