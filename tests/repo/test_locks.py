"""The lock files agree with each other and pin everything by hash."""

import re
from pathlib import Path

from tree import ROOT


def pins(name: str) -> set[str]:
    """What a lock file pins, as ``project==version``; markers may differ from file to file."""
    text = Path(ROOT, "requirements", name).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("--hash=sha256:" in line for line in lines), f"{name}: a line without a hash"
    assert all(re.match(r"[^=\s]+==\S+\s", line) for line in lines), f"{name}: no exact version"
    return {line.split()[0] for line in lines}


def test_smaller_locks_are_parts_of_larger() -> None:
    run, test, develop = pins("run.txt"), pins("test.txt"), pins("develop.txt")
    assert run
    assert run <= test, "run make lock"
    assert test <= develop, "run make lock"
