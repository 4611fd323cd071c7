"""Put every spread proxy and every standard error to the truth, and write ``docs/spread_tables.md``.

Run ``python docs/make_spread_tables.py`` (about three minutes); the seeds are fixed, so that the same numbers come out.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import drainstats as ds
from drainstats.files import write_whole
from drainstats.simulate import SimulatedBars

M = ds.measures
PAGE = pathlib.Path(__file__).with_name("spread_tables.md")
WINDOWS = (21, 63, 250)
ASSETS = 1000
DESIGNS: dict[str, tuple[str, dict[str, Any]]] = {
    "liquid": ("spread 1 %, volatility 3 %, 390 trades a bar", {"spread": 0.01}),
    "narrow": ("as liquid, spread 0.1 %", {"spread": 0.001}),
    "thin": ("as liquid, four trades a bar are seen", {"spread": 0.01, "seen": 0.01}),
    "nights": ("as liquid, jumps of 2 % between bars", {"spread": 0.01, "overnight": 0.02}),
    "wild": ("spread 3 %, volatility 12 %", {"spread": 0.03, "volatility": 0.12}),
}
Function = Callable[..., Any]
SPREADS: dict[str, tuple[Function, str, dict[str, Any]]] = {
    "edge": (M.edge, "ohlc", {}),
    "OHL": (M.ohlc_spread, "ohlc", {"method": "OHL"}),
    "OHLC": (M.ohlc_spread, "ohlc", {"method": "OHLC"}),
    "CHL": (M.ohlc_spread, "ohlc", {"method": "CHL"}),
    "CHLO": (M.ohlc_spread, "ohlc", {"method": "CHLO"}),
    "abdi_ranaldo": (M.abdi_ranaldo, "hlc", {}),
    "abdi_ranaldo, two_day": (M.abdi_ranaldo, "hlc", {"average": "two_day"}),
    "corwin_schultz": (M.corwin_schultz, "hlc", {}),
    "corwin_schultz, zero": (M.corwin_schultz, "hlc", {"two_day": "zero"}),
    "roll": (M.roll, "c", {}),
}
OTHERS: dict[str, tuple[Function, str, dict[str, Any]]] = {
    "parkinson": (M.parkinson, "hl", {}),
    "garman_klass": (M.garman_klass, "ohlc", {}),
    "amihud": (M.amihud, "cv", {}),
    "amihud, down": (M.amihud, "cv", {"side": "down"}),
    "amihud, root": (M.amihud, "cv", {"root": True}),
    "high_low_impact": (M.high_low_impact, "hlv", {}),
    "kyle_obizhaeva": (M.kyle_obizhaeva, "cv", {}),
    "amivest": (M.amivest, "cv", {}),
    "pastor_stambaugh": (M.pastor_stambaugh, "cv", {}),
    "kyle_lambda": (M.kyle_lambda, "cs", {"returns": "log"}),
}
FIELDS = {
    "o": "open", "h": "high", "l": "low", "c": "close", "v": "dollar_volume", "s": "signed_dollar_volume"
}  # fmt: skip


def last(bars: SimulatedBars, name: str, window: int) -> dict[str, np.ndarray]:
    """The estimates of the last window of each asset, their errors and their 95 % intervals."""
    function, letters, options = (SPREADS | OTHERS)[name]
    found = function(*(getattr(bars, FIELDS[x]) for x in letters), window=window, with_se=True, **options)
    ends = found.interval()
    tables = {"value": found.estimate, "error": found.std_error, "lower": ends.lower, "upper": ends.upper}
    return {key: table.iloc[-1].to_numpy(dtype=float) for key, table in tables.items()}


def study() -> pd.DataFrame:
    """A row a design, window and measure."""
    rows = []
    for number, (design, (_, options)) in enumerate(DESIGNS.items()):
        long = ds.simulate.bars(20_000, 8, trades=390, seed=100 + number, **options)
        for window in WINDOWS:
            bars = ds.simulate.bars(window, ASSETS, trades=390, seed=10 * number + window, **options)
            for name in SPREADS | OTHERS:
                if name in ("pastor_stambaugh", "kyle_lambda") and design == "thin":
                    continue  # bars in which nothing trades leave too few complete rows in 21
                target = np.nanmean(last(long, name, 20_000)["value"])
                found = last(bars, name, window)
                rows.append(
                    {"design": design, "window": window, "name": name, **_row(found, target, options["spread"])}
                )
    return pd.DataFrame(rows)


def _row(found: dict[str, np.ndarray], target: float, truth: float) -> dict[str, float]:
    value, error = found["value"], found["error"]
    there = np.isfinite(error)
    away = value - truth
    return {
        "bias": np.nanmean(away),
        "rmse": np.sqrt(np.nanmean(away**2)),
        "negative": np.nanmean(value < 0),
        "cover": np.mean((np.abs(value - target) <= 1.96 * error)[there]),
        "interval": np.mean(((found["lower"] <= target) & (target <= found["upper"]))[there]),
        "without": 1 - there.mean(),
    }


def follows(months: int = 120, assets: int = 100) -> pd.DataFrame:
    """Correlation with a spread that moves, month by month over time and asset by asset in a month."""
    rng = np.random.default_rng(7)
    shocks = 0.3 * rng.normal(size=(months, 1)) + 0.15 * rng.normal(size=(months, assets))
    for t in range(1, months):
        shocks[t] += 0.8 * shocks[t - 1]
    level = np.log(0.01) + 0.5 * rng.normal(size=(1, assets)) + shocks
    spread = np.minimum(np.exp(np.repeat(level, 21, axis=0)), 0.5)
    rows = {}
    for label, seen in (("390 trades", 1.0), ("four trades", 0.01)):
        bars = ds.simulate.bars(21 * months, assets, spread=spread, seen=seen, seed=3)
        truth = bars.spread.iloc[20::21].to_numpy()
        for name, (function, letters, options) in SPREADS.items():
            found = function(*(getattr(bars, FIELDS[x]) for x in letters), window=21, **options).iloc[20::21].to_numpy()
            rows.setdefault(name, {})[f"over time, {label}"] = _median_correlation(found, truth)
            rows[name][f"across assets, {label}"] = _median_correlation(found.T, truth.T)
    return pd.DataFrame(rows).T


def _median_correlation(found: np.ndarray, truth: np.ndarray) -> float:
    """Median over columns of the correlation along rows."""
    pairs = zip(found.T, truth.T, strict=True)
    each = [np.corrcoef(f[k], t[k])[0, 1] for f, t in pairs if (k := np.isfinite(f)).sum() > 10 and f[k].std() > 0]
    return float(np.median(each)) if each else float("nan")


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def page(table: pd.DataFrame, moving: pd.DataFrame) -> str:
    """The page."""
    designs = "\n".join(f"- *{name}*: {text}" for name, (text, _) in DESIGNS.items())
    levels = [f"Windows of {window} bars:\n\n{_levels(table, window)}" for window in (21, 250)]
    followers = [[n, *(f"{v:.2f}" for v in row)] for n, row in zip(moving.index, moving.to_numpy(), strict=True)]
    parts = [HEAD, designs, "\n## Bias and RMSE\n", BIAS, *levels]
    parts += [FOLLOWS + markdown(["proxy", *moving], followers), COVER + _coverage(table), _low(table), FOOT]
    return "\n".join(parts)


def _levels(table: pd.DataFrame, window: int) -> str:
    part = table[table["window"] == window].set_index(["name", "design"])
    rows = []
    for name in SPREADS:
        cells = [part.loc[(name, design)] for design in DESIGNS]
        texts = [f"{1e4 * c['bias']:+.0f} ({1e4 * c['rmse']:.0f}), {100 * c['negative']:.0f} %" for c in cells]
        rows.append([name, *texts])
    return markdown(["proxy", *DESIGNS], rows)


def _coverage(table: pd.DataFrame) -> str:
    rows = []
    for name in SPREADS | OTHERS:
        cells = [name]
        for window in WINDOWS:
            part = 100 * table.loc[(table["window"] == window) & (table["name"] == name), ["cover", "interval"]]
            cells += [f"{part[column].min():.0f} to {part[column].max():.0f}" for column in part]
        rows.append(cells)
    header = [f"{window} bars, {what}" for window in WINDOWS for what in ("± 1.96 errors", "interval")]
    return markdown(["measure", *header], rows)


def _low(table: pd.DataFrame) -> str:
    low = table[(table["cover"] < 0.88) | (table["interval"] < 0.88)].to_dict("records")
    said = [
        f"{r['name']} on *{r['design']}*, {r['window']} bars ({100 * r['cover']:.0f} and {100 * r['interval']:.0f} %)"
        for r in low
    ]
    return f"Below 88 %: {'; '.join(said)}.\n"


HEAD = """# Spread proxies against the truth

