"""Starts of the variance by hand, and margins of series with gaps: twin, exact derivatives, equality without gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.models.coliquidity.margins.data import make_sample
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.coliquidity.margins.paths import evaluate, scores
from tests.models.coliquidity import twins

CENTRE = np.sqrt(2.0 / np.pi)


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(900, 3, seed=4)
    return pd.DataFrame(y + [0.1, 0.0, -0.2], columns=list("ABC"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def ragged(panel):
    """A: 30 % missing at random; B: listed late, delisted early; C: complete."""
    out, rng = panel.copy(), np.random.default_rng(0)
    out.loc[rng.random(len(out)) < 0.3, "A"] = np.nan
    out.iloc[:150, 1] = out.iloc[-60:, 1] = np.nan
    return out


@pytest.mark.parametrize("start", ["rugarch", "arch", "fcp", "tsgarch", "mfe"])
@pytest.mark.parametrize("model", [ds.GARCH, ds.EGARCH])
def test_first_variance_by_hand(panel, model, start):
    e = panel["B"].to_numpy()[:300]
    res = model(o=1, mean="zero", start=start).fit(e)
    omega, alpha, gamma, beta = res.params
    square, fall = np.mean(e**2), np.mean(np.minimum(e, 0.0) ** 2)

    def weighted(decay, count):
        return np.average(e[:count] ** 2, weights=decay ** np.arange(count))

    before = {
        "arch": (weighted(0.94, 75), 0.5 * weighted(0.94, 75), weighted(0.94, 75)),
        "fcp": (square, 0.5 * square, square),
        "tsgarch": (square, fall, square),
        # floor(sqrt(300)) + 1 = 18 squares.
        "mfe": (square, 0.5 * square, weighted(0.9, 18)),
    }
    if start == "rugarch":
        expected = square
    elif model is ds.GARCH:
        expected = omega + np.array([alpha, gamma, beta]) @ before[start]
    else:
        expected = np.exp(omega - (alpha * CENTRE if start == "mfe" else 0.0) + beta * np.log(before[start][2]))
    assert res.conditional_volatility.iloc[0] ** 2 == pytest.approx(expected, rel=1e-12)
    if start == "tsgarch" and model is ds.GARCH:
        plain = model(mean="zero", start=start).fit(e)
        omega, *weights = plain.params
        assert plain.conditional_volatility.iloc[0] ** 2 == pytest.approx(omega + sum(weights) * square, rel=1e-12)


def test_variance_across_gaps_is_its_twin(ragged):
    for dist in ("normal", "skewt"):
        res = ds.GARCH(p=2, o=1, q=1, dist=dist).fit(ragged["A"])
        mu, omega, a1, a2, gamma, beta = res.params.iloc[:6]
        share = LAWS[dist].falling(res.params.iloc[6:].to_numpy())
        e = ragged["A"].to_numpy() - mu
        first = int(np.isfinite(e).argmax())
        last = len(e) - int(np.isfinite(e[::-1]).argmax())
        level, h = np.nanmean(e**2), np.full(len(e), np.nan)
        h[first : first + 2] = level
        for t in range(first + 2, last):
            seen = [np.isfinite(e[t - k]) for k in (1, 2)]
            square = [e[t - k] ** 2 if seen[k - 1] else h[t - k] for k in (1, 2)]
            fall = min(e[t - 1], 0.0) ** 2 if seen[0] else share * h[t - 1]
            h[t] = omega + a1 * square[0] + a2 * square[1] + gamma * fall + beta * h[t - 1]
        np.testing.assert_allclose(res.conditional_volatility**2, h, rtol=1e-11)
        assert (res.std_resid.isna().to_numpy() == ragged["A"].isna().to_numpy()).all()
        z = (e / np.sqrt(h))[np.isfinite(e)]
        value = twins.log_density(dist, z, res.params.iloc[6:].to_numpy()) - 0.5 * np.log(h[np.isfinite(e)])
        assert res.loglikelihood == pytest.approx(value.sum(), abs=1e-8)


def test_late_listing_and_delisting_are_the_shorter_series(panel, ragged):
    many, short = ds.GARCH(o=1, dist="t").fit(ragged), ds.GARCH(o=1, dist="t").fit(panel["B"].iloc[150:-60])
    names = [f"B.{n}" for n in short.params.index]
    np.testing.assert_allclose(many.params[names], short.params, rtol=1e-12)
    np.testing.assert_allclose(many.std_errors[names], short.std_errors, rtol=1e-9)
    np.testing.assert_allclose(many.std_resid["B"].iloc[150:-60], short.std_resid, rtol=1e-12)
    assert many.conditional_volatility["B"].iloc[:150].isna().all()
    assert many.conditional_volatility["B"].iloc[-60:].isna().all()
    assert many.conditional_volatility[["A", "C"]].iloc[5:-5].notna().all(axis=None)
    assert many.status["nobs"].tolist() == ragged.notna().sum().tolist()
    np.testing.assert_allclose(many.loglikelihood, many.status["loglikelihood"].sum())
    alone = ds.GARCH(o=1, dist="t").fit(panel["C"])
    np.testing.assert_array_equal(many.params.filter(like="C."), alone.params)
    np.testing.assert_allclose(many.std_errors.filter(like="C."), alone.std_errors, rtol=1e-12)


@pytest.mark.parametrize("start", ["rugarch", "arch", "fcp", "tsgarch", "mfe"])
@pytest.mark.parametrize("model", [ds.GARCH, ds.EGARCH])
@pytest.mark.parametrize("dist", ["normal", "skewt"])
def test_derivatives_across_gaps(model, dist, start):
    rng = np.random.default_rng(1)
    y, X, W = rng.standard_normal(260), rng.standard_normal((260, 1)), rng.random((260, 1))
    y[rng.random(260) < 0.3] = np.nan
    spec = model(p=1, o=2, q=2, mean="har", lags=(1, 4), dist=dist, start=start)
    sample = make_sample(spec, y[:4], y[4:], X[4:], W[4:])
    sign = 1.0 if model is ds.GARCH else -1.0
    theta = np.array([0.05, 0.2, 0.1, -0.1, 0.1, 0.05, sign * 0.06, sign * 0.02, 0.5, 0.3, 0.05, 6.0, -0.3])
    theta = theta if dist == "skewt" else theta[:-2]
    level = np.full(3, np.nan) if start in ("rugarch", "fcp", "tsgarch") else np.array([1.1, 0.4, 1.3])
    path = evaluate(spec, sample, theta, level)
    by_step = scores(spec, sample, theta, path)
    np.testing.assert_allclose(by_step.sum(axis=0), path.gradient, rtol=1e-9, atol=1e-9)
    assert (by_step[np.isnan(sample.y)] == 0.0).all()
    for k in range(len(theta)):
        step = np.eye(len(theta))[k] * 1e-6
        ahead, behind = (evaluate(spec, sample, theta + s * step, level) for s in (1.0, -1.0))
        slope = (ahead.loglikelihood - behind.loglikelihood) / 2e-6
        # Central differences of a value near 400: truncation and rounding leave about 1e-6.
        assert path.gradient[k] == pytest.approx(slope, rel=2e-5, abs=2e-5)
        np.testing.assert_allclose(path.dlogh[:, k], (np.log(ahead.h) - np.log(behind.h)) / 2e-6, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spec", [ds.GARCH(o=1, dist="t"), ds.EGARCH(mean="ar")], ids=["gjr", "egarch"])
def test_unit_and_location_do_not_matter_with_gaps(ragged, spec):
    base, other = spec.fit(ragged["A"]), spec.fit(ragged["A"] / 100.0 + 3.0)
    # Adding 3 to numbers near 0.01 costs two digits of every observation: about 1e-13, amplified by the search.
    np.testing.assert_allclose(other.std_resid, base.std_resid, atol=1e-7)
    assert other.loglikelihood == pytest.approx(
        base.loglikelihood + base.status["nobs"].iloc[0] * np.log(100), abs=1e-6
    )


def test_filter_and_forecast_of_series_with_gaps(ragged):
    for spec in (ds.GARCH(o=1, dist="skewt"), ds.EGARCH(), ds.GARCH(mean="ar", lags=2)):
        res = spec.fit(ragged)
        again = res.filter(ragged)
        np.testing.assert_allclose(again.std_resid, res.std_resid, rtol=1e-12)
        assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
        cut = res.filter(ragged.iloc[:500])
        past = again.conditional_volatility.iloc[: len(cut.index)]
        pd.testing.assert_frame_equal(cut.conditional_volatility, past)
        pd.testing.assert_frame_equal(cut.std_resid, again.std_resid.iloc[: len(cut.index)])
        # B ended 60 rows before the table: the forecast of its 61st step is the table's first.
        short = spec.fit(ragged["B"].iloc[:-60])
        np.testing.assert_allclose(res.forecast(3)["B"], short.forecast(63).iloc[60:, 0], rtol=1e-9)
        np.testing.assert_allclose(
            res.forecast_mean(3)["B"], short.forecast_mean(63).iloc[60:, 0], rtol=1e-9, atol=1e-12
        )
        silent = res.filter(ragged.assign(A=np.nan))
        assert silent.std_resid["A"].isna().all()
        assert silent.forecast(2)["A"].isna().all()


def test_pull_back_is_the_derivative_through_the_known_residuals(ragged):
    import dataclasses

    for spec in (ds.GARCH(o=1), ds.EGARCH(mean="ar")):
        res = spec.fit(ragged)
        weights = np.random.default_rng(2).standard_normal(res.y.shape)
        pulled = res.pull_back(weights).reshape(3, -1)
        for k in range(pulled.shape[1]):
            ends = []
            for step in (1e-6, -1e-6):
                moved = dataclasses.replace(res.fits[0], theta=res.fits[0].theta + step * np.eye(pulled.shape[1])[k])
                z = dataclasses.replace(res, fits=(moved, *res.fits[1:])).std_resid_values
                ends.append(np.nansum(weights * z))
            assert pulled[0, k] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-3)


def test_what_cannot_be_used_is_said(ragged):
    few = ragged.assign(B=ragged["B"].where(np.arange(900) < 160))
    res = ds.GARCH(mean="har").fit(few)
    assert "10 rows" in res.status.loc["B", "reason"]
    assert res.status.loc["B", "nobs"] == 0 or not res.status.loc["B", "converged"]
    assert (res.status.loc[["A", "C"], "reason"] == "").all()
    lonely = ragged["A"].where(np.arange(900) % 2 == 0)
    with pytest.raises(DataError, match=r"No series can be fitted.*all that the mean needs"):
        ds.GARCH(mean="ar").fit(lonely)


@pytest.mark.slow
def test_recovery_with_a_third_missing():
    """Level and persistence are those of the complete series; alpha is up to a seventh larger, and why is known.

    After a gap h is not known exactly, so the next square says more about it than alpha: the best constant reaction
    lies above alpha.
    """
    y = twins.simulate_dcc(2500, 120, seed=5, rho=0.0, a=0.001, b=0.5)
    y[np.random.default_rng(6).random(y.shape) < 0.3] = np.nan
    res = ds.GARCH().fit(y)
    truth = np.array([0.0, 0.05, 0.08, 0.87])
    estimate, error = res.params.to_numpy().reshape(120, -1), res.std_errors.to_numpy().reshape(120, -1)
    assert res.status["converged"].all()
    mu, omega, alpha, beta = estimate.T
    persistence = alpha + beta
    for values, true in ((mu, 0.0), (omega, 0.05), (persistence, 0.95), (omega / (1.0 - persistence), 1.0)):
        assert abs(np.median(values) - true) < values.std() / 3.0
    assert 0.0 < np.median(alpha) - 0.08 < 0.016
    covered = (np.abs(estimate - truth) < 1.96 * error).mean(axis=0)
    # 120 samples: three standard errors are 0.06; half a standard deviation of bias takes 0.05 from alpha and beta.
    assert (covered > 0.84).all(), covered
