"""The salts that all workers of one program remember together.

The stores live in anonymous shared memory that is mapped before the first fork. Their lock is a
record lock, because the kernel releases it when its holder dies, however it dies; a semaphore would
stay taken, and with it every handshake to come.
"""

import fcntl
import mmap
import os
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from ..entropy import Entropy
from ..shadowsocks.replay import HASH_KEY_SIZE, ReplayStore

__all__ = ["SharedSalts"]


class SharedSalts:
    """``streams`` and ``packets``, each a ``ReplayStore``; ``shared`` where processes will fork."""

    def __init__(self, entropy: Entropy, shared: bool) -> None:
        self.streams = _store(entropy, shared)
        self.packets = _store(entropy, shared)


def _store(entropy: Entropy, shared: bool) -> ReplayStore:
    memory = memoryview(mmap.mmap(-1, ReplayStore.required_size()))
    lock: AbstractContextManager[object] = _RecordLock() if shared else nullcontext()
    return ReplayStore(memory, entropy(HASH_KEY_SIZE), lock)


class _RecordLock:
    """A lock among processes; inside one process there is a single thread to take it."""

    __slots__ = ("_fd",)

    def __init__(self) -> None:
        self._fd = os.memfd_create("salts", os.MFD_CLOEXEC)

    def __enter__(self) -> None:
        # [man fcntl(2)] record locks belong to a process: forked workers exclude each other though
        # they inherited one descriptor, which flock(2) would not give.
        fcntl.lockf(self._fd, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN)
