"""Figures and tables of the listen queue, made by running what they show while the pages are built.

``{ladder} SCRIPT``   a ladder of a script, played on the model; ``:only: B, C`` for some clients
``{depths} SCRIPT``   how deep the queues were during it
``{systems} 0-14``    what listen(b) means on each system
``{answers}``         what a full accept queue says on each system

A script is a scene of ``backlog tour``, by its name, or a file below ``tests/scripts``. One that
does not go as it says is a warning, and so the end of the build.
"""

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from annotated_shadowsocks.lab import tour
from annotated_shadowsocks.lab.conductor import conduct
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.pictures import depth_plot, svg_ladder
from annotated_shadowsocks.pictures.trace import Trace
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.statements import Script
from annotated_shadowsocks.tcp_model.profiles import DEFAULT, PROFILES, find
from annotated_shadowsocks.tcp_model.survey import answers, survey

__all__ = ["Answers", "Depths", "Ladder", "Systems", "played", "setup"]

_ROOT = Path(__file__).parents[2]


def played(name: str) -> Trace:
    """The run of a script on the model. Raises ``RuntimeError`` if it does not go as it says."""
    script = _script(name)
    verdict = conduct(script, ModelStage(script.profile or DEFAULT.name))
    if not verdict.agreed:
        raise RuntimeError(str(verdict))
    return verdict.trace


def _script(name: str) -> Script:
    if name.endswith(".pkt"):
        return parse((_ROOT / "tests/scripts" / name).read_text("utf-8"), name)
    return tour.find(name).script


class _Figure(SphinxDirective):
    """A drawing of a run, with the content as its caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "only": directives.unchanged,
        "title": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """A figure; a script that fails is a warning."""
        self.env.note_dependency(__file__)
        try:
            trace = played(self.arguments[0])
        except (RuntimeError, OSError) as error:
            return [self.state.document.reporter.warning(str(error), line=self.lineno)]
        svg = self.draw(trace)
        figure = nodes.figure("", nodes.raw("", svg, format="html"), classes=["drawing"])
        if self.content:
            [paragraph] = self.parse_content_to_nodes()
            figure += nodes.caption("", "", *paragraph.children)
        return [figure]

    def draw(self, trace: Trace) -> str:
        """The SVG."""
        raise NotImplementedError


class Ladder(_Figure):
    """A ladder diagram."""

    def draw(self, trace: Trace) -> str:
        """The ladder, of some clients or of all."""
        only = [name.strip() for name in self.options.get("only", "").split(",") if name.strip()]
        return svg_ladder.draw(_titled(trace, self.options), only)


class Depths(_Figure):
    """Depths over time."""

    def draw(self, trace: Trace) -> str:
        """The plot."""
        return depth_plot.draw(_titled(trace, self.options))


class Systems(SphinxDirective):
    """The table of Stevens, for today: systems by backlogs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A table."""
        first, _, last = self.arguments[0].partition("-")
        backlogs = range(int(first), int(last) + 1)
        rows = [["b", *map(str, backlogs)]]
        for name in PROFILES:
            cells = survey(find(name), backlogs)
            rows.append([f"`{name}`", *(str(cell.connections) for cell in cells)])
        return self.parse_text_to_nodes(_markdown(rows))


class Answers(SphinxDirective):
    """What a client meets at a full accept queue."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        rows = [["system", "its SYN", "its final ACK"]]
        for name, profile in PROFILES.items():
            found = answers(profile)
            rows.append([f"`{name}`", found.to_syn.value, found.to_ack.value])
        return self.parse_text_to_nodes(_markdown(rows))


def _titled(trace: Trace, options: dict[str, str]) -> Trace:
    title = options.get("title", trace.title)
    return Trace(title, trace.source, trace.parties, trace.events)


def _markdown(rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = f"|{'---|' * len(rows[0])}"
    return "\n".join(["```{table}", ":class: printed", "", head, rule, *body, "```"])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register all of it with Sphinx."""
    app.add_directive("ladder", Ladder)
    app.add_directive("depths", Depths)
    app.add_directive("systems", Systems)
    app.add_directive("answers", Answers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
