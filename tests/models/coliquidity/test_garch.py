"""GARCH margins: kernel against its twin, recovery, invariance, corners, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.margins.paths import evaluate, hessian
from tests.models.coliquidity import twins

SPECS = {
    "garch11": (ds.GARCH(), [0.02, 0.05, 0.08, 0.87]),
    "garch21": (ds.GARCH(p=2, q=1), [0.02, 0.05, 0.04, 0.05, 0.85]),
    "garch12": (ds.GARCH(p=1, q=2, start="fcp"), [0.02, 0.05, 0.08, 0.5, 0.35]),
    "gjr": (ds.GARCH(o=1, start="arch"), [0.02, 0.05, 0.03, 0.08, 0.85]),
    "gjr122": (ds.GARCH(p=1, o=2, q=2, mean="zero", start="fcp"), [0.05, 0.03, 0.05, 0.04, 0.5, 0.3]),
    "arch": (ds.GARCH(p=1, q=0, start="fcp"), [0.02, 0.7, 0.3]),
    "tarch": (ds.GARCH(p=0, o=1, q=1, mean="zero"), [0.05, 0.1, 0.85]),
}


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1500, 3, seed=1)
    return pd.DataFrame(y + [0.1, 0.0, -0.2], columns=list("ABC"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.mark.parametrize("name", SPECS)
def test_kernel_equals_its_twin_and_its_gradient_equals_differences(name):
    spec, theta = SPECS[name]
    theta = np.array(theta)
    y = np.random.default_rng(2).standard_normal(300)
    level = 1.3 if spec.start == "arch" else np.nan
    path = evaluate(spec, y, theta, level)
    constant = spec.mean == "constant"
    e = y - theta[0] if constant else y
    rest = theta[1:] if constant else theta
    omega, alpha, gamma, beta = np.split(rest, np.cumsum([1, spec.p, spec.o]))
    start = np.mean(e**2) if np.isnan(level) else level
    h = twins.garch_variance(e, omega[0], alpha, gamma, beta, start, spec.start == "rugarch")
    # Same arithmetic in another order: only rounding differs.
    np.testing.assert_allclose(path.h, h, rtol=1e-12)
    assert path.loglikelihood == pytest.approx(-0.5 * np.sum(np.log(2 * np.pi * h) + e**2 / h), rel=1e-12)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6
        ahead, behind = evaluate(spec, y, theta + step, level), evaluate(spec, y, theta - step, level)
        slope = (ahead.loglikelihood - behind.loglikelihood) / 2e-6
        # Central differences of a value near 400: truncation and rounding leave about 1e-6.
        assert path.gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(path.dlogh[:, k], (np.log(ahead.h) - np.log(behind.h)) / 2e-6, rtol=1e-5, atol=1e-7)
    assert np.allclose(hessian(spec, y, theta, level), hessian(spec, y, theta, level).T)


def test_many_series_are_the_single_ones(panel):
    many = ds.GARCH().fit(panel)
    single = ds.GARCH().fit(panel["B"])
    np.testing.assert_array_equal(many.params.loc["B.mu":"B.beta1"], single.params)
    assert list(single.params.index) == ["mu", "omega", "alpha1", "beta1"]
    assert isinstance(single.conditional_volatility, pd.Series)
    assert many.converged
    assert many.status["converged"].all()
    assert many.status.loc["B", "loglikelihood"] == pytest.approx(single.loglikelihood)
    np.testing.assert_allclose(many.std_errors.loc["B.mu":"B.beta1"], single.std_errors, rtol=1e-10)


def test_polars_and_arrays_are_accepted(panel):
    expected = ds.GARCH().fit(panel).params.to_numpy()
    np.testing.assert_array_equal(ds.GARCH().fit(panel.to_numpy()).params, expected)
    np.testing.assert_array_equal(ds.GARCH().fit(pl.from_pandas(panel.reset_index(names="time"))).params, expected)


@pytest.mark.parametrize("spec", [ds.GARCH(), ds.GARCH(o=1), ds.GARCH(p=2, start="arch")], ids=str)
def test_unit_and_location_do_not_matter(panel, spec):
    base, other = spec.fit(panel["A"]), spec.fit(panel["A"] / 100.0 + 3.0)
    units = np.ones(len(base.params))
    units[:2] = 1e-2, 1e-4
    moved = other.params.to_numpy() - np.eye(len(units))[0] * 3.0
    # Adding 3 to numbers near 0.01 costs two digits of every observation: about 1e-13, amplified by the search.
    np.testing.assert_allclose(moved / units, base.params, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(other.std_errors / units, base.std_errors, rtol=1e-6)
    assert other.loglikelihood == pytest.approx(base.loglikelihood + len(panel) * np.log(100.0), abs=1e-6)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel):
    res = ds.GARCH(o=1).fit(panel)
    again = res.filter(panel)
    np.testing.assert_allclose(again.conditional_volatility, res.conditional_volatility, rtol=1e-13)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    cut = res.filter(panel.iloc[:700])
    np.testing.assert_array_equal(cut.conditional_volatility, again.conditional_volatility.iloc[:700])
    pd.testing.assert_frame_equal(again.param_covariance, res.param_covariance)


def test_forecast_is_one_more_step_of_the_recursion(panel):
    res = ds.GARCH(p=2, o=1, q=2, start="fcp").fit(panel)
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    expected = res.filter(longer).conditional_volatility.iloc[-1] ** 2
    np.testing.assert_allclose(res.forecast(3).iloc[0], expected, rtol=1e-12)
    far = res.forecast(3000).iloc[-1]
    persistence = res.status["persistence"].to_numpy()
    omega = res.params[[f"{c}.omega" for c in panel]].to_numpy()
    np.testing.assert_allclose(far, omega / (1 - persistence), rtol=1e-3)


def test_constant_variance_is_said_not_to_identify_beta():
    y = np.random.default_rng(5).standard_normal(800)
    # Alternating signs of the deviation of squares leave no positive reaction to news.
    y = np.sign(y) * np.where(np.arange(800) % 2 == 0, 1.3, 0.7)
    res = ds.GARCH(p=1, q=0).fit(y)
    assert res.converged
    assert res.params["alpha1"] == 0.0
    assert np.isnan(res.std_errors["alpha1"])
    assert "not identified" in res.notes[0]


def test_integrated_series_do_not_end_in_a_corner():
    """The optimum is at least as good as the truth in every sample."""
    for seed in range(8):
        y = twins.simulate_dcc(1000, 2, seed=seed, omega=0.01, alpha=0.06, beta=0.935)
        res = ds.GARCH(mean="zero").fit(y)
        assert res.converged
        for i in range(2):
            truth = evaluate(ds.GARCH(mean="zero"), y[:, i].copy(), np.array([0.01, 0.06, 0.935]), np.nan)
            assert res.status["loglikelihood"].iloc[i] >= truth.loglikelihood


def test_simulation_recovers_its_own_parameters():
    y = twins.simulate_dcc(4000, 1, seed=3)
    res = ds.GARCH(mean="zero").fit(y)
    again = ds.GARCH(mean="zero").fit(res.simulate(20000, seed=1))
    # Twenty thousand rows: standard errors are about 0.004 (alpha) and 0.008 (beta); three of them.
    assert again.params["0.alpha1"] == pytest.approx(res.params["0.alpha1"], abs=0.015)
    assert again.params["0.beta1"] == pytest.approx(res.params["0.beta1"], abs=0.03)
    pd.testing.assert_frame_equal(res.simulate(50, seed=4), res.simulate(50, seed=4))


def test_card_and_repr(panel):
    res = ds.GARCH().fit(panel)
    text = str(res.summary())
    assert "A.alpha1" in text
    assert "log-likelihood" in text
    assert "converged" in repr(res)
    assert "<script>" not in ds.GARCH().fit(panel.rename(columns={"A": "<script>"})).summary()._repr_html_()


def test_bad_input_is_a_sentence(panel):
    def broken(value):
        out = panel.copy()
        out.iloc[3, 1] = value
        return out

    with pytest.raises(DataError, match=r"infinite.*column B"):
        ds.GARCH().fit(broken(np.inf)["B"])
    with pytest.raises(DataError, match=r"does not vary.*column B"):
        ds.GARCH().fit(panel.assign(B=2.5)["B"])
    for size in (1e90, 1e-90):
        with pytest.raises(DataError, match=r"change its unit.*column B"):
            ds.GARCH().fit(size * panel["B"])
    with pytest.raises(DataError, match="no value at all"):
        ds.GARCH().fit(panel * np.nan)
    with pytest.raises(DataError, match="twice"):
        ds.GARCH().fit(broken(np.nan).set_axis(["A", "B", "B"], axis=1))
    for rows in (0, 8):
        with pytest.raises(DataError, match="rows"):
            ds.GARCH().fit(panel.iloc[:rows])
    with pytest.raises(DataError, match="columns"):
        ds.GARCH().fit(panel).filter(panel[["A", "C", "B"]])
    lags = ({"lags": 1}, {"mean": "ar", "lags": 0}, {"mean": "ar", "lags": (1, 1)}, {"mean": "har", "lags": ()})
    orders = ({"p": 0}, {"q": -1}, {"mean": "ma"}, {"dist": "cauchy"}, {"start": "zero"}, {"max_persistence": 1.5})
    for bad in (*lags, *orders):
        with pytest.raises(OptionError):
            ds.GARCH(**bad)


BAD = {
    "no value at all": lambda b: b * np.nan,
    "y has 9 rows": lambda b: b.where(np.arange(len(b)) > len(b) - 10),
    "infinite": lambda b: b.where(np.arange(len(b)) != 3, np.inf),
    "does not vary": lambda b: 0.0 * b + 2.5,
    "change its unit": lambda b: 1e90 * b,
}


@pytest.mark.parametrize("reason", BAD)
@pytest.mark.parametrize("dist", ["normal", "skewt"])
def test_a_bad_series_is_a_row_with_a_reason_and_the_others_are_fitted(panel, reason, dist):
    spec = ds.GARCH(o=1, dist=dist)
    good, res = spec.fit(panel[["A", "C"]]), spec.fit(panel.assign(B=BAD[reason](panel["B"])))
    assert reason in res.status.loc["B", "reason"]
    assert (res.status.loc[["A", "C"], "reason"] == "").all()
    assert not res.converged
    assert any(n.startswith("B: not fitted") for n in res.notes)
    kept = good.params.index
    np.testing.assert_array_equal(res.params[kept], good.params)
    np.testing.assert_allclose(res.std_errors[kept], good.std_errors, rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(res.param_covariance.loc[kept, kept])), good.std_errors, rtol=1e-10)
    assert res.params.drop(kept).isna().all()
    assert res.std_errors.drop(kept).isna().all()
    assert res.loglikelihood == good.loglikelihood
    for table in (
        res.std_resid,
        res.conditional_volatility,
        res.forecast(2),
        res.simulate(20),
        res.filter(panel).std_resid,
    ):
        assert table["B"].isna().all()
        assert np.isfinite(table[["A", "C"]]).all(axis=None)
    pd.testing.assert_frame_equal(res.std_resid[["A", "C"]], good.std_resid)
    with pytest.raises(DataError, match="infinite"):
        res.filter(panel.assign(A=np.inf))


def test_errors_series_by_series_are_those_of_the_joint_covariance(panel):
    res = ds.GARCH(dist="t").fit(panel)
    np.testing.assert_allclose(res.std_errors, np.sqrt(np.diag(res.param_covariance)), rtol=1e-10)


@pytest.mark.parametrize("spec", [ds.GARCH(), ds.GARCH(mean="zero"), ds.GARCH(start="arch"), ds.GARCH(o=1)], ids=str)
@pytest.mark.parametrize("kind", ["one move", "first move", "last move", "halted", "listed late", "rare moves"])
def test_series_that_hardly_move_are_fitted_or_say_that_they_were_not(spec, kind):
    """The likelihood of long runs of equal values has no maximum: no warning, no standard errors if not converged."""
    rng, t = np.random.default_rng(3), np.arange(600)
    moves = rng.standard_normal(600)
    keep = {
        "one move": t == 5, "first move": t == 0, "last move": t == 599, "halted": t < 300, "listed late": t >= 300,
        "rare moves": rng.random(600) < 0.02,
    }[kind]  # fmt: skip
    fit = spec.fit(np.where(keep, moves, 0.0))
    assert np.isfinite(fit.params).all()
    assert fit.converged or fit.std_errors.isna().all()
    assert fit.converged or any("not converged, no standard errors" in n for n in fit.notes)
    assert not (kind == "halted" and fit.converged)
