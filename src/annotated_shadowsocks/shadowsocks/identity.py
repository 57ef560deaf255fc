"""SIP023 identity headers: many keys behind one port, and the right one found without trying.

A client may hold several keys, ``iPSK0:iPSK1:...:uPSK``. The last one is its own and seals what it
says; each other one belongs to somebody on the way, a relay or a server of many users, who must
learn which key comes next and nothing else. So for each of them there is one header of 16 octets,
which names the *identity* of the next key and which only the holder of this one can read::

    stream     salt | identity header 0 | identity header 1 | fixed header ...
    datagram   separate header | identity header 0 | identity header 1 | sealed body

In a stream a header is encrypted under a key for this salt alone. Datagrams are too many for that:
there the identity is xored with the separate header, which never repeats, and encrypted under the
identity key as it is. The separate header itself is readable to the first key on the way.

A header proves nothing: it selects a key, and what follows must then open under it. An identity
that nobody has and a body that does not open are the same error, and get the same silence.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from ..crypto.methods import CipherMethod
from ..errors import AuthenticationError, ConfigError
from .psk import IDENTITY_SIZE, PreSharedKey

__all__ = ["KeyChain", "KeyTable", "User"]


class User(NamedTuple):
    """Whoever holds a key that an identity header may name: a user, or for a relay the next hop."""

    name: str
    psk: PreSharedKey


class KeyChain:
    """The keys of a client: ``psk`` is its own, ``ipsks`` those on the way, nearest first.

    Raises ``ConfigError`` for ``ipsks`` of a method that has no identity headers.
    """

    def __init__(self, psk: PreSharedKey, ipsks: tuple[PreSharedKey, ...] = ()) -> None:
        if ipsks:
            _check_method(psk.method)
        keys = (*ipsks, psk)
        self.psk = psk
        #: The key that the nearest party holds.
        self.first = keys[0]
        #: Each key on the way, with the identity of the one behind it.
        self._links = tuple((key, behind.identity) for key, behind in pairwise(keys))

    @classmethod
    def from_password(cls, method: CipherMethod, password: str) -> "KeyChain":
        """The keys that ``password`` joins with colons, each in base64, the client's own last."""
        *ipsks, psk = (PreSharedKey.from_base64(method, text) for text in password.split(":"))
        return cls(psk, tuple(ipsks))

    @property
    def method(self) -> CipherMethod:
        """The method of all keys."""
        return self.psk.method

    @property
    def headers_size(self) -> int:
        """Octets of all identity headers."""
        return IDENTITY_SIZE * len(self._links)

    def stream_headers(self, salt: bytes) -> bytes:
        """The identity headers of the stream that starts with ``salt``."""
        return b"".join(ipsk.identity_block(salt).encrypt(name) for ipsk, name in self._links)

    def packet_headers(self, separate_header: bytes) -> bytes:
        """The identity headers of the datagram with this ``separate_header``, in clear."""
        return b"".join(
            ipsk.block.encrypt(_xor(name, separate_header)) for ipsk, name in self._links
        )


class KeyTable:
    """The keys of a server or a relay: ``psk`` is its own, ``users`` are those that it may meet.

    Where ``users`` is None there are no identity headers, and everybody seals with ``psk``. With
    users, be they none at all, every request has a header, one dictionary look-up finds the key
    that it names among any number, and ``psk`` alone opens nothing. Raises ``ConfigError`` for two
    users with one key, or with a key of another method.
    """

    def __init__(self, psk: PreSharedKey, users: Iterable[User] | None = None) -> None:
        self.psk = psk
        self._anybody = User("", psk)
        self._users: dict[bytes, User] = {}
        if users is not None:
            _check_method(psk.method)
        for user in users or ():
            if user.psk.method is not psk.method:
                problem = f"user {user.name!r} has a key for {user.psk.method.name}"
                raise ConfigError("", problem, f"give it one for {psk.method.name}")
            other = self._users.setdefault(user.psk.identity, user)
            if other is not user:
                problem = f"users {other.name!r} and {user.name!r} have the same key"
                raise ConfigError("", problem, "give each user a key of its own")
        #: Octets of the identity header that is ours to read.
        self.header_size = 0 if users is None else IDENTITY_SIZE

    @property
    def method(self) -> CipherMethod:
        """The method of all keys."""
        return self.psk.method

    def stream_user(self, salt: bytes, header: bytes) -> User:
        """Whose the stream is that starts with ``salt`` and ``header``, or ``AuthenticationError``.

        ``header`` has ``header_size`` octets.
        """
        if not header:
            return self._anybody
        return self._find(self.psk.identity_block(salt).decrypt(header))

    def packet_user(self, separate_header: bytes, header: bytes | memoryview) -> User:
        """Whose the datagram is that has this ``separate_header``, in clear, and ``header``."""
        if not header:
            return self._anybody
        return self._find(_xor(self.psk.block.decrypt(header), separate_header))

    def _find(self, identity: bytes) -> User:
        user = self._users.get(identity)
        if user is None:
            raise AuthenticationError("an identity header names nobody")
        return user


def _check_method(method: CipherMethod) -> None:
    # [SIP023] the header is a block of AES, under a key of the method's size
    if method.packet_aead is not None:
        problem = f"{method.name} has no identity headers, and takes one key"
        raise ConfigError("", problem, "use an AES method, or one key")


def _xor(one: bytes, other: bytes) -> bytes:
    number = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return number.to_bytes(IDENTITY_SIZE, "big")
