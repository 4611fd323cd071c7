"""Common factors: against singular values, planted truth, holes, and as they were known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import ConvergenceWarning, DataError, LookAheadError, OptionError, SizeError
from drainstats.measures.comovement import extraction
from drainstats.measures.comovement.extraction import number_of_factors
from drainstats.measures.comovement.standardise import standardised

M = ds.measures
DAYS = pd.date_range("2020-01-01", periods=200, tz="UTC")


def planted(rng, rows=200, assets=15, loading=1.0, factors=1):
    """Series with factors in falling strength, and the factors."""
    f = rng.normal(size=(rows, factors))
    b = loading * rng.uniform(0.5, 1.5, (factors, assets)) / np.arange(1, factors + 1)[:, None]
    b[1:] *= np.where(rng.random((factors - 1, assets)) < 0.5, -1, 1)
    return f @ b + rng.normal(size=(rows, assets)), f


def table(values, start=0):
    return pd.DataFrame(values, DAYS[: len(values)], [f"A{i}" for i in range(start, start + values.shape[1])])


def correlation(a, b):
    used = np.isfinite(a) & np.isfinite(b)
    return np.corrcoef(np.asarray(a)[used], np.asarray(b)[used])[0, 1]


@pytest.mark.parametrize("shape", [(200, 15), (40, 60)])
def test_complete_panels_are_singular_value_decompositions(shape):
    x, _ = planted(np.random.default_rng(0), *shape)
    found = M.liquidity_factors(x, 2)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    u, s, v = np.linalg.svd(z, full_matrices=False)
    for k in range(2):
        sign = np.sign(v[k].sum())
        np.testing.assert_allclose(
            found.factors["liquidity"].iloc[:, k], sign * u[:, k] * np.sqrt(shape[0]), rtol=1e-7, atol=1e-9
        )
    np.testing.assert_allclose(found.shares["liquidity"], (s**2 / (s**2).sum())[:10], rtol=1e-9)
    # Mean R² of standardised series on the components is the share of these.
    assert found.r2["within"].mean() == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-9)
    assert (found.r2["within_left_out"] < found.r2["within"]).all()
    loadings = z.T @ found.factors["liquidity"].to_numpy() / shape[0]
    np.testing.assert_allclose(found.loadings["liquidity"], loadings, rtol=1e-7, atol=1e-9)
    assert "2 factors" in repr(found)


@pytest.mark.parametrize("missing", ["omega", "em"])
def test_holes_cost_little(missing):
    rng = np.random.default_rng(1)
    x, f = planted(rng, assets=30, factors=2, loading=2.0)
    x[rng.random(x.shape) < 0.25] = np.nan
    x[:80, 0], x[150:, 1] = np.nan, np.nan
    found = M.liquidity_factors(table(x), 2, missing=missing)
    # Factors are known up to a rotation: what they span is compared. A factor seen by 22 series of signal 1 to noise 1
    # has a correlation of sqrt(22 / 23) = .98; omega gives rows with few series the weight of others and loses more.
    assert extraction.canonical_correlations(found.factors["liquidity"].to_numpy(), f)[-1] > (
        0.9 if missing == "omega" else 0.95
    )
    assert found.r2["n"].loc[("liquidity", "A0")] == np.isfinite(x[:, 0]).sum()
    assert found.r2.notna().all(axis=None)


def test_omega_averages_products_over_what_both_rows_have():
    rng = np.random.default_rng(2)
    x, _ = planted(rng, 40, 12)
    x[rng.random(x.shape) < 0.2] = np.nan
    z = standardised(ds.frames.as_wide(x), "own", 3)
    z -= np.nanmean(z, axis=0)
    omega = np.array([[np.nanmean(z[s] * z[t]) for t in range(40)] for s in range(40)])
    vector = np.linalg.eigh(omega)[1][:, -1]
    got = M.liquidity_factors(x, 1, min_rows=10).factors["liquidity"].iloc[:, 0]
    assert abs(correlation(got, vector)) == pytest.approx(1, abs=1e-10)


def test_large_and_small_panels_take_the_same_components():
    rng = np.random.default_rng(3)
    x, _ = planted(rng, 510, 12)
    x[5, 3] = np.nan
    index = pd.RangeIndex(510)
    large = extraction.components(x, 2, "omega", index)
    dense = np.linalg.eigh(extraction_omega(x))[1][:, ::-1][:, :2]
    for k in range(2):
        assert abs(correlation(large.factors[:, k], dense[:, k])) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("assets", [4, 9])
def test_few_series_and_many_rows_with_few_holes(assets):
    """The product of rows has as many large eigenvalues as there are series; an iteration for more does not settle."""
    x, f = planted(np.random.default_rng(16), 1100, assets)
    x[::300, 1] = np.nan
    found = M.liquidity_factors({"a": x, "b": x + np.random.default_rng(17).normal(size=x.shape)}, 1)
    assert correlation(found.factors["across"].iloc[:, 0], f[:, 0]) > 0.8


def extraction_omega(x):
    there = np.isfinite(x).astype(float)
    filled = np.nan_to_num(x)
    return filled @ filled.T / (there @ there.T)


def test_across_measures():
    rng = np.random.default_rng(4)
    f = rng.normal(size=(200, 1))
    own = [rng.normal(size=(200, 1)) for _ in range(2)]
    measures = {
        "spread": table(f + own[0] + rng.normal(size=(200, 12))),
        "impact": table(f + own[1] + rng.normal(size=(200, 10)), start=4),
    }
    found = M.liquidity_factors(measures, 1, replications=49)
    # Half of each measure's own factor is left in the mean of both: 1 / sqrt(1 + 1 / 2) is .82.
    assert correlation(found.factors["across"].iloc[:, 0], f[:, 0]) > 0.75
    assert 0.3 < found.canonical.loc[("spread", "impact"), 1] < 0.7
    assert (found.r2["across"] < found.r2["within"]).all()
    assert (found.r2["across_left_out"] < found.r2["across"]).all()
    assert found.loadings["across"].index.equals(found.r2.index)
    assert (found.tests["p_value"] == 0.02).all()
    assert (found.tests["null_mean"] + 3 * found.tests["std_error"] < found.tests["r2_left_out"]).all()
    # The asset is left out with all its measures.
    z = pd.concat({m: (t - t.mean()) / t.std(ddof=0) for m, t in measures.items()}, axis=1)
    asset = ("spread", "A5")
    others = z.drop(columns="A5", level=1).to_numpy()
    factor = np.linalg.svd(others, full_matrices=False)[0][:, 0]
    expected = np.corrcoef(factor, z[asset])[0, 1] ** 2
    assert found.r2.loc[asset, "across_left_out"] == pytest.approx(expected, rel=1e-9)


def test_what_an_asset_s_measures_share_is_no_commonality():
    """The null turns all measures of an asset together."""
    rng = np.random.default_rng(5)
    own = rng.normal(size=(200, 6))
    measures = {m: table(own + 0.3 * rng.normal(size=(200, 6))) for m in ("spread", "impact")}
    found = M.liquidity_factors(measures, 1, replications=99)
    assert found.tests.loc["across", "p_value"] > 0.05
    assert found.r2["across"].mean() > 2 * found.r2["across_left_out"].mean()


def test_standardising():
    rng = np.random.default_rng(6)
    x = ds.frames.as_wide(table(5 + rng.normal(size=(200, 4)) * [1, 2, 3, 4]))
    x.values[3, 2] = np.nan
    frame = pd.DataFrame(x.values)
    past = frame.expanding(30)
    expected = (frame - past.mean().shift()) / past.std(ddof=0).shift()
    np.testing.assert_allclose(standardised(x, "own_past", 30)[40:], expected[40:], rtol=1e-9)
    average = frame.mean(axis=1)
    mean, deviation = average.expanding(30).mean().shift(), average.expanding(30).std(ddof=0).shift()
    got = standardised(x, "average_past", 30)
    np.testing.assert_allclose(got, frame.sub(mean, axis=0).div(deviation, axis=0), rtol=1e-9)
    assert np.isnan(got[:30]).all()
    own = standardised(x, "own", 30)
    np.testing.assert_allclose(np.nanmean(own, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(own, axis=0), 1, rtol=1e-12)
    assert_causal(lambda t: standardised(ds.frames.as_wide(t), "own_past", 5), frame, cuts=20, min_rows=8)


def test_time_of_day_leaves_no_pattern():
    """A daily pattern that all assets share makes a factor; without it chance alone is left."""
    rng = np.random.default_rng(7)
    hours = pd.date_range("2024-01-01", periods=24 * 40, freq="h", tz="UTC")
    pattern = 1.5 * np.cos(2 * np.pi * hours.hour / 24)
    x = pd.DataFrame(rng.normal(size=(len(hours), 8)) * (2 + pattern.to_numpy())[:, None] / 2, hours)
    x = x.add(pattern, axis=0)
    raw = M.liquidity_factors(x, 1).tests.loc["liquidity"]
    clean = M.liquidity_factors(x, 1, standardise="time_of_day", replications=49).tests.loc["liquidity"]
    assert raw["r2_left_out"] > 0.3
    assert clean["p_value"] > 0.05
    with pytest.raises(DataError, match="time stamps"):
        M.liquidity_factors(x.to_numpy(), 1, standardise="time_of_day")


@pytest.mark.parametrize("how", ["eigenvalue_ratio", "growth_ratio", "bai_ng"])
@pytest.mark.parametrize("factors", [1, 3])
def test_the_number_of_factors(how, factors):
    rng = np.random.default_rng(8)
    right = []
    for _ in range(10):
        b = 1.5 * rng.normal(size=(factors, 40))
        x = rng.normal(size=(200, factors)) @ b + rng.normal(size=(200, 40))
        found = M.liquidity_factors(x, how).factors["liquidity"].shape[1]
        # Standardising makes own parts of unequal variance, and the criterion then counts one too many now and then.
        right.append(found == factors or (how == "bai_ng" and found == factors + 1))
    assert np.mean(right) >= 0.9
    assert number_of_factors(np.array([2.0, 1.0]), 3.0, (10, 2), how) == 1


def test_rolling_factors_follow_the_truth_and_do_not_look_ahead():
    rng = np.random.default_rng(9)
    x, f = planted(rng, assets=20, factors=2)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[100:, 3], x[:90, 4], x[:, 5] = np.nan, np.nan, 1.0
    data = table(x)
    for options in ({}, {"expanding": True}, {"refit": 10}):
        found = M.rolling_factors(data, 2, 60, **options)
        assert found.iloc[:59].isna().all(axis=None)
        assert correlation(found["factor_1"], f[:, 0]) > 0.9
        assert_causal(lambda t, o=options: M.rolling_factors(t, 2, 60, **o), data, cuts=15, min_rows=65)
    both = M.rolling_factors({"a": data, "b": -data}, 1, 60)
    assert abs(correlation(both["factor_1"], f[:, 0])) > 0.9
    with pytest.raises(LookAheadError):
        assert_causal(lambda t: M.liquidity_factors(t, 1).factors["liquidity"], table(planted(rng)[0]), min_rows=60)


def test_one_window_is_the_full_sample_s_factor():
    x, _ = planted(np.random.default_rng(10), 80, 10)
    whole = M.liquidity_factors(x, 1)
    last = M.rolling_factors(x, 1, 80, with_se=True)
    assert last.estimate[-1, 0] == pytest.approx(whole.factors["liquidity"].iloc[-1, 0], rel=1e-9)
    assert repr(last).startswith("Estimate of shape (80, 1), 1 of them")


def test_the_factor_s_error_covers_it():
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(40):
        f = rng.normal(size=(260, 1))
        x = f @ rng.uniform(0.5, 1.5, (1, 60)) + rng.normal(size=(260, 60)) * rng.uniform(0.5, 1.5, 60)
        found = M.rolling_factors(x, 1, 200, refit=20, with_se=True)
        truth = (f[:, 0] - pd.Series(f[:, 0]).rolling(200).mean()) / pd.Series(f[:, 0]).rolling(200).std()
        away = np.abs(found.estimate[199:, 0] - truth[199:]) / found.std_error[199:, 0]
        inside.append((away < 1.96).mean())
    # Loadings and means are taken as known, which costs some points of the 95.
    assert 0.85 <= np.mean(inside) <= 0.98


def test_units_order_and_signs():
    rng = np.random.default_rng(12)
    x = table(planted(rng)[0])
    one = M.liquidity_factors(x, 1)
    other = M.liquidity_factors(x[x.columns[::-1]] * 1e6, 1)
    pd.testing.assert_frame_equal(one.factors["liquidity"], other.factors["liquidity"], rtol=1e-8)
    assert (one.loadings["liquidity"] > 0).all(axis=None)


def test_ugly_panels():
    rng = np.random.default_rng(13)
    x, _ = planted(rng, 120, 6)
    x[:, 1], x[:, 2], x[20:, 3] = 3.0, np.nan, np.nan
    x[0] = np.nan
    found = M.liquidity_factors(x, 1, replications=5)
    assert found.r2["within"].isna().tolist() == [False, True, True, True, False, False]
    assert np.isnan(found.factors["liquidity"].iloc[0, 0])
    assert np.isfinite(found.tests.to_numpy()).all()
    signed = M.liquidity_factors({"spread": x, "other": -x}, 1, changes="difference")
    assert signed.canonical.iloc[0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("measures", "options", "error", "message"),
    [
        (np.ones((50, 2)), {}, DataError, "3 or more"),
        ({}, {}, DataError, "0 measures"),
        ({"across": np.ones((50, 3))}, {}, DataError, "named 'across'"),
        (np.ones((50, 3)), {"n_factors": 0}, OptionError, "whole number"),
        (np.ones((50, 3)), {"n_factors": "scree"}, OptionError, "bai_ng"),
        (np.ones((50, 3)), {"n_factors": 1}, DataError, "to tell apart"),
        (np.ones((50, 3)), {"standardise": "z"}, OptionError, "own_past"),
        (np.ones((50, 3)), {"missing": "drop"}, OptionError, "omega"),
        (np.ones((50, 3)), {"replications": -1}, OptionError, "at least 0"),
    ],
)
def test_refusals(measures, options, error, message):
    with pytest.raises(error, match=message):
        M.liquidity_factors(measures, **options)


def test_filling_in_noise_may_not_settle():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    x[rng.random(x.shape) < 0.35] = np.nan
    with pytest.warns(ConvergenceWarning, match="omega"):
        M.liquidity_factors(x, 2, missing="em", min_rows=10)


def test_rows_without_a_series_in_common():
    x = np.random.default_rng(14).normal(size=(100, 6))
    x[:50, :3], x[50:, 3:] = np.nan, np.nan
    with pytest.raises(DataError, match="share no series"):
        M.liquidity_factors(x, 1)
    assert M.liquidity_factors(x, 1, missing="em").factors["liquidity"].notna().all(axis=None)
    long = np.random.default_rng(15).normal(size=(10_001, 3))
    long[0, 0] = np.nan
    with pytest.raises(SizeError, match="em"):
        M.liquidity_factors(long, 1)
    with pytest.raises(DataError, match="time labels"):
        M.liquidity_factors({"a": table(x), "b": table(x).set_axis(DAYS[1:101])}, 1)
    with pytest.raises(DataError, match="lower n_factors"):
        M.rolling_factors(x, 6, 20)
