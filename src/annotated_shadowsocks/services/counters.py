"""What a service counts: plain integers, so that counting costs nothing worth measuring."""

from collections import Counter

from ..errors import label

__all__ = ["Counters"]


class Counters:
    """Totals since the start."""

    __slots__ = ("accepted", "failures", "from_clients", "from_targets", "relayed")

    def __init__(self) -> None:
        #: Connections accepted, and those of them that reached their target.
        self.accepted = 0
        self.relayed = 0
        #: Octets that ended relays have received from either side, as they were on the wire.
        self.from_clients = 0
        self.from_targets = 0
        #: How connections failed, by the words of ``errors.label``.
        self.failures: Counter[str] = Counter()

    def failed(self, error: BaseException) -> None:
        """Count one failure."""
        self.failures[label(error)] += 1
