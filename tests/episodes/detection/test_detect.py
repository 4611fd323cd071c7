"""Detection on markets whose drain is known, on markets without one, and on bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.detection.stress import measure_stress
from drainstats.episodes.recovery.decay import fit_decay
from drainstats.errors import DataError, OptionError
from tests.markets import calm_log_illiquidity, illiquidity_frame, panel_from_ranges, plant

ROWS, ONSET = 900, 600


def at_onset(frame, **options):
    """The episode that begins at the planted onset."""
    return next(e for e in ds.detect_episodes(frame, **options) if e.onset == frame.index[ONSET])


def market(seed=0, assets=12, **options):
    rng = np.random.default_rng(seed)
    return illiquidity_frame(plant(calm_log_illiquidity(rng, ROWS, assets), ONSET, **options))


def test_a_planted_drain_is_found_on_its_day():
    frame = market()
    episodes = ds.detect_episodes(frame)
    assert [e.onset for e in episodes] == [frame.index[ONSET]]
    e = episodes[0]
    assert e.detected_at == frame.index[ONSET + 1]
    assert e.breadth == 1.0
    assert len(e.members) == 12
    assert e.trough == frame.index[ONSET]
    assert e.recovered
    assert e.known_at > e.detected_at
    assert e.evidence == "user-given illiquidity"


@pytest.mark.parametrize("seed", range(20))
def test_planted_drains_are_dated_within_two_bars(seed):
    frame = market(seed, size=6.0, half_life=4.0)
    onsets = [e.onset for e in ds.detect_episodes(frame)]
    assert any(abs((o - frame.index[ONSET]).days) <= 2 for o in onsets)


def test_the_half_life_is_recovered_on_average():
    fitted = [at_onset(market(seed, size=10.0, half_life=4.0)).half_life for seed in range(12)]
    assert np.median(fitted) == pytest.approx(
        4.0, abs=0.8
    )  # own and common noise of unit variance against a jump of 10


def test_depth_is_the_share_of_baseline_liquidity_left():
    e = at_onset(market(3, assets=40, size=8.0))
    # The planted jump is 8 × 0.4 in logs; the common part, of variance one half, moves the whole cross-section.
    assert -np.log(e.depth) == pytest.approx(3.2, abs=3 * 0.4 * np.sqrt(0.5))


def test_one_asset_that_leads_is_the_source():
    e = at_onset(market(1, size=8.0, lead=(4, 3)))
    assert e.source_identified
    assert e.source.idxmax() == "A4"
    assert e.source.sum() == pytest.approx(1.0)
    assert e.members[0] == "A4"
    assert e.arrivals["A4"] < e.onset


def test_assets_that_arrive_together_share_the_source():
    e = at_onset(market(0))
    assert not e.source_identified
    assert e.source.sum() == pytest.approx(1.0)
    assert (e.source > 0).all()
    assert e.source.max() < 0.5


@pytest.mark.parametrize("assets", [2, 4, 12])
@pytest.mark.parametrize("size", [6.0, 9.0])
def test_a_drain_does_not_hide_the_next_one(assets, size):
    """Three drains in ten months. When every bar of the first counted in the rank, the second was missed in half of
    the markets and the third in nearly all."""
    found, onsets = np.zeros(3), (500, 650, 800)
    for seed in range(10):
        paths = calm_log_illiquidity(np.random.default_rng(seed), 900, assets)
        for onset in onsets:
            paths = plant(paths, onset, size=size, half_life=5.0)
        frame = illiquidity_frame(paths)
        seen = [e.onset for e in ds.detect_episodes(frame)]
        found += [any(abs((s - frame.index[o]).days) <= 1 for s in seen) for o in onsets]
    assert (found >= 8).all(), found


def test_equal_breadths_are_ordered_by_stress():
    """In a pair the breadth is 1 on four days of the year before, which alone would bar any alarm at 1 %."""
    frame = market(0, assets=2, size=9.0)
    year = slice(ONSET - 365, ONSET)
    z = measure_stress(frame, baseline=pd.Timedelta("365D"), min_baseline=60, line=3.0, min_assets=2)
    assert (z.breadth[year] == 1.0).sum() == 4
    # No bar of that year is as deep; the bars of an earlier alarm do not count, but its strongest.
    assert 1 / 366 <= at_onset(frame).breadth_p_value < 2 / 366


def test_an_exit_is_priced_over_members_that_have_both_costs():
    rng = np.random.default_rng(0)
    frame = illiquidity_frame(plant(calm_log_illiquidity(rng, 400, 4), 300, size=9.0))
    panel = panel_from_ranges(frame, rng)
    thin = panel["volume"].copy()
    thin["A0"] /= 100.0  # never trades the notional
    thin.loc[: frame.index[299], "A1"] /= 100.0  # trades it in the crash only
    long = panel.to_long().set_index("time")
    bars = {a: long[long["asset"] == a].drop(columns="asset").assign(volume=10 * thin[a]) for a in panel.assets}
    e = next(e for e in ds.detect_episodes(ds.LiquidityPanel.from_bars(bars)) if e.onset == frame.index[300])
    assert len(e.members) == 4
    assert any("exit cost over 2 of 4 members" in n for n in e.notes)
    sigma = ds.measures.parkinson(panel["high"], panel["low"])[["A2", "A3"]]
    volume = 10 * (panel["volume"] * panel["close"])[["A2", "A3"]]
    cost = ds.measures.square_root_cost(sigma, volume, 1e6)
    assert e.exit_cost == pytest.approx(cost.loc[e.trough].median())
    assert e.exit_cost_baseline == pytest.approx(cost.iloc[240:300].median().median())


def test_a_shock_to_few_assets_is_no_drain():
    assert ds.detect_episodes(market(2, members=[0, 1, 2])) == []


@pytest.mark.slow
def test_false_alarms_in_calm_markets_are_rare():
    # 60 calm years of daily bars in which half of the variance is common: at most one false alarm in four years.
    years, alarms = 60, 0
    for seed in range(years // 4):
        frame = illiquidity_frame(calm_log_illiquidity(np.random.default_rng(1000 + seed), 5 * 365, 12))
        alarms += len(ds.detect_episodes(frame))
    assert alarms <= years / 4


def test_an_open_episode_says_so():
    frame = market(0, half_life=1e9).iloc[: ONSET + 4]
    e = ds.detect_episodes(frame)[0]
    assert e.is_open
    assert e.kind == "regime"
    assert pd.isna(e.known_at)
    assert any("still open" in note for note in e.notes)


def test_what_was_recorded_does_not_depend_on_what_came_later():
    frame = market(5, size=8.0, half_life=5.0)
    whole = ds.detect_episodes(frame)
    rng = np.random.default_rng(0)
    for cut in sorted({*rng.integers(200, ROWS, 25), *range(ONSET - 2, ONSET + 15)}):
        short = ds.detect_episodes(frame.iloc[:cut])
        now = frame.index[cut - 1] + pd.Timedelta("1D")
        closed = [e for e in whole if not pd.isna(e.known_at) and e.known_at <= now]
        assert [e for e in short if not pd.isna(e.known_at)] == closed
        alarms = [(e.onset, e.detected_at) for e in whole if e.detected_at <= now]
        assert [(e.onset, e.detected_at) for e in short] == alarms


def test_order_of_assets_and_unit_do_not_matter():
    frame = market(4)
    a, b = ds.detect_episodes(frame), ds.detect_episodes(frame.iloc[:, ::-1] * 1e4)
    assert [(e.onset, e.trough, e.end, e.breadth) for e in a] == [(e.onset, e.trough, e.end, e.breadth) for e in b]
    assert a[0].depth == pytest.approx(b[0].depth)
    assert set(a[0].members) == set(b[0].members)


def test_missing_values_and_late_listings_are_not_calm():
    frame = market(6)
    frame.iloc[:550, 0] = np.nan  # listed too late for a baseline
    frame.iloc[ONSET, 1] = np.nan  # an outage at the onset
    e = at_onset(frame)
    assert "A0" not in e.members
    assert e.breadth == 1.0


def test_an_hourly_panel_goes_through():
    rng = np.random.default_rng(7)
    paths = calm_log_illiquidity(rng, 24 * 120, 8)
    hour = np.arange(len(paths)) % 24
    paths += 2.0 * np.sin(2 * np.pi * hour / 24)[:, None]  # a daily season, which must not be called a drain
    frame = illiquidity_frame(plant(paths, 24 * 100 + 7, size=9.0), freq="h")
    panel = panel_from_ranges(frame, rng)
    assert panel.clock.name == "utc_hour"
    again = ds.LiquidityPanel.from_long(panel.to_long())
    episodes = ds.detect_episodes(again)
    assert len(episodes) <= 2  # the planted drain, and at most one false alarm in 60 days of hours
    e = next(e for e in episodes if e.onset == frame.index[24 * 100 + 7])
    assert e.detected_at == frame.index[24 * 100 + 8]
    assert e.evidence == "price range"
    assert e.exit_cost > 3 * e.exit_cost_baseline


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (market().iloc[:, :1], "breadth needs at least 2"),
        (market().iloc[:50], "No bar has a baseline"),
        (market().to_numpy(), "DatetimeIndex"),
        (market().replace(market().iloc[5, 2], np.inf), "infinite"),
        (market() * np.nan, "nowhere above zero"),
        (-market(), "nowhere above zero"),
        (market() * 0 + 1.0, "No bar has a baseline"),
        (market().iloc[:, :2].set_axis([1, "1"], axis=1), "two columns read '1'"),
    ],
)
def test_bad_input_is_a_sentence(data, message):
    with pytest.raises(DataError, match=message):
        ds.detect_episodes(data)


@pytest.mark.parametrize(
    "option",
    [
        {"alpha": 0}, {"alpha": np.nan}, {"min_breadth": 2}, {"quiet": 0}, {"quiet": "3"}, {"min_baseline": 2.5},
        {"notional": -1}, {"notional": np.inf}, {"lead": -1}, {"line": 0}, {"line": np.nan}, {"calm": np.nan},
        {"baseline": "a year"}, {"baseline": 365}, {"baseline": "-1D"}, {"baseline": None},
        {"measure": "amihud"}, {"alpha": True}, {"min_breadth": True}, {"calm": 3.1},
    ],
)  # fmt: skip
def test_bad_options_are_sentences(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        ds.detect_episodes(market(), **option)


def test_members_do_not_depend_on_the_order_of_columns():
    frame = market()
    one, other = (ds.detect_episodes(f)[0] for f in (frame, frame[frame.columns[::-1]]))
    assert one.members == other.members
    pd.testing.assert_frame_equal(one.member_table, other.member_table)


def test_availability_goes_by_label():
    frame = market()
    late = pd.Series(frame.index + pd.Timedelta("36h"), index=frame.index)
    expected = frame.index[ONSET] + pd.Timedelta("36h")
    for given in (late, late.iloc[::-1], late.to_numpy()):
        assert ds.detect_episodes(frame, available_at=given)[0].detected_at == expected
    for wrong in (late.iloc[:10], late.where(late.index < frame.index[5]), "yesterday"):
        with pytest.raises(DataError, match="available_at"):
            ds.detect_episodes(frame, available_at=wrong)


@pytest.mark.parametrize("assets", [2, 2000])
def test_few_and_many_assets(assets):
    episodes = ds.detect_episodes(market(assets=assets, size=9.0))
    assert market().index[ONSET] in [e.onset for e in episodes]


def test_a_flat_and_an_empty_asset_are_not_observed():
    frame = market()
    plain, ugly = ds.detect_episodes(frame), ds.detect_episodes(frame.assign(flat=1.0, none=np.nan))
    assert [e.to_dict() for e in ugly] == [e.to_dict() for e in plain]


def test_missing_rows_and_other_kinds_of_table_change_nothing():
    frame = market()
    onset = ds.detect_episodes(frame)[0].onset
    holes = frame.drop(frame.index[np.random.default_rng(0).choice(500, 100, replace=False)])
    for other in (holes, frame.tz_localize(None), frame.astype("float32"), frame.astype(object), 1e200 * frame):
        assert [e.onset for e in ds.detect_episodes(other)] == [onset]


def test_a_measure_of_liquidity_is_refused():
    panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01")
    with pytest.raises(OptionError, match="falls when liquidity falls"):
        ds.detect_episodes(panel, "dollar_volume")
    assert {e.evidence for e in ds.detect_episodes(panel, "parkinson")} == {"price range"}


def test_decay_fit_and_censoring():
    path = 5 * 0.5 ** (np.arange(12) / 2.5)
    assert fit_decay(path) == pytest.approx((2.5, False), rel=1e-6)
    assert fit_decay(path[:2]).censored
    assert fit_decay(np.full(10, 4.0)).censored
    holes = path.copy()
    holes[[3, 4]] = np.nan
    assert fit_decay(holes).half_life == pytest.approx(2.5, rel=1e-6)


def test_rows_in_which_nothing_is_seen_change_no_date():
    frame = market()
    plain = ds.detect_episodes(frame)[0]
    empty = pd.DataFrame(np.nan, frame.index + pd.Timedelta("12h"), frame.columns)
    between = ds.detect_episodes(pd.concat([frame, empty]).sort_index())[0]
    assert (between.onset, between.trough, between.end) == (plain.onset, plain.trough, plain.end)
    assert between.recovered == plain.recovered
    assert between.members == plain.members
