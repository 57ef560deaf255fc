"""Which reply tells a client about which error of ours: a table, and the look-up in it.

The reply is all that a browser gets to explain itself with, so each row says what is true and no
more. Source: RFC 1928 section 6, which names the replies and defines none of them.
"""

import errno
from collections.abc import Mapping

from ..errors import PolicyRejected, ResolveError
from ..wire.address import UnknownAddressType
from .messages import Reply

__all__ = ["BY_CLASS", "BY_ERRNO", "reply_for"]

#: By the kernel's word, which ``DialError.errno`` passes on.
BY_ERRNO: Mapping[int, Reply] = {
    # connect(2) gives these two where a firewall rule of this host said no.
    errno.EACCES: Reply.CONNECTION_NOT_ALLOWED_BY_RULESET,
    errno.EPERM: Reply.CONNECTION_NOT_ALLOWED_BY_RULESET,
    errno.ENETDOWN: Reply.NETWORK_UNREACHABLE,
    errno.ENETUNREACH: Reply.NETWORK_UNREACHABLE,
    errno.EHOSTDOWN: Reply.HOST_UNREACHABLE,
    errno.EHOSTUNREACH: Reply.HOST_UNREACHABLE,
    # A deadline of ours and a timeout of the kernel are one fact and share a reply. Some servers
    # say TTL_EXPIRED here; but no router said that a packet ran out of hops, and whoever reads
    # that goes to look for a routing loop.
    errno.ETIMEDOUT: Reply.HOST_UNREACHABLE,
    errno.ECONNREFUSED: Reply.CONNECTION_REFUSED,
    errno.EAFNOSUPPORT: Reply.ADDRESS_TYPE_NOT_SUPPORTED,
}

#: By the nearest class, where no errno is known.
BY_CLASS: Mapping[type[BaseException], Reply] = {
    PolicyRejected: Reply.CONNECTION_NOT_ALLOWED_BY_RULESET,
    ResolveError: Reply.HOST_UNREACHABLE,
    TimeoutError: Reply.HOST_UNREACHABLE,
    ConnectionRefusedError: Reply.CONNECTION_REFUSED,
    UnknownAddressType: Reply.ADDRESS_TYPE_NOT_SUPPORTED,
    BaseException: Reply.GENERAL_SOCKS_SERVER_FAILURE,
}


def reply_for(error: BaseException) -> Reply:
    """The reply that tells a client about ``error``; never ``SUCCEEDED``."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in BY_ERRNO:
        return BY_ERRNO[number]
    return next(BY_CLASS[cls] for cls in type(error).__mro__ if cls in BY_CLASS)
