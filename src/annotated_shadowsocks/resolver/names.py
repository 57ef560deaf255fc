"""What a host string is: an address literal, a name that may be asked for, or neither."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from ..errors import ResolveError

__all__ = ["LOOPBACK", "candidates", "is_loopback", "literal", "normalise"]

#: What ``localhost`` means, whatever a name server would say.
LOOPBACK = ("127.0.0.1", "::1")

# [RFC1035 §2.3.4] 255 octets on the wire leave 253 of text
_MAX_NAME = 253

# [RFC6761 §6.4] and [RFC7686 §2]: never to be asked for
_NEVER_ASKED = frozenset({"invalid", "onion"})


@lru_cache(maxsize=4096)
def literal(host: str) -> str | None:
    """The canonical text of an address literal, None for anything else."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def normalise(host: str) -> str:
    """The name in lower-case ASCII; a trailing dot, which forbids the search list, stays.

    Raises ``ResolveError`` for what cannot be a name.
    """
    # The codec's time grows with the square of the length.
    if len(host) > _MAX_NAME + 1:
        raise ResolveError(f"cannot resolve {host[:64]!r}...: longer than a host name can be")
    try:
        name = (host if host.isascii() else host.encode("idna").decode("ascii")).lower()
    except UnicodeError:
        raise ResolveError(f"cannot resolve {host!r}: not a host name") from None
    labels = name.removesuffix(".").split(".")
    # [RFC1035 §2.3.4] labels of 1 to 63 octets
    if len(name) > _MAX_NAME + 1 or not all(0 < len(label) <= 63 for label in labels):
        raise ResolveError(f"cannot resolve {host!r}: not a host name")
    # [RFC1123 §2.1] a name whose last label is a number is a mistyped address. Asking for it
    # would let a name server say what the host "127.1" is.
    if _is_number(labels[-1]):
        raise ResolveError(f"cannot resolve {host!r}: neither an address nor a name")
    if labels[-1] in _NEVER_ASKED:
        raise ResolveError(f"cannot resolve {host!r}: .{labels[-1]} is not in the DNS")
    return name


def is_loopback(name: str) -> bool:
    """Whether a normalised name is ``localhost`` or ends in it."""
    # [RFC6761 §6.3] resolvers answer these themselves and never ask a server
    return f".{name}".removesuffix(".").endswith(".localhost")


def candidates(name: str, search: Sequence[str], ndots: int) -> list[str]:
    """The absolute names to ask for, in order, for a normalised name.

    A name with fewer than ``ndots`` dots is tried under each suffix of the search list and then as
    it is; any other, and one that ends in a dot, only as it is.
    """
    if name.endswith(".") or name.count(".") >= ndots:
        return [name.removesuffix(".")]
    return [full for suffix in search if len(full := f"{name}.{suffix}") <= _MAX_NAME] + [name]


def _is_number(label: str) -> bool:
    if label.isdigit():
        return True
    digits = label.removeprefix("0x")
    return digits != label and all(digit in "0123456789abcdef" for digit in digits)
