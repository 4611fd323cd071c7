"""Trades beside quotes, VPIN and slopes against R highfrequency 1.0.1, mlfinlab and frds 2.4.1.

highfrequency matches a trade with a quote of its own stamp, counts "300 seconds" as 300 rows, also over the night, and
halves what we give whole (traded spread, price impact). Tolerance 1e-9 relative; what is a difference of nearly equal
logs or mids keeps 1e-14 of its terms.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference
M = ds.measures
DAY = "2018-01-02"


@pytest.fixture(scope="module")
def folder(data_root):
    return data_root / "reference" / "liquidity"


@pytest.fixture(scope="module")
def sample(folder):
    """Two days of trades and of quotes, stamps of New York in UTC."""
    names = {"PRICE": "price", "SIZE": "amount", "BID": "bid", "BIDSIZ": "bid_size", "OFR": "ask", "OFRSIZ": "ask_size"}
    tables = []
    for file in ("sampleTData.csv", "sampleQData.csv.gz"):
        table = pd.read_csv(folder / "data" / "highfrequency" / file)
        clock = pd.DatetimeIndex(pd.to_datetime(table["DT"])).tz_localize("America/New_York").tz_convert("UTC")
        table = table.rename(columns=names).set_index(clock)
        tables.append(table[[name for name in names.values() if name in table]].astype(float))
    return tables


def in_their_terms(table):
    """The peer's twelve columns; the ratio of depths as documented there, (OFR size / BID size)^D."""
    return {
        "direction": table["direction"],
        "realizedSpread": table["realised_spread"] * table["mid"],
        "signedValueTrade": table["signed_value"],
        "depthImbalanceRatio": table["depth_ratio"],
        "proportionalRealizedSpread": table["realised_spread"],
        "proportionalPriceImpact": table["price_impact"] / 2,
        "proportionalHalfTradedSpread": table["effective_spread"] / 2,
        "absLogReturn": table["trade_return"].abs(),
        "proportionalQuotedSpread": table["quoted_spread"],
        "logQuotedSize": table["log_quoted_size"],
        "logQSlope": table["quoted_slope"],
        "midQuoteAbsReturn": table["mid_return"].abs(),
    }


def test_highfrequency_trade_by_trade(folder, sample):
    file = "expected-2018-01-02-lag0-win300.csv.gz"
    expected = pd.read_csv(folder / "expected" / "highfrequency" / file)
    table = M.trade_measures(*(t[:DAY] for t in sample), 300, horizon_unit="rows", match="at")
    assert len(table) == len(expected) == 3691
    for name, ours in in_their_terms(table).items():
        theirs = pd.to_numeric(expected[name]).to_numpy()
        if name == "depthImbalanceRatio":
            # (D × OFR / BID)^D as it is computed there: negative for every sale.
            assert ((theirs < 0) == (table["direction"] < 0)).all()
            theirs = np.abs(theirs)
        if name == "logQSlope":
            # Over the log of one: infinite there, missing here.
            assert ((table["log_quoted_size"] == 0).to_numpy() == np.isinf(theirs)).all()
            theirs = np.where(np.isinf(theirs), np.nan, theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14, err_msg=name)


def test_highfrequency_means_over_two_days(folder, sample):
    stored = json.loads((folder / "expected" / "highfrequency" / "expected.json").read_text())
    table = M.trade_measures(*sample, 300, horizon_unit="rows", match="at", by_day=False)
    assert len(table) == stored["n_tq"]
    ours = in_their_terms(table)
    ours["depthImbalanceRatio"] = ours["depthImbalanceRatio"] * table["direction"]
    for name, value in stored["means"].items():
        # Printed to 15 digits; a mean of 7,168 signed values is some ten times smaller than they are.
        assert ours[name].mean() == pytest.approx(value, rel=1e-9), name


def test_highfrequency_ratio_of_depths_cannot_be_negative(folder, sample):
    """Peer: R highfrequency 1.0.1, whose mean of this ratio of sizes is -0.306."""
    stored = json.loads((folder / "expected" / "highfrequency" / "expected.json").read_text())
    assert stored["means"]["depthImbalanceRatio"] < 0
    trades, quotes = sample
    table = M.trade_measures(trades, quotes, match="at")
    assert (table["depth_ratio"] > 0).all()
    found = pd.merge_asof(trades, quotes, left_index=True, right_index=True)
    bought = table["direction"].to_numpy() > 0
    ratio = (found["ask_size"] / found["bid_size"]).to_numpy()
    np.testing.assert_allclose(table["depth_ratio"], np.where(bought, ratio, 1 / ratio), rtol=1e-12)


def test_highfrequency_seconds_are_rows(folder, sample):
    """Peer: R highfrequency 1.0.1, realizedSpread with win = 300; 300 rows of this stock last half an hour."""
    trades, quotes = (t[:DAY] for t in sample)
    rows = M.trade_measures(trades, quotes, 300, horizon_unit="rows", match="at").dropna(subset="known_at")
    assert (rows["known_at"] - rows.index).median() > pd.Timedelta("25min")
    seconds = M.trade_measures(trades, quotes, "300s", match="at")
    asked = trades.index + pd.Timedelta("300s")
    later = quotes.assign(mid=(quotes["bid"] + quotes["ask"]) / 2)["mid"].asof(asked)
    later = later.where(asked <= quotes.index[-1]).to_numpy()
    np.testing.assert_allclose(seconds["later_mid"], later, rtol=1e-12)
    np.testing.assert_allclose(
        seconds["realised_spread"], 2 * seconds["direction"] * (trades["price"] - later) / seconds["mid"], atol=1e-14
    )


