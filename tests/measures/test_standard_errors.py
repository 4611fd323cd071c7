"""Errors of smooth functions of window means: against statsmodels, by invariants, and by coverage on known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.measures.inference import default_lags, smooth_error

M = ds.measures


def corrected(values, lags):
    """Newey-West error of a mean by statsmodels, with what taking the mean out takes away put back."""
    n = len(values)
    fit = sm.OLS(values, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    weights = 1 + 2 * sum(1 - k / (lags + 1) for k in range(1, lags + 1))
    return fit.bse[0] * np.sqrt(n / (n - weights))


@pytest.mark.parametrize(("width", "lags"), [(10, 0), (21, 2), (21, 5), (60, 3)])
def test_the_error_of_a_mean_is_newey_and_west(width, lags):
    values = np.random.default_rng(0).normal(size=(80, 2)).cumsum(axis=0)
    ours = smooth_error([values], [1.0], width, lags)
    assert np.isnan(ours[: width - 1]).all()
    for t in (width - 1, 70, 79):
        assert ours[t, 1] == pytest.approx(corrected(values[t - width + 1 : t + 1, 1], lags), rel=1e-10)


def test_the_delta_method():
    """A ratio of means against its linearised row, by hand."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(3, 1, (50, 1)), rng.normal(5, 1, (50, 1))
    ours = smooth_error([x, y], [1 / y.mean(), -x.mean() / y.mean() ** 2], 50, 2)[-1, 0]
    line = x[:, 0] / y.mean() - x.mean() / y.mean() ** 2 * y[:, 0]
    assert ours == pytest.approx(corrected(line, 2), rel=1e-10)


def test_missing_rows_keep_their_distance():
    """A hole splits the series: rows on either side of it are two apart, not neighbours."""
    values = np.array([[1.0], [2.0], [np.nan], [4.0], [9.0], [1.0]])
    there = np.where(np.isnan(values), 0, values - np.nanmean(values))[:, 0]
    variance = there @ there + 2 * 0.5 * (there[1:] @ there[:-1])
    assert smooth_error([values], [1.0], 6, 1)[-1, 0] == pytest.approx(np.sqrt(variance / (5 * (5 - 2))), rel=1e-12)


def test_too_few_rows_have_no_error():
    values = np.full((10, 1), np.nan)
    values[5:8] = [[1.0], [2.0], [4.0]]
    found = smooth_error([values], [1.0], 10, 2)
    assert np.isnan(found[-1, 0])  # three rows against weights that sum to three
    assert np.isfinite(smooth_error([values], [1.0], 10, 1)[-1, 0])
    assert default_lags(2) == 1
    assert default_lags(21) == 2
    assert default_lags(250) == 4
    for bad in (-1, 1.5, True):
        with pytest.raises(OptionError, match="whole number of rows"):
            smooth_error([values], [1.0], 10, bad)


def test_an_estimate_reads_well():
    bars = ds.simulate.bars(60, 2, seed=3)
    found = M.roll(bars.close, with_se=True)
    assert isinstance(found.estimate, pd.DataFrame)
    assert found.std_error.columns.equals(bars.close.columns)
    assert "Newey-West over 2 rows" in repr(found)
    narrow, wide = found.interval(0.5), found.interval(0.99)
    there = found.estimate.notna().to_numpy()
    assert ((wide.lower <= narrow.lower) & (narrow.upper <= wide.upper)).to_numpy()[there].all()
    for bad in (0, 1, -0.5, 95):
        with pytest.raises(OptionError, match="between 0 and 1"):
            found.interval(bad)


def test_panels_hand_estimates_through():
    panel = ds.load_dataset("us-equity-daily").window("2010-01-01", "2010-06-30")
    found = panel.measure("edge", with_se=True)
    assert found.estimate.equals(panel.measure("edge")) or np.allclose(
        found.estimate, panel.measure("edge"), rtol=0, atol=1e-12, equal_nan=True
    )


