"""What to change for one listener that loses connections, with the commands that change it.

Its limit was set in one of two places: the program asked for it, or ``somaxconn`` cut what the
program asked for. Raising the wrong one changes nothing, and that is the commonest mistake.

A larger queue buys time and no throughput: a program that accepts more slowly than clients come
fills any queue. So where a queue is full, the program is named first.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .listen_queue import Asked, ListenQueue, Sysctls, asked

__all__ = [
    "GOOD_LIMIT",
    "NEARLY_FULL",
    "POOR_LIMIT",
    "Advice",
    "Seen",
    "advise",
    "setting",
    "sysctl_commands",
]

#: What Linux allows since 5.4 unless told otherwise; and what it allowed before, which a burst of
#: clients overflows while the program is busy for a tenth of a second.
GOOD_LIMIT = 4096
POOR_LIMIT = 128

#: The share of its limit from which on a queue is called nearly full.
NEARLY_FULL = 0.8

# Where programs take the backlog from, by the name that /proc shows without a version.
_SETTINGS = {
    "apache": "ListenBacklog {}",
    "gunicorn": "gunicorn --backlog {}",
    "haproxy": "backlog {}",
    "httpd": "ListenBacklog {}",
    "mariadbd": "back_log = {}",
    "memcached": "memcached --listen-backlog={}",
    "mysqld": "back_log = {}",
    "nginx": "listen … backlog={};",
    "php-fpm": "listen.backlog = {}",
    "redis-server": "tcp-backlog {}",
    "ssserver": "ssserver --backlog {}",
    "sslocal": "sslocal --backlog {}",
    "systemd": "Backlog={} in the .socket unit",
    "uvicorn": "uvicorn --backlog {}",
    "varnishd": "varnishd -p listen_depth={}",
}
_ANY_SETTING = "the program's setting for the backlog of listen(): {}"


class Seen(NamedTuple):
    """A listener as advice needs it; ``program`` and ``pid`` are one of those that have it open."""

    address: str
    queue: ListenQueue
    drops: int | None = None
    program: str | None = None
    pid: int | None = None


class Advice(NamedTuple):
    """A reason to change something, and what to type or write for it."""

    reason: str
    commands: tuple[str, ...] = ()


def advise(seen: Seen, sysctls: Sysctls) -> list[Advice]:
    """What to change for this listener, most urgent first; empty where all is well."""
    queue = seen.queue
    found: list[Advice] = []
    if queue.is_full:
        found.append(_stalled(seen))
    nearly = queue.depth > NEARLY_FULL * queue.limit
    if seen.drops or nearly or queue.limit < POOR_LIMIT:
        found.append(_larger_limit(seen, sysctls))
    somaxconn = sysctls.somaxconn
    if somaxconn is not None and asked(queue.limit, somaxconn) is Asked.BEFORE:
        reason = f"somaxconn was lowered since listen(): after a restart the limit is {somaxconn}"
        found.append(Advice(reason, sysctl_commands("net.core.somaxconn", queue.limit)))
    return found + list(_settings(sysctls))


def sysctl_commands(name: str, value: int) -> tuple[str, str]:
    """How root sets ``name`` at once, and for every start of the system."""
    keep = f"echo '{name} = {value}' > /etc/sysctl.d/60-{name.rpartition('.')[2]}.conf"
    return f"sysctl -w {name}={value}", keep


def _stalled(seen: Seen) -> Advice:
    if seen.pid is None:
        return Advice("its program does not accept as fast as clients come")
    reason = (
        f"{seen.program} ({seen.pid}) does not accept as fast as clients come; look what it does"
    )
    return Advice(reason, (f"strace -f -p {seen.pid}",))


def setting(program: str | None, backlog: int) -> str:
    """How one tells a program which backlog to ask for; in general where it is not known."""
    return _SETTINGS.get((program or "").rstrip("0123456789."), _ANY_SETTING).format(backlog)


def _larger_limit(seen: Seen, sysctls: Sysctls) -> Advice:
    """Whoever set the limit has to set a larger one."""
    limit, somaxconn = seen.queue.limit, sysctls.somaxconn
    wanted = max(GOOD_LIMIT, 1 << (2 * limit - 1).bit_length())
    if somaxconn is None or asked(limit, somaxconn) is Asked.EXACTLY:
        reason = f"the program asked listen() for {limit}; let it ask for more, and restart it"
        if somaxconn is not None and somaxconn >= GOOD_LIMIT:
            return Advice(reason, (setting(seen.program, min(wanted, somaxconn)),))
    else:
        reason = f"somaxconn cut the limit at {limit}; raise it, and restart the program"
    raised = sysctl_commands("net.core.somaxconn", wanted)
    return Advice(reason, (*raised, setting(seen.program, wanted)))


def _settings(sysctls: Sysctls) -> Iterator[Advice]:
    """Settings of the namespace that make a full queue worse than it is."""
    if sysctls.tcp_abort_on_overflow:
        reason = (
            "a client whose last ACK finds the queue full is reset; a moment later there is room"
        )
        yield Advice(reason, sysctl_commands("net.ipv4.tcp_abort_on_overflow", 0))
    if sysctls.tcp_syncookies == 0:
        reason = "a full SYN queue drops every new client; cookies would let them in"
        yield Advice(reason, sysctl_commands("net.ipv4.tcp_syncookies", 1))
    if sysctls.tcp_syncookies == 2:
        reason = "every handshake is by cookie, and none is repeated when its last packet is lost"
        yield Advice(reason, sysctl_commands("net.ipv4.tcp_syncookies", 1))
