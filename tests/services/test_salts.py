"""Salts that processes remember together, whichever of them dies in the middle."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.services import salts as module
from annotated_shadowsocks.services.salt_file import SaltFile
from annotated_shadowsocks.services.salts import SharedSalts, kept_salts, state_directory
from annotated_shadowsocks.shadowsocks.replay import CAPACITY
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.targets import until


def started(work: Callable[[], int]) -> int:
    """A forked process that does ``work`` and ends with what that returned."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = work()
    finally:
        os._exit(code)


def in_child(work: Callable[[], int]) -> int:
    """The exit status of ``started``, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(started(work), 0)[1])


@pytest.mark.parametrize("shared", [False, True])
def test_streams_and_packets_are_remembered_apart(shared: bool) -> None:
    salts = SharedSalts(entropy, shared)
    salt = entropy(32)
    assert salts.streams.add(salt)
    assert not salts.streams.add(salt)
    assert salts.packets.add(salt)


def test_what_one_process_adds_another_knows() -> None:
    salts = SharedSalts(entropy, shared=True)
    early, late = entropy(32), entropy(32)
    assert salts.streams.add(early)

    def work() -> int:
        return 0 if not salts.streams.add(early) and salts.streams.add(late) else 1

    assert in_child(work) == 0
    assert not salts.streams.add(late)


def test_a_lock_whose_holder_was_killed_is_free() -> None:
    salts = SharedSalts(entropy, shared=True)

    def work() -> int:
        with salts.streams._lock:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert in_child(work) == -signal.SIGKILL
    assert salts.streams.add(entropy(32))


def test_of_many_processes_one_may_use_a_salt() -> None:
    salts = SharedSalts(entropy, shared=True)
    contested = [entropy(16) for _ in range(500)]
    (begin, unused), (counts, report) = os.pipe(), os.pipe()

    def work() -> int:
        os.close(unused)
        # Returns when the last copy of the other end is closed: all begin together.
        os.read(begin, 1)
        os.write(report, sum(map(salts.streams.add, contested)).to_bytes(2, "big"))
        return 0

    children = [started(work) for _ in range(4)]
    os.close(unused)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    octets = os.read(counts, 100)
    for fd in (begin, counts, report):
        os.close(fd)
    shares = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
    assert len(shares) == 4
    assert sum(shares) == len(contested)


class TestKept:
    """The memory that a file holds."""

    def test_the_next_start_knows(self, tmp_path: Path) -> None:
        first, salt = kept_salts(entropy, False, tmp_path / "state"), entropy(32)
        assert first.streams.add(salt)
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        first.close()
        second = kept_salts(entropy, False, tmp_path / "state")
        assert not second.streams.add(salt)
        assert second.packets.add(salt)
        second.close()

    def test_two_programs_at_one_time_share_it(self, tmp_path: Path) -> None:
        ours = kept_salts(entropy, False, tmp_path)
        contested = [entropy(16) for _ in range(300)]

        def work() -> int:
            theirs = kept_salts(entropy, False, tmp_path)
            return sum(map(theirs.streams.add, contested)) // 2

        pid = started(work)
        added = sum(map(ours.streams.add, contested))
        theirs = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert added + 2 * theirs in (len(contested), len(contested) - 1)
        ours.close()

    def test_since_is_when_it_began(self, tmp_path: Path) -> None:
        before = int(time.time())
        first = kept_salts(entropy, False, tmp_path)
        assert before <= first.since <= time.time()
        first.close()
        again = kept_salts(entropy, False, tmp_path)
        assert again.since == first.since
        again.close()
        assert SharedSalts(entropy, shared=False).since >= first.since

    def test_where_it_cannot_be_there_is_a_memory_and_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "damaged").mkdir()
        (tmp_path / "damaged" / "salts").write_bytes(b"?")
        (tmp_path / "damaged" / "salts").chmod(0o600)
        for place in ("file/below", "damaged"):
            caplog.clear()
            salts, salt = kept_salts(entropy, True, tmp_path / place), entropy(32)
            assert salts.streams.add(salt)
            assert not salts.streams.add(salt)
            (message,) = caplog.messages
            assert str(tmp_path / place) in message
            assert "--state-directory" in message
            salts.close()

    def test_a_store_that_was_overwritten_is_not_used(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept_salts(entropy, False, tmp_path).close()
        with (tmp_path / "salts").open("r+b") as file:
            # The state of the first store: its second word.
            file.seek(4096 + 8)
            file.write((CAPACITY * 2).to_bytes(8, "little"))
        assert kept_salts(entropy, False, tmp_path).since > 0
        assert "more salts than it can hold" in caplog.text


class TestKeeping:
    """When the disk is given what is new."""

    def test_soon_after_a_salt_and_not_without_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_SYNC_EVERY", 0.001)
        salts, syncs = kept_salts(entropy, False, tmp_path), []
        monkeypatch.setattr(SaltFile, "sync", lambda file: syncs.append(file.path))

        async def main() -> None:
            keeping = asyncio.create_task(salts.keep())
            for number in range(3):
                assert len(syncs) == number
                salts.packets.add(entropy(32))
                await until(lambda number=number: len(syncs) == number + 1)  # type: ignore[misc]
            keeping.cancel()

        asyncio.run(main())
        salts.close()

    def test_a_disk_that_fails_is_told_and_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(module, "_SYNC_EVERY", 0.001)
        salts = kept_salts(entropy, False, tmp_path)

        def fail(file: SaltFile) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(SaltFile, "sync", fail)

        async def main() -> None:
            keeping = asyncio.create_task(salts.keep())
            for number in range(1, 3):
                salts.streams.add(entropy(32))
                await until(lambda number=number: len(caplog.messages) == number)  # type: ignore[misc]
            keeping.cancel()

        with caplog.at_level(logging.WARNING):
            asyncio.run(main())
        assert "not on disk: Input/output error" in caplog.text
        salts.close()

    def test_without_a_file_there_is_nothing_to_do(self) -> None:
        asyncio.run(SharedSalts(entropy, shared=False).keep())


@pytest.mark.parametrize(
    ("configured", "environment", "found"),
    [
        ("/srv/state", {"STATE_DIRECTORY": "/var/lib/one"}, "/srv/state"),
        (None, {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "HOME": "/h"}, "/var/lib/one"),
        (None, {"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/annotated-shadowsocks"),
        (None, {"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/annotated-shadowsocks"),
        (None, {}, "/.local/state/annotated-shadowsocks"),
    ],
)
def test_state_directory(configured: str | None, environment: dict[str, str], found: str) -> None:
    assert state_directory(configured, environment) == Path(found)
