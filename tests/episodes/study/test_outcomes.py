"""Outcomes from a panel: what each name is, that changes telescope and innovations are new, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.markets import illiquidity_frame, panel_from_ranges

RNG = np.random.default_rng(3)
FRAME = illiquidity_frame(0.3 * RNG.standard_normal((400, 3)))
PANEL = panel_from_ranges(FRAME, RNG)


def test_names_mean_what_they_say():
    close, volume = PANEL["close"], PANEL["volume"]
    pd.testing.assert_frame_equal(ds.event_outcome(PANEL, "returns"), np.log(close).diff())
    pd.testing.assert_frame_equal(ds.event_outcome(PANEL, "volume", "raw"), volume * close)
    spread = np.log(PANEL["high"] / PANEL["low"])
    level = ds.event_outcome(PANEL, "volatility", "level")
    np.testing.assert_allclose(level, np.log(spread / np.sqrt(4 * np.log(2))), rtol=1e-12)
    pd.testing.assert_frame_equal(ds.event_outcome(PANEL, "close", "level"), np.log(close))
    amihud = PANEL.measure("amihud", window=2)
    pd.testing.assert_frame_equal(ds.event_outcome(PANEL, "amihud", "raw", window=2), amihud)


def test_changes_telescope():
    level, change = (ds.event_outcome(PANEL, "volume", form) for form in ("level", "change"))
    np.testing.assert_allclose(change.iloc[101:121].sum(), level.iloc[120] - level.iloc[100], rtol=1e-10)


def test_innovations_are_the_shocks_of_an_autoregression_and_what_is_studied_is_new():
    rng = np.random.default_rng(4)
    shocks, log = rng.standard_normal((1500, 2)), np.zeros((1500, 2))
    for t in range(1, 1500):
        log[t] = 0.85 * log[t - 1] + shocks[t]
    days = pd.date_range("2018-01-01", periods=1500, tz="UTC")
    bars = {n: pd.DataFrame({"close": 1.0, "depth": np.exp(c)}, days) for n, c in zip("AB", log.T, strict=True)}
    depth = ds.event_outcome(ds.LiquidityPanel.from_bars(bars), "depth", "innovation")
    assert depth.iloc[:250].isna().all().all()
    found = depth.iloc[280:]
    # Four coefficients from 250 rows: a hundredth of the variance is error.
    assert (found.corrwith(pd.DataFrame(shocks[280:], found.index, list("AB"))) > 0.98).all()
    assert found.apply(lambda c: c.autocorr()).abs().max() < 0.06
    study = ds.event_study(depth, days[1200], tests="kp_bmp")
    assert not any("persistent" in note for note in study.notes)


def test_a_row_without_a_logarithm_costs_its_own_innovation_and_the_next():
    rng = np.random.default_rng(6)
    depth = np.exp(rng.standard_normal((700, 1)))
    depth[600] = 0.0
    bars = {"A": pd.DataFrame({"close": 1.0, "depth": depth[:, 0]}, pd.date_range("2018-01-01", periods=700, tz="UTC"))}
    found = ds.event_outcome(ds.LiquidityPanel.from_bars(bars), "depth", "innovation")["A"]
    assert np.flatnonzero(found.iloc[300:].isna()).tolist() == [300, 301]


def test_values_without_a_logarithm_are_missing_and_counted():
    panel = ds.LiquidityPanel.from_bars(
        {"A": pd.DataFrame({"close": 1.0, "depth": [2.0, 0.0, 1.0]}, pd.date_range("2024-01-01", periods=3, tz="UTC"))}
    )
    change = ds.event_outcome(panel, "depth")
    assert change["A"].isna().all()
    assert change.attrs["nonpositive"] == {"A": 1}


def test_returns_size_stands_in_without_a_range():
    panel = ds.LiquidityPanel.from_bars({"A": PANEL["close"]["A0"].to_frame("close")})
    expected = np.log(panel["close"]).diff().abs()
    pd.testing.assert_frame_equal(ds.event_outcome(panel, "volatility", "raw"), expected)
    with pytest.raises(DataError, match="'volume' needs the field 'volume'; the panel has close"):
        ds.event_outcome(panel, "volume")


@pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
def test_a_panel_is_asked_which_outcome():
    with pytest.raises(DataError, match=r"event_outcome\(panel, 'returns'\)"):
        ds.event_study(PANEL, "2018-06-01")
    study = ds.event_study(ds.event_outcome(PANEL, "returns"), "2018-12-01", tests="kp_bmp")
    assert list(study.abnormal.columns) == list(PANEL.assets)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("tightness",), r"returns, volatility, volume, no field of the panel \(open.* no measure of bars \(edge"),
        (("trade_measures",), "no measure of bars"),
        (("volume", "shock"), "'change', 'innovation', 'level', 'raw'"),
    ],
)
def test_what_is_not_known_is_said(arguments, match):
    with pytest.raises(OptionError, match=match):
        ds.event_outcome(PANEL, *arguments)


def test_options_that_would_not_be_used_are_refused():
    for what in ("returns", "volume", "close"):
        with pytest.raises(OptionError, match="takes no options; window came"):
            ds.event_outcome(PANEL, what, window=5)
    with pytest.raises(OptionError, match="option of amihud='width' is not one of 'window'"):
        ds.event_outcome(PANEL, "amihud", width=5)
    with pytest.raises(OptionError, match="'dollar_volume' takes no options"):
        PANEL.measure("dollar_volume", window=5)
    with pytest.raises(DataError, match="A panel is needed, a DataFrame came"):
        ds.event_outcome(PANEL["close"], "returns")