Written by `docs/make_spread_tables.py`: bars simulated by `ds.simulate.bars`, whose spread is known, 1000 assets a
design.
"""
BIAS = """Bias and root mean square error (in brackets) in basis points, and the share of estimates below zero. An
unbiased squared spread has a biased root: over 21 bars every proxy of this kind is too low on average, because the
roots of squares near zero are. Where the spread is far below volatility (*narrow*) a window of 21 bars says nothing
about it, whatever the proxy; an average of absolute values would report volatility as a spread.
"""
FOLLOWS = """## Who follows a spread that moves

Median correlation of monthly estimates (windows of 21 bars that do not overlap) with the true spread, over 120 months
of one asset, and over 100 assets in one month. Spreads of about 1 %, volatility 3 %.

"""
COVER = """## How sure they are

Share of 1000 assets whose estimate ± 1.96 standard errors, and whose 95 % interval, covers what the estimator gives
over a long sample: the range over the designs, in percent. The errors say how an estimate scatters, not how far its
target is from the true spread: that is the bias above.

"""
FOOT = """
Amihud of thin bars has a heavy tail, because a bar with one small trade divides by next to nothing: windows of 21 and
63 bars do not show how heavy. The root (`root=True`) has no such tail. The variance inside Kyle and Obizhaeva's measure
is skewed over 20 returns.

`zero_returns`, `fht` and `lot` need prices that stand still, which these bars do not; `resilience`, `vpin` and what is
made of trades and quotes need other data. Their errors are put to the truth in the tests: zeros cover 93 to 94 % of the
time, FHT 90 to 94 % of its own limit, LOT with the Y-split 96 %, the speed of resilience 91 to 95 %, averages of
effective and realised spread and impact 91 to 94 %.
"""


if __name__ == "__main__":
    write_whole(PAGE, page(study(), follows()).encode())
