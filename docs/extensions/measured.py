"""Figures of the benchmark, drawn and computed from kept runs when the book is built.

``{measured}``      a plot of one row: the file, then ``:part:``, ``:variant:``, ``:method:``
``{compared}``      a table of one file: ours, the best peer, ratios to it and to the floor
``{measured-at}``   the command of a file, and what it ran on
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from tables import _table, _text

from bench import report
from bench.hops import OURS
from bench.run import Row, Run, load

__all__ = ["Compared", "Measured", "MeasuredAt", "setup"]

_OURS = "ours"


class _OfARun(SphinxDirective):
    required_arguments = 1

    def kept(self) -> Run:
        """The run that is the argument."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        try:
            return load(Path(path))
        except (OSError, json.JSONDecodeError, TypeError) as error:
            raise self.error(f"{name} is no run of the benchmark: {error}") from error


class Measured(_OfARun):
    """One row as bars; the content is its caption."""

    has_content = True
    option_spec: ClassVar = dict.fromkeys(("part", "variant", "method"), directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """The plot; a row that is not in the file is an error."""
        wanted = tuple(self.options.get(name, "") for name in ("part", "variant", "method"))
        groups = self.kept().groups()
        rows = next((rows for name, rows in groups.items() if name == wanted), None)
        if rows is None:
            raise self.error(f"no row {wanted}; there are {sorted(groups)}")
        svg = nodes.raw("", report.chart(rows, set(OURS)), format="html")
        figure = nodes.figure("", svg, classes=["drawing"])
        if self.content:
            [paragraph] = self.parse_content_to_nodes()
            figure += nodes.caption("", "", *paragraph.children)
        return [figure]


class Compared(_OfARun):
    """A line for each row of the file; the option ``:figure:`` says which of its figures.

    With ``:kind:`` that kind stands where ours does, and one more column compares it with ours.
    """

    option_spec: ClassVar = dict.fromkeys(("figure", "part", "kind"), directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """The table."""
        run, name = self.kept(), self.options.get("figure", "server")
        part, kind = self.options.get("part"), self.options.get("kind", _OURS)
        lines = []
        for key, rows in run.groups().items():
            mine = next((row for row in rows if row.kind == kind), None)
            if mine is None or not mine.samples.get(name) or (part and key[0] != part):
                continue
            cells = self._cells(run, key, rows, mine, name)
            if kind != _OURS:
                cells = (*cells, _to_ours(mine, rows, name))
            lines.append([_text(cell) for cell in cells])
        head, widths = ["what", kind, "best peer", "to it", "to the floor"], [42, 22, 22, 7, 7]
        if kind != _OURS:
            head.append("to ours")
            widths.append(7)
        return [_table(head, lines, widths)]

    def _cells(
        self, run: Run, key: tuple[str, ...], rows: Sequence[Row], mine: Row, name: str
    ) -> Sequence[str]:
        best = report.best_peer(rows, set(OURS), name)
        floor = report.floor_of(run, rows, name)
        times = report.ratio(mine, best, name) if best else None
        own = mine.median(name) or 0
        return (
            ": ".join(key[:2]) + f", {key[2]}",
            f"{_spread(mine, name)} {mine.unit.partition(',')[0]}",
            f"{best.kind} {_spread(best, name)}" if best else "",
            f"{times:.2f}" if times else "",
            f"{own / floor:.2f}" if floor else "",
        )


def _to_ours(mine: Row, rows: Sequence[Row], name: str) -> str:
    pure = next((row for row in rows if row.kind == _OURS), None)
    times = report.ratio(mine, pure, name) if pure else None
    return f"{times:.2f}" if times else ""


def _spread(row: Row, name: str) -> str:
    values = row.samples[name]
    least, most = f"{min(values):.3g}", f"{max(values):.3g}"
    return f"{row.median(name):.3g}" + (f" [{least}–{most}]" if least != most else "")


class MeasuredAt(_OfARun):
    """The command that gives the figures again, and what it ran on."""

    def run(self) -> list[nodes.Node]:
        """A literal block."""
        run = self.kept()
        facts = [f"{name}: {value}" for name, value in run.host.items()]
        text = "\n".join([f"$ {run.command}", *facts, *run.kinds.values()])
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register them with Sphinx."""
    app.add_directive("measured", Measured)
    app.add_directive("compared", Compared)
    app.add_directive("measured-at", MeasuredAt)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
