"""Rows of the table of options: where ssmanager is told which ports to serve."""

from . import kinds
from .option import Option, flag

__all__ = ["MANAGER_ADDRESS", "MANAGER_PORT"]

MANAGER_ADDRESS: Option[kinds.HostPort | str | None] = Option(
    "manager_address",
    kinds.host_port_or_path,
    None,
    "where ssmanager takes datagrams: a loopback address with a port, or the path of a Unix socket",
    rust=(flag("--manager-addr --manager-address", "ssmanager", "ADDRESS"),),
    libev=(flag("--manager-address", "ss-manager", "ADDRESS"),),
)
MANAGER_PORT: Option[int | None] = Option(
    "manager_port", kinds.port, None, "the port there, where manager_address names none"
)
