"""The public surface is what exports.txt says."""

from exports import PINNED, surface
from tree import complain, import_all


def test_every_module_says_what_it_exports() -> None:
    silent = [module.__name__ for module in import_all() if not hasattr(module, "__all__")]
    complain("without __all__:", silent)


def test_exported_names_exist_and_are_public() -> None:
    wrong = [
        f"{module.__name__}:{name}"
        for module in import_all()
        for name in getattr(module, "__all__", [])
        if not hasattr(module, name) or (name.startswith("_") and not name.endswith("__"))
    ]
    complain("in __all__ but missing or private:", wrong)


def test_the_surface_is_pinned() -> None:
    pinned, present = set(PINNED.read_text("utf-8").split()), set(surface())
    changes = [f"- {name}" for name in sorted(pinned - present)]
    changes += [f"+ {name}" for name in sorted(present - pinned)]
    complain("exports.txt differs; if this is meant, run python tests/repo/exports.py:", changes)
