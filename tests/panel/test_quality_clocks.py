"""Quality of bars on clocks: closing hours, holidays, joined panels, states."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_quality_bars import clean_bars, fired


def test_markets_with_closing_hours_are_judged_by_their_hours():
    frame = clean_bars(np.random.default_rng(3), rows=1000)
    week = frame[frame.index.day_of_week < 5]
    hours = clean_bars(np.random.default_rng(3), rows=3000, freq="h", volatility=0.004)
    day = hours[(hours.index.hour >= 9) & (hours.index.hour < 17) & (hours.index.day_of_week < 5)]
    for part, clock, closed in ((week, "utc_day", 2 / 7), (day, "utc_hour", 1 - 40 / 168)):
        row = LiquidityPanel.from_bars({"A": part}, clock).quality().loc["A"]
        assert row["verdict"] == "clean"
        assert row["coverage"] == 1
        assert row["closing_hours"] == pytest.approx(closed)
        assert "closing-hours" in fired(row["hints"])
        row = LiquidityPanel.from_bars({"A": part.drop(part.index[[200, 201]])}, clock).quality().loc["A"]
        assert (row["missing"], row["gaps"]) == (2, 1)


def test_thin_assets_are_not_taken_for_closed():
    rng = np.random.default_rng(5)
    frame = clean_bars(rng, rows=2000, freq="h")
    row = LiquidityPanel.from_bars({"A": frame[rng.random(2000) < 0.3]}, "utc_hour").quality().loc["A"]
    assert row["closing_hours"] == 0
    assert row["verdict"] == "poor"
    assert row["coverage"] == pytest.approx(0.3, abs=0.05)


def test_sessions_know_holidays():
    pytest.importorskip("exchange_calendars")
    days = pd.bdate_range("2021-06-01", "2021-12-31", tz="UTC")
    frame = clean_bars(np.random.default_rng(3), rows=len(days)).set_axis(days)
    holidays = pd.DatetimeIndex(["2021-07-05", "2021-09-06", "2021-11-25", "2021-12-24"], tz="UTC")
    quality = LiquidityPanel.from_bars(
        {
            "whole": frame.drop(holidays),
            "holiday": frame.drop(holidays[1:]),
            "less": frame.drop(holidays).drop(days[40]),
        },
        "session:XNYS",
    ).quality()
    assert quality.loc["whole", ["verdict", "missing", "off_calendar"]].tolist() == ["clean", 0, 0]
    assert quality.loc["holiday", ["verdict", "missing", "off_calendar"]].tolist() == ["usable", 0, 1]
    assert quality.loc["less", ["verdict", "missing", "off_calendar"]].tolist() == ["usable", 1, 0]


def test_an_asset_is_judged_on_its_own_clock_in_a_joined_panel():
    days = pd.date_range("2021-01-04", "2021-12-30", tz="UTC")
    frame = clean_bars(np.random.default_rng(3), rows=len(days)).set_axis(days)
    pytest.importorskip("exchange_calendars")
    from drainstats.panel.sessions import sessions

    open_ = sessions("XNYS", days[0], days[-1]).are(days)
    shares = LiquidityPanel.from_bars({"S": frame[open_]}, "session:XNYS")
    quality = LiquidityPanel.from_bars({"C": frame}, "utc_day").join(shares).quality()
    assert quality["missing"].tolist() == [0, 0]
    assert quality["verdict"].tolist() == ["clean", "clean"]
    turned = shares.join(LiquidityPanel.from_bars({"C": frame}, "utc_day")).quality()
    assert turned["missing"].tolist() == [0, 0]


def test_hours_of_an_exchange_on_their_own_clock_have_no_gaps():
    pytest.importorskip("exchange_calendars")
    hours = pd.date_range("2021-01-01", "2021-12-31 23:00", freq="h", tz="UTC")
    frame = clean_bars(np.random.default_rng(3), rows=len(hours), volatility=0.004).set_axis(hours)
    local = hours.tz_convert("America/New_York")
    day = frame[(local.hour >= 9) & (local.hour < 16) & (local.day_of_week < 5)]
    from drainstats.panel.sessions import sessions

    open_ = sessions("XNYS", hours[0], hours[-1]).are(day.index.normalize())
    whole = day[open_]
    row = LiquidityPanel.from_bars({"A": whole}, "session:XNYS:hour").quality().loc["A"]
    # Two half days of the year end at 13:00: what stands after them is merged or left out, and nothing is missing.
    assert (row["missing"], row["gaps"]) == (0, 0)
    row = LiquidityPanel.from_bars({"A": whole.drop(whole.index[[500, 501]])}, "session:XNYS:hour").quality().loc["A"]
    assert (row["missing"], row["gaps"]) == (2, 1)


def test_what_has_a_reason_is_not_missing_and_a_carried_price_is_no_bar():
    frame = clean_bars(np.random.default_rng(3))
    panel = LiquidityPanel.from_bars({"A": frame.drop(frame.index[100:130]), "B": frame}, "utc_day")
    assert panel.quality().loc["A", ["missing", "explained"]].tolist() == [30, 0]
    day = frame.index
    spans = pd.DataFrame({"asset": ["A"], "start": [day[100]], "end": [day[120]]})
    row = panel.mark(outages=spans).quality().loc["A"]
    assert row[["missing", "explained", "gaps"]].tolist() == [10, 20, 1]
    carried = panel.carry("10D")
    pd.testing.assert_series_equal(carried.quality()["bars"], panel.quality()["bars"])
    assert carried.quality().loc["A", "missing"] == 30
