"""The file of salts: made, found again, refused, and honest about what the disk may lack."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.services.salt_file import SaltFile, SaltFileError
from annotated_shadowsocks.shadowsocks.replay import ReplayStore
from annotated_shadowsocks.system import entropy

BOOT, NEXT_BOOT = b"one boot........", b"the next boot..."


def opened(path: Path, now: float = 1000.0, boot: bytes = BOOT) -> SaltFile:
    return SaltFile(path, entropy, boot, now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "salts"


def test_what_was_added_is_there_for_the_next(path: Path) -> None:
    first = opened(path)
    salt = entropy(32)
    assert ReplayStore(first.stores()[0], first.key).add(salt)
    # No close: a process that is killed does not say goodbye.
    second = opened(path, now=2000)
    assert second.key == first.key
    streams, packets = (ReplayStore(memory, second.key) for memory in second.stores())
    assert not streams.add(salt)
    assert packets.add(salt)
    first.close()
    second.close()


def test_only_the_owner_may_read_it(path: Path) -> None:
    opened(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_allocated_before_it_is_used(path: Path) -> None:
    # A file with holes would be filled by a store to memory, which a full disk answers by SIGBUS.
    file = opened(path)
    assert path.stat().st_blocks * 512 >= path.stat().st_size == 4096 + 2 * _store_size()
    file.close()


def _store_size() -> int:
    return ReplayStore.required_size()


class TestSince:
    """From when on everything that was accepted is known."""

    def test_a_new_file_begins_now(self, path: Path) -> None:
        file = opened(path, now=1000)
        assert file.since == 1000
        file.close()

    def test_a_killed_process_leaves_no_gap(self, path: Path) -> None:
        opened(path, now=1000)
        assert opened(path, now=2000).since == 1000

    def test_a_host_that_was_shut_down_in_order_leaves_no_gap(self, path: Path) -> None:
        opened(path, now=1000).close()
        assert opened(path, now=2000, boot=NEXT_BOOT).since == 1000

    def test_a_host_that_crashed_leaves_one(self, path: Path) -> None:
        opened(path, now=1000)
        # The process is gone with its host; here its descriptor just stays open.
        assert opened(path, now=2000, boot=NEXT_BOOT).since == 2000

    def test_and_the_gap_is_not_forgotten_by_the_next_start(self, path: Path) -> None:
        opened(path, now=1000)
        opened(path, now=2000, boot=NEXT_BOOT).close()
        assert opened(path, now=2010, boot=NEXT_BOOT).since == 2000

    def test_one_of_two_that_ends_does_not_speak_for_the_other(self, path: Path) -> None:
        first, second = opened(path, now=1000), opened(path, now=1001)
        first.close()
        assert opened(path, now=2000, boot=NEXT_BOOT).since == 2000
        second.close()

    def test_a_time_to_come_was_written_by_a_clock_that_was_wrong(self, path: Path) -> None:
        opened(path, now=9000).close()
        assert opened(path, now=2000).since == 2000


class TestRefused:
    """A file that is not ours is left as it is, and the error names it."""

    def refuse(self, path: Path, why: str) -> None:
        with pytest.raises(SaltFileError, match=why) as caught:
            opened(path)
        assert str(caught.value).startswith(str(path))

    def test_of_another_size(self, path: Path) -> None:
        path.write_bytes(b"letters to the editor")
        path.chmod(0o600)
        self.refuse(path, "21 octets")
        assert path.read_bytes() == b"letters to the editor"

    def test_of_another_content(self, path: Path) -> None:
        opened(path).close()
        with path.open("r+b") as file:
            file.write(b"letters")
        self.refuse(path, "not a file of salts")

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
    def test_that_others_may_use(self, path: Path, mode: int) -> None:
        opened(path).close()
        path.chmod(mode)
        self.refuse(path, "mode 600")

    @pytest.mark.parametrize(
        ("make", "why"),
        [
            (os.mkdir, "Is a directory"),
            (os.mkfifo, "not a regular file"),
            (lambda path: path.symlink_to("other"), "symbolic links"),
        ],
        ids=["a folder", "a pipe", "a link"],
    )
    def test_that_is_something_else(
        self, path: Path, make: Callable[[Path], None], why: str
    ) -> None:
        make(path)
        self.refuse(path, why)

    def test_in_no_folder(self, tmp_path: Path) -> None:
        self.refuse(tmp_path / "nowhere" / "salts", "No such file")


def test_no_descriptor_is_left_behind(path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        opened(path).close()
    path.write_bytes(b"")
    path.chmod(0o644)
    for _ in range(3):
        with pytest.raises(SaltFileError):
            opened(path)
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_was_not_finished_is_made_anew(path: Path) -> None:
    opened(path, now=1000).close()
    with path.open("r+b") as file:
        # The layout is written last.
        file.write(bytes(16))
    again = opened(path, now=2000)
    assert again.since == 2000
    ReplayStore(again.stores()[0], entropy(16))
    again.close()
