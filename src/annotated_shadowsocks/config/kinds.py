"""What a value may look like: one function per shape, for files and command lines alike.

A kind takes whatever JSON or argv delivered and returns the checked value, or raises
``ConfigError`` with an empty place: who knows where the value stood fills it in. Numbers are also
read from text, because a command line has nothing else and because libev and the Python original
accept ``"server_port": "8388"``.

Problems quote the offending text, except where it may be a secret.
"""

import ipaddress
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..endpoint import Endpoint
from ..errors import ConfigError
from ..shadowsocks import uri
from .secret import Secret

if TYPE_CHECKING:
    from ..crypto.methods import CipherMethod

__all__ = [
    "HostPort",
    "anything",
    "backlog",
    "boolean",
    "choice",
    "cipher_method",
    "host_port",
    "host_port_or_path",
    "host_ports",
    "integer",
    "link",
    "object_",
    "objects",
    "port",
    "port_passwords",
    "ports",
    "remark",
    "resolvers",
    "seconds",
    "secret",
    "text",
    "udp_over_tcp",
    "verbosity",
]

#: The password of the Python original's example; it refuses to start with it, and so do we.
EXAMPLE_PASSWORD = "mypassword"

#: RFC 1035 section 3.1 allows 255 octets on the wire, which leaves 253 characters of text.
MAX_HOST = 253

_SORTS = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}


class HostPort(NamedTuple):
    """A host, and the port where it was written together with the host."""

    host: str
    port: int | None


def anything(value: object) -> object:
    """The value as it is: of a key that is never looked at."""
    return value


def boolean(value: object) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise _wrong(value, "true or false", "write true or false without quotes")


def text(value: object) -> str:
    """Text that is not empty."""
    if isinstance(value, str) and value:
        return _utf8(value)
    raise _wrong(value, "text", "write text in double quotes")


def remark(value: object) -> str:
    """Text that may be empty."""
    return "" if value == "" else text(value)


