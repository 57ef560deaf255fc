"""What a page of the documentation shows as Python is run or included, never typed by hand."""

import re

from tree import ROOT, complain

FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*(python|py|py3|python3|pycon|ipython)\b", re.MULTILINE)


def test_no_page_shows_python_that_nothing_runs() -> None:
    shown = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        for path in sorted((ROOT / "docs").rglob("*.md"))
        for text in [path.read_text("utf-8")]
        for match in FENCE.finditer(text)
    ]
    complain("use {testcode}, {doctest} or {source} here:", shown)
