"""Who is measured, as both hops of a tunnel: ours on each loop, and every peer installed."""

import importlib.util
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from annotated_shadowsocks import __version__
from annotated_shadowsocks.testing.programs import Program, free_port
from peers import cache, ours
from peers.catalogue import PEERS
from peers.model import Link
from peers.stage import Stage, free_endpoint, new_key

__all__ = ["KINDS", "Hops", "Pair", "can", "version_of"]

_ROOT = Path(__file__).resolve().parent.parent

#: Ours by the loop that it runs on.
_OURS = {"ours": "asyncio", "ours+uvloop": "uvloop"}

#: Who can be measured: whoever has both hops.
KINDS = [*_OURS, *(name for name, peer in PEERS.items() if peer.client and peer.server)]


@dataclass(frozen=True, slots=True)
class Pair:
    """One kind's two processes, and the port on which its client hop listens."""

    kind: str
    local: Program
    server: Program
    port: int


class Hops:
    """Starts pairs for one method, and ends them all with the block."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))

    def __enter__(self) -> "Hops":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start(self, kind: str) -> Pair:
        """Start both hops of ``kind`` and wait until they listen."""
        stage = self._stack.enter_context(Stage(self._folder, _OURS.get(kind, "asyncio")))
        link = Link(self._method, new_key(self._method), free_endpoint(), verbosity=0)
        peer = PEERS.get(kind)
        tunnel = stage.tunnel(peer, peer, link)
        return Pair(kind, tunnel.client.program, tunnel.server.program, tunnel.client.endpoint.port)

    def origin(self) -> int:
        """Start the origin; returns its port."""
        port = free_port()
        command = [sys.executable, "-m", "bench.origin", str(port)]
        environment = os.environ | {"PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
        self._stack.enter_context(Program(command, [("tcp", port)], environment))
        return port


def can(kind: str, method: str) -> bool:
    """Whether ``kind`` is installed, and both of its hops have ``method``."""
    if kind in _OURS:
        there = importlib.util.find_spec("uvloop") is not None or kind == "ours"
        return there and method in ours.CLIENT.methods & ours.SERVER.methods
    peer = PEERS[kind]
    sides = [side.methods for side in (peer.client, peer.server) if side]
    return cache.is_installed(peer) and all(method in methods for methods in sides)


def version_of(kind: str) -> str:
    """What is measured, and of which version."""
    if kind in _OURS:
        return f"Annotated Shadowsocks {__version__} on {_OURS[kind]}"
    return f"{kind} {PEERS[kind].version}"
