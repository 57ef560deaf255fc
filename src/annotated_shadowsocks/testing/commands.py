"""``ssserver`` and ``sslocal`` as their users run them: another process, a file, and signals.

::

    with Command("ssserver", tmp_path, {"server_port": port, ...}, [("tcp", port)]) as server:
        server.write({...})
        server.send(signal.SIGHUP)
        await server.said("reloaded")
        assert await server.ended() == 0
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..supervision.process import LOOP_VARIABLE
from .programs import Program, Socket
from .targets import until

__all__ = ["Command", "children", "is_running"]


class Command(Program):
    """One of the two, configured by ``document`` in a file of ``folder``; see ``Program``.

    ``loop_name`` is the event loop that it runs on.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        document: Mapping[str, object],
        sockets: Iterable[Socket],
        loop_name: str = "asyncio",
    ) -> None:
        self.file = folder / f"{name}.json"
        self.write(document)
        super().__init__(
            [sys.executable, "-m", "annotated_shadowsocks", name, "-c", str(self.file)],
            sockets,
            os.environ | {LOOP_VARIABLE: loop_name},
        )

    def __enter__(self) -> "Command":
        super().__enter__()
        return self

    def write(self, document: Mapping[str, object] | str) -> None:
        """Replace the configuration file; a text is written as it is."""
        text = document if isinstance(document, str) else json.dumps(document)
        self.file.write_text(text, "utf-8")

    def send(self, number: int) -> None:
        """Send a signal, and wait for nothing."""
        os.kill(self.pid, number)

    async def said(self, text: str, times: int = 1) -> None:
        """Wait until it has said ``text`` so many times. Raises ``TimeoutError``."""
        try:
            await until(lambda: self.output().count(text) >= times)
        except TimeoutError:
            raise TimeoutError(f"{text!r} was not said {times} times:\n{self.output()}") from None

    async def ended(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end, while the loop goes on; returns the exit status."""
        return await asyncio.to_thread(self.end, number)


def children(pid: int) -> set[int]:
    """The processes that ``pid`` has started and that run."""
    every = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return {child for child in every if _status(child) == ("running", pid)}


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits to be buried is none."""
    return _status(pid)[0] == "running"


def _status(pid: int) -> tuple[str, int]:
    """``running`` or ``ended``, and the parent."""
    try:
        # What stands before the last bracket is the name, which may hold anything.
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "ended", 0
    state, parent = stat.rpartition(")")[2].split()[:2]
    return "ended" if state in "ZX" else "running", int(parent)
