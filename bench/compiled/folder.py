"""Where what was compiled is kept: outside the tree, one folder for each source and each Python.

``$XDG_CACHE_HOME/annotated-shadowsocks/compiled/NAME-DIGEST``. A folder is renamed to its name when
all in it is finished, so what was interrupted is built again.
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from peers.cache import root

__all__ = ["ROOT", "BuildError", "built", "missing_tools", "run"]

#: The top of the tree.
ROOT = Path(__file__).resolve().parents[2]


class BuildError(Exception):
    """It cannot be compiled here; the text says why and what to do."""


def missing_tools() -> str:
    """Which of the compiler and the headers of this Python is not here; empty where both are."""
    if shutil.which("cc") is None:
        return "there is no C compiler; on Debian: apt install build-essential"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        return f"{header} is missing; on Debian: apt install python3-dev"
    return ""


def built(name: str, sources: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """The folder of ``name`` as it follows from ``sources``; ``build`` fills a new one."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    for source in sources:
        digest.update(f"\n{source.name}\n".encode() + source.read_bytes())
    folder = root().parent / "compiled" / f"{name}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            build(new)
            try:
                new.rename(folder)
            except OSError:
                # Two built it at one time, and the other was first.
                if not folder.is_dir():
                    raise
    return folder


def run(command: Sequence[str], folder: Path) -> None:
    """Run a tool in ``folder``; what it says is in the error where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise BuildError(f"{command[0]} ended with status {done.returncode}:\n{said}")
