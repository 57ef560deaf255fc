"""Listings are found by name, and a name that is gone is an error, not an empty listing."""

import pytest
from regions import find_object, find_region

CODE = """\
import enum

#: Octets of a tag.
SIZE: int = 16
A = B = 1

# Why there are two of them.
@enum.unique
class Pair(enum.Enum):
    ONE = 1

    def swap(self):
        # region: body
        a = 1
        b = 2
        # endregion: body
        return b, a
"""


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("SIZE", (3, 4)),
        ("B", (5, 5)),
        ("Pair", (7, 17)),
        ("Pair.ONE", (10, 10)),
        ("Pair.swap", (12, 17)),
    ],
)
def test_an_object_is_found_with_what_stands_above_it(name: str, lines: tuple[int, int]) -> None:
    assert find_object(CODE, name) == lines


def test_a_region_is_what_stands_between_its_marks() -> None:
    assert find_region(CODE, "body") == (14, 15)


@pytest.mark.parametrize("name", ["swap", "Pair.TWO", "SIZE.x", "size"])
def test_a_missing_object_is_an_error(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        find_object(CODE, name)


@pytest.mark.parametrize("code", [CODE, "# region: x\n", "# region: x\n# endregion: x\n"])
def test_a_missing_region_is_an_error(code: str) -> None:
    with pytest.raises(LookupError, match="'x'"):
        find_region(code, "x")
