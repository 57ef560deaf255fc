r"""One datagram, read as a request.

::

    add: {"server_port": 8001, "password": "…", "method": "aes-256-gcm", "mode": "tcp_and_udp"}
    remove: {"server_port": 8001}
    list
    ping
    stat: {"8001": 11370}

The word in front ends at white space or a colon, and what it is about begins at the first brace:
so all of ``list\n``, ``add {…}`` and ``add: {…}`` are read, as ss-manager reads them. Members that
nobody knows say nothing, because panels send accounts of their own along.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from ..errors import RemoteProtocolError

__all__ = [
    "MAX_REQUEST",
    "Add",
    "List",
    "Ping",
    "Remove",
    "Request",
    "Stat",
    "User",
    "parse_request",
    "print_request",
]

#: Octets of the largest datagram that is read; ss-manager takes half of its buffer of 65535.
MAX_REQUEST = 65535 // 2

_MODES = ("tcp_only", "tcp_and_udp", "udp_only")


@dataclass(frozen=True, slots=True)
class User:
    """One of several users of a port."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Add:
    """Serve a port, instead of whatever is served there; None is what the manager has set."""

    port: int
    password: str = field(repr=False)
    method: str | None = None
    mode: str | None = None
    users: tuple[User, ...] | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Serve a port no more."""

    port: int


@dataclass(frozen=True, slots=True)
class List:
    """Which ports are served?"""


@dataclass(frozen=True, slots=True)
class Ping:
    """How many octets has each port relayed?"""


@dataclass(frozen=True, slots=True)
class Stat:
    """A server that runs by itself says what it has relayed: octets by port."""

    octets: tuple[tuple[int, int], ...]


Request: TypeAlias = Add | Remove | List | Ping | Stat


def parse_request(datagram: bytes) -> Request | None:
    """What ``datagram`` asks for; None where it is nothing that has an answer.

    Raises ``RemoteProtocolError`` for a request that is known and not well made.
    """
    if len(datagram) > MAX_REQUEST:
        return None
    text = datagram.decode("utf-8", "surrogateescape").strip(" \t\r\n\v\f\0")
    action = text.partition(":")[0].split(maxsplit=1)
    parse = _PARSERS.get(action[0]) if action else None
    return parse(text) if parse else None


def print_request(request: Request) -> bytes:
    """The datagram that says ``request``, to either peer."""
    if isinstance(request, Add):
        members: dict[str, Any] = {"server_port": request.port, "password": request.password}
        members |= {} if request.method is None else {"method": request.method}
        members |= {} if request.mode is None else {"mode": request.mode}
        if request.users is not None:
            listed = [{"name": user.name, "password": user.password} for user in request.users]
            members["users"] = listed
        return _joined("add", members)
    if isinstance(request, Remove):
        return _joined("remove", {"server_port": request.port})
    if isinstance(request, Stat):
        return _joined("stat", {str(port): octets for port, octets in request.octets})
    return b"list" if isinstance(request, List) else b"ping"


def _joined(action: str, members: dict[str, Any]) -> bytes:
    return f"{action}: {json.dumps(members, separators=(',', ':'))}".encode("ascii")


def _add(text: str) -> Add:
    members = _members(text)
    if members.get("plugin"):
        raise RemoteProtocolError("no plugin is started here")
    mode = _text(members, "mode")
    if mode is not None and mode not in _MODES:
        raise RemoteProtocolError(f"a mode is one of {', '.join(_MODES)}")
    users = members.get("users")
    password = _text(members, "password")
    if not password:
        raise RemoteProtocolError("no password")
    return Add(
        _port(members.get("server_port")),
        password,
        _text(members, "method"),
        mode,
        None if users is None else _users(users),
    )


def _remove(text: str) -> Remove:
    return Remove(_port(_members(text).get("server_port")))


def _stat(text: str) -> Stat:
    found: dict[int, int] = {}
    for port, octets in _members(text).items():
        if not isinstance(octets, int) or isinstance(octets, bool) or octets < 0:
            raise RemoteProtocolError("octets are a whole number")
        found[_port(port)] = octets
    return Stat(tuple(found.items()))


_PARSERS: dict[str, Callable[[str], Request]] = {
    "add": _add,
    "remove": _remove,
    "list": lambda text: List(),
    "ping": lambda text: Ping(),
    "stat": _stat,
}


def _members(text: str) -> dict[str, Any]:
    """The object that begins at the first brace, to the end of the datagram."""
    _, brace, rest = text.partition("{")
    try:
        value = json.loads(brace + rest, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The parser's own words would quote the text, and that is where the password is.
        raise RemoteProtocolError("no JSON object behind the action") from None
    if not isinstance(value, dict):
        raise RemoteProtocolError("no JSON object behind the action")
    return value


def _refuse_constant(name: str) -> NoReturn:
    # [RFC8259 §6] numeric values such as Infinity and NaN are not permitted
    raise ValueError(name)


def _port(value: object) -> int:
    """Peers write ``8001`` and ``"8001"``, and one of them takes any number for a port."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise RemoteProtocolError("server_port is no port: 1 to 65535")
    return value


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name} is no text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RemoteProtocolError(f"{name} is no UTF-8") from None
    return value


def _users(value: object) -> tuple[User, ...]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise RemoteProtocolError("users is no list of objects")
    found = []
    for one in value:
        name, password = _text(one, "name"), _text(one, "password")
        if not name or not password:
            raise RemoteProtocolError("a user without name or password")
        found.append(User(name, password))
    return tuple(found)
