"""The result: what both programs run from. Frozen, typed, and checked by the time it exists."""

from dataclasses import dataclass

from ..crypto.methods import CipherMethod
from ..endpoint import Endpoint
from .secret import Secret

__all__ = [
    "Config",
    "Destination",
    "LocalConfig",
    "LogConfig",
    "ManagerConfig",
    "MetricsConfig",
    "ServerConfig",
    "User",
]


@dataclass(frozen=True, slots=True)
class User:
    """Someone who may use a SOCKS5 listener, by RFC 1929, or a server of several users."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Destination:
    """A server that a relay passes streams and datagrams on to; ``password`` is that server's."""

    name: str
    endpoint: Endpoint
    password: Secret


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One server: where ``ssserver`` listens, or where ``sslocal`` connects."""

    endpoint: Endpoint
    method: CipherMethod
    password: Secret
    tcp: bool = True
    udp: bool = False
    timeout: float = 60.0
    """Seconds from accept in which the handshake must be complete; absolute."""
    remarks: str = ""
    users: tuple[User, ...] | None = None
    """None: whoever has the password. SIP004 takes their passwords in place of the server's."""
    destinations: tuple[Destination, ...] = ()
    """Not empty: ``ssserver`` connects to these only."""
    udp_over_tcp: int = 0
    """The version of UDP over TCP that ``sslocal`` speaks to it, 0 for none."""


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """One place where ``sslocal`` listens for SOCKS5."""

    listen: Endpoint
    tcp: bool = True
    udp: bool = False
    users: tuple[User, ...] = ()
    """Empty: anyone who can reach the listener."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What is logged."""

    verbosity: int = 0
    """0 informs, 1 adds details, 2 adds tracebacks."""
    without_time: bool = False


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Where figures are served by HTTP, and to whom."""

    listen: Endpoint
    token: Secret | None = None
    """None: to whoever can reach it, which only a loopback address allows."""


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """Where ``ssmanager`` takes datagrams, and what a port is like that is added by one."""

    listen: Endpoint | str
    """A loopback address, or the path of a Unix socket."""
    method: CipherMethod
    hosts: tuple[str, ...] = ("0.0.0.0",)
    tcp: bool = True
    udp: bool = False
    timeout: float = 60.0
    allow_insecure_ciphers: bool = False
    libev: bool = False
    """Whether clients are answered as ``ss-manager`` does, and not as ``ssmanager``."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the operator decided. ``locals`` is empty for all but ``sslocal``."""

    servers: tuple[ServerConfig, ...]
    locals: tuple[LocalConfig, ...] = ()
    timeout: float = 60.0
    """Seconds from accept in which a SOCKS5 handshake must be complete; absolute."""
    udp_timeout: float = 300.0
    """Seconds of silence after which a UDP association ends."""
    udp_max_associations: int | None = None
    """None: as many as the limit of descriptors allows."""
    no_delay: bool = True
    keep_alive: int = 60
    """Seconds between keep-alive probes; 0 for none."""
    fast_open: bool = False
    ipv6_first: bool = False
    nofile: int | None = None
    """Limit of open descriptors; None: raised as far as allowed."""
    backlog: int | None = None
    """The argument of listen(2); None: as much as the kernel allows."""
    backlog_adaptive: bool = False
    """Whether the backlog grows as a queue nears its limit."""
    reuse_port: bool = False
    """Whether each worker has listeners of its own."""
    defer_accept: int = 0
    """Seconds for which a silent connection is kept out of the accept queue; 0 for none."""
    metrics: MetricsConfig | None = None
    manager: ManagerConfig | None = None
    """None: the servers are those of the configuration."""
    workers: int = 1
    allow_private_targets: bool = False
    allow_weak_passwords: bool = False
    dns: tuple[Endpoint, ...] | None = ()
    """DNS servers; empty: those of resolv.conf; None: whatever the C library asks."""
    state_directory: str | None = None
    """Where the memory for salts is kept; None: where the system keeps such things."""
    shutdown_grace: float = 30.0
    """Seconds that open connections may go on after SIGTERM."""
    log: LogConfig = LogConfig()
