"""What a program asked of listen(), as far as its queue's limit tells: in short, and with why."""

from typing import Any, NamedTuple

from ..policy.listen_queue import Asked, asked

__all__ = ["AskedBacklog"]

#: Both by what is known.
_WORDS = {
    Asked.EXACTLY: (
        "{limit}",
        "{limit} of listen(), and granted, being less than somaxconn ({somaxconn})",
    ),
    Asked.AT_LEAST: (
        ">={limit}",
        "{limit} of listen(), or more, or less than 0: somaxconn is {somaxconn}",
    ),
    Asked.BEFORE: (
        ">={limit}",
        "at least {limit}, while somaxconn was larger; it is {somaxconn} by now",
    ),
    Asked.UNKNOWN: ("?", "unknown, for net.core.somaxconn cannot be read here"),
}


class AskedBacklog(NamedTuple):
    """The argument behind a queue of this ``limit``; ``somaxconn`` None where it is hidden."""

    limit: int
    somaxconn: int | None

    @property
    def short(self) -> str:
        """For a column: ``>=4096``, or ``?``."""
        return self._words()[0]

    @property
    def sentence(self) -> str:
        """The same, and why no more is known."""
        return self._words()[1]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"relation": asked(*self).value, "limit": self.limit}

    def _words(self) -> list[str]:
        return [each.format_map(self._asdict()) for each in _WORDS[asked(*self)]]
