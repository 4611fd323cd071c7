"""Find the recipes, verify their data, run them, write ``paper/results.json``.

A recipe is a module of this folder with ``KEY``, ``PAPER`` and ``reproduce(folder) -> list[Item]``, where the folder is
``<data>/reproductions/<KEY>``.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from drainstats.errors import DataError
from drainstats.files import write_whole

_ROW = re.compile(r"^\|\s*(?P<file>[\w.\-/]+)\s*\|.*\|\s*(?P<sha>[0-9a-f]{64})\s*\|\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Item:
    """One published number beside ours.

    target : the number as printed; read : where it was read ("memory" when nobody has looked it up again);
    tolerance : absolute, with its reason.
    """

    key: str
    item: str
    target: float
    read: str
    ours: float
    tolerance: float
    reason: str

    @property
    def gap(self) -> float:
        """Ours minus the printed number."""
        return self.ours - self.target

    @property
    def ok(self) -> bool:
        """Whether the gap is within the tolerance."""
        return abs(self.gap) <= self.tolerance

    def record(self) -> dict[str, object]:
        """The item as a flat record with gap and verdict."""
        return {**asdict(self), "gap": self.gap, "ok": self.ok}


@dataclass(frozen=True)
class Outcome:
    """Every item of every recipe, and what was wrong with the data of those that could not run."""

    items: tuple[Item, ...]
    missing: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 when all items hold and nothing is missing, else 1."""
        return 0 if self.items and not self.missing and all(i.ok for i in self.items) else 1

    def table(self) -> str:
        """One line an item, then what is missing."""
        rows = [("key", "item", "printed", "ours", "gap", "tolerance", "read", "")]
        rows += [
            (
                i.key,
                i.item,
                f"{i.target:.8g}",
                f"{i.ours:.8g}",
                f"{i.gap:+.1e}",
                f"{i.tolerance:.0e}",
                i.read,
                "ok" if i.ok else "OFF",
            )
            for i in self.items
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *self.missing])


def recipes() -> list[ModuleType]:
    """The modules of this folder that hold a recipe, by name."""
    package = importlib.import_module("drainstats.reproduce")
    names = sorted(
        m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_") and m.name != "runner"
    )
    return [importlib.import_module(f"drainstats.reproduce.{name}") for name in names]


def run(data_root: Path | None = None, out: Path | None = None) -> Outcome:
    """Run every recipe.

    Parameters
    ----------
    data_root : Path, optional
        Folder with ``reproductions/<key>``; default: the environment variable ``DRAINSTATS_DATA``.
    out : Path, optional
        Where the list of records is written, whole or not at all.

    Raises
    ------
    DataError
        When there is no data folder at all.
    """
    named = data_root or os.environ.get("DRAINSTATS_DATA")
    if not named:
        raise DataError(
            "The data of the published results are not here: name their folder in DRAINSTATS_DATA or with --data."
        )
    root = Path(named)
    if not (root / "reproductions").is_dir():
        raise DataError(f"{root} has no folder reproductions; point DRAINSTATS_DATA at the folder that holds it.")
    items: list[Item] = []
    missing: list[str] = []
    for recipe in recipes():
        folder = root / "reproductions" / recipe.KEY
        try:
            verify(folder)
        except DataError as error:
            missing.append(f"{recipe.KEY}: {error}")
        else:
            items += recipe.reproduce(folder)
    if out is not None:
        records = json.dumps([i.record() for i in items], indent=1)
        write_whole(out, f"{records}\n".encode())
    return Outcome(tuple(items), tuple(missing))


def verify(folder: Path) -> None:
    """Compare every file that ``PROVENANCE.md`` lists with its sha256."""
    provenance = folder / "PROVENANCE.md"
    if not provenance.is_file():
        raise DataError("the data are not here; put the folder with its PROVENANCE.md in place.", file=folder)
    for row in _ROW.finditer(provenance.read_text(encoding="utf-8")):
        path = folder / row["file"]
        if not path.is_file():
            raise DataError("a data file is missing; fetch it again.", file=path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha"]:
            raise DataError("the file is not the one that PROVENANCE.md describes; fetch it again.", file=path)
