"""The law of a day's largest drift burst: against simulation, size on whole days, the table and the figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.crashes.burstlaw import _critical, _exceedance
from drainstats.errors import DataError, OptionError


def chains(rho, draws, seed):
    """Largest absolute values of Gaussian chains with these correlations of neighbours."""
    z = np.random.default_rng(seed).normal(size=(draws, len(rho) + 1))
    for k, r in enumerate(rho):
        z[:, k + 1] = r * z[:, k] + np.sqrt(1 - r * r) * z[:, k + 1]
    return np.abs(z).max(axis=1)


@pytest.mark.parametrize("kind", ["equal", "irregular", "independent"])
def test_chance_of_the_maximum_against_simulation(kind):
    gaps = {"equal": np.full(199, 0.2), "irregular": np.random.default_rng(3).exponential(0.2, 199)}
    rho = np.exp(-gaps[kind]) if kind in gaps else np.zeros(199)
    top = chains(rho, 4000, 1)
    for c in (2.5, 3.0, 3.5):
        p = _exceedance(c, rho)
        # Four standard errors of the simulated share; classes of steps cost less than that.
        assert p == pytest.approx((top > c).mean(), abs=4 * np.sqrt(p * (1 - p) / 4000) + 1e-3)
    if kind == "independent":
        from scipy.special import ndtr

        assert _exceedance(3.0, rho) == pytest.approx(1 - (2 * ndtr(3.0) - 1) ** 200, rel=1e-9)


def test_the_critical_value_is_where_the_chance_is_the_level():
    rho = np.exp(-np.full(389, 0.2))
    c = _critical(0.01, rho)
    assert _exceedance(c, rho) == pytest.approx(0.01, rel=1e-3)
    assert 4.1 < c < 4.2
    assert _exceedance(12.0, rho) < 1e-25


def walk_days(days, seed):
    stamps = pd.DatetimeIndex(np.concatenate(
        [pd.date_range(f"2024-01-{d + 1:02d} 14:30", periods=7201, freq="1s", tz="UTC") for d in range(days)]
    ))  # fmt: skip
    return pd.Series(np.cumsum(np.random.default_rng(seed).normal(0, 1e-4, len(stamps))), stamps)


def test_a_row_a_day_and_the_planted_burst():
    path = walk_days(3, 0)
    moves = path.diff().fillna(0.0)
    moves.iloc[7201 + 5000 : 7201 + 5300] -= 1.2e-4
    bursts = ds.drift_burst(moves.cumsum(), start="scaled", longest_gap=3600)
    found = ds.drift_burst_test(bursts, burn_in=5)
    assert len(found) == 3
    assert (found["tests"] == 116).all()
    row = found.iloc[1]
    assert row["p_value"] < 1e-3
    assert row["statistic"] < -row["critical"]
    planted = pd.Timestamp("2024-01-02 14:30", tz="UTC") + pd.Timedelta("5300s")
    assert abs(row["at"] - planted) <= pd.Timedelta("2min")
    gumbel = ds.drift_burst_test(bursts, law="gumbel", burn_in=5)
    assert (gumbel["critical"] > found["critical"]).all()
    # The day's own first autocorrelation is near that of the bandwidth, exp(-60 / 300).
    fitted = ds.drift_burst_test(bursts.iloc[:120], law="fitted", burn_in=5)
    assert fitted["critical"].iloc[0] == pytest.approx(found["critical"].iloc[0], abs=0.1)
    wide = ds.drift_burst_test(pd.DataFrame({"A": bursts["statistic"], "B": -bursts["statistic"]}))
    np.testing.assert_allclose(wide.xs("A", level="asset")["p_value"], wide.xs("B", level="asset")["p_value"])


def test_days_without_a_statistic_are_rows():
    stamps = pd.date_range("2024-01-01", periods=2, freq="1D", tz="UTC")
    found = ds.drift_burst_test(pd.Series([np.nan, 1.0], stamps, name="statistic"))
    assert found["tests"].tolist() == [0, 1]
    assert np.isnan(found["p_value"].iloc[0])
    assert found["p_value"].iloc[1] == pytest.approx(0.3173, abs=1e-3)
    with pytest.raises(DataError):
        ds.drift_burst_test([1.0])
    with pytest.raises(OptionError):
        ds.drift_burst_test(pd.Series([1.0]), level=5)


@pytest.mark.slow
def test_size_of_the_daily_test():
    """400 random-walk sessions of 23 400 seconds: at most twice the level rejects, and the median p is near a half."""
    walks = np.cumsum(np.random.default_rng(7).normal(0, 1e-4, (23401, 400)), axis=0)
    bursts = ds.drift_burst(walks, np.arange(60.0, 23401.0, 60.0), start="scaled", lags=5)["statistic"]
    p = ds.drift_burst_test(bursts.iloc[14:])["p_value"]
    # Three binomial standard errors around 5 % are 3.3 points; sigma is estimated, which makes tails heavier.
    assert 0.02 < (p < 0.05).mean() < 0.12


def test_the_figure_shows_what_lies_outside():
    pytest.importorskip("matplotlib")
    path = walk_days(1, 2)
    path.iloc[5000:] -= np.minimum(np.arange(len(path) - 5000) * 1.5e-4, 0.05)
    bursts = ds.drift_burst(path, start="scaled")
    figure = ds.plot_drift_burst(np.exp(path), bursts)
    below = figure.axes[1]
    assert np.isfinite(np.asarray(below.lines[-2].get_ydata(), dtype=float)).any()
    with pytest.raises(DataError, match="several assets"):
        ds.plot_drift_burst(path, pd.concat({"a": bursts, "b": bursts}, axis=1).swaplevel(axis=1))


@pytest.mark.parametrize("burn_in", [-1, True, 1.5])
def test_burn_in_counts_tests(burn_in):
    path = np.random.default_rng(0).normal(0, 1e-4, 4000).cumsum()
    bursts = ds.drift_burst(path)
    with pytest.raises(OptionError, match="burn_in"):
        ds.drift_burst_test(bursts, burn_in=burn_in)
    with pytest.raises(DataError, match="no rows"):
        ds.drift_burst_test(bursts[:0])


def test_moments_and_bandwidths_that_cannot_be_meant():
    stamps = pd.date_range("2024-03-01", periods=400, freq="s", tz="UTC")
    path = pd.Series(np.random.default_rng(0).normal(0, 1e-4, 400).cumsum(), stamps)
    with pytest.raises(DataError, match="holds numbers, the prices have stamps"):
        ds.drift_burst(path, [300])
    with pytest.raises(DataError, match="no list of moments"):
        ds.drift_burst(path, stamps[300])
    for bandwidth in ("300", True, 0, np.nan):
        with pytest.raises(OptionError, match="mean_bandwidth"):
            ds.drift_burst(path, mean_bandwidth=bandwidth)
    for time, price in (("soon", 1.0), (0.0, "high"), (0.0, None)):
        with pytest.raises(DataError, match=r"neither a stamp|no number"):
            ds.DriftBurst().update(time, price)
