"""What is simulated, as one value: it can be compared, sent to another process and printed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import ConfigError
from ..tcp_model.instant import MILLISECOND, Duration, Instant
from ..tcp_model.profile import Feature
from ..tcp_model.profiles import DEFAULT, find
from .arrivals import Arrivals
from .spread import Constant, Spread

__all__ = ["Scenario", "Settings", "Stall"]

Settings = tuple[tuple[str, int], ...]


class Stall(NamedTuple):
    """A time in which nothing is accepted: by one worker, or by all where ``worker`` is None."""

    at: Instant
    duration: Duration
    worker: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A listener, its workers, the clients, and the way between them.

    Raises ``ConfigError`` for what cannot be.
    """

    arrivals: tuple[Arrivals, ...]
    backlog: int = 128
    profile: str = DEFAULT.name
    #: Settings of the server, which differ from its profile's, and of the clients, who are Linux.
    settings: Settings = ()
    client_settings: Settings = ()
    #: How long a worker is busy with a connection before it calls accept() again.
    accept_cost: Spread = field(default=Constant(0))
    #: 0: nobody ever calls accept().
    workers: int = 1
    #: Each worker has a listener of its own; otherwise they share one.
    reuse_port: bool = False
    stalls: tuple[Stall, ...] = ()
    #: How long a segment takes, drawn once for each client.
    delay: Spread = field(default=Constant(MILLISECOND))
    #: The chance of a segment to be lost.
    loss: float = 0.0
    #: TCP_DEFER_ACCEPT in seconds: who is only connected does not count before; 0: it is not set.
    defer_accept: int = 0
    #: Clients send a request as soon as they are connected; otherwise they wait for a greeting.
    speaks: bool = True
    #: How long a client waits for connect(); None: as long as its kernel does.
    patience: Duration | None = None

    def __post_init__(self) -> None:
        """Check what no type says."""
        profile = find(self.profile)
        profile.sysctl(dict(self.settings))
        DEFAULT.sysctl(dict(self.client_settings))
        if not 0 <= self.loss < 1:
            raise ConfigError("loss", f"{self.loss} is no chance", "write 0 to 0.99, like 0.01")
        if not 0 <= self.workers <= 10_000:
            raise ConfigError("workers", f"{self.workers} is impossible", "write 0 to 10000")
        if not 0 <= self.defer_accept <= 3600:
            problem = f"{self.defer_accept} is impossible"
            raise ConfigError("defer_accept", problem, "write 0 to 3600 seconds")
        if self.defer_accept and Feature.DEFER_ACCEPT not in profile.features:
            raise ConfigError("defer_accept", f"{self.profile} has none", "leave it out")
        if self.reuse_port and Feature.REUSEPORT not in profile.features:
            raise ConfigError("reuse_port", f"{self.profile} has none", "share one listener")
        for stall in self.stalls:
            if stall.worker is not None and not 0 <= stall.worker < self.workers:
                problem = f"there is no worker {stall.worker}"
                raise ConfigError("stall", problem, f"write 0 to {self.workers - 1}")
