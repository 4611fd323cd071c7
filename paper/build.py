"""Compile paper.typ to PDF. Its numbers come from files that ``make reproduce`` and ``make bench`` write."""

from __future__ import annotations

import pathlib
import sys

import typst

ROOT = pathlib.Path(__file__).parents[1]

if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/paper.pdf")
    target.parent.mkdir(parents=True, exist_ok=True)
    typst.compile(str(ROOT / "paper" / "paper.typ"), output=str(target), root=str(ROOT))
    print(target)
