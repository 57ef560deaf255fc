"""The file in which the memory for salts outlives the process, and its first page.

The stores are not written to the file: they *are* the file, mapped by every process that uses it.
What a process has stored there is the kernel's from that moment, so that neither ``kill -9`` nor a
restart loses a salt, and two programs with one file refuse each other's recordings::

    octet   0        16      32       48      56        4096                 +23 MiB
            +--------+-------+--------+-------+--- ~ ---+--------------------+--------------+
            | layout |  key  |  boot  | since |         | salts of streams   | of packets   |
            +--------+-------+--------+-------+--- ~ ---+--------------------+--------------+

``key`` is what the salts are hashed under. ``boot`` names the boot during which the file may hold
what the disk does not have; it is zero where the disk has everything. A host that crashed leaves
the name of a boot that is over, and then the last salts may be lost: ``since`` is when that was
noticed, or when the file began, in seconds since 1970. Whoever can tell how old a recording is
refuses what is older (see shadowsocks.timestamp).

Rejected: a journal of salts that a starting process reads. It costs the disk less, but a million
salts take seconds to read, and two processes could not use it at one time.
"""

import fcntl
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..entropy import Entropy
from ..errors import Error
from ..shadowsocks.replay import HASH_KEY_SIZE, ReplayStore

__all__ = ["SaltFile", "SaltFileError"]

_LAYOUT = b"replay salts, 1\n"
_KEY = slice(16, 16 + HASH_KEY_SIZE)
_BOOT = slice(32, 48)
_SINCE = slice(48, 56)
_HEADER = 4096
_STORE = ReplayStore.required_size()
_SIZE = _HEADER + 2 * _STORE

_ON_DISK = bytes(16)


class SaltFileError(Error):
    """The file cannot be what it should be; the text names it and says why."""


class SaltFile:
    """An open file of salts, made anew where there is none; mode 0600.

    ``boot`` is the kernel's name for this boot, 16 octets, and ``now`` the time in seconds since
    1970. Raises ``SaltFileError``.
    """

    def __init__(self, path: Path, entropy: Entropy, boot: bytes, now: float) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SaltFileError(f"{path}: {error.strerror}") from error
        try:
            self._map = self._opened(entropy, boot, now)
        except OSError as error:
            os.close(self._fd)
            raise SaltFileError(f"{path}: {error.strerror}") from error
        except Error:
            os.close(self._fd)
            raise
        #: What the salts are hashed under.
        self.key = bytes(self._map[_KEY])
        #: When the memory began, or had a gap.
        self.since = float(int.from_bytes(self._map[_SINCE], "little"))

    @property
    def fd(self) -> int:
        """The descriptor; a store's octet in it is what its lock takes."""
        return self._fd

    def stores(self) -> tuple[memoryview, memoryview]:
        """The memory for the salts of streams, and of packets."""
        whole = memoryview(self._map)[_HEADER:]
        return whole[:_STORE], whole[_STORE:]

    def sync(self) -> None:
        """Return when the disk has what was stored before. Raises ``OSError``."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Give the file up; where no other process has it open, the disk has everything.

        The memory stays mapped as long as somebody holds a part of it.
        """
        try:
            # Forked workers have this lock with us, so a supervisor closes after they have ended.
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.sync()
            self._map[_BOOT] = _ON_DISK
            self.sync()
        except OSError:
            # Somebody else uses it, or the disk fails: the name of this boot stays, which is true.
            pass
        finally:
            # [man flock(2)] the lock is of the open file, and the map has a descriptor of its own.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)

    def _opened(self, entropy: Entropy, boot: bytes, now: float) -> mmap.mmap:
        self._check_owner()
        with _locked(self._fd):
            # Held as long as the file is open: whoever gets it alone is the last.
            fcntl.flock(self._fd, fcntl.LOCK_SH)
            size = os.fstat(self._fd).st_size
            if size not in (0, _SIZE):
                raise SaltFileError(f"{self.path}: {size} octets, which is no file of salts")
            # A hole in the file would be filled when it is first stored to, and a disk that is
            # full by then ends the process by SIGBUS [man mmap(2)].
            os.posix_fallocate(self._fd, 0, _SIZE)
            mapped = mmap.mmap(self._fd, _SIZE)
            new = mapped[: len(_LAYOUT)] == bytes(len(_LAYOUT))
            if new:
                mapped[_KEY] = entropy(HASH_KEY_SIZE)
            elif mapped[: len(_LAYOUT)] != _LAYOUT:
                mapped.close()
                raise SaltFileError(f"{self.path}: not a file of salts")
            gap = new or mapped[_BOOT] not in (_ON_DISK, boot)
            # A time to come was written by a clock that has been set back since.
            if gap or int.from_bytes(mapped[_SINCE], "little") > now:
                mapped[_SINCE] = int(now).to_bytes(8, "little")
            mapped[_BOOT] = boot
            # Last: a process that dies before leaves a file that is still to be made.
            mapped[: len(_LAYOUT)] = _LAYOUT
            return mapped

    def _check_owner(self) -> None:
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            raise SaltFileError(f"{self.path}: not a regular file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            # Who can write here can make us forget, and who can read can aim at a slot.
            raise SaltFileError(f"{self.path}: must be of this user, and of no other (mode 600)")


@contextmanager
def _locked(fd: int) -> Iterator[None]:
    """Exclude other processes while a file is made; the stores lock octets of their own."""
    fcntl.lockf(fd, fcntl.LOCK_EX, 1, 0)
    try:
        yield
    finally:
        fcntl.lockf(fd, fcntl.LOCK_UN, 1, 0)
