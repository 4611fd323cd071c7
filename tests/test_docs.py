"""The pages that are written from the code say what the code says, and the how-tos run."""

from __future__ import annotations

import doctest
import importlib.util
import pathlib

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def make_tables():
    spec = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["formats", "measures", "quality", "replications"])
def test_a_page_is_current(make_tables, page):
    written = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert written == getattr(make_tables, page)(), f"run docs/make_tables.py: docs/{page}.md is not what the code says"


def test_how_tos_run():
    result = doctest.testfile(str(DOCS / "howto_files.md"), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


def test_every_page_is_in_the_table_of_contents():
    listed = (DOCS / "index.md").read_text(encoding="utf-8").split("```{toctree}")[1].split()
    assert {p.stem for p in DOCS.glob("*.md")} - {"index"} <= set(listed)
