"""Simulated forecasts: exact one step on, equal to a brute-force simulation further out."""

from __future__ import annotations

import numpy as np
import pytest

import drainstats as ds
from drainstats.errors import OptionError
from tests.models.coliquidity import twins

SPECS = [ds.DCC(order=(2, 1)), ds.CDCC(), ds.ADCC(dist="t")]


@pytest.fixture(scope="module", params=SPECS, ids=lambda s: type(s).__name__)
def res(request):
    return request.param.fit(twins.simulate_dcc(800, 3, seed=3))


def test_one_step_is_exact_and_a_seed_repeats(res):
    drawn = res.forecast(5, method="simulation", draws=50, seed=1)
    np.testing.assert_allclose(drawn.correlation[0], res.forecast(1).correlation[0], atol=1e-12)
    again = res.forecast(5, method="simulation", draws=50, seed=1)
    np.testing.assert_array_equal(drawn.correlation, again.correlation)
    np.testing.assert_array_equal(drawn.variance, res.forecast(5).variance)
    np.testing.assert_allclose(np.diagonal(drawn.correlation, axis1=1, axis2=2), 1.0, atol=1e-12)


def test_mean_over_futures_by_hand():
    """Each future run by itself through the recursion."""
    res = ds.DCC(margins=ds.GARCH(mean="zero")).fit(twins.simulate_dcc(800, 3, seed=3))
    a, b = res.params[["a1", "b1"]]
    first, S = res.forecast(1), res.target
    rng, level = np.random.default_rng(0), np.zeros((4, 3, 3))
    # Q behind the one-step forecast: the recursion's own last state.
    path, news, _ = res.tail(1)
    Q1 = (1.0 - a - b) * S + a * news[0] + b * path[0]
    for _ in range(4000):
        Q = Q1
        for h in range(4):
            d = np.sqrt(np.diag(Q))
            R = Q / np.outer(d, d)
            level[h] += R / 4000.0
            z = np.linalg.cholesky(R) @ rng.standard_normal(3)
            Q = (1.0 - a - b) * S + a * np.outer(z, z) + b * Q
    np.testing.assert_allclose(level[0], first.correlation[0], atol=1e-12)
    drawn = res.forecast(4, method="simulation", draws=4000).correlation
    # Two means of 4000 correlations that spread by about 0.06: three errors of their difference are 0.004.
    np.testing.assert_allclose(drawn, level, atol=4e-3)


def test_far_ahead_it_stays_near_the_target(res):
    far = res.forecast(300, method="simulation", draws=300).correlation[-50:].mean(axis=0)
    S = res.target.reshape(-1, 3, 3)[0]
    # E R is drawn towards zero beside S, by a second-order term; both stay within a few hundredths.
    assert np.abs(far - S / np.sqrt(np.outer(np.diag(S), np.diag(S)))).max() < 0.06


def test_bad_input(res):
    with pytest.raises(OptionError):
        res.forecast(2, method="simulation", draws=0)
    with pytest.raises(OptionError):
        res.forecast(2, method="montecarlo")
