"""The table of exit codes against sysexits(3)."""

import errno

import pytest

from annotated_shadowsocks.cli.exits import exit_code
from annotated_shadowsocks.cli.files import CannotCreate
from annotated_shadowsocks.errors import (
    ConfigError,
    DialError,
    Error,
    ListenError,
    LocalProtocolError,
    ObserveError,
    ResolveError,
    UsageError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 64),
        (ListenError("127.0.0.1:80", "in use", errno.EADDRINUSE), 69),
        (ListenError("192.0.2.1:80", "not ours", errno.EADDRNOTAVAIL), 69),
        (ListenError("127.0.0.1:80", "why", None), 69),
        (DialError("127.0.0.1:80", "refused", errno.ECONNREFUSED), 69),
        (ResolveError("x"), 69),
        (ObserveError("listening sockets", "no such thing", errno.ENOENT), 69),
        (ObserveError("listening sockets", "not permitted", errno.EPERM), 77),
        (ValueError("x"), 70),
        (LocalProtocolError("x"), 70),
        (Error("x"), 70),
        (RecursionError("x"), 70),
        (ListenError("127.0.0.1:80", "too many", errno.EMFILE), 71),
        (OSError(errno.EIO, "x"), 71),
        (OSError("x"), 71),
        (MemoryError(), 71),
        (CannotCreate("x"), 73),
        (ListenError("127.0.0.1:80", "denied", errno.EACCES), 77),
        (ListenError("127.0.0.1:80", "denied", errno.EPERM), 77),
        (PermissionError(errno.EACCES, "x"), 77),
        (ConfigError("x", "y", "z"), 78),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(errno.EPIPE, "x"), 141),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code
