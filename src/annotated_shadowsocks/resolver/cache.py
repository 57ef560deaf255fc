"""Outcomes by name, for as long as they may be believed, and only so many."""

from collections import OrderedDict

from .resolution import Outcome

__all__ = ["Cache"]


class Cache:
    """At most ``capacity`` outcomes; the one that was least lately used goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[float, Outcome]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, now: float) -> Outcome | None:
        """The outcome for ``name``, unless it has expired."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        expires, outcome = entry
        if now >= expires:
            del self._entries[name]
            return None
        self._entries.move_to_end(name)
        return outcome

    def put(self, name: str, outcome: Outcome, now: float) -> None:
        """Remember ``outcome`` for its time to live."""
        self._entries[name] = now + outcome.ttl, outcome
        self._entries.move_to_end(name)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
