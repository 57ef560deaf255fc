"""Netlink: how the Linux kernel is asked about itself, as datagrams of messages.

A message, and an attribute inside one, both padded with zeros to a multiple of four octets::

    +-----------+------------+-------------+-----------+-----------+===========+
    | nlmsg_len | nlmsg_type | nlmsg_flags | nlmsg_seq | nlmsg_pid |  payload  |
    |     4     |     2      |      2      |     4     |     4     |           |
    +-----------+------------+-------------+-----------+-----------+===========+

    +---------+----------+===========+
    | nla_len | nla_type |  payload  |      each length counts its own header, no padding
    |    2    |    2     |           |
    +---------+----------+===========+

Numbers are in the byte order of the host: both ends are on it. A *dump* is answered by many
messages with the flag ``NLM_F_MULTI`` in as many datagrams as it takes, and ends with
``NLMSG_DONE``; what went wrong comes as ``NLMSG_ERROR``, or inside ``NLMSG_DONE``.

The sender is the kernel, and still every length is checked: sandboxes imitate it, and a reader
that trusts a length is one bug away from reading what is not there.

Sources: netlink(7) and include/uapi/linux/netlink.h.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import RemoteProtocolError, Truncated

__all__ = [
    "NLMSG_DONE",
    "NLMSG_ERROR",
    "NLMSG_NOOP",
    "NLM_F_DUMP",
    "NLM_F_DUMP_INTR",
    "NLM_F_MULTI",
    "NLM_F_REQUEST",
    "Message",
    "attributes",
    "encode",
    "errno_of",
    "messages",
]

NLMSG_NOOP = 0x1
NLMSG_ERROR = 0x2
NLMSG_DONE = 0x3

NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
#: What was dumped changed meanwhile: entries may be missing, or there twice.
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x100 | 0x200

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")

# [linux nlattr] the two high bits say "nested" and "network order", and are no part of the type
_TYPE_MASK = 0x3FFF


class Message(NamedTuple):
    """One message: ``seq`` is the request's, ``pid`` the port of whoever asked."""

    type: int
    flags: int
    seq: int
    pid: int
    payload: memoryview


def encode(type_: int, flags: int, seq: int, payload: bytes) -> bytes:
    """A message from us to the kernel, which fills in our port itself."""
    size = _HEADER.size + len(payload)
    return _HEADER.pack(size, type_, flags, seq, 0) + payload + bytes(-size % 4)


def messages(datagram: bytes | bytearray | memoryview) -> Iterator[Message]:
    """The messages of one datagram, in order; their payloads are views of it, not copies.

    Raises ``Truncated`` where a message says that it is longer than what is left, and
    ``RemoteProtocolError`` where it says that it is shorter than its own header.
    """
    data = memoryview(datagram)
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _HEADER.size:
            raise Truncated(f"netlink message header cut off at octet {offset} of {end}")
        size, type_, flags, seq, pid = _HEADER.unpack_from(data, offset)
        if size < _HEADER.size:
            raise RemoteProtocolError(f"netlink message of {size} octets at octet {offset}")
        if size > end - offset:
            raise Truncated(f"netlink message of {size} octets at octet {offset} of {end}")
        yield Message(type_, flags, seq, pid, data[offset + _HEADER.size : offset + size])
        offset += size + -size % 4


def attributes(data: bytes | memoryview, offset: int = 0) -> dict[int, bytes]:
    """Copies of the attributes from ``offset`` on, by type; of two of one type, the last.

    Raises as ``messages`` does.
    """
    found: dict[int, bytes] = {}
    octets = bytes(data)
    end = len(octets)
    while offset < end:
        payload = offset + _ATTRIBUTE.size
        if payload > end:
            raise Truncated(f"netlink attribute header cut off at octet {offset} of {end}")
        size, type_ = _ATTRIBUTE.unpack_from(octets, offset)
        after = offset + size
        if after < payload:
            raise RemoteProtocolError(f"netlink attribute of {size} octets at octet {offset}")
        if after > end:
            raise Truncated(f"netlink attribute of {size} octets at octet {offset} of {end}")
        found[type_ & _TYPE_MASK] = octets[payload:after]
        offset = after + -size % 4
    return found


def errno_of(message: Message) -> int:
    """The error that an ``NLMSG_ERROR`` or ``NLMSG_DONE`` reports, as in errno(3); 0 for none.

    Raises ``Truncated`` for an ``NLMSG_ERROR`` without one.
    """
    if len(message.payload) < _ERROR.size:
        # Only an error has to have one; the end of a dump may come bare.
        if message.type == NLMSG_DONE:
            return 0
        raise Truncated(f"netlink error of {len(message.payload)} octets")
    # [linux netlink_dump_done] the end of a dump carries what its last step returned, which for a
    # dump that went wrong half way is the only word about it
    code: int = _ERROR.unpack_from(message.payload)[0]
    return -code if code < 0 else 0
