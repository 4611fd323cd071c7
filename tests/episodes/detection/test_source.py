"""Shares of being the source: their arithmetic, what they may look at, calibration on markets not calibrated on."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

import drainstats as ds
from drainstats.episodes.detection.source import CAPS, COEFFICIENTS, features, softmax, source_shares
from tests.markets import calm_log_illiquidity, illiquidity_frame, plant

ONSET, LATE = 500, 10**6


def script():
    """The module of ``docs/make_source_table.py``."""
    path = pathlib.Path(__file__).parents[3] / "docs" / "make_source_table.py"
    spec = importlib.util.spec_from_file_location("make_source_table", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def market(lead, seed=1, size=9.0):
    paths = calm_log_illiquidity(np.random.default_rng(seed), 620, 8)
    return illiquidity_frame(plant(paths, ONSET, size=size, half_life=5.0, lead=lead))


def found(frame):
    return next(e for e in ds.detect_episodes(frame) if e.onset == frame.index[ONSET])


def test_features_by_hand():
    excess = np.array([[0.5, np.nan, -1.0], [2.0, 0.2, 0.3], [1.0, 9.0, 0.4]])
    z = np.array([[3.0, np.nan, -4.0], [9.0, 1.0, 1.5], [5.0, 40.0, 2.0]])
    assert features(excess, z).tolist() == [[0.5 + CAPS[0], 2.0], [0.0, CAPS[1]], [0.0, 0.4]]
    share = softmax(features(excess, z))
    assert share.sum() == pytest.approx(1.0)
    first = np.exp(COEFFICIENTS[0] * 1.5 + COEFFICIENTS[1] * 2.0)
    assert share[0] / share[2] == pytest.approx(first / np.exp(COEFFICIENTS[1] * 0.4))


def test_equal_assets_share_equally():
    shares, identified = source_shares(np.ones((4, 5)), 5 * np.ones((4, 5)), np.zeros(5, dtype=int))
    assert shares == pytest.approx(np.full(5, 0.2))
    assert not identified


@pytest.mark.parametrize(
    ("arrivals", "named"), [([3, 5, 5], True), ([3, 4, 5], False), ([3, 3, 5], False), ([3, LATE, LATE], True)]
)
def test_one_is_named_two_bars_ahead_of_all_others(arrivals, named):
    excess, z = np.zeros((6, 3)), np.zeros((6, 3))
    excess[2:, 0], z[2:, 0] = 2.0, 8.0
    shares, identified = source_shares(excess, z, np.array(arrivals))
    assert shares[0] > 0.9
    assert identified is named


def test_a_small_share_is_not_named():
    assert not source_shares(np.ones((3, 9)), np.ones((3, 9)), np.r_[0, np.full(8, LATE)])[1]


def test_rows_after_the_alarm_do_not_enter():
    frame = market((4, 3))
    e = found(frame)
    disturbed = frame.copy()
    disturbed.iloc[ONSET + 1 :] *= np.random.default_rng(0).lognormal(0, 2, disturbed.iloc[ONSET + 1 :].shape)
    assert found(disturbed).source.equals(e.source)
    assert found(frame.iloc[: ONSET + 1]).source.equals(e.source)


@pytest.mark.parametrize("lead", [2, 3, 4])
def test_a_leader_is_the_source(lead):
    e = found(market((5, lead)))
    assert e.source.idxmax() == "A5"
    assert e.source_identified
    assert e.source.sum() == pytest.approx(1.0)
    assert e.source_basis == "simulator-calibrated"
    assert ds.episodes_table([e]).loc[0, "top_source"] == "A5"


def test_arrivals_that_share_a_bar_identify_nobody():
    e = found(market(None))
    assert not e.source_identified
    assert ds.episodes_table([e]).loc[0, "top_source"] == ""
    assert "not identified" in repr(e)


def test_one_bad_reading_names_nobody():
    frame = market(None)
    frame.iloc[ONSET - 1, 2] *= 1e6
    e = found(frame)
    assert e.source["A2"] < 0.95
    assert not e.source_identified


@pytest.mark.slow
def test_shares_on_families_that_they_have_not_seen():
    """Named sources are right in three cases of four; the Brier score beats first arrival and uniform shares."""
    module = script()
    cases = [c for f in ("gaussian", "persistent") for c in module.cases(f, module.planted(f, 30))]
    cases = [c for c in cases if c.evidence == "book depth"]
    named = [c for c in cases if c.named]
    right = sum(int(np.argmax(softmax(c.features))) == c.truth for c in named)
    assert len(named) >= 10
    assert right / len(named) >= 0.75
    brier = {name: module.scores(cases, rule)[1] for name, rule in module.RULES.items()}
    assert brier["calibrated"] < min(brier["first arrival"], brier["uniform"])
    table = module.reliability(cases)
    large = table[table["assets"] >= 20]
    assert (abs(large["share"] - large["source"]) <= 3 * large["error"] + 0.05).all()
