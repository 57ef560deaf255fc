"""The host's own entropy, limits and addresses: where a core's arguments become real."""

import os
import re
import resource
from pathlib import Path

__all__ = ["descriptor_limit", "entropy", "own_addresses", "raise_descriptor_limit"]


# A salt must never repeat under one key, in any process, after any fork: only the kernel's
# generator gives that without state of our own that a fork would copy.
entropy = os.urandom


def descriptor_limit() -> int:
    """How many descriptors this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_descriptor_limit(wanted: int | None = None) -> int:
    """Raise the limit to ``wanted``, or as far as it goes; returns the limit that resulted.

    The soft limit is 1024 nearly everywhere, for programs that use select(2). Raises ``ValueError``
    or ``OSError`` where ``wanted`` is more than this process may have.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = hard if wanted is None else wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(soft, hard)))
    return soft


def own_addresses() -> frozenset[str]:
    """The literals of this host's interfaces, empty where the system does not list them."""
    return frozenset(_own_ipv4() | _own_ipv6())


def _own_ipv4() -> set[str]:
    # [linux fib_trie_seq_show] a leaf is its address and then, a line each, its routes
    leaves = re.findall(r"\|-- (\S+)\n((?:\s+/\d+ .*\n)+)", _read("/proc/net/fib_trie"))
    return {address for address, routes in leaves if "/32 host LOCAL" in routes}


def _own_ipv6() -> set[str]:
    rows = (line.split() for line in _read("/proc/net/if_inet6").splitlines())
    return {":".join(re.findall("....", row[0])) for row in rows if row}


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
