"""Bar measures on a panel against pandas, polars and duckdb; every peer must give our numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from harness import race
from race_edge import bars

import drainstats as ds

M = ds.measures
K = 3 - 2 * np.sqrt(2)
Tables = dict[str, pd.DataFrame]


def _two_day(t: Tables) -> pd.DataFrame:
    h, l, c = (np.log(t[name]) for name in ("high", "low", "close"))
    h1, l1, c1 = h.shift(), l.shift(), c.shift()
    gap = (c1 - h).clip(lower=0) + (c1 - l).clip(upper=0)
    beta = (h - l) ** 2 + (h1 - l1) ** 2
    gamma = (np.maximum(h + gap, h1) - np.minimum(l + gap, l1)) ** 2
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / K - np.sqrt(gamma / K)
    return (2 * np.tanh(alpha / 2)).rolling(20).mean()


def _amihud(t: Tables) -> pd.DataFrame:
    return (np.log(t["close"]).diff().abs() / t["dollar_volume"]).rolling(21, min_periods=1).mean().iloc[20:]


def _roll(t: Tables) -> pd.DataFrame:
    r = np.log(t["close"]).diff()
    square = -4 * r.rolling(19).cov(r.shift(), pairwise=False)
    return np.sign(square) * np.sqrt(square.abs())


def _abdi_ranaldo(t: Tables) -> pd.DataFrame:
    eta, c1 = (np.log(t["high"]) + np.log(t["low"])) / 2, np.log(t["close"]).shift()
    square = (4 * (c1 - eta.shift()) * (c1 - eta)).rolling(20).mean()
    return np.sign(square) * np.sqrt(square.abs())


def _parkinson(t: Tables) -> pd.DataFrame:
    return np.sqrt((np.log(t["high"] / t["low"]) ** 2).rolling(21).mean() / (4 * np.log(2)))


def _garman_klass(t: Tables) -> pd.DataFrame:
    u, d, c = (np.log(t[name] / t["open"]) for name in ("high", "low", "close"))
    return np.sqrt((0.5 * (u - d) ** 2 - (2 * np.log(2) - 1) * c**2).rolling(21).mean())


def _high_low_impact(t: Tables) -> pd.DataFrame:
    return (np.log(t["high"] / t["low"]) / t["dollar_volume"]).rolling(21).mean()


def _kyle_obizhaeva(t: Tables) -> pd.DataFrame:
    r = np.log(t["close"]).diff()
    v = t["dollar_volume"].where(r.notna())
    level = r.rolling(21, min_periods=2).var() / v.rolling(21, min_periods=1).mean()
    return np.cbrt(level).iloc[20:]


def _amivest(t: Tables) -> pd.DataFrame:
    r = np.log(t["close"]).diff().abs()
    v = t["dollar_volume"].where(r.notna())
    ratio = v.rolling(21, min_periods=1).sum() / r.rolling(21, min_periods=1).sum()
    return ratio.iloc[20:]


def _ours(t: Tables) -> dict[str, Callable[[], pd.DataFrame]]:
    o, h, l, c, v = (t[name] for name in ("open", "high", "low", "close", "dollar_volume"))
    return {
        "corwin_schultz": lambda: M.corwin_schultz(h, l, c),
        "amihud": lambda: M.amihud(c, v),
        "roll": lambda: M.roll(c),
        "abdi_ranaldo": lambda: M.abdi_ranaldo(h, l, c),
        "parkinson": lambda: M.parkinson(h, l, 21),
        "garman_klass": lambda: M.garman_klass(o, h, l, c, 21),
        "high_low_impact": lambda: M.high_low_impact(h, l, v),
        "kyle_obizhaeva": lambda: M.kyle_obizhaeva(c, v),
        "amivest": lambda: M.amivest(c, v),
    }


PANDAS = {
    "corwin_schultz": _two_day,
    "amihud": _amihud,
    "roll": _roll,
    "abdi_ranaldo": _abdi_ranaldo,
    "parkinson": _parkinson,
    "garman_klass": _garman_klass,
    "high_low_impact": _high_low_impact,
    "kyle_obizhaeva": _kyle_obizhaeva,
    "amivest": _amivest,
}
THREE = ("corwin_schultz", "amihud", "roll")


def _polars(long: Any) -> Any:
    """The three measures in one lazy query over a long table."""
    import polars as pl

    own = {"partition_by": "asset", "order_by": "row"}
    h, l, c = (pl.col(name).log() for name in ("high", "low", "close"))
    moves = long.lazy().with_columns(
        h.alias("h"), l.alias("l"), c.alias("c"),
        h.shift().over(**own).alias("h1"), l.shift().over(**own).alias("l1"), c.shift().over(**own).alias("c1"),
    )  # fmt: skip
    gap = (pl.col("c1") - pl.col("h")).clip(lower_bound=0) + (pl.col("c1") - pl.col("l")).clip(upper_bound=0)
    beta = (pl.col("h") - pl.col("l")) ** 2 + (pl.col("h1") - pl.col("l1")) ** 2
    top = pl.max_horizontal(pl.col("h") + gap, "h1")
    bottom = pl.min_horizontal(pl.col("l") + gap, "l1")
    alpha = ((2 * beta).sqrt() - beta.sqrt()) / K - ((top - bottom) ** 2 / K).sqrt()
    spread = pl.when(pl.col("h1").is_null()).then(None).otherwise(2 * (alpha / 2).tanh())
    r = pl.col("c") - pl.col("c1")
    rows = moves.with_columns(spread.alias("s"), r.alias("r"), (r.abs() / pl.col("dollar_volume")).alias("a"))
    rows = rows.with_columns(pl.col("r").shift().over(**own).alias("r1"))
    square = -4 * pl.rolling_cov("r", "r1", window_size=19, min_samples=19)
    return rows.select(
        "row", "asset",
        pl.col("s").rolling_mean(20).over(**own).alias("corwin_schultz"),
        pl.col("a").rolling_mean(21, min_samples=1).over(**own).alias("amihud"),
        (square.sign() * square.abs().sqrt()).over(**own).alias("roll"),
    ).collect()  # fmt: skip


DUCKDB = f"""
with logs as (select row, asset, ln(high) h, ln(low) l, ln(close) c, dollar_volume v from long),
before as (select *, lag(h) over w h1, lag(l) over w l1, lag(c) over w c1 from logs
           window w as (partition by asset order by row)),
