"""What bars of ticks must hold: rules of the bars, ugly rows, midnight, buckets, and what is known when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, LookAheadError, OptionError
from tests.kernels.tick_twin import market, tidy


def trades_of(prices, amounts=1.0, sides=1, start="2024-01-02 10:00", every="10s"):
    clock = pd.date_range(start, periods=len(prices), freq=every, tz="UTC")
    return pd.DataFrame({"price": np.asarray(prices, dtype=float), "amount": amounts, "side": sides}, clock)


def test_one_trade_answers_what_one_trade_can():
    bar = ds.tick_bars(trades_of([10.0], 2.0)).iloc[0]
    assert (bar["open"], bar["close"], bar["volume"], bar["dollar_volume"], bar["vwap"]) == (10, 10, 2, 20, 10)
    assert (bar["trades"], bar["buy_volume"], bar["imbalance"]) == (1, 2, 1)
    assert bar[["amihud", "kyle_lambda", "roll", "realised_variance", "vpin"]].isna().all()


def test_a_constant_price_moves_nothing():
    bar = ds.tick_bars(trades_of([10.0] * 6, 1.0, [1, -1] * 3)).iloc[0]
    assert bar[["amihud", "kyle_lambda", "roll", "realised_variance"]].tolist() == [0.0] * 4
    # Equal amounts on one side leave nothing to regress on, not a slope of rounding errors.
    assert np.isnan(ds.tick_bars(trades_of([10.0, 10.1, 10.3, 10.2], 0.1)).iloc[0]["kyle_lambda"])


def test_zero_amounts_count_as_trades_and_weigh_nothing():
    bar = ds.tick_bars(trades_of([10.0, 11.0, 12.0], 0.0)).iloc[0]
    assert (bar["high"], bar["trades"], bar["volume"]) == (12, 3, 0)
    assert bar[["vwap", "imbalance", "amihud", "kyle_lambda"]].isna().all()


def test_prices_at_or_below_zero_have_no_returns():
    bars = ds.tick_bars(trades_of([1.0, -2.0, 3.0, 3.0, 3.3, 3.0], every="20s"), "1min")
    assert np.isnan(bars["realised_variance"].iloc[0])
    assert bars["realised_variance"].iloc[1] > 0
    assert (bars["low"].iloc[0], bars["dollar_volume"].iloc[0]) == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("column", "value"), [("price", np.nan), ("price", np.inf), ("amount", -1.0), ("amount", np.nan)]
)
def test_a_bad_number_in_a_table_is_named(column, value):
    frame = trades_of([1.0, 2.0, 3.0])
    frame.loc[frame.index[1], column] = value
    with pytest.raises(DataError, match=r"no finite number|negative amount") as caught:
        ds.tick_bars(frame)
    assert (caught.value.row, caught.value.column) == (frame.index[1], column)


def test_time_bars_are_half_open_and_cut_at_midnight():
    clock = ["2024-01-02 00:00:00", "2024-01-02 00:06:59.999999999", "2024-01-02 00:07", "2024-01-02 23:59:59"]
    frame = trades_of([1.0] * 4).set_index(pd.DatetimeIndex(clock, tz="UTC"))
    bars = ds.tick_bars(frame, "7min")
    assert bars["trades"].tolist() == [2, 1, 1]
    assert [f"{t:%H:%M}" for t in bars.index] == ["00:00", "00:07", "23:55"]
    assert bars["end"].iloc[-1] == pd.Timestamp("2024-01-03", tz="UTC")


def test_midnight_resets_all_but_vpin():
    two = trades_of([10.0, 10.1, 10.2, 10.1, 10.3, 10.2], 1.0, [1, 1, -1, 1, -1, 1], "2024-01-02 23:59:30")
    both = ds.tick_bars(two, 4, "tick", vpin_bucket=1.0, vpin_window=4)
    day = two.index < "2024-01-03"
    parts = [ds.tick_bars(two[d], 4, "tick", vpin_bucket=1.0, vpin_window=4) for d in (day, ~day)]
    pd.testing.assert_frame_equal(both.drop(columns="vpin"), pd.concat(parts).drop(columns="vpin"), check_exact=True)
    assert both["complete"].tolist() == [False, False]
    # Buckets of one unit each are one-sided; the window of four reaches back into the day before.
    assert both["vpin"].isna().tolist() == [True, False]
    assert both["vpin"].iloc[1] == 1.0


@pytest.mark.parametrize(
    ("by", "size", "trades"),
    [("tick", 2, [2, 2, 1]), ("volume", 3.0, [2, 1, 1, 1]), ("dollar", 40.0, [3, 2]), ("imbalance", 3.0, [3, 1, 1])],
)
def test_the_trade_that_reaches_the_threshold_closes_the_bar(by, size, trades):
    frame = trades_of([10.0] * 5, [1.0, 2.0, 4.0, 3.0, 1.0], [1, -1, 1, -1, 1])
    bars = ds.tick_bars(frame, size, by)
    assert bars["trades"].tolist() == trades
    assert bars["volume"].sum() == 11.0
    assert bars["complete"].iloc[:-1].all()


def test_a_trade_larger_than_many_buckets():
    frame = trades_of([10.0, 10.0, 10.0], [0.5, 1e9, 0.25], [1, -1, 1])
    bars = ds.tick_bars(frame, 1, "tick", vpin_bucket=1e-3, vpin_window=50)
    assert bars["vpin"].iloc[0] == 1.0
    np.testing.assert_allclose(bars["vpin"], 1.0)


def test_vpin_counts_full_buckets_only_and_splits_trades():
    frame = trades_of([10.0] * 4, [3.0, 3.0, 3.0, 3.0], [1, -1, 1, -1])
    bars = ds.tick_bars(frame, 1, "tick", vpin_bucket=4.0, vpin_window=2)
    # Buckets: 3 bought 1 sold, 2 sold 2 bought, 1 bought 3 sold.
    assert bars["vpin"].isna().tolist() == [True, True, False, False]
    assert bars["vpin"].tolist()[2:] == [(0.5 + 0.0) / 2, (0.0 + 0.5) / 2]
    mapped = ds.tick_bars(frame, 1, "tick", vpin_bucket={"": 4.0}, vpin_window=2)
    pd.testing.assert_frame_equal(bars, mapped)
    assert ds.tick_bars(frame, 1, "tick", vpin_bucket={"other": 4.0})["vpin"].isna().all()


def test_tiny_beside_huge_amounts():
    amounts = np.array([1e9, 1e-8, 1e9, 1e-8] * 50)
    bars = ds.tick_bars(trades_of(np.full(200, 3.0), amounts, [1, 1, -1, 1] * 50), "1h")
    np.testing.assert_allclose(bars["signed_volume"], 100 * 1e-8, rtol=1e-12)


@given(st.integers(0, 300), st.integers(-20, 20), st.sampled_from(["time", "tick", "imbalance"]))
@settings(max_examples=30, deadline=None)
def test_scale_equivariance(seed, power, by):
    trades = tidy(market(seed, n=200))
    k = 2.0**power
    size = {"time": "1h", "tick": 11, "imbalance": 3.0}[by]
    bars = ds.tick_bars(trades, size, by, vpin_bucket=4.0, vpin_window=3)
    dear = ds.tick_bars(trades.assign(price=trades["price"] * k), size, by, vpin_bucket=4.0, vpin_window=3)
    for name, power in {"close": 1, "volume": 0, "amihud": -1, "kyle_lambda": 1, "roll": 0, "vpin": 0}.items():
        np.testing.assert_array_equal(dear[name], bars[name] * k**power, err_msg=name)
    large = ds.tick_bars(
        trades.assign(amount=trades["amount"] * k), size if by != "imbalance" else size * k, by,
        vpin_bucket=4.0 * k, vpin_window=3,
    )  # fmt: skip
    for name, power in {"close": 0, "volume": 1, "amihud": -1, "kyle_lambda": -1, "roll": 0, "vpin": 0}.items():
        np.testing.assert_array_equal(large[name], bars[name] * k**power, err_msg=name)


def test_assets_do_not_know_each_other():
    trades = tidy(market(3, n=500, assets=4))
    whole = ds.tick_bars(trades, "1h", vpin_bucket=3.0, vpin_window=5)
    alone = [ds.tick_bars(own, "1h", vpin_bucket=3.0, vpin_window=5) for _, own in trades.groupby("asset")]
    pd.testing.assert_frame_equal(whole, pd.concat(alone), check_exact=True)
    blocks = trades.sort_values("asset", kind="stable")
    pd.testing.assert_frame_equal(whole, ds.tick_bars(blocks, "1h", vpin_bucket=3.0, vpin_window=5), check_exact=True)


def test_sums_and_variances_add_up():
    trades = tidy(market(8, n=800, assets=1, days=1))
    minutes, day = ds.tick_bars(trades, "10min"), ds.tick_bars(trades, "1D").iloc[0]
    for name in ("volume", "dollar_volume", "trades", "buy_volume", "signed_volume", "realised_variance"):
        np.testing.assert_allclose(minutes[name].sum(), day[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"size": "2D"}, {"size": "0s"}, {"size": "soon"}, {"size": 5.5, "by": "tick"}, {"size": -1.0, "by": "volume"},
        {"size": "1min", "by": "dollar"}, {"by": "renko"}, {"sign": "psychic"}, {"sign": "emo"}, {"vpin_bucket": 0.0},
        {"vpin_window": 0}, {"tolerance": "-1s"}, {"horizon": "1D"}, {"lag": "x"}, {"format": "nothing"},
        {"format": "tardis-trades", "columns": {"time": "t"}},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_are_not_allowed(options):
    with pytest.raises(OptionError):
        ds.tick_bars(trades_of([1.0, 2.0]), **options)


def test_tables_that_are_none():
    with pytest.raises(DataError, match="index of time stamps"):
        ds.tick_bars(pd.DataFrame({"price": [1.0], "amount": [1.0]}))
    with pytest.raises(DataError, match="no rows"):
        ds.tick_bars(trades_of([]))
    with pytest.raises(DataError, match="No column 'amount'"):
        ds.tick_bars(trades_of([1.0]).drop(columns="amount"))
    with pytest.raises(DataError, match="text"):
        ds.tick_bars(trades_of([1.0]).assign(amount="x"))


def test_polars_and_arrow_tables_are_taken():
    import polars as pl

    trades = tidy(market(2, n=100))
    expected = ds.tick_bars(trades, "1h")
    pd.testing.assert_frame_equal(ds.tick_bars(pl.from_pandas(trades.reset_index()), "1h"), expected, check_exact=True)


def quoted_market(n=260):
    rng = np.random.default_rng(0)
    clock = pd.date_range("2024-01-02 20:00", periods=n, freq="71s", tz="UTC")
    mid = 100 + np.cumsum(rng.normal(0, 0.02, n))
    quotes = pd.DataFrame(
        {"bid": mid - 0.05, "bid_size": rng.exponential(1, n), "ask": mid + 0.05, "ask_size": rng.exponential(1, n)},
        clock,
    )
    price = mid + rng.choice([-0.05, 0.05], n)
    return pd.DataFrame({"price": price, "amount": rng.exponential(1, n)}, clock), quotes


@pytest.mark.parametrize(("size", "by"), [("9min", "time"), (6, "tick"), (7.0, "volume")])
def test_bars_are_known_at_their_end_and_realised_spreads_a_horizon_later(size, by):
    trades, quotes = quoted_market()

    def bars(trades, quotes):
        found = ds.tick_bars(trades, size, by, quotes=quotes, sign="lee_ready", horizon="4min")
        return found[found["complete"]] if by != "time" else found

    later = ["realised_spread", "price_impact"]
    assert_causal(lambda t, q: bars(t, q).set_index("end").drop(columns=later), (trades, quotes), min_rows=12)
    final = lambda t, q: bars(t, q).assign(known=lambda b: b["end"] + pd.Timedelta("4min")).set_index("known")  # noqa: E731
    assert_causal(final, (trades, quotes), min_rows=12)
    with pytest.raises(LookAheadError):
        assert_causal(lambda t, q: bars(t, q).set_index("end")[later], (trades, quotes), min_rows=12)
