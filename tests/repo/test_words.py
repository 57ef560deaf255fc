"""Nothing in the tree depends on, or mentions, the machine on which it was written."""

import re
import subprocess
from pathlib import Path

import pytest
from tree import ROOT, complain

INDEX_HOSTS = r"pypi\.org|pythonhosted\.org|npmjs\.(com|org)|crates\.io|proxy\.golang\.org"
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.-])/(work|root|home/\w+|Users/\w+)/",
    "a package index": rf"{INDEX_HOSTS}|(?<!-emit)-(index-url|find-links)",
    "notes outside the tree": r"\.\./shared\b|\bshared/(DESIGN|reference|issues)",
}


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file() and path != Path(__file__)]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    complain(f"{what} is named here:", found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "see /home/alice/notes"),
        ("a package index", "pip install --index-url https://example.net/simple"),
        ("notes outside the tree", "as ../shared has it"),
    ],
)
def test_the_patterns_catch(what: str, line: str) -> None:
    assert re.search(FORBIDDEN[what], line)