def choice(*words: str) -> Callable[[object], str]:
    """One of ``words``."""

    def one_of(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        wanted = " or ".join(words)
        raise _wrong(value, wanted, f"write {wanted}")

    return one_of


def integer(least: int, most: int) -> Callable[[object], int]:
    """A whole number from ``least`` to ``most``, both included."""

    def bounded(value: object) -> int:
        number = _digits(value)
        if number is None or not least <= number <= most:
            wanted = f"a whole number from {least} to {most}"
            raise _wrong(value, wanted, f"use {least} to {most}")
        return number

    return bounded


def seconds(least: float = 0.0) -> Callable[[object], float]:
    """A finite number of seconds, at least ``least``, and above zero where that is zero too."""

    def duration(value: object) -> float:
        number = _number(value)
        if number is None or not math.isfinite(number) or number < least:
            raise _wrong(value, "a number of seconds", f"use a number, {least:g} or more")
        return number

    return duration


def port(value: object) -> int:
    """A port, 0 to 65535; 0 lets the kernel choose one for a listener."""
    number = _digits(value)
    if number is None or not 0 <= number <= 65535:
        raise _wrong(value, "a port", "use 1 to 65535")
    return number


def ports(value: object) -> tuple[int, ...]:
    """One port or, as in the Python original, a list of them."""
    return tuple(port(one) for one in _each(value, "a port"))


def host_port(value: object) -> HostPort:
    """``host``, ``host:port``, ``v6`` or ``[v6]:port``."""
    if not isinstance(value, str):
        raise _wrong(value, "a host", "write an address or a name in double quotes")
    # Endpoint.parse knows brackets and colons; -1 cannot come from text, so it marks "no port".
    endpoint = Endpoint.parse(value.strip(), default_port=-1)
    if len(endpoint.host) > MAX_HOST or not set(endpoint.host).isdisjoint("\"'/@#?,[]"):
        raise _wrong(value, "a host", "write one address or one name, and its port behind ':'")
    return HostPort(endpoint.host, endpoint.port if endpoint.port >= 0 else None)


def host_port_or_path(value: object) -> HostPort | str:
    """As ``host_port``, or the path of a file, which is told by its slash."""
    # Peers take whatever is no host with a port for a path. A port that was forgotten would make
    # a socket that is called 127.0.0.1 in the working directory.
    if isinstance(value, str) and "/" in value:
        return text(value)
    return host_port(value)


def host_ports(value: object) -> tuple[HostPort, ...]:
    """One host or, as in libev and the Python original, a list of them."""
    return tuple(host_port(one) for one in _each(value, "a host"))


def secret(value: object) -> Secret:
    """A password. Errors say what sort of value was found, and never the value."""
    if not isinstance(value, str):
        raise ConfigError("", f"found {_sort(value)}", "write the password in double quotes")
    if not value:
        raise ConfigError("", "an empty password", "make one with 'ssservice genkey'")
    if value == EXAMPLE_PASSWORD:
        problem = "the password of a published example"
        raise ConfigError("", problem, "make one with 'ssservice genkey'")
    return Secret(_utf8(value))


def port_passwords(value: object) -> dict[int, Secret]:
    """An object from port to password."""
    if not isinstance(value, dict) or not value:
        raise _wrong(value, "passwords by port", 'write {"8388": "password", …}')
    return {port(key): secret(password) for key, password in value.items()}


def cipher_method(value: object) -> "CipherMethod":
    """A row of the table of cipher methods, by its name."""
    # Imported here: the table loads the cryptographic library, and help and version need neither.
    from ..crypto import methods

    return methods.find(text(value))


def resolvers(value: object) -> tuple[Endpoint, ...] | None:
    """Addresses of DNS servers as a list or joined by commas; None for ``system``."""
    if value == "system":
        return None
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not words:
        raise _wrong(value, "DNS servers", 'write "system" or a list of addresses')
    return tuple(_resolver(word) for word in words)


def _resolver(value: object) -> Endpoint:
    try:
        host, number = host_port(value)
        ipaddress.ip_address(host)
    except (ConfigError, ValueError) as error:
        raise _wrong(value, "the address of a DNS server", "write 192.0.2.1 or [v6]:53") from error
    return Endpoint(host, 53 if number is None else number)


def backlog(value: object) -> int | None:
    """The argument of listen(2), or None for ``auto``: as much as the kernel allows."""
    if value == "auto":
        return None
    number = _digits(value)
    if number is None or not 1 <= number <= 0x7FFFFFFF:
        raise _wrong(value, "a backlog", "use auto, or a number from 1")
    return number


def verbosity(value: object) -> int:
    """How much is logged: 0 to 3. ``true`` is 1, as in the Python original."""
    return int(value) if isinstance(value, bool) else integer(0, 3)(value)


def udp_over_tcp(value: object) -> int:
    """The version of UDP over TCP, 0 for none, as sing-box writes it.

    That is a boolean, or an object with ``enabled`` and ``version``; a bare version is ours.
    """
    if isinstance(value, dict) and value.keys() <= {"enabled", "version"}:
        enabled = boolean(value.get("enabled", False))
        return integer(1, 2)(value.get("version") or 2) if enabled else 0
    if isinstance(value, bool):
        return 2 if value else 0
    return integer(0, 2)(value)


def object_(value: object) -> dict[str, object]:
    """An object."""
    if isinstance(value, dict):
        return value
    raise _wrong(value, "an object", "write { … }")


def objects(value: object) -> list[dict[str, object]]:
    """A list of objects."""
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    raise _wrong(value, "a list of objects", "write [{ … }, { … }]")


def link(value: object) -> uri.ServerUri:
    """A SIP002 URL."""
    return uri.decode(text(value))


def _utf8(value: str) -> str:
    # Octets of argv and of the environment that are not UTF-8 arrive as lone surrogates (PEP 383).
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError("", "text that is not UTF-8", "write it in UTF-8") from error
    return value


def _each(value: object, wanted: str) -> list[object]:
    if value == []:
        raise _wrong(value, wanted, "write at least one")
    return value if isinstance(value, list) else [value]


def _digits(value: object) -> int | None:
    # bool is a subclass of int, and a port of True is nobody's wish
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return None


def _number(value: object) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    number = _digits(value)
    return None if number is None else float(number)


def _sort(value: object) -> str:
    return _SORTS.get(type(value), "text" if value else "nothing")


def _wrong(value: object, wanted: str, remedy: str) -> ConfigError:
    found = f"'{value[:60]}'" if isinstance(value, str) and value else _sort(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = str(value)
    return ConfigError("", f"wants {wanted}, found {found}", remedy)
