"""Clocks: true sessions, rows inside them, bars outside them, and what happens without calendars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.panel.align import Clock, placed
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.sessions import sessions

DAYS = pd.DatetimeIndex(["2019-07-02", "2019-07-03", "2019-07-05"], tz="UTC")


def bars(index, start=10.0):
    close = start + np.arange(len(index), dtype=float)
    return pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0}, index=index
    )


def stamps(*texts):
    return pd.DatetimeIndex(list(texts)).tz_localize("UTC")


@pytest.fixture
def without_calendars(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)


def rules(panel):
    return panel.ledger.groupby("rule")["rows"].sum().to_dict()


# Closes as the exchanges announced them: NYSE half days and hours in both halves of the year; Tokyo's longer day from
# November 2024; Hong Kong's half day before Christmas; London's early close.
@pytest.mark.parametrize(
    ("code", "day", "close"),
    [
        ("XNYS", "2019-07-03", "17:00"),
        ("XNYS", "2019-11-29", "18:00"),
        ("XNYS", "2020-03-09", "20:00"),
        ("XNYS", "2020-03-06", "21:00"),
        ("XTKS", "2024-11-01", "06:00"),
        ("XTKS", "2024-11-05", "06:30"),
        ("XHKG", "2019-12-24", "04:00"),
        ("XLON", "2019-12-24", "12:30"),
    ],
)
def test_rows_end_at_the_true_close(code, day, close):
    ends = Clock.named(f"session:{code}").end(stamps(day))
    assert ends[0] == pd.Timestamp(f"{day}T{close}Z")


def test_aliases_are_one_clock_and_unknown_codes_list_the_known():
    assert Clock.named("session:NYSE").name == "session:XNYS"
    with pytest.raises(OptionError, match=r"no calendar 'XMOON'.*XNYS"):
        Clock.named("session:XMOON")
    for bad in ("session:XNYS:day", "session:XNYS:7min", "session:", "utc_week", "utc_0hour"):
        with pytest.raises(OptionError):
            Clock.named(bad)


def test_a_calendar_says_how_far_it_reaches():
    with pytest.raises(DataError, match="XBOM are recorded from 1997"):
        Clock.named("session:XBOM").end(stamps("1990-05-07", "2001-05-07"))


def test_rows_inside_sessions_are_clock_hours_and_end_at_the_close():
    clock = Clock.named("session:XNYS:hour")
    rows = clock.between(pd.Timestamp("2019-07-02T13:31Z"), pd.Timestamp("2019-07-05T20:00Z"))
    ends = clock.end(rows)
    by_day = pd.Series(1, index=rows).groupby(rows.date).sum()
    assert by_day.tolist() == [7, 4, 7]
    assert rows[0] == pd.Timestamp("2019-07-02T13:00Z")
    assert ends[10] == pd.Timestamp("2019-07-03T17:00Z")
    london = Clock.named("session:XLON:hour")
    label = stamps("2019-12-23T16:00")
    assert london.end(label)[0] == pd.Timestamp("2019-12-23T16:30Z")


def test_rows_in_a_lunch_break_are_left_out():
    rows = Clock.named("session:XTKS:30min").between(
        pd.Timestamp("2024-07-01T00:01Z"), pd.Timestamp("2024-07-01T06:00Z")
    )
    starts = [f"{s:%H:%M}" for s in rows.tz_convert("Asia/Tokyo")]
    assert starts == ["09:00", "09:30", "10:00", "10:30", "11:00", "12:30", "13:00", "13:30", "14:00", "14:30"]


@pytest.mark.parametrize("code", ["XNYS", "XTKS", "XHKG", "CMES", "24/7", "XLON"])
@pytest.mark.parametrize("step", ["hour", "30min", "3hour"])
def test_rows_follow_each_other_and_lie_in_their_sessions(code, step):
    clock = Clock.named(f"session:{code}:{step}")
    calendar = sessions(code, pd.Timestamp("2023-11-01"), pd.Timestamp("2023-12-31"))
    starts, ends, which = calendar.rows(clock.step)
    assert (starts < ends).all()
    assert (ends[:-1] <= starts[1:]).all()
    assert (ends <= calendar.closes[which]).all()
    assert (ends > calendar.opens[which]).all()
    assert len(np.unique(which)) == len(calendar.labels)


def test_between_gives_the_rows_that_end_and_begin_in_the_span():
    day = Clock.named("utc_day")
    assert list(day.between(pd.Timestamp("2020-01-02", tz="UTC"), pd.Timestamp("2020-01-03", tz="UTC"))) == list(
        stamps("2020-01-01", "2020-01-02")
    )
    session = Clock.named("session:XNYS")
    rows = session.between(pd.Timestamp("2019-07-03T17:00Z"), pd.Timestamp("2019-07-05T13:30Z"))
    assert list(rows) == [DAYS[1]]


HOURS = pd.date_range("2019-07-03T12:00Z", "2019-07-05T23:00Z", freq="h")


def test_hours_stand_in_their_session_and_those_outside_in_the_next():
    panel = LiquidityPanel.from_bars({"S": bars(HOURS)}, clock="session:XNYS")
    assert list(panel.index) == list(DAYS[1:].append(stamps("2019-07-08")))
    volume = panel["volume"]["S"].tolist()
    # 12:00 lies before the open; 13:00 touches it; the half day closes at 17:00; the 4th is a holiday.
    assert volume[0] == 5.0 * 5
    assert volume[1] == 5.0 * (7 + 24 + 20)
    assert volume[2] == 5.0 * 4
    assert rules(panel)["outside-accumulated"] == 1 + 7 + 24 + 13 + 4
    assert panel.available_at.iloc[0] == pd.Timestamp("2019-07-03T17:00Z")


def test_hours_outside_can_be_left_out():
    panel = LiquidityPanel.from_bars({"S": bars(HOURS)}, clock="session:XNYS", outside="drop")
    assert panel["volume"]["S"].tolist() == [5.0 * 4, 5.0 * 7]
    assert rules(panel)["outside-dropped"] == 49
    with pytest.raises(OptionError, match="'accumulate', 'drop'"):
        LiquidityPanel.from_bars({"S": bars(HOURS)}, clock="session:XNYS", outside="keep")


def test_a_bar_that_crosses_the_close_is_noted():
    hours = pd.date_range("2019-12-23T14:00Z", "2019-12-23T16:00Z", freq="h")
    panel = LiquidityPanel.from_bars({"S": bars(hours)}, clock="session:XLON:hour")
    assert rules(panel) == {"ends-at-close": 1}
    assert panel.available_at.iloc[-1] == pd.Timestamp("2019-12-23T16:30Z")


def test_the_minute_of_the_close_belongs_to_the_next_session():
    minutes = pd.date_range("2019-07-03T16:58Z", "2019-07-03T17:00Z", freq="min")
    panel = LiquidityPanel.from_bars({"S": bars(minutes)}, clock="session:XNYS")
    assert panel["volume"]["S"].tolist() == [10.0, 5.0]


def test_daily_bars_on_a_holiday_keep_their_date_and_are_noted():
    panel = LiquidityPanel.from_bars({"S": bars(DAYS.union(stamps("2019-07-04")))}, clock="session:XNYS")
    assert len(panel.index) == 4
    assert rules(panel) == {"no-session-on-day": 1}
    assert panel.available_at.loc["2019-07-04"] == pd.Timestamp("2019-07-04T20:00Z")


def test_daily_bars_have_no_place_inside_sessions():
    with pytest.raises(DataError, match=r"put them on session:XNYS\."):
        LiquidityPanel.from_bars({"S": bars(DAYS)}, clock="session:XNYS:hour")


def test_every_row_of_the_clock_on_request():
    gappy = DAYS[[0, 2]]
    assert len(LiquidityPanel.from_bars({"S": bars(gappy)}, clock="session:XNYS").index) == 2
    panel = LiquidityPanel.from_bars({"S": bars(gappy)}, clock="session:XNYS", rows="all")
    assert list(panel.index) == list(DAYS)
    assert panel.status["S"].tolist() == [1, 7, 1]
    hours = LiquidityPanel.from_bars({"S": bars(HOURS[[0, 1, 5]])}, rows="all", clock="utc_hour")
    assert hours.shape == (6, 1)


def test_labels_are_the_same_with_and_without_calendars(monkeypatch):
    index = pd.date_range("2019-06-28", "2019-07-08", tz="UTC")
    with_them = LiquidityPanel.from_bars({"S": bars(index)}, clock="session:XNYS")
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)
    without = LiquidityPanel.from_bars({"S": bars(index)}, clock="session:XNYS")
    assert without.index.equals(with_them.index)
    # Late on the half day, never early; and it says so.
    late = without.available_at - with_them.available_at
    assert late.loc["2019-07-03"] == pd.Timedelta("3h")
    assert (late.drop(pd.Timestamp("2019-07-03", tz="UTC")) == pd.Timedelta(0)).all()
    assert rules(without)["regular-close"] == len(index)


@pytest.mark.usefixtures("without_calendars")
def test_without_calendars_what_would_guess_is_refused():
    with pytest.raises(MissingExtraError, match=r"drainstats\[calendars\]"):
        LiquidityPanel.from_bars({"S": bars(HOURS)}, clock="session:XNYS")
    with pytest.raises(MissingExtraError, match=r"drainstats\[calendars\]"):
        Clock.named("session:XTKS")
    shares = LiquidityPanel.from_bars({"S": bars(DAYS)}, clock="session:XNYS")
    with pytest.raises(MissingExtraError, match="on a half day is after the true close"):
        shares.join(LiquidityPanel.from_bars({"C": bars(HOURS)}))
    with pytest.raises(MissingExtraError):
        LiquidityPanel.from_bars({"C": bars(HOURS)}).resample("session:XNYS")


def test_without_calendars_a_join_gives_the_same_rows_or_none(monkeypatch):
    index = pd.date_range("2019-07-01", "2019-07-06", tz="UTC")

    def both():
        shares = LiquidityPanel.from_bars({"S": bars(DAYS)}, clock="session:XNYS")
        return shares.join(LiquidityPanel.from_bars({"C": bars(index)}))

    with_them = both()
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)
    without = both()
    for field in ("open", "high", "low", "close", "volume"):
        pd.testing.assert_frame_equal(without[field], with_them[field])


def test_placing_agrees_with_a_slow_twin():
    calendar = sessions("XNYS", HOURS[0], HOURS[-1])
    place = placed(Clock.named("session:XNYS"), HOURS)
    for stamp, label, outside in zip(HOURS.as_unit("ns").asi8, place.labels, place.outside, strict=True):
        row = next(k for k, close in enumerate(calendar.closes) if close > stamp)
        assert label == calendar.labels[row]
        assert outside == (stamp + 3_600_000_000_000 <= calendar.opens[row])
