"""CCC: the correlation of standardised residuals, its standard errors, and the same promises as DCC."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1500, 3, seed=21, a=0.0, b=0.0)
    return pd.DataFrame(y, columns=list("ABC"))


def test_contract_and_loglikelihood(panel):
    res = ds.CCC().fit(panel)
    z, vol, R = res.std_resid.to_numpy(), res.conditional_volatility.to_numpy(), res.last.to_numpy()
    assert list(res.params.index[-3:]) == ["corr(A, B)", "corr(A, C)", "corr(B, C)"]
    np.testing.assert_allclose(np.diag(R), 1.0)
    expected = -0.5 * (3 * np.log(2 * np.pi) + np.linalg.slogdet(R)[1] + 2 * np.log(vol).sum(1))
    expected = expected - 0.5 * np.einsum("ti,ij,tj->t", z, np.linalg.inv(R), z)
    assert res.loglikelihood == pytest.approx(expected.sum(), rel=1e-12)
    assert res.correlation.shape == (1500, 3, 3)
    np.testing.assert_array_equal(res.pair("A", "C"), np.full(1500, R[0, 2]))
    np.testing.assert_array_equal(res.forecast(10).correlation[9], R)
    assert res.converged
    assert "corr(A, B)" in str(res.summary())
    assert repr(res).startswith("<CCC")


def test_it_is_dcc_without_movement(panel):
    ccc, dcc = ds.CCC().fit(panel), ds.DCC().fit(panel)
    assert dcc.loglikelihood >= ccc.loglikelihood - 1e-6
    np.testing.assert_allclose(dcc.target, ccc.last, atol=1e-14)


def test_cross_derivatives_equal_differences(panel):
    """The standard errors see that the residuals are estimated: perturb omega and remake the correlation."""
    res = ds.CCC().fit(panel)
    margins = res.margins

    def correlation_at(k, step):
        fit = margins.fits[0]
        theta = fit.theta + step * np.eye(4)[k]
        params = margins.params.copy()
        params.iloc[:4] = theta * fit.units + fit.offset
        moved = dataclasses.replace(
            margins, fits=(dataclasses.replace(fit, theta=theta), *margins.fits[1:]), params=params
        )
        z = moved.std_resid_values
        return (z[:, 0] @ z[:, 1]) / np.sqrt((z[:, 0] @ z[:, 0]) * (z[:, 1] @ z[:, 1]))

    z = margins.std_resid_values
    size, T = np.sqrt((z**2).mean(0)), len(z)
    x, rho = z / size, res.params["corr(A, B)"]
    slope = np.zeros_like(z)
    slope[:, 0], slope[:, 1] = (x[:, 1] - rho * x[:, 0]) / size[0], (x[:, 0] - rho * x[:, 1]) / size[1]
    exact = margins.pull_back(slope) / T
    for k in range(4):
        assert exact[k] == pytest.approx((correlation_at(k, 1e-5) - correlation_at(k, -1e-5)) / 2e-5, abs=1e-6)


def test_standard_error_is_near_the_textbook_one(panel):
    res = ds.CCC().fit(panel)
    rho = res.params["corr(B, C)"]
    # With normal residuals the error of a correlation is (1 - rho^2) / sqrt(T); estimated margins change it little.
    assert res.std_errors["corr(B, C)"] == pytest.approx((1 - rho**2) / np.sqrt(1500), rel=0.15)


def test_simulation_recovers_the_correlation(panel):
    res = ds.CCC().fit(panel)
    again = ds.CCC().fit(res.simulate(6000, seed=3))
    # Five standard errors of 6000 rows.
    np.testing.assert_allclose(again.last, res.last, atol=0.06)


def test_bad_input_is_a_sentence(panel):
    with pytest.raises(DataError, match="one asset"):
        ds.CCC().fit(panel[["A"]])
    with pytest.raises(DataError, match="same series"):
        ds.CCC().fit(panel.assign(D=panel["B"]))
    with pytest.raises(DataError, match=r"carry the same|combination"):
        ds.CCC().fit(panel.assign(D=panel["B"] + 1e-7 * panel["C"]))
