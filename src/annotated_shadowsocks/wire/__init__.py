"""Bytes as they travel: readers that never take more than there is.

``reader``     pulls fields out of a stream whose octets arrive in any pieces
``core``       the interface of every stream core, and the base that handshakes share
``address``    the SOCKS address, ``atyp dst_addr dst_port``, which Shadowsocks borrowed
``netlink``    messages and attributes in the datagrams of the Linux kernel
``inet_diag``  what these say about TCP sockets

The rule: a decoder gives the same events for the same octets, however they were cut, and leaves
what follows its message to whoever it belongs to. ``testing.chunking`` is that sentence as a test.
"""

__all__: list[str] = []
