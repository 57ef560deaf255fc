"""Document and flags to ``Config``, or every error that was found."""

from collections.abc import Mapping
from dataclasses import replace

from . import options as o
from .listeners import local_config, local_sections
from .manager import MANAGERS, managed_sections, manager_config, with_defaults
from .metrics import metrics_config
from .model import Config, LocalConfig, LogConfig, ServerConfig
from .option import Scope
from .reader import Document
from .sections import Problems, Section, Setting
from .servers import server_configs, server_sections
from .sources import ReadText, Sources

__all__ = ["build"]


def build(
    document: Document,
    flags: Mapping[str, Setting],
    program: str,
    environment: Mapping[str, str],
    read_text: ReadText,
) -> Config:
    """The configuration of ``program``: ``sslocal``, ``ssserver``, ``ssmanager``, ``ss-manager``.

    ``flags`` are settings by the key of their row. ``environment`` answers ``${NAME}`` and
    ``read_text`` reads files of secrets. One document can serve both ends: what belongs to the
    other program is checked and left alone.

    Raises the first ``ConfigError``; the further ones are its notes.
    """
    sources = Sources(document, Section("command line", flags), environment, read_text)
    top = sources.read((), Scope.TOP)
    if program in MANAGERS:
        top = with_defaults(top)
    # Two passes, so that a value which could not be read is not reported as missing as well.
    server_list = _server_sections(sources, top, program)
    local_list = local_sections(sources, top)
    log = _log(sources, top)
    metrics = metrics_config(sources, top)
    manager = manager_config(sources, top, program)
    sources.problems.raise_first()
    default_mode = "tcp_and_udp" if program == "sslocal" else o.MODE.default
    servers = [
        server
        for section in server_list
        for server in server_configs(sources, section, default_mode, program)
    ]
    if program != "sslocal":
        local_list = []
    listeners = [local_config(sources, section) for section in local_list]
    whole = sources.flags.over(top)
    _check(sources.problems, document.name, program, servers, listeners)
    if whole.get(o.WORKERS) > 1 and any(place.udp and place.users for place in listeners):
        # Who has given a password is known to the worker that was asked, and the kernel deals a
        # client's datagrams to any of them.
        remedy = "set workers to 1, or serve UDP without users"
        sources.problems.add(document.name, "users cannot be told apart on UDP by workers", remedy)
    sources.problems.raise_first()
    return Config(
        servers=tuple(servers),
        locals=tuple(listeners),
        timeout=min(whole.get(o.TIMEOUT), o.HANDSHAKE_LIMIT),
        udp_timeout=whole.get(o.UDP_TIMEOUT),
        udp_max_associations=whole.get(o.UDP_MAX_ASSOCIATIONS),
        no_delay=whole.get(o.NO_DELAY),
        keep_alive=whole.get(o.KEEP_ALIVE),
        fast_open=whole.get(o.FAST_OPEN),
        ipv6_first=whole.get(o.IPV6_FIRST),
        nofile=whole.get(o.NOFILE),
        backlog=whole.get(o.BACKLOG),
        backlog_adaptive=whole.get(o.BACKLOG_ADAPTIVE),
        reuse_port=whole.get(o.REUSE_PORT),
        defer_accept=whole.get(o.DEFER_ACCEPT),
        metrics=metrics,
        manager=manager,
        workers=whole.get(o.WORKERS),
        allow_private_targets=whole.get(o.ALLOW_PRIVATE_TARGETS),
        allow_weak_passwords=whole.get(o.ALLOW_WEAK_PASSWORDS),
        dns=whole.get(o.DNS),
        state_directory=whole.get(o.STATE_DIRECTORY),
        shutdown_grace=whole.get(o.SHUTDOWN_GRACE),
        log=log,
    )


def _server_sections(sources: Sources, top: Section, program: str) -> list[Section]:
    if program == "sslocal":
        # At this end `mode` says what the local listeners take. What a server takes is said by
        # its own entry, and is everything where that is silent.
        sources = replace(sources, flags=sources.flags.without(o.MODE))
        top = top.without(o.MODE)
    if program in MANAGERS:
        return managed_sections(sources, top)
    sections = server_sections(sources, top)
    if not sections and not sources.problems.errors:
        remedy = 'add "server", or give -s HOST:PORT'
        sources.problems.add(sources.document.name, "no server is configured", remedy)
    return sections


def _log(sources: Sources, top: Section) -> LogConfig:
    whole = sources.flags.over(top)
    log = top.find(o.LOG)
    section = sources.read(log.path, Scope.LOG) if log else Section("")
    shape = section.find(o.LOG_FORMAT)
    layout = sources.read(shape.path, Scope.LOG_FORMAT) if shape else Section("")
    said = whole.find(o.VERBOSE)
    return LogConfig(
        verbosity=said.value if said else section.get(o.LOG_LEVEL),
        without_time=sources.flags.over(layout).get(o.LOG_WITHOUT_TIME),
    )


def _check(
    problems: Problems,
    name: str,
    program: str,
    servers: list[ServerConfig],
    listeners: list[LocalConfig],
) -> None:
    """What only shows when everything is together."""
    if program == "sslocal":
        endpoints = [listener.listen for listener in listeners]
        if not endpoints and not problems.errors:
            problems.add(name, "every entry of locals is disabled", "enable one")
        if any(server.endpoint.port == 0 for server in servers):
            problems.add(name, "a server has port 0", "use 1 to 65535")
    else:
        endpoints = [server.endpoint for server in servers]
    # The kernel would refuse the second one with "address already in use", and blame nobody.
    for endpoint in {one for one in endpoints if endpoints.count(one) > 1 and one.port}:
        problems.add(name, f"{endpoint} is configured twice", "remove one of the two")
