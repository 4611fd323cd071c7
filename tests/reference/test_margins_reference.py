"""GARCH, GJR and EGARCH margins with any mean under four laws against arch 8: likelihood, parameters, robust errors."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference

# Persistence of C, and of AXP and BAC under the t, goes to 1, where arch lets it go and we stop at max_persistence.
LIMIT = 1.0 - 1e-9
SERIES = ("sp500", "nasdaq", "wti", "AA", "AXP", "C")
DISTS = ("normal", "t", "skewt", "ged")


@pytest.fixture(scope="module")
def returns(data_root):
    folder = data_root / "reference" / "coliquidity" / "data"
    indexes = pd.read_csv(folder / "arch3_ret.csv", index_col=0)
    stocks = 100.0 * pd.read_csv(folder / "dji30ret.csv.gz", index_col=0)
    return {name: (indexes if name in indexes else stocks)[name].to_numpy() for name in SERIES}


def fitted_by_arch(x, o, dist):
    """arch with a tighter stop; where SLSQP gives up in its line search (code 8) it has arrived."""
    from arch import arch_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = arch_model(x, p=1, o=o, q=1, dist=dist, rescale=False)
        return model.fit(disp="off", show_warning=False, options={"ftol": 1e-12, "maxiter": 500})


@pytest.mark.parametrize("dist", DISTS)
@pytest.mark.parametrize("o", [0, 1])
@pytest.mark.parametrize("name", SERIES)
def test_arch_has_the_same_optimum(returns, name, o, dist):
    x = returns[name]
    ours, theirs = ds.GARCH(o=o, dist=dist, start="arch", max_persistence=LIMIT).fit(x), fitted_by_arch(x, o, dist)
    bound = any("limit" in n for n in ours.notes)
    assert ours.converged
    # At the bound arch ends up to 1e-9 beyond ours, which the likelihood of C notices (3e-4).
    assert ours.loglikelihood > theirs.loglikelihood - (1e-3 if bound else 1e-5)
    np.testing.assert_allclose(ours.params, theirs.params, atol=1e-4, rtol=2e-5)
    np.testing.assert_allclose(ours.conditional_volatility, theirs.conditional_volatility, rtol=1e-4)
    if bound or ours.std_errors.isna().any():
        # arch inverts the Hessian as if nothing stood on a bound, we condition on it: other questions.
        return
    ratio = ours.std_errors.to_numpy() / theirs.std_err.to_numpy()
    if dist == "ged":
        # The second derivative in mu is a mean of |z|^(nu - 2), without a variance below nu = 1.5, and stock prices in
        # eighths put one return in ten on zero exactly: arch's differences over 1e-5 and our window differ there.
        ratio = ratio[1:] if name in ("AA", "AXP") else ratio
    assert np.abs(ratio - 1.0).max() < 0.05


def test_a_wild_series_among_others(returns):
    """Fits are the same alone and in company, whatever stands beside them."""
    table = pd.DataFrame({k: returns[k][:1500] for k in ("AA", "AXP", "C")})
    table["crash"] = table["AA"].where(table.index != 700, -60.0)
    table["late"] = table["C"].where(table.index > 400)
    res = ds.GARCH(o=1, dist="t").fit(table)
    assert res.status["converged"].all()
    assert res.status["nobs"].tolist() == [1500, 1500, 1500, 1500, 1099]
    alone = ds.GARCH(o=1, dist="t").fit(table["AXP"])
    np.testing.assert_array_equal(res.params.filter(like="AXP."), alone.params)


MODELS = {
    "egarch": (ds.EGARCH(start="arch"), 0),
    "arx-egarch": (ds.EGARCH(mean="ar", lags=2, start="arch"), 2),
    "arx-gjr": (ds.GARCH(o=1, mean="ar", lags=2, start="arch"), 2),
    "harx-garch": (ds.GARCH(mean="har", start="arch", max_persistence=LIMIT), 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("dist", DISTS)
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", ["sp500", "wti"])
def test_arch_has_the_same_optimum_with_other_means_and_in_logs(returns, name, kind, dist):
    from arch import univariate as theirs

    spec, count = MODELS[kind]
    y = returns[name]
    x = np.column_stack([np.random.default_rng(0).standard_normal(len(y)), np.arange(len(y)) % 5 == 0]).astype(float)
    x = x[:, :count] if count else None
    ours = dataclasses.replace(spec, dist=dist).fit(y, mean_x=x)
    lags = {"constant": None, "ar": 2, "har": [1, 5, 22]}[spec.mean]
    model = (theirs.HARX if spec.mean == "har" else theirs.ARX)(y, x=x, lags=lags, rescale=False)
    model.volatility = (theirs.EGARCH if spec.exponential else theirs.GARCH)(1, spec.o, 1)
    laws = {"normal": theirs.Normal, "t": theirs.StudentsT, "skewt": theirs.SkewStudent}
    model.distribution = laws.get(dist, theirs.GeneralizedError)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit(disp="off", show_warning=False, options={"ftol": 1e-12, "maxiter": 500})
    assert ours.converged
    # |z| is rounded within 1e-5 of zero: up to 6e-6 of log-likelihood.
    assert ours.loglikelihood > found.loglikelihood - 1e-5
    if ours.loglikelihood > found.loglikelihood + 1e-5:
        # In logs the likelihood has a corner wherever the mean meets an observation, and SLSQP may stop in one.
        assert spec.exponential
        return
    np.testing.assert_allclose(ours.params, found.params, atol=1e-4, rtol=2e-5)
    rows = len(y) - len(ours.index)
    np.testing.assert_allclose(ours.conditional_volatility, found.conditional_volatility[rows:], rtol=1e-4)
    if ours.std_errors.isna().any() or kind == "arx-egarch":
        # With five parameters in the mean some optimum stands in such a corner, where arch's differences of the
        # likelihood over 1e-5 have no second derivative to find: errors off by factors, as seen in its own output.
        return
    ratio = ours.std_errors.to_numpy() / found.std_err.to_numpy()
    # Corners again, and the cusp of a GED: arch's differences of the mean over 1e-5 see some of them or none.
    first = list(ours.params.index).index("omega") if spec.exponential or dist == "ged" else 0
    assert np.abs(ratio[first:] - 1.0).max() < 0.05
