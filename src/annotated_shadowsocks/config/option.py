"""What a row of the table of options says."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag
from typing import Generic, TypeVar

from .kinds import anything

__all__ = [
    "LIBEV_PROGRAMS",
    "RUST_PROGRAMS",
    "CommandFlag",
    "Option",
    "Scope",
    "Standing",
    "flag",
    "unsupported",
    "without_effect",
]

T = TypeVar("T")

#: Programs whose flags mean what shadowsocks-rust's do, and which are ours under the same names.
RUST_PROGRAMS = ("sslocal", "ssserver", "ssmanager")

#: Programs whose flags mean what shadowsocks-libev's do.
LIBEV_PROGRAMS = ("ss-local", "ss-server", "ss-redir", "ss-tunnel", "ss-manager")


class Scope(Flag):
    """The objects of a configuration document in which a key may stand."""

    COMMAND_LINE = 0
    TOP = 1
    SERVER = 2
    LOCAL = 4
    LOG = 8
    LOG_FORMAT = 16
    METRICS = 32
    USER = 64
    DESTINATION = 128


class Standing(Enum):
    """What happens to a key that the document has."""

    SUPPORTED = "supported"
    WITHOUT_EFFECT = "without effect"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class CommandFlag:
    """One spelling of an option on the command lines of some programs."""

    names: tuple[str, ...]
    programs: tuple[str, ...]
    takes: str = ""
    """The word that stands for the argument in help, empty where there is none."""
    means: object = True
    """The value that a flag without argument sets."""


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """One row: a setting, all its names, and what it may be.

    The columns ``rust`` and ``libev`` hold the flags that those peers have, with the peer's
    meaning; ``own`` holds the flags that only this edition has, which every program takes.
    """

    key: str
    kind: Callable[[object], T]
    default: T
    help: str
    scopes: Scope = Scope.TOP
    aliases: tuple[str, ...] = ()
    rust: tuple[CommandFlag, ...] = ()
    libev: tuple[CommandFlag, ...] = ()
    own: tuple[CommandFlag, ...] = ()
    standing: Standing = Standing.SUPPORTED

    @property
    def names(self) -> tuple[str, ...]:
        """The key and its aliases."""
        return (self.key, *self.aliases)


def flag(names: str, on: str = "", takes: str = "", means: object = True) -> CommandFlag:
    """A flag; ``names`` and the programs ``on`` which it works are lists of words."""
    programs = tuple(on.split()) or RUST_PROGRAMS + LIBEV_PROGRAMS
    return CommandFlag(tuple(names.split()), programs, takes, means)


def unsupported(
    key: str,
    remedy: str,
    scopes: Scope = Scope.TOP,
    *,
    rust: tuple[CommandFlag, ...] = (),
    libev: tuple[CommandFlag, ...] = (),
    aliases: tuple[str, ...] = (),
) -> Option[object]:
    """A key of a peer that asks for what this program does not do; ``remedy`` says what to do.

    A value that asks for nothing (``null``, ``false``, ``0``, an empty string, list or object) is
    accepted, because that is what this program does.
    """
    standing = Standing.UNSUPPORTED
    return Option(key, anything, None, remedy, scopes, aliases, rust, libev, (), standing)


def without_effect(
    key: str,
    reason: str,
    scopes: Scope = Scope.TOP,
    *,
    libev: tuple[CommandFlag, ...] = (),
) -> Option[object]:
    """A key of a peer that may stand in a document and changes nothing; ``reason`` says why."""
    standing = Standing.WITHOUT_EFFECT
    return Option(key, anything, None, reason, scopes, libev=libev, standing=standing)