def estimates(bars, window):
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.dollar_volume
    k = {"window": window, "with_se": True}
    return {
        "edge": M.edge(o, h, l, c, **k),
        "OHL": M.ohlc_spread(o, h, l, c, method="OHL", **k),
        "OHLC": M.ohlc_spread(o, h, l, c, method="OHLC", **k),
        "CHL": M.ohlc_spread(o, h, l, c, method="CHL", **k),
        "CHLO": M.ohlc_spread(o, h, l, c, method="CHLO", **k),
        "abdi_ranaldo": M.abdi_ranaldo(h, l, c, **k),
        "abdi_ranaldo two_day": M.abdi_ranaldo(h, l, c, average="two_day", **k),
        "corwin_schultz": M.corwin_schultz(h, l, c, **k),
        "corwin_schultz zero": M.corwin_schultz(h, l, c, two_day="zero", **k),
        "roll": M.roll(c, **k),
        "parkinson": M.parkinson(h, l, **k),
        "garman_klass": M.garman_klass(o, h, l, c, **k),
        "amihud": M.amihud(c, v, **k),
        "amihud down": M.amihud(c, v, side="down", **k),
        "amihud root": M.amihud(c, v, root=True, **k),
        "high_low_impact": M.high_low_impact(h, l, v, **k),
        "kyle_obizhaeva": M.kyle_obizhaeva(c, v, **k),
        "amivest": M.amivest(c, v, **k),
    }


DESIGNS = {
    "liquid": {"spread": 0.01},
    "narrow": {"spread": 0.001},
    "thin": {"spread": 0.01, "seen": 0.1},
    "nights": {"spread": 0.01, "overnight": 0.02},
}


@pytest.mark.parametrize("design", DESIGNS)
def test_errors_cover_what_they_estimate(design):
    """Windows of 63 bars, 800 assets; the target is what the estimator gives on average over a long sample.

    The binomial error of a coverage of 95 % over 800 assets is 0.8 points; 88 to 98 % is what is promised of 63 bars.
    """
    bars = ds.simulate.bars(63, 800, trades=100, seed=5, **DESIGNS[design])
    target = estimates(ds.simulate.bars(20_000, 4, trades=100, seed=6, **DESIGNS[design]), 20_000)
    found = estimates(bars, 63)
    for name, one in found.items():
        truth = float(np.mean(target[name].estimate.iloc[-1]))
        estimate, error = (t.iloc[-1].to_numpy() for t in (one.estimate, one.std_error))
        ends = one.interval()
        lower, upper = (t.iloc[-1].to_numpy() for t in (ends.lower, ends.upper))
        assert np.isfinite(error).mean() > 0.99, name
        assert 0.88 <= np.mean(np.abs(estimate - truth) <= 1.96 * error) <= 0.98, name
        assert 0.88 <= np.mean((lower <= truth) & (truth <= upper)) <= 0.98, name


def test_simulated_bars_are_what_they_say():
    bars = ds.simulate.bars(300, 3, spread=0.02, volatility=0.01, trades=50, impact=1e-9, seed=1)
    assert (bars.high >= np.maximum(bars.open, bars.close)).to_numpy().all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).to_numpy().all()
    assert (bars.signed_dollar_volume.abs() <= bars.dollar_volume).to_numpy().all()
    price = bars.dollar_volume / bars.volume
    assert ((price >= bars.low) & (price <= bars.high)).to_numpy().all()
    again = ds.simulate.bars(300, 3, spread=0.02, volatility=0.01, trades=50, impact=1e-9, seed=1)
    pd.testing.assert_frame_equal(bars.close, again.close)
    assert "300 rows × 3 assets, mean spread 2.0000%" in repr(bars)


def test_simulated_returns_have_the_variance_and_the_impact_asked_for():
    bars = ds.simulate.bars(4000, 1, spread=0.0, volatility=0.02, trades=60, overnight=0.01, impact=2e-8, seed=2)
    moves = np.log(bars.close["A0"]).diff().dropna()
    signed = bars.signed_dollar_volume["A0"].iloc[1:]
    slope = np.cov(moves, signed)[0, 1] / signed.var()
    # Three standard errors of a slope with 4000 rows.
    rest = moves - slope * signed
    assert slope == pytest.approx(2e-8, abs=3 * rest.std() / signed.std() / np.sqrt(4000))
    assert rest.std() == pytest.approx(np.hypot(0.02, 0.01), rel=3 / np.sqrt(2 * 4000))


def test_thin_bars_have_holes_and_spreads_may_move():
    bars = ds.simulate.bars(200, 2, trades=20, seen=0.02, seed=3)
    empty = bars.close.isna()
    assert 0.5 < empty.to_numpy().mean() < 0.8  # 0.98 to the power of 20 is 0.67
    assert (bars.volume[empty].fillna(0) == 0).to_numpy().all()
    spread = np.linspace(0.001, 0.05, 200)
    moving = ds.simulate.bars(200, 2, spread=spread, seed=3)
    np.testing.assert_array_equal(moving.spread["A1"], spread)
    for bad in ({"spread": -0.1}, {"spread": 2.5}, {"spread": np.ones(3)}, {"seen": 0}, {"rows": 0}, {"trades": 1.5}):
        with pytest.raises(OptionError):
            ds.simulate.bars(**({"rows": 20} | bad))
