"""Run every percent-format notebook from top to bottom and write its paired .ipynb, outputs included."""

from __future__ import annotations

import pathlib
import sys

import jupytext
from nbclient import NotebookClient

from drainstats.files import write_whole

FOLDER = pathlib.Path(__file__).parent
KERNEL = "python3"


def execute(script: pathlib.Path) -> pathlib.Path:
    """Execute one notebook; an error in a cell ends the run with that cell's message."""
    notebook = jupytext.read(script)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": KERNEL}
    NotebookClient(notebook, timeout=300, kernel_name=KERNEL, resources={"metadata": {"path": str(FOLDER)}}).execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
    return write_whole(script.with_suffix(".ipynb"), jupytext.writes(notebook, fmt="ipynb").encode())


if __name__ == "__main__":
    wanted = sys.argv[1:] or sorted(p.name for p in FOLDER.glob("[0-9]*.py"))
    for name in wanted:
        print(execute(FOLDER / name).relative_to(FOLDER.parent))
