"""The inputs of each target: a file of lines, one input in hexadecimal each, shortest first."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ["FOLDER", "read", "write"]

FOLDER = Path(__file__).parent / "corpus"


def read(name: str) -> list[bytes]:
    """The inputs of the target ``name``; none where it has no file."""
    path = FOLDER / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(name: str, inputs: Iterable[bytes]) -> None:
    """Replace the inputs of the target ``name``."""
    lines = sorted({data.hex() for data in inputs}, key=lambda line: (len(line), line))
    (FOLDER / f"{name}.hex").write_text("".join(f"{line}\n" for line in lines))
