"""Starts the two hops of a tunnel, ours or a peer's, and ends them.

::

    with Stage(folder) as stage:
        tunnel = stage.tunnel(None, PEERS["sing-box"], Link(...))      ours -> sing-box
        tunnel = stage.tunnel(PEERS["sing-box"], None, Link(...))      sing-box -> ours
"""

import base64
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from annotated_shadowsocks.crypto.methods import TABLE, Generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.hops import Hop, Tunnel
from annotated_shadowsocks.testing.programs import Program, free_port

from . import cache, ours
from .model import Link, Peer, PeerError, Side

__all__ = ["OURS", "Stage", "free_endpoint", "new_key"]

#: Where a name is wanted and no peer's is meant.
OURS = "ours"


def free_endpoint(host: str = "127.0.0.1") -> Endpoint:
    """A place to listen at."""
    return Endpoint(host, free_port())


def new_key(method: str) -> str:
    """A password, or of SIP022 a key of the right size; never the same twice."""
    row = TABLE[method]
    size = row.key_size if row.generation is Generation.AEAD_2022 else 16
    key = base64.b64encode(os.urandom(size)).decode()
    # A password stands in the URIs of some peers.
    return key if row.generation is Generation.AEAD_2022 else key.translate(_PLAIN)


_PLAIN = str.maketrans("+/=", "---")


class Stage:
    """Ends all that it has started with its block. ``None`` for a peer means ours.

    ``environment`` is what its programs have in theirs besides ours.
    """

    def __init__(
        self, folder: Path, loop: str = "uvloop", environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._environment = (
            os.environ | {"ANNOTATED_SHADOWSOCKS_LOOP": loop} | dict(environment or {})
        )
        self._stack = ExitStack()
        #: Our own hops among those that run.
        self.ours: list[Hop] = []

    def __enter__(self) -> "Stage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def tunnel(self, client: Peer | None, server: Peer | None, link: Link) -> Tunnel:
        """A client hop and a server hop of one link."""
        return self.join(client, self.server(server, link), link)

    def join(self, client: Peer | None, server: Hop, link: Link) -> Tunnel:
        """A client hop of a server that runs."""
        return Tunnel(self.client(client, link), server)

    def server(self, peer: Peer | None, link: Link) -> Hop:
        """A server hop, which listens where the link says."""
        return self._start(peer, peer.server if peer else ours.SERVER, link.server, link)

    def client(self, peer: Peer | None, link: Link) -> Hop:
        """A client hop, which listens wherever a port is free."""
        return self._start(peer, peer.client if peer else ours.CLIENT, free_endpoint(), link)

    def _start(self, peer: Peer | None, side: Side | None, at: Endpoint, link: Link) -> Hop:
        name = peer.name if peer else OURS
        if side is None:
            raise PeerError(f"{name} has no such side")
        launch = side.launch(at, link, self._folder / f"{name}-{at.port}.json")
        for file, text in launch.files.items():
            file.write_text(text, "utf-8")
        program, *arguments = launch.command
        path = cache.find(peer, program) if peer else program
        sockets = [(transport, at.port) for transport in launch.transports]
        running = Program([path, *arguments], sockets, self._environment)
        hop = Hop(name, self._stack.enter_context(running), at)
        if peer is None:
            self.ours.append(hop)
        return hop
