"""Which compiled parts each of our kinds has, and what its hops need in their environment."""

import os

from . import modules, native

__all__ = ["KINDS", "missing", "search_path"]

#: Parts by kind.
KINDS = {
    "ours, native": frozenset({"native"}),
    "ours, mypyc": frozenset({"mypyc"}),
    "ours, mypyc+native": frozenset({"native", "mypyc"}),
}


def missing(kind: str) -> str:
    """Why it cannot be had here, empty where it can, and of a kind without compiled parts."""
    parts = KINDS.get(kind, frozenset())
    return (
        ("native" in parts and native.missing()) or ("mypyc" in parts and modules.missing()) or ""
    )


def search_path(kind: str) -> str:
    """``PYTHONPATH`` of its hops, all built. Raises ``BuildError``."""
    parts = KINDS.get(kind, frozenset())
    folders = native.search_path() if "native" in parts else []
    if "mypyc" in parts:
        folders.append(str(modules.build(chunks="native" not in parts)))
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*folders, *([inherited] if inherited else [])])
