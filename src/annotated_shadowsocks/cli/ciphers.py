"""``--list-ciphers``: every method there is, and whether it can be used here."""

import json
from typing import Any

from ..crypto.methods import TABLE, CipherMethod, insecurity
from .terminal import table

__all__ = ["cipher_table", "run"]

#: Characters of a line: no reason is cut off, however small the terminal.
_WIDEST = 200


def run(as_json: bool) -> int:
    """Print the table; returns the exit code."""
    rows = cipher_table()
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        lines = [("METHOD", "GENERATION", "KEY", "USABLE HERE"), *map(_line, rows)]
        print("\n".join(table(lines, (2,), _WIDEST)))
    return 0


def cipher_table() -> list[dict[str, Any]]:
    """One object for each method, best generation first."""
    return [_row(method) for method in TABLE.values()]


def _row(method: CipherMethod) -> dict[str, Any]:
    problem = insecurity(method)
    return {
        "method": method.name,
        "generation": method.generation.value,
        "key_size": method.key_size,
        "available": not method.unavailable,
        "why_not": method.unavailable or None,
        "insecure": problem.problem.partition(": ")[2] if problem else None,
    }


def _line(row: dict[str, Any]) -> tuple[str, str, str, str]:
    usable = "yes"
    if row["why_not"]:
        usable = f"no: {row['why_not']}"
    elif row["insecure"]:
        usable = f"with --allow-insecure-ciphers: {row['insecure']}"
    return row["method"], row["generation"], str(row["key_size"]), usable
