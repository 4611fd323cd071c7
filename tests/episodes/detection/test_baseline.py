"""The baseline by clock time: against a plain loop, on short histories, sessions, feeds that stand still; and the rules
of merging and waiting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.detection.market import from_panel, from_table
from drainstats.episodes.detection.stress import clock_times, measure_stress, stale_readings
from drainstats.errors import DataError
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant

RULES = {"baseline": pd.Timedelta("20D"), "min_baseline": 12, "line": 3.0, "min_assets": 2}


def hours(seed=0, days=40, assets=3):
    paths = calm_log_illiquidity(np.random.default_rng(seed), 24 * days, assets)
    return illiquidity_frame(paths, freq="h")


@pytest.mark.parametrize("within", ["0s", "1h", "2h30min", "12h"])
def test_the_baseline_is_that_of_a_plain_loop(within):
    frame = hours()
    frame.iloc[100:130, 0] = np.nan
    frame = frame.drop(frame.index[300:310])
    stress = measure_stress(frame, within=pd.Timedelta(within), **RULES)
    x, times = np.log(frame.to_numpy()), frame.index.hour * 60 + frame.index.minute
    for row in (200, 317, 500, 901):
        apart = abs(times - times[row])
        near = np.minimum(apart, 1440 - apart) <= pd.Timedelta(within) / pd.Timedelta("1min")
        past = (frame.index < frame.index[row]) & (frame.index >= frame.index[row] - RULES["baseline"]) & near
        for asset in range(3):
            own = x[past, asset]
            own = own[~np.isnan(own)]
            middle = np.median(own) if len(own) >= 12 else np.nan
            spread = 1.4826 * np.median(np.abs(own - middle)) if len(own) >= 12 else np.nan
            assert stress.z[row, asset] == pytest.approx((x[row, asset] - middle) / spread, abs=1e-9, nan_ok=True)


def test_a_single_day_of_minutes():
    paths = plant(calm_log_illiquidity(np.random.default_rng(3), 600, 8), 400, size=9.0, half_life=30.0)
    frame = illiquidity_frame(paths, freq="min")
    with pytest.raises(DataError, match="clock_within"):
        ds.detect_episodes(frame)
    found = ds.detect_episodes(frame, clock_within="12h")
    assert frame.index[400] in [e.onset for e in found]


def test_neighbouring_hours_lend_their_bars():
    frame = hours(days=15)
    alone = measure_stress(frame, **RULES).observed
    lent = measure_stress(frame, within=pd.Timedelta("1h"), **RULES).observed
    assert (alone > 0).argmax() == 12 * 24
    # Three hours a day, the row's own day included up to the hour before: twelve bars after four days.
    assert (lent > 0).argmax() <= 4 * 24 + 1
    assert (lent >= alone).all()


def test_daylight_saving_does_not_move_the_hours_of_an_exchange():
    pytest.importorskip("exchange_calendars")
    clock = "session:XNYS:hour"
    stamps = ds.panel.align.Clock.named(clock).between(
        pd.Timestamp("2023-11-01", tz="UTC"), pd.Timestamp("2024-06-01", tz="UTC")
    )
    rng = np.random.default_rng(0)
    local = stamps.tz_convert("America/New_York").hour.to_numpy()
    paths = calm_log_illiquidity(rng, len(stamps), 4) + 6.0 * (local == 15)[:, None]  # a busy last hour
    frame = illiquidity_frame(paths).set_axis(stamps)
    panel = panel_from_ranges(frame, rng, clock)
    market = from_panel(panel, "parkinson", 1e6)
    assert len(np.unique(market.slots)) < len(np.unique(clock_times(panel.index)))
    after = stamps > pd.Timestamp("2024-03-11", tz="UTC")
    rules = {"baseline": pd.Timedelta("90D"), "min_baseline": 20, "line": 3.0, "min_assets": 2}
    by_local = measure_stress(market.illiquidity, slots=market.slots, **rules)
    by_utc = measure_stress(market.illiquidity, **rules)
    assert np.nanmax(by_utc.breadth[after]) == 1.0
    assert np.nanmean(by_local.breadth[after]) < 0.2 * np.nanmean(by_utc.breadth[after])


def test_a_feed_that_stands_still_is_not_observed():
    x = np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0], [2.0, np.nan], [3.0, 1.0], [3.0, 1.0]])
    expected = [[False, False], [False, False], [False, True], [True, False], [False, False], [False, False]]
    assert stale_readings(x, 3).tolist() == expected
    frame = hours()
    frame.iloc[500:530, 1] = frame.iloc[500, 1]
    z = measure_stress(frame, **RULES).z[500:531, 1]
    assert np.isnan(z[9:30]).all()
    assert not np.isnan(z[[0, 8, 30]]).any()


def test_a_delisted_asset_leaves_the_count():
    frame = illiquidity_frame(plant(calm_log_illiquidity(np.random.default_rng(2), 500, 6), 400, size=9.0))
    frame.iloc[350:, :3] = np.nan
    e = next(e for e in ds.detect_episodes(frame) if e.onset == frame.index[400])
    assert e.breadth == 1.0
    assert len(e.members) == 3


def test_rows_are_known_by_steps_of_the_past():
    frame = hours(days=5)
    wide = frame.set_axis(frame.index[:60].append(frame.index[60:] + pd.Timedelta("30D")))
    wide = pd.concat([wide, wide.iloc[-1:].set_axis([wide.index[-1] + pd.Timedelta("90D")])])
    for cut in (2, 61, 100, len(wide)):
        assert from_table(wide.iloc[:cut], None).known.equals(from_table(wide, None).known[:cut])
    assert (from_table(wide, None).known == wide.index + pd.Timedelta("1h")).all()


def test_close_stretches_are_one_episode_and_a_pause_keeps_alarms_back():
    paths = calm_log_illiquidity(np.random.default_rng(1), 700, 8)
    for onset in (500, 506, 540):
        paths = plant(paths, onset, size=12.0, half_life=1.0)
    frame = illiquidity_frame(paths)

    def onsets(**options):
        found = [frame.index.get_loc(e.onset) for e in ds.detect_episodes(frame, **options)]
        return [row for row in found if row >= 500]

    assert onsets(quiet=1) == [500, 506, 540]
    assert onsets(quiet=5) == [500, 540]
    assert onsets(quiet=5, refractory=60) == [500]


def test_one_asset_and_columns_of_nothing():
    frame = hours()
    with pytest.raises(DataError, match="at least 2"):
        ds.detect_episodes(frame[["A0"]])
    with pytest.raises(DataError, match="No bar has a baseline"):
        ds.detect_episodes(frame[["A0"]].assign(none=np.nan, zero=0.0))
    with pytest.raises(DataError, match="stands twice"):
        ds.detect_episodes(pd.concat([frame, frame.iloc[-1:]]))
