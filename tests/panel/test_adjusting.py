"""Splits and dividends: by hand, against Yahoo's own adjusted closes, and without a look ahead."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, LookAheadError, OptionError
from drainstats.panel.panel import LiquidityPanel
from drainstats.sources import registry
from tests.panel.test_clocks import bars, rules
from tests.panel.test_joining import stamped

DAYS = pd.date_range("2020-08-24", periods=10, tz="UTC")


def actions(*rows):
    return pd.DataFrame(rows, columns=["asset", "ex_date", "kind", "value"])


SPLIT = ("A", "2020-08-31", "split", 4.0)
DIVIDEND = ("A", "2020-08-28", "dividend", 1.0)


def raw():
    table = bars(DAYS, start=100.0)
    table.loc[DAYS[7] :, ["open", "high", "low", "close"]] /= 4
    table.loc[DAYS[7] :, "volume"] *= 4
    return LiquidityPanel.from_bars({"A": table, "B": bars(DAYS)})


def test_back_adjustment_by_hand():
    panel = raw()
    done = panel.adjust(actions(SPLIT, DIVIDEND))
    factor = 1 - 1.0 / panel["close"]["A"].iloc[3]
    expected = panel["close"]["A"].to_numpy() * np.r_[np.full(4, factor / 4), np.full(3, 1 / 4), np.ones(3)]
    np.testing.assert_allclose(done["close"]["A"], expected, rtol=1e-15)
    assert done["volume"]["A"].tolist() == [20.0] * 10
    pd.testing.assert_frame_equal(done["dollar_volume"], panel["dollar_volume"])
    assert done["close"]["B"].equals(panel["close"]["B"])
    assert rules(done) == {"split-adjusted": 7, "dividend-adjusted": 4}
    assert done.provenance["adjusted"] == {
        "method": "back",
        "actions": [["A", "2020-08-28", "dividend", 1.0], ["A", "2020-08-31", "split", 4.0]],
    }


def test_forward_adjustment_has_the_same_returns_and_the_first_prices():
    panel = raw()
    back, forward = (panel.adjust(actions(SPLIT, DIVIDEND), method) for method in ("back", "forward"))
    returns = [np.log(p["close"]["A"]).diff().dropna() for p in (back, forward)]
    np.testing.assert_allclose(returns[0], returns[1], atol=1e-14)
    assert forward["close"]["A"].iloc[:4].equals(panel["close"]["A"].iloc[:4])
    assert forward["volume"]["A"].tolist() == [5.0] * 10
    pd.testing.assert_frame_equal(forward["dollar_volume"], back["dollar_volume"])


def test_a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares():
    done = raw().adjust(actions(SPLIT, ("A", "2020-08-31", "dividend", 1.0)))
    last = raw()["close"]["A"].iloc[6]
    assert done["close"]["A"].iloc[6] == pytest.approx(last / 4 * (1 - 1.0 / (last / 4)), rel=1e-15)


def test_actions_outside_the_rows_change_nothing_and_are_noted():
    early, late = ("A", "2019-01-01", "split", 2.0), ("A", "2021-01-01", "dividend", 1.0)
    done = raw().adjust(actions(early, late))
    assert done["close"].equals(raw()["close"])
    assert rules(done) == {"action-outside-span": 2}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (actions(("Z", "2020-08-31", "split", 4.0)), "'Z', which the panel does not have"),
        (actions(("A", "2020-08-31", "merger", 4.0)), "'split', 'dividend'"),
        (actions(("A", "2020-08-31", "split", 0.0)), "positive value, 0.0 came"),
        (actions(("A", "2020-08-31", "split", np.nan)), "positive value"),
        (actions(SPLIT, SPLIT), "stands twice"),
        (actions(("A", "2020-08-28", "dividend", 5000.0)), "exceeds its last close"),
        (actions(SPLIT).drop(columns="kind"), "lack the column 'kind'"),
        (3.0, "A table or array"),
    ],
)
def test_bad_actions_are_sentences(table, message):
    with pytest.raises((DataError, OptionError), match=message):
        raw().adjust(table)


def test_nothing_is_adjusted_twice():
    with pytest.raises(DataError, match="adjusted already"):
        raw().adjust(actions(SPLIT)).adjust(actions(DIVIDEND))
    with pytest.raises(OptionError, match="'back', 'forward'"):
        raw().adjust(actions(SPLIT), method="both")


def test_forward_does_not_look_ahead_and_back_does():
    panel = raw()
    table = actions(SPLIT, DIVIDEND)
    assert_causal(lambda p: p.adjust(table, "forward")["close"], panel, min_rows=2)
    with pytest.raises(LookAheadError):
        assert_causal(lambda p: stamped(p.adjust(table, "back")), panel, min_rows=2)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(1, 9), st.sampled_from([2.0, 3.0, 0.1, 1.5]), max_size=5))
def test_splits_leave_what_was_paid(splits):
    table = actions(*(("B", DAYS[k], "split", ratio) for k, ratio in splits.items()))
    for method in ("back", "forward"):
        done = raw().adjust(table, method)
        np.testing.assert_allclose(done["close"]["B"] * done["volume"]["B"], raw()["dollar_volume"]["B"], rtol=1e-12)


def test_published_actions_turn_raw_closes_into_yahoos_adjusted_ones():
    # Splits and dividends of Apple as announced; Yahoo's column was made later, so a constant factor remains. Its own
    # factors are rounded, which shows between the dividends of 2012 and 2013.
    table = pd.read_csv(io.BytesIO(registry.content("us-stocks-daily")))
    apple = table[(table["source"] == "bokeh-sampledata") & (table["symbol"] == "AAPL")]
    apple = apple.set_index(pd.to_datetime(apple["date"], utc=True))
    known = actions(
        ("AAPL", "2000-06-21", "split", 2.0),
        ("AAPL", "2005-02-28", "split", 2.0),
        ("AAPL", "2012-08-09", "dividend", 2.65),
        ("AAPL", "2012-11-07", "dividend", 2.65),
        ("AAPL", "2013-02-07", "dividend", 2.65),
    )
    panel = LiquidityPanel.from_bars({"AAPL": apple[["open", "high", "low", "close", "volume"]]}, "session:XNYS")
    ratio = panel.adjust(known)["close"]["AAPL"] / apple["adjusted"]
    early = ratio.loc[:"2012-08-08"]
    assert early.max() / early.min() - 1 < 1e-6
    assert ratio.max() / ratio.min() - 1 < 2e-4


# Dividends per share as announced (Yahoo states them in today's shares: Apple's 2.65 of 2012 after 7:1 and 4:1).
ANNOUNCED = {
    "AAPL": {"2012-08-09": 2.65 / 28, "2021-05-07": 0.22},
    "MSFT": {"2004-11-15": 3.08, "2021-08-18": 0.56},
    "KO": {"2020-11-30": 0.41, "2021-09-14": 0.42},
}


@pytest.mark.reference
@pytest.mark.parametrize("symbol", ANNOUNCED)
def test_round_trip_with_yahoos_adjusted_closes(data_root, symbol):
    path = data_root / "data" / "yfinance-us-stocks-1981-2021" / f"{symbol}.csv"
    table = ds.read_bars(path)
    ratio = table["adjusted"] / table["close"]
    cash = (1 - ratio.shift() / ratio) * table["close"].shift()
    # Below that the sixth decimal of the file moves the ratio.
    cash = cash[(1 - ratio.shift() / ratio) > 3e-4]
    for day, dividend in ANNOUNCED[symbol].items():
        assert cash.loc[day] == pytest.approx(dividend, abs=2e-5)
    paid = pd.DataFrame({"asset": symbol, "ex_date": cash.index, "kind": "dividend", "value": cash.to_numpy()})
    panel = LiquidityPanel.from_bars({symbol: table.drop(columns="adjusted")}, "session:XNYS").adjust(paid)
    np.testing.assert_allclose(panel["close"][symbol], table["adjusted"], rtol=2e-5)
    assert panel["volume"][symbol].tolist() == table["volume"].tolist()
