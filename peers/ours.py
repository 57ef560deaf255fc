"""Ours, described as the peers are, so that it can take either end of a tunnel."""

import json
import sys
from pathlib import Path

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint

from .model import Launch, Link, Side

__all__ = ["CLIENT", "SERVER"]

_COMMAND = [sys.executable, "-m", "annotated_shadowsocks"]

#: All that is served here and now: what this build of OpenSSL lacks is not.
_METHODS = frozenset(name for name, row in TABLE.items() if not row.unavailable)


def _launch(program: str, file: Path, link: Link, **more: object) -> Launch:
    document = {
        "server": link.server.host,
        "server_port": link.server.port,
        "method": link.method,
        "mode": "tcp_and_udp",
        "verbose": link.verbosity,
        "workers": link.workers,
        # A test ends its hops while connections may be open, and waits for none.
        "shutdown_grace": 0,
        **more,
    }
    if TABLE[link.method].insecure:
        document["allow_insecure_ciphers"] = True
    command = [*_COMMAND, program, "-c", str(file)]
    transports = ("tcp",) if document["mode"] == "tcp_only" else ("tcp", "udp")
    return Launch(command, {file: json.dumps(document)}, transports)


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    more: dict[str, object] = {"allow_private_targets": True}
    if not link.keys:
        more["password"] = link.password
    if not link.datagrams:
        more["mode"] = "tcp_only"
    if link.name_server:
        more["nameserver"] = str(link.name_server)
    if users := link.users or link.keys:
        more["users"] = [{"name": name, "password": key} for name, key in users.items()]
    if link.destinations:
        more["destinations"] = [
            {"name": name, "password": key, "server": to.host, "server_port": to.port}
            for name, (key, to) in link.destinations.items()
        ]
    return _launch("ssserver", file, link, **more)


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    own: dict[str, object] = {"local_address": at.host, "local_port": at.port}
    if link.udp_over_tcp:
        own["udp_over_tcp"] = link.udp_over_tcp
    return _launch("sslocal", file, link, password=link.client_password, **own)


CLIENT = Side(_client, _METHODS, _METHODS)
SERVER = Side(_server, _METHODS, _METHODS)
