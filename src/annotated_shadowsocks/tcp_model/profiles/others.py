"""Solaris and its heirs, Windows, and two stacks that run in user space.

They show what else can be done about a full queue: tell the truth to the SYN (Windows), keep a
finished handshake among the unfinished ones (illumos), or count everything in one byte (lwIP).
"""

from ..ceiling import Counted, Proportion
from ..counters import SYNCOOKIES_FAILED, SYNCOOKIES_RECV, SYNCOOKIES_SENT
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
from ..sysctl import Sysctl

__all__ = ["GVISOR", "ILLUMOS", "LWIP", "OTHERS", "WINDOWS"]


def _intervals(*intervals: int) -> tuple[int, ...]:
    return tuple(interval * SECOND for interval in intervals)


ILLUMOS = Profile(
    name="illumos",
    title="illumos and Solaris 10",
    clamp=Clamp(
        Citation("illumos tcp_conn_req_min 1, tcp_conn_req_max_q 128", Standing.REMEMBERED),
        least=1,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.ACCEPT_QUEUE, at_least=True),
            Verdict.DROP,
            "the queue of complete connections is full",
            Citation("illumos inet/tcp/tcp_input.c tcp_input_listener: tcp_conn_req_cnt_q"),
            counters=("tcpListenDrop",),
        ),
        Gate(
            Proportion(Counted.SYN_QUEUE, plus=1024, at_least=True),
            Verdict.EVICT,
            "the queue of half-open connections is full",
            Citation("illumos inet/tcp/tcp_input.c tcp_drop_q0; tcp_conn_req_max_q0 1024"),
            counters=("tcpHalfOpenDrop",),
        ),
    ),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE, at_least=True),
        OnAckFull.DEFER,
        "the queue of complete connections is full",
        Citation("illumos inet/tcp/tcp_input.c, tcp_tpi.c: tcp_conn_def_q0"),
    ),
    schedule=Schedule(
        _intervals(1, 2, 4, 8, 16, 32, 60),
        Citation(
            "illumos tcp_rexmit_interval_initial, tcp_ip_abort_linterval", Standing.REMEMBERED
        ),
        retries=12,
        lifetime=180 * SECOND,
    ),
    leftover=Leftover.RESET,
    defaults=Sysctl(somaxconn=128),
)

WINDOWS = Profile(
    name="windows",
    title="Windows Server (NT 4.0)",
    clamp=Clamp(
        Citation(
            "Microsoft KB127144: at most 5 on Workstation, 200 on Server", Standing.DOCUMENTED
        ),
        greatest=200,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.BOTH),
            Verdict.RESET,
            "the backlog is full",
            Citation("Microsoft KB113576: a full backlog answers RST", Standing.DOCUMENTED),
        ),
    ),
    ack_gate=None,
    schedule=Schedule(
        _intervals(3, 6, 12),
        Citation("Microsoft: TcpMaxConnectResponseRetransmissions 2", Standing.DOCUMENTED),
        retries=2,
    ),
    leftover=Leftover.RESET,
    remark="its own clients take the RST for a reason to try again; others report a refusal",
)

LWIP = Profile(
    name="lwip",
    title="lwIP with TCP_LISTEN_BACKLOG",
    clamp=Clamp(
        Citation("lwip src/api/sockets.c lwip_listen, src/include/lwip/tcp.h tcp_backlog_set"),
        least=1,
        greatest=255,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.BOTH, at_least=True),
            Verdict.DROP,
            "as many connections as the backlog wait for accept, finished or not",
            Citation("lwip src/core/tcp_in.c tcp_listen_input: accepts_pending"),
        ),
    ),
    ack_gate=None,
    schedule=Schedule(
        _intervals(3, 6, 12),
        Citation("lwip src/core/tcp.c tcp_slowtmr, TCP_SYN_RCVD_TIMEOUT 20 s"),
        retries=6,
        lifetime=20 * SECOND,
    ),
    leftover=Leftover.RESET,
    remark="the option is off by default, and then nothing limits it",
)

GVISOR = Profile(
    name="gvisor",
    title="gVisor netstack",
    clamp=Clamp(
        Citation("gvisor pkg/sentry/syscalls/linux/sys_socket.go Listen: maxListenBacklog 1024"),
        below=Below.GREATEST,
        greatest=1024,
    ),
    syn_gates=(
        Gate(
            Proportion(Counted.ACCEPT_QUEUE),
            Verdict.DROP,
            "the accept queue is full",
            Citation("gvisor pkg/tcpip/transport/tcp/accept.go handleListenSegment"),
            counters=("ListenOverflowSynDrop",),
        ),
        Gate(
            Proportion(Counted.SYN_QUEUE, at_least=True),
            Verdict.COOKIE,
            "as many handshakes as the backlog are under way",
            Citation("gvisor pkg/tcpip/transport/tcp/accept.go: pendingEndpoints"),
        ),
    ),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE),
        OnAckFull.KEEP,
        "the accept queue is full",
        Citation("gvisor pkg/tcpip/transport/tcp/connect.go synRcvdState"),
        counters=("ListenOverflowAckDrop",),
    ),
    schedule=Schedule(
        _intervals(1, 2, 4, 8, 16, 32, 64),
        Citation("gvisor pkg/tcpip/transport/tcp/connect.go InitialRTO, MaxRTO, backoffTimer"),
        retries=6,
    ),
    leftover=Leftover.RESET,
    counter_names={
        SYNCOOKIES_SENT: "ListenOverflowSynCookieSent",
        SYNCOOKIES_RECV: "ListenOverflowSynCookieRcvd",
        SYNCOOKIES_FAILED: "ListenOverflowInvalidSynCookieRcvd",
    },
)

OTHERS = (ILLUMOS, WINDOWS, LWIP, GVISOR)
