"""Between a script's relative numbers and those of the wire: one flow for each name.

A scripted peer's initial number is ours to choose. The host's is learned from its SYN/ACK, and
from its latest if there are several, since cookies differ. A timestamp in a script stands for
another one on the wire: the first that a host sends says by how much.
"""

from typing import NamedTuple

from ..endpoint import Endpoint
from ..scripts.printer import print_body
from ..scripts.statements import IcmpLine, Names, PacketLine, PacketOption
from ..tcp_model import segment as s
from ..tcp_model.instant import Instant
from ..tcp_model.segment import Flow as Endpoints
from ..tcp_model.segment import Option, Segment, Unreachable, UnreachableKind
from ..tcp_model.seqnum import SeqNum, add, distance
from .verdict import Refused, differ

__all__ = ["Flow", "Moment"]

_BITS = {"F": s.FIN, "S": s.SYN, "R": s.RST, "P": s.PSH, ".": s.ACK}
_BITS |= {"U": s.URG, "E": s.ECE, "W": s.CWR, "-": 0}
_ISN: SeqNum = 1_000_000
_WINDOW = 65535
# [RFC7413 §4.1.1] a cookie has 4 to 16 octets
_COOKIE_OCTETS = 16
_MOD = 1 << 32

# The words of packetdrill for both IPs
_KINDS = {
    ("unreachable", ""): UnreachableKind.NETWORK,
    ("unreachable", "net_unreachable"): UnreachableKind.NETWORK,
    ("unreachable", "host_unreachable"): UnreachableKind.HOST,
    ("unreachable", "port_unreachable"): UnreachableKind.PORT,
    ("unreachable", "frag_needed"): UnreachableKind.TOO_BIG,
    ("time_exceeded", ""): UnreachableKind.TIME_EXCEEDED,
    ("parameter_problem", ""): UnreachableKind.PARAMETER_PROBLEM,
    ("packet_too_big", ""): UnreachableKind.TOO_BIG,
}


class Moment(NamedTuple):
    """When something was, by the script and by the clock."""

    nominal: Instant
    actual: Instant


