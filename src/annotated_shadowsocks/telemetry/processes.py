"""What the calling process costs its host."""

import os
import resource
from pathlib import Path

from .figures import Figures

__all__ = ["process_figures"]

_STATM, _FD = Path("/proc/self/statm"), Path("/proc/self/fd")


def process_figures(figures: Figures, worker: str) -> None:
    """Note processor time, memory and descriptors of this process, as those of ``worker``."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures.set("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime, worker)
    figures.set("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0], worker)
    try:
        # [man proc(5)] the second field of statm is the resident set, in pages
        pages = int(_STATM.read_text().split()[1])
        figures.set("process_resident_memory_bytes", pages * os.sysconf("SC_PAGE_SIZE"), worker)
        figures.set("process_open_fds", sum(1 for _ in _FD.iterdir()), worker)
    except (OSError, ValueError, IndexError):
        # Without /proc there is nothing to tell, and the other figures are none the worse.
        pass
