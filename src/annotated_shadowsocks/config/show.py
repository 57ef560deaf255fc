"""A ``Config`` as plain values: every default written out, every secret masked."""

from typing import Any

from .model import Config, LocalConfig, ManagerConfig, ServerConfig
from .secret import MASK

__all__ = ["shown"]


def shown(config: Config) -> dict[str, Any]:
    """``config`` in the words of a document; lists of hosts and ports are spread out."""
    return {
        "servers": [_server(server) for server in config.servers],
        "locals": [_local(local) for local in config.locals],
        "timeout": config.timeout,
        "udp_timeout": config.udp_timeout,
        "udp_max_associations": config.udp_max_associations,
        "no_delay": config.no_delay,
        "keep_alive": config.keep_alive,
        "fast_open": config.fast_open,
        "ipv6_first": config.ipv6_first,
        "nofile": config.nofile,
        "backlog": "auto" if config.backlog is None else config.backlog,
        "backlog_adaptive": config.backlog_adaptive,
        "reuse_port": config.reuse_port,
        "defer_accept": config.defer_accept,
        **_metrics(config),
        **_manager(config),
        "workers": config.workers,
        "allow_private_targets": config.allow_private_targets,
        "allow_weak_passwords": config.allow_weak_passwords,
        **_dns(config),
        "state_directory": config.state_directory,
        "shutdown_grace": config.shutdown_grace,
        "log": {
            "level": config.log.verbosity,
            "format": {"without_time": config.log.without_time},
        },
    }


def _dns(config: Config) -> dict[str, Any]:
    if config.dns is None:
        return {"dns": "system"}
    return {"dns": [str(endpoint) for endpoint in config.dns]} if config.dns else {}


def _metrics(config: Config) -> dict[str, Any]:
    metrics = config.metrics
    if metrics is None:
        return {}
    token = {"token": MASK} if metrics.token else {}
    return {"metrics": {"listen": str(metrics.listen), **token}}


def _manager(config: Config) -> dict[str, Any]:
    manager = config.manager
    if manager is None:
        return {}
    # What is said of one server at the top level holds for every port that is added.
    return {
        "manager_address": str(manager.listen),
        "server": list(manager.hosts),
        "method": manager.method.name,
        "mode": _mode(manager),
    }


def _server(server: ServerConfig) -> dict[str, Any]:
    return {
        "server": server.endpoint.host,
        "server_port": server.endpoint.port,
        "method": server.method.name,
        "password": MASK,
        **({} if server.users is None else {"users": [user.name for user in server.users]}),
        **_destinations(server),
        "mode": _mode(server),
        "timeout": server.timeout,
        "udp_over_tcp": server.udp_over_tcp,
        "remarks": server.remarks,
    }


def _destinations(server: ServerConfig) -> dict[str, Any]:
    if not server.destinations:
        return {}
    shown = [{"name": one.name, "server": str(one.endpoint)} for one in server.destinations]
    return {"destinations": shown}


def _local(local: LocalConfig) -> dict[str, Any]:
    return {
        "local_address": local.listen.host,
        "local_port": local.listen.port,
        "mode": _mode(local),
        "users": [user.name for user in local.users],
    }


def _mode(party: ServerConfig | LocalConfig | ManagerConfig) -> str:
    if party.tcp and party.udp:
        return "tcp_and_udp"
    return "udp_only" if party.udp else "tcp_only"
