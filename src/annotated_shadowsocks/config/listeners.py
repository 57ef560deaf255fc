"""From settings to local listeners, and to the users who may enter there."""

from typing import Any

from ..endpoint import Endpoint
from ..errors import ConfigError
from . import kinds, reader
from . import options as o
from .model import LocalConfig, User
from .option import Option, Scope
from .secret import Secret
from .sections import Problems, Rows, Section, read_section
from .sources import Sources

__all__ = ["local_config", "local_sections", "read_users"]

# [RFC1929 §2] ulen and plen are one octet each, and neither field may be empty
_MAX_OCTETS = 255

# The file of users is a document of its own, in the form that shadowsocks-rust reads.
_PASSWORD: Option[dict[str, object]] = Option("password", kinds.object_, {}, "password users")
_USERS: Option[list[dict[str, object]]] = Option("users", kinds.objects, [], "the users")
_USER_NAME: Option[str] = Option("user_name", kinds.text, "", "the name")
_USER_PASSWORD: Option[Secret | None] = Option("password", kinds.secret, None, "the password")


def local_sections(sources: Sources, top: Section) -> list[Section]:
    """One section for each listener that is wanted: the command line's, or the document's."""
    flags = sources.flags
    if o.LOCAL_ADDRESS in flags or o.LOCAL_PORT in flags:
        return [flags.over(top)]
    entries = sources.entries(top.find(o.LOCALS), Scope.LOCAL)
    # Each entry says for itself where it listens: an address that is open to the network must not
    # reach a listener whose entry did not ask for it.
    shared = top.without(o.LOCAL_ADDRESS, o.LOCAL_PORT)
    sections = [flags.over(entry.within(shared)) for entry in entries]
    if o.LOCALS not in top or o.LOCAL_ADDRESS in top or o.LOCAL_PORT in top:
        sections.insert(0, flags.over(top))
    return sections


def local_config(sources: Sources, section: Section) -> LocalConfig:
    """The listener that one section describes."""
    host, port = section.get(o.LOCAL_ADDRESS)
    mode = section.get(o.MODE)
    return LocalConfig(
        Endpoint(host, section.get(o.LOCAL_PORT) if port is None else port),
        tcp=mode != "udp_only",
        udp=mode != "tcp_only",
        users=_users(sources, section),
    )


def _users(sources: Sources, section: Section) -> tuple[User, ...]:
    setting = section.find(o.SOCKS5_AUTH_CONFIG_PATH)
    if setting is None:
        return ()
    try:
        return read_users(sources.read_text(setting.value), setting.value, sources)
    except ConfigError as error:
        sources.problems.add_at(setting.place, error)
        return ()


def read_users(text: str, name: str, sources: Sources) -> tuple[User, ...]:
    """The users in a file of them. Raises ``ConfigError``, its place inside that file.

    An empty list is an error: it would open the listener to everybody.
    """
    document = reader.read(text, name)
    problems = Problems()
    outer = read_section(document, (), _rows(_PASSWORD), problems)
    found = outer.find(_PASSWORD)
    inner = read_section(document, found.path, _rows(_USERS), problems) if found else outer
    listed = inner.find(_USERS)
    rows = _rows(_USER_NAME, _USER_PASSWORD)
    paths = [(*listed.path, i) for i in range(len(listed.value))] if listed else []
    entries = [read_section(document, path, rows, problems) for path in paths]
    users = [_user(sources, entry, problems) for entry in entries]
    if not entries:
        remedy = 'write {"password": {"users": [{"user_name": …, "password": …}]}}'
        problems.add(name, "no users", remedy)
    problems.raise_first()
    return tuple(user for user in users if user)


def _user(sources: Sources, entry: Section, problems: Problems) -> User | None:
    name, secret = entry.get(_USER_NAME), entry.get(_USER_PASSWORD)
    if not name or secret is None:
        problems.add(entry.place, "a user without name or password", "give both")
        return None
    password = sources.expand(secret)
    if max(len(text.encode()) for text in (name, password.reveal())) > _MAX_OCTETS:
        problems.add(entry.place, f"longer than {_MAX_OCTETS} octets", "shorten it")
    return User(name, password)


def _rows(*options: Option[Any]) -> Rows:
    return {option.key: option for option in options}
