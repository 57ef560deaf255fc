"""Every error that this package raises on purpose, and the one word each has in logs and metrics.

Two axes matter to whoever catches one. *Who is at fault*: we misused a core
(``LocalProtocolError``), or the peer sent something wrong (``RemoteProtocolError``). And *what may
be said about it*: to a network peer, nothing at all (a failed handshake looks like silence); to
the operator, the place, the cause and the next step.
"""

__all__ = [
    "AuthenticationError",
    "ClockSkewError",
    "ConfigError",
    "DialError",
    "Error",
    "ListenError",
    "LocalProtocolError",
    "ObserveError",
    "PolicyRejected",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplayError",
    "ResolveError",
    "Truncated",
    "UsageError",
    "label",
]


class Error(Exception):
    """Root of all errors raised here on purpose."""


class ProtocolError(Error):
    """A rule of a protocol was broken; never raised itself, only through its two subclasses."""


class LocalProtocolError(ProtocolError):
    """We called a protocol core in a way that its state does not allow: a bug on this side."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that the protocol does not allow."""


class Truncated(RemoteProtocolError):
    """The bytes ended before the message did."""


class AuthenticationError(RemoteProtocolError):
    """A tag did not verify: a wrong key, a wrong method, tampering, or a probe."""


class ReplayError(RemoteProtocolError):
    """An authentic handshake that was seen before."""


class ClockSkewError(RemoteProtocolError):
    """An authentic message with a timestamp that is ``offset`` seconds after our time, or before.

    Two clocks disagree, or it is a recording.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        side = "ahead of" if offset > 0 else "behind"
        super().__init__(f"a timestamp {abs(offset)} s {side} our clock")


class ConfigError(Error):
    """A configuration cannot be used.

    ``place`` says where (``config.json:3:7 servers[0].method``), ``problem`` what is wrong there
    and ``remedy`` what to do about it. ``str()`` joins the three into one line.
    """

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        self.place = place
        self.problem = problem
        self.remedy = remedy
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}; {remedy}" if remedy else text)


class UsageError(Error):
    """A command line cannot be understood."""


class PolicyRejected(Error):
    """A rule of ours forbids what the peer asked for; ``rule`` names it."""

    def __init__(self, subject: str, rule: str) -> None:
        self.subject = subject
        self.rule = rule
        super().__init__(f"{subject} refused by rule: {rule}")


class ResolveError(Error):
    """A name has no address that we could find in time."""


class DialError(Error):
    """No connection to an endpoint; ``errno`` is the last attempt's, None where none was made."""

    def __init__(self, subject: str, reason: str, errno: int | None = None) -> None:
        self.subject = subject
        self.reason = reason
        self.errno = errno
        super().__init__(f"cannot connect to {subject}: {reason}")


class ListenError(Error):
    """A listening socket could not be opened; ``errno`` says why in the kernel's words."""

    def __init__(self, subject: str, reason: str, errno: int | None = None) -> None:
        self.subject = subject
        self.reason = reason
        self.errno = errno
        super().__init__(f"cannot listen on {subject}: {reason}")


class ObserveError(Error):
    """The kernel would not show ``subject``; ``errno`` is its own word, None where it had none."""

    def __init__(self, subject: str, reason: str, errno: int | None = None) -> None:
        self.subject = subject
        self.reason = reason
        self.errno = errno
        super().__init__(f"cannot see {subject}: {reason}")


_LABELS: dict[type[BaseException], str] = {
    Truncated: "truncated",
    AuthenticationError: "authentication",
    ReplayError: "replay",
    ClockSkewError: "clock",
    RemoteProtocolError: "protocol",
    LocalProtocolError: "bug",
    PolicyRejected: "policy",
    ResolveError: "resolve",
    DialError: "dial",
    ListenError: "listen",
    ObserveError: "observe",
    ConfigError: "config",
    UsageError: "usage",
    TimeoutError: "timeout",
    ConnectionError: "reset",
    OSError: "os",
}


def label(error: BaseException) -> str:
    """The one word that stands for ``error`` in logs and metrics, by its nearest known class."""
    for cls in type(error).__mro__:
        if cls in _LABELS:
            return _LABELS[cls]
    return "bug"
