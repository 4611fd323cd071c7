"""Trades beside quotes: definitions trade by trade, agreement with bars, known markets, ugly input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from tests.kernels.tick_twin import DAY, market, tidy
from tests.sources.test_signing import twin as sign_twin
from tests.sources.test_ticks_quotes import quote_stream

M = ds.measures
SECOND = 10**9
COSTS = ["effective_spread", "realised_spread", "price_impact"]


def at(*stamps):
    return pd.DatetimeIndex([pd.Timestamp(f"2024-01-02 {s}", tz="UTC") for s in stamps])


def one_trade(price=101.5, side=1, amount=2.0, stamp="10:00:30"):
    return pd.DataFrame({"price": [price], "amount": [amount], "side": [side]}, at(stamp))


def quotes_of(*rows):
    """Rows of (stamp, bid, bid_size, ask, ask_size)."""
    return pd.DataFrame(
        [r[1:] for r in rows], at(*(r[0] for r in rows)), columns=["bid", "bid_size", "ask", "ask_size"]
    )


TWO = quotes_of(
    ("10:00:00", 99.0, 4.0, 101.0, 12.0), ("10:01:00", 100.0, 1.0, 102.0, 1.0), ("11:00:00", 1.0, 1, 2.0, 1)
)


def mid(quote):
    bid, ask = (quote["bid"], quote["ask"]) if quote is not None else (np.nan, np.nan)
    return (bid + ask) / 2 if ask >= bid > 0 else np.nan


def last(table):
    return table.iloc[-1] if len(table) else None


def twin(trades, quotes, lag, horizon, at_stamp, rows=False):
    """Every trade by itself, from the definitions."""
    out = {}
    for (asset, day), own in trades.groupby(["asset", trades["time"] // DAY]):
        theirs = quotes[(quotes["asset"] == asset) & (quotes["time"] // DAY == day)]
        found = []
        for _, trade in own.iterrows():
            limit = trade["time"] - lag
            found.append(last(theirs[theirs["time"] <= limit] if at_stamp else theirs[theirs["time"] < limit]))
        for j, (k, trade) in enumerate(own.iterrows()):
            if rows:
                later = mid(found[j + horizon]) if j + horizon < len(own) else np.nan
            else:
                until = trade["time"] + horizon
                reached = (theirs["time"] >= until).any()
                later = mid(last(theirs[theirs["time"] <= until])) if reached else np.nan
            m, d, p, q = mid(found[j]), trade["side"] or np.nan, trade["price"], found[j]
            there = q is not None and m == m
            sizes = q["bid_size"] * q["ask_size"] if there else np.nan
            out[k] = {
                "mid": m,
                "later_mid": later,
                "quoted_spread": (q["ask"] - q["bid"]) / m if there else np.nan,
                "effective_spread": 2 * d * (p - m) / m,
                "realised_spread": 2 * d * (p - later) / m,
                "price_impact": 2 * d * (later - m) / m,
                "value": p * trade["amount"],
                "signed_value": d * p * trade["amount"],
                "depth_imbalance": (q["bid_size"] - q["ask_size"]) / (q["bid_size"] + q["ask_size"])
                if there
                else np.nan,
                "depth_ratio": (q["ask_size"] / q["bid_size"]) ** d if sizes > 0 else np.nan,
                "log_quoted_size": np.log(sizes) if sizes > 0 else np.nan,
                "quoted_slope": np.log(q["ask"] / q["bid"]) / np.log(sizes) if there and sizes > 1 else np.nan,
                "trade_return": np.log(p / own["price"].iloc[j - 1]) if j else np.nan,
                "mid_return": np.log(m / mid(found[j - 1])) if j else np.nan,
            }
    return pd.DataFrame.from_dict(out, orient="index").sort_index()


@pytest.mark.parametrize("at_stamp", [False, True])
@pytest.mark.parametrize(("lag", "horizon"), [(0, 300 * SECOND), (30 * SECOND, 3600 * SECOND), (7200 * SECOND, 0)])
def test_equals_the_definitions_trade_by_trade(lag, horizon, at_stamp):
    trades = market(5, n=250)
    quotes = quote_stream(5, trades, n=400)
    mine = M.trade_measures(
        tidy(trades), tidy(quotes), pd.Timedelta(horizon), quote_lag=pd.Timedelta(lag),
        match="at" if at_stamp else "before", sign="given",
    )  # fmt: skip
    theirs = twin(trades, quotes, lag, horizon, at_stamp)
    assert mine["asset"].tolist() == trades["asset"].tolist()
    np.testing.assert_allclose(mine[theirs.columns], theirs, rtol=1e-9, atol=1e-15)
    there = mine["later_mid"].notna()
    assert (mine["known_at"][there] == mine.index[there] + pd.Timedelta(horizon)).all()


def test_a_horizon_in_rows():
    trades = market(6, n=250)
    quotes = quote_stream(6, trades, n=400)
    mine = M.trade_measures(tidy(trades), tidy(quotes), 3, horizon_unit="rows", sign="given")
    theirs = twin(trades, quotes, 0, 3, False, rows=True)
    np.testing.assert_allclose(mine[theirs.columns], theirs, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("method", ["tick", "lee_ready", "emo", "clnv"])
def test_directions_are_those_of_sign_trades(method):
    trades = market(3, n=250)
    quotes = quote_stream(3, trades, n=400)
    mine = M.trade_measures(tidy(trades), tidy(quotes), sign=method, quote_lag="5min")
    assert mine["direction"].tolist() == sign_twin(trades, quotes, method, 300 * SECOND)


def test_known_sides_stand_and_lee_ready_fills_the_rest():
    trades = market(4, n=200)
    quotes = quote_stream(4, trades, n=400)
    trades.loc[::3, "side"] = 0
    filled = M.trade_measures(tidy(trades), tidy(quotes))["direction"].to_numpy()
    ruled = M.trade_measures(tidy(trades), tidy(quotes), sign="lee_ready")["direction"].to_numpy()
    given = trades["side"].to_numpy()
    assert np.array_equal(filled, np.where(given != 0, given, ruled))
    no_side = tidy(trades).drop(columns="side")
    assert np.array_equal(M.trade_measures(no_side, tidy(quotes))["direction"], ruled)
    with pytest.raises(DataError, match="no side"):
        M.trade_measures(no_side, tidy(quotes), sign="given")


@pytest.mark.parametrize("sign", ["given", "lee_ready", "clnv"])
@pytest.mark.parametrize(("lag", "horizon", "every"), [("0s", "5min", "30min"), ("20s", "1h", "1D")])
def test_averages_are_the_bars_of_tick_bars(sign, lag, horizon, every):
    trades = market(7, n=400)
    quotes = quote_stream(7, trades, n=600)
    bars = ds.tick_bars(
        tidy(trades), every if every != "1D" else "24h", quotes=tidy(quotes), sign=sign, lag=lag, horizon=horizon
    ).set_index("asset", append=True).swaplevel()  # fmt: skip
    table = M.trade_measures(tidy(trades), tidy(quotes), horizon, quote_lag=lag, sign=sign)
    mine = M.average_costs(table, every).loc[bars.index]
    assert len(mine) == len(bars)
    np.testing.assert_allclose(mine[COSTS], bars[COSTS], rtol=1e-9, atol=1e-15)


def test_worked_by_hand():
    table = M.trade_measures(one_trade(), TWO, "1min").iloc[0]
    # Mid 100 before, 101 a minute later; bought at 101.5.
    assert table["effective_spread"] == pytest.approx(0.03)
    assert table["realised_spread"] == pytest.approx(0.01)
    assert table["price_impact"] == pytest.approx(0.02)
    assert table["quoted_spread"] == pytest.approx(0.02)
    assert table["depth_imbalance"] == pytest.approx(-0.5)
    assert table["depth_ratio"] == pytest.approx(3.0)
    assert table["quoted_slope"] == pytest.approx(np.log(101 / 99) / np.log(48))
    assert (table["value"], table["signed_value"]) == (203.0, 203.0)
    sold = M.trade_measures(one_trade(98.5, -1), TWO, "1min").iloc[0]
    assert sold["effective_spread"] == pytest.approx(0.03)
    assert sold["price_impact"] == pytest.approx(-0.02)
    assert sold["depth_ratio"] == pytest.approx(1 / 3)


def test_a_quote_of_the_trades_own_stamp_counts_when_asked():
    before = M.trade_measures(one_trade(stamp="10:01:00"), TWO)
    same = M.trade_measures(one_trade(stamp="10:01:00"), TWO, match="at")
    assert (before["mid"].iloc[0], same["mid"].iloc[0]) == (100.0, 101.0)
    lagged = M.trade_measures(one_trade(stamp="10:01:05"), TWO, match="at", quote_lag="5s")
    late = M.trade_measures(one_trade(stamp="10:01:05"), TWO, quote_lag="5s")
    assert (lagged["mid"].iloc[0], late["mid"].iloc[0]) == (101.0, 100.0)


def test_the_last_quote_of_a_stamp_stands():
    quotes = quotes_of(
        ("10:00:00", 99.0, 1, 101.0, 1), ("10:00:00", 100.0, 1, 102.0, 1), ("11:00:00", 100.0, 1, 102.0, 1)
    )
    assert M.trade_measures(one_trade(), quotes)["mid"].iloc[0] == 101.0


@pytest.mark.parametrize(
    ("bid", "ask", "found"),
    [
        (101.0, 99.0, np.nan), (np.nan, 101.0, np.nan), (99.0, np.nan, np.nan), (0.0, 101.0, np.nan),
        (-1.0, 1.0, np.nan), (99.0, np.inf, np.nan), (100.0, 100.0, 100.0),
    ],
)  # fmt: skip
def test_a_crossed_or_one_sided_quote_has_no_mid(bid, ask, found):
    quotes = quotes_of(("10:00:00", bid, 1.0, ask, 1.0), ("11:00:00", bid, 1.0, ask, 1.0))
    row = M.trade_measures(one_trade(), quotes).iloc[0]
    np.testing.assert_equal([row["mid"], row["later_mid"]], [found, found])
    assert np.isnan(row[COSTS].astype(float)).all() == np.isnan(found)
    assert row["value"] == 203.0


def test_before_the_first_quote_and_after_the_last_there_is_no_answer():
    early = M.trade_measures(one_trade(stamp="09:59:59"), TWO, "1s").iloc[0]
    assert np.isnan(early["mid"])
    assert early["later_mid"] == 100.0
    assert early["direction"] == 1
    late = M.trade_measures(one_trade(stamp="10:30:00"), TWO, "31min").iloc[0]
    assert np.isnan(late["later_mid"])
    assert pd.isna(late["known_at"])
    assert late["mid"] == 101.0
    reaches = M.trade_measures(one_trade(stamp="10:30:00"), TWO, "30min").iloc[0]
    assert reaches["later_mid"] == 1.5


def test_midnight_ends_a_day_unless_told_otherwise():
    clock = pd.DatetimeIndex(["2024-01-02 23:59", "2024-01-03 00:01", "2024-01-03 00:02"], tz="UTC")
    quotes = pd.DataFrame({"bid": [99.0, 100.0, 100.0], "ask": [101.0, 102.0, 102.0]}, clock)
    trades = pd.DataFrame({"price": [101.0, 100.0], "amount": 1.0}, clock[[0, 1]] + pd.Timedelta("30s"))
    trades = pd.concat([trades, trades.iloc[:1].set_axis(clock[:1] + pd.Timedelta("80s"))]).sort_index()
    apart = M.trade_measures(trades, quotes, "1min")
    assert apart["mid"].isna().tolist() == [False, True, False]
    assert apart["later_mid"].isna().tolist() == [True, False, True]
    assert apart["direction"].tolist() == [1, 0, -1]
    through = M.trade_measures(trades, quotes, "1min", by_day=False)
    assert through["mid"].tolist() == [100.0, 100.0, 101.0]
    assert through["later_mid"].iloc[:2].tolist() == [100.0, 101.0]
    assert through["direction"].tolist() == [1, 1, -1]
    assert through["trade_return"].notna().tolist() == [False, True, True]
    rows = M.trade_measures(trades, quotes, 1, horizon_unit="rows", by_day=False)
    assert rows["later_mid"].iloc[:2].tolist() == [100.0, 101.0]
    assert rows["known_at"].iloc[0] == rows.index[1]
    assert pd.isna(rows["known_at"].iloc[2])


def glosten(days=300, n=2000, persistence=0.0, seed=0, spread=2e-3, impact=3e-4):
    """Trades ten seconds apart that move the mid for good, in a market whose spread varies over time.

    Returns trades, quotes, and the true full effective spread and price impact for a horizon of 30 trades.
    """
    rng = np.random.default_rng(seed)
    side = np.empty((days, n), dtype=np.int8)
    side[:, 0] = rng.choice([-1, 1], days)
    keep = rng.random((days, n)) < (1 + persistence) / 2
    for t in range(1, n):
        side[:, t] = np.where(keep[:, t], side[:, t - 1], -side[:, t - 1])
    calm = np.empty((days, n))
    calm[:, 0] = rng.normal(0, 1, days)
    for t in range(1, n):
        calm[:, t] = 0.9 * calm[:, t - 1] + np.sqrt(1 - 0.81) * rng.normal(0, 1, days)
    half = spread / 2 * (1 + 0.2 * calm)
    log_mid = np.log(100) + np.cumsum(impact * side + rng.normal(0, 2e-4, (days, n)), axis=1)
    before = np.concatenate([np.full((days, 1), np.log(100)), log_mid[:, :-1]], axis=1)
    midnight = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(days), unit="D")
    clock = (midnight.as_unit("ns").asi8[:, None] + np.arange(1, n + 1) * 10 * SECOND).ravel()
    price = np.exp(before) * (1 + side * half)
    trades = pd.DataFrame(
        {"price": price.ravel(), "amount": rng.exponential(1, days * n), "side": side.ravel()},
        pd.DatetimeIndex(clock, tz="UTC"),
    )
    # A quote stands a millisecond after each trade; the day's first stands a second before its first trade.
    level = np.concatenate([np.full((days, 1), 100.0), np.exp(log_mid)], axis=1).ravel()
    stamps = np.concatenate([clock.reshape(days, n)[:, :1] - SECOND, clock.reshape(days, n) + 10**6], axis=1).ravel()
    quotes = pd.DataFrame({"bid": level * (1 - 1e-4), "ask": level * (1 + 1e-4)}, pd.DatetimeIndex(stamps, tz="UTC"))
    return trades, quotes, spread, 2 * impact * (persistence ** np.arange(30)).sum()


def test_effective_is_realised_plus_impact_in_every_trade():
    trades, quotes, *_ = glosten(days=2)
    for options in ({}, {"horizon": 20, "horizon_unit": "rows"}, {"horizon": "0s"}):
        table = M.trade_measures(trades, quotes, **options).dropna(subset=COSTS)
        assert len(table) > 3000
        parts = table["realised_spread"] + table["price_impact"]
        np.testing.assert_allclose(parts, table["effective_spread"], rtol=0, atol=1e-15)


@pytest.mark.parametrize("persistence", [0.0, 0.6])
def test_a_known_market_is_recovered_and_the_errors_cover(persistence):
    """300 days: means within three of their own errors; nominal 95 % intervals of days cover 88 to 98 %."""
    trades, quotes, spread, impact = glosten(persistence=persistence)
    table = M.trade_measures(trades, quotes, "5min")
    assert (table["direction"].to_numpy() == trades["side"].to_numpy()).all()
    days = M.average_costs(table, "1D", "equal", with_se=True)
    truth = {"effective_spread": spread, "realised_spread": spread - impact, "price_impact": impact}
    ends = days.interval(0.95)
    for name, value in truth.items():
        estimates = days.estimate[name]
        assert abs(estimates.mean() - value) < 3 * estimates.std() / np.sqrt(len(estimates))
        covered = ((ends.lower[name] <= value) & (value <= ends.upper[name])).mean()
        assert 0.88 <= covered <= 0.98, (name, covered)


def bartlett(x, w, lags):
    """Error of a weighted mean by the double sum over pairs of rows."""
    there = ~np.isnan(x)
    mean = (w[there] * x[there]).sum() / w[there].sum()
    part = np.where(there, w * (x - mean), 0.0)
    gap = np.abs(np.subtract.outer(np.arange(len(x)), np.arange(len(x))))
    square = (np.outer(part, part) * np.maximum(1 - gap / (lags + 1), 0)).sum()
    n = there.sum()
    return mean, np.sqrt(square * n / (n - 1)) / w[there].sum()


@pytest.mark.parametrize("weight", ["value", "size", "equal"])
def test_averages_and_errors_equal_the_double_sum(weight):
    trades = market(8, n=300)
    quotes = quote_stream(8, trades, n=500)
    table = M.trade_measures(tidy(trades), tidy(quotes), sign="lee_ready")
    found = M.average_costs(table, "6h", weight, with_se=True, lags=4)
    bare = M.average_costs(table, "6h", weight)
    pd.testing.assert_frame_equal(bare, found.estimate)
    checked = 0
    for (asset, start), own in table.groupby(["asset", table.index.floor("6h")]):
        w = {"value": own["value"], "size": own["amount"], "equal": own["amount"] * 0 + 1}[weight].to_numpy()
        for name in ("effective_spread", "realised_spread"):
            x = own[name].to_numpy()
            if (~np.isnan(x)).sum() < 2:
                assert np.isnan(found.std_error.loc[(asset, start), name])
                continue
            mean, error = bartlett(x, w, 4)
            assert found.estimate.loc[(asset, start), name] == pytest.approx(mean, rel=1e-10)
            assert found.std_error.loc[(asset, start), name] == pytest.approx(error, rel=1e-8)
            checked += 1
    assert checked > 10


def test_the_default_reach_of_dependence():
    """7 trades by the rule for 2000, 60 in two horizons, and more where an autoregression says so."""
    trades, quotes, *_ = glosten(days=1)
    table = M.trade_measures(trades, quotes, "5min")
    rng = np.random.default_rng(1)
    shocks = rng.normal(size=len(table))
    chain = np.empty(len(table))
    chain[0] = shocks[0]
    for t in range(1, len(chain)):
        chain[t] = 0.9 * chain[t - 1] + shocks[t]
    root = (chain - chain.mean())[1:] @ (chain - chain.mean())[:-1] / ((chain - chain.mean()) ** 2).sum()
    andrews = int(np.ceil(1.1447 * (4 * root**2 / (1 - root**2) ** 2 * len(chain)) ** (1 / 3)))
    assert andrews > 60
    for name, values, lags in (
        ("effective_spread", shocks, 7),
        ("realised_spread", shocks, 60),
        ("effective_spread", chain, andrews),
        ("realised_spread", chain, andrews),
    ):
        frame = table.assign(**{name: values})
        found, least = (
            M.average_costs(frame, "1D", "equal", [name], with_se=True, lags=k).std_error.iloc[0, 0]
            for k in (None, lags)
        )
        assert found == least
