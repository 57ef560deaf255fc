"""What a service counts: plain integers, so that counting costs nothing worth measuring."""

from collections import Counter

from ..errors import label

__all__ = ["Counters"]


class Counters:
    """Totals since the start; octets are plain text's, without salts, lengths and tags."""

    __slots__ = ("accepted", "failures", "relayed", "sent_to_client", "sent_to_target")

    def __init__(self) -> None:
        #: Connections accepted, and those of them that reached their target.
        self.accepted = 0
        self.relayed = 0
        #: Octets received from either side of ended relays.
        self.sent_to_target = 0
        self.sent_to_client = 0
        #: How connections failed, by the words of ``errors.label``.
        self.failures: Counter[str] = Counter()

    def failed(self, error: BaseException) -> None:
        """Count one failure."""
        self.failures[label(error)] += 1
