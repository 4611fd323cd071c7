"""One currency: rates as they were known, how old they may be, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_clocks import bars, rules
from tests.panel.test_joining import stamped

DAYS = pd.date_range("2023-03-06", periods=6, tz="UTC")
ASSETS = pd.DataFrame(
    {"base": ["BTC", "BTC", "USDT"], "quote": ["USD", "USDT", "USD"]},
    index=["kraken:BTC", "okx:BTC", "kraken:USDT/USD"],
)


def panel(**changes):
    pegged = bars(DAYS) * 0 + 1.0
    pegged["close"] = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05]
    tables = {"kraken:BTC": bars(DAYS), "okx:BTC": bars(DAYS), "kraken:USDT/USD": pegged}
    return LiquidityPanel.from_bars(tables, assets=ASSETS, **changes)


def test_an_asset_of_the_panel_is_the_rate():
    done = panel().convert("USD", {"USDT": "kraken:USDT/USD"})
    rate = panel()["close"]["kraken:USDT/USD"]
    for field in ("open", "high", "low", "close", "dollar_volume"):
        np.testing.assert_allclose(done[field]["okx:BTC"], panel()[field]["okx:BTC"] * rate, rtol=1e-15)
        assert done[field]["kraken:BTC"].equals(panel()[field]["kraken:BTC"])
    assert done["volume"].equals(panel()["volume"])
    assert set(done.asset_table["quote"]) == {"USD"}
    assert (done.units["close"], done.units["volume"]) == ("USD", "base units")
    assert rules(done) == {"converted": 6}
    assert done.provenance["converted"] == [
        {"to": "USD", "rates": {"USDT": "kraken:USDT/USD"}, "max_age": "1 days 00:00:00"}
    ]


def test_a_rate_is_the_last_one_known_and_not_older_than_allowed():
    known = pd.DatetimeIndex(["2023-03-07T00:00Z", "2023-03-08T00:00:01Z", "2023-03-10T12:00Z"])
    series = pd.Series([0.9, 0.8, 0.7], index=known, name="ECB")
    done = panel().convert("USD", {"USDT": series}, max_age="30h")
    ratio = (done["close"] / panel()["close"])["okx:BTC"]
    # The day of the 6th is known at midnight, exactly when the first rate is; the second comes a second too late for
    # the 7th; the 9th has none that is young enough.
    np.testing.assert_allclose(ratio, [0.9, 0.9, 0.8, np.nan, 0.7, np.nan])
    assert rules(done) == {"converted": 4, "rate-missing": 2}
    assert done["volume"]["okx:BTC"].notna().all()
    assert done.provenance["converted"][0]["rates"] == {"USDT": "ECB"}


def test_a_delayed_bar_may_use_a_later_rate():
    series = pd.Series([0.9, 0.8], index=pd.DatetimeIndex(["2023-03-07T00:00Z", "2023-03-07T01:00Z"]))
    ratio = panel(delay="2h").convert("USD", {"USDT": series})["close"]["okx:BTC"].iloc[0] / 10.0
    assert ratio == pytest.approx(0.8)


def test_high_over_low_does_not_change():
    done = panel().convert("USD", {"USDT": "kraken:USDT/USD"})
    np.testing.assert_allclose(done["high"] / done["low"], panel()["high"] / panel()["low"], rtol=1e-14)


def test_there_and_back_again():
    there = panel().select(["okx:BTC"]).convert("EUR", {"USDT": pd.Series(0.9, index=DAYS)}, "30D")
    back = there.convert("USDT", {"EUR": pd.Series(1 / 0.9, index=DAYS)}, "30D")
    np.testing.assert_allclose(back["close"], panel().select(["okx:BTC"])["close"], rtol=1e-15)
    assert back.units["close"] == "USDT"


RATE = pd.Series(1.0, index=DAYS)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({}, "no rate for USDT"),
        ({"USDT": "nowhere"}, "'nowhere', which the panel does not have"),
        ({"USDT": "kraken:BTC"}, "prices BTC in USD; a rate for USDT prices USDT in USD"),
        ({"USDT": RATE * 0}, "not positive"),
        ({"USDT": RATE.iloc[::-1]}, "not in time order"),
        ({"USDT": RATE * np.nan}, "has no value"),
        ({"USDT": RATE.to_frame()}, "is a Series"),
        ({"USDT": RATE.reset_index(drop=True)}, "plain numbers"),
    ],
)
def test_bad_rates_are_sentences(rates, message):
    with pytest.raises((DataError, OptionError), match=message):
        panel().convert("USD", rates)


def test_an_unknown_quote_is_not_guessed():
    with pytest.raises(DataError, match="quote currency of 'A' is not known"):
        LiquidityPanel.from_bars({"A": bars(DAYS)}).convert("USD", {})


def test_conversion_does_not_look_ahead():
    assert_causal(lambda p: stamped(p.convert("USD", {"USDT": "kraken:USDT/USD"})), panel(), min_rows=1)
    series = pd.Series(np.linspace(1, 2, 6), index=DAYS)
    assert_causal(lambda p: stamped(p.convert("USD", {"USDT": series}, "3D")), panel(), min_rows=1)
