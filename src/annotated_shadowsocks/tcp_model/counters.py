"""What a kernel counts, under its own names.

Linux keeps these per network namespace, summed over all listeners (``nstat``,
``/proc/net/netstat``, ``/proc/net/snmp``); only ``sk_drops`` belongs to one listener (``ss -ltnm``,
the ``d`` field). Other systems count under other names, which their profiles give; this table is
Linux's. [linux snmp4_net_list]

Two things have no counter anywhere: a request that expired, and a SYN turned away because the last
quarter of ``tcp_max_syn_backlog`` is kept for known peers.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "ACTIVE_OPENS",
    "ATTEMPT_FAILS",
    "EMBRYONIC_RSTS",
    "ESTAB_RESETS",
    "LISTEN_DROPS",
    "LISTEN_OVERFLOWS",
    "MEANINGS",
    "OUT_OF_WINDOW_ICMPS",
    "OUT_RSTS",
    "PASSIVE_OPENS",
    "PAWS_ESTAB",
    "PAWS_TIMEWAIT",
    "RETRANS_SEGS",
    "SK_DROPS",
    "SYNCOOKIES_FAILED",
    "SYNCOOKIES_RECV",
    "SYNCOOKIES_SENT",
    "TCP_ABORT_ON_CLOSE",
    "TCP_ABORT_ON_DATA",
    "TCP_ABORT_ON_TIMEOUT",
    "TCP_ACK_SKIPPED_CHALLENGE",
    "TCP_ACK_SKIPPED_PAWS",
    "TCP_ACK_SKIPPED_SEQ",
    "TCP_ACK_SKIPPED_SYN_RECV",
    "TCP_ACK_SKIPPED_TIME_WAIT",
    "TCP_CHALLENGE_ACK",
    "TCP_DEFER_ACCEPT_DROP",
    "TCP_FAST_OPEN_COOKIE_REQD",
    "TCP_FAST_OPEN_LISTEN_OVERFLOW",
    "TCP_FAST_OPEN_PASSIVE",
    "TCP_FAST_OPEN_PASSIVE_FAIL",
    "TCP_LOSS_PROBES",
    "TCP_MIGRATE_REQ_FAILURE",
    "TCP_MIGRATE_REQ_SUCCESS",
    "TCP_REQ_Q_FULL_DO_COOKIES",
    "TCP_REQ_Q_FULL_DROP",
    "TCP_SYN_CHALLENGE",
    "TCP_SYN_RETRANS",
    "TCP_TIMEOUTS",
    "TSECR_REJECTED",
    "Counters",
]

LISTEN_OVERFLOWS: Final = "ListenOverflows"
LISTEN_DROPS: Final = "ListenDrops"
TCP_REQ_Q_FULL_DROP: Final = "TCPReqQFullDrop"
TCP_REQ_Q_FULL_DO_COOKIES: Final = "TCPReqQFullDoCookies"
SYNCOOKIES_SENT: Final = "SyncookiesSent"
SYNCOOKIES_RECV: Final = "SyncookiesRecv"
SYNCOOKIES_FAILED: Final = "SyncookiesFailed"
TCP_TIMEOUTS: Final = "TCPTimeouts"
TCP_SYN_RETRANS: Final = "TCPSynRetrans"
EMBRYONIC_RSTS: Final = "EmbryonicRsts"
TCP_DEFER_ACCEPT_DROP: Final = "TCPDeferAcceptDrop"
TCP_ACK_SKIPPED_SYN_RECV: Final = "TCPACKSkippedSynRecv"
TCP_ACK_SKIPPED_SEQ: Final = "TCPACKSkippedSeq"
TCP_ACK_SKIPPED_TIME_WAIT: Final = "TCPACKSkippedTimeWait"
TCP_ACK_SKIPPED_CHALLENGE: Final = "TCPACKSkippedChallenge"
TCP_ACK_SKIPPED_PAWS: Final = "TCPACKSkippedPAWS"
PAWS_ESTAB: Final = "PAWSEstab"
PAWS_TIMEWAIT: Final = "PAWSTimewait"
OUT_OF_WINDOW_ICMPS: Final = "OutOfWindowIcmps"
TSECR_REJECTED: Final = "TSEcrRejected"
TCP_MIGRATE_REQ_SUCCESS: Final = "TCPMigrateReqSuccess"
TCP_MIGRATE_REQ_FAILURE: Final = "TCPMigrateReqFailure"
TCP_FAST_OPEN_PASSIVE: Final = "TCPFastOpenPassive"
TCP_FAST_OPEN_PASSIVE_FAIL: Final = "TCPFastOpenPassiveFail"
TCP_FAST_OPEN_LISTEN_OVERFLOW: Final = "TCPFastOpenListenOverflow"
TCP_FAST_OPEN_COOKIE_REQD: Final = "TCPFastOpenCookieReqd"
TCP_SYN_CHALLENGE: Final = "TCPSYNChallenge"
TCP_CHALLENGE_ACK: Final = "TCPChallengeACK"
TCP_LOSS_PROBES: Final = "TCPLossProbes"
TCP_ABORT_ON_TIMEOUT: Final = "TCPAbortOnTimeout"
TCP_ABORT_ON_CLOSE: Final = "TCPAbortOnClose"
TCP_ABORT_ON_DATA: Final = "TCPAbortOnData"
ACTIVE_OPENS: Final = "ActiveOpens"
PASSIVE_OPENS: Final = "PassiveOpens"
ATTEMPT_FAILS: Final = "AttemptFails"
ESTAB_RESETS: Final = "EstabResets"
RETRANS_SEGS: Final = "RetransSegs"
OUT_RSTS: Final = "OutRsts"
#: Not of the namespace: of one listener.
SK_DROPS: Final = "sk_drops"

#: Exactly when each goes up.
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        LISTEN_OVERFLOWS: "a SYN, a final ACK or a cookie's ACK met a full accept queue",
        LISTEN_DROPS: "the same, and every SYN dropped for another reason",
        TCP_REQ_Q_FULL_DROP: "SYN dropped at a full SYN queue, syncookies off",
        TCP_REQ_Q_FULL_DO_COOKIES: "SYN at a full SYN queue with syncookies on; mode 2: every SYN",
        SYNCOOKIES_SENT: "SYN/ACK with a cookie sent",
        SYNCOOKIES_RECV: "valid cookie came back, whether or not there was room for it",
        SYNCOOKIES_FAILED: "bad cookie within two minutes of a good one being sent",
        TCP_TIMEOUTS: "a retransmission timer fired, here or at a client, the last one included",
        TCP_SYN_RETRANS: "SYN or SYN/ACK sent again",
        EMBRYONIC_RSTS: "request removed by an RST, a bad SYN, or tcp_abort_on_overflow",
        TCP_DEFER_ACCEPT_DROP: "bare final ACK dropped, TCP_DEFER_ACCEPT waits for data",
        TCP_ACK_SKIPPED_SYN_RECV: "answer to a half-open peer left out, rate limit",
        TCP_ACK_SKIPPED_SEQ: "duplicate ACK left out, rate limit",
        TCP_ACK_SKIPPED_TIME_WAIT: "answer in TIME_WAIT left out, rate limit",
        TCP_ACK_SKIPPED_CHALLENGE: "challenge ACK left out, rate limit",
        TCP_ACK_SKIPPED_PAWS: "answer to an old segment left out, rate limit",
        PAWS_ESTAB: "segment older than the peer's last timestamp",
        PAWS_TIMEWAIT: "the same in TIME_WAIT",
        OUT_OF_WINDOW_ICMPS: "ICMP error about a number that was not sent",
        TSECR_REJECTED: "final ACK echoes a time at which no SYN/ACK was sent",
        TCP_MIGRATE_REQ_SUCCESS: "request or connection moved to another listener",
        TCP_MIGRATE_REQ_FAILURE: "could not be moved",
        TCP_FAST_OPEN_PASSIVE: "connection made at the SYN",
        TCP_FAST_OPEN_PASSIVE_FAIL: "Fast Open cookie is wrong",
        TCP_FAST_OPEN_LISTEN_OVERFLOW: "Fast Open's own queue was full",
        TCP_FAST_OPEN_COOKIE_REQD: "client asked for a Fast Open cookie",
        TCP_SYN_CHALLENGE: "SYN or SYN/ACK for a connection",
        TCP_CHALLENGE_ACK: "challenge ACK sent",
        TCP_LOSS_PROBES: "tail loss probe sent",
        TCP_ABORT_ON_TIMEOUT: "connection given up, no answer",
        TCP_ABORT_ON_CLOSE: "closed with data unread, RST sent",
        TCP_ABORT_ON_DATA: "data for somebody who has closed",
        ACTIVE_OPENS: "connect()",
        PASSIVE_OPENS: "handshake completed here, not when the SYN came",
        ATTEMPT_FAILS: "connection attempt ended, here or there; not by expiry",
        ESTAB_RESETS: "ESTABLISHED or CLOSE_WAIT to CLOSED",
        RETRANS_SEGS: "any segment sent again",
        OUT_RSTS: "RST sent",
        SK_DROPS: "segment swallowed by this listener or its requests; 2 for a refused final ACK",
    }
)


class Counters:
    """Numbers that only go up, by name; one that was never counted is 0."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        """How often ``name`` was counted."""
        return self._values.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        """The names that were counted, in alphabetical order."""
        return iter(sorted(self._values))

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        self._values[name] = self._values.get(name, 0) + amount

    def snapshot(self) -> dict[str, int]:
        """A copy of all that are not zero."""
        return dict(self._values)

    def since(self, before: Mapping[str, int]) -> dict[str, int]:
        """What was counted after ``before`` was taken, as ``nstat`` shows it."""
        now = self._values.items()
        return {name: n - before.get(name, 0) for name, n in now if n != before.get(name, 0)}
