"""What the wire does with the packets of kernel clients: a script's rules, applied.

The same for both stages, whatever a packet is there: a segment or the octets from a TUN device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..scripts.statements import WireRule, WireVerb
from ..tcp_model.instant import Duration

__all__ = ["RuledWire"]

_PacketT = TypeVar("_PacketT")


@dataclass(frozen=True, slots=True)
class _Held(Generic[_PacketT]):
    name: str
    inbound: bool
    packet: _PacketT


class RuledWire(Generic[_PacketT]):
    """Rules in the order in which they were set; the latest that fits a packet applies."""

    __slots__ = ("_held", "_rules")

    def __init__(self) -> None:
        self._rules: list[tuple[WireRule, frozenset[str] | None]] = []
        self._held: list[_Held[_PacketT]] = []

    def offer(self, name: str, inbound: bool, packet: _PacketT) -> Duration | None:
        """How long a packet of that client takes; None where it is held or lost."""
        for rule, names in reversed(self._rules):
            if not _fits(rule, names, name, inbound):
                continue
            if rule.verb is WireVerb.HOLD:
                self._held.append(_Held(name, inbound, packet))
                return None
            return None if rule.verb is WireVerb.DROP else rule.delay
        return 0

    def change(self, rule: WireRule, deliver: Callable[[_PacketT], None]) -> None:
        """Set a rule; one that releases packets gives them to ``deliver``, in order."""
        names = None if rule.names is None else frozenset(rule.names)
        self._rules.append((rule, names))
        if rule.verb not in (WireVerb.RELEASE, WireVerb.REORDER):
            return
        held, self._held = self._held, []
        free: list[_Held[_PacketT]] = []
        for one in held:
            (free if _fits(rule, names, one.name, one.inbound) else self._held).append(one)
        if rule.verb is WireVerb.REORDER:
            free.reverse()
        for one in free:
            deliver(one.packet)


def _fits(rule: WireRule, names: frozenset[str] | None, name: str, inbound: bool) -> bool:
    return (names is None or name in names) and rule.inbound in (None, inbound)
