"""The long-lived secret of a configured server, and the boxes that are made from it.

A master key seals nothing itself. Every stream and every packet brings a random salt, and the
session subkey that follows from master key and salt seals that one stream or packet. So two
sessions never share a key, and each may count its nonces from zero.
"""

from dataclasses import dataclass

from ..crypto.aead import Aead
from ..crypto.kdf import evp_bytes_to_key, session_subkey
from ..crypto.methods import CipherMethod
from ..crypto.resting_box import RestingBox
from ..errors import ConfigError

__all__ = ["MasterKey"]


@dataclass(frozen=True, slots=True, repr=False)
class MasterKey:
    """A cipher method and the key for it, ``method.key_size`` octets; made once per server.

    Raises ``ConfigError`` where the key has another size: a key is never cut or stretched to fit,
    because a peer would then need to know how.
    """

    method: CipherMethod
    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != self.method.key_size:
            raise ConfigError(
                "",
                f"a key of {len(self.key)} octets for {self.method.name}",
                f"give it exactly {self.method.key_size}",
            )

    @classmethod
    def from_password(cls, method: CipherMethod, password: str) -> "MasterKey":
        """The key that every SIP004 peer derives from the UTF-8 octets of ``password``."""
        try:
            # A command line that is not UTF-8 reaches Python as escaped octets. C peers hash them
            # as they were typed, so they are put back.
            octets = password.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            # The cause is not chained: its text quotes the password.
            raise ConfigError(
                "",
                f"character {error.start + 1} of the password is half of a surrogate pair",
                "write it as UTF-8",
            ) from None
        return cls(method, evp_bytes_to_key(octets, method.key_size))

    def session(self, salt: bytes) -> Aead:
        """The box for the one packet that starts with ``salt`` [SIP004]."""
        return self.method.aead(session_subkey(self.key, salt))

    def stream(self, salt: bytes) -> Aead:
        """The box for the one stream that starts with ``salt``; it rests when the stream does."""
        return RestingBox(self.method.aead, session_subkey(self.key, salt))

    def __repr__(self) -> str:
        """Name the method and nothing else: a repr ends up in logs and tracebacks."""
        return f"<MasterKey {self.method.name}>"
