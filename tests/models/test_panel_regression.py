"""Panel regressions against statsmodels, linearmodels and dummies by hand; coverage under common shocks."""

from __future__ import annotations

import doctest
import pathlib

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.panel import PanelOLS
from scipy import stats

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.models.regressions.panel import PanelRegression
from drainstats.models.regressions.table import regression_table

EFFECTS = [(), ("asset",), ("time",), ("asset", "time")]
DAYS = pd.date_range("2024-01-01", periods=80, tz="UTC")


def ragged(seed=0, rows=80, assets=6, holes=0.15):
    """An unbalanced panel with asset levels, shared shocks, and regressors of very different sizes."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, 1))
    x = rng.normal(size=(rows, assets)) + shared
    z = 1e9 * np.exp(rng.normal(size=(rows, assets)))
    level = rng.normal(size=assets)
    y = level + 0.7 * x + 3e-10 * z + 0.5 * rng.normal(size=(rows, 1)) + rng.normal(size=(rows, assets))
    y[rng.random((rows, assets)) < holes] = np.nan
    x[rng.random((rows, assets)) < holes / 3] = np.nan
    columns = [f"A{i}" for i in range(assets)]
    return tuple(pd.DataFrame(v, DAYS[:rows], columns) for v in (y, x, z))


Y, X, Z = ragged()
XS = {"funding": X, "volume": Z}


def holding(table, value):
    """A copy whose cell of the sixth day and second asset is ``value``."""
    out = table.copy()
    out.iloc[5, 1] = value
    return out


def by_dummies(y, tables, effects, errors, lags):
    """Least squares with a dummy a level, and the sandwich written out from the papers."""
    y, xs = y.to_numpy(), np.stack([t.to_numpy() for t in tables])
    there = np.isfinite(y) & np.isfinite(xs).all(axis=0)
    row, asset = np.nonzero(there)
    X = xs[:, there].T
    dummies = []
    if "asset" in effects:
        dummies.append(np.equal.outer(asset, np.unique(asset)).astype(float))
    if "time" in effects:
        dummies.append(np.equal.outer(row, np.unique(row)[1 if dummies else 0 :]).astype(float))
    if not effects:
        dummies.append(np.ones((len(row), 1)))
    D = np.hstack(dummies)
    scale = np.abs(X).max(axis=0)
    left = X / scale - D @ np.linalg.lstsq(D, X / scale, rcond=None)[0]
    beta = np.linalg.lstsq(np.hstack([X / scale, D]), y[there], rcond=None)[0]
    u = y[there] - np.hstack([X / scale, D]) @ beta
    n, k = left.shape
    bread = np.linalg.inv(left.T @ left)
    scores = left * u[:, None]

    def summed(groups):
        return np.array([scores[groups == g].sum(axis=0) for g in np.unique(groups)])

    extra = D.shape[1]
    if errors == "driscoll_kraay":
        h = summed(row)
        meat = h.T @ h
        for lag in range(1, lags + 1):
            cross = h[lag:].T @ h[:-lag]
            meat += (1 - lag / (lags + 1)) * (cross + cross.T)
    elif errors == "unadjusted":
        meat = left.T @ left * (u @ u) / n
    else:
        cell = np.arange(n)
        groups = {"clustered": [asset], "clustered_time": [row], "two_way": [asset, row], "robust": [cell]}[errors]
        meat = np.zeros((k, k))
        for sign, g in [*((1, g) for g in groups), *([(-1, cell)] if errors == "two_way" else [])]:
            count = len(np.unique(g))
            small = 1 if errors == "robust" else count / (count - 1) * (n - 1) / n
            meat += sign * small * summed(g).T @ summed(g)
        # linearmodels: effects nested in the clusters take no degrees of freedom.
        if (errors, effects) in (("clustered", ("asset",)), ("clustered_time", ("time",))):
            extra = 0
    V = bread @ meat @ bread * n / (n - k - extra)
    return beta[:k] / scale, V / np.outer(scale, scale)


@pytest.mark.parametrize("effects", EFFECTS, ids=str)
@pytest.mark.parametrize("errors", ["driscoll_kraay", "clustered", "clustered_time", "two_way", "robust", "unadjusted"])
def test_dummies_and_sandwiches_by_hand(effects, errors):
    found = PanelRegression(effects=effects, errors=errors, hac_lags=3).fit(Y, XS)
    beta, covariance = by_dummies(Y, [X, Z], effects, errors, 3)
    names = ["funding", "volume"]
    np.testing.assert_allclose(found.params[names], beta, rtol=1e-9)
    if not effects:
        # The constant is one of the regressors there: one degree of freedom, counted among them.
        assert list(found.params.index) == ["constant", *names]
    np.testing.assert_allclose(found.std_errors[names], np.sqrt(np.diag(covariance)), rtol=1e-8)


def test_statsmodels_with_dummies():
    long = pd.concat({"y": Y, "x": X, "z": Z / 1e9}, axis=1).stack(level=1, future_stack=True).dropna()
    row, asset = (pd.factorize(long.index.get_level_values(k), sort=True)[0] for k in (0, 1))
    design = np.column_stack([long[["x", "z"]], np.equal.outer(asset, range(6)).astype(float)])
    fit = sm.OLS(long["y"].to_numpy(), design)
    n, k = design.shape
    kraay = fit.fit(cov_type="hac-groupsum", cov_kwds={"time": row, "maxlags": 4, "use_correction": False})
    found = PanelRegression(hac_lags=4).fit(Y, XS)
    np.testing.assert_allclose(found.params, kraay.params[:2] / [1, 1e9], rtol=1e-9)
    np.testing.assert_allclose(found.std_errors, kraay.bse[:2] / [1, 1e9] * np.sqrt(n / (n - k)), rtol=1e-8)
    cluster = fit.fit(cov_type="cluster", cov_kwds={"groups": asset, "use_correction": False})
    found = PanelRegression(errors="clustered").fit(Y, XS)
    small = np.sqrt(6 / 5 * (n - 1) / (n - 2))
    np.testing.assert_allclose(found.std_errors, cluster.bse[:2] / [1, 1e9] * small, rtol=1e-8)
    assert found.r2 == pytest.approx(found.r2_within)
    assert found.r2_inclusive == pytest.approx(kraay.rsquared)


def test_one_series_is_newey_west():
    fit = sm.OLS(Y["A0"], sm.add_constant(X[["A0"]]), missing="drop")
    robust = fit.fit(cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True})
    for effects in ((), ("asset",)):
        found = PanelRegression(effects=effects, hac_lags=4).fit(Y["A0"], {"x": X["A0"]})
        assert found.params["x"] == pytest.approx(robust.params["A0"])
        assert found.std_errors["x"] == pytest.approx(robust.bse["A0"])
        assert found.error_method == "Newey-West, 4 lags"


@pytest.mark.parametrize("effects", [("asset",), ("asset", "time")], ids=str)
def test_weights_and_r2_are_those_of_linearmodels(effects):
    weights = np.exp(Z / 1e9 / 10)
    found = PanelRegression(effects=effects, hac_lags=2).fit(Y, {"x": X}, weights=weights)
    stack = pd.concat({"y": Y, "x": X, "w": weights}, axis=1).stack(level=1, future_stack=True).dropna()
    stack.index = pd.MultiIndex.from_arrays(
        [stack.index.get_level_values(1), pd.factorize(stack.index.get_level_values(0))[0]]
    )
    peer = PanelOLS(
        stack["y"], stack[["x"]], weights=stack["w"], entity_effects=True, time_effects="time" in effects
    ).fit(cov_type="kernel", bandwidth=2)
    assert found.params["x"] == pytest.approx(peer.params["x"])
    assert found.std_errors["x"] == pytest.approx(peer.std_errors["x"])
    assert (found.r2, found.r2_within, found.r2_inclusive) == pytest.approx(
        (peer.rsquared, peer.rsquared_within, peer.rsquared_inclusive)
    )
    # The peer leaves the mean of y − xβ in, so that its overall R² depends on the level of a regressor.
    y, left = stack["y"], stack["y"] - stack["x"] * found.params["x"]
    squares = [np.cov(v, aweights=stack["w"], ddof=0) for v in (left, y)]
    assert found.r2_overall == pytest.approx(1 - squares[0] / squares[1])


def test_tests_and_intervals_are_student_s():
    for errors, df in (("driscoll_kraay", 79), ("clustered", 5), ("two_way", 5), ("clustered_time", 79)):
        found = PanelRegression(errors=errors).fit(Y, XS)
        assert found.df == df
        t = found.params / found.std_errors
        np.testing.assert_allclose(found.pvalues, 2 * stats.t.sf(t.abs(), df))
        reach = stats.t.ppf(0.95, df) * found.std_errors
        np.testing.assert_allclose(found.conf_int(0.9)["upper"], found.params + reach)
    robust = PanelRegression(errors="robust").fit(Y, XS)
    assert robust.df == robust.nobs - 2 - 6
    with pytest.raises(OptionError, match="level"):
        robust.conf_int(1.0)


def test_lagging_is_shifting_and_series_are_common():
    common = pd.Series(np.random.default_rng(5).normal(size=80), DAYS)
    one = PanelRegression(lag=2).fit(Y, {"x": X, "vol": common})
    wide = pd.DataFrame(dict.fromkeys(Y.columns, common))
    other = PanelRegression().fit(Y, {"x": X.shift(2), "vol": wide.shift(2)})
    pd.testing.assert_series_equal(one.params, other.params)
    pd.testing.assert_series_equal(one.std_errors, other.std_errors)
    # Nothing of the last two rows of the right side enters.
    later = X.copy()
    later.iloc[-2:] = 1e6
    pd.testing.assert_series_equal(one.params, PanelRegression(lag=2).fit(Y, {"x": later, "vol": common}).params)


def test_scale_levels_and_the_order_of_assets_do_not_matter():
    spec = PanelRegression(effects=("asset", "time"))
    one = spec.fit(Y, XS)
    scaled = spec.fit(1e-9 * Y, {"funding": 1e6 * X, "volume": Z})
    np.testing.assert_allclose(scaled.params, one.params * [1e-15, 1e-9], rtol=1e-7)
    np.testing.assert_allclose(scaled.tstats, one.tstats, rtol=1e-7)
    # A level a million times what it varies by is a level all the same.
    tall = spec.fit(Y, {"funding": X + 1e7, "volume": Z})
    np.testing.assert_allclose(tall.std_errors, one.std_errors, rtol=1e-7)
    moved = spec.fit(Y + np.arange(6) * 3.0 + np.arange(80)[:, None], {"funding": X + 5.0, "volume": Z})
    np.testing.assert_allclose(moved.params, one.params, rtol=1e-7)
    np.testing.assert_allclose(moved.std_errors, one.std_errors, rtol=1e-7)
    order = ["A3", "A0", "A5", "A1", "A4", "A2"]
    turned = spec.fit(Y[order], {n: t[order] for n, t in XS.items()})
    np.testing.assert_allclose(turned.std_errors, one.std_errors, rtol=1e-9)
    pd.testing.assert_frame_equal(turned.residuals[Y.columns], one.residuals, rtol=1e-7)


def test_residuals_have_the_form_of_the_outcome():
    found = PanelRegression().fit(Y, {"x": X})
    used = Y.notna() & X.notna()
    assert found.residuals.notna().equals(used)
    np.testing.assert_allclose(found.residuals.mean(), 0.0, atol=1e-12)
    # Without effects and on arrays, too.
    array = PanelRegression(effects=()).fit(Y.to_numpy(), {"x": X.to_numpy()})
    expected = Y - array.params["constant"] - array.params["x"] * X
    np.testing.assert_allclose(array.residuals, expected.where(used), atol=1e-12)


def test_standard_deviations():
    used = Y.notna() & X.notna()
    y, x = Y.where(used), X.where(used)
    by_asset = PanelRegression(standardise="asset").fit(Y, {"x": X})
    z = [(t - t.mean()) / t.std(ddof=0) for t in (y, x)]
    assert by_asset.params["x"] == pytest.approx(PanelRegression().fit(z[0], {"x": z[1]}).params["x"])
    pooled = PanelRegression(standardise="pooled").fit(1e8 * Y, {"x": X / 1e5})
    ratio = np.nanstd(x) / np.nanstd(y)
    assert pooled.params["x"] == pytest.approx(PanelRegression().fit(Y, {"x": X}).params["x"] * ratio)


def shared_shocks(rng, rows=200, assets=10, memory=0.3):
    """Regressor and error of which half the variance is common to all assets and lasts."""

    def lasting(shape):
        e = rng.normal(size=(rows, *shape))
        for t in range(1, rows):
            e[t] = memory * e[t - 1] + np.sqrt(1 - memory**2) * e[t]
        return e

    x = lasting((1,)) + lasting((assets,))
    return 0.5 * x + rng.normal(size=assets) + lasting((1,)) + lasting((assets,)), x


@pytest.mark.slow
def test_errors_cover_the_truth_when_shocks_are_shared():
    rng, draws = np.random.default_rng(0), 400
    inside = dict.fromkeys(["driscoll_kraay", "clustered", "robust"], 0)
    for _ in range(draws):
        y, x = shared_shocks(rng)
        for errors in inside:
            ends = PanelRegression(errors=errors).fit(y, {"x": x}).conf_int().loc["x"]
            inside[errors] += ends["lower"] < 0.5 < ends["upper"]
    share = {k: v / draws for k, v in inside.items()}
    assert 0.88 <= share["driscoll_kraay"] <= 0.98
    # Clusters by asset and White's errors miss what assets share.
    assert share["clustered"] < 0.8
    assert share["robust"] < 0.8


@pytest.mark.slow
def test_an_event_or_two_are_too_few_for_any_error():
    """Without an effect, 95 % intervals of one, three and twenty event rows: the first two are no tests."""
    rng, draws = np.random.default_rng(0), 200
    rejected, noted = {}, {}
    for events in (1, 3, 20):
        results = []
        for _ in range(draws):
            y, x = shared_shocks(rng)
            event = np.zeros(200)
            event[rng.choice(200, events, replace=False)] = 1.0
            results.append(PanelRegression().fit(y - 0.5 * x, {"event": event}))
        rejected[events] = np.mean([r.pvalues["event"] < 0.05 for r in results])
        noted[events] = np.mean([any("no error holds" in n for n in r.notes) for r in results])
    assert rejected[1] > 0.5
    assert rejected[3] > 0.15
    assert rejected[20] < 0.12
    assert noted == {1: 1.0, 3: 1.0, 20: 0.0}


def test_one_event_is_noted():
    event = pd.Series((np.arange(80) == 40).astype(float), DAYS)
    found = PanelRegression().fit(Y, {"crash": event, "x": X})
    assert [n for n in found.notes if "crash varies in 1.0 rows" in n and "event_study" in n]
    assert len(found.notes) == 1


def test_the_card():
    card = str(PanelRegression(lag=1).fit(Y, XS).summary())
    for text in ("Panel regression", "Driscoll-Kraay, 3 lags", "lagged by 1", "R² within", "funding", "p_value"):
        assert text in card


def test_tables_side_by_side():
    results = [
        PanelRegression().fit(Y, {"x_&<b>": X}),
        PanelRegression(effects=(), errors="clustered").fit(Y, {"volume": Z}),
    ]
    table = regression_table(results, names=["one", "two"], stars=(0.1, 0.05, 0.01))
    frame = table.frame
    assert frame.loc["x_&<b>", "one"].endswith("***")
    assert frame.loc["x_&<b>", "two"] == ""
    assert frame.loc["Asset effects"].tolist() == ["yes", "no"]
    assert frame.loc["Errors"].tolist() == ["Driscoll-Kraay, 3 lags", "clustered by asset"]
    estimate, error = frame["two"].iloc[2:4]
    assert estimate.strip("*") == f"{results[1].params['constant']:#.3g}"
    assert error == f"({results[1].std_errors['constant']:#.3g})"
    latex = table.to_latex()
    assert r"x\_\&\textless{}b\textgreater{}" in latex
    assert latex.count(r"\\") == len(frame) + 1 + len(table.notes)
    html = table.to_html()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    plain = regression_table(results[:1], below="interval", digits=5)
    assert "*" not in plain.frame.iloc[0, 0]
    ends = results[0].conf_int().loc["x_&<b>"]
    assert plain.frame.iloc[1, 0] == f"[{ends['lower']:#.5g}, {ends['upper']:#.5g}]"
    assert "t statistics" in str(regression_table(results[:1], below="t"))
    assert results[0].to_latex(digits=4).startswith(r"\begin{tabular}{lr}")


@pytest.mark.parametrize(
    "arguments",
    [{"results": []}, {"results": [1]}, {"names": ["a", "b"]}, {"stars": (0.01, 0.05)}, {"below": "se"}, {"digits": 0}],
)
def test_tables_that_are_none(arguments):
    with pytest.raises(OptionError):
        regression_table(**{"results": [PanelRegression().fit(Y, {"x": X})], **arguments})


def test_the_how_to_runs():
    page = pathlib.Path(__file__).parents[2] / "docs/regressions.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 10
    assert result.failed == 0


def test_public_names():
    assert ds.PanelRegression is PanelRegression
    assert ds.regression_table is regression_table
