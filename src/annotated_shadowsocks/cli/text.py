"""Complaints: one line each."""

import sys

from ..pictures.printable import escape

__all__ = ["complain"]


def complain(program: str, text: str) -> None:
    """Say one line on stderr."""
    try:
        print(f"{program}: {escape(text)}", file=sys.stderr)
    except OSError:
        pass  # a closed stderr must not hide the exit code
