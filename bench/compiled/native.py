"""The extension ``native.c``: built once for each source and each Python, outside of the tree.

It is a measurement and no part of the package. What it replaces is in ``install``, and only in
processes that the benchmark starts with ``environment``.
"""

import importlib.util
import subprocess
import sysconfig
from pathlib import Path
from typing import cast

from .folder import ROOT, BuildError, built, missing_tools, run
from .install import MODULE, Native

__all__ = ["BuildError", "build", "load", "missing", "search_path"]

_SOURCE = Path(__file__).with_name("native.c")
_FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]


def missing() -> str:
    """Why it cannot be built here, empty where it can."""
    if tools := missing_tools():
        return tools
    if not _links(["-E"]):
        return "OpenSSL's headers are missing; on Debian: apt install libssl-dev"
    return ""


def _links(flags: list[str]) -> bool:
    command = ["cc", *flags, "-x", "c", "-", "-o", "/dev/null"]
    text = "#include <openssl/evp.h>\n"
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


def build() -> Path:
    """The folder that has it, built unless it is there. Raises ``BuildError``."""
    if why := missing():
        raise BuildError(why)

    def compile_to(folder: Path) -> None:
        library = folder / f"{MODULE}{sysconfig.get_config_var('EXT_SUFFIX')}"
        include = f"-I{sysconfig.get_path('include')}"
        run(["cc", *_FLAGS, include, str(_SOURCE), "-lcrypto", "-o", str(library)], folder)

    return built("native", [_SOURCE], compile_to)


def load() -> Native:
    """The extension, in this process, where nothing is replaced. Raises ``BuildError``."""
    (library,) = build().glob(f"{MODULE}*")
    spec = importlib.util.spec_from_file_location(MODULE, library)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(Native, module)


def search_path() -> list[str]:
    """What a hop that is to use it has on its path, before the package. Raises ``BuildError``."""
    return [str(Path(__file__).with_name("site")), str(build()), str(ROOT)]
