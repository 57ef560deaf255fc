"""Packet lines: ``< S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>`` and ICMP errors."""

from .cursor import Cursor
from .statements import Foreign, IcmpLine, Names, PacketLine, PacketOption

__all__ = ["FLAGS", "parse_packet"]

#: What the control bits look like; the digit is packetdrill's for accurate ECN.
FLAGS = r"(?:[FSRPUEWCA]+(?:\.[0-9]?)?|\.[0-9]?|-)(?=[ \t])"
_OPTIONS = r"<[ \t\r\n]*(?:\.\.\.|>|(?:mss|wscale|sackOK|sack|TS|nop|eol|FO|FOEXP|md5|ECN)\b)"
#: [RFC9293 §3.1] numbers of the wire
_U16 = 0xFFFF
_U32 = 0xFFFF_FFFF


def parse_packet(cursor: Cursor, names: Names | None) -> PacketLine | IcmpLine | Foreign:
    """From the direction to the end of the options. Raises ``ConfigError``."""
    start = cursor.at
    inbound = cursor.take("[<>]", "'<' or '>'") == "<"
    ip = (cursor.maybe(r"\([^()\n]*\)|\[[^\[\]\n]*\]") or "")[1:-1].strip()
    if cursor.maybe(r"icmp\b"):
        return _icmp(cursor, inbound, names, ip)
    if names is None and cursor.sees(r"(?:udp|ipv4|ipv6|gre|GREv0|mpls|encap)\b"):
        cursor.at = start
        return Foreign(cursor.take(r"[^\n]*[^\s]", "a packet"))
    return _tcp(cursor, inbound, names, ip)


def _tcp(cursor: Cursor, inbound: bool, names: Names | None, ip: str) -> PacketLine:
    ports = None
    if cursor.sees(r"[0-9]+[ \t]*>"):
        source = _number(cursor, "a port", _U16)
        cursor.symbol(">")
        ports = source, _number(cursor, "a port", _U16)
    flags = cursor.take(FLAGS, "the flags: F S R P . U E W, or - for none")
    seq, end_seq, size = _range(cursor)
    ack = _number(cursor, "a number", _U32) if cursor.maybe(r"ack\b") else None
    window = _number(cursor, "a window", _U16) if cursor.maybe(r"win\b") else None
    urgent = _number(cursor, "a number", _U16) if cursor.maybe(r"urg\b") else None
    options: tuple[PacketOption, ...] | None = ()
    if cursor.sees(_OPTIONS):
        options = _options(cursor)
    elif cursor.sees_on_line("<"):
        cursor.symbol("<")
        cursor.skip()
        cursor.fail("an option: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5 or ...")
    return PacketLine(
        inbound, flags, seq, end_seq, size, ack, window, urgent, options, names, ports, ip
    )


def _number(cursor: Cursor, expected: str, greatest: int) -> int:
    cursor.skip()
    start = cursor.at
    value = cursor.natural(expected)
    if value > greatest:
        cursor.at = start
        cursor.refuse(f"{value} is too large for {expected}", f"write 0 to {greatest}")
    return value


def _range(cursor: Cursor) -> tuple[int, int, int]:
    """``1:1001(1000)``; [RFC9293 §3.4] the first and the last agree with the size."""
    cursor.skip()
    start = cursor.at
    first = _number(cursor, "a sequence number", _U32)
    cursor.symbol(":")
    last = _number(cursor, "a sequence number", _U32)
    cursor.symbol("(")
    size = _number(cursor, "a number of octets", _U16)
    cursor.symbol(")")
    if (last - first) & _U32 != size:
        cursor.at = start
        end = (first + size) & _U32
        cursor.refuse(f"{first}:{last}({size}) does not add up", f"write {first}:{end}({size})")
    return first, last, size


def _options(cursor: Cursor) -> tuple[PacketOption, ...] | None:
    cursor.symbol("<")
    if cursor.maybe(r"\.\.\."):
        cursor.symbol(">")
        return None
    options: list[PacketOption] = []
    if cursor.maybe(">"):
        return ()
    while True:
        options.append(_option(cursor))
        if cursor.maybe(">"):
            return tuple(options)
        cursor.take(",", "',' or '>'")


def _option(cursor: Cursor) -> PacketOption:
    kind = cursor.take(
        r"(?:mss|wscale|sackOK|sack|TS|nop|eol|FO|FOEXP|md5|ECN)\b",
        "an option: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP or md5",
    )
    match kind:
        case "mss":
            return PacketOption(kind, (_number(cursor, "a size", _U16),))
        case "wscale":
            return PacketOption(kind, (_number(cursor, "a shift", 255),))
        case "TS":
            cursor.take(r"val\b", "'val'")
            val = _number(cursor, "a timestamp", _U32)
            cursor.take(r"ecr\b", "'ecr'")
            return PacketOption(kind, (val, _number(cursor, "a timestamp", _U32)))
        case "sack":
            return PacketOption(kind, _blocks(cursor))
        case "FO" | "FOEXP" | "md5":
            return PacketOption(kind, word=cursor.maybe(r"[A-Za-z0-9_]+") or "")
        case "ECN":
            words = cursor.take(r"(?:e0b|e1b|ceb)[^,>\n]*", "'e0b' or 'e1b'")
            return PacketOption(kind, word=" ".join(words.split()))
        case _:
            return PacketOption(kind)


def _blocks(cursor: Cursor) -> tuple[int, ...]:
    numbers: list[int] = []
    while not numbers or cursor.sees("[0-9]"):
        numbers.append(_number(cursor, "a sequence number", _U32))
        cursor.symbol(":")
        numbers.append(_number(cursor, "a sequence number", _U32))
    return tuple(numbers)


def _icmp(cursor: Cursor, inbound: bool, names: Names | None, ip: str) -> IcmpLine:
    kind = cursor.take(r"[a-z_]+\b", "a type: unreachable, source_quench, redirect ...")
    code = mtu = quoted = None
    if not cursor.sees_on_line(r"(?:mtu|id)\b") and cursor.sees_on_line(r"[A-Za-z_]+"):
        code = cursor.take(r"[A-Za-z_]+", "a code")
    if cursor.maybe(r"mtu\b"):
        mtu = _number(cursor, "a size", _U32)
    if cursor.sees_on_line(r"\[[ \t]*[0-9]"):
        cursor.symbol("[")
        quoted = _range(cursor)
        cursor.symbol("]")
    elif cursor.sees_on_line(r"\[|id\b"):
        cursor.skip()
        cursor.fail("[first:last(size)]; only errors about TCP segments are read")
    return IcmpLine(inbound, kind, code or "", mtu, quoted, names, ip)
