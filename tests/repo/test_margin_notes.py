"""Every margin note of the tree leads somewhere, and the reader of notes is itself tested."""

from pathlib import Path

import pytest
from margin_notes import Note, Sources, notes, page_notes
from tree import ROOT, complain, python_files


def test_every_note_of_the_tree_resolves() -> None:
    sources = Sources(ROOT)
    files = [*python_files("src", "tests", "bench"), *sorted(ROOT.glob("docs/**/*.md"))]
    problems = [
        f"{path.relative_to(ROOT)}:{note.line}: [{note.source} {note.place}] {problem}"
        for path in files
        for note in (notes if path.suffix == ".py" else page_notes)(path.read_text("utf-8"))
        if (problem := sources.problem(note))
    ]
    complain("notes that lead nowhere:", problems)


def test_notes_are_found_in_comments_and_docstrings() -> None:
    code = '''\
"""One line [SIP004].

The length octet [RFC1928 §5] again.
"""

# [linux sk_acceptq_is_full] strictly greater
limit = backlog + 1  # seen live [test tests/x/test_y.py::test_z]
#: Octets [draft-irtf-cfrg-xchacha §2.2].
SIZE = 24
"""Documents an attribute [bench relay]."""
'''
    assert notes(code) == [
        Note(1, "SIP004", ""),
        Note(3, "RFC1928", "§5"),
        Note(6, "linux", "sk_acceptq_is_full"),
        Note(7, "test", "tests/x/test_y.py::test_z"),
        Note(8, "draft-irtf-cfrg-xchacha", "§2.2"),
        Note(10, "bench", "relay"),
    ]


def test_notes_of_a_page_stand_in_its_prose() -> None:
    page = """\
Only a name has a length [RFC1928 §5], see [the
figure](#figure) and `[linux symbol]`.

```text
# [RFC1928 §9] an example
```
[SIP004]
"""
    assert page_notes(page) == [Note(1, "RFC1928", "§5"), Note(7, "SIP004", "")]


@pytest.mark.parametrize(
    "code",
    [
        "# half open, [0, limit)\n",
        "# the slice data[start] and list[int] are prose\n",
        "# a list of [test] servers\n",
        "note = '[RFC9999 §1]'\n",
    ],
)
def test_other_brackets_are_prose(code: str) -> None:
    assert notes(code) == []


def test_a_comment_that_begins_with_a_bracket_is_a_note_of_whatever_kind() -> None:
    assert notes("# [folklore §1] everybody knows\n") == [Note(1, "folklore", "§1")]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A small tree with one of everything."""
    for directory in ("docs", "bench", "tests"):
        (tmp_path / directory).mkdir()
    (tmp_path / "docs/references.toml").write_text(
        '[RFC1928]\ntitle = ""\nurl = ""\n[RFC1928.sections]\n5 = "Addressing"\n'
    )
    (tmp_path / "docs/kernel_symbols.toml").write_text('[symbols]\nlisten = "net/socket.c"\n')
    (tmp_path / "bench/relay.py").touch()
    (tmp_path / "tests/test_x.py").write_text(
        "def test_a(): pass\nclass TestB:\n    async def test_c(self): pass\n"
    )
    return Sources(tmp_path)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("RFC1928", ""),
        ("RFC1928", "§5"),
        ("linux", "listen"),
        ("bench", "relay"),
        ("test", "tests/test_x.py::test_a"),
        ("test", "tests/test_x.py::TestB::test_c"),
    ],
)
def test_a_good_note_has_no_problem(sources: Sources, source: str, place: str) -> None:
    assert sources.problem(Note(1, source, place)) is None


@pytest.mark.parametrize(
    ("source", "place", "problem"),
    [
        ("RFC1929", "§2", "'RFC1929' is not registered"),
        ("folklore", "", "'folklore' is not registered"),
        ("RFC1928", "§9", "section '9' is not among [RFC1928.sections]"),
        ("linux", "lissen", "kernel symbol 'lissen' is not listed"),
        ("bench", "nothing", "there is no bench/nothing.py"),
        ("test", "tests/test_y.py::test_a", "there is no file tests/test_y.py"),
        ("test", "tests/test_x.py::test_c", "tests/test_x.py has no 'test_c'"),
        ("test", "tests/test_x.py", "path::name"),
    ],
)
def test_a_bad_note_is_caught(sources: Sources, source: str, place: str, problem: str) -> None:
    assert problem in (sources.problem(Note(1, source, place)) or "")
