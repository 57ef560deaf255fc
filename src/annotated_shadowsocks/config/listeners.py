"""From settings to local listeners, and to the users who may enter there."""

from dataclasses import replace
from functools import partial
from typing import Any

from ..endpoint import Endpoint
from ..errors import ConfigError
from . import kinds, reader
from . import options as o
from .model import LocalConfig, User
from .option import Option, Scope
from .reader import Path
from .secret import Secret
from .sections import Problems, Section, read_section
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
    if not top.get(o.LOCALS) or o.LOCAL_ADDRESS in top or o.LOCAL_PORT in top:
        sections.insert(0, flags.over(top))
    return sections


def local_config(sources: Sources, section: Section) -> LocalConfig:
    """The listener that one section describes."""
    host, mode = section.get(o.LOCAL_ADDRESS), section.get(o.MODE)
    port = section.port(host, o.LOCAL_ADDRESS, o.LOCAL_PORT, section.get(o.LOCAL_PORT))
    return LocalConfig(
        Endpoint(host.host, port),
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
    inner = replace(sources, document=reader.read(text, name), problems=Problems())
    top = _read(inner, (), _PASSWORD)
    by_password = top.find(_PASSWORD)
    listed = _read(inner, by_password.path, _USERS).find(_USERS) if by_password else None
    paths = [(*listed.path, index) for index in range(len(listed.value))] if listed else []
    entries = [_read(inner, path, _USER_NAME, _USER_PASSWORD) for path in paths]
    if not entries:
        remedy = 'write {"password": {"users": [{"user_name": …, "password": …}]}}'
        inner.problems.add(name, "no users", remedy)
    inner.problems.raise_first()
    users: dict[str, User | None] = {}
    for entry in entries:
        if entry.get(_USER_NAME) in users:
            inner.problems.add(entry.place, "the same user_name again", "keep one")
        users[entry.get(_USER_NAME)] = _user(inner, entry)
    inner.problems.raise_first()
    return tuple(filter(None, users.values()))


def _user(sources: Sources, entry: Section) -> User | None:
    name, secret = entry.get(_USER_NAME), entry.get(_USER_PASSWORD)
    if not name or secret is None:
        sources.problems.add(entry.place, "a user without name or password", "give both")
        return None
    password = sources.attempt(entry.place, partial(sources.expand, secret))
    for text in (name, password.reveal() if password else ""):
        if len(text.encode("utf-8")) > _MAX_OCTETS:
            sources.problems.add(entry.place, f"longer than {_MAX_OCTETS} octets", "shorten it")
    return User(name, password) if password else None


def _read(sources: Sources, path: Path, *options: Option[Any]) -> Section:
    rows = {option.key: option for option in options}
    return read_section(sources.document, path, rows, sources.problems)
