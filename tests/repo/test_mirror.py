"""Each module of src has its tests in the same place under tests, or a reason why not."""

import tomllib
from pathlib import Path

from tree import PACKAGE, ROOT, complain, python_files

EXEMPTIONS = Path(__file__).with_name("mirror_exemptions.toml")


def unmirrored() -> dict[str, str]:
    """Each module without a test file of its own, and where that file would be."""
    missing = {}
    for path in python_files("src"):
        if path.name == "__init__.py":
            continue
        module = path.relative_to(PACKAGE)
        test = Path("tests", module.parent, f"test_{path.name}")
        if not (ROOT / test).is_file():
            missing[str(module)] = str(test)
    return missing


def test_every_module_is_mirrored() -> None:
    exempt = tomllib.loads(EXEMPTIONS.read_text("utf-8"))
    missing = [f"{m}: no {test}" for m, test in unmirrored().items() if m not in exempt]
    complain("write it, or give a reason in mirror_exemptions.toml:", missing)


def test_exemptions_are_needed_and_reasoned() -> None:
    exempt = tomllib.loads(EXEMPTIONS.read_text("utf-8"))
    stale = exempt.keys() - unmirrored().keys()
    complain("exempt, but these have tests or are gone:", sorted(stale))
    assert all(reason.strip() for reason in exempt.values())
