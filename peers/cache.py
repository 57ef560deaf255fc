"""Where peers are kept between runs: outside the tree, one folder for each version of each peer.

``$XDG_CACHE_HOME/annotated-shadowsocks/peers/NAME-VERSION``, where ``XDG_CACHE_HOME`` is
``~/.cache`` if it is not set. A folder holds a finished peer when it holds a stamp with the
identity of its recipe, which is written last: what was interrupted, or was built otherwise, is
built again.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .model import Peer, PeerError

__all__ = ["find", "folder_of", "forget", "install", "is_installed", "log_of", "root", "size_of"]


def root() -> Path:
    """Where all are."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "annotated-shadowsocks" / "peers"


def folder_of(peer: Peer) -> Path:
    """Where ``peer`` is, or would be."""
    return root() / f"{peer.name}-{peer.version}"


def log_of(peer: Peer) -> Path:
    """What the tools said when ``peer`` was installed; it outlives a failure."""
    return folder_of(peer).with_name(f"{folder_of(peer).name}.log")


def is_installed(peer: Peer) -> bool:
    """Whether all its programs are there, of this version and by this recipe."""
    try:
        same = _stamp(peer).read_text("utf-8") == peer.recipe.identity
    except FileNotFoundError:
        return False
    return same and all(peer.recipe.program(folder_of(peer), name) for name in peer.programs)


def find(peer: Peer, name: str) -> str:
    """The path of a program of ``peer``. Raises ``PeerError`` that says how to get it."""
    path = peer.recipe.program(folder_of(peer), name) if is_installed(peer) else None
    if path is None:
        raise PeerError(f"{peer.name} {peer.version} is not installed; run: make peers")
    return str(path)


def install(peer: Peer) -> float:
    """Install it unless it is there; returns the seconds that it took. Raises ``PeerError``."""
    started = time.monotonic()
    with _alone(peer):
        if is_installed(peer):
            return 0.0
        folder, log = folder_of(peer), log_of(peer)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        log.unlink(missing_ok=True)
        if not all(peer.recipe.program(folder, name) for name in peer.programs):
            peer.recipe.install(folder, log)
        for name in peer.programs:
            if peer.recipe.program(folder, name) is None:
                raise PeerError(f"it was installed, and has no program {name}; see {log}")
        _stamp(peer).write_text(peer.recipe.identity, "utf-8")
    return time.monotonic() - started


def forget(peer: Peer) -> None:
    """Remove what is kept of it."""
    with _alone(peer):
        shutil.rmtree(folder_of(peer), ignore_errors=True)


def size_of(peer: Peer) -> int:
    """Octets of what is kept of it."""
    files = (
        path for path in folder_of(peer).rglob("*") if path.is_file() and not path.is_symlink()
    )
    return sum(path.stat().st_size for path in files)


def _stamp(peer: Peer) -> Path:
    return folder_of(peer) / "installed"


@contextmanager
def _alone(peer: Peer) -> Iterator[None]:
    """No other run installs the same peer meanwhile."""
    try:
        root().mkdir(parents=True, exist_ok=True)
        lock = folder_of(peer).with_name(f"{folder_of(peer).name}.lock").open("w")
    except OSError as error:
        raise PeerError(f"the cache cannot be written: {error}; XDG_CACHE_HOME moves it") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
