"""A trace as a pcapng capture, which Wireshark opens, with the reasons as comments of the packets.

::

    +-------------------------------+
    | block type, total length      |   each block, of 32-bit words     [PCAPNG §3.1]
    | body                          |
    |   fixed fields                |
    |   options: code, length, value|                                   [PCAPNG §3.5]
    | total length once more        |
    +-------------------------------+

    Section Header, one Interface Description, then one Enhanced Packet for each packet

A packet is there once, at the time at which it was put on the wire, also if it was lost: what
became of it stands in its comment. The capture is one of raw IP, so no Ethernet is made up. A
trace begins at 0, which a reader of absolute times will take for 1970.
"""

import struct
from collections.abc import Iterator

from ..tcp_model import packet as octets_of
from ..tcp_model.instant import text
from ..tcp_model.segment import Segment
from .passage import Passage, passages
from .story import Kind, Row, Story, tell
from .trace import Trace

__all__ = ["encode"]

# [PCAPNG §4.1] the same octets in either byte order, so that it can be read before that is known
_SECTION_HEADER = 0x0A0D0D0A
_BYTE_ORDER = 0x1A2B3C4D
_INTERFACE_DESCRIPTION = 1
_ENHANCED_PACKET = 6
_END, _COMMENT = 0, 1
_APPLICATION = 4
_NAME, _DESCRIPTION, _RESOLUTION = 2, 3, 9
_FLAGS, _INBOUND, _OUTBOUND = 2, 1, 2
#: LINKTYPE_RAW: the packet begins with the IP header, whose version says which.
_RAW_IP = 101
_NANOSECONDS = bytes((9,))
_UNKNOWN_LENGTH = 2**64 - 1
_LONGEST = 0xFFFF


def encode(trace: Trace) -> bytes:
    """The capture file, of big-endian words.

    Raises ``LocalProtocolError`` for a packet that no network could carry.
    """
    return b"".join(_blocks(trace))


def _blocks(trace: Trace) -> Iterator[bytes]:
    header = struct.pack("!IHHQ", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    about = (_COMMENT, trace.title), (_APPLICATION, "Annotated Shadowsocks")
    yield _block(_SECTION_HEADER, header + _options(*about))
    interface = struct.pack("!HHI", _RAW_IP, 0, 0)
    named = (_NAME, "wire"), (_DESCRIPTION, trace.source), (_RESOLUTION, _NANOSECONDS)
    yield _block(_INTERFACE_DESCRIPTION, interface + _options(*named))
    story = tell(trace)
    rows: dict[int, list[Row]] = {}
    for row in story.rows:
        if row.passage is not None:
            rows.setdefault(row.passage.packet, []).append(row)
    for number, passage in passages(trace).items():
        yield _packet(passage, story, rows[number])


def _packet(passage: Passage, story: Story, rows: list[Row]) -> bytes:
    if isinstance(passage.segment, Segment):
        octets = octets_of.encode(passage.segment)
    else:
        # Whoever found out that the peer cannot be reached is as far away as the peer.
        reporter = passage.segment.flow.remote.host
        octets = octets_of.encode_unreachable(passage.segment, reporter)
    high, low = divmod(passage.sent_at, 2**32)
    # [PCAPNG §4.3] interface, time in two words, octets in the file, octets on the wire
    fixed = struct.pack("!IIIII", 0, high, low, len(octets), len(octets))
    direction = _OUTBOUND if passage.sender == story.server else _INBOUND
    options = _options(
        (_COMMENT, _comment(passage, story, rows)), (_FLAGS, struct.pack("!I", direction))
    )
    return _block(_ENHANCED_PACKET, fixed + _padded(octets) + options)


def _comment(passage: Passage, story: Story, rows: list[Row]) -> str:
    """Who sent it to whom and why, what became of it, and how the queues stood after it."""
    again = " again" if passage.again else ""
    lines = [f"{passage.sender} > {passage.receiver}: {passage.name}{again}"]
    if passage.reason:
        lines.append(passage.reason)
    for row in rows:
        if row.kind is Kind.ARRIVAL:
            lines.append(f"arrives {text(row.at - passage.sent_at)} later")
        if row.outcome:
            lines.append(row.outcome)
    return "\n".join([*lines, *_standing(rows[-1], story)])


def _standing(row: Row, story: Story) -> Iterator[str]:
    if row.counters:
        yield ", ".join(f"{name} +{by}" for name, by in row.counters.items())
    for gauge, depth in zip(story.gauges, row.depths, strict=True):
        if depth is not None:
            yield f"{gauge.queue} {depth[0]}" + ("" if depth[1] is None else f"/{depth[1]}")


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("!I", len(body) + 12)
    return struct.pack("!I", kind) + size + body + size


def _options(*options: tuple[int, str | bytes]) -> bytes:
    """Those that are not empty, and the end of them."""
    found = b""
    for code, value in options:
        content = value.encode() if isinstance(value, str) else value
        # A character that the cut goes through is left out; readers want valid UTF-8.
        if len(content) > _LONGEST:
            content = content[:_LONGEST].decode(errors="ignore").encode()
        if content:
            found += struct.pack("!HH", code, len(content)) + _padded(content)
    return found + struct.pack("!HH", _END, 0)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
