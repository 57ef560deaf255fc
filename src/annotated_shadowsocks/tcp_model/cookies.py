"""SYN cookies: a request that is remembered by the client instead of the listener.

The cookie is the sequence number of a SYN/ACK. It holds the minute, so that it ages; a coarse
maximum segment size, two bits of it; and a hash that only this host can make. The ACK brings it
back, and the connection is made from nothing else. What is lost is everything that a request would
have held: above all the timer. A SYN/ACK with a cookie is never sent again, and a final ACK that
finds no room leaves no trace, so only the client's own data can complete such a handshake later.

[linux cookie_v4_check] The layout and the order of the tests are the kernel's; its siphash is not.
"""

from .instant import SECOND, Instant
from .namespace import Namespace
from .reuseport import Group
from .segment import Flow
from .seqnum import SeqNum, add

__all__ = ["check", "is_stale", "make", "minute_of", "recently_sent", "remember_sending"]

_PERIOD = 60 * SECOND
#: [linux TCP_SYNCOOKIE_VALID] a cookie of this minute or the one before
_MAX_AGE = 2
_BITS = 24
_MASK = (1 << _BITS) - 1
#: [linux msstab] the sizes that two bits can name
_MSS_IPV4 = (536, 1300, 1440, 1460)
_MSS_IPV6 = (1280 - 60, 1480 - 60, 1500 - 60, 9000 - 60)


def make(namespace: Namespace, flow: Flow, irs: SeqNum, mss: int, now: Instant) -> SeqNum:
    """[linux secure_tcp_syn_cookie] the initial sequence number that says it all."""
    minute = minute_of(now)
    word = namespace.keyed.word
    sizes = _sizes(flow)
    index = max((i for i, size in enumerate(sizes) if size <= mss), default=0)
    layers = word("cookie", flow) + irs + (minute << _BITS)
    return add(layers, (word("cookie minute", flow, minute) + index) & _MASK)


def check(namespace: Namespace, flow: Flow, iss: SeqNum, irs: SeqNum, now: Instant) -> int | None:
    """[linux check_tcp_syn_cookie] the size in a cookie, or None if it is none of ours, or old."""
    word = namespace.keyed.word
    minute = minute_of(now)
    rest = add(iss, -(word("cookie", flow) + irs))
    age = (minute - (rest >> _BITS)) & 0xFF
    if is_stale(age):
        return None
    index = (rest - word("cookie minute", flow, minute - age)) & _MASK
    sizes = _sizes(flow)
    return sizes[index] if index < len(sizes) else None


def is_stale(age: int) -> bool:
    """Whether a cookie is too old that was made so many minutes of the clock ago."""
    return age >= _MAX_AGE


def minute_of(now: Instant) -> int:
    """The minute that a cookie made now holds."""
    return now // _PERIOD


def remember_sending(group: Group, now: Instant) -> None:
    """[linux tcp_synq_overflow] note that cookies are out, once a second at most."""
    if group.cookie_sent_at is None or not 0 <= now - group.cookie_sent_at <= SECOND:
        group.cookie_sent_at = now


def recently_sent(group: Group, now: Instant) -> bool:
    """[linux tcp_synq_no_recent_overflow] whether any cookie could still be good."""
    sent_at = group.cookie_sent_at
    return sent_at is not None and sent_at - SECOND <= now <= sent_at + _MAX_AGE * _PERIOD


def _sizes(flow: Flow) -> tuple[int, ...]:
    return _MSS_IPV6 if ":" in flow.local.host else _MSS_IPV4
