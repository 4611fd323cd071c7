"""Event studies: stamps, options, markets and assets that cannot be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.episodes.study.test_event_study import DAYS, NAMES, calm


def test_a_stamp_means_the_bar_that_contains_it():
    y = calm()
    for stamp in ("2019-08-24", "2019-08-24T23:59", pd.Timestamp("2019-08-24T20:00", tz="America/New_York")):
        row = ds.event_study(y, stamp).by_event.index[0]
        assert row == (DAYS[601] if getattr(stamp, "tz", None) else DAYS[600])
    weekdays = y[y.index.day_of_week < 5]
    with pytest.raises(DataError, match="2019-08-23 and 2019-08-26"):
        ds.event_study(weekdays, "2019-08-24T12:00")


@pytest.mark.parametrize(
    ("event", "match"),
    [
        ("2030-01-01", "No row contains the event 2030-01-01: the outcome runs from 2018-01-01 to 2019-12-01"),
        ("2017-01-01", "nearest labels are 2018-01-01"),
        ("soon", "'soon' is not a time stamp"),
        (pd.NaT, "NaT"),
        ([], "No event came"),
        (2019, "2019 is a number and the rows are time stamps"),
        (DAYS[100], "begins 250 rows before the event and there are 100"),
        (DAYS[250], "no earlier date has 240 estimation rows"),
    ],
)
def test_events_that_cannot_be_studied(event, match):
    with pytest.raises(DataError, match=match):
        ds.event_study(calm(), event)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"model": "arima"}, "constant_mean.*market_adjusted"),
        ({"tests": ("unheard of",)}, "kp_bmp"),
        ({"tests": ()}, "tests is empty"),
        ({"estimation": (-250, 0)}, "reaches into the event window"),
        ({"estimation": (-15, -11)}, "at least 10"),
        ({"estimation": (-11, -250)}, "ends before it begins"),
        ({"window": (0.5, 2)}, "whole numbers"),
        ({"window": 3}, "whole numbers"),
        ({"placebos": "future"}, "past"),
        ({"model": "market"}, "needs market="),
        ({"market": "A"}, "used by model 'market', 'factor', 'dcc', 'market_adjusted', and model is 'constant_mean'"),
        ({"model": "seasonal", "clock": "moon"}, "day_of_week"),
        ({"model": "seasonal", "clock_zone": "Moon/North"}, "is no time zone"),
        ({"model": "garch", "refit": 0}, "refit"),
        ({"closed": "wait"}, "'next', 'last'"),
        ({"missing": "fill"}, "'drop', 'keep'"),
        ({"model": "market", "market": "Z"}, "not a column"),
        ({"min_rows": 500}, "min_rows"),
        ({"min_rows": "all"}, "min_rows"),
        ({"min_rows": 2}, "min_rows"),
        ({"tests": None}, "tests is empty"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"window": (0, True)}, "whole numbers"),
    ],
)
def test_options_that_make_no_sense(options, match):
    with pytest.raises(OptionError, match=match):
        ds.event_study(calm(), DAYS[600], **options)


def test_a_market_series_of_other_dates_or_shape():
    y = calm()
    late = pd.Series(1.0, y.index + pd.Timedelta("9999D"))
    with pytest.raises(DataError, match="no value on the rows"):
        ds.event_study(y, DAYS[600], model="market", market=late)
    with pytest.raises(DataError, match="700 rows"):
        ds.event_study(y, DAYS[600], model="market", market=np.ones(3))


def test_window_that_leaves_the_data():
    with pytest.raises(DataError, match="ends 5 rows after the event and there are 2"):
        ds.event_study(calm(), DAYS[697], window=(0, 5))


def test_assets_that_cannot_be_used_are_left_out_and_named():
    y = calm()
    y["unlisted"] = np.nan
    y["late"] = np.where(np.arange(700) >= 550, 1.0, np.nan) * y["A"]
    y["halted"] = y["A"].where(y.index != DAYS[600])
    y["flat"] = 3.14
    y["zero spread"] = y["B"].where(y.index != DAYS[600], -np.inf)
    study = ds.event_study(y, DAYS[600])
    assert list(study.abnormal.columns) == NAMES
    note = next(n for n in study.notes if "left out" in n)
    for text in (
        "unlisted (no value up to the event)",
        "late (fewer than 120 of 240 estimation rows)",
        "halted (missing in the event window)",
        "flat (no variation in the estimation window)",
        "zero spread (infinite in the event window)",
    ):
        assert text in note
    assert any("1 infinite values count as missing" in n for n in study.notes)
    pd.testing.assert_frame_equal(study.tests, ds.event_study(y[NAMES], DAYS[600]).tests)


def test_one_asset_is_not_a_market():
    with pytest.raises(DataError, match=r"1 of 1 assets .* needs two\.$"):
        ds.event_study(calm()[["A"]], DAYS[600])
    with pytest.raises(DataError, match=r"0 of 1 assets .*no variation"):
        ds.event_study(pd.Series(1.0, DAYS, name="flat"), DAYS[600])
    with pytest.raises(DataError, match="has no rows"):
        ds.event_study(calm().iloc[:0], DAYS[600])


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_an_event_on_a_closed_market_is_an_error_the_next_row_or_the_last():
    y = calm()
    weekdays = y[y.index.day_of_week < 5]
    saturday = pd.Timestamp("2019-08-24T12:00", tz="UTC")
    with pytest.raises(DataError, match="or closed='next' or 'last'"):
        ds.event_study(weekdays, saturday)
    for closed, day in (("next", "2019-08-26"), ("last", "2019-08-23")):
        study = ds.event_study(weekdays, saturday, closed=closed)
        assert study.by_event.index[0] == pd.Timestamp(day, tz="UTC")
    # Ten bars outside of the data at most: an event of another year is no event of these data.
    for closed, event in (("last", "2031-01-01"), ("next", "2011-01-01")):
        with pytest.raises(DataError, match="No row contains the event"):
            ds.event_study(y, event, closed=closed)
    assert ds.event_study(y, DAYS[-1] + pd.Timedelta("5D"), closed="last").by_event.index[0] == DAYS[-1]


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_stamps_between_rows_of_any_clock():
    rng = np.random.default_rng(0)
    ticks = pd.Timestamp("2024-03-05T14:30", tz="UTC") + pd.to_timedelta(np.cumsum(rng.exponential(2.0, 900)), unit="s")
    minutes = pd.date_range("2024-03-05T14:30", periods=900, freq="min", tz="UTC")
    sessions = pd.date_range("2020-01-01", periods=1300, tz="UTC")
    sessions = sessions[sessions.day_of_week < 5][:900]
    for index in (ticks, minutes, sessions):
        y = pd.DataFrame(rng.standard_normal((900, 6)), index)
        # Irregular rows are wider apart than the usual bar: the last one before the stamp is asked for by name.
        stamp = index[700] + 0.5 * (index[701] - index[700])
        row = ds.event_study(y, stamp, estimation=(-100, -6), closed="last").by_event.index[0]
        assert row == index[700]


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_an_outage_and_a_delisting_are_said():
    y = calm()
    dark = y.copy()
    dark.loc[DAYS[600], list("ABCDE")] = np.nan
    study = ds.event_study(dark, DAYS[600])
    assert any("5 of 8 assets have no value in the event window, as in an outage" in n for n in study.notes)
    assert list(study.abnormal) == list("FGH")
    assert study.by_asset.loc["A", "reason"] == "missing in the event window"
    assert study.by_asset["abnormal"].notna().sum() == 3
    gone = y.copy()
    gone.loc[DAYS[590] :, "A"] = np.nan
    study = ds.event_study(gone, DAYS[600])
    assert study.by_asset.loc["A", "reason"] == "no value since 2019-08-13"
    assert not any("outage" in n for n in study.notes)
    with pytest.raises(DataError, match=r"0 of 8 assets can be used .* \(missing in the event window\)"):
        ds.event_study(y.drop(DAYS[600]).reindex(DAYS), DAYS[600])


def test_a_market_that_misses_the_event_is_named():
    y = calm()
    market = pd.Series(np.random.default_rng(0).standard_normal(700), DAYS)
    market[DAYS[600]] = np.nan
    with pytest.raises(DataError, match="the market is missing there"):
        ds.event_study(y, DAYS[600], model="market", market=market)


def test_factors_are_columns_or_a_table():
    y = calm().assign(x=np.random.default_rng(0).standard_normal(700), f=np.random.default_rng(1).standard_normal(700))
    by_name = ds.event_study(y, DAYS[600], "factor", market=["x", "f"])
    by_table = ds.event_study(y[NAMES], DAYS[600], "factor", market=y[["x", "f"]].tz_localize(None))
    pd.testing.assert_frame_equal(by_name.tests, by_table.tests)
    with pytest.raises(DataError, match='takes one; use model="factor"'):
        ds.event_study(y[NAMES], DAYS[600], "market", market=y[["x", "f"]])
    with pytest.raises(OptionError, match="'g' is not a column"):
        ds.event_study(y, DAYS[600], "factor", market=["x", "g"])


def test_tests_of_the_literature_come_with_their_warning():
    study = ds.event_study(calm(), DAYS[600], tests=("kp_bmp", "patell", "bmp"))
    assert list(study.tests.index) == ["kp_bmp", "patell", "bmp"]
    assert study.tests.loc["bmp", "statistic"] == pytest.approx(study.by_event["bmp"].iloc[0], rel=1e-10)
    assert study.tests["null"].notna().all()
