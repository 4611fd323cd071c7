"""Joins: which rows there are, what stands in them, when it was known, and what becomes of weekends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_clocks import bars, rules

# Friday 28 June to Tuesday 9 July 2019: two weekends, a half day on the 3rd, a holiday on the 4th.
EVERY_DAY = pd.date_range("2019-06-28", "2019-07-09", tz="UTC")
SESSIONS = pd.DatetimeIndex(
    ["2019-06-28", "2019-07-01", "2019-07-02", "2019-07-03", "2019-07-05", "2019-07-08", "2019-07-09"], tz="UTC"
)
COINS = LiquidityPanel.from_bars({"C": bars(EVERY_DAY)})
SHARES = LiquidityPanel.from_bars({"S": bars(SESSIONS)}, clock="session:XNYS")


def stamped(panel):
    """The panel's numbers by the moment at which each row was known; rows that were empty then are left out."""
    table = pd.concat({**panel.fields, "status": panel.status}, axis=1)
    return table.set_axis(panel.available_at).loc[lambda t: t.index.notna()]


def test_intersection_has_the_rows_of_both_and_accumulates_the_weekend():
    both = COINS.join(SHARES, clock="intersection")
    assert list(both.index) == list(SESSIONS)
    assert both.clock.name == "utc_day"
    assert both["volume"]["C"].tolist() == [5.0, 15.0, 5.0, 5.0, 10.0, 15.0, 5.0]
    assert both["volume"]["S"].tolist() == [5.0] * 7
    assert both.where("traded").to_numpy().all()


def test_intersection_may_leave_the_weekend_out():
    both = COINS.join(SHARES, clock="intersection", outside="drop")
    assert both["volume"]["C"].tolist() == [5.0] * 7
    assert rules(both)["outside-dropped"] == 5
    pd.testing.assert_series_equal(both["close"]["C"], COINS["close"]["C"].loc[SESSIONS], check_freq=False)


def test_union_has_every_day_and_says_where_the_exchange_was_closed():
    both = COINS.join(SHARES, clock="union")
    assert both.index.equals(COINS.index)
    assert both.states().loc["S"].to_dict() == {"traded": 7, "closed": 5}
    assert both["close"]["C"].equals(COINS["close"]["C"])


def test_an_exchange_that_is_missing_a_session_is_not_closed():
    shares = LiquidityPanel.from_bars({"S": bars(SESSIONS.delete(2))}, clock="session:XNYS")
    both = COINS.join(shares)
    assert both.states().loc["S"].to_dict() == {"traded": 6, "missing": 1, "closed": 5}
    own = shares.join(COINS)
    assert list(own.index) == list(SESSIONS), "the calendar knows the session that no bar came for"


def test_panels_without_a_common_row_cannot_be_intersected():
    late = LiquidityPanel.from_bars({"D": bars(EVERY_DAY + pd.Timedelta(days=400))})
    with pytest.raises(DataError, match="no common row on utc_day"):
        COINS.join(late, clock="intersection")
    assert COINS.join(late, clock="union").shape == (24, 2)
    with pytest.raises(OptionError, match="'accumulate', 'drop'"):
        COINS.join(late, outside="fill")


HOURS = pd.date_range("2019-07-02", "2019-07-05T23:00", freq="h", tz="UTC")


def test_hours_on_sessions_end_with_the_half_day():
    hours = LiquidityPanel.from_bars({"C": bars(HOURS)})
    both = SHARES.join(hours, outside="drop").window("2019-07-03", "2019-07-05")
    # Half day at 17:00 UTC: the hour that begins at 16:00 is the last one in, 24 hours back from it the first.
    assert both["close"]["C"].tolist() == [
        bars(HOURS)["close"].loc[s] for s in ("2019-07-03T16:00Z", "2019-07-05T19:00Z")
    ]
    assert both["volume"]["C"].tolist() == [5.0 * 21, 5.0 * 24], "the half day begins when the day before it closed"
    kept = SHARES.join(hours).window("2019-07-03", "2019-07-05")
    assert kept["volume"]["C"].tolist() == [5.0 * 21, 5.0 * 51]
    assert kept.available["C"].tolist() == [pd.Timestamp("2019-07-03T17:00Z"), pd.Timestamp("2019-07-05T20:00Z")]


def test_hours_of_both_meet_inside_the_sessions():
    inside = HOURS[(HOURS.hour >= 13) & (HOURS.hour < 20) & (HOURS.day != 4) & ~((HOURS.day == 3) & (HOURS.hour > 16))]
    shares = LiquidityPanel.from_bars({"S": bars(inside)}, clock="session:XNYS:hour")
    hours = LiquidityPanel.from_bars({"C": bars(HOURS)})
    both = shares.join(hours)
    assert [int(n) for n in pd.Series(1, index=both.index).groupby(both.index.date).sum()] == [7, 4, 7]
    alone = both.index[1:7]
    assert (both["close"]["C"].loc[alone] == bars(HOURS)["close"].loc[alone]).all()
    assert both["volume"]["C"].iloc[7] == 5.0 * 18, "the night stands in the first hour"
    assert shares.join(hours, outside="drop")["volume"]["C"].eq(5.0).all()
    assert hours.join(shares, clock="intersection").clock.name == "utc_hour"


