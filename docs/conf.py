"""How Sphinx builds the site: `python -m sphinx docs build/docs`. No network, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

import softgrad

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "softgrad"
author = "The softgrad developers"
version = release = softgrad.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_external_toc",
    "citation",
    "commands",
    "figures",
    "gallery",
    "links",
    "reference",
    "sources",
]
exclude_patterns = ["_extensions", "_static"]
external_toc_path = "_toc.yml"

# Formulas, and anchors as GitHub makes them.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 6
# The pages show code and formulas; a quotation mark stays what was typed.
smartquotes = False

autosummary_generate = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
# `shape (n, K)` is a sentence, no cross-reference.
numpydoc_xref_param_type = False
viewcode_line_numbers = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

# The theme follows the system unless a reader chooses.
html_context = {"default_mode": "auto"}
html_theme = "pydata_sphinx_theme"
html_title = "softgrad"
# Pages without others below them.
html_sidebars = {page: [] for page in ("changelog", "cite", "interactive/index")}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# The lines around what was found are fetched, which browsers refuse for pages that are opened as files.
html_show_search_summary = False
html_theme_options = {
    "navbar_align": "left",
    # As many as a window of 1280 pixels holds beside the search.
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app: Sphinx) -> None:
    # What -W does; there is no option of this file for it.
    app._fail_on_warnings = True
