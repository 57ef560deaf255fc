"""Settings of one object, laid over those of the objects around it.

A document is objects in objects: the top level, an entry of ``servers``, an entry of ``locals``.
Reading one gives a ``Section``, in which each setting has its checked value and its place. What a
section lacks it takes from the section outside it, and what that lacks from the table's default.
The command line is a section too, and the innermost one, because a flag wins.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import ConfigError
from .kinds import HostPort
from .option import Option, Scope, Standing
from .options import OPTIONS
from .reader import Document, Path

__all__ = ["Problems", "Rows", "Section", "Setting", "read_section"]

T = TypeVar("T")

#: Rows by the names under which they may be found.
Rows = Mapping[str, Option[Any]]


@dataclass(frozen=True, slots=True)
class Setting:
    """A checked value and where it came from; ``path`` is empty where that was a flag."""

    value: Any
    place: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Settings by key, the place of the object that has them, and the section outside."""

    place: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    outer: "Section | None" = None

    def levels(self) -> "Iterator[Section]":
        """The section itself and those outside it, innermost first."""
        level: Section | None = self
        while level is not None:
            yield level
            level = level.outer

    def find(self, option: Option[Any]) -> Setting | None:
        """The innermost setting of ``option``."""
        return next((one.settings[option.key] for one in self.levels() if option in one), None)

    def get(self, option: Option[T]) -> T:
        """The innermost value of ``option``, or its default."""
        setting = self.find(option)
        value: T = option.default if setting is None else setting.value
        return value

    def port(self, host: HostPort, hosts: Option[Any], ports: Option[Any], port: int) -> int:
        """The port of ``host``: its own, unless ``ports`` is said inside of where ``hosts`` is.

        So ``-p`` on the command line also replaces the port in a document's ``"host:port"``.
        """
        level = next((one for one in self.levels() if ports in one or hosts in one), self)
        return port if host.port is None or hosts not in level else host.port

    def __contains__(self, option: Option[Any]) -> bool:
        return option.key in self.settings

    def within(self, outer: "Section") -> "Section":
        """The same section with ``outer`` outside it."""
        return Section(self.place, self.settings, outer)

    def over(self, outer: "Section") -> "Section":
        """The same settings, laid over ``outer`` and speaking for its place."""
        return Section(outer.place, self.settings, outer)

    def without(self, *options: Option[Any]) -> "Section":
        """The same section as if nothing had been said about ``options``."""
        keys = {option.key for option in options}
        kept = {key: one for key, one in self.settings.items() if key not in keys}
        return Section(self.place, kept, self.outer)


class Problems:
    """What was found wrong. All of it is reported: nobody likes to fix one error per start."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []

    def add(self, place: str, problem: str, remedy: str) -> None:
        """Note one problem."""
        self.errors.append(ConfigError(place, problem, remedy))

    def add_at(self, place: str, error: ConfigError) -> None:
        """Note an error whose raiser did not know its place."""
        inner = f"{place}: {error.place}" if error.place else place
        self.errors.append(ConfigError(inner, error.problem, error.remedy))

    def raise_first(self) -> None:
        """Raise the first problem, with one note for each further one; return if there is none."""
        if self.errors:
            first, *rest = self.errors
            for error in rest:
                first.add_note(str(error))
            raise first


def read_section(document: Document, path: Path, rows: Rows, problems: Problems) -> Section:
    """Check the object at ``path`` key by key; what is wrong goes to ``problems``."""
    settings: dict[str, Setting] = {}
    members = _at(document, path)
    for key, value in members.items():
        place = document.place((*path, key))
        row = rows.get(key)
        if row is None:
            problems.add(place, f"unknown key '{key}'", _hint(key, rows))
        elif row.key in settings:
            first = settings[row.key].place
            problems.add(place, f"says again what {first} says", "keep one of the two")
        elif (setting := _read(row, value, place, (*path, key), problems)) is not None:
            settings[row.key] = setting
    return Section(document.place(path), settings)


def _read(
    row: Option[Any], value: object, place: str, path: Path, problems: Problems
) -> Setting | None:
    # serde and the Python original read null as "not given"; a generator writes it for that
    if value is None or row.standing is Standing.WITHOUT_EFFECT:
        return None
    if row.standing is Standing.UNSUPPORTED:
        if value:
            problems.add(place, "not supported", row.help)
        return None
    try:
        return Setting(row.kind(value), place, path)
    except ConfigError as error:
        problems.add_at(place, error)
        return None


def _at(document: Document, path: Path) -> dict[str, Any]:
    value: Any = document.value
    for part in path:
        value = value[part]
    if not isinstance(value, dict):
        raise ConfigError(document.place(path), "not an object", 'write {"server": …}')
    return value


def _hint(key: str, rows: Rows) -> str:
    """What to do about an unknown key."""
    if near := difflib.get_close_matches(key, rows, n=1, cutoff=0.8):
        return f"did you mean '{near[0]}'?"
    if any(key in row.names and Scope.TOP in row.scopes for row in OPTIONS):
        return "it belongs to the top level of the file"
    if any(key in row.names and row.scopes for row in OPTIONS):
        return "it belongs to an entry of servers or locals"
    near = difflib.get_close_matches(key, rows, n=1)
    return f"did you mean '{near[0]}'?" if near else "remove it, or check its spelling"
