"""shadowsocks-libev: AEAD and stream ciphers, in C; as Debian builds it."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AEAD, sized
from .model import Launch, Link, Peer, Side
from .recipes import DebianPackage

__all__ = ["LIBEV"]

# Not rc4 and table, which its build for Debian is without.
_STREAM = {"rc4-md5", "bf-cfb", "salsa20", "chacha20", "chacha20-ietf"}
_METHODS = AEAD | sized("aes", "cfb", "ctr") | sized("camellia", "cfb") | _STREAM

#: It reads datagrams into a buffer of twice what it thinks fits, and cuts off the rest. With this
#: it takes whatever UDP can carry.
_JUMBO = 65535


def _document(link: Link, **more: object) -> str:
    common = {"method": link.method, "password": link.password, "mode": "tcp_and_udp"}
    at = {"server": link.server.host, "server_port": link.server.port, "mtu": _JUMBO}
    return json.dumps({**common, **at, **more})


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    more = {"nameserver": str(link.name_server)} if link.name_server else {}
    return Launch(["ss-server", "-c", str(file)], {file: _document(link, **more)})


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    document = _document(link, local_address=at.host, local_port=at.port)
    return Launch(["ss-local", "-c", str(file)], {file: document})


LIBEV = Peer(
    name="shadowsocks-libev",
    version="3.3.5",
    recipe=DebianPackage("shadowsocks-libev"),
    programs=("ss-server", "ss-local", "ss-tunnel"),
    client=Side(_client, _METHODS, _METHODS),
    server=Side(_server, _METHODS, _METHODS),
)
