"""/etc/hosts and /etc/resolv.conf: the two files in which a host says how it finds others.

Both are read as resolv.conf(5) and hosts(5) say, and unreadable lines are skipped: a typing error
in one line must not stop a proxy that runs. ``watched_file`` does the reading.
"""

from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import ResolveError
from .names import literal, normalise

__all__ = ["ResolvConf", "parse_hosts", "parse_resolv_conf"]

_PORT = 53

# resolv.conf(5) has the same limit (MAXNS); of more, the last would hardly have time for a turn.
_MAX_SERVERS = 3
_MAX_SEARCH = 6

#: The options with a number, and the largest that counts.
_OPTION_CAPS = {"ndots": 15, "timeout": 30, "attempts": 5}


class ResolvConf(NamedTuple):
    """What /etc/resolv.conf says; the defaults are those of a host without one."""

    servers: tuple[Endpoint, ...] = (Endpoint("127.0.0.1", _PORT),)
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5  #: seconds that one server has for one query
    attempts: int = 2  #: rounds through the list of servers


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read the directives that matter here; the last ``search`` or ``domain`` counts."""
    servers: list[Endpoint] = []
    search: tuple[str, ...] = ()
    numbers = {"ndots": 1, "timeout": 5, "attempts": 2}
    for line in text.splitlines():
        match line.split():
            case ["nameserver", host, *_] if literal(host):
                servers.append(Endpoint(host, _PORT))
            case ["search" | "domain", *suffixes]:
                search = _suffixes(suffixes)
            case ["options", *options]:
                numbers |= _numbers(options)
    used = tuple(servers[:_MAX_SERVERS]) or ResolvConf().servers
    return ResolvConf(used, search, numbers["ndots"], numbers["timeout"], numbers["attempts"])


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Names in lower case, each with its addresses in the order of the file."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        canonical = literal(address)
        if canonical is None:
            continue
        for name in names:
            key = name.lower().removesuffix(".")
            known = found.get(key, ())
            if canonical not in known:
                found[key] = (*known, canonical)
    return found


def _suffixes(words: list[str]) -> tuple[str, ...]:
    suffixes = []
    for word in words:
        try:
            suffixes.append(normalise(word.strip(".")))
        except ResolveError:
            # A search list may be written "." to say that there is none.
            continue
    return tuple(suffixes[:_MAX_SEARCH])


def _numbers(options: list[str]) -> dict[str, int]:
    numbers = {}
    for option in options:
        name, _, digits = option.partition(":")
        if name in _OPTION_CAPS and digits.isascii() and digits.isdigit():
            # resolv.conf(5) caps them silently. Zero rounds or seconds would ask nobody.
            least = 0 if name == "ndots" else 1
            numbers[name] = max(least, min(int(digits), _OPTION_CAPS[name]))
    return numbers
