"""How peers are installed: by apt, cargo, go and pip, each from its own registry, each pinned.

What the four tools download is checked against hashes: those of the crate's own lock file, of
``go/NAME/go.sum``, of ``python/NAME.txt``, and of Debian's signed lists.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from .model import PeerError

__all__ = ["CargoCrate", "DebianPackage", "GoModule", "PythonPackage"]

_HERE = Path(__file__).parent

#: Lines of a log that are worth showing when something failed.
_TAIL = 15


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A package of the distribution, whose version the distribution pins; needs root, or sudo."""

    name: str

    @property
    def identity(self) -> str:
        """The package."""
        return f"apt {self.name}"

    def install(self, folder: Path, log: Path) -> None:
        """Install it for the whole machine; nothing goes into ``folder``."""
        tool("apt-get", "a Debian or Ubuntu, or the package by other means")
        as_root = [] if os.geteuid() == 0 else [tool("sudo", "root, or sudo"), "-n"]
        run([*as_root, "apt-get", "-q", "update"], log)
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]
        options = ["-q", "install", "--yes", "--no-install-recommends"]
        run([*as_root, *quiet, "apt-get", *options, self.name], log)

    def program(self, folder: Path, name: str) -> Path | None:
        """Where the path finds it."""
        found = shutil.which(name)
        return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class CargoCrate:
    """Programs of a crate, built with exactly these features and the crate's own lock file."""

    name: str
    version: str
    features: tuple[str, ...]
    programs: tuple[str, ...]

    @property
    def identity(self) -> str:
        """The version, the features and the programs."""
        return f"cargo {self.name} {self.version} {self.features} {self.programs}"

    def install(self, folder: Path, log: Path) -> None:
        """Build it with cargo."""
        cargo = tool("cargo", "Rust 1.91 or newer, by rustup")
        programs = [option for name in self.programs for option in ("--bin", name)]
        what = [f"{self.name}@{self.version}", "--locked", "--root", str(folder), *programs]
        features = ["--no-default-features", "--features", ",".join(self.features)]
        run([cargo, "install", *what, *features], log)

    def program(self, folder: Path, name: str) -> Path | None:
        """In the folder."""
        return _in_bin(folder, name)


@dataclass(frozen=True, slots=True)
class GoModule:
    """The program that the ``tool`` line of ``go/NAME/go.mod`` names, and what that file requires.

    A module of ours requires it, where ``go install`` would do, because of the ``go.sum`` beside
    it: so the hashes of all modules are pinned, and not only the version of one.
    """

    name: str
    package: str

    @property
    def identity(self) -> str:
        """The digest of what is pinned."""
        digest = sha256(self.package.encode())
        for name in ("go.mod", "go.sum"):
            digest.update((_HERE / "go" / self.name / name).read_bytes())
        return f"go {self.name} {digest.hexdigest()}"

    def install(self, folder: Path, log: Path) -> None:
        """Build it with go."""
        go = tool("go", "Go 1.26 or newer")
        flags = ["-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
        target = folder / "bin" / self.name
        # The compiler that is installed, or a word that it is too old; none is fetched for this.
        environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
        command = [go, "build", *flags, "-o", str(target), self.package]
        run(command, log, _HERE / "go" / self.name, environment)

    def program(self, folder: Path, name: str) -> Path | None:
        """In the folder."""
        return _in_bin(folder, name)


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """A package in an environment of its own, with what ``python/NAME.txt`` pins by hash."""

    name: str

    @property
    def _requirements(self) -> Path:
        return _HERE / "python" / f"{self.name}.txt"

    @property
    def identity(self) -> str:
        """The digest of what is pinned, and the Python that it is for."""
        digest = sha256(self._requirements.read_bytes()).hexdigest()
        return f"pip {self.name} {digest} {sys.version}"

    def install(self, folder: Path, log: Path) -> None:
        """Make the environment, with the Python that runs this."""
        run([sys.executable, "-m", "venv", "--clear", str(folder)], log)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
        ]
        run([*pip, "--no-deps", "--require-hashes", "-r", str(self._requirements)], log)

    def program(self, folder: Path, name: str) -> Path | None:
        """In the folder."""
        return _in_bin(folder, name)


def _in_bin(folder: Path, name: str) -> Path | None:
    path = folder / "bin" / name
    return path if path.is_file() else None


def tool(name: str, needed: str) -> str:
    """Where ``name`` is. Raises ``PeerError`` that says what is needed."""
    path = shutil.which(name)
    if path is None:
        raise PeerError(f"{name} is not installed; this peer needs {needed}")
    return path


def run(
    command: Sequence[str],
    log: Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a tool to its end, politely. Raises ``PeerError`` with the last that it said."""
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        done = subprocess.run(
            ["nice", *command],
            cwd=folder,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        last = log.read_text("utf-8", errors="replace").splitlines()[-_TAIL:]
        said = "\n".join(f"    {line}" for line in last)
        raise PeerError(
            f"{command[0]} ended with status {done.returncode}; its last words:\n{said}"
        )


def _give_way() -> None:
    os.nice(10)
