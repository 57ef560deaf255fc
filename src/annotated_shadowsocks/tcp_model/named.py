"""Enumerations as this package uses them."""

from enum import Enum

__all__ = ["Named"]


class Named(Enum):
    """Members print as their bare names, as people write them; values say what they mean."""

    def __repr__(self) -> str:
        """The bare name."""
        return self.name

    # Members are keys on the path of every segment, and Enum's own hash is a Python function.
    __hash__ = object.__hash__
