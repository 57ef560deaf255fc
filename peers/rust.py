"""shadowsocks-rust: every generation, SIP023 users as a server."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AEAD, AEAD_EXTRA, ALL_2022, sized
from .model import Launch, Link, Peer, Side
from .recipes import CargoCrate

__all__ = ["RUST"]

_CRATE = CargoCrate(
    "shadowsocks-rust",
    "1.25.0",
    (
        "logging",
        "hickory-dns",  # a resolver that can be told whom to ask
        "local",
        "server",
        "multi-threaded",
        "stream-cipher",
        "aead-cipher",
        "aead-cipher-extra",
        "aead-cipher-2022",
        "aead-cipher-2022-extra",
    ),
    ("sslocal", "ssserver"),
)

_STREAM = {"table", "rc4", "rc4-md5", "chacha20-ietf", "none", "plain"}
# It has no aes-192-gcm; its modes of one bit are the only ones of any peer.
_METHODS = (
    (AEAD - {"aes-192-gcm"})
    | AEAD_EXTRA
    | ALL_2022
    | {"2022-blake3-chacha8-poly1305"}
    | sized("aes", "cfb", "cfb1", "cfb8", "ctr", "ofb")
    | sized("camellia", "cfb", "cfb1", "cfb8", "ctr", "ofb")
    | _STREAM
)


def _document(link: Link, **more: object) -> str:
    server = {"address": link.server.host, "port": link.server.port, "method": link.method}
    return json.dumps({"mode": "tcp_and_udp", "servers": [{**server, **more}]})


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    more: dict[str, object] = {"password": link.password}
    if link.users:
        more["users"] = [{"name": n, "password": key} for n, key in link.users.items()]
    command = ["ssserver", "-c", str(file)]
    if link.name_server:
        command += ["--dns", f"udp://{link.name_server}"]
    return Launch(command, {file: _document(link, **more)})


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    document = _document(link, password=link.client_password)
    return Launch(["sslocal", "-c", str(file), "-U", "-b", str(at)], {file: document})


RUST = Peer(
    name="shadowsocks-rust",
    version="1.25.0",
    recipe=_CRATE,
    programs=("sslocal", "ssserver"),
    client=Side(_client, _METHODS, _METHODS),
    server=Side(_server, _METHODS, _METHODS),
)
