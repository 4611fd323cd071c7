"""Write the pages that are tables of the code's own facts: measures.md and replications.md."""

from __future__ import annotations

import json
import pathlib

import drainstats as ds
from drainstats.files import write_whole

DOCS = pathlib.Path(__file__).parent


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def measures() -> str:
    """What each measure needs and what it can see in a crash."""
    table = ds.list_measures().reset_index()
    header = ["measure", "inputs", "unit", "rises with", "what it sees in a crash", "window", "source"]
    rows = [[str(v) for v in row] for row in table.itertuples(index=False, name=None)]
    head = (
        "# Measures\n\nTables in, the same kind of table out; every window is trailing.\n"
        "`panel.measure(name)` picks the inputs from a panel.\n\n"
    )
    foot = (
        "\n`square_root_cost(volatility, dollar_volume, notional)` gives what leaving a position costs, a fraction.\n\n"
        "Negative estimates: `negative=` keeps the sign, or turns them into NaN, zero or their absolute value.\n"
        "A third of signed EDGE estimates over 21 rows is negative on thin simulated bars with a true spread of 1 %,\n"
        "so that absolute values bias.\n"
    )
    return head + markdown(header, rows) + foot


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
    write_whole(DOCS / "measures.md", measures().encode())
    write_whole(DOCS / "replications.md", replications().encode())
