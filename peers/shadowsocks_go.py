"""shadowsocks-go, by database64128: AEAD-2022 with AES, and SIP023 users."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AES_2022
from .model import Launch, Link, Peer, Side
from .recipes import GoModule

__all__ = ["SHADOWSOCKS_GO"]

_METHODS = AES_2022 | {"none", "plain"}

#: The path of loopback can carry more; the peer refuses datagrams that would not fit.
_MTU = 65535


def _run(
    file: Path, server: dict[str, object], client: dict[str, object], more: dict[Path, str]
) -> Launch:
    document = {"servers": [server], "clients": [client]}
    command = ["shadowsocks-go", "-confPath", str(file)]
    return Launch(command, {file: json.dumps(document), **more})


def _listeners(at: Endpoint, protocol: str) -> dict[str, object]:
    return {
        "name": "in",
        "protocol": protocol,
        "tcpListeners": [{"network": "tcp", "address": str(at)}],
        "udpListeners": [{"network": "udp", "address": str(at)}],
        "mtu": _MTU,
    }


def _keys(method: str, *keys: str) -> dict[str, object]:
    """The last is its own; methods without a cipher have none, and want none to be given."""
    *servers, own = keys
    known: dict[str, object] = {"psk": own}
    if servers:
        known["iPSKs"] = servers
    return known if method in AES_2022 else {}


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    server = _listeners(at, link.method) | _keys(link.method, link.password)
    files = {}
    if link.users:
        store = file.with_suffix(".users.json")
        files[store] = json.dumps(dict(link.users))
        server["uPSKStorePath"] = str(store)
    client = {"name": "out", "protocol": "direct", "enableTCP": True, "enableUDP": True}
    return _run(file, server, client | {"mtu": _MTU}, files)


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    client: dict[str, object] = {
        "name": "out",
        "protocol": link.method,
        "endpoint": str(link.server),
        "enableTCP": True,
        "enableUDP": True,
        "mtu": _MTU,
        **_keys(link.method, *link.client_password.split(":")),
    }
    return _run(file, _listeners(at, "socks5"), client, {})


SHADOWSOCKS_GO = Peer(
    name="shadowsocks-go",
    version="1.14.0",
    recipe=GoModule("shadowsocks-go", "github.com/database64128/shadowsocks-go/cmd/shadowsocks-go"),
    programs=("shadowsocks-go",),
    client=Side(_client, _METHODS, _METHODS),
    server=Side(_server, _METHODS, _METHODS),
    # It has resolvers to choose a way by address, and its dialer asks the system all the same.
    resolves=False,
)
