import os
from pathlib import Path

import pytest

from annotated_shadowsocks.resolver.watched_file import WatchedFile


def words(text: str) -> list[str]:
    return text.split()


def test_read_again_when_changed_replaced_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watched = WatchedFile(path, words, interval=0)
    assert watched.get(0) == []
    path.write_text("one")
    assert watched.get(1) == ["one"]
    path.write_text("one two")
    assert watched.get(2) == ["one", "two"]
    path.unlink()
    assert watched.get(3) == []
    path.write_text("back")
    assert watched.get(4) == ["back"]


def test_a_replacement_with_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("old")
    other.write_text("new")
    for each in (path, other):
        os.utime(each, ns=(10**18, 10**18))
    watched = WatchedFile(path, words, interval=0)
    assert watched.get(0) == ["old"]
    other.replace(path)
    assert watched.get(1) == ["new"]


def test_not_looked_at_more_often_than_the_interval(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    watched = WatchedFile(path, words, interval=5)
    assert watched.get(100) == ["one"]
    path.write_text("one two")
    assert watched.get(104.9) == ["one"]
    assert watched.get(105) == ["one", "two"]


def test_the_same_object_while_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    watched = WatchedFile(path, words, interval=0)
    assert watched.get(0) is watched.get(1)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"caf\xe9"])
def test_octets_that_are_not_utf8_do_no_harm(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert len(WatchedFile(path, words, interval=0).get(0)) == 1


def test_a_directory_counts_as_empty(tmp_path: Path) -> None:
    assert WatchedFile(tmp_path, words, interval=0).get(0) == []
