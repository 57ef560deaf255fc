"""The flags that describe clients, server and way, for all verbs that simulate."""

import argparse
from pathlib import Path

from ..errors import ConfigError, UsageError
from ..simulator.arrivals import Arrivals, Bursts, Poisson, read_timestamps
from ..simulator.scenario import Settings, Stall
from ..tcp_model.instant import SECOND, Duration
from .arguments import ArgumentParser
from .quantities import duration

__all__ = ["MOST_CLIENTS", "add_flags", "arrivals", "burst", "settings", "stall"]

#: As many take an hour or two, and that is a mistake more often than a wish.
MOST_CLIENTS = 200_000_000
#: What a period is that nobody gave: the bursts are one.
_ONCE = 10**6 * SECOND


def add_flags(parser: ArgumentParser) -> None:
    """Everything but what is asked for."""
    add = parser.add_argument
    add("--burst", metavar="N[/TIME]", help="N clients at once, and again every TIME (200/1s)")
    add("--arrivals", metavar="FILE", help="clients come when they came: seconds, one a line")
    add("--for", metavar="TIME", dest="time", default="10s", help="how long clients come (10s)")
    what = "how long a segment takes, for each client its own: 5ms, 1ms..80ms, exp:20ms (1ms)"
    add("--delay", metavar="TIME", default="1ms", help=what)
    add("--loss", metavar="LIST", default="0", help="the chance of a segment to be lost (0)")
    what = "nothing is accepted for TIME from AT on; with #N only by worker N; may be repeated"
    add("--stall", metavar="AT+TIME[#N]", action="append", default=[], help=what)
    add("--reuse-port", action="store_true", help="each worker has a listener of its own")
    add("--silent", action="store_true", help="clients wait for a greeting before they say a word")
    what = "TCP_DEFER_ACCEPT: who has said nothing does not count for N seconds (0: not set)"
    add("--defer-accept", metavar="N", type=int, default=0, help=what)
    what = "how long a client waits for connect(); its kernel's patience is 131 s"
    add("--patience", metavar="TIME", help=what)
    what = "a setting of the server's kernel, like tcp_syncookies=0; may be repeated"
    add("--set", metavar="NAME=N", action="append", default=[], dest="settings", help=what)
    what = "a setting of the clients' kernels, like tcp_syn_retries=3; may be repeated"
    add("--client-set", metavar="NAME=N", action="append", default=[], help=what)
    add("--seed", metavar="N", type=int, default=1, help="chance begins here (1)")


def arrivals(found: argparse.Namespace, rate: float | None) -> tuple[Arrivals, ...]:
    """The clients of ``rate`` and of the flags. Raises ``UsageError`` and ``ConfigError``."""
    time = duration("--for", found.time)
    processes: list[Arrivals] = []
    if found.arrivals is not None:
        processes.append(_recorded(found.arrivals))
    if rate:
        processes.append(Poisson(rate, time))
    if found.burst is not None:
        processes.append(burst(found.burst, time))
    if not processes:
        raise UsageError("nobody comes; write --rate, --burst or --arrivals")
    clients = rate * time / SECOND if rate else 0.0
    if isinstance(processes[-1], Bursts):
        one = processes[-1]
        clients += one.size * len(range(one.start, one.end, one.period))
    if clients > MOST_CLIENTS:
        raise UsageError(f"{clients:.0f} clients are too many; {MOST_CLIENTS} are the most")
    return tuple(processes)


def _recorded(path: str) -> Arrivals:
    try:
        with Path(path).open(encoding="ascii", errors="replace") as lines:
            return read_timestamps(path, lines)
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}", "name a file") from error


def burst(text: str, time: Duration) -> Bursts:
    """Read ``200`` or ``200/1s``."""
    size, slash, period = text.partition("/")
    if not size.isascii() or not size.isdecimal() or not 1 <= int(size[:10]) <= MOST_CLIENTS:
        raise UsageError(f"--burst: {text[:40]!r} is no burst; write 200 or 200/1s")
    every = duration("--burst", period) if slash else _ONCE
    if every < 1000:
        raise UsageError(f"--burst: {text[:40]!r} comes again too soon; write 200/1s")
    return Bursts(int(size), every, max(time, 1))


def stall(text: str) -> Stall:
    """Read ``3s+500ms`` or ``3s+500ms#0``."""
    times, mark, worker = text.partition("#")
    at, plus, length = times.partition("+")
    if not plus or (mark and not worker.isdecimal()):
        raise UsageError(f"--stall: {text[:40]!r} is no stall; write 3s+500ms or 3s+500ms#0")
    number = int(worker[:9]) if mark else None
    return Stall(duration("--stall", at), duration("--stall", length), number)


def settings(flag: str, texts: list[str]) -> Settings:
    """Read ``NAME=N`` of each."""
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value.removeprefix("-").isdecimal():
            raise UsageError(f"{flag}: {text[:60]!r} is no setting; write tcp_syncookies=0")
        found.append((name, int(value[:20])))
    return tuple(found)