def test_rows_wait_for_the_later_of_two_panels_on_one_clock():
    late = LiquidityPanel.from_bars({"L": bars(EVERY_DAY)}, delay="6h")
    both = COINS.join(late)
    assert both["close"]["L"].equals(late["close"]["L"])
    assert (both.available_at == both.clock.end(both.index) + pd.Timedelta("6h")).all()
    assert (both.available["C"] == both.clock.end(both.index)).all()


def test_a_delay_moves_bars_to_the_row_in_which_they_were_known():
    late = LiquidityPanel.from_bars({"L": bars(HOURS)}, delay="6h")
    both = COINS.join(late)
    day = both["close"]["L"].loc["2019-07-03"]
    assert day == late["close"]["L"].loc["2019-07-03T17:00Z"], "known at midnight"
    assert both.available["L"].loc["2019-07-03"] == pd.Timestamp("2019-07-04", tz="UTC")


def test_a_part_of_a_joined_panel_does_not_pull_rows_forward():
    shares_on_days = COINS.join(SHARES).select("S")
    both = shares_on_days.join(LiquidityPanel.from_bars({"D": bars(EVERY_DAY)}))
    assert both["close"]["D"].dropna().equals(COINS["close"]["C"].rename("D"))


def test_joining_in_either_order_gives_the_same_numbers():
    one, two = COINS.join(SHARES), SHARES.join(COINS, clock="utc_day")
    for field in one.fields:
        pd.testing.assert_frame_equal(one[field], two[field][one.assets])
    pd.testing.assert_frame_equal(one.status, two.status[one.assets])


@pytest.mark.parametrize("clock", [None, "union", "intersection", "session:XNYS"])
@pytest.mark.parametrize("outside", ["accumulate", "drop"])
def test_joins_do_not_look_ahead(clock, outside):
    days = pd.date_range("2019-05-01", "2019-09-30", tz="UTC")
    sessions = days[days.day_of_week < 5]
    rng = np.random.default_rng(4)
    coins = LiquidityPanel.from_bars({"C": bars(days) * rng.uniform(1, 2, (len(days), 1))})
    shares = LiquidityPanel.from_bars({"S": bars(sessions) * rng.uniform(1, 2, (len(sessions), 1))}, "session:XNYS")
    assert_causal(lambda p: stamped(p.join(shares, clock=clock, outside=outside)), coins, min_rows=20, cuts=20)
    assert_causal(lambda p: stamped(coins.join(p, clock=clock, outside=outside)), shares, min_rows=20, cuts=20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True),
    st.lists(st.integers(0, 20), min_size=1, max_size=10, unique=True),
    st.sampled_from(["utc_hour", "utc_day", "session:XNYS", "union", "intersection"]),
    st.sampled_from(["accumulate", "drop"]),
)
def test_no_bar_stands_before_it_was_known_and_none_is_lost_silently(hours, days, clock, outside):
    start = pd.Timestamp("2019-06-24", tz="UTC")
    fine = start + pd.to_timedelta(sorted(hours), unit="h")
    coarse = start + pd.to_timedelta(sorted(days), unit="D")
    one = LiquidityPanel.from_bars({"C": bars(pd.DatetimeIndex(fine))}, "utc_hour")
    two = LiquidityPanel.from_bars({"D": bars(pd.DatetimeIndex(coarse), start=1000.0)}, "utc_day")
    try:
        both = one.join(two, clock=clock, outside=outside)
    except DataError as error:
        assume(clock == "intersection" and "no common row" in str(error))
        return
    for panel, asset in ((one, "C"), (two, "D")):
        known = panel.available[asset].dropna()
        close = panel["close"][asset]
        for row, value in both["close"][asset].dropna().items():
            source = close.index[close == value][0]
            assert known[source] <= both.available.at[row, asset]
            assert both.available.at[row, asset] <= both.clock.end(pd.DatetimeIndex([row]))[0]
        lost = both.ledger[(both.ledger["asset"] == asset) & both.ledger["rule"].isin(
            ["before-first-row", "after-last-row", "outside-dropped"])]["rows"].sum()  # fmt: skip
        assert both["volume"][asset].sum() == 5.0 * (len(known) - lost)


def test_traded_value_is_not_lost_beside_a_panel_that_stores_it():
    index = pd.date_range("2024-01-01", periods=4, tz="UTC")
    plain = pd.DataFrame({"close": [1.0, 2, 3, 4], "volume": [10.0, 0, np.nan, 5]}, index)
    stored = plain.assign(dollar_volume=[9.0, 1, 2, np.nan])
    one, other = LiquidityPanel.from_bars({"A": plain}), LiquidityPanel.from_bars({"B": stored})
    whole = LiquidityPanel.from_bars({"A": plain, "B": stored})
    for panel in (one.join(other), other.join(one), whole):
        np.testing.assert_array_equal(panel["dollar_volume"]["A"], [10.0, 0, np.nan, 20])
        np.testing.assert_array_equal(panel["dollar_volume"]["B"], [9.0, 1, 2, np.nan])
        assert panel.units["dollar_volume"] == "quote currency"
        assert "value-at-close" in set(panel.ledger.query("asset == 'A'")["rule"])
    contracts = LiquidityPanel.from_bars({"A": plain, "B": stored}, units={"volume": "contracts"})
    assert contracts["dollar_volume"]["A"].isna().all()
