"""Sphinx configuration: offline build, Markdown pages, API pages from docstrings."""

import drainstats

project = "drainstats"
author = "The drainstats developers"
copyright = "2026, the drainstats developers"
release = drainstats.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "The statistics of crash episodes", "fixed_sidebar": True}
autodoc_member_order = "bysource"
suppress_warnings = ["ref.python"]
