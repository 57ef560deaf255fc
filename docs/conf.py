"""The build of the book: ``make docs``. Nothing is fetched, neither by the build nor by a page."""

import sys
from pathlib import Path

_DOCS = Path(__file__).parent
sys.path[:0] = [str(_DOCS / "extensions"), str(_DOCS.parent / "src"), str(_DOCS.parent)]

from annotated_shadowsocks import __version__  # noqa: E402 - only now is src on the path

project = "Annotated Shadowsocks"
author = "The Annotated Shadowsocks authors"
version = release = __version__

extensions = [
    "annotated",
    "drawings",
    "screens",
    "measured",
    "tables",
    "traces",
    "myst_parser",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = project
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["book.css"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

# A sentence is checked where it stands, so a page runs from its top with nothing set up, and only
# what is marked as a test runs.
doctest_global_setup = ""
doctest_test_doctest_blocks = ""

# Of a console listing, copy what a reader types and not what it printed.
copybutton_prompt_text = "$ "
