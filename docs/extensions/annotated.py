"""What the pages need beyond MyST: code by name, citations that link, the registry of sources.

``{source}``    includes an object, ``wire/address.py::read``, or a region, ``wire/address.py#name``
``{registry}``  prints ``references.toml`` or ``kernel_symbols.toml``

A citation is written on a page as in a margin note, ``[RFC1928 §5]``, and becomes a link here.
That it is registered is a repository test's business, for pages and code alike.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from regions import find_object, find_region
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

__all__ = ["CitationLinks", "Registry", "Source", "setup"]

_DOCS = Path(__file__).parents[1]
_ROOT = _DOCS.parent
_PACKAGE = _ROOT / "src" / "annotated_shadowsocks"


class Source(LiteralInclude):
    """``literalinclude`` by name, so that an edit above the lines does not shift the listing."""

    option_spec: ClassVar[dict[str, Any]] = {
        name: LiteralInclude.option_spec[name] for name in ("emphasize-lines", "name")
    }

    def run(self) -> list[nodes.Node]:
        """Find the lines and let ``literalinclude`` do the rest; a failure is a warning."""
        path, separator, name = re.split(r"(::|#|$)", self.arguments[0], maxsplit=1)
        top = _PACKAGE if (_PACKAGE / path).is_file() else _ROOT
        find = find_object if separator == "::" else find_region
        try:
            if separator:
                first, last = find((top / path).read_text("utf-8"), name)
                self.options["lines"] = f"{first}-{last}"
        except (LookupError, OSError) as error:
            problem = f"{self.arguments[0]}: {error}"
            return [self.state.document.reporter.warning(problem, line=self.lineno)]
        self.options |= {"lineno-match": None, "dedent": None, "language": "python"}
        self.options["caption"] = f"`{(top / path).relative_to(_ROOT)}`"
        self.arguments = [f"/{Path('..', (top / path).relative_to(_ROOT))}"]
        return super().run()


class CitationLinks(SphinxTransform):
    """Turns ``[RFC1928 §5]`` in prose into a link to that section."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Replace each text that holds citations by text and links."""
        for text in list(self.document.findall(nodes.Text)):
            code = isinstance(text.parent, nodes.literal | nodes.FixedTextElement | nodes.reference)
            pieces = [] if code else _linked(text.astext())
            if len(pieces) > 1:
                text.parent.replace(text, pieces)


class Registry(SphinxDirective):
    """Prints the file of registered sources that is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One list entry for each source."""
        path = _DOCS / self.arguments[0]
        self.env.note_dependency(str(path))
        table = tomllib.loads(path.read_text("utf-8"))
        entries = _kernel_entries(table) if "symbols" in table else _document_entries(table)
        return self.parse_text_to_nodes("\n".join(entries))


_REFERENCES: dict[str, Any] = tomllib.loads((_DOCS / "references.toml").read_text("utf-8"))
_CITATION = re.compile(rf"\[({'|'.join(map(re.escape, _REFERENCES))})(?: §?([^\]]+))?\]")


def _linked(text: str) -> list[nodes.Node]:
    pieces: list[nodes.Node] = []
    end = 0
    for match in _CITATION.finditer(text):
        document = _REFERENCES[match[1]]
        target = document["url"] + (document.get("anchor", "").format(match[2]) if match[2] else "")
        title = document.get("sections", {}).get(match[2]) or document["title"]
        link = nodes.reference("", match[0], refuri=target, internal=False, reftitle=title)
        pieces += [nodes.Text(text[end : match.start()]), link]
        end = match.end()
    return [*pieces, nodes.Text(text[end:])]


def _document_entries(table: dict[str, Any]) -> list[str]:
    entries = []
    for name, document in table.items():
        entries.append(f"- **{name}**, [{document['title']}]({document['url']})")
        anchor = document.get("anchor", "")
        for section, title in document.get("sections", {}).items():
            entries.append(f"  - [§{section}]({document['url']}{anchor.format(section)}) {title}")
    return entries


def _kernel_entries(table: dict[str, Any]) -> list[str]:
    return [f"- `{symbol}`, in `{path}`" for symbol, path in sorted(table["symbols"].items())]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register all of it with Sphinx."""
    app.add_directive("source", Source)
    app.add_directive("registry", Registry)
    app.add_transform(CitationLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