def test_highfrequency_directions_behind_lagged_quotes(folder, sample):
    """`lagQuotes = 2` delays all quotes by two seconds but the first of each day."""
    expected = json.loads((folder / "expected" / "highfrequency" / "expected.json").read_text())
    trades, quotes = sample
    first = ~quotes.index.normalize().duplicated()
    late = quotes.set_axis(quotes.index + pd.to_timedelta(np.where(first, 0, 2), unit="s")).sort_index()
    table = M.trade_measures(trades, late, match="at")
    assert table["direction"].sum() == expected["sum_direction_lagQuotes2"] == -1572
    # With every quote delayed, only the day's first trades are without one.
    ours = M.trade_measures(trades, quotes, match="at", quote_lag="2s")
    same = ours["mid"].notna()
    assert (~same).sum() == 26
    assert (ours["direction"] == table["direction"])[same].all()


@pytest.mark.parametrize("every", ["5min", "1h", "12h"])
def test_averages_of_the_sample_are_the_bars_of_tick_bars(sample, every):
    trades, quotes = sample
    bars = ds.tick_bars(trades, every, quotes=quotes, sign="lee_ready", horizon="2min")
    found = M.average_costs(M.trade_measures(trades, quotes, "2min"), every)
    assert found.index.equals(bars.index.as_unit("ns"))
    costs = ["effective_spread", "realised_spread", "price_impact"]
    np.testing.assert_allclose(found[costs], bars[costs], rtol=1e-9, atol=1e-15)
    order_flow = M.ofi(quotes, every)
    np.testing.assert_allclose(order_flow.reindex(bars.index), bars["ofi"], rtol=1e-12)


@pytest.fixture(scope="module")
def dollar_bars(folder):
    bars = pd.read_csv(folder / "data" / "mlfinlab" / "dollar_bar_sample.csv")
    bought = ds.bulk_volume(bars.rename(columns={"cum_vol": "volume"}), window=20)
    stored = json.loads((folder / "expected" / "mlfinlab" / "expected.json").read_text())["values"]
    return bought, bars["cum_vol"].astype(float), stored


@pytest.mark.parametrize("window", [1, 20])
def test_mlfinlab_vpin(dollar_bars, window):
    """Mean imbalance over the current bar's volume; a window that lacks a row has no value there."""
    bought, volume, stored = dollar_bars
    found = M.vpin(bought, volume, window, divide_by="last").where(bought.rolling(window).count() == window)
    value = [found.max(), found.mean(), found[25]]
    known = stored[f"vpin{window}"]
    np.testing.assert_allclose(value, np.array(known["computed_max_mean_at25"], dtype=float), rtol=1e-12)
    # Printed there with the last digits cut off.
    np.testing.assert_allclose(value, np.array(known["test_max_mean_at25"], dtype=float), atol=1e-3)


def test_mlfinlab_vpin_can_exceed_one(dollar_bars):
    """Peer: mlfinlab (its pull request 225), in bars of unequal volume; a share of the window's own volume cannot."""
    bought, volume, _ = dollar_bars
    uneven = volume * np.where(np.arange(len(volume)) % 20 == 19, 0.05, 1.0)
    theirs = M.vpin(bought * uneven / volume, uneven, 20, divide_by="last")
    ours = M.vpin(bought * uneven / volume, uneven, 20)
    assert theirs.max() > 5
    assert ours.max() <= 1
    assert ours.min() >= 0
    moved = (2 * bought * uneven / volume - uneven).abs()
    right = moved.rolling(20).sum() / uneven.rolling(20).sum()
    there = right.notna()
    np.testing.assert_allclose(ours[there], right[there], rtol=1e-10)


def frds_book(side):
    """The made-up book of frds' documentation: five levels of one side, the mid at one."""
    rng = np.random.RandomState(42)
    sizes = [rng.uniform(low, high, 1000) for low, high in ((100, 120), (90, 110), (80, 100), (70, 90), (50, 80))]
    last = rng.uniform(1.1, 2.0, 1000) if side == "ask" else rng.uniform(0.7, 0.99, 1000)
    book, sign = {}, 1 if side == "ask" else -1
    other = "bid" if side == "ask" else "ask"
    for k in range(5):
        book[f"{side}_{k}"] = 1 + (last - 1) * (k + 1) / 5
        book[f"{side}_size_{k}"] = sizes[k]
        book[f"{other}_{k}"] = 1 - (last - 1) / 5 - sign * 1e-4 * k
        book[f"{other}_size_{k}"] = 1.0
    return pd.DataFrame(book)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_frds_slopes(folder, side):
    expected = json.loads((folder / "expected" / "frds" / "expected.json").read_text())
    value = expected[f"DGGW_{side}_slope"]["computed"]
    # The mid of our book is one up to rounding of its two quotes.
    assert M.book_slope(frds_book(side), side, method="depth").mean() == pytest.approx(value, rel=1e-12)


def test_mktstructure_half_spread_is_no_mid():
    """Peer: mktstructure 0.2.11 measures a bid's distance from (ask − bid) / 2, which is not where the market is."""
    book = pd.DataFrame({"bid_0": [99.0], "bid_size_0": [10.0], "ask_0": [101.0], "ask_size_0": [10.0]})
    right = M.book_slope(book, "bid", method="depth").iloc[0]
    assert right == pytest.approx(10 / 0.01)
    half_spread = (book["ask_0"] - book["bid_0"]) / 2
    theirs = (book["bid_size_0"] / abs(book["bid_0"] - half_spread)).iloc[0]
    # Per unit of price ours is 10; theirs a tenth, as if the bid stood 98 away from a mid of one.
    assert right / 100 == pytest.approx(10.0)
    assert theirs == pytest.approx(10 / 98)
