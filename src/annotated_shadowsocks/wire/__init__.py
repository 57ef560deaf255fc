"""Bytes as they travel: readers that never take more than there is.

``reader``   pulls fields out of a stream whose bytes arrive in any pieces
``address``  the SOCKS address, ``atyp dst_addr dst_port``, which Shadowsocks borrowed
"""

__all__: list[str] = []
