"""The bars of the detector, on families that its lines were not chosen on: a part of the detection tables made anew."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

DOCS = pathlib.Path(__file__).parents[3] / "docs"
pytestmark = pytest.mark.slow
PER_YEAR = 0.25


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_detection_table", DOCS / "make_detection_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_detection_table"] = module
    spec.loader.exec_module(module)
    return module


def test_drains_are_dated_within_two_bars(script):
    calls = [script.call(m, {}) for m in script.simulated(48, 1000, script.SCORING)]
    # Nine tenths is the bar; three quarters of 48 would lie four standard errors below.
    assert np.mean([c.onset is not None and abs(c.onset) <= script.BARS for c in calls]) >= 0.9


@pytest.mark.parametrize("evidence", ["book and forced sales", "range and forced sales", "book alone", "price range"])
def test_false_alarms_keep_the_stated_rate(script, evidence):
    panels = [p for family in script.SCORING for p in script.calm(8, 30_000, family)]
    alarms, years = script.false_alarms(panels, script.EVIDENCE[evidence])
    assert years > 90
    assert alarms <= PER_YEAR * years


@pytest.mark.parametrize("scenario", ["single_asset", "common_volatility", "slow_bear", "announcement", "repricing"])
def test_look_alikes_are_told_apart_by_flows(script, scenario):
    markets = script.simulated(12, 1000, script.SCORING, scenario=scenario)
    called = [script.call(m, {}, after=30).onset is not None for m in markets]
    # A false alarm falls into these 35 bars with a chance of 2 % at the stated rate.
    assert sum(called) <= 1


def test_the_page_is_that_of_the_script(script):
    row = f"| 0.7 | 0 % | {100 * script.co_movement_rate(0.7, 0.0, 'rank', 200):.1f} % |"
    assert row in script.PAGE.read_text(encoding="utf-8")
