"""A host and a port: the one value for listen addresses, servers and targets.

``host`` is a string as people write it: ``192.0.2.7``, ``2001:db8::1`` (no brackets) or a name.
The brackets of an IPv6 literal belong to the text form, where a colon would be ambiguous.
"""

import ipaddress
from typing import NamedTuple

from .errors import ConfigError

__all__ = ["Endpoint"]


class Endpoint(NamedTuple):
    """A host (IPv4 literal, IPv6 literal without brackets, or name) and a port (0 to 65535)."""

    host: str
    port: int

    def __str__(self) -> str:
        """``host:port``, with brackets around an IPv6 literal."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> "Endpoint":
        """Read ``host:port`` or ``[v6]:port``.

        A bare host, or a bare IPv6 literal, is accepted where ``default_port`` is given.
        Raises ``ConfigError`` that names the offending text.
        """
        host, port_text = _split(text)
        if not host:
            raise ConfigError("", f"{text!r} has no host", "write it as host:port")
        if not host.isprintable() or " " in host:
            raise ConfigError("", f"{host!r} in {text!r} is not a host", "take the spaces out")
        if port_text is None:
            if default_port is None:
                raise ConfigError("", f"{text!r} has no port", "write it as host:port")
            return cls(host, default_port)
        if not _is_port(port_text):
            raise ConfigError("", f"{port_text!r} in {text!r} is not a port", "use 0 to 65535")
        return cls(host, int(port_text))

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an address, or None where it is a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def _split(text: str) -> tuple[str, str | None]:
    """Host and port text; whatever has a colon in its host is an IPv6 literal."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not (bracket and _is_ipv6(host) and (not rest or rest.startswith(":"))):
            raise ConfigError("", f"{text!r} is not an address", "write IPv6 as [address]:port")
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        if not _is_ipv6(text):
            raise ConfigError("", f"{text!r} is not an address", "write IPv6 as [address]:port")
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    # The length comes before int(), which refuses a few thousand digits with an error of its own.
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535
