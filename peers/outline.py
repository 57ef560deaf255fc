"""outline-ss-server: many AEAD keys on one port. It has no client, and refuses private targets."""

import json
from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AES_GCM
from .model import Launch, Link, Peer, Side
from .recipes import GoModule

__all__ = ["OUTLINE"]

_METHODS = AES_GCM | {"chacha20-ietf-poly1305"}


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    keys = link.keys or {"only": link.password}
    service = {
        "listeners": [{"type": kind, "address": str(at)} for kind in ("tcp", "udp")],
        "keys": [{"id": n, "cipher": link.method, "secret": key} for n, key in keys.items()],
    }
    # It reads YAML, of which JSON is a part.
    document = json.dumps({"services": [service]})
    return Launch(["outline-ss-server", "-config", str(file)], {file: document})


OUTLINE = Peer(
    name="outline-ss-server",
    version="1.9.2",
    recipe=GoModule(
        "outline-ss-server", "github.com/Jigsaw-Code/outline-ss-server/cmd/outline-ss-server"
    ),
    programs=("outline-ss-server",),
    server=Side(_server, _METHODS, _METHODS),
    resolves=False,
)
