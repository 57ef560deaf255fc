"""One replay store in several processes, which may be killed anywhere."""

import fcntl
import mmap
import os
import random
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType

import pytest

from annotated_shadowsocks.shadowsocks.replay import ReplayStore

KEY = bytes(range(16))


def salts(start: int, stop: int) -> Iterator[bytes]:
    return (n.to_bytes(16, "big") for n in range(start, stop))


class FileLock:
    """A lock that the kernel releases when its process ends."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT)

    def __enter__(self) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)


def fork(run: Callable[[], None]) -> int:
    """Run ``run`` in a child; the status is 0 where it returned."""
    with warnings.catch_warnings():
        # Python 3.12 warns of forking with threads, which a test runner may have. This child
        # touches the store and nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run()
        status = 0
    finally:
        os._exit(status)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[FileLock]:
    lock = FileLock(tmp_path / "lock")
    yield lock
    lock.close()


def shared_store(lock: FileLock, capacity: int) -> ReplayStore:
    memory = mmap.mmap(-1, ReplayStore.required_size(capacity))
    return ReplayStore(memoryview(memory), KEY, lock, capacity)


def test_four_processes_accept_each_salt_once(lock: FileLock) -> None:
    count, workers = 1000, 4
    store = shared_store(lock, count)
    verdicts = mmap.mmap(-1, count * workers)
    gate, opened = os.pipe()

    def work(worker: int) -> None:
        os.close(opened)
        os.read(gate, 1)
        order = list(range(count))
        # Two and two in the same order, so that they meet at the same salt.
        random.Random(worker // 2).shuffle(order)
        for n in order:
            verdicts[worker * count + n] = store.add(n.to_bytes(16, "big"))

    pids = [fork(partial(work, worker)) for worker in range(workers)]
    os.close(gate)
    os.close(opened)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * workers
    for n in range(count):
        assert sum(verdicts[n::count]) == 1


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_process_leaves_a_working_store(seed: int, lock: FileLock) -> None:
    capacity = 600
    store = shared_store(lock, capacity)
    progress, done = os.pipe()

    def work() -> None:
        for salt in salts(0, 1 << 32):
            if not store.add(salt):
                break
            os.write(done, b".")

    pid = fork(work)
    os.close(done)
    accepted = 0
    target = random.Random(seed).randrange(1, 3000)
    while accepted < target:
        accepted += len(os.read(progress, target - accepted))
    os.kill(pid, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    while octets := os.read(progress, 65536):
        accepted += len(octets)
    os.close(progress)

    # It may have died between accepting a salt and saying so.
    accepted += next(salts(accepted, accepted + 1)) in store
    last = deque(salts(0, accepted), maxlen=capacity)
    assert not any(map(store.add, last))
    for salt in salts(1 << 64, (1 << 64) + 3 * capacity):
        assert store.add(salt)
        last.append(salt)
        assert not store.add(last[0])
