"""Margins that somebody else fitted: plain residuals, results of arch, fitted margins of ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch import arch_model

import drainstats as ds
from drainstats.errors import DataError
from tests.models.coliquidity import twins

MODELS = [ds.CCC, ds.DCC, ds.CDCC, ds.DECO]


@pytest.fixture(scope="module")
def panel():
    days = pd.date_range("2020-01-01", periods=900, tz="UTC")
    return pd.DataFrame(twins.simulate_dcc(900, 3, seed=4), columns=list("ABC"), index=days)


def by_arch(panel, **options):
    return {name: arch_model(panel[name], rescale=False, **options).fit(disp="off", tol=1e-12) for name in panel}


@pytest.fixture(scope="module")
def theirs(panel):
    return by_arch(panel)


@pytest.mark.parametrize("model", MODELS)
def test_arch_residuals_and_our_margins_give_the_same_correlation(panel, theirs, model):
    """Results of arch = plain residuals computed from them, exactly; ours with their start to the search's accuracy."""
    arch = model().fit(theirs)
    z = pd.DataFrame({name: r.resid / r.conditional_volatility for name, r in theirs.items()})
    plain = model(margins=None).fit(z)
    ours = model(margins=ds.GARCH(start="arch")).fit(panel)
    k = len(plain.params)
    np.testing.assert_allclose(arch.params, plain.params, atol=1e-9)
    np.testing.assert_allclose(arch.params, ours.params[-k:], atol=1e-4)
    np.testing.assert_allclose(arch.last, ours.last, atol=1e-4)
    assert arch.loglikelihood == pytest.approx(ours.loglikelihood, abs=1e-3)
    np.testing.assert_allclose(arch.conditional_volatility, ours.conditional_volatility, rtol=1e-3)
    # arch's own sum is that of independent normals, as ours is.
    assert arch.margins.loglikelihood == pytest.approx(sum(r.loglikelihood for r in theirs.values()), abs=1e-8)
    assert arch.margins.gaussian_loglikelihood == pytest.approx(arch.margins.loglikelihood, abs=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_fitted_margins_stand_in_place_of_a_table(panel, model):
    """The same answer as fitting them again, standard errors of both steps included."""
    base = model().fit(panel)
    for other in (model().fit(base.margins), model().fit(ds.GARCH().fit(panel)), model(margins=None).fit(base)):
        np.testing.assert_array_equal(other.params, base.params)
        np.testing.assert_allclose(other.std_errors, base.std_errors, rtol=1e-10)
        assert other.loglikelihood == base.loglikelihood
        assert repr(other) == repr(base)


@pytest.mark.parametrize("model", MODELS)
def test_errors_are_those_of_known_margins_and_it_is_said(panel, model):
    z = ds.GARCH().fit(panel).std_resid
    res = model(margins=None).fit(z)
    assert any("taken as known" in n for n in res.notes)
    assert "on given residuals" in res.title
    assert np.isfinite(res.std_errors).all()
    assert res.param_covariance.shape == (len(res.params),) * 2
    assert list(res.margins.summary().table.index) == []
    if model is ds.CCC:
        # Delta method by hand on residuals scaled to unit second moments.
        x = z.to_numpy() / np.sqrt((z.to_numpy() ** 2).mean(axis=0))
        rho = res.params["corr(A, B)"]
        moment = x[:, 0] * x[:, 1] - rho * (x[:, 0] ** 2 + x[:, 1] ** 2) / 2
        assert res.std_errors["corr(A, B)"] == pytest.approx(moment.std() / np.sqrt(900), rel=1e-10)
    if model is ds.DCC:
        full = model().fit(panel)
        # The first step matters little for a and b here: a tenth at most.
        np.testing.assert_allclose(res.std_errors, full.std_errors[-2:], rtol=0.25)


@pytest.mark.parametrize("model", MODELS)
def test_filter_of_new_residuals(panel, model):
    """The fit on its own data, and no row that depends on later ones."""
    z = ds.GARCH().fit(panel).std_resid
    res = model(margins=None).fit(z)
    again = res.filter(z)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-9)
    pd.testing.assert_series_equal(again.average_correlation, res.average_correlation)
    short = res.filter(z.iloc[:40])
    np.testing.assert_allclose(short.pair("A", "C"), res.pair("A", "C")[:40], atol=1e-14)
    assert "filtered at fixed parameters" in repr(short)
    np.testing.assert_array_equal(short.std_errors, res.std_errors)
    with pytest.raises(DataError, match="columns"):
        res.filter(z[["A", "B"]])


