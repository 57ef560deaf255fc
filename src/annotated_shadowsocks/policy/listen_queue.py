"""What a Linux listener does with the next SYN and the next ACK, judged from numbers alone.

A listener has two queues. A SYN makes a half-open request, which waits in the *SYN queue* for the
ACK of its SYN/ACK; the ACK makes a connection, which waits in the *accept queue* for ``accept()``.
Both are bounded by the same ``limit``: what listen() was asked for, or ``somaxconn`` if that was
less. Both tests are "greater than", so that each queue holds ``limit + 1``.

A full accept queue refuses in two places, and they feel different. A SYN is dropped: the client's
connect() waits and tries again. An ACK is ignored: the client's connect() has returned, it believes
to be connected, and learns better when its data goes unanswered.

The rules are those of Linux 4.10 and later. A kernel from 4.4 on without a correction of January
2025 calls the SYN queue full one request earlier.
"""

from enum import Enum
from typing import NamedTuple

__all__ = [
    "Asked",
    "Fate",
    "ListenQueue",
    "Schedule",
    "Sysctls",
    "Verdict",
    "asked",
    "next_ack",
    "next_syn",
    "syn_queue_capacity",
    "syn_schedule",
    "synack_schedule",
]

#: Seconds: the longest that TCP waits before it sends again, TCP_RTO_MAX.
_RTO_MAX = 120


class Sysctls(NamedTuple):
    """The settings that bound queues and retries, None where unknown; each named as the kernel's.

    Those of clients (``tcp_syn_…``) are this host's, and a client's own may differ.
    """

    somaxconn: int | None = None
    tcp_max_syn_backlog: int | None = None
    tcp_syncookies: int | None = None
    tcp_abort_on_overflow: int | None = None
    tcp_synack_retries: int | None = None
    tcp_migrate_req: int | None = None
    tcp_fastopen: int | None = None
    tcp_syn_retries: int | None = None
    tcp_syn_linear_timeouts: int | None = None


class ListenQueue(NamedTuple):
    """Both queues of one listener at one moment; ``half_open`` is None where it is unknown."""

    depth: int
    limit: int
    half_open: int | None = None

    @property
    def capacity(self) -> int:
        """How many connections the accept queue holds in fact."""
        return self.limit + 1

    @property
    def is_full(self) -> bool:
        """Whether the accept queue takes no more."""
        # [linux sk_acceptq_is_full] strictly greater: listen(n) admits n + 1
        return self.depth > self.limit


class Asked(Enum):
    """What ``limit`` and ``somaxconn`` tell of the argument of listen()."""

    EXACTLY = "exactly"  #: the limit, for it is below somaxconn
    AT_LEAST = "at least"  #: the limit or more, or a negative number: somaxconn cut it
    BEFORE = "before"  #: unknown: listen() was called while somaxconn was larger
    UNKNOWN = "unknown"


class Verdict(Enum):
    """What becomes of a segment."""

    ANSWERED = "answered"
    COOKIE = "cookie"
    DROPPED = "dropped"
    QUEUED = "queued"
    IGNORED = "ignored"
    RESET = "reset"


class Fate(NamedTuple):
    """What becomes of a segment, why, and which counters of the namespace say so."""

    verdict: Verdict
    reason: str
    counters: tuple[str, ...] = ()


class Schedule(NamedTuple):
    """When a segment is sent, in seconds from its first time, and when its sender gives up."""

    sent: tuple[int, ...]
    until: int


def asked(limit: int, somaxconn: int | None) -> Asked:
    """How ``limit`` relates to what the program asked of listen()."""
    if somaxconn is None:
        return Asked.UNKNOWN
    # [linux __sys_listen_socket] compares as unsigned: a negative backlog is a very large one
    if limit < somaxconn:
        return Asked.EXACTLY
    return Asked.AT_LEAST if limit == somaxconn else Asked.BEFORE


