"""Pictures of ``backlog watch``, made of a real queue of the kernel's while the pages are built.

``{screen} list``     all listeners, of which there is one: it fills while the program looks
``{screen} detail``   that listener by itself
"""

import time
from datetime import datetime

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from annotated_shadowsocks.dashboard.history import History
from annotated_shadowsocks.dashboard.looker import Looker
from annotated_shadowsocks.dashboard.watch_frame import Setting, frame
from annotated_shadowsocks.dashboard.watch_view import Page, WatchView
from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel.procfs import network_namespace
from annotated_shadowsocks.kernel.sysctl import sysctls
from annotated_shadowsocks.policy.listener_filter import parse_filter
from annotated_shadowsocks.testing.queues import StalledListener

__all__ = ["Screen", "filled", "setup"]

_LIMIT, _EVERY = 8, 0.1
_WIDTH, _HEIGHTS = 80, {Page.LIST: 7, Page.DETAIL: 24}


def filled(page: Page) -> list[str]:
    """What is on the screen after a queue has filled. Raises ``ObserveError``."""
    history = History(_EVERY)
    with StalledListener(_LIMIT) as stalled, Looker(history) as looker:
        looker.look()
        # One more than the limit finds room, and one more than that does not.
        for _ in range(_LIMIT + 1):
            stalled.fill(1)
            _wait_and_look(looker)
        stalled.knock(1)
        _wait_and_look(looker)
        words = f"sport = :{stalled.port}"
        view = WatchView(meant=parse_filter(words), words=words, page=page)
        setting = Setting(
            _WIDTH,
            _HEIGHTS[page],
            True,
            f"{datetime.now():%H:%M:%S}",
            f"net:[{network_namespace() or '?'}]",
            sysctls(),
        )
        return [line.text.rstrip() for line in frame(history, view, setting)]


def _wait_and_look(looker: Looker) -> None:
    # The picture has time on one axis, so it takes time to make one.
    time.sleep(_EVERY)
    looker.look()


class Screen(SphinxDirective):
    """A screen of text, with the page that is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A block; a kernel that shows nothing is a warning."""
        self.env.note_dependency(__file__)
        try:
            text = "\n".join(filled(Page(self.arguments[0])))
        except (ObserveError, OSError) as error:
            return [self.state.document.reporter.warning(str(error), line=self.lineno)]
        block = nodes.literal_block(text, text, language="text")
        # Nobody types this.
        block["classes"].append("no-copybutton")
        return [block]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register it with Sphinx."""
    app.add_directive("screen", Screen)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
