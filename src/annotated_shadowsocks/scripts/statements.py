"""What a script can say: the values that the parser makes and the printer writes.

A script is a list of statements, each with a time (or none, which means "at once"), a body, and
the place where it stands. Places are no part of what a script says, so two scripts are equal that
differ only in their layout.

Names belong to clients. A name that sends segments, ``C < S 0:0(0)``, is a *scripted peer*: it
does what the script says and nothing else. A name with ``client A connect`` has a kernel of its
own. Segments without a name are those of packetdrill's only peer.

All durations are whole nanoseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from ..errors import ConfigError
from .expressions import Expression

__all__ = [
    "ANY_TIME",
    "AT_ONCE",
    "Body",
    "Call",
    "ClientCall",
    "ClientVerb",
    "Code",
    "Comment",
    "CounterCheck",
    "DropsCheck",
    "Foreign",
    "IcmpLine",
    "Ignored",
    "Names",
    "Outcome",
    "OutcomeCheck",
    "PacketLine",
    "PacketOption",
    "Place",
    "Profile",
    "Queue",
    "QueueCheck",
    "Script",
    "ScriptOption",
    "SetSysctl",
    "Shell",
    "SilenceCheck",
    "Statement",
    "Time",
    "View",
    "ViewCheck",
    "WireRule",
    "WireVerb",
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, both numbers from 1."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Time:
    """When a statement's time comes.

    ``start`` in ns, after the statement before it if ``relative``, else after the script's start.
    ``end`` is given for ranges, ``+0~+0.2``. ``ANY_TIME`` is ``*``, ``AT_ONCE`` is no time at all.
    """

    start: int | None = None
    end: int | None = None
    relative: bool = True
    any: bool = False


AT_ONCE = Time()
ANY_TIME = Time(any=True)


@dataclass(frozen=True, slots=True)
class Names:
    """``C``, or with ``last`` all of ``P1..P40``."""

    first: str
    last: str | None = None

    def __iter__(self) -> Iterator[str]:
        """Each of them. A range has one stem and two numbers, which the parser has checked."""
        if self.last is None:
            yield self.first
            return
        stem = self.first.rstrip("0123456789")
        for number in range(int(self.first[len(stem) :]), int(self.last[len(stem) :]) + 1):
            yield f"{stem}{number}"

    def __str__(self) -> str:
        """As it is written."""
        return self.first if self.last is None else f"{self.first}..{self.last}"


@dataclass(frozen=True, slots=True)
class PacketOption:
    """One TCP option: its kind as packetdrill writes it, and what follows.

    ``mss (1460,)``, ``wscale (7,)``, ``sackOK ()``, ``nop ()``, ``eol ()``,
    ``sack (1, 1001, ...)``, ``TS (val, ecr)``; ``FO``, ``FOEXP`` and ``md5`` have
    a ``word``, which may be empty.
    """

    kind: str
    numbers: tuple[int, ...] = ()
    word: str = ""


@dataclass(frozen=True, slots=True)
class PacketLine:
    """A TCP segment in relative numbers.

    ``inbound`` (``<``) goes to the host under test. A scripted peer's is sent; one of a kernel
    client, and every outbound one (``>``), is expected. ``options`` None is ``<...>``: any.
    """

    inbound: bool
    flags: str
    seq: int
    end_seq: int
    size: int
    ack: int | None = None
    window: int | None = None
    urgent: int | None = None
    options: tuple[PacketOption, ...] | None = ()
    names: Names | None = None
    #: ``8080 > 53``: source and destination.
    ports: tuple[int, int] | None = None
    #: What stood in brackets about the IP header: ``ect0``, ``ttl 64``.
    ip: str = ""


@dataclass(frozen=True, slots=True)
class IcmpLine:
    """An ICMP error: ``< icmp unreachable host_unreachable [0:0(0)]``.

    ``quoted`` is the segment that it is about, in the numbers of the host under test.
    """

    inbound: bool
    kind: str
    code: str = ""
    mtu: int | None = None
    quoted: tuple[int, int, int] | None = None
    names: Names | None = None
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A packet that is none of TCP's or ICMP's, kept as it was written: UDP, tunnels."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A system call of the host under test: ``listen(3, 1) = 0``.

    ``result`` None where nothing is said about it. ``error`` is ``EAGAIN`` where the result is -1.
    ``until`` is the time in ``...0.2``: the call blocks until then.
    """

    name: str
    arguments: tuple[Expression, ...]
    result: Expression | None = None
    error: str = ""
    note: str = ""
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """A command in backquotes that is no ``sysctl``."""

    command: str


