"""`write_quality`: the quality report of panels and tick tables as one self-contained HTML file."""

from __future__ import annotations

import datetime
import io
import json
import os
import warnings
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from drainstats.errors import DataError, require_extra
from drainstats.files import write_whole
from drainstats.panel.datasets import load_dataset
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.quality.rules import quality_rules
from drainstats.panel.quality.table import quality
from drainstats.report.figures import STYLE, _inline
from drainstats.report.html import _versions
from drainstats.report.quality_figure import draw_quality, new_axes
from drainstats.report.tables import Table, table

# More strips than this do not fit a page: the gravest are drawn.
MOST_DRAWN = 300
VERDICTS = {
    "clean": "no rule fired",
    "usable": "faults that are named; measures hold where they are not",
    "dead": "usable up to the day of death",
    "poor": "a fault that reaches every measure",
    "empty": "nothing to measure",
}
GROUPS = {
    "Time": (
        "first", "last", "bars", "coverage", "missing", "explained", "gaps", "longest_gap", "longest_gap_from",
        "closing_hours", "off_calendar", "duplicates", "disorder", "merged", "missing_stamp",
    ),
    "Prices": (
        "not_positive", "high_below_low", "infinite", "ohlc_violations", "flat_bars", "stale_run", "stale_share",
        "copied_bars",
        "largest_jump", "jumps", "spikes", "reused", "price_breaks", "break_at", "splits", "wicks", "decimals",
        "tick_size", "tick_share", "tick_changes", "tick_changed",
    ),
    "Volume and spreads": (
        "zero_volume", "zero_share", "dead_rows", "dead_since", "silent_start", "volume_missing", "price_missing",
        "negative_volume", "volume_break", "dollars_to_value", "volume_of_largest", "twin_gap",
        "volume_range_agreement", "negative_edge", "negative_corwin_schultz",
    ),
}  # fmt: skip


def write_quality(data: Any, path: str | os.PathLike[str] = "quality.html", *, title: str = "Data quality") -> Path:
    """Write the quality report of one or several panels or tick tables.

    Parameters
    ----------
    data : LiquidityPanel, dataset name, tidy table, or mapping of heading to any of them
        A section a heading; tables as in `drainstats.quality`. A pair (trades, quotes) is held against each other.
    path : path, default "quality.html"
        Written under a temporary name and renamed: an old report stays whole until the new one is.
    title : str

    Returns
    -------
    pathlib.Path
        Of a file that needs no network and no script. Names that come from data are escaped.

    Raises
    ------
    MissingExtraError
        Without the extra ``report``.
    DataError
        When there is nothing to report on, and as in `drainstats.quality`.

    Examples
    --------
    >>> import drainstats as ds, pathlib, tempfile
    >>> path = ds.write_quality("us-equity-daily", pathlib.Path(tempfile.mkdtemp()) / "quality.html")
    >>> "off-calendar" in path.read_text(encoding="utf-8")
    True
    """
    jinja2 = require_extra("jinja2", "report")
    require_extra("matplotlib", "report")
    parts = dict(data) if isinstance(data, Mapping) else {data if isinstance(data, str) else "Data": data}
    if not parts:
        raise DataError("There is nothing to report on: pass a panel, a table or a dataset's name.")
    sections = [_section(heading, part, number) for number, (heading, part) in enumerate(parts.items(), 1)]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    room = files("drainstats.report")
    template = environment.from_string(room.joinpath("quality.html").read_text(encoding="utf-8"))
    used = {section["kind"] for section in sections}
    listed = quality_rules()
    listed = listed[[not used.isdisjoint(tables.split(", ")) for tables in listed["tables"]]]
    page = template.render(
        title=title,
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=_style(room.joinpath("template.html").read_text(encoding="utf-8")),
        sections=sections,
        verdicts=VERDICTS,
        rules=table(
            listed.drop(columns="column").rename_axis("rule"),
            "Every rule that was tried, with its line and the reason for it.",
        ),
        versions=_versions(),
    )
    return write_whole(Path(path), page.encode("utf-8"))


def _style(report: str) -> str:
    """The style sheet of the main report: both pages look the same."""
    start = report.index("<style>") + len("<style>")
    return report[start : report.index("</style>")]


def _section(heading: Any, part: Any, number: int) -> dict[str, Any]:
    panel = load_dataset(part) if isinstance(part, str) else part
    pair = panel if isinstance(panel, tuple) else (panel,)
    found = quality(*pair)
    if not len(found):
        raise DataError(f"There is nothing to report on under {heading!r}.")
    is_panel = isinstance(panel, LiquidityPanel)
    counts = found["verdict"].value_counts()
    order = pd.Categorical(found["verdict"], categories=list(VERDICTS)[::-1], ordered=True).codes
    gravest = found.iloc[pd.Series(order).argsort(kind="stable")]
    return {
        "title": str(heading),
        "summary": repr(panel) if is_panel else _counted(found),
        "kind": found.attrs["kind"],
        "counts": [(name, int(counts[name])) for name in VERDICTS if name in counts],
        "faulty": _verdicts(gravest[gravest["verdict"] != "clean"]),
        "clean": _verdicts(gravest[gravest["verdict"] == "clean"]),
        "figure": _drawn(panel, gravest, number) if is_panel else None,
        "details": _details(found),
        "ledger": _ledger(panel) if is_panel else None,
        "provenance": json.dumps(dict(panel.provenance), indent=1, default=str, ensure_ascii=False) if is_panel else "",
    }


def _counted(found: pd.DataFrame) -> str:
    rows = int(found["bars" if "bars" in found else "rows"].sum())
    return f"{len(found)} table{'s' if len(found) > 1 else ''} with {rows:,} rows"


def _verdicts(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for the template: asset, verdict, and each rule with what it says."""
    rows = []
    for asset, verdict, why, hints in zip(found.index, found["verdict"], found["why"], found["hints"], strict=True):
        pairs = [[part.partition(": ")[::2] for part in text.split("; ") if part] for text in (why, hints)]
        rows.append({"asset": str(asset), "verdict": verdict, "why": pairs[0], "hints": pairs[1]})
    return rows


def _details(found: pd.DataFrame) -> list[Table]:
    if "bars" not in found:
        measured = found.drop(columns=["verdict", "why", "hints"])
        return [
            table(measured.T.rename_axis("measured"), "All that was measured; times in seconds, shares as fractions.")
        ]
    known = {name: [c for c in columns if c in found] for name, columns in GROUPS.items()}
    return [table(found[columns], f"{name}: all that was measured.") for name, columns in known.items() if columns]


def _ledger(panel: LiquidityPanel) -> Table | None:
    if not len(panel.ledger):
        return None
    used = panel.ledger.groupby("rule").agg(rows=("rows", "sum"), assets=("asset", "nunique"), first=("first", "min"))
    return table(used, "Cleaning rules applied on the way in.")


def _drawn(panel: LiquidityPanel, gravest: pd.DataFrame, number: int) -> str | None:
    if not gravest["bars"].any():
        return None
    matplotlib = require_extra("matplotlib", "report")
    chosen = set(gravest.index[:MOST_DRAWN])
    names = [name for name in panel.assets if name in chosen]
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The page's reader has fonts for names that the drawing machine has not.
        warnings.filterwarnings("ignore", message="Glyph")
        shown = panel if len(names) == len(panel.assets) else panel.select(names)
        ax = draw_quality(shown, gravest.loc[names], new_axes(len(names)))
        buffer = io.StringIO()
        ax.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), f"q{number}", "Bars, bars without a trade and holes of every asset along time")
