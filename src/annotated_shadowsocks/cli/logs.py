r"""Log lines that a peer cannot forge, and not more of them than a reader can bear.

A peer chooses host names, and they end up in messages. So whatever is not printable is escaped:
a line break cannot start a false record, and a terminal that shows the log obeys nobody. Each
record is one line; a traceback, which only ``-vv`` shows, is indented behind a bar that no record
starts with.

A peer also chooses how often something is worth a line. More than ``MAX_PER_SECOND`` are counted
instead, and the count is told with the next line.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TextIO

from ..config.model import LogConfig
from ..pictures.printable import escape

__all__ = ["MAX_PER_SECOND", "Formatter", "RateLimit", "configure", "say"]

#: Records per second that are written.
MAX_PER_SECOND = 100

ROOT = "annotated_shadowsocks"

# Blue, orange and bold are told apart by everybody; red and green are not.
_COLOURS = {"DEBUG": "\x1b[34m", "WARNING": "\x1b[33m", "ERROR": "\x1b[1m", "CRITICAL": "\x1b[1m"}
_PLAIN = "\x1b[0m"


class Formatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z INFO relay.listener: listening on …``, always UTC."""

    converter = staticmethod(time.gmtime)

    def __init__(self, log: LogConfig, colour: bool = False) -> None:
        when = "" if log.without_time else "%(asctime)s.%(msecs)03dZ "
        super().__init__(when + "%(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.tracebacks = log.verbosity >= 2
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where it is wanted."""
        line = escape(self.line(record))
        if self.colour and record.levelname in _COLOURS:
            line = f"{_COLOURS[record.levelname]}{line}{_PLAIN}"
        if record.exc_info and self.tracebacks:
            text = "".join(traceback.format_exception(*record.exc_info))
            line += "".join(f"\n    | {escape(one)}" for one in text.splitlines())
        return line

    def line(self, record: logging.LogRecord) -> str:
        """The record's own line, an exception in short."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        # What is written is the module within this package; the package's name is on every line.
        short = logging.makeLogRecord(record.__dict__)
        short.name = record.name.removeprefix(f"{ROOT}.")
        line = self.formatMessage(short)
        error = record.exc_info[1] if record.exc_info else None
        return line if error is None else f"{line} ({type(error).__name__}: {error})"


class RateLimit(logging.Filter):
    """Lets ``limit`` records pass in any second of ``clock``, and counts the others."""

    def __init__(
        self, limit: int = MAX_PER_SECOND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.limit = limit
        self.clock = clock
        self.second = -1
        self.passed = 0
        self.suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record too many; the first after a flood tells how many there were."""
        second = int(self.clock())
        if second != self.second:
            self.second, self.passed = second, 0
        if self.passed >= self.limit:
            self.suppressed += 1
            return False
        self.passed += 1
        if self.suppressed:
            record.msg = f"{record.getMessage()} ({self.suppressed} lines before it suppressed)"
            record.args = None
            self.suppressed = 0
        return True


def configure(
    log: LogConfig,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> logging.Handler:
    """Send all records to ``stream``, stderr by default. Returns the handler, for its removal."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    # https://no-color.org: set and not empty, whatever the value
    colour = stream.isatty() and not environment.get("NO_COLOR")
    handler.setFormatter(Formatter(log, colour and environment.get("TERM") != "dumb"))
    handler.addFilter(RateLimit())
    # Other libraries speak through the same handler, and only when something is wrong.
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(logging.DEBUG if log.verbosity else logging.INFO)
    return handler


def say(message: str, *arguments: object) -> None:
    """Log one line of the command itself."""
    logging.getLogger(f"{ROOT}.cli").info(message, *arguments)
