"""Questions about TCP sockets and the answers, as ``ss`` asks them: the inet_diag messages.

::

    request   family  protocol  ext  pad | states | sockid                        56 octets
                1        1       1    1  |   4    |   48

    sockid    sport  dport | src | dst | if | cookie
                2      2   | 16  | 16  | 4  |   8

    answer    family  state  timer  retrans | sockid | expires  rqueue  wqueue  uid  inode
                1       1      1       1    |   48   |    4       4       4      4     4
              then attributes

Ports and addresses are in network order, all else in the host's. ``rqueue`` and ``wqueue`` are
octets, except of a listener: there they are the accept queue's depth and its limit, which is what
makes this the one place where a stranger's queue can be read.

Not every kernel sends every attribute, so each of them may be None here.

Sources: sock_diag(7); include/uapi/linux/inet_diag.h and tcp.h.
"""

import struct
import sys
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError, Truncated
from .netlink import attributes

__all__ = [
    "AF_INET",
    "AF_INET6",
    "IPPROTO_TCP",
    "SOCK_DIAG_BY_FAMILY",
    "TCP_ESTABLISHED",
    "TCP_LISTEN",
    "TCP_NEW_SYN_RECV",
    "TCP_SYN_RECV",
    "TCP_SYN_SENT",
    "DiagSocket",
    "Extension",
    "TcpInfo",
    "decode",
    "request",
]

#: nlmsg_type of a request and of its answers.
SOCK_DIAG_BY_FAMILY = 20

# The numbers of Linux, which are not those of other systems.
AF_INET = 2
AF_INET6 = 10
IPPROTO_TCP = 6

TCP_ESTABLISHED = 1
TCP_SYN_SENT = 2
#: RFC 9293's SYN-RECEIVED as a full socket, which Linux has for Fast Open and simultaneous open.
TCP_SYN_RECV = 3
TCP_LISTEN = 10
#: A half-open request, no socket yet; the answer calls it TCP_SYN_RECV.
TCP_NEW_SYN_RECV = 12


class Extension(IntEnum):
    """The attributes of an answer; the first eight can be asked for."""

    INFO = 2
    CONG = 4
    SKMEMINFO = 7
    SKV6ONLY = 11
    MARK = 15
    CGROUP_ID = 21


_REQUEST = struct.Struct("=BBBxI")
_REQUEST_SOCKID = struct.Struct(">H46x")
_HEAD = struct.Struct("=4B")
_ADDRESSES = struct.Struct(">HH16s16s")
_TAIL = struct.Struct("=IQ5I")
_SIZE = _HEAD.size + _ADDRESSES.size + _TAIL.size
_WORD = struct.Struct("=I")

# [linux sock_diag_put_meminfo] nine words, of which sk_drops is the last and the youngest
_DROPS_OFFSET = 8 * 4


def request(family: int, states: int, port: int = 0, extensions: int = 0) -> bytes:
    """Ask for the TCP sockets of ``family`` in ``states`` (a mask of ``1 << state``).

    ``port`` is their local port, 0 for any; ``extensions`` a mask of ``1 << Extension``.
    """
    # [linux inet_sk_diag_fill] asks for bit n - 1 of attribute n: bit 0 belongs to attribute 1
    head = _REQUEST.pack(family, IPPROTO_TCP, extensions >> 1, states)
    return head + _REQUEST_SOCKID.pack(port)


class TcpInfo(NamedTuple):
    """The part of ``struct tcp_info`` that every kernel has, times in µs or ms as there."""

    state: int
    ca_state: int
    retransmits: int
    probes: int
    backoff: int
    options: int
    wscale: int
    flags: int
    rto: int
    ato: int
    snd_mss: int
    rcv_mss: int
    unacked: int  #: of a listener: the accept queue's depth
    sacked: int  #: of a listener: its limit
    lost: int
    retrans: int
    fackets: int
    last_data_sent: int
    last_ack_sent: int
    last_data_recv: int
    last_ack_recv: int
    pmtu: int
    rcv_ssthresh: int
    rtt: int
    rttvar: int
    snd_ssthresh: int
    snd_cwnd: int
    advmss: int
    reordering: int
    rcv_rtt: int
    rcv_space: int
    total_retrans: int