@dataclass(frozen=True, slots=True)
class Code:
    """``%{ assert tcpi_unacked == 1 }%``: Python, which nothing here executes."""

    text: str


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """``sysctl tcp_syncookies = 0``; ``clients`` for the host of the kernel clients."""

    name: str
    value: int
    clients: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """``profile bsd44``: which system the host under test is. The first statement, if any."""

    name: str


class ClientVerb(Enum):
    """What a kernel client is told to do."""

    CONNECT = "connect"
    SEND = "send"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class ClientCall:
    """``client A connect``, ``client A connect syn_retries 2``, ``client A send 5``."""

    names: Names
    verb: ClientVerb
    #: Octets to send, or TCP_SYNCNT.
    value: int | None = None


class Outcome(Enum):
    """What a kernel client knows about its connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class OutcomeCheck:
    """``A connected``"""

    names: Names
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SilenceCheck:
    """``C silent``: all that was sent to it is in the script, above."""

    names: Names


@dataclass(frozen=True, slots=True)
class Ignored:
    """``P1..P5 ignored``: whatever else was sent to them until now does not matter."""

    names: Names


class Queue(Enum):
    """The two queues of a listener."""

    ACCEPT = "accept_queue"
    SYN = "syn_queue"


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """``accept_queue 2/1``: depth and limit; of listener ``fd``, if there are several."""

    queue: Queue
    depth: int
    limit: int | None = None
    fd: int | None = None


@dataclass(frozen=True, slots=True)
class CounterCheck:
    """``TcpExt ListenOverflows +1``, or without ``+`` the sum since the script's start.

    ``more`` counts from the last statement about this counter, or from the start.
    """

    group: str
    name: str
    amount: int
    more: bool
    clients: bool = False


@dataclass(frozen=True, slots=True)
class DropsCheck:
    """``sk_drops +2``: the same for what one listener has swallowed."""

    amount: int
    more: bool
    fd: int | None = None


class View(Enum):
    """Where an operating system shows a listener's queues."""

    TCP_INFO = "tcp_info"
    SOCK_DIAG = "sock_diag"
    PROC_NET_TCP = "proc_net_tcp"


@dataclass(frozen=True, slots=True)
class ViewCheck:
    """``tcp_info(3) unacked 2 sacked 1``: the same numbers, as one interface has them."""

    view: View
    values: tuple[tuple[str, int], ...]
    fd: int | None = None


class WireVerb(Enum):
    """What the wire does with packets of kernel clients."""

    #: Keep them until ``release``.
    HOLD = "hold"
    #: Deliver what was held, in order, and hold no more.
    RELEASE = "release"
    #: The same in reverse order.
    REORDER = "reorder"
    DROP = "drop"
    DELAY = "delay"
    #: Deliver at once, as before any rule.
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class WireRule:
    """``wire delay .02 A <``: a rule for packets of some clients, or all, in a direction, or both.

    The latest rule that fits a packet applies. Scripted peers are not behind the wire.
    """

    verb: WireVerb
    delay: int = 0
    names: Names | None = None
    #: True for ``<``, False for ``>``, None for both.
    inbound: bool | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """``// text`` on a line of its own."""

    text: str


Body: TypeAlias = (
    PacketLine
    | IcmpLine
    | Foreign
    | Call
    | Shell
    | Code
    | SetSysctl
    | Profile
    | ClientCall
    | OutcomeCheck
    | SilenceCheck
    | Ignored
    | QueueCheck
    | CounterCheck
    | DropsCheck
    | ViewCheck
    | WireRule
    | Comment
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A body at a time; ``remark`` is a comment at the end of its line."""

    body: Body
    time: Time = AT_ONCE
    remark: str = ""
    place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class ScriptOption:
    """``--ip_version=ipv6``; the value as it was written."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Options, then statements; ``name`` is where it came from."""

    statements: tuple[Statement, ...]
    options: tuple[ScriptOption, ...] = ()
    name: str = field(default="script", compare=False)

    def option(self, name: str) -> str | None:
        """The value of the last option of that name, or None."""
        values = [option.value for option in self.options if option.name == name]
        return values[-1] if values else None

    @property
    def ipv6(self) -> bool:
        """Whether it is about IPv6. Raises ``ConfigError`` for an unknown ``--ip_version``."""
        version = self.option("ip_version")
        if version not in (None, "ipv4", "ipv6"):
            problem = f"--ip_version={version} is not known"
            raise ConfigError(self.name, problem, "write ipv4 or ipv6")
        return version == "ipv6"

    @property
    def profile(self) -> str | None:
        """The profile that it asks for."""
        for statement in self.statements:
            if isinstance(statement.body, Profile):
                return statement.body.name
        return None
