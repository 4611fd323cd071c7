"""Trades beside quotes: assets, units, frames of any kind, and what cannot be measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.causal import assert_causal
from drainstats.errors import DataError, LookAheadError, OptionError
from tests.kernels.tick_twin import market, tidy
from tests.measures.test_trades import COSTS, TWO, M, glosten, one_trade
from tests.sources.test_ticks_quotes import quote_stream


def test_any_column_can_be_averaged_and_missing_weights_leave_nothing():
    table = M.trade_measures(one_trade(amount=0.0), TWO)
    assert np.isnan(M.average_costs(table).iloc[0, 0])
    assert M.average_costs(table, weight="equal", measures=["depth_imbalance"]).iloc[0, 0] == pytest.approx(-0.5)
    one = M.average_costs(M.trade_measures(one_trade(), TWO), with_se=True)
    assert one.estimate["effective_spread"].iloc[0] == pytest.approx(0.03)
    assert one.std_error.isna().all().all()
    with pytest.raises(DataError, match="No column 'depth'"):
        M.average_costs(table, measures=["depth"])
    for wrong in ({"every": "2D"}, {"every": "0s"}, {"every": "soon"}, {"weight": "volume"}, {"lags": -1}):
        with pytest.raises(OptionError):
            M.average_costs(table, **wrong)


def test_each_asset_by_itself_gives_the_same_and_scale_does_not_matter():
    trades = market(9, n=200)
    quotes = quote_stream(9, trades, n=400)
    whole = M.trade_measures(tidy(trades), tidy(quotes))
    for asset, own in whole.groupby("asset"):
        alone = M.trade_measures(*(tidy(t[t["asset"] == asset]) for t in (trades, quotes)))
        pd.testing.assert_frame_equal(alone, own)
    prices = {"price": 8.0, "bid": 8.0, "ask": 8.0}
    scaled = M.trade_measures(*(tidy(t).assign(**{c: tidy(t)[c] * k for c, k in prices.items() if c in t})
                                for t in (trades, quotes)))  # fmt: skip
    same = ["direction", "quoted_spread", *COSTS, "depth_imbalance", "quoted_slope", "trade_return"]
    pd.testing.assert_frame_equal(scaled[same], whole[same], rtol=1e-12)


def test_any_clock_unit_and_any_frame():
    trades, quotes, *_ = glosten(days=1, n=50)
    whole = M.trade_measures(trades, quotes)
    coarse = M.trade_measures(trades.set_axis(trades.index.as_unit("us")), quotes.set_axis(quotes.index.as_unit("ms")))
    pd.testing.assert_frame_equal(coarse, whole, check_index_type=False)
    naive = M.trade_measures(trades.tz_localize(None), quotes.tz_convert("Asia/Tokyo"))
    pd.testing.assert_frame_equal(naive, whole)
    pl = pytest.importorskip("polars")
    frames = (pl.from_pandas(t.rename_axis("time").reset_index()) for t in (trades, quotes))
    pd.testing.assert_frame_equal(M.trade_measures(*frames), whole, check_index_type=False)


def test_inputs_are_left_as_they_are():
    trades, quotes, *_ = glosten(days=1, n=50)
    kept = trades.copy(), quotes.copy()
    M.trade_measures(trades, quotes, sign="lee_ready")
    pd.testing.assert_frame_equal(trades, kept[0])
    pd.testing.assert_frame_equal(quotes, kept[1])


def test_what_cannot_be_measured_is_one_sentence():
    trades, quotes, *_ = glosten(days=1, n=20)
    with pytest.raises(DataError, match="trades are not in time order"):
        M.trade_measures(trades[::-1], quotes)
    with pytest.raises(DataError, match="quotes are not in time order"):
        M.trade_measures(trades, quotes[::-1])
    with pytest.raises(DataError, match="names its assets"):
        M.trade_measures(trades.assign(asset="A"), quotes)
    with pytest.raises(DataError, match="asset is missing"):
        M.trade_measures(trades.assign(asset=None), quotes.assign(asset="A"))
    with pytest.raises(DataError, match="No column 'ask'"):
        M.trade_measures(trades, quotes.drop(columns="ask"))
    with pytest.raises(DataError, match="no finite number"):
        M.trade_measures(trades.assign(price=np.nan), quotes)
    with pytest.raises(DataError, match="is negative"):
        M.trade_measures(trades.assign(amount=-1.0), quotes)
    with pytest.raises(DataError, match="is none of 1, -1, 0"):
        M.trade_measures(trades.assign(side=2), quotes)
    with pytest.raises(DataError, match="text where numbers"):
        M.trade_measures(trades.assign(price="x"), quotes)
    with pytest.raises(DataError, match="index of time stamps"):
        M.trade_measures(trades.reset_index(drop=True), quotes)
    with pytest.raises(DataError, match="no rows"):
        M.trade_measures(trades.iloc[:0], quotes)
    with pytest.raises(DataError, match="stamp is missing"):
        M.trade_measures(trades.set_axis([pd.NaT, *trades.index[1:]]), quotes)
    for wrong in (
        {"horizon": "later"}, {"horizon": "-1s"}, {"quote_lag": "-1s"}, {"horizon_unit": "ticks"}, {"match": "after"},
        {"sign": "guess"}, {"horizon": 2.5, "horizon_unit": "rows"}, {"horizon": -1, "horizon_unit": "rows"},
    ):  # fmt: skip
        with pytest.raises(OptionError):
            M.trade_measures(trades, quotes, **wrong)


@pytest.mark.parametrize("size", [1e300, -1e300, 1e-300])
def test_numbers_whose_squares_overflow_are_one_sentence(size):
    with pytest.raises(DataError, match="too far from one"):
        M.trade_measures(one_trade(price=size), TWO)


def test_stamps_beyond_nanoseconds_are_one_sentence():
    far = pd.DatetimeIndex(["3000-01-01"]).as_unit("s")
    with pytest.raises(DataError, match="1678 to 2261"):
        M.ofi(pd.DataFrame({"bid": 1.0, "bid_size": 1.0, "ask": 2.0, "ask_size": 1.0}, far))


def test_assets_without_quotes_have_no_answer():
    trades, quotes, *_ = glosten(days=1, n=20)
    table = M.trade_measures(trades.assign(asset="A"), quotes.assign(asset="B"))
    assert table["mid"].isna().all()
    assert table["known_at"].isna().all()
    assert table["direction"].abs().eq(1).all()


def test_rows_are_known_at_once_and_what_needs_a_horizon_at_known_at():
    trades, quotes, *_ = glosten(days=1, n=120)
    quotes = quotes.iloc[1:]
    later = ["later_mid", "realised_spread", "price_impact"]
    now = [c for c in M.trade_measures(trades, quotes).columns if c not in (*later, "known_at")]

    def measured(t, q):
        return M.trade_measures(t.drop(columns="side"), q, "2min")

    assert_causal(lambda t, q: measured(t, q)[now], (trades, quotes), min_rows=3)
    final = lambda t, q: measured(t, q).dropna(subset="known_at").set_index("known_at")[later]  # noqa: E731
    assert_causal(final, (trades, quotes), min_rows=20)
    with pytest.raises(LookAheadError):
        assert_causal(lambda t, q: measured(t, q)[later], (trades, quotes), min_rows=20)
