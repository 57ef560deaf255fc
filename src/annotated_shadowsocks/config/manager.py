"""From settings to a manager: where it is told what to serve, and what it makes of that."""

from functools import partial

from ..crypto import methods
from ..endpoint import Endpoint
from ..errors import ConfigError
from ..manager_protocol.requests import Add
from . import kinds
from . import options as o
from .accounts import keys_of
from .metrics import is_loopback
from .model import ManagerConfig, ServerConfig, User
from .option import Scope
from .sections import Section, Setting
from .servers import IDENTITY
from .sources import Sources

__all__ = [
    "LIBEV_MANAGER",
    "MANAGERS",
    "added",
    "managed_sections",
    "manager_config",
    "with_defaults",
]

#: The program whose clients are answered as shadowsocks-libev's does.
LIBEV_MANAGER = "ss-manager"

#: The programs that take servers by datagrams.
MANAGERS = ("ssmanager", LIBEV_MANAGER)

#: What both peers listen on. Of methods one takes this for granted and the other ``table``, which
#: is no cipher that anybody should use.
_HOST, _METHOD = "0.0.0.0", "chacha20-ietf-poly1305"


def with_defaults(top: Section) -> Section:
    """``top``, laid over what a manager takes for granted."""
    settings = {
        o.SERVER.key: Setting((kinds.HostPort(_HOST, None),), "the default"),
        o.METHOD.key: Setting(methods.find(_METHOD), "the default"),
    }
    return top.within(Section(top.place, settings))


def managed_sections(sources: Sources, top: Section) -> list[Section]:
    """One section for each server of the document, which is served from the start."""
    flags = sources.flags
    entries = sources.entries(top.find(o.SERVERS), Scope.SERVER)
    sections = [flags.over(entry.within(top.without(*IDENTITY))) for entry in entries]
    # Where no port is named, the rest of the top level says what added ports are like.
    own = o.PORT_PASSWORD in top or o.SERVER_PORT in top
    return [flags.over(top), *sections] if own else sections


def manager_config(sources: Sources, top: Section, program: str) -> ManagerConfig | None:
    """What ``manager_address`` asks for; None for a program that is no manager."""
    whole = sources.flags.over(top)
    said = whole.find(o.MANAGER_ADDRESS)
    if program not in MANAGERS:
        if said is not None and program == "ssserver":
            remedy = "run ssmanager with this file instead, or remove it"
            sources.problems.add(said.place, "ssserver takes no orders", remedy)
        return None
    if said is None:
        remedy = 'add "manager_address", or --manager-address 127.0.0.1:6001'
        sources.problems.add(sources.document.name, "no manager_address", remedy)
        return None
    if whole.get(o.WORKERS) > 1:
        problem = "a port that a datagram adds is served by the process that was told"
        sources.problems.add(said.place, problem, "set workers to 1")
    hosts = whole.get(o.SERVER)
    if o.SERVER in sources.flags and any(host.port is not None for host in hosts):
        place = sources.flags.settings[o.SERVER.key].place
        sources.problems.add(place, "each server has a port of its own", "give the host alone")
    listen = sources.attempt(said.place, partial(_listen, whole, said.value))
    if listen is None:
        return None
    mode = whole.get(o.MODE)
    return ManagerConfig(
        listen,
        whole.get(o.METHOD),
        tuple(host.host for host in hosts),
        tcp=mode != "udp_only",
        udp=mode != "tcp_only",
        timeout=min(whole.get(o.TIMEOUT), o.HANDSHAKE_LIMIT),
        allow_insecure_ciphers=whole.get(o.ALLOW_INSECURE_CIPHERS),
        libev=program == LIBEV_MANAGER,
    )


def _listen(whole: Section, said: kinds.HostPort | str) -> Endpoint | str:
    if isinstance(said, str):
        return said
    port = whole.get(o.MANAGER_PORT) if said.port is None else said.port
    if port is None:
        remedy = "write HOST:PORT, or a path with a slash"
        raise ConfigError("", f"'{said.host}' has no port", remedy)
    if not is_loopback(said.host):
        # [X41-2017-010] whoever can send a datagram there decides what is served, and the protocol
        # has no password.
        problem = f"{said.host} can be reached from elsewhere, and anybody there could add ports"
        remedy = "write 127.0.0.1, or the path of a Unix socket, and come by ssh"
        raise ConfigError("", problem, remedy)
    return Endpoint(said.host, port)


def added(manager: ManagerConfig, request: Add) -> tuple[ServerConfig, ...]:
    """What ``request`` adds, one server for each host. Raises ``ConfigError``."""
    method = manager.method if request.method is None else methods.find(request.method)
    insecure = methods.insecurity(method)
    if insecure is not None and not manager.allow_insecure_ciphers:
        raise insecure
    users = None
    if request.users is not None:
        users = tuple(User(one.name, kinds.secret(one.password)) for one in request.users)
    tcp, udp = manager.tcp, manager.udp
    if request.mode is not None:
        tcp, udp = request.mode != "udp_only", request.mode != "tcp_only"
    servers = tuple(
        ServerConfig(
            Endpoint(host, request.port),
            method,
            kinds.secret(request.password),
            tcp=tcp,
            udp=udp,
            timeout=manager.timeout,
            users=users,
        )
        for host in manager.hosts
    )
    keys_of(servers[0])
    return servers
