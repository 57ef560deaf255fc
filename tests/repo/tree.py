"""Where the tree is, its Python files, and how a test of it complains."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

__all__ = ["PACKAGE", "ROOT", "complain", "import_all", "module_name", "python_files"]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "annotated_shadowsocks"


def python_files(*tops: str) -> Iterator[Path]:
    """The Python files under these directories of the tree, in order."""
    for top in tops:
        yield from sorted((ROOT / top).rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name under which a file of ``src`` is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_all() -> Iterator[ModuleType]:
    """Every module of the package except ``__main__``, which runs when it is imported."""
    for path in python_files("src"):
        if path.name != "__main__.py":
            yield importlib.import_module(module_name(path))


def complain(rule: str, breaches: list[str]) -> None:
    """Fail with one line for each breach of ``rule``, if there are any, and no traceback."""
    if breaches:
        pytest.fail("\n  ".join([rule, *breaches]), pytrace=False)
