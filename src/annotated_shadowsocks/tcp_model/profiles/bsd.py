"""The BSDs: one queue with a fudge factor, and what grew out of it.

4.2BSD counts half-open and complete connections together against 3/2 of the backlog; nobody has
ever said why 3/2. Apple kept the single count and dropped the factor. The others put a cache of
small half-open entries in front of it, counted for the whole host: since then a SYN costs so
little that a listener's queue is no reason to refuse it, and the question is asked at the final
ACK, where the only honest answer is an RST.
"""

from dataclasses import replace

from ..ceiling import Counted, Fixed, Proportion
from ..instant import SECOND
from ..profile import (
    AckGate,
    Below,
    Citation,
    Clamp,
    Gate,
    Leftover,
    OnAckFull,
    Profile,
    Schedule,
    Standing,
    Verdict,
)
from ..states import State
from ..sysctl import Sysctl

__all__ = ["BSD", "BSD42", "BSD44", "FREEBSD", "NETBSD", "OPENBSD", "XNU"]

_ALL_CONNECTED = "half-open and complete connections together fill the queue"
_ACCEPT_QUEUE = "the queue of complete connections is full"
_CACHE_FULL = "the host's cache of half-open connections is full"


def _intervals(*intervals: int) -> tuple[int, ...]:
    return tuple(interval * SECOND for interval in intervals)


BSD44 = Profile(
    name="bsd44",
    title="4.4BSD",
    clamp=Clamp(
        Citation("4.4BSD-Lite2 sys/kern/uipc_socket.c solisten; sys/socket.h SOMAXCONN 5"),
        below=Below.LEAST,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.BOTH, times=3, over=2),
            Verdict.DROP,
            _ALL_CONNECTED,
            Citation("4.4BSD-Lite2 sys/kern/uipc_socket2.c sonewconn1, netinet/tcp_input.c"),
        ),
    ),
    # soisconnected() moves a socket from so_q0 to so_q and asks nothing: it was counted before.
    ack_gate=None,
    schedule=Schedule(
        _intervals(6, 24, 48),
        Citation("4.4BSD-Lite2 netinet/tcp_timer.h TCPTV_SRTTDFLT, TCPTV_KEEP_INIT"),
        retries=12,
        lifetime=75 * SECOND,
        # tcp_drop() of a state that has received a SYN calls tcp_output() in CLOSED: RST and ACK.
        reset_at_expiry=True,
    ),
    leftover=Leftover.RESET,
    defaults=Sysctl(somaxconn=5),
)

BSD42 = replace(
    BSD44,
    name="bsd42",
    title="4.2BSD and 4.3BSD",
    clamp=replace(BSD44.clamp, source=Citation("4.2BSD sys/uipc_socket.c solisten, SOMAXCONN 5")),
    syn_gates=(
        replace(BSD44.syn_gates[0], source=Citation("4.2BSD sys/uipc_socket2.c sonewconn")),
    ),
    remark="for a listener, the same as 4.4BSD",
)

XNU = Profile(
    name="xnu",
    title="macOS (xnu 11417)",
    clamp=Clamp(
        Citation("xnu bsd/kern/uipc_socket.c solisten; kern.ipc.somaxconn 128"),
        least=1,
        below=Below.GREATEST,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.BOTH, at_least=True),
            Verdict.EVICT,
            _ALL_CONNECTED,
            Citation("xnu uipc_socket2.c sonewconn_internal, tcp_input.c tcp_dropdropablreq"),
            counters=("tcps_listendrop",),
        ),
    ),
    ack_gate=None,
    schedule=Schedule(
        _intervals(1, 2, 4, 8, 16, 32, 64),
        Citation("xnu bsd/netinet/tcp_timer.c tcp_backoff, TCPTV_KEEP_INIT", Standing.REMEMBERED),
        retries=12,
        lifetime=75 * SECOND,
        reset_at_expiry=True,
    ),
    leftover=Leftover.RESET,
    defaults=Sysctl(somaxconn=128),
    remark="with soqlimitcompat=1, the default; an old half-open connection makes room",
)

