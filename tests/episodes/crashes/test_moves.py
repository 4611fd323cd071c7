"""Drawdowns and flash events: slow twins, planted events, invariants, ties and gaps, what is known when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError

RNG = np.random.default_rng(8)
START = pd.Timestamp("2024-01-02 14:30", tz="UTC")


def slow_moves(path, bar):
    """Moves by walking along the path: (onset, extremum, over, way)."""
    found, start = [], 0
    while start < len(path) - 1 and path[start + 1] == path[start]:
        start += 1
    while start < len(path) - 1:
        way = np.sign(path[start + 1 :][path[start + 1 :] != path[start]][:1].sum() - path[start])
        if way == 0:
            break
        top, over = start, -1
        for t in range(start + 1, len(path)):
            if way * (path[t] - path[top]) > 0:
                top = t
            elif way * (path[top] - path[t]) > bar[start]:
                over = t
                break
        found.append((start, top, over, way))
        if over < 0:
            break
        start = top
    return found


@pytest.mark.parametrize("epsilon", [0.0, 0.002, 0.02])
def test_drawdowns_against_a_walk_along_the_path(epsilon):
    path = RNG.normal(0, 2e-3, 400).round(4).cumsum()
    found = ds.drawdowns(np.exp(path), epsilon, direction="both")
    slow = slow_moves(np.log(np.exp(path)), np.full(400, epsilon))
    assert found["onset"].astype(int).tolist() == [a for a, *_ in slow]
    assert found["extremum"].astype(int).tolist() == [b for _, b, *_ in slow]
    assert found["detected_at"].astype(int).tolist() == [t if t >= 0 else 399 for *_, t, _ in slow]
    np.testing.assert_allclose(found["size"], [path[b] - path[a] for a, b, *_ in slow], atol=1e-12)
    # Moves follow on one another and alternate: their sizes add up to the whole way to the last extremum.
    assert found["size"].sum() == pytest.approx(path[slow[-1][1]] - path[slow[0][0]], abs=1e-12)
    assert pd.isna(found["known_at"].iloc[-1])


def test_epsilon_in_units_of_the_volatility_before():
    path = RNG.normal(0, 1e-3, 600).cumsum()
    path[300:] = path[299] + 5 * (path[300:] - path[299])
    found = ds.drawdowns(np.exp(path), 3.0, 50)
    bar = np.full(600, np.nan)
    bar[50:] = [3 * np.sqrt(np.mean(np.diff(path)[k - 50 : k] ** 2)) for k in range(50, 600)]
    slow = [s for s in slow_moves(np.log(np.exp(path)), np.nan_to_num(bar)) if s[3] < 0]
    assert found["onset"].astype(int).tolist() == [a for a, *_ in slow]
    assert found["extremum"].astype(int).tolist() == [b for _, b, *_ in slow]


@pytest.mark.parametrize("finder", [
    lambda p: ds.drawdowns(p, 2.0, 30, "both"),
    lambda p: ds.flash_events(p, within=30, multiple=3.0, volatility_window=300),
    lambda p: ds.flash_events(p, "runs", quantile=0.9, history=50),
])  # fmt: skip
def test_the_unit_of_the_price_does_not_matter_and_a_mirror_turns_the_signs(finder):
    path = RNG.standard_t(3, 4000).cumsum() * 1e-4
    base = finder(np.exp(path))
    assert len(base) > 3
    other = finder(250.0 * np.exp(path))
    assert other["onset"].tolist() == base["onset"].tolist()
    np.testing.assert_allclose(other["size"], base["size"], rtol=1e-6)
    mirrored = finder(np.exp(-path))
    assert mirrored["extremum"].tolist() == base["extremum"].tolist()
    np.testing.assert_allclose(mirrored["size"], -base["size"], rtol=1e-6)


def crash(depth=0.03, fall=60, back=120, stays=False):
    """Three hours of seconds with one planted crash at second 7000."""
    path = np.random.default_rng(1).normal(0, 5e-5, 10800).cumsum()
    path[7000:] -= depth * np.clip((np.arange(3800) + 1) / fall, 0, 1)
    if not stays:
        path[7000 + fall :] += depth * np.clip((np.arange(3800 - fall) + 1) / back, 0, 1)
    return pd.Series(100 * np.exp(path), START + pd.to_timedelta(np.arange(10800), unit="s"))


def test_a_planted_v_is_dated_and_its_recovery_too():
    found = ds.flash_events(crash())
    assert len(found) == 1
    event = found.iloc[0]
    at = [(event[c] - START).total_seconds() for c in ("onset", "detected_at", "extremum", "recovery")]
    assert 6700 <= at[0] <= 7001
    assert 7000 < at[1] < 7060
    assert abs(at[2] - 7059) <= 2
    assert abs(at[3] - 7120) <= 5
    assert event["known_at"] == event["recovery"]
    assert event["size"] == pytest.approx(-0.03, abs=0.003)
    assert event["direction"] == "down"
    assert event["retraced"] == pytest.approx(0.5, abs=0.03)


def test_a_fall_that_stays_is_listed_without_a_recovery():
    event = ds.flash_events(crash(stays=True)).iloc[0]
    assert pd.isna(event["recovery"])
    assert event["retraced"] < 0.3
    assert event["known_at"] == event["extremum"] + pd.Timedelta("900s")
    assert ds.flash_events(crash().iloc[:6990]).empty
    ongoing = ds.flash_events(crash().iloc[:7050]).iloc[0]
    assert pd.isna(ongoing["known_at"])


def test_ten_ticks_in_a_second_and_a_half():
    step = np.log1p(-0.0009)
    seconds = np.r_[0.0, 10 + 0.14 * np.arange(10), 20.0, 30.0]
    path = np.r_[0.0, step * np.arange(1, 11), step * 10, step * 4]
    event = ds.flash_events(pd.Series(np.exp(path), seconds), "ticks")
    assert event["detected_at"].tolist() == [10 + 0.14 * 9]
    assert event[["onset", "moves", "direction"]].iloc[0].tolist() == [0.0, 10, "down"]
    assert event["recovery"].tolist() == [30.0]
    # One tick fewer, one tick the other way, 0.16 seconds between ticks, smaller ticks: none.
    assert ds.flash_events(pd.Series(np.exp(path[1:]), seconds[1:]), "ticks").empty
    broken = path.copy()
    broken[5] = broken[3]
    assert ds.flash_events(pd.Series(np.exp(broken), seconds), "ticks").empty
    slow = np.r_[0.0, 10 + 0.17 * np.arange(10), 20.0, 30.0]
    assert ds.flash_events(pd.Series(np.exp(path), slow), "ticks").empty
    assert ds.flash_events(pd.Series(np.exp(0.8 * path), seconds), "ticks").empty
    # All at one stamp counts; equal prices in between do not break the run.
    tied = pd.Series(np.exp(path), np.r_[0.0, np.full(10, 10.0), 20.0, 30.0])
    assert len(ds.flash_events(tied, "ticks")) == 1


def test_runs_against_the_trailing_quantile():
    path = RNG.normal(0, 1e-4, 3000).cumsum()
    path[2500:2508] = path[2499] + 4e-4 * np.arange(1, 9)
    path[2508:] += path[2507] - path[2508] - 1e-4
    found = ds.flash_events(np.exp(path), "runs", history=200, quantile=0.99)
    event = found[found["extremum"] == 2507]
    assert len(event) == 1
    assert event["direction"].iloc[0] == "up"
    assert event["detected_at"].iloc[0] <= 2506
    assert ds.flash_events(np.exp(path[:300]), "runs").empty


@pytest.mark.parametrize("price", [
    np.full(500, 7.0), np.array([3.0]), np.array([]), np.full(20, np.nan), np.r_[np.full(400, 5.0), 5.01],
    np.r_[np.full(5000, 1.0), np.full(5000, 0.9)],
])  # fmt: skip
def test_ugly_prices_have_no_flash_event(price):
    for rule in ("v", "ticks", "runs"):
        assert ds.flash_events(price, rule).empty
    assert len(ds.drawdowns(price, 0.001)) <= 1


def test_a_peg_that_never_moved_needs_a_least_size():
    price = np.r_[np.full(5000, 1.0), np.full(100, 0.9), np.full(2000, 1.0)]
    found = ds.flash_events(price, min_size=0.01)
    assert found["size"].iloc[0] == pytest.approx(np.log(0.9))
    assert found["retraced"].iloc[0] == pytest.approx(1.0)


def test_frames_name_their_assets():
    a = crash()
    frame = pd.DataFrame({"calm": np.exp(RNG.normal(0, 5e-5, 10800).cumsum()), "hit": a})
    frame.loc[frame.index[::5], "hit"] = np.nan
    found = ds.flash_events(frame)
    assert found["asset"].tolist() == ["hit"]
    assert set(ds.drawdowns(frame, 0.01)["asset"]) <= {"calm", "hit"}


def test_rows_do_not_move_once_they_are_known():
    def final(price):
        table = ds.flash_events(price, within=60, multiple=2.0, volatility_window=600, recovery_within=120)
        return table.dropna(subset="known_at").set_index("known_at").sort_index(kind="stable")

    path = crash().iloc[5000:9000:4]
    path *= np.exp(1e-3 * np.random.default_rng(3).standard_t(3, 1000).cumsum() * 0.1)
    assert len(final(path)) >= 3
    assert_causal(final, path, cuts=25, min_rows=200)


def test_bad_input_is_a_sentence():
    with pytest.raises(DataError, match="not above zero"):
        ds.drawdowns([1.0, 0.0])
    for size in (-1.0, np.nan, True):
        with pytest.raises(OptionError, match="min_size"):
            ds.drawdowns([1.0, 2.0, 1.5], min_size=size)
    with pytest.raises(OptionError, match="at least zero"):
        ds.drawdowns([1.0, 2.0], -1.0)
    with pytest.raises(OptionError, match="at least 2"):
        ds.drawdowns([1.0, 2.0], 1.0, window=1)
    with pytest.raises(OptionError, match="one of"):
        ds.flash_events([1.0], "nanex")
    with pytest.raises(OptionError, match="within"):
        ds.flash_events([1.0], within=0)
    with pytest.raises(OptionError, match="between 0 and 1"):
        ds.flash_events([1.0], "runs", quantile=1.5)
