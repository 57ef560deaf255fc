"""Figures as Prometheus reads them: the text format, version 0.0.4.

::

    # HELP shadowsocks_udp_packets_total Datagrams relayed.
    # TYPE shadowsocks_udp_packets_total counter
    shadowsocks_udp_packets_total{from="client"} 17

Label values come from configurations and so from people: they may hold anything, and what would
end a value or a line is escaped.
"""

from collections.abc import Iterator

from .families import FAMILIES
from .figures import Figures

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# [Prometheus §text-format-details] backslash, quotation mark and line feed, and no more
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def exposition(figures: Figures) -> str:
    """The page: every family that has a figure, in the order of the table."""
    return "".join(_lines(figures))


def _lines(figures: Figures) -> Iterator[str]:
    for name, family in FAMILIES.items():
        samples = figures.values.get(name)
        if not samples:
            continue
        yield f"# HELP {name} {family.help.translate(_ESCAPED_HELP)}\n"
        yield f"# TYPE {name} {family.kind.value}\n"
        for values, figure in samples.items():
            pairs = zip(family.labels, values, strict=True)
            labels = ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in pairs)
            yield f"{name}{{{labels}}} {figure!r}\n" if labels else f"{name} {figure!r}\n"