NETBSD = Profile(
    name="netbsd",
    title="NetBSD",
    clamp=Clamp(Citation("NetBSD sys/kern/uipc_socket.c solisten; SOMAXCONN 128")),
    syn_gates=(
        Gate(
            Proportion(Counted.ACCEPT_QUEUE),
            Verdict.DROP,
            _ACCEPT_QUEUE,
            Citation("NetBSD sys/netinet/tcp_input.c: so_qlen <= so_qlimit && syn_cache_add"),
        ),
        Gate(
            Fixed(Counted.SYN_CACHE, 293 * 35),
            Verdict.EVICT,
            _CACHE_FULL,
            Citation("NetBSD sys/netinet/tcp_syncache.c tcp_syn_cache_limit"),
            counters=("tcps_sc_overflowed",),
        ),
    ),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE, times=3, over=2),
        OnAckFull.RESET,
        _ACCEPT_QUEUE,
        Citation("NetBSD sys/netinet/tcp_syncache.c syn_cache_get resetandabort, sonewconn"),
        counters=("tcps_sc_aborted",),
    ),
    schedule=Schedule(
        _intervals(3, 6, 12, 24, 48),
        Citation("NetBSD sys/netinet/tcp_syncache.c syn_cache_timer, syn_cache_timer_arm"),
        # The sum of the intervals is compared with 75 s only when a timer fires, at 93 s.
        retries=4,
    ),
    half_open=State.SYN_RECEIVED,
    leftover=Leftover.FORGOTTEN,
    defaults=Sysctl(somaxconn=128),
    remark="the half-open cache has no place in the count of sonewconn",
)

OPENBSD = replace(
    NETBSD,
    name="openbsd",
    title="OpenBSD",
    clamp=Clamp(
        Citation("OpenBSD sys/kern/uipc_socket.c solisten; kern.sominconn 80, kern.somaxconn 128"),
        below=Below.GREATEST,
        raised_to=80,
    ),
    syn_gates=(
        replace(
            NETBSD.syn_gates[0],
            source=Citation("OpenBSD sys/netinet/tcp_input.c: so_qlen > so_qlimit"),
            counters=("tcps_dropsyn",),
        ),
        replace(
            NETBSD.syn_gates[1],
            source=Citation("OpenBSD sys/netinet/tcp_input.c tcp_syn_cache_limit"),
        ),
    ),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE, times=3),
        OnAckFull.RESET,
        _ACCEPT_QUEUE,
        Citation("OpenBSD sys/kern/uipc_socket2.c sonewconn: so_qlimit * 3; syn_cache_get"),
        counters=("tcps_sc_aborted",),
    ),
    schedule=replace(
        NETBSD.schedule, source=Citation("OpenBSD sys/netinet/tcp_input.c syn_cache_timer")
    ),
    remark="no listener gets less than 80",
)

FREEBSD = Profile(
    name="freebsd-12",
    title="FreeBSD 12 and later",
    clamp=Clamp(
        Citation("FreeBSD sys/kern/uipc_socket.c solisten_proto; kern.ipc.soacceptqueue 128"),
        below=Below.GREATEST,
    ),
    syn_gates=(
        Gate(
            Fixed(Counted.SYN_CACHE, 512 * 30),
            Verdict.EVICT,
            _CACHE_FULL,
            Citation("FreeBSD sys/netinet/tcp_syncache.c syncache_add, TCP_SYNCACHE_BUCKETLIMIT"),
            counters=("tcps_sc_bucketoverflow",),
        ),
    ),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE, times=3, over=2),
        OnAckFull.RESET,
        _ACCEPT_QUEUE,
        Citation("FreeBSD sys/kern/uipc_socket.c solisten_clone, tcp_input.c rst_on_sock_fail"),
        counters=("tcps_listendrop", "tcps_sc_aborted"),
    ),
    schedule=Schedule(
        _intervals(1, 2, 4, 8),
        Citation("FreeBSD sys/netinet/tcp_syncache.c syncache_timer; syncache.rexmtlimit 3"),
        retries=3,
    ),
    knobs=frozenset({"somaxconn", "rst_on_sock_fail"}),
    defaults=Sysctl(somaxconn=128),
    remark="every SYN is answered; net.inet.tcp.syncache.rst_on_sock_fail=0 makes refusal silent",
)

BSD = (BSD42, BSD44, XNU, NETBSD, OPENBSD, FREEBSD)
