"""Which reply tells a client about which error."""

import errno

import pytest

from annotated_shadowsocks.errors import (
    DialError,
    PolicyRejected,
    RemoteProtocolError,
    ResolveError,
)
from annotated_shadowsocks.socks5.messages import Reply
from annotated_shadowsocks.socks5.replies import reply_for
from annotated_shadowsocks.wire.address import UnknownAddressType


def dial(number: int | None) -> DialError:
    return DialError("example.com:443", "because", number)


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (dial(errno.ECONNREFUSED), Reply.CONNECTION_REFUSED),
        (dial(errno.ENETUNREACH), Reply.NETWORK_UNREACHABLE),
        (dial(errno.ENETDOWN), Reply.NETWORK_UNREACHABLE),
        (dial(errno.EHOSTUNREACH), Reply.HOST_UNREACHABLE),
        (dial(errno.ETIMEDOUT), Reply.HOST_UNREACHABLE),
        (dial(errno.EPERM), Reply.CONNECTION_NOT_ALLOWED_BY_RULESET),
        (dial(errno.EAFNOSUPPORT), Reply.ADDRESS_TYPE_NOT_SUPPORTED),
        (dial(errno.EMFILE), Reply.GENERAL_SOCKS_SERVER_FAILURE),
        (dial(None), Reply.GENERAL_SOCKS_SERVER_FAILURE),
        (ResolveError("no such name"), Reply.HOST_UNREACHABLE),
        (PolicyRejected("127.0.0.1:22", "loopback"), Reply.CONNECTION_NOT_ALLOWED_BY_RULESET),
        (TimeoutError(), Reply.HOST_UNREACHABLE),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), Reply.HOST_UNREACHABLE),
        (ConnectionRefusedError(), Reply.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, "unreachable"), Reply.NETWORK_UNREACHABLE),
        (OSError("no number"), Reply.GENERAL_SOCKS_SERVER_FAILURE),
        (UnknownAddressType("0x09"), Reply.ADDRESS_TYPE_NOT_SUPPORTED),
        (RemoteProtocolError("nonsense"), Reply.GENERAL_SOCKS_SERVER_FAILURE),
        (KeyError("a bug"), Reply.GENERAL_SOCKS_SERVER_FAILURE),
    ],
)
def test_reply(error: Exception, reply: Reply) -> None:
    assert reply_for(error) is reply
