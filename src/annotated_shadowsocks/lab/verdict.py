"""How a script went on a stage."""

from dataclasses import dataclass
from typing import NoReturn

from ..pictures.trace import Trace
from ..scripts.statements import Place

__all__ = ["Difference", "Differs", "Refusal", "Refused", "Verdict", "differ"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that was not as the script says; ``line`` is the statement's text."""

    place: Place
    line: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Three lines for a terminal."""
        where = f"line {self.place.line}: {self.line}"
        return f"{where}\n  expected {self.expected}\n  got      {self.got}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A statement that this stage cannot run; ``reason`` has the next step in it."""

    place: Place
    line: str
    reason: str

    def __str__(self) -> str:
        """Two lines for a terminal."""
        return f"line {self.place.line}: {self.line}\n  cannot be run: {self.reason}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one run. Neither a difference nor a refusal: all was as the script says."""

    script: str
    stage: str
    trace: Trace
    difference: Difference | None = None
    refusal: Refusal | None = None
    #: Why a difference that is found elsewhere in this run would prove nothing: it came too late.
    late: Refusal | None = None

    @property
    def agreed(self) -> bool:
        """Whether all was as the script says."""
        return self.difference is None and self.refusal is None

    def __str__(self) -> str:
        """For a terminal."""
        if self.agreed:
            return f"{self.script} on {self.stage}: agreed"
        what = self.difference or self.refusal
        return f"{self.script} on {self.stage}: {what}"


class Differs(Exception):
    """A statement found something else than it expects."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got


class Refused(Exception):
    """A statement that is not run anywhere."""


def differ(expected: object, got: object) -> NoReturn:
    """Raises ``Differs``."""
    raise Differs(str(expected), str(got))
