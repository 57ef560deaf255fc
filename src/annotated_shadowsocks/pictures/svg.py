"""A sheet of SVG: elements by their classes, one style for all, light and dark.

A drawing stands by itself in a slide and is part of a page in the book. Alone it follows the
reader's ``prefers-color-scheme``; in a page it takes the page's colours and fonts, which the
fallbacks of ``var()`` arrange. No element has an id, so any number of drawings may share a page.
"""

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

__all__ = ["Sheet"]

Number: TypeAlias = float

_STYLE = """\
.trace{--t-ink:#1f2328;--t-quiet:#59636e;--t-faint:#d1d9e0;--t-paper:#fff;--t-blue:#0550ae;\
--t-red:#cf222e;--t-amber:#9a6700}
@media(prefers-color-scheme:dark){.trace{--t-ink:#e6edf3;--t-quiet:#9198a1;--t-faint:#3d444d;\
--t-paper:#0d1117;--t-blue:#79c0ff;--t-red:#ff7b72;--t-amber:#e3b341}}
.trace{--ink:var(--color-foreground-primary,var(--t-ink));\
--quiet:var(--color-foreground-secondary,var(--t-quiet));\
--faint:var(--color-background-border,var(--t-faint));\
--paper:var(--color-background-primary,var(--t-paper));\
--blue:var(--color-brand-content,var(--t-blue));\
--red:var(--color-problematic,var(--t-red));--amber:var(--t-amber);\
fill:none;stroke:none;stroke-linecap:round;stroke-linejoin:round;\
font-family:var(--font-stack,system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif)}
.trace text{fill:var(--ink);font-size:13px}
.trace .paper{fill:var(--paper)}
.trace .title{font-size:19px;font-weight:600}
.trace .head{font-size:13px;font-weight:600}
.trace .code,.trace .small.code{font-family:var(--font-stack--monospace,ui-monospace,\
"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace);font-size:12px}
.trace .small{font-size:11.5px}
.trace .label{font-size:12.5px;font-weight:600;fill:var(--ink)}
.trace .quiet{fill:var(--quiet)}
.trace .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.trace .life{stroke:var(--faint);stroke-width:1.5}
.trace .waiting{stroke:var(--quiet);stroke-width:2;stroke-dasharray:1 5}
.trace .open{stroke:var(--blue);stroke-width:4;stroke-opacity:.55;stroke-linecap:butt}
.trace .arrow{stroke:var(--ink);stroke-width:1.5}
.trace .tip{fill:var(--ink)}
.trace .again{--ink:var(--amber)}
.trace .bad{--ink:var(--red)}
.trace .held{stroke-dasharray:5 4;stroke-linecap:butt}
.trace .cross{stroke:var(--red);stroke-width:2.2}
.trace .rule{stroke:var(--faint);stroke-width:1}
.trace .fill{fill:var(--blue);fill-opacity:.3}
.trace .over{fill:var(--blue);fill-opacity:.75}
.trace .edge{stroke:var(--blue);stroke-width:1.5}
.trace .limit{stroke:var(--red);stroke-width:1;stroke-dasharray:2 3}
.trace .dot{fill:var(--quiet)}
"""


class Sheet:
    """Elements in the order of drawing; ``render`` gives the document."""

    def __init__(self, width: Number, title: str, description: str = "") -> None:
        self.width = width
        self._head = f"<title>{escape(title)}</title>"
        if description:
            self._head += f"<desc>{escape(description)}</desc>"
        self._elements: list[str] = []

    def text(
        self, x: Number, y: Number, content: str, classes: str = "", anchor: str = "start"
    ) -> None:
        """One line of text, its base line at ``y``."""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._add("text", classes, f'x="{x:g}" y="{y:g}"{where}', escape(content, quote=False))

    def words(
        self, x: Number, y: Number, parts: Sequence[tuple[str, str]], anchor: str = "start"
    ) -> None:
        """One line of text whose parts have classes of their own."""
        spans = " ".join(
            f'<tspan class="{classes}">{escape(text, quote=False)}</tspan>'
            for text, classes in parts
            if text
        )
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._add("text", "halo", f'x="{x:g}" y="{y:g}"{where}', spans)

    def line(self, x1: Number, y1: Number, x2: Number, y2: Number, classes: str) -> None:
        """A straight line."""
        self._add("line", classes, f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"')

    def rect(self, x: Number, y: Number, width: Number, height: Number, classes: str) -> None:
        """A rectangle; one without an area is left out."""
        if width > 0 and height > 0:
            size = f'width="{width:g}" height="{height:g}"'
            self._add("rect", classes, f'x="{x:g}" y="{y:g}" {size}')

    def circle(self, x: Number, y: Number, radius: Number, classes: str) -> None:
        """A circle."""
        self._add("circle", classes, f'cx="{x:g}" cy="{y:g}" r="{radius:g}"')

    def path(self, commands: str, classes: str) -> None:
        """A path."""
        self._add("path", classes, f'd="{commands}"')

    def cross(self, x: Number, y: Number) -> None:
        """What a packet ends in that nobody takes."""
        r = 5
        self.path(f"M{x - r:g} {y - r:g}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}", "cross")

    def render(self, height: Number) -> str:
        """The document, with this much height."""
        size = f'viewBox="0 0 {self.width:g} {height:g}" width="{self.width:g}"'
        body = "\n".join(self._elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} height="{height:g}" class="trace" '
            f'role="img">{self._head}<style>{_STYLE}</style>\n'
            f'<rect width="100%" height="100%" class="paper"/>\n{body}\n</svg>\n'
        )

    def _add(self, name: str, classes: str, attributes: str, content: str = "") -> None:
        shown = f' class="{classes}"' if classes else ""
        end = f">{content}</{name}>" if content else "/>"
        self._elements.append(f"<{name} {attributes}{shown}{end}")
