"""What is said of a peer: where it comes from, what it can, and how it is started.

A peer is another program that speaks Shadowsocks. It is described by functions from a ``Link``,
which says what the two ends of a tunnel agree on, to a ``Launch``, which says what to run. They
start nothing, so that tests and benchmarks can share them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from annotated_shadowsocks.endpoint import Endpoint

__all__ = ["Build", "Launch", "Link", "Peer", "PeerError", "Recipe", "Side"]


class PeerError(Exception):
    """A peer cannot be had; the text says which, why, and what to do."""


class Recipe(Protocol):
    """How to come by a peer of one version."""

    @property
    def identity(self) -> str:
        """All that decides what is built: what was built from another one is of no use."""

    def install(self, folder: Path, log: Path) -> None:
        """Put the peer into ``folder``; what tools say goes into ``log``. Raises ``PeerError``."""

    def program(self, folder: Path, name: str) -> Path | None:
        """Where the program ``name`` is, once it is installed."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a client hop and a server hop of one tunnel have in common, and what is asked of each.

    ``password`` is in the server's form: with SIP023 it is the server's own key alone.
    """

    method: str
    password: str
    #: Where the server hop listens.
    server: Endpoint
    #: Where the server hop looks names up, if it can be told.
    name_server: Endpoint | None = None
    #: SIP023, a server: the users' keys by name.
    users: Mapping[str, str] = field(default_factory=dict)
    #: SIP023, a server that passes on: key and next server of each name.
    destinations: Mapping[str, tuple[str, Endpoint]] = field(default_factory=dict)
    #: SIP023, a client: what follows the first key, joined by colons.
    further_keys: str = ""
    #: Many keys on a port of SIP004, a server: the passwords by name.
    keys: Mapping[str, str] = field(default_factory=dict)
    #: A client: the version of UDP over TCP that it uses, 0 for none.
    udp_over_tcp: int = 0
    #: Ours: how many processes accept from one socket.
    workers: int = 1
    #: How much ours says. Peers say what is wrong and no more.
    verbosity: int = 2
    #: A server: whether it takes datagrams. If not, they can only come over TCP.
    datagrams: bool = True

    @property
    def client_password(self) -> str:
        """The password in a client's form."""
        return ":".join(filter(None, (self.password, self.further_keys)))

    @property
    def transports(self) -> tuple[str, ...]:
        """What the server listens on."""
        return ("tcp", "udp") if self.datagrams else ("tcp",)


@dataclass(frozen=True, slots=True)
class Launch:
    """A command, the files that it reads, and the transports on which it then listens."""

    command: list[str]
    files: Mapping[Path, str] = field(default_factory=dict)
    transports: tuple[str, ...] = ("tcp", "udp")


#: From where to listen, the link, and a path for the configuration that no other hop has.
Build = Callable[[Endpoint, Link, Path], Launch]


@dataclass(frozen=True, slots=True)
class Side:
    """A peer as a client, which takes SOCKS5, or as a server.

    The first word of a launch's command is a program's name, for which the recipe has the path.
    """

    launch: Build
    methods: frozenset[str]
    #: Those of the methods by which it relays datagrams.
    udp: frozenset[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer, of one version."""

    name: str
    version: str
    recipe: Recipe
    programs: tuple[str, ...]
    client: Side | None = None
    server: Side | None = None
    #: Its server can be told where to look names up.
    resolves: bool = True
    #: Methods with which it is so slow that little is to be sent.
    slow: frozenset[str] = frozenset()
