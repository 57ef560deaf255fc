"""Reference pages that are printed from the program's own tables, so that they cannot disagree.

``{options}``     the keys of a configuration that do something, with their flags
``{foreign}``     the keys that peers have and this program has not, and what it says about them
``{usage}``       what a command prints for ``--help``
``{exit-codes}``  the table from errors to exit codes
``{signals}``     the table in the docstring of the module that is its argument
``{families}``    the series that are served as figures
"""

import errno
import importlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from annotated_shadowsocks.cli import arguments, backlog, exits, service, url
from annotated_shadowsocks.config.manager import LIBEV_MANAGER
from annotated_shadowsocks.config.option import RUST_PROGRAMS, Option, Scope, Standing
from annotated_shadowsocks.config.options import OPTIONS, flags_of
from annotated_shadowsocks.telemetry.families import FAMILIES

__all__ = ["ExitCodes", "Families", "Foreign", "Options", "Signals", "Usage", "columns", "setup"]

Cell = Sequence[nodes.Node]

_WHERE = {
    Scope.TOP: "top level",
    Scope.SERVER: "servers",
    Scope.LOCAL: "locals",
    Scope.LOG: "log",
    Scope.LOG_FORMAT: "log.format",
    Scope.METRICS: "metrics",
    Scope.USER: "users",
    Scope.DESTINATION: "destinations",
}

#: Errors whose docstrings are the language's and not ours.
_BUILT_IN: dict[type[BaseException], str] = {
    OSError: "any other error of the system",
    MemoryError: "no memory",
    KeyboardInterrupt: "Ctrl-C",
    BrokenPipeError: "whoever read the output went away",
}


class Options(SphinxDirective):
    """All rows with the standing ``supported``."""

    def run(self) -> list[nodes.Node]:
        """One table: where a key may stand, what it means, which flags say the same."""
        rows = [
            (_names(row), _text(_where(row)), _meaning(row), _flags(row))
            for row in _rows(Standing.SUPPORTED)
        ]
        return [_table(("key", "in", "meaning", "flags"), rows, (20, 12, 43, 25))]


class Foreign(SphinxDirective):
    """The rows with the standing that is the argument: ``unsupported``, ``without effect``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """One table: the key, what is said about it, the peer's flags that ask for it."""
        rows = _rows(Standing(self.arguments[0]))
        cells = [(_names(row), _text(row.help), _flags(row)) for row in rows]
        return [_table(("key", "because", "flags"), cells, (30, 45, 25))]


class Usage(SphinxDirective):
    """What a command prints when it is asked for help; the argument is its words."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The text as it is."""
        text = _parser(*self.arguments[0].split()).format_help()
        return [nodes.literal_block(text, text, language="text")]


class ExitCodes(SphinxDirective):
    """The table of ``cli.exits``."""

    def run(self) -> list[nodes.Node]:
        """A row for each code: its number, its name in sysexits.h, what leads to it."""
        names = {code: name for name, code in vars(os).items() if name.startswith("EX_")}
        causes: dict[int, list[str]] = {exits.OK: ["it did what was asked"]}
        for cls, code in exits._BY_CLASS.items():
            causes.setdefault(code, []).append(_BUILT_IN.get(cls) or _first_clause(cls))
        for number, code in exits._BY_ERRNO.items():
            word = f"`{errno.errorcode[number]}` {os.strerror(number).lower()}"
            causes.setdefault(code, []).append(word)
        causes[exits.SOFTWARE] = ["an error that nobody planned"]
        rows = [
            (_code(str(code)), _code(names.get(code, "")), _list(causes[code], "; "))
            for code in sorted(causes)
        ]
        return [_table(("code", "sysexits.h", "after"), rows, (10, 20, 70))]


class Families(SphinxDirective):
    """The table of ``telemetry.families``."""

    def run(self) -> list[nodes.Node]:
        """A row for each series: its name, its kind, its labels, what it counts."""
        rows = [
            (
                _code(family.name),
                _text(family.kind.value),
                _list(f"`{label}`" for label in family.labels),
                _text(family.help),
            )
            for family in FAMILIES.values()
        ]
        return [_table(("series", "kind", "labels", "meaning"), rows, (35, 10, 15, 40))]


