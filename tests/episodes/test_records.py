"""The record of a detected episode: when each field is known, round trips, invariances, corners."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.recovery.decay import bars_missing, loss_speed, own_trough
from drainstats.episodes.serial import plain
from drainstats.errors import DataError
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant

ROWS, ONSET = 700, 500
NAN = float("nan")


def market(seed=0, assets=8, **options):
    paths = calm_log_illiquidity(np.random.default_rng(seed), ROWS, assets)
    return illiquidity_frame(plant(paths, ONSET, **{"size": 9.0, "half_life": 5.0} | options))


def found(frame, **options):
    return next(e for e in ds.detect_episodes(frame, **options) if abs((e.onset - frame.index[ONSET]).days) <= 2)


def coin(index, seed=0):
    rng = np.random.default_rng(seed)
    supply = 1e9 * np.exp(np.cumsum(rng.normal(0, 1e-3, len(index))))
    price = 1 + rng.normal(0, 2e-4, len(index))
    return pd.DataFrame({"supply": supply, "price": price, "price_V2": price + 1e-4}, index=index)


def test_a_field_does_not_change_once_it_is_known():
    """Whatever comes later: rows that are not there yet, and rows that are a thousand times what they were."""
    frame = market(5)
    money = coin(frame.index)
    whole = ds.detect_episodes(frame, stablecoin=money)
    episode = found(frame, stablecoin=money)
    last = frame.index.get_loc(episode.end) + 8
    checked = set()
    for cut in [ONSET, *range(ONSET + 1, last, 3)]:
        now = frame.index[cut - 1] + pd.Timedelta("1D")
        disturbed = frame.copy()
        disturbed.iloc[cut:] *= 1000.0
        for other in (frame.iloc[:cut], disturbed):
            again = {e.detected_at: e for e in ds.detect_episodes(other, stablecoin=money)}
            for e in whole:
                for name, stamp in e.field_known_at.items():
                    if not pd.isna(stamp) and stamp <= now:
                        assert plain(_value(again[e.detected_at], name)) == plain(_value(e, name)), (cut, name)
                        checked.add(name)
    assert checked >= {"source", "onset", "trough", "flight", "member_table", "half_life", "speed"}


def _value(episode, name):
    return episode.flight.to_dict() if name == "flight" else getattr(episode, name)


def test_every_field_has_a_stamp_and_open_ones_none():
    e = found(market(5))
    named = {f.name for f in fields(e)} - {"known_at", "field_known_at", "name", "reference"}
    assert set(e.field_known_at.index) == named
    assert set(e.field_known_at) == {e.detected_at, e.known_at}
    assert e.field_known_at["source"] == e.detected_at
    still = found(market(5, half_life=1e9).iloc[: ONSET + 6])
    assert still.is_open
    assert pd.isna(still.field_known_at["depth"])
    assert still.field_known_at["onset"] == still.detected_at


def ugly():
    e = found(market(1), stablecoin=coin(market().index))
    names = dict(zip(e.members, ("βTC/€", 'a"b\\c', "日本 円", "", "x\n"), strict=False))
    return replace(
        e,
        members=tuple(names.get(m, m) for m in e.members),
        arrivals=e.arrivals.rename(names),
        source=e.source.rename(names),
        member_table=e.member_table.rename(index=names).assign(half_back_at=pd.NaT, bars_to_half=np.nan),
        known_at=pd.NaT,
        half_life=float("inf"),
        depth=NAN,
        exit_cost=0.1 + 0.2,
        notes=("ünïcode", 'quote "', "line\nbreak"),
        onset=pd.Timestamp("2020-03-12T10:11:12.123456789", tz="Asia/Tokyo").tz_convert("UTC"),
    )


@pytest.mark.parametrize(
    "episode",
    [
        ugly,
        lambda: found(market(2)),
        lambda: ds.Episode.from_dates("1987-10-19", source={"S&P": 1, "μ": 2}),
        lambda: ds.Episode.from_dates("2020"),
    ],
    ids=["ugly", "detected", "told", "bare"],
)
def test_json_loses_nothing(episode):
    episode = episode()
    text = episode.to_json()
    again = ds.Episode.from_json(text)
    assert again == episode
    assert again.to_json() == text
    assert repr(again) == repr(episode)
    pd.testing.assert_frame_equal(again.member_table, episode.member_table, check_dtype=False, check_index_type=False)
    assert again.source.to_dict() == episode.source.to_dict()
    assert "NaN" not in text
    assert "Infinity" not in text
    json.loads(text)


def test_a_list_goes_through_json():
    everything = [ugly(), found(market(3))]
    assert ds.episodes_from_json(ds.episodes_to_json(everything, indent=2)) == everything
    for text in ("{", "[]", '{"format": "other"}'):
        with pytest.raises(DataError):
            ds.episodes_from_json(text)
    with pytest.raises(DataError, match="needs an onset"):
        ds.Episode.from_json("{}")


def test_order_of_assets_and_unit_do_not_move_the_record():
    frame = market(4)
    order = np.random.default_rng(0).permutation(frame.shape[1])
    a, b = found(frame), found(frame.iloc[:, order] * 1e5)
    assert b.source.reindex(a.source.index).to_numpy() == pytest.approx(a.source.to_numpy(), abs=1e-8)
    assert (b.depth, b.speed_bars, b.half_life) == pytest.approx((a.depth, a.speed_bars, a.half_life), rel=1e-8)
    pd.testing.assert_frame_equal(b.member_table.loc[a.member_table.index], a.member_table, rtol=1e-8)
    assert a.field_known_at.equals(b.field_known_at)


def test_the_members_table_by_hand():
    """Without noise a half-life of 5 bars is 5 bars, and the members of the table are those of the record."""
    rng = np.random.default_rng(0)
    frame = illiquidity_frame(plant(0.2 * calm_log_illiquidity(rng, ROWS, 6), ONSET, size=9.0, half_life=5.0))
    e = found(frame)
    assert tuple(e.member_table.index) == e.members
    assert set(e.member_table["bars_to_half"]) <= {5.0, 6.0, 4.0}
    assert e.member_table["depth"].median() == pytest.approx(np.exp(-0.4 * 9), rel=0.2)
    back = e.member_table["half_back_at"]
    assert (back > e.member_table["trough"]).all()
    assert (e.member_table["seen_until"] <= e.known_at).all()


def test_members_that_never_come_back_are_censored():
    paths = calm_log_illiquidity(np.random.default_rng(1), ROWS, 6)
    paths = plant(paths, ONSET, size=9.0, half_life=4.0)
    paths[ONSET:, :2] += 9.0 * (1 - 0.5 ** (np.arange(ROWS - ONSET)[:, None] / 4.0))
    e = found(illiquidity_frame(paths))
    gone = e.member_table.loc[["A0", "A1"]]
    assert gone["bars_to_half"].isna().all()
    assert gone["half_back_at"].isna().all()
    assert (gone["bars_seen"] > 5).all()
    assert e.member_table["bars_to_half"].notna().sum() == 4


def test_bars_missing_counts_and_censors():
    assert bars_missing(8 * 0.5 ** (np.arange(30) / 4.5)) == 5.0
    assert np.isnan(bars_missing(np.full(9, 3.0)))
    assert np.isnan(bars_missing(np.array([3.0])))
    holes = np.array([8.0, np.nan, np.nan, 3.0, 1.0, 0.0])
    assert bars_missing(holes) == 3.0


def test_an_own_trough_is_not_the_largest_noise_of_later():
    path = np.r_[0.0, 2.0, 5.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 9.0]
    assert own_trough(path, 1) == 3
    assert own_trough(path, 9) == 9


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_speed_does_not_depend_on_the_sampling(step):
    """A fall over 64 fine bars: 10 to 90 % take .8 of it, to within a coarse bar."""
    left = np.r_[np.ones(64), np.linspace(1, 0.2, 65), np.full(64, 0.2)][::step]
    low, high = loss_speed(left, int(np.argmin(left)))
    assert step * (high - low) == pytest.approx(0.8 * 64, abs=step)


def test_speed_needs_the_start_of_the_loss():
    assert np.isnan(loss_speed(np.array([0.2, 0.1]), 1)).all()
    assert np.isnan(loss_speed(np.array([1.0, 1.2]), 1)).all()


def test_speed_is_a_length_of_time_too():
    e = found(market(0))
    assert e.speed == pytest.approx(e.speed_bars * pd.Timedelta("1D"), rel=1e-9)
    # A fall within one bar takes .8 of it, less where the bar before lay above its baseline.
    assert 0.3 < e.speed_bars < 2


def test_the_exit_comes_from_the_book_where_there_is_one():
    simulated = ds.simulate.drain(seed=2, lag=1)
    e = ds.detect_episodes(simulated.panel, notional=1e5)[-1]
    assert e.exit_law == "spread and depth"
    cost = simulated.panel["spread"] / 2 + 0.01 * 1e5 / simulated.panel["depth"]
    assert e.exit_cost == pytest.approx(cost.loc[e.trough, list(e.members)].median())
    assert e.exit_cost > e.exit_cost_baseline
    bars = ds.LiquidityPanel.from_bars(
        {a: pd.DataFrame({f: simulated.panel[f][a] for f in ("open", "high", "low", "close", "volume")})
         for a in simulated.panel.assets}, "utc_day"
    )  # fmt: skip
    assert ds.detect_episodes(bars, notional=1e5)[-1].exit_law == "square-root law, a proxy"


def test_the_table_has_a_row_an_episode_and_its_summary():
    e = found(market(0), stablecoin=coin(market().index))
    table = ds.episodes_table([e, ds.Episode.from_dates("2010-05-06")])
    row = table.loc[0]
    assert row["flight"] == e.flight.pattern
    assert row["top_share"] == pytest.approx(e.source.max())
    assert row["half_back"] == pytest.approx(e.member_table["half_back_at"].notna().mean())
    assert row["speed"] == e.speed
    assert table.loc[1, "flight"] == "not measured"
    assert np.isnan(table.loc[1, "half_back"])
