"""From settings to servers: which there are, where they are, and what opens them."""

from collections.abc import Iterator
from functools import partial
from itertools import product

from ..crypto.methods import CipherMethod, Generation, insecurity
from ..endpoint import Endpoint
from . import accounts, kinds
from . import options as o
from .model import ServerConfig
from .option import Scope
from .secret import Secret
from .sections import Section, Setting
from .sources import Sources

__all__ = ["ENVIRONMENT_PASSWORD", "IDENTITY", "logins", "server_configs", "server_sections"]

#: The variable that holds the password where neither flags nor document do.
ENVIRONMENT_PASSWORD = "SS_SERVER_PASSWORD"

#: What an entry of ``servers`` does not take from the top level: it says which server is meant.
IDENTITY = (o.SERVER, o.PORT_PASSWORD, o.REMARKS)


def server_sections(sources: Sources, top: Section) -> list[Section]:
    """One section for each server that is wanted: the command line's, or all of the document's."""
    flags = sources.flags
    shared = top.without(*IDENTITY)
    if o.SERVER in flags or o.SERVER_URL in flags:
        named = [flags.over(shared)] if o.SERVER in flags else []
        return named + ([_linked(sources, shared)] if o.SERVER_URL in flags else [])
    sections = [flags.over(top)] if o.SERVER in top else []
    entries = sources.entries(top.find(o.SERVERS), Scope.SERVER)
    return sections + [flags.over(entry.within(shared)) for entry in entries]


def _linked(sources: Sources, shared: Section) -> Section:
    """What ``--server-url`` says. A URL is whole, so no flag changes what it has said."""
    given = sources.flags.settings[o.SERVER_URL.key]
    link, place = given.value, given.place
    settings = {
        o.SERVER.key: Setting((kinds.HostPort(*link.endpoint),), place),
        o.PASSWORD.key: Setting(Secret(link.password), place),
        o.REMARKS.key: Setting(link.tag, place),
    }
    method = sources.attempt(place, partial(kinds.cipher_method, link.method))
    if method is not None:
        settings[o.METHOD.key] = Setting(method, place)
    if link.plugin:
        name = link.plugin.partition(";")[0]
        remedy = "start it beside this program and point the URL at it"
        sources.problems.add(place, f"the URL wants the plugin {name}", remedy)
    # What a URL has no words for is said by other flags: whether a cipher may be insecure.
    return Section(place, settings, sources.flags.without(*IDENTITY, o.METHOD).over(shared))


def server_configs(
    sources: Sources, section: Section, default_mode: str, program: str
) -> list[ServerConfig]:
    """The servers of one section: several where it lists hosts, ports or passwords."""
    method = section.find(o.METHOD)
    if method is None:
        remedy = 'add "method", or -m; peers without one differ in what they assume'
        sources.problems.add(section.place, "no method", remedy)
    if section.find(o.SERVER) is None:
        sources.problems.add(section.place, "no server", 'add "server": "address or name"')
        return []
    if method is None:
        # All that is missing is reported at once.
        list(logins(sources, section))
        return []
    _check_method(sources, section, method)
    mode = section.get(o.MODE) if section.find(o.MODE) else default_mode
    before = len(sources.problems.errors)
    users = accounts.users(sources, section)
    if users is not None and program != "sslocal":
        accounts.check_password(sources, section, method.value)
    destinations = accounts.destinations(sources, section)
    found = [
        ServerConfig(
            endpoint,
            method.value,
            password,
            tcp=mode != "udp_only",
            udp=mode != "tcp_only",
            timeout=min(section.get(o.TIMEOUT), o.HANDSHAKE_LIMIT),
            remarks=section.get(o.REMARKS),
            users=users,
            destinations=destinations,
            udp_over_tcp=section.get(o.UDP_OVER_TCP),
        )
        for endpoint, password in logins(sources, section, _needed(section, method.value, program))
    ]
    if len(sources.problems.errors) > before:
        return []
    # Ports of one section may share a password, and then the problem is one too.
    for server in {(one.password, one.users): one for one in found}.values():
        accounts.check_keys(sources, section, server, program)
    return found


def _check_method(sources: Sources, section: Section, method: Setting) -> None:
    problem = insecurity(method.value)
    if problem is not None and not section.get(o.ALLOW_INSECURE_CIPHERS):
        sources.problems.add_at(method.place, problem)


def _needed(section: Section, method: CipherMethod, program: str) -> bool:
    """Whether a server has to have a password of its own."""
    if program != "sslocal" and method.generation is Generation.AEAD:
        return section.find(o.USERS) is None
    return method.key_size > 0


def logins(
    sources: Sources, section: Section, needed: bool = True
) -> Iterator[tuple[Endpoint, Secret]]:
    """Each endpoint of a section with its password; one that is not ``needed`` may be empty."""
    hosts = section.get(o.SERVER)
    by_port = section.find(o.PORT_PASSWORD)
    if by_port is None:
        password = _password(sources, section, needed)
        passwords = dict.fromkeys(section.get(o.SERVER_PORT), password)
    else:
        _check_alone(sources, by_port)
        passwords = {
            port: sources.attempt(by_port.place, partial(sources.expand, secret))
            for port, secret in by_port.value.items()
        }
    for host, (port, secret) in product(hosts, passwords.items()):
        if secret is not None:
            yield Endpoint(host.host, section.port(host, o.SERVER, o.SERVER_PORT, port)), secret


def _check_alone(sources: Sources, by_port: Setting) -> None:
    for option in (o.PASSWORD, o.PASSWORD_FILE, o.SERVER_PORT):
        if option in sources.flags:
            flag = sources.flags.settings[option.key].place
            remedy = "give -s too, or change the file"
            sources.problems.add(flag, f"{by_port.place} has a password for each port", remedy)


def _password(sources: Sources, section: Section, needed: bool) -> Secret | None:
    """The innermost password, written out or in a file; None where that is a problem."""
    for level in section.levels():
        written, filed = (level.settings.get(x.key) for x in (o.PASSWORD, o.PASSWORD_FILE))
        if written and filed:
            sources.problems.add(filed.place, f"{written.place} is a password too", "keep one")
            return None
        if written:
            return sources.attempt(written.place, partial(sources.expand, written.value))
        if filed:
            return sources.attempt(filed.place, partial(_first_line, sources, filed.value))
    inherited = sources.environment.get(ENVIRONMENT_PASSWORD)
    if inherited:
        return sources.attempt(ENVIRONMENT_PASSWORD, partial(kinds.secret, inherited))
    if not needed:
        return Secret("")
    remedy = f'add "password" or "password_file", or set {ENVIRONMENT_PASSWORD}'
    sources.problems.add(section.place, "no password", remedy)
    return None


def _first_line(sources: Sources, file_name: str) -> Secret:
    return kinds.secret(sources.read_text(file_name).partition("\n")[0].removesuffix("\r"))
