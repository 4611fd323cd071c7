"""Each notebook and its script are a pair: the same cells, executed from top to bottom without an error."""

from __future__ import annotations

import json
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "notebooks"
NAMES = sorted(p.stem for p in FOLDER.glob("[0-9]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_script_and_notebook_are_a_pair(name):
    jupytext = pytest.importorskip("jupytext")
    script = jupytext.read(FOLDER / f"{name}.py")
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    ours = [(c.cell_type, c.source) for c in script.cells]
    theirs = [(c["cell_type"], "".join(c["source"])) for c in notebook["cells"]]
    assert ours == theirs
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert [c["execution_count"] for c in code] == list(range(1, len(code) + 1))
    assert not [o for c in code for o in c["outputs"] if o["output_type"] == "error"]


def test_every_notebook_has_its_script():
    assert sorted(p.stem for p in FOLDER.glob("*.ipynb")) == NAMES
