"""Write the pages that are tables of the code's own facts: formats.md, measures.md, quality.md and replications.md."""

from __future__ import annotations

import json
import pathlib

import drainstats as ds
from drainstats.files import write_whole

DOCS = pathlib.Path(__file__).parent
QUALITY = """# Quality of data

`panel.quality()` and `ds.quality(table)` measure faults, a row an asset, and give a verdict with the rules that
produced it in `why`. *clean*: no rule fired. *usable*: faults that are named; measures hold where they are not.
*dead*: usable up to the day of death. *poor*: a fault that reaches every measure. *empty*: nothing to measure.
Hints change no verdict. `ds.plot_quality(panel)` draws it, `ds.write_quality(panel)` writes the page.

Bars cannot show everything: wash trading only where volume ignores the price, crossed quotes not at all. First
digits and the tail of trade sizes are measured and not judged, because authentic files break the usual lines too.
Whether volume is that of one venue or of all shows only beside another series of the same base.

"""
MARKS = ("<!-- written by make_tables.py -->\n", "<!-- end -->\n")


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def measures() -> str:
    """What each measure needs, what it can and cannot see in a crash, and how sure it is."""
    header = ["measure", "inputs", "unit", "rises with", "sees in a crash", "misses", "rows", "errors", "source"]
    parts = []
    for table, rows in ds.list_measures().reset_index().groupby("table", sort=False):
        cells = rows.drop(columns="table").astype(str).to_numpy().tolist()
        parts.append(f"## From {table}\n\n{markdown(header, cells)}")
    page = (DOCS / "measures.md").read_text(encoding="utf-8")
    head, foot = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
    return head + MARKS[0] + "\n\n" + "\n".join(parts) + "\n" + MARKS[1] + foot


def formats() -> str:
    """The page of formats, its table renewed: what is read, and what goes wrong with it."""
    header = ["reader", "format", "what it is", "traps", "tested on"]
    table = ds.list_formats().reset_index().sort_values("table", kind="stable")
    rows = [
        [f"`read_{r.table}`", f"`{r.format}`", r.title, r.traps, r.tested_on] for r in table.itertuples(index=False)
    ]
    rows = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    page = (DOCS / "formats.md").read_text(encoding="utf-8")
    head, foot = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
    return head + MARKS[0] + markdown(header, rows) + MARKS[1] + foot


def quality() -> str:
    """What each rule of the quality report finds, where it draws the line and why."""
    header = ["rule", "for", "finds", "line", "why there", "what to do"]
    table = ds.quality_rules().drop(columns="column").reset_index()
    rows = [[str(v).replace("|", "\\|") for v in row] for row in table.itertuples(index=False, name=None)]
    return QUALITY + markdown(header, rows)


def replications() -> str:
    """Published numbers beside ours."""
    path = DOCS.parent / "paper" / "results.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        [
            r["key"],
            r["item"],
            f"{r['target']:.8g}",
            r["read"],
            f"{r['ours']:.8g}",
            f"{r['gap']:+.1e}",
            f"{r['tolerance']:.0e}",
        ]
        + ["yes" if r["ok"] else "**no**"]
        for r in records
    ]
    header = ["key", "item", "printed", "where it was read", "ours", "gap", "tolerance", "agrees"]
    return "# Replications\n\n`make reproduce` recomputes these and fails when one drifts.\n\n" + markdown(header, rows)


if __name__ == "__main__":
    write_whole(DOCS / "formats.md", formats().encode())
    write_whole(DOCS / "measures.md", measures().encode())
    write_whole(DOCS / "quality.md", quality().encode())
    write_whole(DOCS / "replications.md", replications().encode())
