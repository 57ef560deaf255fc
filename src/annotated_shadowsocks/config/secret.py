"""Text that never shows itself: not in a repr, not in a log line, not in a traceback's locals."""

__all__ = ["MASK", "Secret"]

#: What stands for any secret, whatever its length.
MASK = "******"


class Secret:
    """A password. Only ``reveal`` gives it away, so that every place that does can be found."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    # A reload compares the old configuration with the new one. Both belong to the operator, so
    # equality here needs no constant time; what a peer sends is never compared this way.
    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)
