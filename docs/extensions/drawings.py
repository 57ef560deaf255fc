"""``{drawing}``: an SVG that becomes part of the page, and so takes the page's colours.

An image in an ``img`` element knows neither the reader's choice of light or dark nor the page's
fonts. Its classes are those of ``_static/book.css``.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

__all__ = ["Drawing", "setup"]


class Drawing(SphinxDirective):
    """The file that is the argument, with the content as its caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """A figure; a file that is missing is a warning."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        try:
            svg = Path(path).read_text("utf-8")
        except OSError as error:
            return [self.state.document.reporter.warning(str(error), line=self.lineno)]
        figure = nodes.figure("", nodes.raw("", svg, format="html"), classes=["drawing"])
        if self.content:
            [paragraph] = self.parse_content_to_nodes()
            figure += nodes.caption("", "", *paragraph.children)
        return [figure]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register it with Sphinx."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
