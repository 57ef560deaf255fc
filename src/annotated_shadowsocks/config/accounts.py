"""From settings to whom a server serves: users, or the servers that a relay passes on to."""

from functools import partial

from ..crypto.methods import CipherMethod, Generation
from ..endpoint import Endpoint
from ..errors import ConfigError
from ..shadowsocks.credentials import ServerKeys, client_keys, server_keys
from . import options as o
from .model import Destination, ServerConfig, User
from .option import Scope
from .secret import Secret
from .sections import Section
from .sources import Sources

__all__ = ["check_keys", "check_password", "destinations", "keys_of", "users"]


def users(sources: Sources, section: Section) -> tuple[User, ...] | None:
    """The users of one section, None where it has no such list.

    An empty list is a list: whoever removes the last user does not mean to admit everybody.
    """
    setting = section.find(o.USERS)
    if setting is None:
        return None
    found = []
    for entry in sources.entries(setting, Scope.USER):
        password = _password(sources, entry)
        if not entry.get(o.USER_NAME):
            sources.problems.add(entry.place, "a user without a name", 'add "name"')
        elif password is not None:
            found.append(User(entry.get(o.USER_NAME), password))
    return tuple(found)


def destinations(sources: Sources, section: Section) -> tuple[Destination, ...]:
    """The servers that one section passes on to; a name that is not given is the address."""
    found = []
    for entry in sources.entries(section.find(o.DESTINATIONS), Scope.DESTINATION):
        password = _password(sources, entry)
        hosts, ports = entry.get(o.SERVER), entry.get(o.SERVER_PORT)
        if len(hosts) != 1 or len(ports) != 1:
            remedy = 'write one "server" and one "server_port"'
            sources.problems.add(entry.place, "a destination is one server", remedy)
        elif password is not None:
            port = entry.port(hosts[0], o.SERVER, o.SERVER_PORT, ports[0])
            endpoint = Endpoint(hosts[0].host, port)
            name = entry.get(o.USER_NAME) or str(endpoint)
            found.append(Destination(name, endpoint, password))
    return tuple(found)


def check_password(sources: Sources, section: Section, method: CipherMethod) -> None:
    """Note a password beside users who are found without one."""
    level = next(one for one in section.levels() if o.USERS in one)
    for option in (o.PASSWORD, o.PASSWORD_FILE):
        if method.generation is Generation.AEAD and option in level:
            problem = f"with {method.name} each user has a password, and nobody this one"
            sources.problems.add(level.settings[option.key].place, problem, "remove it")


def check_keys(sources: Sources, section: Section, server: ServerConfig, program: str) -> None:
    """Note what makes the keys of ``server`` useless to ``program``."""
    try:
        if program == "sslocal":
            client_keys(server.method, server.password.reveal())
        else:
            keys_of(server)
    except ConfigError as error:
        setting = section.find(o.PASSWORD) or section.find(o.PASSWORD_FILE)
        whose = section.find(o.DESTINATIONS if server.destinations else o.USERS)
        known = (whose if "user" in f"{error.place} {error.problem}" else setting) or setting
        sources.problems.add_at(known.place if known else section.place, error)


def keys_of(server: ServerConfig) -> ServerKeys:
    """What ``ssserver`` opens with as ``server``. Raises ``ConfigError``."""
    accounts: tuple[User | Destination, ...] | None = server.users
    if server.destinations:
        if server.users is not None:
            raise ConfigError("", "users and destinations on one port", "keep one of the two")
        if server.method.generation is not Generation.AEAD_2022:
            name = server.method.name
            problem = f"destinations are chosen by identity headers, and {name} has none"
            raise ConfigError("", problem, "use 2022-blake3-aes-256-gcm")
        accounts = server.destinations
    pairs = None if accounts is None else [(one.name, one.password.reveal()) for one in accounts]
    return server_keys(server.method, server.password.reveal(), pairs)


def _password(sources: Sources, entry: Section) -> Secret | None:
    setting = entry.settings.get(o.PASSWORD.key)
    if setting is None:
        sources.problems.add(entry.place, "no password", 'add "password"')
        return None
    return sources.attempt(setting.place, partial(sources.expand, setting.value))
