"""Margins fitted eight side by side are those fitted one by one, and corners are left to the search that knows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.models.coliquidity.margins.batch import _Search, fit_plain
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def panel():
    """Eleven series: eight of a usual kind, white noise, a fat-tailed one and one with an outlier of 50 sigma."""
    rng = np.random.default_rng(3)
    y = 0.03 + np.hstack([twins.simulate_dcc(700, 8, seed=4), rng.standard_normal((700, 2)), np.zeros((700, 1))])
    y[:, 9] = rng.standard_t(3, 700)
    y[:, 10] = y[:, 0] + rng.standard_normal(700)
    y[300, 10] = 50.0
    return pd.DataFrame(y, columns=list("ABCDEFGHIJK"))


def test_value_gradient_and_information_are_exact(panel):
    """Against the recursion in plain NumPy, and differences of it, at a point that is no optimum."""
    y = (panel.to_numpy() - panel.to_numpy().mean(axis=0)).T.copy()
    search, rows = _Search(ds.GARCH(), y), np.arange(11)

    def plain(u, i):
        total, share = 0.9999 / (1.0 + np.exp(-u[2])), 1.0 / (1.0 + np.exp(-u[3]))
        e, omega = y[i] - u[0], np.exp(u[1]) * (1.0 - total)
        h = twins.garch_variance(e, omega, [total * share], [], [total * (1.0 - share)], np.mean(e**2), True)
        return -0.5 * (np.log(h) + e**2 / h).sum(), h

    u = np.tile([0.05, 0.1, 2.5, -2.0], (11, 1))
    at = search.points(u, rows)
    for i in (0, 4, 10):
        value, h = plain(u[i], i)
        assert at.value[i] == pytest.approx(value, rel=1e-12)
        slopes = np.empty((4, 700))
        for k in range(4):
            step = 1e-5 * np.eye(4)[k]
            (ahead, above), (behind, below) = plain(u[i] + step, i), plain(u[i] - step, i)
            assert at.gradient[i, k] == pytest.approx((behind - ahead) / 2e-5 / 700, rel=1e-6, abs=1e-8)
            slopes[k] = (np.log(above) - np.log(below)) / 2e-5
        information = 0.5 * slopes @ slopes.T / 700
        information[0, 0] += np.mean(1.0 / h)
        np.testing.assert_allclose(at.curvature[i], information, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mean", ["constant", "zero"])
def test_together_is_one_by_one(panel, mean):
    together = ds.GARCH(mean=mean).fit(panel)
    alone = [ds.GARCH(mean=mean).fit(panel[c]) for c in panel]
    names = ("theta", "units", "offset", "level", "start_level", "sizes", "loads", "basis", "loglikelihood", "nobs")
    for one, other in zip(together.fits, (a.fits[0] for a in alone), strict=True):
        for name in (*names, "scale", "shift", "persistence"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-8, atol=1e-9, err_msg=name)
        assert one.converged == other.converged
        assert one.notes == other.notes
    errors = np.concatenate([a.std_errors for a in alone])
    np.testing.assert_allclose(together.std_errors, errors, rtol=1e-5)
    assert sum(fit is not None for fit in fit_plain(ds.GARCH(mean=mean), panel.to_numpy())) >= 7


def test_order_unit_and_bad_neighbours_do_not_matter(panel):
    base = ds.GARCH().fit(panel)
    shuffled = ds.GARCH().fit(panel[panel.columns[::-1]])
    small = ds.GARCH().fit(panel / 100.0 + 1.0)
    ill = panel.assign(X=np.nan, Y=1.0).mask(lambda x: x.index.to_numpy()[:, None] < [5 * (c == "D") for c in x])
    beside = ds.GARCH().fit(ill)
    for c in "ABCEFGH":
        for k, unit in (("alpha1", 1.0), ("beta1", 1.0), ("omega", 1e4)):
            value = base.params[f"{c}.{k}"]
            assert shuffled.params[f"{c}.{k}"] == pytest.approx(value, rel=1e-9)
            assert beside.params[f"{c}.{k}"] == pytest.approx(value, rel=1e-9)
            assert small.params[f"{c}.{k}"] * unit == pytest.approx(value, rel=1e-7)
    assert list(beside.status.index[beside.status["reason"] != ""]) == ["X", "Y"]


def test_other_kinds_are_left_alone(panel):
    """Fewer than eight series, other laws, starts and orders give what they give one by one."""
    for spec in (ds.GARCH(dist="t"), ds.GARCH(start="arch"), ds.GARCH(o=1)):
        together = spec.fit(panel.iloc[:300])
        alone = spec.fit(panel["C"].iloc[:300])
        np.testing.assert_allclose(together.fits[2].theta, alone.fits[0].theta, atol=1e-12)
