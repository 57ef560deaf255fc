"""The pre-shared key of AEAD-2022: random octets, and never a password.

SIP004 hashes what the operator typed, so its key is as strong as that was. SIP022 takes the key
itself, written in base64, and has it no other way: ``ssservice genkey`` makes one. It is used for
three things, and BLAKE3 keeps them apart by a context each::

    session subkey    derive_key("... session subkey",  psk + salt)    a stream, a session
    identity subkey   derive_key("... identity subkey", psk + salt)    an identity header
    identity          hash(psk), its first 16 octets                   the name of its holder

A PSK of an AES method also encrypts, as it is, the header of a datagram.
"""

import binascii
from functools import cached_property

from ..crypto.aead import Aead
from ..crypto.aes_block import AesBlock
from ..crypto.blake3 import derive_key, digest
from ..crypto.methods import CipherMethod
from ..crypto.resting_box import RestingBox
from ..errors import ConfigError, LocalProtocolError

__all__ = ["IDENTITY_SIZE", "PreSharedKey"]

#: Octets of an identity, and of the header that carries one.
IDENTITY_SIZE = 16

_SESSION = "shadowsocks 2022 session subkey"
_IDENTITY = "shadowsocks 2022 identity subkey"


class PreSharedKey:
    """A cipher method and the key for it, ``method.key_size`` octets.

    Raises ``ConfigError`` where the key has another size: SIP022 forbids to make one that fits.
    """

    def __init__(self, method: CipherMethod, key: bytes) -> None:
        if len(key) != method.key_size:
            raise ConfigError(
                "",
                f"a key of {len(key)} octets for {method.name}, which takes {method.key_size}",
                f"make one with 'ssservice genkey -m {method.name}'",
            )
        self.method = method
        self._key = key

    @classmethod
    def from_base64(cls, method: CipherMethod, text: str) -> "PreSharedKey":
        """The key that ``text`` spells in base64, padded; an error never quotes it."""
        try:
            key = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            # The cause is not chained: it may quote the key.
            raise ConfigError(
                "",
                f"the password of {method.name} is not base64",
                f"make a key with 'ssservice genkey -m {method.name}'",
            ) from None
        return cls(method, key)

    def session(self, session_id: bytes) -> Aead:
        """The box for the one session of datagrams with this id."""
        return self.method.aead(self._session_key(session_id))

    def stream(self, salt: bytes) -> Aead:
        """The box for the one stream that starts with ``salt``; it rests when the stream does."""
        return RestingBox(self.method.aead, self._session_key(salt))

    def identity_block(self, salt: bytes) -> AesBlock:
        """What hides the identity header of the one stream that starts with ``salt`` [SIP023]."""
        return AesBlock(derive_key(_IDENTITY, self._key + salt, self.method.key_size))

    @cached_property
    def identity(self) -> bytes:
        """What an identity header names this key by [SIP023]."""
        return digest(self._key)[:IDENTITY_SIZE]

    @cached_property
    def block(self) -> AesBlock:
        """What hides the headers of datagrams."""
        return AesBlock(self._key)

    @cached_property
    def packet_box(self) -> Aead:
        """What seals datagrams, for a method whose datagrams have no separate header."""
        if self.method.packet_aead is None:
            raise LocalProtocolError(f"{self.method.name} seals datagrams in sessions")
        return self.method.packet_aead(self._key)

    def _session_key(self, salt: bytes) -> bytes:
        return derive_key(_SESSION, self._key + salt, self.method.key_size)

    def __repr__(self) -> str:
        """Name the method and nothing else: a repr ends up in logs and tracebacks."""
        return f"<PreSharedKey {self.method.name}>"
