"""All that a configuration is made of: the document, the flags, and the two things outside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import ConfigError
from . import kinds
from .option import Scope
from .options import DISABLED, by_name
from .reader import Document, Path
from .secret import Secret
from .sections import Problems, Rows, Section, Setting, read_section

__all__ = ["ReadText", "Sources"]

T = TypeVar("T")

#: Reads a file of secrets. Raises ``ConfigError`` without a place where it cannot or must not.
ReadText = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings come from, and where their problems go."""

    document: Document
    flags: Section
    environment: Mapping[str, str]
    read_text: ReadText
    rows: Callable[[Scope], Rows] = by_name
    problems: Problems = field(default_factory=Problems)

    def read(self, path: Path, scope: Scope) -> Section:
        """The section at ``path``, as the rows of ``scope`` describe it."""
        return read_section(self.document, path, self.rows(scope), self.problems)

    def entries(self, listed: Setting | None, scope: Scope) -> list[Section]:
        """The sections of a list of objects, without those that are ``disabled``."""
        if listed is None:
            return []
        entries = [self.read((*listed.path, i), scope) for i in range(len(listed.value))]
        return [entry for entry in entries if not entry.get(DISABLED)]

    def attempt(self, place: str, make: Callable[[], T]) -> T | None:
        """What ``make`` returns, or None and a problem at ``place``."""
        try:
            return make()
        except ConfigError as error:
            self.problems.add_at(place, error)
            return None

    def expand(self, secret: Secret) -> Secret:
        """A secret written as ``${NAME}`` is the environment's variable of that name."""
        text = secret.reveal()
        if not (text.startswith("${") and text.endswith("}")):
            return secret
        name = text[2:-1]
        value = self.environment.get(name, "")
        if not value:
            problem = f"the environment has no {name}"
            raise ConfigError("", problem, "set it, or use password_file")
        return kinds.secret(value)