shifted as (select *, greatest(0, c1 - h) + least(0, c1 - l) gap, (h - l) ** 2 + (h1 - l1) ** 2 beta, c - c1 r
            from before),
ranges as (select *, (greatest(h + gap, h1) - least(l + gap, l1)) ** 2 gamma from shifted),
alphas as (select *, (sqrt(2 * beta) - sqrt(beta)) / {K} - sqrt(gamma / {K}) a,
           lag(r) over (partition by asset order by row) r1 from ranges),
rows as (select row, asset, case when h1 is not null then 2 * (exp(a) - 1) / (exp(a) + 1) end s, abs(r) / v i, r, r1
         from alphas)
select row, asset, avg(s) over (o rows 19 preceding) corwin_schultz, avg(i) over (o rows 20 preceding) amihud,
       -4 * covar_samp(r, r1) over (o rows 18 preceding) square
from rows window o as (partition by asset order by row)
order by asset, row
"""


def _duckdb(long: pd.DataFrame) -> Any:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("long", long)
        return connection.execute(DUCKDB).fetchnumpy()


def _check(ours: dict[str, Callable[[], pd.DataFrame]], tables: Tables, long: pd.DataFrame) -> None:
    """Every peer's answer is ours, or the race does not count."""
    import polars as pl

    rows, assets = tables["close"].shape
    for name, peer in PANDAS.items():
        mine, theirs = ours[name]().to_numpy(), peer(tables).to_numpy()
        np.testing.assert_allclose(mine[-len(theirs) :], theirs, rtol=1e-6, atol=1e-12, err_msg=name)
    arrow, duck = _polars(pl.from_pandas(long)), _duckdb(long)
    square = duck.pop("square")
    duck["roll"] = np.sign(square) * np.sqrt(np.abs(square))
    for name in THREE:
        mine = ours[name]().to_numpy()[25:]
        for theirs in (arrow[name].to_numpy(), np.asarray(np.ma.filled(duck[name], np.nan))):
            wide = theirs.reshape(assets, rows).T[25:]
            np.testing.assert_allclose(wide, mine, rtol=1e-6, atol=1e-9, err_msg=name)


def races(quick: bool = False) -> list[dict[str, Any]]:
    """Corwin-Schultz, Amihud and Roll together against three engines; every other bar measure against pandas."""
    import polars as pl

    assets, rows = (20, 400) if quick else (500, 5000)
    tables = bars(assets, rows)
    value = np.random.default_rng(1).lognormal(15, 1, (rows, assets))
    tables["dollar_volume"] = pd.DataFrame(value)
    order = np.arange(rows)
    long = pd.DataFrame({name: t.to_numpy().T.ravel() for name, t in tables.items()})
    long["row"], long["asset"] = np.tile(order, assets), np.repeat(np.arange(assets), rows)
    arrow, ours = pl.from_pandas(long), _ours(tables)
    _check(ours, tables, long)
    size = f"{assets} assets × {rows} rows, window 21"
    cells = assets * rows
    limit = f"three logs of {cells / 1e6:.1f} million prices and a pass over every table: about {cells * 6e-8:.2f} s"
    together = race(
        f"Corwin-Schultz, Amihud and Roll together, {size}",
        lambda: [ours[name]() for name in THREE],
        {
            "pandas, wide tables": lambda: [PANDAS[name](tables) for name in THREE],
            "polars, long table, lazy": lambda: _polars(arrow),
            "duckdb, windows": lambda: _duckdb(long),
        },
        repeats=3,
        limit=limit,
    )
    single = [
        race(f"{name}, {size}", ours[name], {"pandas": lambda peer=peer: peer(tables)}, repeats=3)
        for name, peer in PANDAS.items()
        if name not in THREE
    ]
    return together + [record for part in single for record in part]
