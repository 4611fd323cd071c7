"""Signing rules against hand-worked cases and slow twins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.kernels.tick_twin import DAY, market, tidy
from tests.sources.test_ticks_quotes import quote_stream

METHODS = ("tick", "lee_ready", "emo", "clnv")


def by_quote(method, price, bid, ask):
    if method == "tick" or not (ask >= bid > 0):
        return 0
    if method == "lee_ready":
        return int(np.sign(price - (bid + ask) / 2))
    if bid == ask:
        return 0
    near = 0.3 * (ask - bid) if method == "clnv" else 0.0
    return 1 if ask - near <= price <= ask else -1 if bid <= price <= bid + near else 0


def twin(trades, quotes, method, lag=0):
    out = pd.Series(0, trades.index)
    for (asset, day), own in trades.groupby(["asset", trades["time"] // DAY]):
        theirs = quotes[(quotes["asset"] == asset) & (quotes["time"] // DAY == day)]
        change = np.sign(own["price"].diff()).replace(0.0, np.nan).ffill().fillna(0.0)
        for k in own.index:
            earlier = theirs[theirs["time"] < own.loc[k, "time"] - lag]
            side = by_quote(method, own.loc[k, "price"], *earlier[["bid", "ask"]].iloc[-1]) if len(earlier) else 0
            out[k] = side or change[k]
    return out.astype(int).tolist()


@pytest.mark.parametrize("lag", ["0s", "5min"])
@pytest.mark.parametrize("method", METHODS)
def test_equals_the_slow_twin(method, lag):
    trades = market(3, n=250)
    quotes = quote_stream(3, trades, n=400)
    mine = ds.sign_trades(tidy(trades), tidy(quotes), method, lag=lag)
    assert mine.dtype == np.int8
    assert list(mine) == twin(trades, quotes, method, pd.Timedelta(lag).as_unit("ns").value)


def at(prices, bid=10.0, ask=11.0):
    clock = pd.date_range("2024-01-02 10:00", periods=len(prices), freq="s", tz="UTC")
    quotes = pd.DataFrame({"bid": [bid], "ask": [ask]}, clock[:1] - pd.Timedelta("1min"))
    return pd.DataFrame({"price": prices}, clock), quotes


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # Above the ask, at it, next to it, in its third, at the middle after a fall, at the middle again, at the bid.
        ("lee_ready", [1, 1, 1, 1, -1, -1, -1]),
        ("emo", [0, 1, -1, -1, -1, -1, -1]),
        ("clnv", [0, 1, 1, 1, -1, -1, -1]),
        ("tick", [0, -1, -1, -1, -1, -1, -1]),
    ],
)
def test_one_quote_worked_by_hand(method, expected):
    trades, quotes = at([11.2, 11.0, 10.9, 10.75, 10.5, 10.5, 10.0])
    assert ds.sign_trades(trades, quotes, method).tolist() == expected


def test_a_quote_of_the_same_stamp_is_a_consequence():
    trades, quotes = at([10.9])
    same = quotes.set_index(trades.index)
    assert ds.sign_trades(trades, quotes, "lee_ready").tolist() == [1]
    assert ds.sign_trades(trades, same, "lee_ready").tolist() == [0]
    assert ds.sign_trades(trades, quotes, "lee_ready", lag="1min").tolist() == [0]


@pytest.mark.parametrize(("bid", "ask", "side"), [(11.0, 10.0, 0), (np.nan, 11.0, 0), (10.0, 10.0, 1), (-1.0, 11.0, 0)])
def test_crossed_missing_and_locked_quotes(bid, ask, side):
    trades, quotes = at([10.9], bid, ask)
    assert ds.sign_trades(trades, quotes, "lee_ready").tolist() == [side]
    assert ds.sign_trades(trades, quotes, "emo").tolist() == [0]


def test_midnight_forgets_the_tick_rules_direction_and_the_quote():
    trades, quotes = at([10.4, 10.6])
    trades.index = pd.DatetimeIndex(["2024-01-02 23:59:59", "2024-01-03 00:00:01"], tz="UTC")
    assert ds.sign_trades(trades, method="tick").tolist() == [0, 0]
    assert ds.sign_trades(trades, quotes, "lee_ready").tolist() == [-1, 0]


@given(st.integers(0, 1000), st.sampled_from(METHODS), st.floats(0.001, 1000))
@settings(max_examples=30, deadline=None)
def test_the_scale_of_prices_does_not_matter_and_mirrors_flip_sides(seed, method, scale):
    trades = market(seed, n=120)
    quotes = quote_stream(seed, trades, n=150)
    scale = 2.0 ** round(np.log2(scale))
    sides = ds.sign_trades(tidy(trades), tidy(quotes), method)
    larger = ds.sign_trades(
        tidy(trades.assign(price=trades["price"] * scale)),
        tidy(quotes.assign(bid=quotes["bid"] * scale, ask=quotes["ask"] * scale)),
        method,
    )
    assert list(sides) == list(larger)
    # Around a price of 256 on a dyadic grid the mirror is exact.
    grid = {"price": np.round(trades["price"] * 64) / 64}
    bid, ask = (np.round(quotes[c] * 64) / 64 for c in ("bid", "ask"))
    plain = ds.sign_trades(tidy(trades.assign(**grid)), tidy(quotes.assign(bid=bid, ask=ask)), method)
    mirror = ds.sign_trades(
        tidy(trades.assign(price=256 - grid["price"])), tidy(quotes.assign(bid=256 - ask, ask=256 - bid)), method
    )
    # At 30 % of the spread rounding may fall on either side: those trades are left out.
    if method != "clnv":
        assert list(plain) == list(-mirror)


def test_given_sides_and_refusals():
    trades = tidy(market(1, n=20))
    assert list(ds.sign_trades(trades, method="given")) == list(trades["side"])
    with pytest.raises(DataError, match="no side"):
        ds.sign_trades(trades.drop(columns="side"), method="given")
    with pytest.raises(OptionError, match="needs quotes"):
        ds.sign_trades(trades)
    with pytest.raises(OptionError, match="'tick', 'lee_ready'"):
        ds.sign_trades(trades, method="psychic")
    with pytest.raises(OptionError, match="lag"):
        ds.sign_trades(trades, method="tick", lag="-1s")
    with pytest.raises(DataError, match="lies before"):
        ds.sign_trades(trades[::-1], method="tick")
    with pytest.raises(DataError, match="no finite number"):
        ds.sign_trades(trades.assign(price=np.nan), method="tick")
    with pytest.raises(DataError, match="none of 1, -1, 0"):
        ds.sign_trades(trades.assign(side=3), method="given")


@pytest.mark.parametrize("method", METHODS)
def test_bars_use_the_same_signs(method):
    trades = market(9, n=300)
    quotes = quote_stream(9, trades)
    signed = trades.assign(side=np.asarray(ds.sign_trades(tidy(trades), tidy(quotes), method, lag="1s")))
    mine = ds.tick_bars(tidy(trades), "1h", quotes=tidy(quotes), sign=method, lag="1s")
    given = ds.tick_bars(tidy(signed), "1h", quotes=tidy(quotes), lag="1s")
    pd.testing.assert_frame_equal(mine, given, check_exact=True)
    if method == "tick":
        pd.testing.assert_frame_equal(
            ds.tick_bars(tidy(trades), "1h", sign="tick"), ds.tick_bars(tidy(signed), "1h"), check_exact=True
        )


@pytest.mark.parametrize("dist", ["normal", "t"])
def test_bulk_volume_equals_its_formula(dist):
    bars = ds.tick_bars(tidy(market(5, n=600)), "30min")
    mine = ds.bulk_volume(bars, window=10, dist=dist)
    law = stats.norm() if dist == "normal" else stats.t(0.25)
    for _, own in bars.assign(mine=mine).reset_index().groupby("asset"):
        change = own["close"].diff()
        deviation = change.rolling(10).std()
        expected = own["volume"] * law.cdf(change / deviation)
        np.testing.assert_allclose(own["mine"], expected, rtol=1e-8)
        assert own["mine"].notna().sum() > 20


def test_bulk_volume_by_hand_and_without_moves():
    bars = pd.DataFrame({"close": [10.0, 10.0, 10.0, 10.0], "volume": 5.0})
    assert ds.bulk_volume(bars, window=2).isna().all()
    assert ds.bulk_volume(bars[:1], window=2).isna().all()
    moving = pd.DataFrame({"close": [10.0, 11.0, 10.0], "volume": 4.0})
    # Changes of 1 and -1: their deviation is the root of two.
    np.testing.assert_allclose(ds.bulk_volume(moving, 2).iloc[2], 4.0 * stats.norm.cdf(-1 / np.sqrt(2)))
    with pytest.raises(DataError, match="'volume'"):
        ds.bulk_volume(bars[["close"]])


def test_bars_of_bulk_volume():
    bars = ds.tick_bars(tidy(market(5, n=600)), "30min", sign="bvc", bulk_window=10, vpin_bucket=4.0, vpin_window=5)
    bought = ds.bulk_volume(bars, 10)
    pd.testing.assert_series_equal(bars["buy_volume"], bought)
    np.testing.assert_allclose(bars["signed_volume"], 2 * bought - bars["volume"])
    assert bars["kyle_lambda"].isna().all()
    known = bars["vpin"].dropna()
    assert len(known) > 20
    assert known.between(0, 1).all()
    for _, own in bars.groupby("asset"):
        np.testing.assert_allclose(own["vpin"], bulk_vpin(own, 4.0, 5), rtol=1e-9)
    with pytest.raises(OptionError, match="imbalance"):
        ds.tick_bars(tidy(market(5)), 3.0, "imbalance", sign="bvc")


def bulk_vpin(bars, bucket, window):
    done, out, day = [], [], None
    for stamp, bar in bars.iterrows():
        if stamp.date() != day:
            day, room, signed = stamp.date(), bucket, 0.0
        left = bar["volume"]
        tilt = bar["signed_volume"] / left if left else 0.0
        while left >= room:
            done.append(abs(signed + room * tilt) / bucket)
            left, room, signed = left - room, bucket, 0.0
        room, signed = room - left, signed + left * tilt
        out.append(np.mean(done[-window:]) if len(done) >= window else np.nan)
    return out
