"""Is this host fit to take a burst of connections? One check for each thing that decides it.

Each check has what was found, what that means and how to change it. A status is about connections
that are lost, not about taste: a setting is bad if it loses clients that the defaults would keep.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from .listen_queue import Sysctls, syn_queue_capacity, synack_schedule
from .queue_advice import GOOD_LIMIT, NEARLY_FULL, POOR_LIMIT, Seen, sysctl_commands

__all__ = ["Check", "Host", "Status", "examine", "worst"]

_GOOD_NOFILE, _WANTED_NOFILE = 4096, 65536

# Seconds that a half-open request may wait: below, a client that lost two packets is forgotten;
# above, requests of clients that are gone fill the SYN queue.
_SHORT_WAIT, _LONG_WAIT = 7, 127


class Status(IntEnum):
    """How good or bad, and the exit code that says so: the numbers of Nagios plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Check(NamedTuple):
    """One finding; ``fix`` is what to type, as root."""

    name: str
    status: Status
    value: str
    verdict: str
    fix: tuple[str, ...] = ()


class Host(NamedTuple):
    """What there is to know of a host, None where it could not be read."""

    sysctls: Sysctls
    counters: Mapping[str, int] | None
    listeners: Sequence[Seen] | None
    nofile: tuple[int, int]  #: descriptors for a program that is started here: soft, hard limit
    synchronised: bool | None


def examine(host: Host) -> list[Check]:
    """All checks, in the order in which a connection meets what they are about."""
    s = host.sysctls
    return [
        _syncookies(s.tcp_syncookies),
        _max_syn_backlog(s),
        _synack_retries(s.tcp_synack_retries),
        _somaxconn(s.somaxconn),
        _abort_on_overflow(s.tcp_abort_on_overflow),
        *_queues(host.listeners),
        _migrate_req(s.tcp_migrate_req, host.listeners or ()),
        *_losses(host.counters),
        _nofile(*host.nofile),
        _clock(host.synchronised),
    ]


def worst(checks: Sequence[Check]) -> Status:
    """The status of all together: what is known to be bad counts more than what is unknown."""
    order = (Status.OK, Status.UNKNOWN, Status.WARNING, Status.CRITICAL)
    return max((check.status for check in checks), key=order.index, default=Status.OK)


def _unknown(name: str, verdict: str = "this kernel or container does not show it") -> Check:
    return Check(name, Status.UNKNOWN, "?", verdict)


def _syncookies(value: int | None) -> Check:
    name = "tcp_syncookies"
    if value is None:
        return _unknown(name)
    if value == 1:
        return Check(name, Status.OK, "1", "a full SYN queue answers with cookies")
    verdict = (
        "every handshake is by cookie: SYN/ACKs are not repeated, options may be lost"
        if value
        else "a full SYN queue drops new clients; a flood of SYNs shuts everybody out"
    )
    return Check(name, Status.WARNING, str(value), verdict, sysctl_commands(f"net.ipv4.{name}", 1))


def _max_syn_backlog(sysctls: Sysctls) -> Check:
    name, value = "tcp_max_syn_backlog", sysctls.tcp_max_syn_backlog
    if value is None:
        return _unknown(name)
    if sysctls.tcp_syncookies:
        return Check(name, Status.OK, str(value), "not consulted while tcp_syncookies is on")
    room = syn_queue_capacity(sysctls.somaxconn or GOOD_LIMIT, sysctls)
    verdict = f"without syncookies, {room} half-open requests for each listener"
    if room > POOR_LIMIT:
        return Check(name, Status.OK, str(value), verdict)
    fix = sysctl_commands(f"net.ipv4.{name}", GOOD_LIMIT)
    return Check(name, Status.WARNING, str(value), verdict, fix)


def _synack_retries(value: int | None) -> Check:
    name = "tcp_synack_retries"
    if value is None:
        return _unknown(name)
    until = synack_schedule(value).until
    verdict = f"a half-open request is forgotten after {until} s"
    good = _SHORT_WAIT <= until <= _LONG_WAIT
    fix = () if good else sysctl_commands(f"net.ipv4.{name}", 5)
    return Check(name, Status.OK if good else Status.WARNING, str(value), verdict, fix)


def _somaxconn(value: int | None) -> Check:
    name = "somaxconn"
    if value is None:
        return _unknown(name)
    if value >= GOOD_LIMIT:
        verdict = "no listener can have a larger limit"
        return Check(name, Status.OK, str(value), verdict)
    status = Status.WARNING if value >= POOR_LIMIT else Status.CRITICAL
    verdict = f"every listen() is cut at {value}; {GOOD_LIMIT} is Linux's own default"
    fix = (*sysctl_commands(f"net.core.{name}", GOOD_LIMIT), "then restart the programs")
    return Check(name, status, str(value), verdict, fix)


