"""Numbers that look random to a peer and are the same in every run.

A kernel keeps secrets and hashes flows with them: for initial sequence numbers, SYN cookies, Fast
Open cookies, timestamp offsets and the choice among SO_REUSEPORT listeners. The model does the
same with one secret, which is an argument. So nothing has to be drawn, and a trace depends on
nothing but its inputs.
"""

from hashlib import blake2s

from .instant import MILLISECOND, Instant
from .segment import Flow
from .seqnum import SeqNum, add

__all__ = ["Keyed"]


class Keyed:
    """A keyed hash and its uses. ``secret`` is 0 to 32 octets."""

    __slots__ = ("_hash",)

    def __init__(self, secret: bytes = b"") -> None:
        self._hash = blake2s(key=secret)

    def digest(self, purpose: str, flow: Flow, extra: int = 0) -> bytes:
        """32 octets for one purpose and flow; with the same arguments, the same octets."""
        fresh = self._hash.copy()
        (host, port), (peer, peer_port) = flow
        fresh.update(f"{purpose} {host} {port} {peer} {peer_port} {extra}".encode())
        return fresh.digest()

    def word(self, purpose: str, flow: Flow, extra: int = 0) -> int:
        """32 bits of it."""
        return int.from_bytes(self.digest(purpose, flow, extra)[:4], "big")

    def iss(self, flow: Flow, now: Instant) -> SeqNum:
        """[RFC6528 §3] an initial sequence number: a clock, and a secret offset for each flow."""
        # [linux seq_scale] one tick for every 64 ns
        return add(self.word("iss", flow), now >> 6)

    def tsval(self, flow: Flow, now: Instant) -> int:
        """[RFC7323 §5.4] the timestamp clock in milliseconds, with an offset for each flow."""
        return add(self.word("ts", flow), now // MILLISECOND)