def test_filter_forecast_and_simulation_of_arch_margins(panel, theirs):
    res, ours = ds.DCC().fit(theirs), ds.DCC(margins=ds.GARCH(start="arch")).fit(panel)
    np.testing.assert_allclose(res.forecast(5).covariance, ours.forecast(5).covariance, rtol=2e-3, atol=1e-4)
    half = panel.iloc[:450]
    new = {name: arch_model(half[name], rescale=False).fix(r.params) for name, r in theirs.items()}
    filtered = res.filter(new)
    assert filtered.nobs == 450
    # arch starts the variance from the first squares about the mean of the rows that it sees: half of them here. The
    # start fades at the rate of beta.
    np.testing.assert_allclose(filtered.pair("A", "B"), res.pair("A", "B")[:450], atol=2e-3)
    np.testing.assert_allclose(filtered.pair("A", "B")[250:], res.pair("A", "B")[250:450], atol=1e-6)
    made = res.simulate(4000, seed=1)
    pd.testing.assert_frame_equal(made, res.simulate(4000, seed=1))
    np.testing.assert_allclose(made.std(), ours.simulate(4000, seed=1).std(), rtol=0.02)
    assert ds.DCC(margins=None).fit(res.std_resid).simulate(4000, seed=1).std().between(0.9, 1.1).all()
    assert (ds.DCC(margins=None).fit(res.std_resid).forecast(3).variance == 1.0).all(axis=None)
    with pytest.raises(DataError, match="arch"):
        res.filter(panel)


def test_units_of_rescaled_results_are_those_of_the_data(panel, theirs):
    """arch may multiply a series by ten or a hundred before it fits; volatilities come back in the data's unit."""
    small = {name: arch_model(panel[name] / 1000.0, rescale=True).fit(disp="off", tol=1e-12) for name in panel}
    base, res = ds.DCC().fit(theirs), ds.DCC().fit(small)
    assert small["A"].scale > 1.0
    np.testing.assert_allclose(res.conditional_volatility * 1000.0, base.conditional_volatility, rtol=1e-3)
    np.testing.assert_allclose(res.forecast(2).variance * 1e6, base.forecast(2).variance, rtol=2e-3)
    assert res.loglikelihood == pytest.approx(base.loglikelihood + 3 * 900 * np.log(1000.0), abs=1e-2)
    assert res.margins.loglikelihood == pytest.approx(base.margins.loglikelihood + 3 * 900 * np.log(1000.0), abs=1e-2)
    np.testing.assert_allclose(res.simulate(3000).std() * 1000.0, base.simulate(3000).std(), rtol=2e-3)


def test_lags_in_the_mean_leave_first_rows_out(panel):
    res = ds.DCC().fit(by_arch(panel, mean="AR", lags=2, vol="EGARCH", dist="t"))
    assert res.nobs == 898
    assert res.index.equals(panel.index[2:])
    assert any("first 2 rows" in n for n in res.notes)
    assert res.forecast(1).variance.shape == (1, 3)
    with pytest.raises(DataError, match="horizon 3"):
        res.forecast(3)
    with pytest.raises(DataError, match="joint shocks"):
        res.simulate(10)


def test_constancy_of_given_margins(theirs):
    for method in ("engle_sheppard", "tse"):
        found = ds.constant_correlation_test(theirs, method)
        z = ds.DCC().fit(theirs).std_resid
        assert found.statistic == pytest.approx(
            ds.constant_correlation_test(z, method, margins=None).statistic, rel=1e-9
        )


def test_bad_input_is_a_sentence(panel, theirs):
    shifted = arch_model(panel["B"].iloc[1:], rescale=False).fit(disp="off")
    with pytest.raises(DataError, match="'A' and 'B' stand on different rows"):
        ds.DCC().fit({**theirs, "B": shifted})
    with pytest.raises(DataError, match="one asset"):
        ds.DCC().fit([theirs["A"]])
    with pytest.raises(DataError, match="same series"):
        ds.DCC().fit({"A": theirs["A"], "twin": theirs["A"]})
    with pytest.raises(DataError, match="missing"):
        ds.CDCC(margins=None).fit(panel.mask(panel > 2.0))
    with pytest.raises(DataError, match="another sample"):
        ds.DCC().fit(ds.GARCH().fit(panel).filter(panel))
    with pytest.raises(DataError, match=r"no residuals.*column B"):
        ds.CDCC().fit(ds.GARCH().fit(panel.assign(B=1.0)))
    assert list(ds.DCC().fit(list(theirs.values())).columns) == ["A", "B", "C"]
    nameless = [arch_model(panel[name].to_numpy(), rescale=False).fit(disp="off") for name in panel]
    assert list(ds.DCC().fit(nameless).columns) == [0, 1, 2]