def next_syn(queue: ListenQueue, sysctls: Sysctls) -> Fate:
    """What the next client's SYN meets; an unknown SYN queue is taken for an empty one.

    The order of the tests is the kernel's. [linux tcp_conn_request]
    """
    half_open = queue.half_open or 0
    # Without CONFIG_SYN_COOKIES there is no such setting, and a full SYN queue drops.
    cookies = sysctls.tcp_syncookies or 0
    counters: tuple[str, ...] = ()
    # [linux inet_csk_reqsk_queue_is_full] greater, here too
    if cookies == 2 or half_open > queue.limit:
        if not cookies:
            reason = f"the SYN queue is full ({half_open} > {queue.limit}) and tcp_syncookies is 0"
            return Fate(Verdict.DROPPED, reason, ("TCPReqQFullDrop", "ListenDrops"))
        counters = ("TCPReqQFullDoCookies",)
    if queue.is_full:
        reason = f"the accept queue is full ({queue.depth} > {queue.limit})"
        return Fate(Verdict.DROPPED, reason, (*counters, "ListenOverflows", "ListenDrops"))
    if counters:
        full = f"the SYN queue is full ({half_open} > {queue.limit})"
        reason = "tcp_syncookies is 2" if cookies == 2 else full
        return Fate(Verdict.COOKIE, reason, (*counters, "SyncookiesSent"))
    most = sysctls.tcp_max_syn_backlog
    if not cookies and most is not None and most - half_open < most >> 2:
        reason = "the last quarter of tcp_max_syn_backlog is kept for peers known from before"
        return Fate(Verdict.DROPPED, reason, ("ListenDrops",))
    return Fate(Verdict.ANSWERED, "both queues have room")


def next_ack(queue: ListenQueue, sysctls: Sysctls) -> Fate:
    """What the ACK that completes a handshake meets, or the data that stands in for it.

    The ACK of a SYN cookie is never reset: ``tcp_abort_on_overflow`` is not asked for it.
    """
    if not queue.is_full:
        return Fate(Verdict.QUEUED, "the accept queue has room", ("PassiveOpens",))
    reason = f"the accept queue is full ({queue.depth} > {queue.limit})"
    counters = ("ListenOverflows", "ListenDrops")
    # [linux tcp_check_req] the request is kept, and its SYN/ACK will be sent again, or it is not
    if sysctls.tcp_abort_on_overflow:
        return Fate(Verdict.RESET, reason, (*counters, "EmbryonicRsts", "OutRsts"))
    return Fate(Verdict.IGNORED, reason, counters)


def syn_queue_capacity(limit: int, sysctls: Sysctls) -> int:
    """How many half-open requests a listener holds, from peers not known from before.

    With syncookies, a SYN beyond them is answered with a cookie, and leaves nothing behind.
    """
    if sysctls.tcp_syncookies == 2:
        return 0
    most = sysctls.tcp_max_syn_backlog
    # [linux tcp_conn_request] tcp_max_syn_backlog is not consulted where cookies are on
    if sysctls.tcp_syncookies or most is None:
        return limit + 1
    return min(limit + 1, most - (most >> 2) + 1)


def synack_schedule(retries: int) -> Schedule:
    """When an unanswered SYN/ACK is sent again, and when the request is forgotten."""
    # [linux tcp_timeout_init] one second, doubled at every firing; the last one ends it
    sent, at = [0], 1
    for number in range(1, retries + 1):
        sent.append(at)
        at += min(1 << number, _RTO_MAX)
    return Schedule(tuple(sent), at)


def syn_schedule(retries: int, linear: int) -> Schedule:
    """When a client sends its SYN, and when its connect() fails with ETIMEDOUT.

    ``retries`` is tcp_syn_retries, ``linear`` tcp_syn_linear_timeouts: so many of the first
    timeouts do not double the next.
    """
    deadline = _deadline(retries)
    sent, at, interval = [0], 1, 1
    # [linux tcp_write_timeout] gives up by number or by time, whichever comes first
    while len(sent) - 1 < retries + linear and at < deadline:
        sent.append(at)
        if len(sent) - 1 > linear:
            interval = min(2 * interval, _RTO_MAX)
        at += interval
    return Schedule(tuple(sent), at)


def _deadline(retries: int) -> int:
    """Seconds that ``retries`` doublings of a second take, with no interval above the longest."""
    # [linux retransmits_timed_out] doubles up to 64 s, and from there on counts whole _RTO_MAX
    doublings = (_RTO_MAX).bit_length() - 1
    if retries <= doublings:
        return (2 << retries) - 1
    return (2 << doublings) - 1 + (retries - doublings) * _RTO_MAX