_TCP_INFO = struct.Struct("=8B24I")


class DiagSocket(NamedTuple):
    """One socket as the kernel describes it.

    ``cookie`` is its identity: never used twice while the system is up. ``inode`` is what
    ``/proc/PID/fd`` shows, 0 where no process has it open. ``expires`` is in ms.
    """

    family: int
    state: int
    timer: int
    retrans: int
    local: Endpoint
    remote: Endpoint
    interface: int
    cookie: int
    expires: int
    rqueue: int
    wqueue: int
    uid: int
    inode: int
    attributes: dict[int, bytes]

    @property
    def drops(self) -> int | None:
        """``sk_drops``: what this socket threw away; of a listener also for its requests."""
        return self._word(Extension.SKMEMINFO, _DROPS_OFFSET)

    @property
    def v6only(self) -> bool | None:
        """Whether an IPv6 listener takes no IPv4."""
        value = self.attributes.get(Extension.SKV6ONLY)
        return bool(value[0]) if value else None

    @property
    def congestion(self) -> str | None:
        """The name of its congestion control."""
        value = self.attributes.get(Extension.CONG)
        return value.rstrip(b"\0").decode("ascii", "replace") if value else None

    @property
    def mark(self) -> int | None:
        """``SO_MARK``; the kernel shows it only to a network administrator."""
        return self._word(Extension.MARK, 0)

    @property
    def cgroup(self) -> int | None:
        """The id (inode) of the cgroup that made it."""
        value = self.attributes.get(Extension.CGROUP_ID, b"")
        return int.from_bytes(value, sys.byteorder) if len(value) == 8 else None

    @property
    def tcp_info(self) -> TcpInfo | None:
        """The head of its ``tcp_info``."""
        value = self.attributes.get(Extension.INFO)
        if value is None or len(value) < _TCP_INFO.size:
            return None
        return TcpInfo(*_TCP_INFO.unpack_from(value))

    def _word(self, attribute: int, offset: int) -> int | None:
        value = self.attributes.get(attribute)
        if value is None or len(value) < offset + 4:
            return None
        return int(_WORD.unpack_from(value, offset)[0])


def decode(payload: memoryview) -> DiagSocket:
    """One answer. Raises ``Truncated`` or ``RemoteProtocolError``."""
    if len(payload) < _SIZE:
        raise Truncated(f"inet_diag message of {len(payload)} octets, {_SIZE} are its least")
    family, state, timer, retrans = _HEAD.unpack_from(payload)
    sport, dport, src, dst = _ADDRESSES.unpack_from(payload, _HEAD.size)
    host = _host_of.get(family)
    if host is None:
        raise RemoteProtocolError(f"inet_diag message of address family {family}")
    local, remote = Endpoint(host(src), sport), Endpoint(host(dst), dport)
    return DiagSocket._make(
        (
            *(family, state, timer, retrans),
            *(local, remote),
            *_TAIL.unpack_from(payload, _HEAD.size + _ADDRESSES.size),
            attributes(payload, _SIZE),
        )
    )


@lru_cache(maxsize=4096)
def _ipv4(octets: bytes) -> str:
    # [linux inet_diag_msg_common_fill] the first of four words; the others are zero
    return "{}.{}.{}.{}".format(*octets[:4])


@lru_cache(maxsize=4096)
def _ipv6(octets: bytes) -> str:
    address = IPv6Address(octets)
    # Written like this by ss, and by Python only from 3.13 on.
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


_host_of = {AF_INET: _ipv4, AF_INET6: _ipv6}
