"""What a script may do to a host under test, and ask of it.

The model is one stage and a live kernel is another. The conductor, who walks through the script,
knows neither; everything that it can see of a host is here, so that a script which passes on one
and fails on the other has found a difference between the hosts and not between two interpreters.

The host under test has one address, ``server``, and meets two kinds of clients. *Scripted peers*
are names with an endpoint; the conductor makes their segments. *Kernel clients* are sockets on a
second host; they do what they are told to do and, for the rest, what their system does. The wire's
rules are about kernel clients only: a scripted peer stands at the host's door.

Sockets of the host under test have the numbers that the script gives them. A call that fails
raises ``OSError`` with the errno that the real call has; a thing that a stage cannot do raises
``ConfigError``, whose text says so. Times are in ns after the stage was opened.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from ..endpoint import Endpoint
from ..pictures.trace import Trace
from ..scripts.statements import ClientCall, Outcome, View, WireRule
from ..tcp_model.host import SocketOption
from ..tcp_model.instant import Duration, Instant
from ..tcp_model.segment import Segment, Unreachable

__all__ = ["Heard", "Queues", "Stage", "Tolerance"]


class Heard(NamedTuple):
    """A segment and when it was seen on the wire."""

    at: Instant
    segment: Segment


class Queues(NamedTuple):
    """Both queues of one listener. A limit is None where the system has none for one listener."""

    accept_depth: int
    accept_limit: int
    syn_depth: int
    syn_limit: int | None


class Tolerance(NamedTuple):
    """By how much a segment may come before and after its time."""

    early: Duration
    late: Duration


class Stage(Protocol):
    """A host under test, its clients, and the wire between them."""

    @property
    def title(self) -> str:
        """What it is, for readers: ``model linux-6.18``, ``kernel 6.18.44``."""

    @property
    def server(self) -> Endpoint:
        """The address under test: what ``bind(3, ..., ...)`` binds."""

    @property
    def now(self) -> Instant:
        """The time."""

    def advance(self, until: Instant) -> None:
        """Let time pass; a time that is over is no error."""

    def settle(self, reached: Callable[[], bool]) -> None:
        """Let what is under way arrive: until ``reached()``, or for as long as that may take."""

    @property
    def late(self) -> Duration:
        """How long a packet lay there, at worst, before the wire took it: this machine is busy."""

    def tolerance(self, interval: Duration) -> Tolerance:
        """What is allowed of a segment that comes so long after the one before it in its flow."""

    # Segments

    def peer(self, name: str) -> Endpoint:
        """The endpoint of a scripted peer; the same each time."""

    def send(self, name: str, segment: Segment) -> None:
        """Have a scripted peer send a segment to the host under test, now."""

    def send_unreachable(self, name: str, error: Unreachable) -> None:
        """The same for an ICMP error; ``error.flow`` is named as the host under test has it."""

    def receive(self, name: str, inbound: bool, deadline: Instant) -> Heard | None:
        """The first segment of a name and direction that was not taken yet.

        Time passes until there is one, and no further; None if there is none by ``deadline``.
        Outbound means sent by the host under test. Inbound segments are those of kernel clients,
        at the time at which the client sent them.
        """

    # The host under test

    def set_sysctl(self, name: str, value: int, clients: bool) -> None:
        """Change a setting here or at the host of the kernel clients."""

    def open_socket(self, fd: int) -> None:
        """A new TCP socket, non-blocking, with SO_REUSEADDR."""

    def reuse_port(self, fd: int) -> None:
        """Set SO_REUSEPORT; before ``bind``."""

    def set_option(self, fd: int, option: SocketOption, value: int) -> None:
        """Set an option of a socket."""

    def get_option(self, fd: int, option: SocketOption) -> int:
        """What the system says about it."""

    def bind(self, fd: int) -> None:
        """Bind to ``server``."""

    def listen(self, fd: int, backlog: int) -> None:
        """Listen, or listen again."""

    def accept(self, fd: int, new_fd: int) -> None:
        """Take a connection, which is called ``new_fd`` from now on."""

    def shutdown(self, fd: int, how: int) -> None:
        """``how`` is socket.SHUT_RD (0), SHUT_WR (1) or SHUT_RDWR (2)."""

    def close_socket(self, fd: int) -> None:
        """Close a listener or a connection."""

    def read(self, fd: int, size: int) -> bytes:
        """Read; ``b""`` is the end."""

    def write(self, fd: int, data: bytes) -> int:
        """Write; how many octets were taken."""

    # Kernel clients and the wire

    def tell_client(self, name: str, call: ClientCall) -> None:
        """Have a kernel client connect, send or close; ``call.names`` is not looked at."""

    def outcome(self, name: str) -> Outcome:
        """How its connection stands; an error once seen stays."""

    def set_wire(self, rule: WireRule) -> None:
        """Change what the wire does."""

    # What can be seen

    def queues(self, fd: int) -> Queues:
        """Both queues of a listener."""

    def view(self, fd: int, view: View) -> Mapping[str, int]:
        """A listener as one of the system's interfaces shows it.

        ``tcp_info``: ``unacked``, ``sacked``. ``sock_diag``: ``rqueue``, ``wqueue``.
        ``proc_net_tcp``: ``rx_queue``, ``tx_queue``, and ``half_open``, which is the reference
        count less one and less ``rx_queue``.
        """

    def counter(self, name: str, clients: bool) -> int:
        """A counter since the stage was opened, of this host or that of the clients."""

    def drops(self, fd: int) -> int:
        """``sk_drops`` of a listener."""

    def note(self, text: str) -> None:
        """Write a line of the script into the trace."""

    def trace(self, title: str) -> Trace:
        """Everything that has happened."""
