"""Who is measured, as both hops of a tunnel: ours on each loop, every peer installed, the floor."""

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

from .compiled import kinds as compiled

__all__ = ["COMPILED", "FLOOR", "KINDS", "OURS", "Hops", "Pair", "can", "version_of"]

_ROOT = Path(__file__).resolve().parent.parent

#: Ours with a part that is compiled, see ``compiled``.
COMPILED = list(compiled.KINDS)

#: Ours by the loop that it runs on.
OURS = {
    "ours": "asyncio",
    "ours+uvloop": "uvloop",
    "ours, 2 workers": "asyncio",
    **dict.fromkeys(COMPILED, "asyncio"),
}
_WORKERS = {"ours, 2 workers": 2}

#: Hops that only pass octets on, see ``null_relay``.
FLOOR = "null relay"

#: Who can be measured: whoever has both hops.
KINDS = [*OURS, *(name for name, peer in PEERS.items() if peer.client and peer.server), FLOOR]


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
        if kind == FLOOR:
            return self._floor()
        more = {"PYTHONPATH": compiled.search_path(kind)} if kind in COMPILED else None
        stage = self._stack.enter_context(Stage(self._folder, OURS.get(kind, "asyncio"), more))
        workers, key = _WORKERS.get(kind, 1), new_key(self._method)
        link = Link(self._method, key, free_endpoint(), workers=workers, verbosity=0)
        peer = PEERS.get(kind)
        tunnel = stage.tunnel(peer, peer, link)
        return Pair(kind, tunnel.client.program, tunnel.server.program, tunnel.client.endpoint.port)

    def origin(self) -> tuple[Program, int]:
        """Start the origin; the second is its port."""
        port = free_port()
        return self._module("bench.origin", port), port

    def _floor(self) -> Pair:
        near, far = free_port(), free_port()
        server = self._module("bench.null_relay", far, "server", str(far))
        local = self._module("bench.null_relay", near, "local", str(near), str(far))
        return Pair(FLOOR, local, server, near)

    def _module(self, name: str, port: int, *arguments: str) -> Program:
        command = [sys.executable, "-m", name, *(arguments or [str(port)])]
        environment = os.environ | {"PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
        return self._stack.enter_context(Program(command, [("tcp", port)], environment))


def can(kind: str, method: str) -> bool:
    """Whether ``kind`` is installed, and both of its hops have ``method``."""
    if kind == FLOOR:
        return True
    if kind in OURS:
        there = importlib.util.find_spec("uvloop") is not None or OURS[kind] != "uvloop"
        return (
            there
            and not compiled.missing(kind)
            and method in ours.CLIENT.methods & ours.SERVER.methods
        )
    peer = PEERS[kind]
    sides = [side.methods for side in (peer.client, peer.server) if side]
    return cache.is_installed(peer) and all(method in methods for methods in sides)


def version_of(kind: str) -> str:
    """What is measured, and of which version."""
    if kind == FLOOR:
        return "no proxy at all: octets are passed on"
    if kind in OURS:
        workers = _WORKERS.get(kind, 1)
        parts = "".join(f", {part} part" for part in sorted(compiled.KINDS.get(kind, ())))
        return f"Annotated Shadowsocks {__version__} on {OURS[kind]}, workers: {workers}{parts}"
    return f"{kind} {PEERS[kind].version}"
