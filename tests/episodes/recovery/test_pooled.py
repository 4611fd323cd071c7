"""Recovery curves from records: by hand, groups, corners, longer follow-up, coverage of the pooled half-life."""

from __future__ import annotations

import importlib.util
import pathlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

import drainstats as ds
from drainstats.episodes.serial import MEMBER_NUMBERS, MEMBER_STAMPS
from drainstats.errors import DataError, OptionError
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant

DAY = pd.Timestamp("2020-01-01", tz="UTC")


def record(durations, observed, kind="flash"):
    """An episode with members of these durations; where not observed they are censored there."""
    names = [f"A{k}" for k in range(len(durations))]
    table = pd.DataFrame({c: pd.Series(DAY, index=names) for c in MEMBER_STAMPS})
    table = table.assign(**dict.fromkeys(MEMBER_NUMBERS, 0.5))
    table["bars_to_half"] = np.where(observed, durations, np.nan)
    table["bars_to_calm"] = table["bars_to_half"] + 1
    table["bars_seen"] = np.where(observed, 50.0, durations)
    return replace(ds.Episode.from_dates(DAY, DAY), member_table=table, kind=kind)


def several(seed, episodes=12, members=8, half_life=5.0, kind="flash", never=0.0):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(episodes):
        pace = np.exp(rng.normal(0, 0.3))
        time = np.ceil(pace * half_life / np.log(2) * rng.exponential(1.0, members))
        time[rng.random(members) < never] = 1e9
        out.append(record(np.minimum(time, 40.0), time <= 40, kind))
    return out


def test_the_curve_is_that_of_statsmodels():
    curves = ds.recovery_curves(several(0))
    theirs = SurvfuncRight(curves.members["bars"], curves.members["observed"])
    assert curves.curves.loc["all", "survival"].to_numpy() == pytest.approx(theirs.surv_prob, abs=1e-10)
    assert curves.curves.loc["all", "greenwood"].dropna().to_numpy() == pytest.approx(
        theirs.surv_prob_se[: curves.curves["greenwood"].notna().sum()], abs=1e-10
    )


def test_by_hand():
    curves = ds.recovery_curves([record([1.0, 2.0], [True, True]), record([2.0, 3.0], [False, True])])
    assert curves.curves.loc["all", "survival"].tolist() == pytest.approx([3 / 4, 3 / 4 * 2 / 3, 0.0])
    row = curves.summary.loc["all"]
    assert row["half_life"] == pytest.approx(2.0)
    assert (row["members"], row["episodes"], row["came_back"], row["left"]) == (4, 2, 3, 0.0)
    calm = ds.recovery_curves([record([1.0, 2.0], [True, True])], to="calm")
    assert calm.members["bars"].tolist() == [2.0, 3.0]


def test_clustered_limits_are_wider_than_greenwood_when_episodes_share_their_pace():
    row = ds.recovery_curves(several(1, 30)).summary.loc["all"]
    assert row["ci_low"] < row["half_life"] < row["ci_high"]
    assert row["ci_high"] - row["ci_low"] > row["naive_high"] - row["naive_low"]


def test_groups_are_told_apart_and_tested():
    slow = several(2, half_life=15.0, kind="bleed")
    curves = ds.recovery_curves(several(3) + slow, by="kind")
    assert list(curves.summary.index) == ["flash", "bleed"]
    # Planted: three times as slow; a dozen episodes know a half-life to about a quarter.
    assert curves.summary.loc["bleed", "half_life"] > 1.5 * curves.summary.loc["flash", "half_life"]
    assert curves.log_rank.p_value < 0.01
    assert curves.log_rank.dof == (1, 22)
    alone = ds.recovery_curves(slow).summary.loc["all"]
    assert curves.summary.loc["bleed"].equals(alone.rename("bleed"))
    named = ds.recovery_curves(several(3) + slow, by=lambda e: e.kind.upper())
    assert list(named.summary.index) == ["FLASH", "BLEED"]
    assert curves.cure(group="bleed").members == 96
    assert ds.recovery_curves(several(3)).log_rank is None


def test_all_back_none_back_and_one_episode():
    none = ds.recovery_curves([record([5.0, 6.0], [False, False]) for _ in range(3)])
    row = none.summary.loc["all"]
    assert (row["half_life"], row["left"], row["came_back"]) == (np.inf, 1.0, 0)
    assert "no member came back" in none.cure().reason
    one = ds.recovery_curves([record([1.0, 2.0, 3.0], [True, True, True])])
    assert one.summary.loc["all", ["ci_low", "ci_high"]].isna().all()
    assert not one.cure().identified
    member = ds.recovery_curves([record([2.0], [True]), record([4.0], [True])])
    assert member.summary.loc["all", "half_life"] == 2.0


def test_episodes_without_members_do_not_enter():
    told = ds.Episode.from_dates("2010-05-06", "2010-05-06")
    assert ds.recovery_curves([told, *several(4)]).summary.loc["all", "episodes"] == 12
    for nothing in ([], [told]):
        with pytest.raises(DataError, match="No episode has members"):
            ds.recovery_curves(nothing)


