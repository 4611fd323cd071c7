"""Tables of the report: numbers in the form a reader expects, text escaped by the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.report.analysis import Analysis


@dataclass(frozen=True, slots=True)
class Table:
    """Plain strings for the template: caption, header cells, rows of cells."""

    caption: str
    header: list[str]
    rows: list[list[str]]


def cell(value: Any) -> str:
    """A value as a reader expects it: dates in ISO form, four significant digits, an en dash for what is missing."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def table(frame: pd.DataFrame, caption: str, index: bool = True) -> Table:
    """A frame as strings."""
    frame = frame.reset_index() if index else frame
    names = [str(c).replace("_", " ") for c in frame.columns]
    rows = [[cell(v) for v in row] for row in frame.itertuples(index=False, name=None)]
    return Table(caption, names, rows)


def headline_facts(episode: Episode) -> list[tuple[str, str, str]]:
    """Label, value, and when it was knowable, of the headline card."""
    at_alarm = f"known {cell(episode.detected_at)}"
    later = f"final {cell(episode.known_at)}; not known at the alarm" if not episode.is_open else "not final"
    shares = episode.source[episode.source > 0].sort_values(ascending=False)
    largest = f"largest share {shares.iloc[0]:.0%}" if len(shares) else "not stated"
    source = f"{shares.index[0]}" if episode.source_identified else f"not identified ({largest})"
    cost = (
        f"{1e4 * episode.exit_cost:.0f} bp for {episode.notional:,.0f}, "
        f"{1e4 * episode.exit_cost_baseline:.0f} bp before ({episode.exit_law})"
        if episode.exit_cost == episode.exit_cost
        else "not measured"
    )
    half = f"{episode.half_life:.1f} bars" if episode.half_life == episode.half_life else "not fitted"
    return [
        ("onset", cell(episode.onset), at_alarm),
        ("source", source, at_alarm),
        ("breadth", f"{episode.breadth:.0%} of observed assets, {len(episode.members)} members", later),
        ("depth", f"{episode.depth:.0%} of baseline liquidity left at the trough", later),
        ("exit cost", cost, later),
        ("speed", f"{episode.speed_bars:.1f} bars from 10 to 90 % of the loss", later),
        ("flight", episode.flight.describe(), later),
        ("recovery", f"fitted half-life {half}{' (censored)' if episode.half_life_censored else ''}", later),
        ("end", cell(episode.end) if not episode.is_open else "open", later),
        ("evidence", episode.evidence, "a property of the data"),
    ]


def section_tables(analysis: Analysis) -> dict[str, Table]:
    """Every table of a section, by name; a stage without a result has none."""
    out: dict[str, Table] = {}
    if analysis.episodes:
        rows = [
            (e.onset, e.detected_at, e.trough, e.end, f"{e.breadth:.0%}", f"{e.breadth_p_value:.4f}", f"{e.depth:.0%}")
            + (float("nan") if e.half_life != e.half_life else f"{e.half_life:.1f} bars", e.kind)
            for e in analysis.episodes
        ]
        columns = ["onset", "known at", "trough *", "end *", "breadth *", "p", "depth left *", "half-life *", "kind *"]
        out["episodes"] = table(
            pd.DataFrame(rows, columns=columns), "Episodes. Columns with * were not knowable at the alarm.", index=False
        )
    if analysis.headline is not None:
        e = analysis.headline
        hindsight = {"depth": "depth left *", "half_back_at": "half back *"}
        members = e.member_table.reindex(columns=["arrival", "trough", *hindsight]).rename(columns=hindsight)
        members["share of being the source"] = e.source.reindex(members.index).fillna(0.0)
        out["members"] = table(members.rename_axis("asset"), "Members in order of arrival; * is hindsight.")
    if analysis.seen_by is not None:
        out["measures"] = table(
            analysis.seen_by, "How each measure sees the trough (medians over assets; rank 1 is its worst day)."
        )
    if analysis.coliquidity is not None:
        out["coliquidity"] = table(
            analysis.coliquidity.levels.rename_axis("period"),
            "Average conditional correlation of log-illiquidity innovations.",
        )
        fit = analysis.coliquidity.fit
        parameters = [(n, fit.params[n], fit.std_errors[n]) for n in ("a1", "b1")]
        out["dcc"] = table(
            pd.DataFrame(parameters, columns=["parameter", "estimate", "robust standard error"]),
            "DCC parameters.",
            index=False,
        )
    for name, study in analysis.studies.items():
        tests = study.tests[["statistic", "p_value", "reference", "n_assets", "n_placebos", "smallest_p"]]
        out[f"study:{name}"] = table(
            tests.rename_axis("test"), f"Event study of the {name}: null, the mean abnormal outcome is zero."
        )
    if analysis.backtest is not None:
        columns = [
            "events",
            "warned",
            "coincident",
            "false_alarms_per_year",
            "auroc",
            "p_value",
            "auroc_needed",
            "shares_inputs",
            "verdict",
        ]
        out["backtest"] = table(analysis.backtest.table[columns], "Early warning, horizon 20 bars.")
    if analysis.quality is not None:
        keep = ["first", "last", "bars", "coverage", "longest_gap", "ohlc_violations", "zero_volume", "verdict", "why"]
        have = [c for c in keep if c in analysis.quality]
        out["quality"] = table(analysis.quality[have], "Data quality.")
    if len(analysis.panel.ledger):
        used = analysis.panel.ledger.groupby("rule").agg(
            rows=("rows", "sum"), assets=("asset", "nunique"), first=("first", "min")
        )
        out["ledger"] = table(used, "Cleaning rules applied.")
    return out
