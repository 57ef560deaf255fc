"""Which process has a socket open: a search through /proc/PID/fd, the only way there is.

It reads every descriptor of every process that we may look into, so it is for a person's question
and not for a loop. Without privilege only the user's own processes are shown; a socket of another
user's then has no owner here, though its user is known from the kernel.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Owner", "owners"]

_PROC = Path("/proc")


class Owner(NamedTuple):
    """A process that has a socket open."""

    pid: int
    command: str  #: the name that its main thread has given itself: any text, 15 octets at most


def owners(inodes: Collection[int]) -> dict[int, tuple[Owner, ...]]:
    """The owners of the sockets with these inodes, in the order of their pids.

    A socket whose owners cannot be seen is left out. A process that ends meanwhile has none.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    found: dict[int, tuple[Owner, ...]] = {}
    for pid in _pids() if wanted else ():
        process = _PROC / str(pid)
        held = {wanted[link] for link in _links(process / "fd") if link in wanted}
        if held:
            owner = Owner(pid, _command(process))
            found |= {inode: (*found.get(inode, ()), owner) for inode in held}
    return found


def _pids() -> list[int]:
    try:
        return sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())
    except OSError:
        return []


def _links(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    # Not pathlib's, which takes thrice as long, and there are thousands of these.
                    yield os.readlink(entry.path)  # noqa: PTH115
                except OSError:
                    continue  # closed meanwhile
    except OSError:
        return  # not ours to look into, or gone


def _command(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").rstrip("\n")
    except OSError:
        return "?"
