"""Simulate the tests of commonality and write how often they reject to ``docs/commonality.md``.

Run ``python docs/make_commonality_table.py``; the seeds are fixed, so that the same rates come out. Every p-value is
that of `drainstats.measures.commonality` or `drainstats.measures.liquidity_factors` with 99 replications.
"""

from __future__ import annotations

import pathlib
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import drainstats as ds

SEED = 20200312
DRAWS = 1000
REPLICATIONS = 99
SLOWER = {"across": 2}
METHODS = ("market_model", "r2", "pca", "factors", "across")
PAGE = pathlib.Path(__file__).with_name("commonality.md")
START, END = "<!-- rates: made by make_commonality_table.py -->", "<!-- end of rates -->"


@dataclass(frozen=True)
class Panel:
    """Simulated changes: y_it = loading f_t + control c_t + e_it, each part with a first-order autoregression.

    ``common_clusters`` multiplies all e of a row by one persistent volatility, ``own_clusters`` each by its own.
    """

    rows: int = 130
    assets: int = 5
    memory: float = 0.0
    loading: float = 0.0
    control: float = 0.0
    missing: float = 0.0
    ragged: bool = False
    heavy: bool = False
    own_clusters: bool = False
    common_clusters: bool = False


def series(rng: np.random.Generator, panel: Panel, columns: int) -> np.ndarray:
    """(T, columns) shocks, normal or Student t with four degrees of freedom, with the panel's memory."""
    rows = panel.rows + 50
    shocks = rng.standard_t(4, (rows, columns)) if panel.heavy else rng.normal(size=(rows, columns))
    for t in range(1, rows if panel.memory else 0):
        shocks[t] += panel.memory * shocks[t - 1]
    return shocks[50:]


def volatility(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """(T, columns) factors of a volatility whose log has the autocorrelation .95 and the standard deviation .5."""
    log = rng.normal(size=(rows + 100, columns)) * 0.5 * np.sqrt(1 - 0.95**2)
    for t in range(1, len(log)):
        log[t] += 0.95 * log[t - 1]
    return np.exp(log[100:])


def draw(rng: np.random.Generator, panel: Panel) -> tuple[pd.DataFrame, pd.Series]:
    """Changes, and the control that drives them all."""
    y = series(rng, panel, panel.assets)
    if panel.own_clusters or panel.common_clusters:
        y = y * volatility(rng, panel.rows, panel.assets if panel.own_clusters else 1)
    if panel.loading:
        y = y + panel.loading * series(rng, panel, 1)
    control = series(rng, panel, 1)
    y = y + panel.control * control
    if panel.missing:
        y[rng.random(y.shape) < panel.missing] = np.nan
    if panel.ragged:
        y[: panel.rows // 3, 0] = np.nan
        y[-panel.rows // 4 :, 1] = np.nan
    days = pd.bdate_range("2020-01-01", periods=panel.rows)
    return pd.DataFrame(y, days), pd.Series(control[:, 0], days)


def p_value(method: str, panel: Panel, rng: np.random.Generator, seed: int) -> float:
    """Of one simulated panel."""
    y, control = draw(rng, panel)
    if method == "across":
        noise = series(rng, panel, panel.assets)
        measures = {"spread": y, "impact": 0.7 * y + 0.7 * noise}
        with warnings.catch_warnings():
            # Factors may not settle in noise with holes; the statistic comes from covariances and does not need them.
            warnings.simplefilter("ignore", ds.errors.ConvergenceWarning)
            found = ds.measures.liquidity_factors(
                measures, 1, missing="em", replications=REPLICATIONS, bootstrap=0, seed=seed
            )
        return float(found.tests.loc["across", "p_value"])
    controls = {"market return": control} if panel.control else None
    found = ds.measures.commonality(
        y, method, changes="none", controls=controls, replications=REPLICATIONS, bootstrap=0, seed=seed
    )
    return found.p_value


def rate(method: str, panel: Panel, draws: int) -> float:
    """Share of simulated panels with a p-value of at most .05."""
    rng = np.random.default_rng([SEED, zlib.crc32(f"{method} {panel}".encode())])
    seeds = rng.integers(0, 2**31, draws)
    # A p-value that is exactly 1/20, as 5 of 100 can be, rejects; the slack is for its last bit.
    return float(np.mean([p_value(method, panel, rng, int(s)) <= 0.05 + 1e-12 for s in seeds]))


NULL = {
    "white": Panel(),
    "autoregression .8": Panel(memory=0.8),
    "10 assets, 250 rows, autoregression .5": Panel(rows=250, assets=10, memory=0.5),
    "Student t(4), own clusters of volatility": Panel(heavy=True, own_clusters=True),
    "a tenth missing, two assets not there all the time": Panel(missing=0.1, ragged=True),
    "one control drives all": Panel(control=1.0),
    "one control drives all, autoregression .8": Panel(control=1.0, memory=0.8),
}
WARNING = {"common clusters of volatility": Panel(common_clusters=True)}
POWER = {f"loading {loading:g}": Panel(loading=loading) for loading in (0.2, 0.4, 0.7)}
POWER["loading 0.4, autoregression .8"] = Panel(loading=0.4, memory=0.8)


def applies(method: str, panel: Panel) -> bool:
    """Only the market model takes controls."""
    return method == "market_model" or not panel.control


def table(panels: dict[str, Panel], draws: int, methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """Rates, a row a panel, a column a method; NaN where the method does not apply."""
    rows = {
        name: {m: rate(m, panel, draws // SLOWER.get(m, 1)) if applies(m, panel) else np.nan for m in methods}
        for name, panel in panels.items()
    }
    return pd.DataFrame(rows).T


def markdown(rates: pd.DataFrame) -> str:
    """A Markdown table, rates in percent."""
    heads = {"market_model": "market model", "r2": "monthly R²", "pca": "first share", "factors": "factors"}
    lines = [["panel", *(heads.get(c, "factors across two measures") for c in rates)], ["---"] * (rates.shape[1] + 1)]
    lines += [[str(name), *("" if np.isnan(v) else f"{100 * v:.1f} %" for v in row)] for name, row in rates.iterrows()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def error(draws: int) -> float:
    """Binomial standard error of a true rate of 5 %, in points."""
    return float(100 * np.sqrt(0.05 * 0.95 / draws))


def text(draws: int = DRAWS) -> str:
    """What stands between the two marks of ``commonality.md``."""
    few = draws // SLOWER["across"]
    parts = [
        f"{draws} panels a cell (across measures {few}), {REPLICATIONS} replications, nominal level 5 % (binomial "
        f"standard error {error(draws):.1f} points, across measures {error(few):.1f}), five assets and 130 rows unless "
        "named otherwise.",
        "**Without commonality**",
        markdown(table(NULL, draws)),
        "**Without commonality of changes, but all volatilities rise and fall together**",
        markdown(table(WARNING, draws)),
        f"**With a common factor**, own parts of unit variance ({draws // 5} panels a cell)",
        markdown(table(POWER, draws // 5)),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    made = text()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}\n\n{made}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
