"""Coarser rows: the rules of OHLC, agreement with the raw bars, incomplete rows, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainstats.causal import assert_causal
from drainstats.errors import OptionError
from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_clocks import HOURS, bars, rules
from tests.panel.test_joining import stamped

MINUTES = pd.date_range("2019-07-01T00:00Z", "2019-07-03T23:59Z", freq="min")


def random_bars(index, seed=0):
    """Bars whose volumes are whole numbers, so that sums have no rounding."""
    rng = np.random.default_rng(seed)
    close = 100 + rng.normal(size=len(index)).cumsum()
    spread = rng.uniform(0, 1, len(index))
    table = {"open": close - 0.1, "high": close + spread, "low": close - spread, "close": close}
    return pd.DataFrame({**table, "volume": rng.integers(0, 9, len(index)).astype(float)}, index=index)


def assert_same(one, two):
    assert one.clock == two.clock
    for field in two.fields:
        pd.testing.assert_frame_equal(one[field], two[field])
    pd.testing.assert_frame_equal(one.available, two.available)
    pd.testing.assert_frame_equal(one.status, two.status)


def kept(index, share, seed):
    return index[np.random.default_rng(seed).random(len(index)) < share]


RAW = {"A": random_bars(MINUTES), "B": random_bars(kept(MINUTES, 0.3, 1), 2), "C": random_bars(MINUTES[2000:2600], 3)}


@pytest.mark.parametrize("clock", ["utc_5min", "utc_hour", "utc_day", "session:XNYS", "session:XNYS:hour"])
@pytest.mark.parametrize("delay", ["0s", "90s"])
def test_resampling_agrees_with_the_raw_bars_on_the_coarse_clock(clock, delay):
    fine = LiquidityPanel.from_bars(RAW, "session:XNYS:min" if clock.endswith("XNYS:hour") else "utc_min", delay=delay)
    if clock.startswith("session:"):
        inside = {a: b[(b.index.hour >= 14) & (b.index.hour < 17)] for a, b in RAW.items()}
        inside = {a: b for a, b in inside.items() if len(b)}
        fine = LiquidityPanel.from_bars(inside, fine.clock.name, delay=delay)
        assert_same(fine.resample(clock), LiquidityPanel.from_bars(inside, clock, delay=delay))
    else:
        assert_same(fine.resample(clock), LiquidityPanel.from_bars(RAW, clock, delay=delay))


def test_the_rules_of_ohlc_by_hand():
    hour = LiquidityPanel.from_bars(RAW, "utc_min").resample("utc_hour")
    part = RAW["B"].loc["2019-07-01T05:00":"2019-07-01T05:59"]
    row = {f: hour[f].at[pd.Timestamp("2019-07-01T05:00Z"), "B"] for f in hour.fields}
    assert row == {
        "open": part["open"].iloc[0],
        "high": part["high"].max(),
        "low": part["low"].min(),
        "close": part["close"].iloc[-1],
        "volume": part["volume"].sum(),
    }
    assert hour.available.at[pd.Timestamp("2019-07-01T05:00Z"), "B"] == pd.Timestamp("2019-07-01T06:00Z")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 1.0))
def test_resampling_is_idempotent_and_associative(seed, share):
    index = kept(MINUTES, share, seed)
    panel = LiquidityPanel.from_bars(
        {"A": random_bars(index, seed), "B": random_bars(MINUTES[:700], seed + 1)}, "utc_min"
    )
    hours, days = panel.resample("utc_hour"), panel.resample("utc_day")
    assert hours.resample("utc_hour") is hours
    assert_same(hours.resample("utc_day"), days)
    assert_same(panel.resample("utc_5min").resample("utc_15min").resample("utc_day"), days)
    assert days["volume"].sum().tolist() == panel["volume"].sum().tolist()


def test_sessions_from_minutes_directly_or_through_hours():
    inside = RAW["A"][(RAW["A"].index.hour >= 14) & (RAW["A"].index.hour < 17)]
    panel = LiquidityPanel.from_bars({"A": inside}, "session:XNYS:min")
    assert_same(panel.resample("session:XNYS:hour").resample("session:XNYS"), panel.resample("session:XNYS"))


def test_incomplete_rows_are_counted_and_may_be_left_out():
    index = MINUTES.delete(slice(60, 70))
    panel = LiquidityPanel.from_bars({"A": random_bars(index)}, "utc_min")
    hours = panel.resample("utc_hour")
    assert rules(hours)["incomplete-row"] == 1
    entry = hours.ledger[hours.ledger["rule"] == "incomplete-row"].iloc[0]
    assert entry["first"] == MINUTES[60]
    strict = panel.resample("utc_hour", incomplete="drop")
    assert strict["close"]["A"].isna().tolist() == [k == 1 for k in range(72)]
    assert strict.where("missing")["A"].sum() == 1


def test_minutes_in_which_nothing_traded_do_not_make_a_row_incomplete():
    index = MINUTES.delete(slice(60, 70))
    spans = pd.DataFrame({"asset": ["A"], "start": [MINUTES[0]], "end": [MINUTES[-1] + pd.Timedelta(minutes=1)]})
    panel = LiquidityPanel.from_bars({"A": random_bars(index)}, "utc_min", rows="all").mark(fetched=spans)
    assert panel.states().loc["A", "no trade"] >= 10
    assert "incomplete-row" not in rules(panel.resample("utc_hour"))


def test_a_half_day_is_complete_with_four_hours():
    inside = HOURS[(HOURS.hour >= 13) & (HOURS.hour < 20) & (HOURS.day != 4) & ~((HOURS.day == 3) & (HOURS.hour > 16))]
    panel = LiquidityPanel.from_bars({"S": bars(inside)}, "session:XNYS:hour")
    days = panel.resample("session:XNYS")
    assert days["volume"]["S"].tolist() == [20.0, 35.0]
    assert "incomplete-row" not in rules(days)
    short = LiquidityPanel.from_bars({"S": bars(inside[1:])}, "session:XNYS:hour").resample("session:XNYS")
    assert rules(short)["incomplete-row"] == 1


def test_other_fields_keep_their_last_value_or_are_merged_as_asked():
    table = random_bars(MINUTES[:120]).assign(spread=np.arange(120.0))
    panel = LiquidityPanel.from_bars({"A": table}, "utc_min")
    assert panel.resample("utc_hour")["spread"]["A"].tolist() == [59.0, 119.0]
    assert panel.resample("utc_hour", how={"spread": "mean"})["spread"]["A"].tolist() == [29.5, 89.5]


def test_what_would_cut_bars_is_refused():
    panel = LiquidityPanel.from_bars({"A": random_bars(MINUTES)}, "utc_min").resample("utc_2hour")
    with pytest.raises(OptionError, match="finer than the panel's utc_2hour"):
        panel.resample("utc_hour")
    with pytest.raises(OptionError, match="choose a multiple"):
        panel.resample("utc_3hour")
    with pytest.raises(OptionError, match="'keep', 'drop'"):
        panel.resample("utc_day", incomplete="maybe")
    inside = LiquidityPanel.from_bars({"S": bars(HOURS[1:5])}, "session:XNYS:hour")
    with pytest.raises(OptionError, match="by join"):
        inside.resample("utc_2hour")
    assert inside.resample("utc_day").shape == (1, 1)


@pytest.mark.parametrize("clock", ["utc_hour", "utc_day", "session:XNYS"])
@pytest.mark.parametrize("incomplete", ["keep", "drop"])
def test_resampling_does_not_look_ahead(clock, incomplete):
    index = kept(pd.date_range("2019-06-24T00:00Z", periods=2000, freq="15min"), 0.9, 5)
    panel = LiquidityPanel.from_bars({"A": random_bars(index), "B": random_bars(index[500:], 1)}, "utc_15min")
    # The row in which the data end is known only when it is over, so it is not compared.
    assert_causal(lambda p: stamped(p.resample(clock, incomplete=incomplete)), panel, min_rows=100, cuts=20)