class Signals(SphinxDirective):
    """The table of signals in a module's docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The same table on the page."""
        module = importlib.import_module(self.arguments[0])
        table = columns((module.__doc__ or "").replace("``", "`"))
        rows = [(_code(name), _list([what])) for name, what in table]
        return [_table(("signal", "what happens"), rows, (15, 85))]


def columns(docstring: str) -> list[list[str]]:
    """The cells below the heading of the first simple table (rules of ``=``) in a docstring."""
    _, _, rest = docstring.partition("\n=")
    _, _, body, *_ = re.split(r"^=[= ]+$", "=" + rest, maxsplit=3, flags=re.MULTILINE)
    return [re.split(r" {2,}", line, maxsplit=1) for line in body.strip().splitlines()]


def _rows(standing: Standing) -> Iterable[Option[Any]]:
    return (row for row in OPTIONS if row.standing is standing)


def _names(row: Option[Any]) -> Cell:
    # A row without a place in a document is named by its flags alone.
    return _list(f"`{name}`" for name in row.names if row.scopes)


def _where(row: Option[Any]) -> str:
    return ", ".join(name for scope, name in _WHERE.items() if scope & row.scopes)


def _meaning(row: Option[Any]) -> Cell:
    cell = _text(row.help)
    default = _default(row.default)
    return [*cell, nodes.Text("; default "), nodes.literal("", default)] if default else cell


def _default(value: object) -> str:
    """As it would be written in a document; empty where there is nothing to write."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value in (None, (), "", {}) or value == [] else json.dumps(value)


def _flags(row: Option[Any]) -> Cell:
    """The flags of our own programs; those that not all of them have say so."""
    found: dict[str, tuple[str, ...]] = {}
    for program in RUST_PROGRAMS:
        for one in flags_of(row, program):
            means = f" = {one.means}" if one.means is not True else ""
            for name in one.names:
                spelling = f"`{name}`{means}"
                found[spelling] = (*found.get(spelling, ()), program)
    groups: dict[tuple[str, ...], list[str]] = {}
    for spelling, programs in found.items():
        groups.setdefault(programs, []).append(spelling)
    cell: list[nodes.Node] = []
    for programs in sorted(groups, key=len, reverse=True):
        cell += [*(_text(", ") if cell else []), *_list(groups[programs])]
        cell += [] if programs == RUST_PROGRAMS else _text(f" of {' and '.join(programs)}")
    return cell


def _parser(program: str, *command: str) -> Any:
    """The parser that the command itself uses."""
    if program in (*RUST_PROGRAMS, LIBEV_MANAGER):
        return arguments.tunnel_parser(program)
    parser: Any = {"backlog": backlog, "ssservice": service, "ssurl": url}[program]._parser(program)
    for word in command:
        [commands] = [a for a in parser._actions if isinstance(a.choices, dict)]
        parser = commands.choices[word]
    return parser


def _first_clause(cls: type[BaseException]) -> str:
    clause = re.split(r"[.;]", cls.__doc__ or "")[0].replace("``", "")
    return clause[:1].lower() + clause[1:]


def _text(text: str) -> list[nodes.Node]:
    return [nodes.Text(text)]


def _code(text: str) -> list[nodes.Node]:
    return [nodes.literal("", text)] if text else []


def _list(items: Iterable[str], between: str = ", ") -> list[nodes.Node]:
    """Items with a comma between them; what stands in backquotes is code."""
    cell: list[nodes.Node] = []
    for item in items:
        cell += _text(between) if cell else []
        for index, part in enumerate(item.split("`")):
            cell += _code(part) if index % 2 else _text(part)
    return cell


def _table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[int]
) -> nodes.table:
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec("", colwidth=width) for width in widths]
    group += nodes.thead("", _row([_text(title) for title in head]))
    group += nodes.tbody("", *[_row(row) for row in rows])
    return nodes.table("", group, classes=["printed"])


def _row(cells: Iterable[Cell]) -> nodes.row:
    # Quotation marks stay as they are: some of them are JSON's.
    paragraphs = [nodes.paragraph("", "", *cell, support_smartquotes=False) for cell in cells]
    return nodes.row("", *[nodes.entry("", paragraph) for paragraph in paragraphs])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register all of it with Sphinx."""
    app.add_directive("options", Options)
    app.add_directive("foreign", Foreign)
    app.add_directive("usage", Usage)
    app.add_directive("exit-codes", ExitCodes)
    app.add_directive("signals", Signals)
    app.add_directive("families", Families)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
