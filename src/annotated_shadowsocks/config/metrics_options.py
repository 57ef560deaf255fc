"""Rows of the table of options: where figures are served, and to whom."""

from . import kinds
from .option import Option, Scope, flag
from .secret import Secret

__all__ = ["METRICS", "METRICS_LISTEN", "METRICS_TOKEN"]

METRICS: Option[dict[str, object]] = Option(
    "metrics",
    kinds.object_,
    {},
    "serve /metrics, /healthz and /readyz: an object with listen and token",
)
METRICS_LISTEN: Option[kinds.HostPort | None] = Option(
    "listen",
    kinds.host_port,
    None,
    "where metrics are served by HTTP; anywhere but on loopback a token is needed",
    Scope.METRICS,
    own=(flag("--metrics", takes="HOST:PORT"),),
)
METRICS_TOKEN: Option[Secret | None] = Option(
    "token",
    kinds.secret,
    None,
    "what a client must send as Authorization: Bearer TOKEN; ${NAME} is taken from the environment",
    Scope.METRICS,
)
