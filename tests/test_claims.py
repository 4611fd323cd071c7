"""What the README and the docs print is what was measured, and the measurements hold the project's own limits."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def races():
    return json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))["races"]


def _rates(title):
    """Rejection rates of one section of the size tables by test, those of all its tables together."""
    text = (ROOT / "docs" / "size_tables.md").read_text(encoding="utf-8")
    found = {}
    for line in text.split(title)[1].split("\n## ")[0].splitlines():
        name, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        if line.startswith("|") and cells[0][0].isdigit() and name != "test":
            found.setdefault(name, []).extend(float(cell) for cell in cells)
    return found


def test_the_readme_quotes_the_size_table():
    said = re.search(
        r"true null in ([\d.]+) to ([\d.]+) % at nominal 5 %, where the usual ones reject up\s+to (\d+) %",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    rates = _rates("## True null, all variances jump by one factor")
    ours = rates["studentized_placebo"] + rates["kp_bmp"]
    assert len(ours) == 24
    assert (min(ours), max(ours)) == (float(said[1]), float(said[2]))
    usual = [rates, _rates("## True null, other markets")]
    assert round(max(max(t[f"⚠ {name}"]) for t in usual for name in ("patell", "bmp", "t", "wilcoxon"))) == int(said[3])


def test_the_bars_of_the_races_hold(races):
    ratio = next(r["ratio"] for r in races if r["race"].startswith("rolling EDGE, 500 assets × 5000 rows"))
    assert ratio >= 15
    compiling = [r for r in races if r["family"] == "compile"]
    together = next(r for r in compiling if r["race"] == "compiling, all families")
    assert together["note"].endswith("is met" if together["ours_s"] <= 40 else "is missed")
    assert all(r["ours_s"] < 10 for r in compiling if r["race"] != "compiling, all families")
    dcc = {(r["race"], r["peer"]): r["ratio"] for r in races if r["family"] == "dcc"}
    with_both, with_ours = "ours with, theirs with standard errors", "ours with, theirs without standard errors"
    assert dcc[f"DCC fit, N=10, T=2500; {with_both}", "multiarch"] >= 15
    assert dcc[f"DCC fit, N=30, T=2500; {with_ours}", "multigarch"] >= 2
    assert dcc[f"DCC fit, N=30, T=2500; {with_ours}", "multiarch"] >= 4
    assert dcc[f"DCC fit, N=100, T=2500; {with_ours}", "multigarch"] >= 1.3
    assert next(r["ratio"] for r in races if r["race"].startswith("composite DCC fit, adjacent pairs, N=500")) >= 2


def test_every_kernel_family_is_in_the_compile_race(races):
    files = (ROOT / "drainstats" / "kernels").glob("*.py")
    kernels = {p.stem for p in files if "@kernel" in p.read_text(encoding="utf-8")}
    compiling = [r for r in races if r["race"].startswith("first call")]
    raced = {r["race"].rsplit(" ", 1)[-1] for r in compiling}
    # signing is compiled with the first bars made of ticks, dcclanes with the first DCC, densities with the first GARCH
    assert kernels - {"signing", "dcclanes", "densities"} == raced
    assert kernels == {family for r in compiling for family in r["compiled"]}


def test_the_table_of_races_is_the_stored_one(races):
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for record in races:
        assert f"| {record['race']} | {record['peer']} |" in text
