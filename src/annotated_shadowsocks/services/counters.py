"""What a service counts: plain integers, so that counting costs nothing worth measuring."""

from collections import Counter
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import label

__all__ = ["Counters", "PortCount", "UserCount"]


@dataclass(slots=True)
class UserCount:
    """What one user had: connections that were relayed, and datagrams.

    The octets are those of connections that have ended, and of all datagrams.
    """

    relayed: int = 0
    packets_from_client: int = 0
    packets_from_targets: int = 0
    from_client: int = 0
    from_targets: int = 0


@dataclass(slots=True)
class PortCount:
    """Octets of one port either way, as they were on the wire, of what has ended there."""

    octets: int = 0


class Counters:
    """Totals since the start."""

    __slots__ = (
        "accepted",
        "failures",
        "from_clients",
        "from_targets",
        "ports",
        "relayed",
        "users",
    )

    def __init__(self) -> None:
        #: Connections accepted, and those of them that reached their target.
        self.accepted = 0
        self.relayed = 0
        #: Octets that ended relays have received from either side, as they were on the wire,
        #: those that came with the request too.
        self.from_clients = 0
        self.from_targets = 0
        #: How connections failed, by the words of ``errors.label``.
        self.failures: Counter[str] = Counter()
        #: By the name of the user; where there are none, nothing.
        self.users: dict[str, UserCount] = {}
        #: By where clients come to.
        self.ports: dict[Endpoint, PortCount] = {}

    def failed(self, error: BaseException) -> None:
        """Count one failure."""
        self.failures[label(error)] += 1

    def user(self, name: str) -> UserCount:
        """The account of the user of that ``name``."""
        return self.users.setdefault(name, UserCount())

    def port(self, endpoint: Endpoint) -> PortCount:
        """The account of whatever serves ``endpoint``."""
        return self.ports.setdefault(endpoint, PortCount())
