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
from ..shadowsocks.replay import CAPACITY, HASH_KEY_SIZE, ReplayStore

__all__ = ["SharedSalts"]

#: Packets come faster than streams, and a recorded one is of use for less long.
_PACKETS = 65_536


class SharedSalts:
    """``streams`` and ``packets``, each a ``ReplayStore``; ``shared`` where processes will fork."""

    def __init__(self, entropy: Entropy, shared: bool) -> None:
        self.streams = _store(entropy, CAPACITY, shared)
        self.packets = _store(entropy, _PACKETS, shared)


def _store(entropy: Entropy, capacity: int, shared: bool) -> ReplayStore:
    memory = memoryview(mmap.mmap(-1, ReplayStore.required_size(capacity)))
    lock: AbstractContextManager[object] = _RecordLock() if shared else nullcontext()
    return ReplayStore(memory, entropy(HASH_KEY_SIZE), lock, capacity)


class _RecordLock:
    """A lock among processes; inside one process there is a single thread to take it."""

    __slots__ = ("_fd",)

    def __init__(self) -> None:
        self._fd = os.memfd_create("salts", os.MFD_CLOEXEC)

    def __enter__(self) -> None:
        # [man fcntl(2)] record locks belong to a process: forked workers exclude each other though they
        # inherited one descriptor, which flock(2) would not give.
        fcntl.lockf(self._fd, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN)