class Flow:
    """The numbers of one name. ``far`` is its endpoint, None for a client with a kernel."""

    __slots__ = ("_isn", "_iss", "_ts_offset", "far", "last", "name")

    def __init__(self, name: str, far: Endpoint | None) -> None:
        self.name = name
        self.far = far
        self._isn: SeqNum | None = None if far is None else _ISN
        self._iss: SeqNum = 0
        #: What the host's timestamps are more than the script's.
        self._ts_offset: int | None = None
        #: The last segment that was sent to the host (True), and by it (False).
        self.last: dict[bool, Moment] = {}

    # From a script to the wire

    def make(self, line: PacketLine, server: Endpoint) -> Segment:
        """The segment that a scripted peer sends. Raises ``Refused``."""
        if self.far is None or self._isn is None:
            raise Refused(f"{self.name} has a kernel of its own and sends what that likes")
        bits = flag_bits(line)
        ack = add(self._iss, line.ack or 0) if bits & s.ACK else 0
        return Segment(
            self.far,
            server,
            bits,
            add(self._isn, line.seq),
            ack,
            _WINDOW if line.window is None else line.window,
            self._options(line.options or ()),
            bytes(line.size),
        )

    def make_unreachable(self, line: IcmpLine, server: Endpoint) -> Unreachable:
        """The ICMP error. Raises ``Refused``."""
        kind = _KINDS.get((line.kind, line.code))
        if kind is None:
            words = ", ".join(" ".join(words).strip() for words in _KINDS)
            raise Refused(f"icmp {line.kind} {line.code}".rstrip() + f" is not known, only {words}")
        if self.far is None:
            raise Refused(f"{self.name} has a kernel of its own, which sends no ICMP errors")
        first = line.quoted[0] if line.quoted else 0
        return Unreachable(Endpoints(server, self.far), add(self._iss, first), kind)

    def _options(self, options: tuple[PacketOption, ...]) -> tuple[Option, ...]:
        made: list[Option] = []
        for option in options:
            numbers = option.numbers
            match option.kind:
                case "mss":
                    made.append(s.MaximumSegmentSize(numbers[0]))
                case "wscale":
                    made.append(s.WindowScale(numbers[0]))
                case "sackOK":
                    made.append(s.SackPermitted())
                case "sack":
                    blocks = zip(numbers[::2], numbers[1::2], strict=True)
                    made.append(
                        s.SackBlocks(
                            tuple((add(self._iss, a), add(self._iss, b)) for a, b in blocks)
                        )
                    )
                case "TS":
                    echoed = (numbers[1] + (self._ts_offset or 0)) % _MOD if numbers[1] else 0
                    made.append(s.Timestamps(numbers[0], echoed))
                case "FO":
                    made.append(s.FastOpenCookie(_cookie(option.word)))
                case "nop" | "eol":
                    continue  # padding, which whoever makes the octets knows best
                case _:
                    raise Refused(f"the option {option.kind} is not run")
        return tuple(made)

    # From the wire to a script

    def learn(self, segment: Segment, inbound: bool, called: int = 0) -> None:
        """Take the initial numbers from a segment that was heard; the script calls a SYN's so."""
        if not segment.flags & s.SYN:
            return
        if inbound:
            self._isn = add(segment.seq, -called)
            return
        self._iss = add(segment.seq, -called)
        if self._isn is None and segment.flags & s.ACK:
            self._isn = add(segment.ack, -1)
        self._ts_offset = None

    def describe(self, segment: Segment, inbound: bool) -> PacketLine:
        """A segment as a script would have it."""
        own, other = self._iss, self._isn or 0
        if inbound:
            own, other = other, own
        # An RST for somebody unknown has number 0, which is relative to nothing.
        bare = segment.flags & s.RST and segment.seq == 0
        seq = 0 if bare else distance(own, segment.seq) % _MOD
        size = len(segment.payload)
        ack = distance(other, segment.ack) % _MOD if segment.flags & s.ACK else None
        options = tuple(self._option(one, inbound) for one in segment.options)
        return PacketLine(
            inbound,
            s.flags_text(segment.flags) if segment.flags else "-",
            seq,
            (seq + size) % _MOD,
            size,
            ack,
            segment.window,
            options=options,
            names=Names(self.name) if self.name[:1].isupper() else None,
        )

    def _option(self, option: Option, inbound: bool) -> PacketOption:
        match option:
            case s.MaximumSegmentSize(value):
                return PacketOption("mss", (value,))
            case s.WindowScale(shift):
                return PacketOption("wscale", (shift,))
            case s.SackPermitted():
                return PacketOption("sackOK")
            case s.SackBlocks(blocks):
                base = (self._iss if inbound else self._isn) or 0
                numbers = (distance(base, edge) % _MOD for block in blocks for edge in block)
                return PacketOption("sack", tuple(numbers))
            case s.Timestamps(tsval, tsecr):
                return PacketOption("TS", (tsval, tsecr))
            case s.FastOpenCookie(cookie):
                return PacketOption("FO", word=cookie.hex())
            case s.UnknownOption(kind, data):
                return PacketOption(f"option{kind}", word=data.hex())

    def compare(self, line: PacketLine, segment: Segment) -> None:
        """Whether a segment is what a line expects; what the line leaves out is not asked for."""
        self.learn(segment, line.inbound, line.seq if "S" in line.flags else 0)
        got = self.describe(segment, line.inbound)
        same = (
            flag_bits(line) == segment.flags
            and (line.seq, line.size) == (got.seq, got.size)
            and (line.ack is None or line.ack == got.ack)
            and (line.window is None or line.window == got.window)
            and (line.options is None or self._same_options(line.options, got.options or ()))
        )
        if not same:
            differ(print_body(line), print_body(got))

    def _same_options(
        self, wanted: tuple[PacketOption, ...], got: tuple[PacketOption, ...]
    ) -> bool:
        wanted = tuple(one for one in wanted if one.kind not in ("nop", "eol"))
        if [one.kind for one in wanted] != [one.kind for one in got]:
            return False
        return all(self._same_option(*pair) for pair in zip(wanted, got, strict=True))

    def _same_option(self, wanted: PacketOption, got: PacketOption) -> bool:
        if wanted.kind == "wscale":
            return True  # how much memory a host has is no part of what it does
        if wanted.kind != "TS":
            return wanted == got
        if self._ts_offset is None:
            self._ts_offset = (got.numbers[0] - wanted.numbers[0]) % _MOD
        # The value is a clock's, and the clock is checked by the segment's time.
        return wanted.numbers[1] == got.numbers[1]


def flag_bits(line: PacketLine) -> int:
    """The control bits of a line. Raises ``Refused`` for accurate ECN's."""
    unknown = set(line.flags) - set(_BITS)
    if unknown:
        raise Refused(f"the flags {line.flags} are not run")
    return sum(_BITS[letter] for letter in dict.fromkeys(line.flags))


def _cookie(word: str) -> bytes:
    try:
        cookie = bytes.fromhex(word)
    except ValueError as error:
        raise Refused(f"the cookie {word} is not written in hexadecimal digits") from error
    if len(cookie) > _COOKIE_OCTETS:
        raise Refused(f"a cookie of {len(cookie)} octets is longer than {_COOKIE_OCTETS}")
    return cookie
