"""What the kernel says that processes have used, with all their threads and children."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "own_usage", "resident_kib", "usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds on a processor, and seconds ready to run that no processor was there for."""

    ran: float = 0.0
    waited: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.ran + other.ran, self.waited + other.waited)

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.ran - other.ran, self.waited - other.waited)

    @property
    def wanted(self) -> float:
        """Seconds in which there was something to do."""
        return self.ran + self.waited


def usage(pid: int) -> Usage:
    """Of all threads of ``pid`` and of its children, which are the workers of a service."""
    # utime and stime are sampled with each tick, and what is measured here wakes and sleeps in
    # step with it; schedstat counts nanoseconds.
    total = Usage()
    for process in _tree(pid):
        for task in _tasks(process):
            total += _parsed(task)
    return total


def own_usage() -> Usage:
    """Of the thread that asks."""
    return _parsed(Path(f"/proc/self/task/{threading.get_native_id()}"))


def resident_kib(pid: int) -> int:
    """Resident memory of ``pid`` and its children; what they share counts once for each."""
    total = 0
    for process in _tree(pid):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1])
    return total


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in _tasks(pid):
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _parsed(task: Path) -> Usage:
    try:
        ran, waited, _ = (task / "schedstat").read_text().split()
    except FileNotFoundError:  # a thread that has ended meanwhile
        return Usage()
    return Usage(int(ran) / 1e9, int(waited) / 1e9)
