"""Segments and their options as values.

A ``Segment`` is a named tuple, and the one value here that is not a frozen dataclass: it has nine
fields and a run makes millions of it, and a frozen dataclass calls ``object.__setattr__`` once for
each field, which costs three times as much.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from ..endpoint import Endpoint
from .named import Named
from .seqnum import SeqNum, add

__all__ = [
    "ACK",
    "CWR",
    "ECE",
    "FIN",
    "PSH",
    "RST",
    "SYN",
    "URG",
    "FastOpenCookie",
    "Flow",
    "MaximumSegmentSize",
    "Option",
    "Range",
    "SackBlocks",
    "SackPermitted",
    "Segment",
    "Timestamps",
    "UnknownOption",
    "Unreachable",
    "UnreachableKind",
    "WindowScale",
    "find",
    "flags_text",
    "sequence_space",
]

# [RFC9293 §3.1] the control bits. Plain integers: an IntFlag builds an object at each test.
FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

# The letters of tcpdump and packetdrill, in their order.
_LETTERS = tuple(zip((FIN, SYN, RST, PSH, ACK, URG, ECE, CWR), "FSRP.UEW", strict=True))


def flags_text(flags: int) -> str:
    """The control bits as tcpdump writes them: ``S.``, ``P.``, ``R``; ``none`` for none."""
    return "".join(letter for bit, letter in _LETTERS if flags & bit) or "none"


#: Sequence numbers from the first up to, not including, the second.
Range: TypeAlias = tuple[SeqNum, SeqNum]


class Flow(NamedTuple):
    """A connection's name at one host: its own endpoint and the peer's."""

    local: Endpoint
    remote: Endpoint

    def __str__(self) -> str:
        """``remote > local``, the way the flow's first segment went."""
        return f"{self.remote} > {self.local}"


@dataclass(frozen=True, slots=True)
class MaximumSegmentSize:
    """[RFC9293 §3.7.1] the largest payload that its sender wants to receive."""

    value: int


@dataclass(frozen=True, slots=True)
class WindowScale:
    """[RFC7323 §2] the shift that its sender applies to windows it announces."""

    shift: int


@dataclass(frozen=True, slots=True)
class SackPermitted:
    """[RFC2018 §2] the sender understands selective acknowledgements."""


@dataclass(frozen=True, slots=True)
class SackBlocks:
    """[RFC2018 §3] ranges that arrived out of order."""

    blocks: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Timestamps:
    """[RFC7323 §3] the sender's clock, and the last value it saw of the receiver's."""

    tsval: int
    tsecr: int


@dataclass(frozen=True, slots=True)
class FastOpenCookie:
    """[RFC7413 §2] a Fast Open cookie; an empty one asks for one."""

    cookie: bytes


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option that the model does not interpret, kept so that nothing is lost."""

    kind: int
    data: bytes


Option: TypeAlias = (
    MaximumSegmentSize
    | WindowScale
    | SackPermitted
    | SackBlocks
    | Timestamps
    | FastOpenCookie
    | UnknownOption
)
_OptionT = TypeVar("_OptionT", bound=Option)


def find(options: tuple[Option, ...], kind: type[_OptionT]) -> _OptionT | None:
    """The first option of a kind, or None."""
    for option in options:
        if isinstance(option, kind):
            return option
    return None


class Segment(NamedTuple):
    """One TCP segment, in the numbers of the wire.

    ``ack`` means something only where the ACK bit is set; ``window`` is the field as sent, before
    any scaling. Padding is no option and is not kept.
    """

    src: Endpoint
    dst: Endpoint
    flags: int
    seq: SeqNum
    ack: SeqNum = 0
    window: int = 65535
    options: tuple[Option, ...] = ()
    payload: bytes = b""

    @property
    def flow(self) -> Flow:
        """The connection as its receiver names it."""
        return Flow(self.dst, self.src)

    @property
    def end_seq(self) -> SeqNum:
        """The sequence number that follows the segment."""
        return add(self.seq, sequence_space(self.flags, self.payload))

    def __str__(self) -> str:
        """One line in the manner of packetdrill: ``c:5 > s:80 S. 9:9(0) ack 1 win 65535``."""
        size = len(self.payload)
        ack = f" ack {self.ack}" if self.flags & ACK else ""
        return (
            f"{self.src} > {self.dst} {flags_text(self.flags)} "
            f"{self.seq}:{add(self.seq, size)}({size}){ack} win {self.window}"
        )


def sequence_space(flags: int, payload: bytes) -> int:
    """How many sequence numbers a segment takes: its octets, and one each for SYN and FIN."""
    return len(payload) + ((flags & SYN) >> 1) + (flags & FIN)


class UnreachableKind(Named):
    """What an ICMP error says, in the words of both IPv4 and IPv6."""

    NETWORK = "network unreachable"
    HOST = "host unreachable"
    PORT = "port unreachable"
    TIME_EXCEEDED = "time exceeded"
    PARAMETER_PROBLEM = "parameter problem"
    TOO_BIG = "packet too big"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An ICMP error that quotes a segment of ``flow``, sent from here with number ``seq``."""

    flow: Flow
    seq: SeqNum
    kind: UnreachableKind