def _abort_on_overflow(value: int | None) -> Check:
    name = "tcp_abort_on_overflow"
    if value is None:
        return _unknown(name)
    if not value:
        return Check(
            name, Status.OK, "0", "a client that finds the accept queue full may try again"
        )
    verdict = "a client that finds the accept queue full is reset, however soon there is room"
    fix = sysctl_commands(f"net.ipv4.{name}", 0)
    return Check(name, Status.WARNING, str(value), verdict, fix)


def _queues(listeners: Sequence[Seen] | None) -> Iterator[Check]:
    if listeners is None:
        yield _unknown("accept queues", "the kernel does not list sockets here")
        return
    full = [each for each in listeners if each.queue.is_full]
    nearly = [
        each
        for each in listeners
        if each not in full and each.queue.depth > NEARLY_FULL * each.queue.limit
    ]
    status = Status.CRITICAL if full else Status.WARNING if nearly else Status.OK
    notable = full or nearly
    kind = "full" if full else "nearly full"
    value = (
        f"{len(notable)} of {len(listeners)} {kind}" if notable else f"{len(listeners)}, none full"
    )
    verdict = "new clients are turned away" if full else "a burst may be lost"
    yield Check(
        "accept queues",
        status,
        value,
        f"{verdict} at {_names(notable)}" if notable else "every listener has room",
        tuple(f"backlog explain {each.address}" for each in notable[:3]),
    )


def _names(listeners: Sequence[Seen]) -> str:
    names = ", ".join(each.address for each in listeners[:3])
    return f"{names} and {len(listeners) - 3} more" if len(listeners) > 3 else names


def _migrate_req(value: int | None, listeners: Sequence[Seen]) -> Check:
    name = "tcp_migrate_req"
    groups = Counter(each.address for each in listeners)
    shared = [address for address, count in groups.items() if count > 1]
    if value is None:
        return _unknown(name)
    if value:
        return Check(name, Status.OK, str(value), "a closing SO_REUSEPORT listener hands over")
    if not shared:
        return Check(name, Status.OK, "0", "no listeners share a port by SO_REUSEPORT")
    verdict = f"when one of the listeners of {shared[0]} closes, its queue is reset"
    return Check(name, Status.WARNING, "0", verdict, sysctl_commands(f"net.ipv4.{name}", 1))


def _losses(counters: Mapping[str, int] | None) -> Iterator[Check]:
    """What was lost since the namespace began: nobody knows when, so these only warn."""
    if counters is None:
        yield _unknown("losses", "the counters of the namespace cannot be read")
        return
    for counter, name, what in (
        ("ListenOverflows", "accept queue overflows", "SYNs and ACKs met a full accept queue"),
        ("TCPReqQFullDrop", "SYN queue overflows", "SYNs met a full SYN queue without syncookies"),
        ("TCPReqQFullDoCookies", "SYN cookies", "SYNs met a full SYN queue, or cookies are forced"),
    ):
        count = counters.get(counter)
        if count is None:
            yield _unknown(name, f"this kernel does not count {counter}")
        elif not count:
            yield Check(name, Status.OK, "0", "none since the namespace began")
        else:
            watch = f"nstat -az TcpExt{counter}"
            verdict = f"{what} since the namespace began; the fix shows whether more come"
            yield Check(name, Status.WARNING, str(count), verdict, (watch,))


def _nofile(soft: int, hard: int) -> Check:
    # [man getrlimit(2)] RLIM_INFINITY reads as -1
    unlimited = soft < 0
    value = "unlimited" if unlimited else f"{soft} (at most {'any' if hard < 0 else hard})"
    if unlimited or soft >= _GOOD_NOFILE:
        return Check("nofile", Status.OK, value, "descriptors for a program that is started here")
    verdict = f"a program started here accepts {soft} connections at most, then its queue fills"
    wanted = hard if hard > 0 else _WANTED_NOFILE
    fix = (f"ulimit -n {wanted}", f"LimitNOFILE={wanted} in a systemd unit")
    return Check("nofile", Status.WARNING, value, verdict, fix)


def _clock(synchronised: bool | None) -> Check:
    if synchronised is None:
        return _unknown("clock", "the kernel does not tell its state here")
    if synchronised:
        return Check(
            "clock", Status.OK, "synchronised", "AEAD-2022 peers refuse 30 s of difference"
        )
    verdict = "nobody keeps it right, and AEAD-2022 peers refuse 30 s of difference"
    return Check(
        "clock", Status.WARNING, "not synchronised", verdict, ("timedatectl set-ntp true",)
    )
