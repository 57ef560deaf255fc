"""SIP002 URLs: a server as one line of text, for paste buffers and QR codes.

::

    ss://userinfo@host:port[/][?plugin=name;options][#tag]      SIP002
    ss://base64(method:password@host:port)[#tag]                the form before it

``userinfo`` is ``method:password`` in URL-safe base64 without padding or, which AEAD-2022 methods
must use, percent-encoded. Readers differ from writers: real URLs have padding, the other base64
alphabet, or percent signs around either, so all of these are read and one is written.

Errors never quote what may hold the password.

Source: SIP002; SIP022 for the percent-encoded userinfo; RFC 3986 for the rest.
"""

import binascii
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from ..endpoint import Endpoint
from ..errors import ConfigError

__all__ = ["DEFAULT_PORT", "ServerUri", "decode", "encode", "encode_legacy"]

#: The port of a URL that names none; a convention of all peers.
DEFAULT_PORT = 8388

#: [SIP022] methods of this family are never written in base64.
PERCENT_ENCODED = "2022-"

#: Methods that need no password.
WITHOUT_PASSWORD = frozenset({"none", "plain"})

#: What Endpoint leaves in a name, and a URL could not carry back.
NOT_IN_HOST = frozenset("/@?#[]")

_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class ServerUri:
    """A server as a URL describes it. The method is a name here: any name, known to us or not."""

    method: str
    password: str = field(repr=False)
    endpoint: Endpoint
    plugin: str = ""
    """``name;option=value;flag`` as SIP003 joins them, empty for none."""
    tag: str = ""


def decode(text: str) -> ServerUri:
    """Read either form. Raises ``ConfigError`` that names what is wrong."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme.lower() != "ss":
        raise ConfigError("", "not a Shadowsocks URL", "it starts with ss://")
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    tag = _unquote(fragment, "the tag")
    plugin = _plugin(query)
    # A sloppy writer leaves an '@' of the password as it is: the last one separates.
    userinfo, at, authority = rest.rpartition("@")
    if at:
        userinfo = _userinfo(_unquote(userinfo, "the user information"))
    else:
        userinfo, at, authority = _legacy(_unquote(rest, "the URL")).rpartition("@")
    method, colon, password = userinfo.partition(":")
    # What hides nothing has no password: a peer may write "none:@".
    if not (at and method and colon and (password or method.lower() in WITHOUT_PASSWORD)):
        raise ConfigError("", "the URL has no method:password", "write ss://method:password@host")
    return ServerUri(method, password, _authority(authority), plugin, tag)


def encode(server: ServerUri) -> str:
    """The SIP002 form. Raises ``ConfigError`` for a server without a method or a password."""
    _check(server)
    if server.method.startswith(PERCENT_ENCODED):
        userinfo = f"{quote(server.method, safe='')}:{quote(server.password, safe='')}"
    else:
        userinfo = _base64(f"{server.method}:{server.password}")
    url = f"ss://{userinfo}@{_host_port(server.endpoint)}"
    if server.plugin:
        # [SIP002] the slash is optional, except before a plugin
        url += f"/?plugin={quote(server.plugin, safe='')}"
    return url + _fragment(server.tag)


def encode_legacy(server: ServerUri) -> str:
    """The form before SIP002, which has no place for a plugin and none for AEAD-2022.

    Raises ``ConfigError`` where the server needs either.
    """
    _check(server)
    if server.plugin or server.method.startswith(PERCENT_ENCODED):
        what = "a plugin" if server.plugin else server.method
        raise ConfigError("", f"the legacy form cannot carry {what}", "use the SIP002 form")
    # Here everything is inside base64, so the host is text and not percent-encoded.
    whole = f"{server.method}:{server.password}@{server.endpoint}"
    return f"ss://{_base64(whole)}{_fragment(server.tag)}"


def _check(server: ServerUri) -> None:
    empty = not server.password and server.method.lower() not in WITHOUT_PASSWORD
    if not server.method or ":" in server.method or empty:
        raise ConfigError("", "a URL needs a method and a password", "give the server both")


def _userinfo(text: str) -> str:
    # The alphabet of base64 has no colon, so a colon says that this is the plain form.
    return text if ":" in text else _unbase64(text, "the user information")


def _legacy(text: str) -> str:
    return _unbase64(text.removesuffix("/"), "what stands behind ss://, which has no '@',")


def _authority(text: str) -> Endpoint:
    host_port, _, path = text.partition("/")
    if path:
        raise ConfigError("", "the URL has a path", "only /?plugin=… may follow the port")
    host_port = _unquote(host_port, "the host")
    endpoint = Endpoint.parse(host_port, DEFAULT_PORT)
    # [RFC3986 §3.2.2] an IPv6 literal stands in brackets: without them its end is a guess
    if ":" in endpoint.host and not host_port.startswith("["):
        raise ConfigError("", f"{host_port!r} is not a host", "write IPv6 as [address]:port")
    if endpoint.port == 0 or not NOT_IN_HOST.isdisjoint(endpoint.host):
        raise ConfigError("", f"{host_port!r} is not a server", "write it as host:port")
    return endpoint


def _plugin(query: str) -> str:
    """The plugin of a query; parameters that SIP002 does not know are other programs' own."""
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name == "plugin":
            return _unquote(value, "the plugin")
    return ""


def _unquote(text: str, what: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        problem = f"{what} is not UTF-8 under its percent signs"
        raise ConfigError("", problem, "copy the URL again") from error


def _host_port(endpoint: Endpoint) -> str:
    # An IPv6 zone ('%eth0') has a percent sign of its own [RFC6874 §2]
    return quote(str(endpoint), safe="[]:")


def _fragment(tag: str) -> str:
    return f"#{quote(tag, safe='')}" if tag else ""


def _base64(text: str) -> str:
    encoded = binascii.b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")
    return encoded.rstrip("=").replace("+", "-").replace("/", "_")


def _unbase64(text: str, what: str) -> str:
    standard = text.rstrip("=").translate(_URL_SAFE_TO_STANDARD)
    try:
        padded = standard + "=" * (-len(standard) % 4)
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-8")
    except ValueError as error:
        remedy = "write base64 of method:password, or percent-encode it"
        raise ConfigError("", f"{what} is neither base64 nor method:password", remedy) from error
