"""What tells a drain from common volatility, what the record says of it, and what cannot be seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.episodes.detection.evidence import BeyondVolatility, ForcedSales, forced_share, robust_z
from drainstats.errors import DataError, OptionError

WITHOUT_FLOWS = ["open", "high", "low", "close", "volume", "dollar_volume", "spread", "depth"]


def simulated(seed=0, **settings):
    return ds.simulate.drain(seed, rows=600, onset=450, **settings)


def changed(panel, **fields):
    return dataclasses.replace(panel, fields={**panel.fields, **fields})


def keep(panel, names):
    return dataclasses.replace(panel, fields={n: panel.fields[n] for n in names if n in panel.fields})


def at(episodes, onset, bars=2):
    return [e for e in episodes if abs((e.onset - onset).days) <= bars]


def test_a_drain_is_dated_by_the_first_forced_sales():
    for seed in range(3):
        market = simulated(seed, family="seasonal")
        (e,) = at(ds.detect_episodes(market.panel), market.truth.onset)
        assert e.evidence == "book depth, forced sales"
        assert e.corroborated
        assert abs((e.onset - market.truth.onset).days) <= 1
        assert e.detected_at > market.truth.onset


@pytest.mark.parametrize("scenario", ["common_volatility", "announcement", "single_asset", "feed_loss", "venue_outage"])
def test_look_alikes_are_not_called_where_flows_are_seen(scenario):
    for seed in range(2):
        market = simulated(seed, scenario=scenario)
        assert at(ds.detect_episodes(market.panel), market.truth.onset, bars=10) == []


def test_without_flows_common_volatility_is_called_and_the_record_says_so():
    markets = [simulated(seed, scenario="common_volatility", volatility=6.0) for seed in range(3)]
    for names, evidence, note in (
        (["open", "high", "low", "close"], "price range", "price ranges cannot tell"),
        (["depth"], "book depth", "book depth alone cannot tell"),
    ):
        found = [e for m in markets for e in at(ds.detect_episodes(keep(m.panel, names)), m.truth.onset, bars=5)]
        assert len(found) >= 2
        for e in found:
            assert e.evidence == evidence
            assert any(note in n for n in e.notes)


def test_volatility_explains_part_of_thin_books():
    called = {}
    for scenario in ("drain", "common_volatility", "announcement"):
        found = []
        for seed in range(5):
            market = simulated(seed, scenario=scenario, depth=(0.02, 0.12))
            found += at(ds.detect_episodes(keep(market.panel, WITHOUT_FLOWS)), market.truth.onset, bars=6)
        called[scenario] = len(found)
        assert all(e.evidence == "book depth, depth beyond volatility" for e in found)
    assert called["drain"] >= 4
    assert called["common_volatility"] <= 2
    assert called["announcement"] == 0


def test_forced_share_leaves_out_the_asset_with_most():
    sold = pd.DataFrame([[5.0, 1.0, 0.0], [np.nan, 2.0, 1.0], [0.0, 0.0, 0.0], [np.nan] * 3])
    money = pd.DataFrame([[10.0, 20.0, 30.0], [10.0, 20.0, np.nan], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    expected = [[1 / 50, 6 / 60], [np.nan, 2 / 20], [0.0, 0.0], [np.nan, np.nan]]
    np.testing.assert_allclose(forced_share(sold, money), expected)


def test_what_is_rare():
    share = np.r_[np.zeros(90), np.full(10, 0.01), 0.05, 0.02, 0.0, np.nan]
    forced = ForcedSales(np.column_stack([share, share]), times=3.0)
    past = np.arange(100)
    assert [forced.holds(row, past) for row in (100, 101, 102, 103)] == [True, False, False, False]
    assert forced.unknown(103)
    assert not forced.unknown(102)
    # A feed that showed nothing for a year, and now does.
    assert ForcedSales(np.column_stack([[0.0] * 100 + [1e-4]] * 2), 3.0).holds(100, past)
    assert robust_z(3.0, np.array([-1.0, 0.0, 1.0, 0.0])) == pytest.approx(3 / (1.4826 * 0.5))
    assert np.isnan(robust_z(3.0, np.zeros(5)))


def test_thinness_that_volatility_explains_does_not_count():
    rng = np.random.default_rng(0)
    moved = 0.3 * rng.normal(size=202)
    excess = 0.8 * moved + 0.2 * rng.normal(size=202)
    moved[200], excess[200] = 1.5, 1.3  # as thin as that volatility makes books
    moved[201], excess[201] = 1.5, 3.0  # thinner
    beyond = BeyondVolatility(excess, moved, least=60)
    assert not beyond.holds(200, np.arange(200))
    assert beyond.holds(201, np.arange(200))
    assert not BeyondVolatility(excess, 0 * moved, least=60).holds(201, np.arange(200))  # prices were calm
    assert not beyond.holds(201, np.arange(50))
    assert beyond.unknown(0)


def test_a_feed_that_was_down_at_the_drain_is_flagged():
    market = simulated(1, depth=(0.02, 0.1))
    sold = market.panel["liquidations"]
    for silent in (sold.iloc[:430].reindex(sold.index), 0 * sold):
        (e,) = at(ds.detect_episodes(changed(market.panel, liquidations=silent)), market.truth.onset, bars=5)
        assert e.evidence == "book depth"
        assert not e.corroborated
        assert any("forced sales could not be asked for" in n for n in e.notes)


def test_an_outage_at_the_trough_and_zero_depth_are_flagged():
    market = simulated(2, depth=(0.02, 0.1), breadth=1.0)
    depth, members = market.panel["depth"], list(market.truth.members)
    depth.loc[market.truth.onset :, members[7:]] = np.nan
    depth.loc[market.truth.onset : market.truth.onset + pd.Timedelta("10D"), members[6]] = 0.0
    (e,) = at(ds.detect_episodes(changed(market.panel, depth=depth)), market.truth.onset, bars=5)
    assert any("gave no reading at the alarm" in n for n in e.notes)
    assert any("read zero depth" in n for n in e.notes)
    assert not set(members[6:]) & set(e.members)


def test_unit_of_money_and_order_of_assets_do_not_matter():
    market = simulated(4)
    panel = market.panel
    money = ("depth", "dollar_volume", "liquidations")
    other = changed(panel, **{f: 1e-3 * panel[f] for f in money}).select(panel.assets[::-1])
    for options in ({}, {"corroborate": "volatility"}, {"measure": "parkinson"}):
        a, b = ds.detect_episodes(panel, **options), ds.detect_episodes(other, **options)
        assert [(e.onset, e.detected_at, e.end, e.evidence) for e in a] == [
            (e.onset, e.detected_at, e.end, e.evidence) for e in b
        ]
        assert [e.breadth_p_horizon for e in a] == pytest.approx([e.breadth_p_horizon for e in b], rel=1e-8)


def test_a_panel_that_ends_while_drained_is_open():
    market = simulated(3, recovers=0.0)
    (e,) = at(ds.detect_episodes(market.panel), market.truth.onset)
    assert e.is_open
    assert pd.isna(e.known_at)


def test_the_best_that_a_panel_has():
    panel = simulated(0).panel
    for names, evidence in (
        (["depth", "spread", "high", "low"], "book depth"),
        (["spread", "high", "low"], "quoted spread"),
        (["open", "high", "low", "close"], "price range"),
        (["close", "dollar_volume"], "traded volume and prices"),
    ):
        found = ds.detect_episodes(keep(panel, names), corroborate="none", common_line=0, line=1.0, alpha=0.2)
        assert {e.evidence for e in found} == {evidence}
    with pytest.raises(DataError, match="none of depth, spread"):
        ds.detect_episodes(keep(panel, ["close"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corroborate": "volume"}, "corroborate"),
        ({"corroborate": "forced"}, "liquidations"),
        ({"stale": 1}, "stale"),
        ({"clock_within": "-1h"}, "clock_within"),
        ({"clock_within": 3}, "clock_within"),
        ({"common_line": -1}, "common_line"),
        ({"forced_times": 0}, "forced_times"),
        ({"refractory": -1}, "refractory"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_bad_options_are_sentences(options, message):
    with pytest.raises(OptionError, match=message):
        ds.detect_episodes(keep(simulated(0).panel, WITHOUT_FLOWS), **options)


def alarms(options, delay=None):
    def record(panel):
        late = None if delay is None else pd.Series(panel.index + delay, panel.index)
        data = panel if delay is None else 1 / panel["depth"].where(panel["depth"] > 0)
        found = ds.detect_episodes(data, min_baseline=40, available_at=late, **options)
        stamps = pd.DatetimeIndex([e.detected_at for e in found], tz="UTC")
        seen = {"onset": [e.onset for e in found], "p": [e.breadth_p_value for e in found]}
        return pd.DataFrame(seen | {"evidence": [e.evidence for e in found]}, index=stamps)

    return record


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"corroborate": "volatility"},
        {"corroborate": "none", "common_line": 2.0},
        {"measure": "spread", "line": 1.5},
        {"measure": "parkinson", "common_line": 2.0, "refractory": 10},
    ],
)
def test_nothing_looks_ahead(options):
    market = ds.simulate.drain(5, rows=220, onset=150, assets=5, gaps=0.02, late=0.3)
    assert_causal(alarms(options), market.panel, cuts=15, min_rows=80)


def test_nothing_looks_ahead_where_rows_are_known_late():
    panel = ds.simulate.drain(5, rows=220, onset=150, assets=5).panel
    record = alarms({"common_line": 2.0}, delay=pd.Timedelta("60h"))
    found = record(panel)
    assert len(found)
    assert (found.index - pd.DatetimeIndex(found["onset"]) >= pd.Timedelta("60h")).all()
    assert_causal(record, panel, cuts=15, min_rows=80)


def test_a_bar_that_was_filled_in_late_delays_what_rests_on_it():
    market = simulated(0)
    (e,) = at(ds.detect_episodes(market.panel), market.truth.onset)
    available = market.panel.available.copy()
    filled = e.detected_at + pd.Timedelta("7D")
    available.loc[e.onset - pd.Timedelta("20D"), "A0"] = filled
    (late,) = at(ds.detect_episodes(dataclasses.replace(market.panel, available=available)), market.truth.onset)
    assert late.detected_at == filled
    assert late.onset == e.onset
