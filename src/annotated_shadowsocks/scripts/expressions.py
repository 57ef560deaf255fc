"""Arguments and results of calls, as a script writes them.

Generic on purpose: ``{events=EPOLLIN, fd=4}`` and ``htons(8080)`` are kept as what they look like.
What they mean is decided by whoever runs the call, and a call that nobody can run is refused then.
"""

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Array",
    "Assignment",
    "Braces",
    "Either",
    "Expression",
    "Number",
    "Rest",
    "Text",
    "Word",
]


@dataclass(frozen=True, slots=True)
class Rest:
    """``...``: whatever is usual there."""


@dataclass(frozen=True, slots=True)
class Number:
    """``3``, ``-1`` or ``0x203``; ``hexadecimal`` is how it was written."""

    value: int
    hexadecimal: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """``SOCK_STREAM``, or with ``arguments`` ``htons(8080)``."""

    name: str
    arguments: "tuple[Expression, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Text:
    """``"data"``, escapes as they were written; ``cut`` where ``...`` follows."""

    value: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Either:
    """``O_RDWR|O_NONBLOCK``: at least two parts."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Assignment:
    """``events=EPOLLIN``, or ``msg_iov(1)=[...]`` where the name has arguments."""

    target: Word
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Array:
    """``[1]``"""

    items: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Braces:
    """``{onoff=1, linger=0}``"""

    items: "tuple[Expression, ...]"


Expression: TypeAlias = Rest | Number | Word | Text | Either | Assignment | Array | Braces