def test_the_order_of_episodes_does_not_matter():
    episodes = several(5)
    a, b = ds.recovery_curves(episodes).summary, ds.recovery_curves(episodes[::-1]).summary
    pd.testing.assert_frame_equal(a, b, rtol=1e-10)


def test_bad_options_are_sentences():
    for option in ({"to": "peace"}, {"level": 1.5}, {"by": "weather"}):
        with pytest.raises(OptionError, match=next(iter(option))):
            ds.recovery_curves(several(0), **option)
    for option in ({"latency": "cox"}, {"group": "nobody"}):
        with pytest.raises(OptionError, match=next(iter(option))):
            ds.recovery_curves(several(0)).cure(**option)


def test_card_and_plot():
    curves = ds.recovery_curves(several(6) + several(7, kind="bleed"), by="kind")
    assert "of 12 episodes came back" in repr(curves)
    assert "same pace in all groups" in repr(curves)
    assert len(curves.plot().get_legend().get_texts()) == 2


def market(seed, never=()):
    paths = calm_log_illiquidity(np.random.default_rng(seed), 560, 8)
    paths = plant(paths, 450, size=9.0, half_life=5.0)
    paths[450:, list(never)] += 9.0 * (1 - 0.5 ** (np.arange(110)[:, None] / 5.0))
    return illiquidity_frame(paths)


def test_members_are_followed_beyond_the_record():
    frame = market(0, never=(0, 1))
    found = ds.detect_episodes(frame)
    longer = ds.follow_members(found, frame, bars=60)
    for short, long in zip(found, longer, strict=True):
        assert (long.member_table["bars_seen"] >= short.member_table["bars_seen"]).all()
        assert long.arrivals.equals(short.arrivals)
    e = longer[-1]
    assert e.member_table.loc[["A0", "A1"], "bars_to_half"].isna().all()
    assert e.member_table.loc["A0", "bars_seen"] > 50
    assert e.field_known_at["member_table"] == e.trough + pd.Timedelta("61D")
    assert pd.isna(ds.follow_members(found, frame, bars=500)[-1].field_known_at["member_table"])
    again = ds.follow_members(found, frame.iloc[: frame.index.get_loc(e.trough) + 61], bars=60)
    pd.testing.assert_frame_equal(again[-1].member_table, e.member_table)


def test_members_are_not_followed_into_the_next_episode():
    paths = calm_log_illiquidity(np.random.default_rng(3), 560, 8)
    frame = illiquidity_frame(plant(plant(paths, 430, size=9.0, half_life=4.0), 470, size=12.0, half_life=4.0))
    first, second = ds.detect_episodes(frame)[-2:]
    longer = ds.follow_members([second, first], frame, bars=90)
    assert (longer[1].member_table["seen_until"] < second.onset).all()


def test_other_data_are_refused():
    found = ds.detect_episodes(market(0))
    with pytest.raises(DataError, match="no label"):
        ds.follow_members(found, market(0).iloc[:400])
    with pytest.raises(DataError, match="no asset"):
        ds.follow_members(found, market(0).rename(columns=str.lower))


@pytest.mark.slow
def test_the_interval_of_the_pooled_half_life_covers():
    """15 episodes of 8 members, nominal 95 %, a fifth of the members never comes back; the naive interval does not."""
    held, naive, draws = 0, 0, 120
    truth = np.log(0.8 / 0.3) / np.log(2) * 5.0  # the median of the exponential alone, before the pace of the episode
    rng = np.random.default_rng(0)
    pace = np.exp(rng.normal(0, 0.3, 100_000))[:, None]
    grid = np.linspace(truth * 0.7, truth * 1.5, 200)
    curve = (0.2 + 0.8 * 0.5 ** (grid / (5.0 * pace))).mean(axis=0)
    truth = grid[int(np.argmin(np.abs(curve - 0.5)))]
    for seed in range(draws):
        row = ds.recovery_curves(several(1000 + seed, 15, never=0.2)).summary.loc["all"]
        held += row["ci_low"] <= truth <= row["ci_high"]
        naive += row["naive_low"] <= truth <= row["naive_high"]
    assert 0.90 <= held / draws <= 0.98
    assert naive < held


@pytest.mark.slow
def test_simulated_markets_hold_what_the_page_says():
    """A row of the page anew, with half of its markets: counted durations cover, first crossings do not."""
    path = pathlib.Path(__file__).parents[3] / "docs" / "make_recovery_table.py"
    spec = importlib.util.spec_from_file_location("make_recovery_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.pool("gaussian", 1.0, 40)
    counted, first = (module.rates(found[k], 10, 1.0, 60, 0) for k in ("followed", "first crossing"))
    assert counted["clustered"] >= 0.9
    assert counted["half_life"] == pytest.approx(6.0, abs=1.0)
    assert first["clustered"] < 0.6


def test_groups_are_one_label_each():
    episodes = ds.detect_episodes(ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07"))
    for by in ("members", "source", lambda e: None, lambda e: float("nan"), 5):
        with pytest.raises(OptionError, match="by"):
            ds.recovery_curves(episodes, by=by)
    for given in (None, episodes[0]):
        with pytest.raises(DataError, match="list of episodes"):
            ds.recovery_curves(given)
        with pytest.raises(DataError, match="list of episodes"):
            ds.follow_members(given, ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07"))
