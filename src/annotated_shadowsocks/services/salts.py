"""The salts that all workers of one program remember together, and the next start of it too.

The stores live in a file (see ``salt_file``), or in anonymous shared memory that is mapped before
the first fork. Their lock is a record lock, because the kernel releases it when its holder dies,
however it dies; a semaphore would stay taken, and with it every handshake to come.

Two system calls for each salt are what that costs: one hundredth of what a connection costs, and
three of what a datagram does. A process that is alone with its file pays them too. Rejected:
leaving the lock out until somebody else comes, which takes an exclusive flock(2) and a word in the
header that asks for it; whoever comes second would have to wait until the first looks at that
word, and a first that is stopped would let nobody start. Rejected as well: no lock at all and an
order of stores. Two processes that are shown one salt at one time both find its slot free, and
memory has nothing that Python could compare and exchange.
"""

import asyncio
import fcntl
import logging
import mmap
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from ..entropy import Entropy
from ..errors import Error
from ..shadowsocks.replay import HASH_KEY_SIZE, ReplayStore
from .salt_file import SaltFile

__all__ = ["SharedSalts", "kept_salts", "state_directory"]

_log = logging.getLogger(__name__)

_OURS = "annotated-shadowsocks"
_NAME = "salts"

#: Seconds between two looks whether the disk should be given what is new, and the most of them
#: that pass while it is. A salt dirties a page of its own, so a busy server is written less often:
#: one second later for each hundred salts.
_SYNC_EVERY, _SYNC_AT_LAST, _SALTS_A_SECOND = 1.0, 30.0, 100


class SharedSalts:
    """``streams`` and ``packets``, each a ``ReplayStore``; ``shared`` where processes will fork.

    In ``file`` where one is given, which other processes may use too; else the memory ends with
    the last process that has it.
    """

    def __init__(self, entropy: Entropy, shared: bool, file: SaltFile | None = None) -> None:
        self._file = file
        if file is None:
            self.streams = _store(entropy, shared)
            self.packets = _store(entropy, shared)
            #: When this memory began: what was before may have been accepted by another.
            self.since = time.time()
            return
        streams, packets = file.stores()
        self.streams = ReplayStore(streams, file.key, _RecordLock(file.fd, 1))
        self.packets = ReplayStore(packets, file.key, _RecordLock(file.fd, 2))
        self.since = file.since

    @property
    def added(self) -> int:
        """A number that grows with each salt."""
        return self.streams.added + self.packets.added

    async def keep(self) -> None:
        """Give the disk what is new, now and then, for ever; one process of all need do so."""
        # A predecessor that was killed may have left something, so the first look writes.
        written, late = -1, _SYNC_AT_LAST
        while self._file is not None:
            await asyncio.sleep(_SYNC_EVERY)
            late += _SYNC_EVERY
            new = self.added - written
            if new and late >= min(new / _SALTS_A_SECOND, _SYNC_AT_LAST):
                written, late = written + new, 0.0
                try:
                    # A disk may take its time, and the loop has none.
                    await asyncio.to_thread(self._file.sync)
                except OSError as error:
                    _log.warning("%s: not on disk: %s", self._file.path, error.strerror)

    def close(self) -> None:
        """The last to use it closes it; ``add`` must not follow."""
        if self._file is not None:
            self._file.close()


def kept_salts(entropy: Entropy, shared: bool, directory: Path) -> SharedSalts:
    """The salts in ``directory``, which is made where it is not there.

    Where that cannot be, a memory that ends with the process, and a warning: a tunnel that works
    is worth more than one that was well protected until the disk was full.
    """
    path = directory / _NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SharedSalts(entropy, shared, SaltFile(path, entropy, _boot(), time.time()))
    except OSError as error:
        problem = f"{directory}: {error.strerror}"
    except Error as error:
        problem = str(error)
    _log.warning(
        "recordings are refused only until this program ends: %s; "
        "repair or remove that, or name another place with --state-directory",
        problem,
    )
    return SharedSalts(entropy, shared)


def state_directory(configured: str | None, environment: Mapping[str, str]) -> Path:
    """Where state is kept: as configured, as the service manager says, or as is usual."""
    if configured:
        return Path(configured)
    # [man systemd.exec(5)] a unit with StateDirectory= is told its directories
    if managed := environment.get("STATE_DIRECTORY"):
        return Path(managed.split(":")[0])
    # XDG's specification has a relative path ignored.
    usual = Path(environment.get("XDG_STATE_HOME", ""))
    if not usual.is_absolute():
        usual = Path(environment.get("HOME", "/")) / ".local" / "state"
    return usual / _OURS


def _boot() -> bytes:
    """What the kernel calls this boot, or something that it calls none."""
    try:
        # [man random(4)] a UUID that is drawn once per boot
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", ""))
    except (OSError, ValueError):
        return os.urandom(16)


def _store(entropy: Entropy, shared: bool) -> ReplayStore:
    memory = memoryview(mmap.mmap(-1, ReplayStore.required_size()))
    lock: AbstractContextManager[object] = nullcontext()
    if shared:
        lock = _RecordLock(os.memfd_create("salts", os.MFD_CLOEXEC))
    return ReplayStore(memory, entropy(HASH_KEY_SIZE), lock)


class _RecordLock:
    """A lock among processes on one octet of ``fd``; a process has one thread to take it."""

    __slots__ = ("_fd", "_octet")

    def __init__(self, fd: int, octet: int = 0) -> None:
        self._fd = fd
        self._octet = octet

    def __enter__(self) -> None:
        # [man fcntl(2)] record locks belong to a process: forked workers exclude each other though
        # they inherited one descriptor, which flock(2) would not give.
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, self._octet)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, self._octet)
