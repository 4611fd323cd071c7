"""States: where they come from, which wins, and that they survive what is done to a panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.status import State, closed
from tests.panel.test_clocks import bars, rules
from tests.panel.test_joining import COINS, SHARES, stamped

HOURS = pd.date_range("2022-05-09", periods=72, freq="h", tz="UTC")
ASSETS = pd.DataFrame({"venue": ["x", "x", "y"]}, index=["A", "B", "C"])


def panel(**changes):
    """A and B at venue x, absent together from hour 10 to 12; B has no volume in hour 5; C at venue y never stops."""
    one = bars(HOURS.delete([10, 11]))
    two = bars(HOURS.delete([10, 11, 20]))
    two.loc[HOURS[5], "volume"] = 0.0
    return LiquidityPanel.from_bars({"A": one, "B": two, "C": bars(HOURS)}, "utc_hour", assets=ASSETS, **changes)


def state(marked, asset, hour):
    return State(int(marked.status[asset].iloc[hour])).label


def span(start, end, **who):
    return pd.DataFrame({k: [v] for k, v in who.items()} | {"start": [start], "end": [end]})


def test_nothing_is_guessed():
    plain = panel()
    assert plain.states().loc["B"].to_dict() == {"traded": 68, "no trade": 1, "missing": 3}
    assert plain.where("no trade")["B"].sum() == 1
    assert plain.status.dtypes.eq(np.int8).all()
    with pytest.raises(OptionError, match="the states are traded, no trade, stale"):
        plain.where("asleep")


def test_inside_a_fetched_span_absence_means_no_trade():
    fetched = pd.DataFrame({"asset": ["A", "A"], "start": [HOURS[0], HOURS[30]], "end": [HOURS[11], None]})
    marked = panel().mark(fetched=fetched)
    assert state(marked, "A", 10) == "no trade"
    assert state(marked, "A", 11) == "not fetched"
    assert state(marked, "B", 10) == "missing", "nothing was said of B"
    assert state(marked, "A", 15) == "traded", "a bar that is there is there"
    both = panel().mark(fetched=span(HOURS[0], HOURS[-1], venue="x"))
    assert [state(both, a, 11) for a in "AB"] == ["no trade", "no trade"]


def test_outages_and_halts_cover_the_rows_they_touch():
    marked = panel().mark(
        outages=span(HOURS[10] + pd.Timedelta("30min"), HOURS[11], venue="x"),
        halts=span(HOURS[5], HOURS[5] + pd.Timedelta("1s"), asset="B"),
    )
    assert [state(marked, a, 10) for a in "AB"] == ["outage", "outage"]
    assert state(marked, "A", 11) == "missing"
    assert state(marked, "B", 5) == "halted", "a bar without volume may be a halt"
    assert state(marked, "C", 10) == "traded"


def test_a_halt_wins_over_an_outage_and_a_listing_over_both():
    marked = panel().mark(
        outages=span(HOURS[0], None, venue="x"),
        halts=span(HOURS[11], HOURS[12], asset="A"),
        listed=pd.DataFrame({"asset": ["B"], "valid_from": [HOURS[2]], "valid_to": [HOURS[20]]}),
    )
    assert [state(marked, "A", h) for h in (9, 10, 11)] == ["traded", "outage", "halted"]
    assert state(marked, "B", 20) == "delisted"
    assert state(marked, "B", 10) == "outage"
    assert rules(marked)["traded-outside-listing"] == 2 + 51


def test_a_dead_asset_that_still_gets_bars_without_volume_is_delisted():
    dead = bars(HOURS)
    dead.loc[HOURS[40:], "volume"] = 0.0
    marked = LiquidityPanel.from_bars({"A": dead}).mark(
        listed=pd.DataFrame({"asset": ["A"], "valid_from": [None], "valid_to": [HOURS[50]]})
    )
    assert marked.states().loc["A"].to_dict() == {"traded": 40, "no trade": 10, "delisted": 22}
    assert marked["close"]["A"].notna().all(), "values are not touched"


def test_an_outage_may_be_inferred_when_a_whole_venue_is_gone():
    marked = panel().mark(infer_outages=True)
    assert [state(marked, a, h) for h in (10, 11) for a in "AB"] == ["outage"] * 4
    assert state(marked, "B", 20) == "missing", "A traded at the same venue"
    assert rules(marked)["outage-inferred"] == 4
    lone = panel().select(["A", "C"]).mark(infer_outages=True)
    assert state(lone, "A", 10) == "missing", "one asset is no venue"


def test_calendars_close_an_exchange():
    days = pd.date_range("2019-07-01", "2019-07-07", tz="UTC")
    gappy = LiquidityPanel.from_bars({"S": bars(days[[0, 1, 4]]), "C": bars(days)})
    marked = gappy.mark(calendars={"S": "XNYS"})
    assert [state(marked, "S", k) for k in range(7)] == [
        "traded", "traded", "missing", "closed", "traded", "closed", "closed",
    ]  # fmt: skip


def test_closed_agrees_with_a_slow_twin(monkeypatch):
    from drainstats.panel.sessions import sessions

    hours = pd.date_range("2019-07-01", "2019-07-08", freq="h", tz="UTC").as_unit("ns").asi8
    calendar = sessions("XNYS", pd.Timestamp("2019-07-01"), pd.Timestamp("2019-07-08"))
    hour = 3_600_000_000_000
    twin = [not np.any((calendar.opens < h + hour) & (calendar.closes > h)) for h in hours]
    assert closed("XNYS", hours, hours + hour).tolist() == twin
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)
    assert not closed("XNYS", hours, hours + hour).any(), "without calendars nothing is known to be closed"


TWICE = pd.DataFrame({"asset": "A", "valid_from": [HOURS[0], HOURS[5]], "valid_to": [HOURS[4], None]})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"halts": pd.DataFrame({"asset": ["A"], "start": [HOURS[0]]})}, "no column 'end'"),
        ({"halts": span(HOURS[0], HOURS[1], asset="Z")}, "no asset 'Z'"),
        ({"outages": span(HOURS[0], HOURS[1], venue="q")}, "no venue 'q'"),
        ({"outages": span(HOURS[1], HOURS[1], venue="x")}, "ends before it begins"),
        ({"calendars": {"q": "XNYS"}}, "no venue 'q'"),
        ({"listed": TWICE}, "two spans"),
    ],
)
def test_bad_tables_are_sentences(tables, message):
    with pytest.raises((DataError, OptionError), match=message):
        panel().mark(**tables)


def test_states_go_along_with_rows_assets_joins_and_coarser_rows():
    marked = panel().mark(halts=span(HOURS[10], HOURS[12], asset="A"))
    assert state(marked.select("A").window(HOURS[10], HOURS[11]), "A", 0) == "halted"
    assert marked.cut(11).states().loc["A", "halted"] == 1
    other = LiquidityPanel.from_bars({"D": bars(HOURS)}, "utc_hour")
    assert state(marked.join(other), "A", 11) == "halted"
    days = marked.mark(halts=span(HOURS[0], HOURS[24], asset="A")).resample("utc_day")
    assert state(days, "A", 0) == "traded", "it traded in a part of the day"
    gone = panel().window(HOURS[10], HOURS[11]).mark(halts=span(HOURS[10], HOURS[11], asset="A"))
    assert state(gone.resample("utc_2hour"), "A", 0) == "halted", "the first state of the list stands for the row"


def test_prices_are_carried_so_far_and_no_further():
    both = COINS.join(SHARES)
    carried = both.carry("48h")
    saturday, sunday = pd.Timestamp("2019-06-29", tz="UTC"), pd.Timestamp("2019-06-30", tz="UTC")
    friday = both["close"]["S"].loc["2019-06-28"]
    assert carried["close"]["S"].loc[[saturday, sunday]].tolist() == [friday, friday]
    assert carried["volume"]["S"].loc[[saturday, sunday]].isna().all()
    assert carried["high"]["S"].loc[[saturday, sunday]].isna().all()
    assert carried.states().loc["S"].to_dict() == {"traded": 7, "stale": 5}
    assert both.carry("24h").states().loc["S"].to_dict() == {"traded": 7, "stale": 3, "closed": 2}
    assert rules(carried)["price-carried"] == 5
    assert carried["close"]["C"].equals(both["close"]["C"])
    assert carried.available["S"].loc[saturday] >= both.available["S"].loc["2019-06-28"]


def test_carried_prices_are_no_bars():
    carried = COINS.join(SHARES).carry("72h").select("S")
    other = LiquidityPanel.from_bars({"D": bars(COINS.index)})
    assert len(carried.join(other, clock="intersection").index) == 7
    assert carried.join(other).states().loc["S"].to_dict() == {"traded": 7, "stale": 5}


def test_nothing_is_carried_beyond_the_grave():
    listed = pd.DataFrame({"asset": ["S"], "valid_from": [None], "valid_to": ["2019-07-06"]})
    both = COINS.join(SHARES).window("2019-07-05", "2019-07-07").mark(listed=listed)
    assert both.carry("30D").states().loc["S"].to_dict() == {"traded": 1, "delisted": 2}


@pytest.mark.parametrize("age", ["0h", "-1D"])
def test_carrying_needs_an_age_and_a_close(age):
    with pytest.raises(OptionError, match="positive length of time"):
        COINS.carry(age)
    with pytest.raises(OptionError, match="Only closes are carried"):
        LiquidityPanel.from_bars({"A": pd.DataFrame({"spread": [1.0, 2.0]}, index=HOURS[:2])}).carry("1D")


def test_carrying_does_not_look_ahead():
    days = pd.date_range("2019-05-01", "2019-07-30", tz="UTC")
    gappy = LiquidityPanel.from_bars({"A": bars(days[days.day % 3 != 0]), "B": bars(days)})
    assert_causal(lambda p: stamped(p.carry("36h")), gappy, min_rows=5, cuts=20)
