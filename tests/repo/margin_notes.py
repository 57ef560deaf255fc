"""Margin notes: citations in comments and docstrings that a machine can follow.

A note is a bracket with a source and a place in it::

    [RFC1928 §5]                 a section of a document
    [SIP004]                     a document as a whole
    [POSIX shutdown]             a section that has a name, like [man fcntl(2)]
    [linux sk_acceptq_is_full]   a symbol of docs/kernel_symbols.toml
    [test tests/repo/test_locks.py::test_smaller_locks_are_parts_of_larger]
    [bench replay_store]         a benchmark, bench/replay_store.py

Documents are those of docs/references.toml. A comment that begins with a bracket is a note, and
must be one of these. Elsewhere in a comment or a docstring a bracket is a note where its first
word is a source; other brackets are prose.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Note", "Sources", "notes", "page_notes"]

_BRACKET = re.compile(r"\[([A-Za-z][^\s\]]*)(?:\s+([^\]]+?))?\s*\]")
_LEADING = re.compile(r"#\s*" + _BRACKET.pattern)
_KINDS = ("linux", "test", "bench", "man")
# What a document's name looks like, so that one nobody registered is a note all the same.
_DOCUMENT = re.compile(r"(RFC\d+|SIP\d+|POSIX|draft-[a-z0-9-]+)$")


@dataclass(frozen=True)
class Note:
    """One citation: its line, the source, and the place in it (empty for the whole)."""

    line: int
    source: str
    place: str


def notes(code: str) -> list[Note]:
    """All notes of a Python file, in the order of its lines."""
    found = []
    for line, text, is_comment in _prose(code):
        leading = _LEADING.match(text) if is_comment else None
        for match in _BRACKET.finditer(text):
            source, place = match[1], match[2] or ""
            begins = leading is not None and leading.start(1) == match.start(1)
            if begins or _is_source(source, place):
                found.append(Note(line, source, " ".join(place.split())))
    return found


def page_notes(page: str) -> list[Note]:
    """All citations of a Markdown page, outside its fences: there code stands, or an example."""
    found, fence = [], ""
    for number, line in enumerate(page.splitlines(), 1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            for match in _BRACKET.finditer(re.sub(r"`[^`]*`", "", line)):
                if _is_source(match[1], match[2] or ""):
                    found.append(Note(number, match[1], match[2] or ""))
    return found


def _is_source(word: str, place: str) -> bool:
    return bool(_DOCUMENT.match(word)) or (word in _KINDS and place != "")


def _prose(code: str) -> Iterator[tuple[int, str, bool]]:
    """Each comment, and each line of each docstring: its line number, its text, is it a comment."""
    pieces = [
        (token.start[0], token.string, True)
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(code)):
        match node:
            # A docstring, or the string behind an attribute that documents it.
            case ast.Expr(value=ast.Constant(value=str(text))):
                lines = enumerate(text.splitlines(), node.lineno)
                pieces += [(number, line, False) for number, line in lines]
    return iter(sorted(pieces))


class Sources:
    """What notes may cite, in the tree at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.references = _load(root / "docs" / "references.toml")
        self.kernel_symbols = _load(root / "docs" / "kernel_symbols.toml")["symbols"]

    def problem(self, note: Note) -> str | None:
        """Why ``note`` leads nowhere and what to do about it, or None."""
        if note.source == "linux":
            return self._kernel_symbol(note.place)
        if note.source == "test":
            return self._test(note.place)
        if note.source == "bench":
            return self._benchmark(note.place)
        return self._document(note.source, note.place)

    def _document(self, source: str, place: str) -> str | None:
        document = self.references.get(source)
        if document is None:
            return f"'{source}' is not registered: give it a table in docs/references.toml"
        section = place.removeprefix("§")
        if section and section not in document.get("sections", {}):
            return f"section '{section}' is not among [{source}.sections] of docs/references.toml"
        return None

    def _kernel_symbol(self, symbol: str) -> str | None:
        if symbol in self.kernel_symbols:
            return None
        return f"kernel symbol '{symbol}' is not listed in docs/kernel_symbols.toml"

    def _test(self, node: str) -> str | None:
        path, *names = node.split("::")
        if not (self.root / path).is_file():
            return f"there is no file {path}"
        body = _parse(self.root / path).body
        for name in names:
            here = {item.name: item for item in body if isinstance(item, _NAMED)}
            if name not in here:
                return f"{path} has no '{'::'.join(names)}'"
            body = here[name].body
        return None if names else "a test is cited as path::name"

    def _benchmark(self, name: str) -> str | None:
        if (self.root / "bench" / f"{name}.py").is_file():
            return None
        return f"there is no bench/{name}.py"


_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
