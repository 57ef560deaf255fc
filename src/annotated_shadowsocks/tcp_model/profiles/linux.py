"""Linux, by the versions at which a listener's behaviour changed.

The gates stand in the order of ``tcp_conn_request``. What moved in twenty years: which requests
the SYN queue's limit counts, ``>=`` and ``>`` in it, and whether a full accept queue stops a SYN
that comes alone. The accept queue itself has held ``limit + 1`` all the time.
"""

from dataclasses import replace

from ..ceiling import Counted, Crowd, LastQuarter, Proportion, SynTable
from ..counters import LISTEN_DROPS, LISTEN_OVERFLOWS, TCP_REQ_Q_FULL_DROP
from ..instant import SECOND
from ..profile import (
    AckGate,
    Below,
    Citation,
    Clamp,
    Condition,
    Exempt,
    Feature,
    Gate,
    OnAckFull,
    Profile,
    Schedule,
    Standing,
    Verdict,
)
from ..states import State
from ..sysctl import Sysctl

__all__ = [
    "LINUX",
    "LINUX_4_3",
    "LINUX_4_4",
    "LINUX_4_10",
    "LINUX_6_13",
    "LINUX_6_18",
    "LINUX_6_19",
]


def _seen(where: str) -> Citation:
    return Citation(where, Standing.OBSERVED)


_SYN_QUEUE = Gate(
    Proportion(Counted.SYN_QUEUE),
    Verdict.COOKIE,
    "the SYN queue is full",
    _seen("include/net/inet_connection_sock.h inet_csk_reqsk_queue_is_full"),
    counters=(TCP_REQ_Q_FULL_DROP,),
    # [linux tcp_conn_request] a TIME_WAIT bucket becomes a request without limit: it costs less
    # than it frees, and the peer is evidently real
    exempt=frozenset({Exempt.REUSED}),
)
_ACCEPT_QUEUE = Gate(
    Proportion(Counted.ACCEPT_QUEUE),
    Verdict.DROP,
    "the accept queue is full",
    _seen("net/ipv4/tcp_input.c tcp_conn_request, since 5ea8ea2cb7f1 (4.10)"),
    counters=(LISTEN_OVERFLOWS,),
)
_LAST_QUARTER = Gate(
    LastQuarter(),
    Verdict.DROP,
    "the last quarter of tcp_max_syn_backlog is kept for peers known to be real",
    _seen("net/ipv4/tcp_input.c tcp_conn_request"),
    condition=Condition.WITHOUT_SYNCOOKIES,
    exempt=frozenset({Exempt.REUSED, Exempt.PROVEN}),
)

LINUX_6_18 = Profile(
    name="linux-6.18",
    title="Linux 6.18",
    clamp=Clamp(
        _seen("net/socket.c __sys_listen_socket: an unsigned comparison with somaxconn"),
        below=Below.GREATEST,
    ),
    syn_gates=(_SYN_QUEUE, _ACCEPT_QUEUE, _LAST_QUARTER),
    ack_gate=AckGate(
        Proportion(Counted.ACCEPT_QUEUE),
        OnAckFull.KEEP,
        "the accept queue is full",
        _seen("net/ipv4/tcp_ipv4.c tcp_v4_syn_recv_sock, tcp_minisocks.c tcp_check_req"),
        counters=(LISTEN_OVERFLOWS,),
    ),
    schedule=Schedule(
        tuple(n * SECOND for n in (1, 2, 4, 8, 16, 32, 64, 120)),
        _seen("net/ipv4/inet_connection_sock.c reqsk_timer_handler, include/net/tcp.h TCP_RTO_MAX"),
    ),
    half_open=State.TCP_NEW_SYN_RECV,
    # Seen on 6.18.44, together with a second novelty: the RST's own ACK number says nothing. In
    # 6.18.19 tcp_check_req still took any RST in the window whose ACK was right.
    strict_rst=True,
    aging=Crowd(),
    drop_counters=(LISTEN_DROPS,),
    counter_names=None,
    features=frozenset(Feature),
    knobs=frozenset(
        {
            "somaxconn",
            "tcp_max_syn_backlog",
            "tcp_syncookies",
            "tcp_synack_retries",
            "tcp_abort_on_overflow",
            "tcp_migrate_req",
            "tcp_fastopen",
            "tcp_invalid_ratelimit",
            "tcp_timestamps",
            "tcp_syn_retries",
            "tcp_syn_linear_timeouts",
            "tcp_retries2",
            "tcp_orphan_retries",
            "tcp_early_retrans",
            "tcp_fin_timeout",
            "tcp_rto_max_ms",
        }
    ),
    remark="the reference: measured on 6.18.44",
)

LINUX_6_19 = replace(
    LINUX_6_18,
    name="linux-6.19",
    title="Linux 6.19",
    schedule=replace(
        LINUX_6_18.schedule, capped=True, source=Citation("1e9d3005e02c: tcp_reqsk_timeout")
    ),
    remark="tcp_rto_max_ms shortens the intervals between SYN/ACKs too",
)

LINUX_6_13 = replace(
    LINUX_6_18,
    name="linux-6.13",
    title="Linux 6.13 and 6.14",
    knobs=LINUX_6_18.knobs - {"tcp_rto_max_ms"},
    strict_rst=False,
    remark="the SYN queue holds limit + 1 again, so listen(0) works without syncookies",
)

LINUX_4_10 = replace(
    LINUX_6_13,
    name="linux-4.10",
    title="Linux 4.10 to 6.12",
    syn_gates=(
        replace(
            _SYN_QUEUE,
            ceiling=Proportion(Counted.SYN_QUEUE, at_least=True),
            source=Citation("ef547f2ac16b (4.4) to its fix of January 2025, in 5.4 to 6.12 too"),
        ),
        _ACCEPT_QUEUE,
        _LAST_QUARTER,
    ),
    # 5.4 made somaxconn 4096, 5.14 brought tcp_migrate_req, 6.5 the linear timeouts.
    remark="as far as the stable series have not taken the fix of the SYN queue",
)

_LONE_SYN = replace(
    _ACCEPT_QUEUE,
    condition=Condition.SEVERAL_YOUNG,
    source=Citation("net/ipv4/tcp_input.c tcp_conn_request before 5ea8ea2cb7f1"),
)
_OLD_DEFAULTS = Sysctl(somaxconn=128, tcp_syn_linear_timeouts=0)

LINUX_4_4 = replace(
    LINUX_4_10,
    name="linux-4.4",
    title="Linux 4.4 to 4.9",
    syn_gates=(LINUX_4_10.syn_gates[0], _LONE_SYN, _LAST_QUARTER),
    knobs=LINUX_4_10.knobs - {"tcp_migrate_req", "tcp_syn_linear_timeouts"},
    defaults=_OLD_DEFAULTS,
    remark="a SYN that comes alone is answered although the accept queue is full",
)

LINUX_4_3 = replace(
    LINUX_4_4,
    name="linux-4.3",
    title="Linux up to 4.3",
    syn_gates=(
        replace(
            _SYN_QUEUE,
            ceiling=SynTable(),
            source=Citation("net/core/request_sock.c reqsk_queue_alloc (3.13)"),
        ),
        _LONE_SYN,
        _LAST_QUARTER,
    ),
    aging=SynTable(part=2),
    remark="the SYN queue is a table, its size a power of two fixed by the first listen()",
)

#: Newest first.
LINUX = (LINUX_6_19, LINUX_6_18, LINUX_6_13, LINUX_4_10, LINUX_4_4, LINUX_4_3)
