"""Trades beside quotes, a million and two million in memory, against polars' as-of joins and expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

TRADES, QUOTES, QUICK = 1_000_000, 2_000_000, 20_000
DAY = 86_400_000_000_000
COLUMNS = (
    "mid", "later_mid", "quoted_spread", "effective_spread", "realised_spread", "price_impact", "signed_value",
    "depth_imbalance", "depth_ratio", "log_quoted_size", "quoted_slope", "trade_return", "mid_return",
)  # fmt: skip


def market(trades: int, quotes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A day of trades at the bid or the ask of quotes that move at random."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2024-01-02", tz="UTC").as_unit("ns").value
    shown = np.sort(rng.integers(0, DAY, quotes)) + start
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 1e-5, quotes)))
    half = 0.005 * rng.integers(1, 4, quotes)
    sizes = np.round(rng.exponential(5, (2, quotes)) + 0.01, 2)
    told = np.sort(rng.integers(shown[0] + 1, start + DAY, trades))
    at, side = np.searchsorted(shown, told) - 1, rng.choice(np.array([-1, 1], np.int8), trades)
    price, amount = mid[at] + side * half[at], rng.exponential(1, trades)
    clock = [pd.DatetimeIndex(stamps, tz="UTC", name="time") for stamps in (told, shown)]
    table = pd.DataFrame({"price": price, "amount": amount, "side": side}, clock[0])
    book = {"bid": mid - half, "bid_size": sizes[0], "ask": mid + half, "ask_size": sizes[1]}
    return table, pd.DataFrame(book, clock[1])


def polars_work(trades: pd.DataFrame, quotes: pd.DataFrame) -> Any:
    """Two as-of joins (before the trade; by five minutes after it) and the same columns."""
    import polars as pl

    told = pl.from_pandas(trades.reset_index()).set_sorted("time")
    shown = pl.from_pandas(quotes.reset_index()).set_sorted("time")
    end = shown["time"][-1]

    def work() -> Any:
        p, d, m, after = pl.col("price"), pl.col("side"), pl.col("mid"), pl.col("later_mid")
        b, a, bs, as_ = (pl.col(name) for name in ("bid", "ask", "bid_size", "ask_size"))
        middle = pl.when((b > 0) & (a >= b)).then((b + a) / 2)
        size = (bs * as_).log()
        late = shown.select(time="time", later_mid=middle)
        return (
            told.join_asof(shown, on="time", strategy="backward", allow_exact_matches=False, check_sortedness=False)
            .with_columns(mid=middle, until=pl.col("time") + pl.duration(minutes=5, time_unit="ns"))
            .join_asof(late, left_on="until", right_on="time", strategy="backward", check_sortedness=False)
            .with_columns(later_mid=pl.when(pl.col("until") <= end).then(after))
            .select(
                m, after, quoted_spread=(a - b) / m, effective_spread=2 * d * (p - m) / m,
                realised_spread=2 * d * (p - after) / m, price_impact=2 * d * (after - m) / m,
                signed_value=d * p * pl.col("amount"), depth_imbalance=(bs - as_) / (bs + as_),
                depth_ratio=pl.when(d > 0).then(as_ / bs).otherwise(bs / as_), log_quoted_size=size,
                quoted_slope=pl.when(size > 0).then((a / b).log() / size),
                trade_return=(p / p.shift(1)).log(), mid_return=(m / m.shift(1)).log(),
            )
        )  # fmt: skip

    return work


def races(quick: bool = False) -> list[dict[str, Any]]:
    """One race; the answers are compared before they are timed."""
    from harness import not_run, race

    import drainstats as ds

    rows, shown = (QUICK, 2 * QUICK) if quick else (TRADES, QUOTES)
    trades, quotes = market(rows, shown)

    def ours() -> Any:
        return ds.measures.trade_measures(trades, quotes, "5min")

    name = f"{rows / 1e6:g} million trades beside {shown / 1e6:g} million quotes, 13 measures a trade"
    try:
        theirs = polars_work(trades, quotes)
        note = compare(ours(), theirs())
    except Exception as error:
        return [not_run(name, "polars join_asof", error)]
    limit = "reading and writing its columns once takes 0.2 GB of traffic"
    return race(name, ours, {"polars join_asof": theirs}, repeats=1 if quick else 5, limit=limit, note=note)


def compare(mine: pd.DataFrame, theirs: Any) -> str:
    """The largest difference as a sentence; an error when the answers disagree."""
    worst = 0.0
    for name in COLUMNS:
        x, y = mine[name].to_numpy(), theirs[name].cast(float).to_numpy()
        np.testing.assert_array_equal(np.isnan(x), np.isnan(y), err_msg=name)
        gap = np.nanmax(np.abs(x - y)) / np.nanmax(np.abs(x))
        if gap > 1e-9:
            raise ValueError(f"{name} differs by {gap:g} of its largest value")
        worst = max(worst, float(gap))
    return f"answers agree to {worst:.0e}"
