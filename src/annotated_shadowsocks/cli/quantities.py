"""Durations, chances and lists of them, as they are typed; and durations as they are shown."""

import re
from collections.abc import Callable
from typing import TypeVar

from ..errors import UsageError
from ..simulator.spread import Constant, Exponential, Spread, Uniform
from ..tcp_model.instant import MICROSECOND, MILLISECOND, SECOND, Duration

__all__ = [
    "duration",
    "integers",
    "listed",
    "numbers",
    "shown",
    "spread",
    "spread_text",
]

_UNITS = {"ns": 1, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND, "min": 60 * SECOND}
_MOST_VALUES = 10_000
_LONGEST = 10**6 * SECOND

T = TypeVar("T")


def duration(flag: str, text: str) -> Duration:
    """``2ms``, ``1.5s``, ``300us``. Raises ``UsageError``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|min)", text.strip())
    if found is None:
        if text.strip() == "0":
            return 0
        raise UsageError(f"{flag}: {text[:40]!r} is no duration; write it with its unit, like 2ms")
    value = round(float(found[1]) * _UNITS[found[2]])
    if value > _LONGEST:
        raise UsageError(f"{flag}: {text[:40]!r} is longer than {_LONGEST // SECOND} s")
    return value


def spread(flag: str, text: str) -> Spread:
    """``2ms`` always, ``1ms..30ms`` anywhere between, ``exp:5ms`` 5 ms on average."""
    if text.startswith("exp:"):
        return Exponential(duration(flag, text[4:]))
    least, dots, most = text.partition("..")
    if not dots:
        return Constant(duration(flag, text))
    bounds = duration(flag, least), duration(flag, most)
    if bounds[0] > bounds[1]:
        raise UsageError(
            f"{flag}: {text[:40]!r} ends before it begins; write the smaller one first"
        )
    return Uniform(*bounds)


def spread_text(one: Spread) -> str:
    """As it would be typed, more or less."""
    match one:
        case Constant(value):
            return shown(value)
        case Uniform(least, most):
            return f"{shown(least)}..{shown(most)}"
        case Exponential(mean):
            return f"exp:{shown(mean)}"


def listed(flag: str, text: str, one: Callable[[str, str], T]) -> list[T]:
    """Comma-separated values, each of which ``one`` reads, in the order given."""
    return [one(flag, part) for part in text.split(",")]


def integers(flag: str, text: str, least: int, most: int) -> list[int]:
    """``8``, ``8,16,32``, ``1-4``, ``100:1000:100``. Raises ``UsageError``."""
    found = [_whole(flag, value) for value in _ranges(flag, re.sub(r"(?<=\d)-", ":", text))]
    for value in found:
        if not least <= value <= most:
            raise UsageError(f"{flag}: {value} is impossible; write {least} to {most}")
    return found


def numbers(flag: str, text: str, least: float, most: float) -> list[float]:
    """The same with fractions: ``0,0.01``, ``100:1000:100``; each from ``least`` to ``most``."""
    found = _ranges(flag, text)
    for value in found:
        if not least <= value <= most:
            raise UsageError(f"{flag}: {value:g} is impossible; write {least:g} to {most:g}")
    return found


def _whole(flag: str, value: float) -> int:
    if value != int(value):
        raise UsageError(f"{flag}: {value:g} is no whole number")
    return int(value)


def _ranges(flag: str, text: str) -> list[float]:
    found: dict[float, None] = {}
    for part in text.split(","):
        try:
            first, *rest = (_number(one) for one in part.split(":"))
            last, step = {0: (first, 1.0), 1: (*rest, 1.0), 2: tuple(rest)}[len(rest)]
        except (ValueError, KeyError):
            hint = "write 8, 8,16,32 or 100:1000:100 (first, last, step)"
            raise UsageError(f"{flag}: {part[:40]!r} cannot be read; {hint}") from None
        if step <= 0 or last < first:
            raise UsageError(f"{flag}: {part[:40]!r} leads nowhere; write first:last:step")
        if (last - first) / step + len(found) >= _MOST_VALUES:
            raise UsageError(f"{flag}: {part[:40]!r} makes more than {_MOST_VALUES} values")
        count = int((last - first) / step + 1e-9) + 1
        found |= dict.fromkeys(first + step * number for number in range(count))
    return list(found)


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text.strip()):
        raise ValueError(text)
    return float(text)


def shown(value: Duration) -> str:
    """Three digits and a unit: ``2 ms``, ``1.25 s``, ``340 us``."""
    for unit, size in (("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND)):
        if value >= size:
            return f"{_three(value / size)} {unit}"
    return f"{value} ns" if value else "0"


def _three(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
