"""The keys of a port, whatever the generation: made from a method and passwords, and nothing else.

::

    generation          a server's keys                   a client's
    SIP004              KeyRing, of one key or of many    MasterKey
    stream cipher       KeyRing of one                    MasterKey
    SIP022              KeyTable, with users or without   KeyChain

The two kinds of a server's differ in how a key is found. SIP023 names it in a header, so a table
is asked once. SIP004 names nothing: a key is the right one if it opens what was sealed, and a ring
of many is tried key by key. So it matters where a search begins. A client comes back from the same
address, and whoever was there last is tried first.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ..crypto.methods import CipherMethod, Generation
from ..errors import ConfigError
from .identity import KeyChain, KeyTable, User
from .key import MasterKey
from .psk import PreSharedKey

__all__ = [
    "ClientKeys",
    "Holder",
    "KeyRing",
    "ServerKeys",
    "client_keys",
    "server_keys",
]

#: Addresses whose last key a ring remembers.
_ADDRESSES = 4096


class Holder(NamedTuple):
    """Whoever holds a key of a ring; without a name where there is only one."""

    name: str
    key: MasterKey


class KeyRing:
    """Keys of one method, of which each stream and each packet needs another.

    Raises ``ConfigError`` for a name or a key that is there twice.
    """

    def __init__(self, holders: Sequence[Holder]) -> None:
        self.holders = tuple(holders)
        self.method = self.holders[0].key.method
        #: Who was last at an address, the latest address last.
        self._last: OrderedDict[str, Holder] = OrderedDict()
        seen: dict[object, Holder] = {}
        for holder in self.holders:
            for mark, what in ((holder.name, "a name"), (holder.key.key, "a password")):
                other = seen.setdefault(mark, holder)
                if other is not holder:
                    problem = f"users {other.name!r} and {holder.name!r} share {what}"
                    raise ConfigError("", problem, "give each user one of its own")

    @classmethod
    def of(cls, key: MasterKey) -> "KeyRing":
        """The ring of one key, whoever holds it."""
        return cls([Holder("", key)])

    def candidates(self, host: str) -> Iterator[Holder]:
        """All holders, and first whoever was last at ``host``: some twice, none left out."""
        last = self._last.get(host)
        if last is not None:
            yield last
        yield from self.holders

    def remember(self, host: str, holder: Holder) -> None:
        """``holder``'s key has opened what came from ``host``."""
        if len(self.holders) == 1:
            return
        self._last[host] = holder
        self._last.move_to_end(host)
        if len(self._last) > _ADDRESSES:
            self._last.popitem(last=False)


#: What a server has.
ServerKeys: TypeAlias = KeyRing | KeyTable

#: What a client has.
ClientKeys: TypeAlias = MasterKey | KeyChain


def server_keys(
    method: CipherMethod, password: str, users: Iterable[tuple[str, str]] | None = None
) -> ServerKeys:
    """The keys of a server; ``users`` are names with passwords, None where there are none.

    Of SIP022 ``password`` is the server's own key, with users the identity key. Of SIP004 it is the
    one password, and has no meaning where there are users. Raises ``ConfigError``.
    """
    if method.generation is Generation.AEAD_2022:
        psk = PreSharedKey.from_base64(method, password)
        return KeyTable(psk, None if users is None else _psk_users(method, users))
    if users is None:
        return KeyRing.of(MasterKey.from_password(method, password))
    if method.generation is Generation.STREAM:
        problem = f"{method.name} takes one password: its streams do not tell a right key"
        raise ConfigError("", problem, "use an AEAD method for several users")
    holders = [Holder(name, MasterKey.from_password(method, text)) for name, text in users]
    if not holders:
        raise ConfigError("", "there are no users", "add one, or leave the key out")
    return KeyRing(holders)


def client_keys(method: CipherMethod, password: str) -> ClientKeys:
    """The keys of a client; of SIP022 ``password`` may be several, joined by colons [SIP023]."""
    if method.generation is Generation.AEAD_2022:
        return KeyChain.from_password(method, password)
    return MasterKey.from_password(method, password)


def _psk_users(method: CipherMethod, users: Iterable[tuple[str, str]]) -> list[User]:
    found: dict[str, User] = {}
    for name, text in users:
        if name in found:
            raise ConfigError("", f"two users are called {name!r}", "give each a name of its own")
        try:
            found[name] = User(name, PreSharedKey.from_base64(method, text))
        except ConfigError as error:
            raise ConfigError(f"user {name!r}", error.problem, error.remedy) from None
    return list(found.values())
