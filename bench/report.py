"""From a run to what people read: a table on the terminal, plots, and a page of HTML with both.

Ratios are medians of the ratios of neighbouring measurements, round by round, which hold where the
machine's speed drifts. The best peer of a row is the one with the lowest median, and the floor is
the null relay, of bulk with the cipher alone added.
"""

import argparse
import statistics
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path

from annotated_shadowsocks.pictures.svg import Sheet

from .hops import FLOOR, OURS
from .run import Row, Run, load

__all__ = ["best_peer", "chart", "floor_of", "page", "ratio", "terminal"]

#: Figures of which less is better, in the order in which one is chosen to compare by.
_DECIDES = ("server", "p99", "slowest")


def ratio(mine: Row, other: Row, name: str) -> float | None:
    """How many times ``other``'s figure is mine, from round to round."""
    pairs = zip(mine.samples.get(name, ()), other.samples.get(name, ()), strict=False)
    ratios = [a / b for a, b in pairs if b > 0]
    return statistics.median(ratios) if ratios else None


def best_peer(rows: Sequence[Row], ours: Collection[str], name: str) -> Row | None:
    """Who of the others has the lowest median of ``name``."""
    there = [
        (value, index)
        for index, row in enumerate(rows)
        if row.kind not in ours and row.kind != FLOOR and (value := row.median(name)) is not None
    ]
    return rows[min(there)[1]] if there else None


def floor_of(run: Run, rows: Sequence[Row], name: str) -> float | None:
    """The median of doing nothing, and of sealing if the row is one of bulk."""
    nothing = next((row.median(name) for row in rows if row.kind == FLOOR), None)
    if nothing is None or rows[0].part != "bulk":
        return nothing
    method = rows[0].method
    alone = [row for row in run.rows if row.part == "limits" and row.method == method]
    return nothing + (alone[0].median("server") or 0) if alone else None


def deciding(rows: Sequence[Row]) -> str:
    """The figure that the row's kinds are compared by."""
    names = {name for row in rows for name in row.samples}
    return next((name for name in _DECIDES if name in names), "")


def terminal(run: Run, ours: Collection[str]) -> str:
    """All rows as text."""
    lines = [f"{name}: {value}" for name, value in run.host.items()]
    lines += [f"{kind}: {version}" for kind, version in run.kinds.items()]
    lines.append(run.command)
    for (part, variant, method), rows in run.groups().items():
        name = deciding(rows)
        best, floor = best_peer(rows, ours, name), floor_of(run, rows, name)
        lines += ["", f"{part}: {variant}, {method} ({rows[0].unit})"]
        lines += [_line(row, name, best, floor) for row in rows]
    return "\n".join(lines)


def _line(row: Row, name: str, best: Row | None, floor: float | None) -> str:
    cells = [f"{n} {_spread(values)}" for n, values in row.samples.items() if n != "seconds"]
    mine = row.median(name)
    if best and best is not row and (times := ratio(row, best, name)):
        cells.append(f"{times:.2f} of {best.kind}'s {name}")
    if floor and mine and row.kind != FLOOR:
        cells.append(f"{mine / floor:.2f} of the floor")
    if row.load:
        cells.append(f"load {max(row.load):.0%}")
    if row.refused:
        cells.append(f"refused {len(row.refused)} times: {row.refused[0]}")
    return f"  {row.kind:20} " + "; ".join(cells)


def _spread(values: Sequence[float]) -> str:
    median = statistics.median(values)
    if len(values) == 1:
        return f"{median:.3g}"
    return f"{median:.3g} [{min(values):.3g}–{max(values):.3g}]"


_WIDTH, _LEFT, _RIGHT, _BAR, _TOP = 860, 190, 90, 26, 78


def chart(rows: Sequence[Row], ours: Collection[str], names: Sequence[str] = ()) -> str:
    """A bar for each kind and each of ``names``: the median, with a line from least to most."""
    first = rows[0]
    names = names or [n for n in ("client", "server") if any(n in row.samples for row in rows)]
    names = names or [deciding(rows)]
    shown = [row for row in rows if any(row.samples.get(name) for name in names)]
    shown.sort(key=lambda row: sum(row.median(name) or 0 for name in names))
    title = f"{first.part}: {first.variant}"
    sheet = Sheet(_WIDTH, title, f"{first.unit} of each kind; less is better.")
    sheet.text(20, 34, title, "title")
    sheet.text(20, 56, f"{first.method}, {first.unit}; less is better", "quiet")
    sheet.text(_WIDTH - 20, 34, " above ".join(names), "small quiet", "end")
    # Beyond some multiple of the median a bar is cut, or nobody else's could be compared.
    tops = sorted(max(row.samples[n]) for row in shown for n in names if n in row.samples)
    most = min(tops[-1], 4 * statistics.median(tops)) or 1
    y = _TOP
    for row in shown:
        sheet.text(_LEFT - 12, y + 17, row.kind, "label" if row.kind in ours else "", "end")
        height = _BAR / len(names)
        for number, name in enumerate(names):
            _bar(sheet, row.samples.get(name, []), y + number * height, height - 2, most)
        y += _BAR + 10
    return sheet.render(y + 10)


def _bar(sheet: Sheet, values: Sequence[float], y: float, height: float, most: float) -> None:
    if not values:
        return
    room = _WIDTH - _LEFT - _RIGHT
    low, median, high = (
        round(min(value / most, 1) * room, 1)
        for value in (min(values), statistics.median(values), max(values))
    )
    middle = y + height / 2
    sheet.rect(_LEFT, y, median, height, "fill")
    sheet.line(_LEFT + low, middle, _LEFT + high, middle, "edge")
    sheet.text(_LEFT + high + 8, middle + 4, f"{statistics.median(values):.3g}", "small code")


def page(runs: Sequence[Run], ours: Collection[str]) -> str:
    """A page that stands by itself: what was run where, and for each row its plot and table."""
    parts = []
    for run in runs:
        parts.append(f"<pre>{escape(run.command)}</pre>")
        facts = [*run.host.items(), *run.kinds.items()]
        parts.append(
            "<ul>" + "".join(f"<li>{escape(f'{a}: {b}')}</li>" for a, b in facts) + "</ul>"
        )
        for rows in run.groups().values():
            if any(row.samples for row in rows):
                parts.append(chart(rows, ours))
        parts.append(f"<details><pre>{escape(terminal(run, ours))}</pre></details>")
    body = "\n".join(parts)
    head = '<!doctype html><meta charset="utf-8"><title>Side by side</title>'
    style = "<style>body{font:16px system-ui;max-width:880px;margin:2em auto}</style>"
    return f"{head}{style}<h1>Side by side</h1>{body}\n"


def main() -> None:
    """From kept runs to a page, or to the terminal."""
    parser = argparse.ArgumentParser(prog="python -m bench.report")
    parser.add_argument("runs", nargs="+", type=Path, help="files of python -m bench --json")
    parser.add_argument("--html", type=Path)
    arguments = parser.parse_args()
    runs = [load(path) for path in arguments.runs]
    if arguments.html:
        arguments.html.write_text(page(runs, set(OURS)), "utf-8")
    else:
        print("\n\n".join(terminal(run, set(OURS)) for run in runs))


if __name__ == "__main__":
    main()
