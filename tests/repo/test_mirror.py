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
    folders = tuple(key for key in exempt if key.endswith("/"))
    missing = [
        f"{module}: no {test}"
        for module, test in unmirrored().items()
        if module not in exempt and not module.startswith(folders or ("//",))
    ]
    complain("write it, or give a reason in mirror_exemptions.toml:", missing)


def test_exemptions_are_needed_and_reasoned() -> None:
    exempt = tomllib.loads(EXEMPTIONS.read_text("utf-8"))
    missing = unmirrored()
    stale = [
        key
        for key in exempt
        if not any(m == key or (key[-1] == "/" and m.startswith(key)) for m in missing)
    ]
    complain("exempt, but these have tests or are gone:", sorted(stale))
    assert all(reason.strip() for reason in exempt.values())
