"""Xray-core, and V2Ray, from which it comes; one form of configuration for both."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AEAD, ALL_2022
from .model import Build, Launch, Link, Peer, Side
from .recipes import DebianPackage, GoModule

__all__ = ["V2RAY", "XRAY"]

_V2RAY = frozenset({"aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305", "none", "plain"})
_XRAY = (AEAD - {"aes-192-gcm"}) | ALL_2022 | {"none", "plain"}


def _document(inbound: dict[str, object], outbound: dict[str, object], **more: object) -> str:
    log = {"loglevel": "warning"}
    return json.dumps({"log": log, "inbounds": [inbound], "outbounds": [outbound], **more})


def _server(*command: str) -> Build:
    def launch(at: Endpoint, link: Link, file: Path) -> Launch:
        settings: dict[str, object] = {
            "method": link.method,
            "password": link.password,
            "network": ",".join(link.transports),
        }
        clients: list[dict[str, object]] = [
            {"email": name, "password": key} for name, key in link.users.items()
        ]
        clients += [
            {"email": name, "password": key, "address": to.host, "port": to.port}
            for name, (key, to) in link.destinations.items()
        ]
        clients += [
            {"email": name, "password": key, "method": link.method}
            for name, key in link.keys.items()
        ]
        if clients:
            settings["clients"] = clients
        inbound = _inbound(at, "shadowsocks", settings)
        more: dict[str, object] = {}
        if link.name_server:
            host, port = link.name_server
            more["dns"] = {"servers": [{"address": host, "port": port}]}
        strategy = {"domainStrategy": "UseIP"}
        outbound: dict[str, object] = {"protocol": "freedom", "settings": strategy}
        text = _document(inbound, outbound, **more)
        return Launch([*command, str(file)], {file: text}, link.transports)

    return launch


def _client(*command: str) -> Build:
    def launch(at: Endpoint, link: Link, file: Path) -> Launch:
        server: dict[str, object] = {
            "address": link.server.host,
            "port": link.server.port,
            "method": link.method,
            "password": link.client_password,
        }
        if link.udp_over_tcp:
            server |= {"uot": True, "UoTVersion": link.udp_over_tcp}
        outbound: dict[str, object] = {"protocol": "shadowsocks", "settings": {"servers": [server]}}
        inbound = _inbound(at, "socks", {"udp": True, "ip": at.host})
        return Launch([*command, str(file)], {file: _document(inbound, outbound)})

    return launch


def _inbound(at: Endpoint, protocol: str, settings: dict[str, object]) -> dict[str, object]:
    return {"listen": at.host, "port": at.port, "protocol": protocol, "settings": settings}


XRAY = Peer(
    name="xray-core",
    version="1.260327.0",
    recipe=GoModule("xray-core", "github.com/xtls/xray-core/main"),
    programs=("xray-core",),
    client=Side(_client("xray-core", "run", "-c"), _XRAY, _XRAY),
    server=Side(_server("xray-core", "run", "-c"), _XRAY, _XRAY),
)

V2RAY = Peer(
    name="v2ray",
    version="4.34.0",
    recipe=DebianPackage("v2ray"),
    programs=("v2ray",),
    client=Side(_client("v2ray", "-config"), _V2RAY, _V2RAY),
    server=Side(_server("v2ray", "-config"), _V2RAY, _V2RAY),
)
