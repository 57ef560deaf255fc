"""Figures: numbers by family and labels, and what several processes' figures are together.

A set of figures is a plain dictionary, so that it may be written down and read by another process:
``{name: {labels: value}}``, where labels are a tuple in the order of the family's.
"""

import json

from ..errors import ObserveError
from .families import FAMILIES, PREFIX, Kind, find

__all__ = ["Figures"]


class Figures:
    """A set of figures, of one process or of several."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, dict[tuple[str, ...], float]] = {}

    def set(self, name: str, value: float, *labels: str) -> None:
        """Note ``value`` of the family ``name`` (without its prefix)."""
        family = find(name)
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name} has the labels {family.labels}, not {labels}")
        self.values.setdefault(family.name, {})[labels] = value

    def add(self, other: "Figures", levels: bool = True) -> None:
        """Make these the figures of both; without ``levels`` only what of ``other`` lasts."""
        for name, samples in other.values.items():
            family = FAMILIES[name]
            if family.kind is Kind.GAUGE and not (levels or family.lasting):
                continue
            own = self.values.setdefault(name, {})
            for labels, value in samples.items():
                if family.largest:
                    own[labels] = max(own.get(labels, value), value)
                else:
                    own[labels] = own.get(labels, 0) + value

    def get(self, name: str, *labels: str) -> float:
        """One figure, 0 where it was never noted."""
        return self.values.get(find(name).name, {}).get(labels, 0)

    def encode(self) -> bytes:
        """As octets, for ``decode``."""
        plain = {
            name.removeprefix(PREFIX): [[*labels, value] for labels, value in samples.items()]
            for name, samples in self.values.items()
        }
        return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, octets: bytes) -> "Figures":
        """What ``encode`` wrote. Raises ``ObserveError`` for anything else."""
        figures = cls()
        try:
            for name, samples in json.loads(octets).items():
                for *labels, value in samples:
                    figures.set(name, value + 0, *labels)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ObserveError("a worker's figures", f"they cannot be read: {error}") from error
        return figures
