"""What a terminal can show: its width, and whether to use anything but plain text.

The order of who decides is that of other tools: the flag, then NO_COLOR, then FORCE_COLOR, then
whether the output is a terminal that is not dumb. Nothing is ever told by style alone.
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TextIO

__all__ = ["COLOR_CHOICES", "Style", "styled", "table", "width"]

COLOR_CHOICES = ("auto", "always", "never")


class Style(Enum):
    """Emphasis that does not depend on the colours of a terminal, as its SGR parameter."""

    BOLD = "1"
    REVERSE = "7"

    def wrap(self, text: str, wanted: bool = True) -> str:
        """``text`` in this style, or plain."""
        return f"\x1b[{self.value}m{text}\x1b[0m" if wanted else text


def styled(
    choice: str = "auto",
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> bool:
    """Whether to use escape sequences on ``stream`` (stdout where None)."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return (stream or sys.stdout).isatty() and environ.get("TERM") != "dumb"


def width(stream: TextIO | None = None) -> int | None:
    """Columns of the terminal, or None where ``stream`` (stdout where None) is none."""
    if not (stream or sys.stdout).isatty():
        return None
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def table(
    rows: Sequence[Sequence[str]], right: Sequence[int], most: int | None = None
) -> list[str]:
    """``rows`` as aligned lines, the columns in ``right`` flush right, none longer than ``most``.

    A column that is empty in every row is left out.
    """
    columns = list(zip(*rows, strict=True))
    kept = [number for number, column in enumerate(columns) if any(column)]
    widths = {number: max(map(len, columns[number])) for number in kept}
    lines = []
    for row in rows:
        cells = [row[n].rjust(widths[n]) if n in right else row[n].ljust(widths[n]) for n in kept]
        line = "  ".join(cells).rstrip()
        lines.append(line if most is None or len(line) <= most else f"{line[: most - 1]}…")
    return lines
