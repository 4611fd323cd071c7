"""What is seen: bars that can be, missing data, clocks, and the facts of ordinary markets."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import drainstats as ds
from drainstats.simulate.families import ordinary
from drainstats.simulate.observation import bars

FAMILIES = ds.simulate.FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scenario", ["drain", "common_volatility"])
def test_bars_can_be(family, scenario):
    panel = ds.simulate.drain(2, family=family, scenario=scenario, recovers=0.5).panel
    open_, high, low, close = (panel[f] for f in ("open", "high", "low", "close"))
    assert len(panel.ledger) == 0  # no cleaning rule had anything to repair
    assert (low <= np.minimum(open_, close)).all(axis=None)
    assert (high >= np.maximum(open_, close)).all(axis=None)
    assert (low > 0).all(axis=None)
    for field in ("volume", "dollar_volume", "spread", "depth"):
        assert (panel[field] > 0).all(axis=None)
    assert (panel["spread"] <= 0.5).all(axis=None)
    assert (panel["liquidations"] >= 0).all(axis=None)
    assert (panel["signed_dollar_volume"].abs() <= panel["dollar_volume"] * (1 + 1e-12)).all(axis=None)
    price = panel["dollar_volume"] / panel["volume"]
    assert ((price >= low) & (price <= high)).all(axis=None)
    assert set(panel.units) == set(panel.field_names)
    assert "" not in panel.units.values()


def test_ranges_and_bounce_carry_volatility_and_spread():
    """Parkinson and EDGE on bars of a constant volatility and spread give both back."""
    rng = np.random.default_rng(0)
    steps, spread = np.full((20000, 1), 0.02), np.full((20000, 1), 0.01)
    mid = 100 * np.exp(np.cumsum(0.02 * rng.normal(size=(20000, 1)), axis=0))
    table = {k: pd.DataFrame(v) for k, v in bars(mid, np.array([100.0]), steps, spread, rng).items()}
    plain = {k: pd.DataFrame(v) for k, v in bars(mid, np.array([100.0]), steps, 0 * spread, rng).items()}
    # E[ln(H/L)²] = 4 ln 2 σ² holds for the joint law of high and low; drawn one by one the mean range is the same and
    # the mean square 0.6 % off, against a standard error of 0.5 %.
    found = ds.measures.parkinson(plain["high"], plain["low"], window=20000).iloc[-1, 0]
    assert found == pytest.approx(0.02, rel=0.02)
    assert np.log(plain["high"] / plain["low"])[0].mean() == pytest.approx(0.02 * np.sqrt(8 / np.pi), rel=0.01)
    edge = ds.measures.edge(*(table[k] for k in ("open", "high", "low", "close")), window=20000).iloc[-1, 0]
    assert edge == pytest.approx(0.01, rel=0.1)


def mean_correlation(frame):
    values = frame.corr().to_numpy()
    return values[np.triu_indices(len(values), 1)].mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_depth_moves_together_on_ordinary_days_as_far_as_was_asked(family):
    found = {}
    for wanted in (0.15, 0.6):
        depth = [
            ds.simulate.drain(s, scenario="calm", family=family, commonality=wanted).panel["depth"] for s in range(4)
        ]
        found[wanted] = np.mean([mean_correlation(np.log(d)) for d in depth])
    assert 0.15 < found[0.15] < 0.5
    assert 0.45 < found[0.6] < 0.8
    assert found[0.6] > found[0.15] + 0.15


def test_the_families_differ_where_they_say():
    facts = {}
    for family in FAMILIES:
        rows = []
        for seed in range(4):
            panel = ds.simulate.drain(seed, scenario="calm", family=family, rows=1500).panel
            depth, returns = np.log(panel["depth"]), np.log(panel["close"]).diff().iloc[1:]
            slow = np.mean([depth[a].autocorr(25) for a in depth])
            week = depth.groupby(depth.index.day_of_week).mean().std(ddof=0) / depth.std()
            load = returns.apply(lambda x, r=returns: x.corr(r.mean(axis=1)))
            rows.append((stats.kurtosis(returns).mean(), slow, week.mean(), load.std()))
        facts[family] = dict(zip(("tails", "memory", "week", "loads"), np.mean(rows, axis=0), strict=True))
    table = pd.DataFrame(facts)
    plain = table["gaussian"]
    assert abs(plain["tails"]) < 0.5
    assert table.loc["tails", "heavy"] > 3
    assert abs(plain["memory"]) < 0.1
    assert table.loc["memory", "persistent"] > 0.25
    assert plain["week"] < 0.1
    assert table.loc["week", "seasonal"] > 0.3
    assert table.loc["loads", "heterogeneous"] > 2 * plain["loads"]


def test_depth_answers_volatility():
    """Log depth on the volatility that makers have answered: the slope is −.87 within four standard errors."""
    index = pd.date_range("2020-01-01", periods=20000, freq="h", tz="UTC")
    market = ordinary("heavy", index, 2, 0.3, seed=1)
    slopes = []
    for k in range(2):
        heard = np.zeros(len(index))
        for t in range(1, len(index)):
            heard[t] = 0.5 * heard[t - 1] + 0.5 * market.log_volatility[t, k]
        slopes.append(np.cov(heard, market.log_depth[:, k])[0, 1] / heard.var())
    # Both are autoregressions (.95 and .5), so 20,000 rows count for 20,000 × (1 − .48) / (1 + .48).
    error = 0.3 / (0.35 * np.sqrt(20000 * 0.52 / 1.48))
    np.testing.assert_allclose(slopes, -0.87, atol=4 * error)


def test_hours_of_the_day():
    market = ds.simulate.drain(1, scenario="calm", family="seasonal", freq="h", rows=3000)
    depth = np.log(market.panel["depth"]).mean(axis=1)
    by_hour = depth.groupby(depth.index.hour).mean()
    assert by_hour.idxmin() in range(2, 7)
    assert by_hour.idxmax() in range(14, 19)
    assert by_hour.max() - by_hour.min() == pytest.approx(0.35, abs=0.1)


@pytest.mark.parametrize(
    ("freq", "clock"), [("D", "utc_day"), ("h", "utc_hour"), ("15min", "utc_15min"), ("min", "utc_min"), ("s", "utc_s")]
)
def test_clocks(freq, clock):
    panel = ds.simulate.drain(1, freq=freq, rows=200, start="2024-03-01T00:00+02:00").panel
    assert panel.clock.name == clock
    assert panel.shape == (200, 10)
    if freq != "D":
        assert panel.index[0] == pd.Timestamp("2024-02-29 22:00", tz="UTC")


def test_volatility_and_volume_scale_with_the_bar():
    day, hour = (ds.simulate.drain(1, scenario="calm", freq=f) for f in ("D", "h"))
    spread_out = [np.log(m.truth.mid).diff().std() for m in (day, hour)]
    np.testing.assert_allclose(spread_out[0] / spread_out[1], np.sqrt(24), rtol=1e-9)
    np.testing.assert_allclose(
        day.panel["dollar_volume"].to_numpy() / hour.panel["dollar_volume"].to_numpy(), 24, rtol=1e-9
    )
    np.testing.assert_allclose(day.panel["depth"].to_numpy(), hour.panel["depth"].to_numpy(), rtol=1e-12)


def test_gaps_and_late_listings():
    whole, holes = ds.simulate.drain(3), ds.simulate.drain(3, gaps=0.1, late=0.6)
    close = holes.panel["close"]
    first = pd.Series({a: close[a].first_valid_index() for a in close})
    late = first[first > close.index[4]]
    assert 2 <= len(late) <= 9
    assert late.max() < close.index[250]
    assert late.max() < holes.truth.onset
    listed = close.isna() & np.array([close.index >= first[a] for a in close]).T
    assert listed.to_numpy().mean() == pytest.approx(0.1, abs=0.01)
    for field in whole.panel.field_names:
        seen = holes.panel[field].notna()
        pd.testing.assert_frame_equal(holes.panel[field], whole.panel[field].where(seen))
        assert (seen == close.notna()).all(axis=None)
    pd.testing.assert_frame_equal(holes.truth.mid, whole.truth.mid)
    assert holes.panel.available.isna().equals(close.isna())


@pytest.mark.parametrize("scenario", ["drain", "venue_outage"])
def test_the_panel_is_what_a_reader_builds_of_the_bars(scenario):
    panel = ds.simulate.drain(3, scenario=scenario, rows=200, gaps=0.1, freq="h").panel
    tables = {a: pd.DataFrame({f: panel[f][a] for f in panel.field_names}) for a in panel.assets}
    tables = {a: t.dropna(how="all") for a, t in tables.items()}
    about = panel.asset_table.drop(columns="clock")
    built = ds.LiquidityPanel.from_bars(tables, rows="all", assets=about, units=panel.units)
    for field in panel.field_names:
        pd.testing.assert_frame_equal(built[field], panel[field])
    for name in ("asset_table", "available", "status", "ledger"):
        pd.testing.assert_frame_equal(getattr(built, name), getattr(panel, name), check_dtype=name != "asset_table")
    assert (built.clock, built.units) == (panel.clock, panel.units)


def test_it_is_quick():
    """Bars of ten assets: 1500 days and 10,000 minutes."""
    ds.simulate.drain(0)
    spent = []
    for options in ({"rows": 1500}, {"rows": 10_000, "freq": "min"}):
        tries = []
        for seed in range(3):
            begun = time.process_time()
            ds.simulate.drain(seed, **options)
            tries.append(time.process_time() - begun)
        spent.append(min(tries))
    assert spent[0] < 0.1
    assert spent[1] < 0.5
