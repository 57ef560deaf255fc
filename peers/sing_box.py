"""sing-box: AEAD and AEAD-2022 on both sides, SIP023 users and relay, UDP over TCP."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AEAD, ALL_2022, sized
from .model import Launch, Link, Peer, Side
from .recipes import GoModule

__all__ = ["SING_BOX"]

_SERVER = AEAD | ALL_2022 | {"none"}
# Stream ciphers are for its client alone.
_CLIENT = _SERVER | sized("aes", "cfb", "ctr") | {"rc4-md5", "chacha20-ietf", "xchacha20"}

_LOG = {"level": "warn"}
_DIRECT = {"type": "direct", "tag": "direct"}


def _run(file: Path, document: dict[str, object], *transports: str) -> Launch:
    text = json.dumps({"log": _LOG, **document})
    return Launch(["sing-box", "run", "-c", str(file)], {file: text}, transports)


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    inbound: dict[str, object] = {
        "type": "shadowsocks",
        "listen": at.host,
        "listen_port": at.port,
        "method": link.method,
        "password": link.password,
    }
    if not link.datagrams:
        inbound["network"] = "tcp"
    if users := link.users or link.keys:
        inbound["users"] = [{"name": name, "password": key} for name, key in users.items()]
    if link.destinations:
        inbound["destinations"] = [
            {"name": name, "password": key, "server": to.host, "server_port": to.port}
            for name, (key, to) in link.destinations.items()
        ]
    document: dict[str, object] = {"inbounds": [inbound], "outbounds": [_DIRECT]}
    if link.name_server:
        host, port = link.name_server
        names = {"type": "udp", "tag": "names", "server": host, "server_port": port}
        document |= {"dns": {"servers": [names]}, "route": {"default_domain_resolver": "names"}}
    return _run(file, document, *link.transports)


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    outbound: dict[str, object] = {
        "type": "shadowsocks",
        "server": link.server.host,
        "server_port": link.server.port,
        "method": link.method,
        "password": link.client_password,
    }
    if link.udp_over_tcp:
        outbound["udp_over_tcp"] = {"enabled": True, "version": link.udp_over_tcp}
    inbound = {"type": "socks", "listen": at.host, "listen_port": at.port}
    return _run(file, {"inbounds": [inbound], "outbounds": [outbound]}, "tcp")


SING_BOX = Peer(
    name="sing-box",
    version="1.14.1",
    recipe=GoModule("sing-box", "github.com/sagernet/sing-box/cmd/sing-box"),
    programs=("sing-box",),
    client=Side(_client, _CLIENT, _CLIENT),
    server=Side(_server, _SERVER, _SERVER),
)
