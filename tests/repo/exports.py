"""The public surface of the package: ``python tests/repo/exports.py`` writes it to exports.txt.

One name a line, so that a change of the surface is a line in a diff that somebody reads.
"""

from pathlib import Path

from tree import import_all

__all__ = ["PINNED", "surface"]

PINNED = Path(__file__).with_name("exports.txt")


def surface() -> list[str]:
    """``module:name`` for every exported name of every module."""
    return sorted(
        f"{module.__name__}:{name}"
        for module in import_all()
        for name in getattr(module, "__all__", [])
    )


if __name__ == "__main__":
    PINNED.write_text("\n".join(surface()) + "\n", "utf-8")
    print(f"{len(surface())} names in {PINNED}")
