"""A document's servers as SIP002 URLs.

A URL can say more than this program can do: it may name a plugin, or a method that the table of
cipher methods has not. So the rows for both are replaced here by ones that take any text.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..shadowsocks.uri import ServerUri
from . import accounts, kinds
from . import options as o
from .option import Option, Scope
from .reader import Document
from .sections import Rows, Section
from .servers import logins, server_sections
from .sources import ReadText, Sources

__all__ = ["links"]

_METHOD: Option[str | None] = replace(o.METHOD, kind=kinds.text)
_PLUGIN: Option[str] = Option("plugin", kinds.remark, "", "the plugin", Scope.TOP | Scope.SERVER)
_PLUGIN_OPTS: Option[str] = replace(_PLUGIN, key="plugin_opts", help="its options")


def links(
    document: Document, environment: Mapping[str, str], read_text: ReadText
) -> list[ServerUri]:
    """Every server of ``document``. Raises ``ConfigError`` as ``build`` does."""
    sources = Sources(document, Section("command line"), environment, read_text, _rows)
    sections = server_sections(sources, sources.read((), Scope.TOP))
    if not sections:
        sources.problems.add(document.name, "no server is configured", 'add "server"')
    sources.problems.raise_first()
    found = [link for section in sections for link in _links(sources, section)]
    sources.problems.raise_first()
    return found


def _links(sources: Sources, section: Section) -> list[ServerUri]:
    method = section.get(_METHOD)
    if method is None:
        sources.problems.add(section.place, "no method", 'add "method"')
        return []
    plugin = ";".join(filter(None, (section.get(_PLUGIN), section.get(_PLUGIN_OPTS))))
    users, remarks = accounts.users(sources, section), section.get(o.REMARKS)
    # SIP023 puts a user's key behind the server's; SIP004 has the user's password in its place.
    chained = method.startswith("2022-")
    found = []
    for endpoint, password in logins(sources, section, chained or users is None):
        holders = [(remarks, password.reveal())]
        if users is not None:
            before = f"{password.reveal()}:" if chained else ""
            holders = [
                (" ".join(filter(None, (remarks, user.name))), before + user.password.reveal())
                for user in users
            ]
        found += [ServerUri(method, secret, endpoint, plugin, tag) for tag, secret in holders]
    return found


def _rows(scope: Scope) -> Rows:
    return {**o.by_name(scope), **{row.key: row for row in (_METHOD, _PLUGIN, _PLUGIN_OPTS)}}
