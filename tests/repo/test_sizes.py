"""Files stay below 500 lines and functions below 80, or size_exemptions.toml says why not."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tree import ROOT, complain, python_files

FILE_LIMIT = 500
FUNCTION_LIMIT = 80
EXEMPTIONS = Path(__file__).with_name("size_exemptions.toml")


def oversized() -> Iterator[tuple[str, int]]:
    """What is too long, named as the exemptions name it, and its lines."""
    for path in python_files("src", "tests", "bench", "peers"):
        name = str(path.relative_to(ROOT))
        code = path.read_text("utf-8")
        if (lines := code.count("\n")) > FILE_LIMIT:
            yield name, lines
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LIMIT:
                    yield f"{name}::{node.name}", lines


def test_what_is_long_has_a_reason() -> None:
    exempt = tomllib.loads(EXEMPTIONS.read_text("utf-8"))
    long = [f"{name}: {lines}" for name, lines in oversized() if name not in exempt]
    complain(f"longer than {FILE_LIMIT} lines a file, {FUNCTION_LIMIT} a function:", long)


def test_exemptions_are_needed_and_reasoned() -> None:
    exempt = tomllib.loads(EXEMPTIONS.read_text("utf-8"))
    stale = exempt.keys() - {name for name, _ in oversized()}
    complain("exempt, but no longer too long, or gone:", sorted(stale))
    assert all(reason.strip() for reason in exempt.values())
