"""A file whose contents may change while we run."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["WatchedFile"]

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """The parsed contents of a file, read again when the file has changed.

    A file that is missing or cannot be read counts as empty. The file is looked at every
    ``interval`` seconds at most; the value is the same object for as long as nothing changes.
    """

    def __init__(self, path: str | Path, parse: Callable[[str], T], interval: float) -> None:
        self._path = Path(path)
        self._parse = parse
        self._interval = interval
        self._next_look = float("-inf")
        self._stamp: tuple[int, ...] | None = None
        self._value = parse("")

    def get(self, now: float) -> T:
        """The contents as they were ``interval`` seconds ago, or later."""
        if now >= self._next_look:
            self._next_look = now + self._interval
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self._value = self._parse(self._read())
        return self._value

    def _look(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        # A file that was replaced may have the time and the size of the old one, not its inode.
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
