"""The section that says where figures are served, and to whom."""

import ipaddress

from ..endpoint import Endpoint
from ..errors import ConfigError
from . import options as o
from .model import MetricsConfig
from .option import Scope
from .sections import Section
from .sources import Sources

__all__ = ["is_loopback", "metrics_config"]


def metrics_config(sources: Sources, top: Section) -> MetricsConfig | None:
    """What ``metrics`` of the document and ``--metrics`` ask for, None where neither does."""
    said, before = top.find(o.METRICS), len(sources.problems.errors)
    section = sources.read(said.path, Scope.METRICS) if said else Section("")
    section = sources.flags.over(section)
    place, token = section.find(o.METRICS_LISTEN), section.find(o.METRICS_TOKEN)
    if place is None:
        # Unless it was there, and could not be read.
        if said is not None and said.value and len(sources.problems.errors) == before:
            sources.problems.add(said.place, "no listen", 'write "listen": "127.0.0.1:9150"')
        return None
    host, port = place.value
    if port is None:
        sources.problems.add(place.place, f"'{host}' has no port", "write HOST:PORT")
        return None
    secret = None
    if token is not None:
        secret = sources.attempt(token.place, lambda: sources.expand(token.value))
    elif not is_loopback(host):
        problem = f"{host} can be reached from elsewhere, and there is no token"
        remedy = "set metrics.token in the file, or listen on 127.0.0.1"
        sources.problems.add_at(place.place, ConfigError("", problem, remedy))
    return MetricsConfig(Endpoint(host, port), secret)


def is_loopback(host: str) -> bool:
    """Whether only this host reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
