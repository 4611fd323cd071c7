"""GO-GARCH against rmgarch 1.4-2 (R): its likelihood and covariance at its own estimates, and our optimum above it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

import drainstats as ds
from tests.models.coliquidity import twins

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def stored(data_root):
    folder = data_root / "reference" / "coliquidity"
    expected = json.loads((folder / "expected" / "rmgarch_arch3_gogarch_mvnorm.json").read_text())
    return pd.read_csv(folder / "data" / "arch3_ret.csv", index_col=0), expected


def factor_paths(f, coef):
    """Variances of the factors, the first of each its mean square."""
    columns = zip(f.T, np.array(coef).T, strict=True)
    return np.column_stack([twins.garch_variance(x, w, [a], [], [b], np.mean(x**2), True) for x, (w, a, b) in columns])


def test_likelihood_at_the_stored_estimates(stored):
    """rmgarch does not store its constants, which are not the sample means: they follow from its last covariance.

    That matrix is A diag(h) A' for any mean; three variances give three shifts of the factors, and with these the
    likelihood, a fourth number, must agree. The means differ by 0.0012 at most, 0.06 of their standard error.
    """
    y, expected = stored
    A, H = np.array(expected["A"]), np.array(expected["H_last"])
    f = np.linalg.solve(A, (y - y.mean()).to_numpy().T).T
    inside = np.linalg.solve(A, np.linalg.solve(A, H).T)
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-12)
    for i in range(3):
        column, weights = f[:, [i]], np.array(expected["coef"])[:, [i]]

        def gap(shift, column=column, weights=weights, target=inside[i, i]):
            return factor_paths(column + shift, weights)[-1, 0] - target

        f[:, i] += brentq(gap, -0.02, 0.02, xtol=1e-14)
    h = factor_paths(f, expected["coef"])
    value = -0.5 * (np.log(2.0 * np.pi * h) + f**2 / h).sum() - len(f) * np.linalg.slogdet(A)[1]
    assert value == pytest.approx(expected["loglik"], abs=1e-6)


def test_our_optimum_is_higher_and_the_covariance_near(stored):
    """rmgarch takes U from independent components, we from the likelihood: 8.8 units higher, and another last day."""
    y, expected = stored
    fit = ds.GOGARCH().fit(y)
    assert fit.converged
    assert fit.loglikelihood > expected["loglik"] + 8.0
    A = np.array(expected["A"])
    # Both mixing matrices reproduce the same sample covariance.
    ours = fit.mixing.to_numpy()
    np.testing.assert_allclose(ours @ ours.T, A @ A.T, rtol=1e-3)
    # The factor that carries oil is the same in both: its loadings up to sign, in units of the volatilities.
    match = np.abs(ours.T @ np.linalg.solve(A @ A.T, A))
    assert match.max(axis=0).min() > 0.95
    np.testing.assert_allclose(np.abs(fit.last.to_numpy()), np.abs(np.array(expected["R_last"])), atol=0.05)


def test_likelihood_at_the_rotation_of_multiarch(stored):
    """multiarch takes U from independent components too, with margins that start as arch does.

    At its rotation and start our likelihood is its own; at our rotation, found under another start, it is 1.4 higher.
    """
    multiarch = pytest.importorskip("multiarch")
    y = stored[0]
    theirs = multiarch.GOGARCH(y).fit()

    def value(mixing):
        f = np.linalg.solve(mixing, (y - y.mean()).to_numpy().T).T
        margins = ds.GARCH(mean="zero", start="arch").fit(f)
        return margins.loglikelihood - len(f) * np.linalg.slogdet(mixing)[1]

    assert value(np.asarray(theirs.A)) == pytest.approx(theirs.loglik, abs=1e-4)
    assert value(ds.GOGARCH().fit(y).mixing.to_numpy()) > theirs.loglik + 1.0
