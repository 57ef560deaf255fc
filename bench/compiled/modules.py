"""The modules that every connection goes through, compiled by mypyc in a copy of the package.

The copy differs from the package in ``_EDITS``, which say to mypyc what Python does not ask: that a
constant belongs to the class, and which attributes may be deleted. Two modules of the path are left
as they are, ``wire.core`` and ``wire.reader``: a compiled class cannot have an interpreted
subclass, and of theirs mypyc refuses ``shadowsocks.stream_cipher_stream``, whose handshake has a
reader of another type than ``HandshakeCore`` has. ``services.hop`` and
``shadowsocks.aead2022_stream`` are compiled because their classes have bases that are.

The compiled loops of ``shadowsocks.chunks`` cannot be replaced afterwards, as calls between
compiled classes look nothing up. So the copy that the extension is to be used with has them and
their subclasses as they are.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

from .folder import ROOT, BuildError, built, missing_tools, run

__all__ = ["BuildError", "build", "missing"]

_PACKAGE = ROOT / "src" / "annotated_shadowsocks"

_CHUNKS = ("shadowsocks/chunks", "shadowsocks/aead_stream", "shadowsocks/aead2022_stream")

_MODULES = (
    "relay/deadlines",
    "relay/dialer",
    "relay/driver",
    "relay/endings",
    "relay/listener",
    "relay/packet_outlet",
    "relay/packet_relay",
    "relay/poller",
    "relay/stream_relay",
    "services/hop",
    "services/inbound",
    "services/local",
    "services/port",
    "services/server",
    "shadowsocks/aead_packet",
    "shadowsocks/handshake",
    "shadowsocks/key",
    "wire/address",
)

_EDITS = (
    ("relay/poller", "from typing import ", "from typing import ClassVar, "),
    ("relay/poller", "    LIMIT = ", "    LIMIT: ClassVar[int] = "),
    ("relay/poller", "    LARGE = ", "    LARGE: ClassVar[int] = "),
    ("relay/stream_relay", "class Leg:\n", 'class Leg:\n    __deletable__ = ["peer"]\n'),
    (
        "relay/stream_relay",
        "class StreamRelay:\n",
        'class StreamRelay:\n    __deletable__ = ["far", "near"]\n',
    ),
)

# mypyc is called by setuptools, and setuptools reads its command from sys.argv.
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(name="copy", packages=[], script_args=["-q", "build_ext", "--inplace"],
      ext_modules=mypycify(["--ignore-missing-imports", *sys.argv[1:]], opt_level="3"))
"""


def missing() -> str:
    """Why it cannot be built here, empty where it can."""
    for name in ("mypyc", "setuptools"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed; it comes with requirements/develop.txt"
    return missing_tools()


def build(chunks: bool = True) -> Path:
    """The folder that has the copy, to be searched before the package. Raises ``BuildError``.

    ``chunks`` says whether the loops of chunks are compiled too. It takes a minute or two.
    """
    if why := missing():
        raise BuildError(why)
    names = [*_MODULES, *(_CHUNKS if chunks else ())]

    def compile_in(folder: Path) -> None:
        copy = folder / _PACKAGE.name
        shutil.copytree(_PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for name, old, new in _EDITS:
            _edit(copy / f"{name}.py", old, new)
        files = [f"{_PACKAGE.name}/{name}.py" for name in names]
        run([sys.executable, "-c", _SETUP, *files], folder)
        shutil.rmtree(folder / "build")

    sources = [Path(__file__), *sorted(_PACKAGE.rglob("*.py"))]
    return built("mypyc" if chunks else "mypyc-without-chunks", sources, compile_in)


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    if text.count(old) != 1:
        raise BuildError(f"{file.name} is not what bench/compiled/modules.py has an edit for")
    file.write_text(text.replace(old, new), "utf-8")
