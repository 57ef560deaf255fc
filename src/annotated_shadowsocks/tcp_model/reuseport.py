"""Several listeners on one endpoint, and what one of them leaves behind.

[linux reuseport_select_sock] A SYN goes to one listener of the group, by a hash of its flow, and
its request belongs to that listener from then on: when it closes, final ACKs of its requests are
answered by RST although a sibling listens. ``tcp_migrate_req`` makes the siblings heirs.
"""

from dataclasses import dataclass, field

from .instant import Instant
from .listener import Listener
from .states import State

__all__ = ["Group", "choose"]


@dataclass(slots=True)
class Group:
    """The listeners of one endpoint; most groups have one."""

    members: list[Listener] = field(default_factory=list)
    #: [linux tcp_synq_overflow] when a cookie was sent, kept for the group as a whole
    cookie_sent_at: Instant | None = None

    def leave(self, listener: Listener) -> None:
        """[linux __reuseport_detach_sock] The last member takes the place of the one who goes."""
        index = self.members.index(listener)
        last = self.members.pop()
        if last is not listener:
            self.members[index] = last


def choose(members: list[Listener], word: int) -> Listener | None:
    """The listener for a flow that hashes to ``word``, 32 bits; None where nobody listens."""
    listening = [member for member in members if member.state is State.LISTEN]
    if not listening:
        return None
    # [linux reciprocal_scale] the high bits choose
    return listening[(word * len(listening)) >> 32]
