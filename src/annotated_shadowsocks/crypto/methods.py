"""The one table of cipher methods. Whatever knows a method by name knows it from here."""

import difflib
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial

from cryptography.exceptions import UnsupportedAlgorithm

from ..errors import ConfigError, LocalProtocolError
from .aead import (
    Aead,
    AeadFactory,
    Sm4Gcm,
    XChaCha20Poly1305,
    aes_ccm,
    aes_gcm,
    aes_gcm_siv,
    chacha20_poly1305,
)
from .pycryptodome import MissingPackage
from .stream_cipher import CIPHERS, StreamCipherFactory

__all__ = [
    "TABLE",
    "TAG_SIZE",
    "CipherMethod",
    "Generation",
    "find",
    "insecurity",
    "of_generation",
]

#: Octets of every tag in the table: GCM's and Poly1305's are the same size.
TAG_SIZE = 16


class Generation(Enum):
    """How a method frames its octets; each generation is a protocol of its own."""

    AEAD = "AEAD (SIP004)"
    AEAD_2022 = "AEAD-2022 (SIP022)"
    STREAM = "stream cipher"


def _no_box(key: bytes) -> Aead:
    raise LocalProtocolError("this method has no boxes")


@dataclass(frozen=True, slots=True)
class CipherMethod:
    """One row: the sizes are octets. In SIP004 and SIP022 the salt is as long as the key.

    Of a stream cipher ``salt_size`` is the size of the IV.
    """

    name: str
    generation: Generation
    key_size: int
    salt_size: int
    nonce_size: int = 0
    aead: AeadFactory = _no_box
    #: SIP022 only: the box for datagrams under the key itself, with nonces of 24 octets. Methods
    #: without one put a separate header before each datagram, a block of AES.
    packet_aead: AeadFactory | None = None
    #: Stream ciphers only.
    stream: StreamCipherFactory | None = None
    #: Why nobody here can have this method; ``unavailable`` says more.
    missing: str = ""

    @property
    def insecure(self) -> bool:
        """Whether a configuration has to say that it means it."""
        return self.generation is Generation.STREAM

    @property
    def unavailable(self) -> str:
        """Why the method cannot be used here, empty where it can; found out at the first call."""
        return self.missing or _missing_here(self)


@cache
def _missing_here(method: CipherMethod) -> str:
    """Build the cipher once and see. What OpenSSL lacks depends on who built it."""
    try:
        if method.stream is None:
            method.aead(bytes(method.key_size))
        else:
            # Not all zeros: a cipher may refuse a key for being weak.
            key = bytes(range(method.key_size))
            method.stream(key, bytes(method.salt_size)).encryptor()
    except UnsupportedAlgorithm:
        return "this build of OpenSSL does not have it"
    except MissingPackage as error:
        return str(error)
    return ""


def _aead(name: str, key_size: int, nonce_size: int, aead: AeadFactory) -> CipherMethod:
    return CipherMethod(name, Generation.AEAD, key_size, key_size, nonce_size, aead)


def _aead_2022(
    name: str,
    key_size: int,
    aead: AeadFactory = _no_box,
    packet_aead: AeadFactory | None = None,
    missing: str = "",
) -> CipherMethod:
    return CipherMethod(
        f"2022-blake3-{name}",
        Generation.AEAD_2022,
        key_size,
        key_size,
        12,
        aead,
        packet_aead,
        missing=missing,
    )


def _stream(
    name: str, key_size: int, iv_size: int, factory: StreamCipherFactory | str
) -> CipherMethod:
    row = partial(CipherMethod, name, Generation.STREAM, key_size, iv_size)
    return row(missing=factory) if isinstance(factory, str) else row(stream=factory)


TABLE: dict[str, CipherMethod] = {
    row.name: row
    for row in (
        _aead("aes-128-gcm", 16, 12, aes_gcm),
        _aead("aes-192-gcm", 24, 12, aes_gcm),
        _aead("aes-256-gcm", 32, 12, aes_gcm),
        _aead("chacha20-ietf-poly1305", 32, 12, chacha20_poly1305),
        _aead("xchacha20-ietf-poly1305", 32, 24, XChaCha20Poly1305),
        # These are in no specification. shadowsocks-rust has them as aead-cipher-extra.
        _aead("aes-128-ccm", 16, 12, aes_ccm),
        _aead("aes-256-ccm", 32, 12, aes_ccm),
        _aead("aes-128-gcm-siv", 16, 12, aes_gcm_siv),
        _aead("aes-256-gcm-siv", 32, 12, aes_gcm_siv),
        _aead("sm4-gcm", 16, 12, Sm4Gcm),
        _aead_2022("aes-128-gcm", 16, aes_gcm),
        _aead_2022("aes-256-gcm", 32, aes_gcm),
        _aead_2022("chacha20-poly1305", 32, chacha20_poly1305, XChaCha20Poly1305),
        # OpenSSL has ChaCha with twenty rounds and no other.
        _aead_2022(
            "chacha8-poly1305", 32, packet_aead=_no_box, missing="no library at hand has ChaCha8"
        ),
        *(_stream(*row) for row in CIPHERS),
    )
}


def of_generation(generation: Generation) -> dict[str, CipherMethod]:
    """The methods of one generation, whether they can be used here or not, by name."""
    return {name: row for name, row in TABLE.items() if row.generation is generation}


def find(name: str) -> CipherMethod:
    """The method of that name, which can be used here; see ``insecurity`` too.

    Raises ``ConfigError`` that says why it cannot be, or lists what there is, nearest first.
    """
    method = TABLE.get(name.lower())
    if method is None:
        usable = [row.name for row in TABLE.values() if not (row.insecure or row.unavailable)]
        near = difflib.get_close_matches(name.lower(), usable, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError("", f"unknown method '{name}'", f"{hint}there is {', '.join(usable)}")
    if method.unavailable:
        problem = f"method '{method.name}' is not available: {method.unavailable}"
        raise ConfigError("", problem, "'--list-ciphers' shows what is")
    return method


def insecurity(method: CipherMethod) -> ConfigError | None:
    """Why ``method`` is only for those who insist, None where it is for everybody."""
    if not method.insecure:
        return None
    why = "can change what it carries" if method.key_size else "can read what it carries"
    problem = f"method '{method.name}' is insecure: whoever is on the path {why}"
    remedy = "use aes-256-gcm, or allow_insecure_ciphers (--allow-insecure-ciphers) to mean it"
    return ConfigError("", problem, remedy)
