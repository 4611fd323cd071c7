"""Books and trades behind the bars: they give depth, spread and bars back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import OptionError


def test_snapshots_reproduce_the_depth_and_the_spread():
    market = ds.simulate.drain(4, freq="h", rows=400)
    panel = market.panel
    for asset in ("A0", market.truth.source):
        book = ds.simulate.book(market, asset)
        depth = ds.measures.depth_within(book, bp=100, unit="quote").to_numpy()
        np.testing.assert_allclose(depth, panel["depth"][asset], rtol=1e-9)
        sides = [ds.measures.depth_within(book, bp=100, side=s, unit="quote").to_numpy() for s in ("bid", "ask")]
        np.testing.assert_allclose(sides[0], sides[1], rtol=1e-9)
        middle = (book["bid_0"] + book["ask_0"]) / 2
        ticks = 10.0 ** (np.floor(np.log10(middle)) - 4)
        gap = (book["ask_0"] - book["bid_0"]).to_numpy() - panel["spread"][asset].to_numpy() * middle.to_numpy()
        assert (np.abs(gap) <= 2.001 * ticks.to_numpy()).all()
        np.testing.assert_allclose(middle, market.truth.mid[asset], atol=1.001 * ticks.max())
        np.testing.assert_allclose((book["ask_7"] / ticks).round(), book["ask_7"] / ticks, atol=1e-6)
        assert (book.filter(regex="ask_[0-9]").diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
        assert (book.filter(regex="bid_[0-9]").diff(axis=1).iloc[:, 1:] < 0).all(axis=None)
        assert (book.index == panel.index + pd.Timedelta("1h")).all()
    # A density that is linear in the distance: half of the distance holds about a quarter of the depth.
    half = ds.measures.depth_within(book, bp=50, unit="quote").to_numpy() / panel["depth"][asset].to_numpy()
    assert np.median(half) == pytest.approx(0.25, abs=0.04)


def test_the_exit_costs_more_at_the_trough():
    market = ds.simulate.drain(4, freq="h", rows=400, onset=300, source="A2")
    book = ds.simulate.book(market, "A2")
    cost = ds.measures.book_cost(book, size=0.01 * market.panel["depth"]["A2"].median())
    assert cost.iloc[300] > 3 * cost.iloc[:300].median()


def test_snapshots_are_missing_where_the_feed_is():
    market = ds.simulate.drain(4, rows=200, scenario="venue_outage")
    book = ds.simulate.book(market, market.truth.settings["source"] or "A0", start=market.panel.index[100])
    assert len(book) == 100
    out = [a for a in market.panel.assets if market.panel["close"][a].isna().any()]
    book = ds.simulate.book(market, out[0])
    assert (book.isna().all(axis=1).to_numpy() == ~(market.panel["depth"][out[0]] > 0).to_numpy()).all()
    assert int(book.isna().all(axis=1).sum()) == 5


@pytest.mark.parametrize("freq", ["D", "min"])
def test_trades_give_their_bars_back(freq):
    market = ds.simulate.drain(4, freq=freq, rows=300, gaps=0.05)
    for asset in ("A0", market.truth.source):
        trades = ds.simulate.trades(market, asset, per_bar=12)
        bar = trades.index.floor(freq)
        seen = market.panel["close"][asset].dropna().index
        field = {f: market.panel[f][asset].loc[seen] for f in market.panel.field_names}
        price, money = trades["price"].groupby(bar), trades["price"] * trades["amount"]
        for name, found in (
            ("open", price.first()),
            ("high", price.max()),
            ("low", price.min()),
            ("close", price.last()),
        ):
            np.testing.assert_allclose(found, field[name], rtol=1e-12)
        np.testing.assert_allclose(money.groupby(bar).sum(), field["dollar_volume"], rtol=1e-12)
        signed = (money * trades["side"]).groupby(bar).sum()
        np.testing.assert_allclose(
            signed / field["dollar_volume"], field["signed_dollar_volume"] / field["dollar_volume"], atol=1e-12
        )
        slack = field["high"] / field["low"]
        ratio = trades["amount"].groupby(bar).sum() / field["volume"]
        assert ((ratio <= slack) & (ratio >= 1 / slack)).all()
        assert trades.index.is_monotonic_increasing
        assert (price.count() == 12).all()
        assert (trades["amount"] > 0).all()
        assert trades["side"].isin([-1, 1]).all()


def test_markets_of_the_endogenous_mode_have_them_too():
    market = ds.simulate.drain(0, mode="endogenous", rows=168, freq="5min")
    asset = market.truth.source
    trades, panel = ds.simulate.trades(market, asset), market.panel
    bar = trades.index.floor("5min")
    np.testing.assert_allclose(trades["price"].groupby(bar).max(), panel["high"][asset].dropna(), rtol=1e-12)
    book = ds.simulate.book(market, asset)
    depth = ds.measures.depth_within(book, bp=100, unit="quote").to_numpy()
    np.testing.assert_allclose(depth, panel["depth"][asset], rtol=1e-9)


def test_buyers_pay_the_ask():
    """A sign from the mid of the bar's way: the mean gap between buys and sells is the spread."""
    market = ds.simulate.drain(4, freq="s", rows=2000, scenario="calm", family="gaussian")
    trades = ds.simulate.trades(market, "A0", per_bar=40)
    bar = trades.index.floor("s")
    mean = trades["price"].groupby([bar, trades["side"]]).mean().unstack()
    gap = ((mean[1] - mean[-1]) / market.truth.mid["A0"]).mean()
    assert gap == pytest.approx(market.panel["spread"]["A0"].mean(), rel=0.15)


def test_records_of_what_is_not_there():
    market = ds.simulate.drain(0, rows=100)
    with pytest.raises(OptionError, match="'A9'"):
        ds.simulate.book(market, "BTC")
    with pytest.raises(OptionError, match="at least 4"):
        ds.simulate.trades(market, "A0", per_bar=2)
    with pytest.raises(OptionError, match="reach"):
        ds.simulate.book(market, "A0", reach=0.005)
    with pytest.raises(OptionError, match="No bar lies"):
        ds.simulate.trades(market, "A0", start="2030-01-01")
    for record in (ds.simulate.book, ds.simulate.trades):
        with pytest.raises(OptionError, match="no time stamp"):
            record(market, "A0", start="soon")
        with pytest.raises(OptionError, match="A simulated market is needed"):
            record(market.panel, "A0")
    assert ds.simulate.book(market, "A0").equals(ds.simulate.book(market, "A0"))
