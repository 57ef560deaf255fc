r"""What a manager answers, in the octets of two peers.

===========  ==================================  =======================================
request      ss-manager (libev)                  ssmanager (rust)
===========  ==================================  =======================================
add, remove  ``ok``, ``err``                     ``ok\n``, or what is wrong and ``\n``
no port      ``port is not available``           the reason and ``\n``
list         ports as text, a line each          ports as numbers, one line
ping         ``stat: {"8001":11370}``            the same and ``\n``
===========  ==================================  =======================================

What does not fit into one datagram is said in several. ss-manager cuts a list anywhere between two
entries, so that the datagrams are one document when they are joined, and loses an entry of ``stat``
at each cut. Here every ``stat`` is whole, and so is every list of the second dialect.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "MAX_ANSWER",
    "Dialect",
    "Listed",
    "print_done",
    "print_list",
    "print_refused",
    "print_stat",
    "print_unavailable",
]

#: Octets after which an answer goes on in another datagram. An entry is at most as long as the
#: request that made it, and the largest datagram of IPv4 has 65507.
MAX_ANSWER = 65535 // 2


class Dialect(Enum):
    """Whose client is answered."""

    LIBEV = "ss-manager"
    RUST = "ssmanager"


@dataclass(frozen=True, slots=True)
class Listed:
    """One port, and what opens it; what is not to be told is written in stars by then."""

    port: int
    password: str = field(repr=False)
    method: str
    users: Sequence[tuple[str, str]] | None = None


def print_done(dialect: Dialect) -> bytes:
    """It is as was asked."""
    return b"ok\n" if dialect is Dialect.RUST else b"ok"


def print_refused(dialect: Dialect, reason: str) -> bytes:
    """It is as it was, because of ``reason``."""
    return f"{reason}\n".encode() if dialect is Dialect.RUST else b"err"


def print_unavailable(dialect: Dialect, reason: str) -> bytes:
    """It is as it was: somebody else has the port."""
    return f"{reason}\n".encode() if dialect is Dialect.RUST else b"port is not available"


def print_list(dialect: Dialect, entries: Iterable[Listed]) -> list[bytes]:
    """The ports, in one datagram or more."""
    if dialect is Dialect.RUST:
        return [
            b"[" + b",".join(group) + b"]\n"
            for group in _groups([_compact(_members(one)) for one in entries])
        ]
    lines = [b"\n\t" + _compact(_members_of_libev(one)) for one in entries]
    datagrams = [b",".join(group) for group in _groups(lines)]
    datagrams[0] = b"[" + datagrams[0]
    datagrams[-1] += b"\n]"
    return [one + b"," for one in datagrams[:-1]] + datagrams[-1:]


def print_stat(dialect: Dialect, octets: Mapping[int, int]) -> list[bytes]:
    """Octets by port, in one datagram or more."""
    end = b"}\n" if dialect is Dialect.RUST else b"}"
    pairs = [f'"{port}":{count}'.encode("ascii") for port, count in octets.items()]
    return [b"stat: {" + b",".join(group) + end for group in _groups(pairs)]


def _members(entry: Listed) -> dict[str, object]:
    members: dict[str, object] = {"server_port": entry.port, "password": entry.password}
    if entry.users is not None:
        members["users"] = [{"name": name, "password": word} for name, word in entry.users]
    return members


def _members_of_libev(entry: Listed) -> dict[str, object]:
    return {
        "server_port": str(entry.port),
        "password": entry.password,
        "method": entry.method,
    }


def _compact(members: dict[str, object]) -> bytes:
    # ss-manager prints a password as it is, and with a quote in it the list is no JSON any more.
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def _groups(items: Sequence[bytes]) -> Iterator[list[bytes]]:
    """``items`` in order, in groups that fit; one group at least, which may be empty."""
    group: list[bytes] = []
    size = 0
    for item in items:
        if group and size + len(item) > MAX_ANSWER:
            yield group
            group, size = [], 0
        group.append(item)
        size += len(item) + 1
    yield group
