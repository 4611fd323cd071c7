"""What is wrong with the data: a row an asset, a column a fault, a verdict with the rule that produced it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.panel.align import Clock
from drainstats.panel.cleaning import PRICES

POOR_COVERAGE = 0.8
POOR_VIOLATIONS = 0.05


def _longest_run(flags: np.ndarray) -> int:
    padded = np.r_[0, flags.astype(np.int8), 0]
    edges = np.flatnonzero(np.diff(padded))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _asset_row(bars: pd.DataFrame, clock: Clock, rows: pd.DatetimeIndex) -> dict[str, Any]:
    seen = bars.dropna(how="all")
    if seen.empty:
        return {"bars": 0, "coverage": 0.0, "verdict": "empty", "why": "no value in any field"}
    first, last = seen.index[0], seen.index[-1]
    inside = rows[(rows >= first) & (rows <= last)]
    expected = len(inside) if clock.session else int((last - first) / clock.step) + 1
    row: dict[str, Any] = {
        "first": first,
        "last": last,
        "bars": len(seen),
        "coverage": len(seen) / expected,
        "missing": expected - len(seen),
        "longest_gap": int(np.diff(seen.index.as_unit("ns").asi8).max(initial=0) // clock.step.as_unit("ns").value),
    }
    if "close" in seen:
        close = seen["close"]
        stale = np.asarray(close == close.shift())
        moves = np.abs(np.log(close).diff())
        scale = 1.4826 * moves.median()
        row |= {
            "stale_run": _longest_run(stale),
            "largest_jump": float(moves.max()),
            "jumps_over_10_mad": int((moves > 10 * scale).sum()) if scale > 0 else 0,
        }
    if set(PRICES) <= set(seen.columns):
        inner = seen[["open", "close"]]
        outside = (inner.max(axis=1) > seen["high"]) | (inner.min(axis=1) < seen["low"])
        row |= {"ohlc_violations": int(outside.sum()), "flat_bars": int((seen["high"] == seen["low"]).sum())}
    if "volume" in seen:
        row["zero_volume"] = int((seen["volume"] == 0).sum())
    return row | _verdict(row)


def _verdict(row: dict[str, Any]) -> dict[str, str]:
    coverage, bars, violations = row["coverage"], row["bars"], row.get("ohlc_violations", 0)
    if coverage < POOR_COVERAGE:
        return {"verdict": "poor", "why": f"coverage {coverage:.0%} below {POOR_COVERAGE:.0%}"}
    if violations > POOR_VIOLATIONS * bars:
        return {"verdict": "poor", "why": f"open or close outside high-low in {violations} of {bars} bars"}
    faults = [name for name in ("missing", "ohlc_violations", "zero_volume", "jumps_over_10_mad") if row.get(name)]
    return {"verdict": "usable", "why": ", ".join(faults)} if faults else {"verdict": "clean", "why": ""}


def quality_table(
    fields: dict[str, pd.DataFrame], clock: dict[str, Clock], rows: pd.DatetimeIndex, ledger: pd.DataFrame
) -> pd.DataFrame:
    """Faults per asset, with how often each cleaning rule was applied to it on the way in."""
    assets = next(iter(fields.values())).columns
    table = pd.DataFrame(
        {a: _asset_row(pd.DataFrame({f: v[a] for f, v in fields.items()}), clock[a], rows) for a in assets}
    ).T
    table = table.reindex(assets).rename_axis("asset")
    if len(ledger):
        rules = ledger.pivot_table(index="asset", columns="rule", values="rows", aggfunc="sum")
        table = table.join(rules.rename(columns=lambda rule: f"rule:{rule}"))
        used = [c for c in table.columns if str(c).startswith("rule:")]
        table[used] = table[used].fillna(0).astype(int)
    order = [c for c in table.columns if c not in ("verdict", "why")] + ["verdict", "why"]
    return table[order].infer_objects()
