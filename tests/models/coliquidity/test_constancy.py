"""Tests of constant correlation: brute force, exact moments, invariance, defects of peers, size, power, bad input."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity import constancy
from drainstats.models.coliquidity.constancy import engle_sheppard_statistic, whitened_products
from tests.models.coliquidity import twins

DOCS = pathlib.Path(__file__).parents[3] / "docs"
METHODS = ("engle_sheppard", "tse", "stcc", "bootstrap")


@pytest.fixture(scope="module")
def constant():
    return pd.DataFrame(twins.simulate_dcc(800, 3, seed=5, a=0.0, b=0.0), columns=list("ABC"))


@pytest.fixture(scope="module")
def moving():
    return pd.DataFrame(twins.simulate_dcc(1500, 3, seed=6, a=0.08, b=0.88), columns=list("ABC"))


def _whitened(z):
    """u[t] = R^-1/2 z[t] for z of unit second moments, one row at a time."""
    z = z / np.sqrt((z**2).mean(axis=0))
    R = sum(np.outer(row, row) for row in z) / len(z)
    values, vectors = np.linalg.eigh(R)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    return np.array([root @ row for row in z]), R, z


def _engle_sheppard(z, lags):
    """The pooled regression, one equation a row and pair."""
    u = _whitened(z)[0]
    left, right = [], []
    for t in range(lags, len(u)):
        for i in range(u.shape[1]):
            for j in range(i + 1, u.shape[1]):
                left.append(u[t, i] * u[t, j])
                right.append([1.0] + [u[t - k, i] * u[t - k, j] for k in range(1, lags + 1)])
    left, right = np.array(left), np.array(right)
    beta = np.linalg.lstsq(right, left, rcond=None)[0]
    rest = left - right @ beta
    return beta @ right.T @ right @ beta / (rest @ rest / (len(left) - lags - 1))


@pytest.mark.parametrize("lags", [1, 4])
def test_engle_sheppard_equals_brute_force(constant, lags):
    z = constant.to_numpy()[:150]
    found = ds.constant_correlation_test(z, lags=lags, margins=None)
    assert found.statistic == pytest.approx(_engle_sheppard(z, lags), rel=1e-9)
    assert found.df == lags
    assert found.p_value == pytest.approx(chdtrc(lags, found.statistic))


def test_many_pairs_are_taken_a_few_at_a_time(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((100, 10))
    whole = engle_sheppard_statistic(rows, 3)
    monkeypatch.setattr(constancy, "CHUNK", 350)
    assert engle_sheppard_statistic(rows, 3) == pytest.approx(whole, rel=1e-10)


def test_the_constant_is_zero_by_construction(constant):
    """R comes from the same residuals, so the products have mean zero: one degree of freedom less than published."""
    u, R, z = _whitened(constant.to_numpy())
    products = whitened_products(z, R)
    np.testing.assert_allclose(products, np.column_stack([u[:, 0] * u[:, 1], u[:, 0] * u[:, 2], u[:, 1] * u[:, 2]]))
    np.testing.assert_allclose(products.mean(axis=0), 0.0, atol=1e-14)
    note = ds.constant_correlation_test(constant, margins=None).notes[0]
    assert "6 degrees of freedom" in note


@pytest.mark.reference
def test_rmgarch_reverses_the_regression(data_root):
    """DCCtest of rmgarch 1.4-2 solves for the regressors in terms of the regressand: its statistic is not this one.

    Run backwards, our regression gives its numbers, to the loose tolerance of its margins. With one lag both ways are
    nearly the same; with five the backward one is 45 % too large.
    """
    import json

    folder = data_root / "reference" / "coliquidity"
    theirs = json.loads((folder / "expected" / "rmgarch_arch3_DCCtest.json").read_text(encoding="utf-8"))
    margins = ds.GARCH().fit(pd.read_csv(folder / "data" / "arch3_ret.csv", index_col=0))
    _, R, z = _whitened(margins.std_resid_values)
    products = whitened_products(z, R)
    for lags, excess in ((1, 0.0), (5, 0.45)):
        left = products[lags:].ravel()
        right = [np.ones(len(left)), *(products[lags - k : len(z) - k].ravel() for k in range(1, lags + 1))]
        backward = np.array([x @ left for x in right]) / (left @ left)
        rest = left - backward @ right
        statistic = np.sum((backward @ right) ** 2) / (rest @ rest / (len(left) - lags - 1))
        assert statistic == pytest.approx(theirs[f"lag{lags}"]["stat"], rel=0.05)
        ours = ds.constant_correlation_test(margins, lags=lags).statistic
        assert theirs[f"lag{lags}"]["stat"] / ours - 1.0 == pytest.approx(excess, abs=0.06)


def test_an_average_of_pairwise_statistics_is_not_chi_squared(constant):
    """garchbox 0.1.0 averages Lagrange multiplier statistics of the pairs and reads the average off chi2(lags)."""
    rng = np.random.default_rng(3)
    averages, pooled = [], []
    for _ in range(200):
        z = rng.standard_normal((300, 6))
        _, R, z = _whitened(z)
        products = whitened_products(z, R)
        each = [engle_sheppard_statistic(products[:, [k]], 5) for k in range(products.shape[1])]
        averages.append(chdtrc(5, np.mean(each)))
        pooled.append(chdtrc(5, engle_sheppard_statistic(products, 5)))
    # Fifteen pairs: the average has a fifteenth of the variance that is assumed, so that it hardly ever rejects.
    assert np.mean(np.array(averages) < 0.1) == 0.0
    # Three binomial standard errors about 0.1.
    assert abs(np.mean(np.array(pooled) < 0.1) - 0.1) < 3 * np.sqrt(0.09 / 200)


@pytest.mark.parametrize("method", ["tse", "stcc"])
def test_multiplier_tests_equal_scores_by_differences(constant, method):
    """The moments are derivatives of the constant-correlation likelihood in d, taken numerically."""
    z = constant.to_numpy()[:200]
    _, R, z = _whitened(z)
    T, pairs = len(z), [(0, 1), (0, 2), (1, 2)]
    news = np.zeros((T, 3))
    stress = np.random.default_rng(3).gamma(2.0, size=T)
    for k, (i, j) in enumerate(pairs):
        news[1:, k] = z[:-1, i] * z[:-1, j] - np.mean(z[:-1, i] * z[:-1, j])
        if method == "stcc":
            news[:, k] = stress - stress.mean()

    def value(t, d):
        moved = R.copy()
        for k, (i, j) in enumerate(pairs):
            moved[i, j] = moved[j, i] = R[i, j] + d[k] * news[t, k]
        return -0.5 * (np.linalg.slogdet(moved)[1] + z[t] @ np.linalg.solve(moved, z[t]))

    steps = 1e-5 * np.eye(3)
    moments = np.array([[(value(t, s) - value(t, -s)) / 2e-5 for s in steps] for t in range(T)])
    mean = moments.sum(axis=0)
    expected = mean @ np.linalg.solve(moments.T @ moments, mean)
    found = ds.constant_correlation_test(
        z, method, margins=None, transition=1e3 * stress + 7.0 if method == "stcc" else None
    )
    assert found.df == 3
    assert found.statistic == pytest.approx(expected, rel=1e-6)


def test_tse_takes_out_what_the_margins_explain(constant):
    """Moments of the statistic = scores - D A^-1 (margin scores), with D by differences of the whole pipeline."""
    margins = ds.GARCH().fit(constant)
    K, T = len(margins.params), len(constant)

    def moments_at(z, R):
        u = z @ np.linalg.inv(R)
        i, j = np.triu_indices(3, 1)
        news = np.zeros((T, 3))
        news[1:] = z[:-1, i] * z[:-1, j] - (z[:-1, i] * z[:-1, j]).mean(axis=0)
        return news, u[:, i] * u[:, j] - np.linalg.inv(R)[i, j]

    _, R, z = _whitened(margins.std_resid_values)
    news, score = moments_at(z, R)
    D = np.empty((3, K))
    for k in range(K):
        ends = []
        for sign in (1.0, -1.0):
            series, place = divmod(k, K // 3)
            fit = margins.fits[series]
            theta = fit.theta + sign * 1e-5 * np.eye(K // 3)[place]
            fits = tuple(dataclasses.replace(f, theta=theta) if s == series else f for s, f in enumerate(margins.fits))
            params = margins.params.copy()
            block = slice(series * K // 3, (series + 1) * K // 3)
            params.iloc[block] = theta * fit.units + fit.offset
            moved = dataclasses.replace(margins, fits=fits, params=params).std_resid_values
            ends.append((news * moments_at(moved, R)[1]).sum(axis=0) / T)
        D[:, k] = (ends[0] - ends[1]) / 2e-5
    clean = news * score - margins.score_values @ np.linalg.solve(margins.bread.T, D.T)
    mean = clean.sum(axis=0)
    expected = mean @ np.linalg.solve(clean.T @ clean, mean)
    # The residuals are scaled to unit second moments first, which moves D by their distance from one.
    assert ds.constant_correlation_test(margins, "tse").statistic == pytest.approx(expected, rel=0.02)


def test_bera_kim_by_hand_and_its_variance():
    rng = np.random.default_rng(8)
    z = rng.standard_normal((400, 2)) @ np.linalg.cholesky(np.array([[1.0, 0.5], [0.5, 1.0]])).T
    found = ds.constant_correlation_test(z, "bera_kim", margins=None)
    x = z / np.sqrt((z**2).mean(axis=0))
    r = np.mean(x[:, 0] * x[:, 1])
    v = np.column_stack([x[:, 0] - r * x[:, 1], x[:, 1] - r * x[:, 0]]) / np.sqrt(1 - r**2)
    total = sum(a**2 * b**2 - 1 - 2 * r**2 for a, b in v)
    assert found.statistic == pytest.approx(total**2 / (4 * 400 * (1 + 4 * r**2 + r**4)), rel=1e-10)
    # The printed variance is that of v1^2 v2^2 less its projection on what is estimated: checked by simulation.
    x = rng.standard_normal((400_000, 2)) @ np.linalg.cholesky(np.array([[1.0, -0.6], [-0.6, 1.0]])).T
    square = (x[:, 0] * x[:, 1]) ** 2
    design = np.column_stack([np.ones(len(x)), x**2, x[:, 0] * x[:, 1]])
    rest = square - design @ np.linalg.lstsq(design, square, rcond=None)[0]
    assert rest.var() == pytest.approx(4 * (1 + 4 * 0.36 + 0.36**2), rel=0.05)


def test_bera_kim_says_when_tails_can_have_made_it():
    rng = np.random.default_rng(2)
    z = rng.standard_normal((1000, 2)) / np.sqrt(rng.chisquare(4, (1000, 1)) / 2)
    found = ds.constant_correlation_test(z, "bera_kim", margins=None)
    assert found.p_value < 0.001
    assert "tails" in found.notes[0]


def test_moving_correlations_are_found_and_constant_ones_are_not(constant, moving):
    for method in METHODS:
        # What DCC moves has no trend for "stcc" to find; its own alternative is below.
        assert method == "stcc" or ds.constant_correlation_test(moving, method, replications=99).p_value <= 0.01
        assert ds.constant_correlation_test(constant, method, replications=99).p_value > 0.05
    assert ds.constant_correlation_test(moving[["A", "B"]], "bera_kim").p_value < 0.05


@pytest.fixture(scope="module")
def stressed():
    """Correlations of .2 in calm and .6 under stress, which comes and goes; and the stress."""
    rng = np.random.default_rng(12)
    stress = pd.Series(np.convolve(rng.standard_normal(1240), np.ones(41) / 41.0, mode="valid"))
    rho = np.where(stress > 0.0, 0.6, 0.2)[:, None, None]
    roots = np.linalg.cholesky(rho + (1.0 - rho) * np.eye(3))
    return pd.DataFrame((roots @ rng.standard_normal((1200, 3, 1)))[..., 0], columns=list("ABC")), stress


def test_correlations_that_move_with_a_variable_are_found_by_it(stressed):
    data, stress = stressed
    test = ds.constant_correlation_test
    found = test(data, "stcc", transition=stress)
    assert found.p_value < 1e-6
    assert "transition" in repr(found)
    assert test(data, "stcc", transition=np.random.default_rng(0).permutation(stress)).p_value > 0.05
    # Time by default: the same as any straight line in it; a drift is found.
    rows = np.arange(1200.0)
    assert test(data, "stcc").statistic == pytest.approx(test(data, "stcc", transition=5.0 - rows).statistic, rel=1e-9)
    late = pd.DataFrame(np.vstack([data[stress <= 0.0], data[stress > 0.0]]))
    assert test(late, "stcc").p_value < 1e-6
    # A Series is aligned by its labels, also where it has more of them.
    longer = pd.concat([pd.Series([9.0], index=[-1]), stress])
    assert test(data, "stcc", transition=longer) == found


def test_a_fitted_result_gives_the_same(moving):
    """A table, its margins and a correlation model on it share their residuals."""
    margins = ds.GARCH().fit(moving)
    for method in METHODS:
        first = ds.constant_correlation_test(moving, method, replications=19)
        assert ds.constant_correlation_test(margins, method, replications=19) == first
        assert ds.constant_correlation_test(ds.CCC().fit(moving), method, replications=19) == first
    assert first.df is None
    z = ds.constant_correlation_test(margins.std_resid, margins=None)
    assert z.statistic == pytest.approx(ds.constant_correlation_test(margins).statistic, rel=1e-12)


def test_units_and_the_order_of_columns_do_not_matter(moving):
    for method in METHODS:
        base = ds.constant_correlation_test(moving, method, replications=19)
        for other in (moving / 100.0 + 1.0, moving[["C", "A", "B"]]):
            again = ds.constant_correlation_test(other, method, replications=19)
            # Through the search for the margins.
            assert again.statistic == pytest.approx(base.statistic, rel=1e-6)


def test_random_order_is_seeded_and_exact_on_ranks(constant):
    first = ds.constant_correlation_test(constant, "bootstrap", margins=None, replications=39, seed=4)
    assert first == ds.constant_correlation_test(constant, "bootstrap", margins=None, replications=39, seed=4)
    assert (first.p_value * 40) == pytest.approx(round(first.p_value * 40))
    _, R, z = _whitened(constant.to_numpy())
    rows = np.random.default_rng(0).permutation(len(z))
    np.testing.assert_allclose(whitened_products(z[rows], R), whitened_products(z, R)[rows], atol=1e-12)


def test_the_card_says_what_is_tested(constant):
    text = repr(ds.constant_correlation_test(constant))
    for part in ("null", "alternative", "statistic", "chi2(5)", "p ="):
        assert part in text
    assert "random order" in repr(ds.constant_correlation_test(constant, "bootstrap", replications=19))


def test_bad_input_is_a_sentence(constant):
    test = ds.constant_correlation_test
    with pytest.raises(OptionError, match="engle_sheppard"):
        test(constant, "hosking")
    with pytest.raises(OptionError, match="no transition"):
        test(constant, "tse", transition=constant["A"])
    with pytest.raises(DataError, match="800 finite numbers"):
        test(constant, "stcc", margins=None, transition=np.arange(799.0))
    with pytest.raises(DataError, match="finite numbers"):
        test(constant, "stcc", margins=None, transition=np.where(np.arange(800) > 5, 1.0, np.nan))
    with pytest.raises(DataError, match=r"same labels.*row 0"):
        test(constant, "stcc", margins=None, transition=constant["A"].iloc[1:])
    with pytest.raises(DataError, match="does not vary"):
        test(constant, "stcc", margins=None, transition=np.ones(800))
    with pytest.raises(DataError, match="two assets and 3"):
        test(constant, "bera_kim")
    with pytest.raises(DataError, match="one asset"):
        test(constant[["A"]])
    with pytest.raises(DataError, match="needs two"):
        test(ds.GARCH().fit(constant["A"]))
    broken = ds.GARCH().fit(constant)
    object.__setattr__(broken, "std_resid_values", broken.std_resid_values * np.array([1.0, np.nan, 1.0]))
    with pytest.raises(DataError, match=r"no residuals.*column B"):
        test(broken)
    with pytest.raises(DataError, match="same series"):
        test(constant.assign(D=constant["A"]), margins=None)
    with pytest.raises(DataError, match="missing"):
        test(constant.mask(constant > 2.0), margins=None)
    with pytest.raises(DataError, match="fewer assets"):
        test(np.random.default_rng(0).standard_normal((80, 10)), "tse", margins=None)
    with pytest.raises(DataError, match="fewer lags"):
        test(constant.iloc[:40], lags=20, margins=None)
    with pytest.raises(OptionError, match="lags"):
        test(constant, lags=0)
    few = test(np.random.default_rng(0).standard_normal((400, 10)), "tse", margins=None)
    assert "few" in few.notes[0]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("make_constancy_table", DOCS / "make_constancy_table.py")
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _stored(design):
    """The row of the page for one design, in percent."""
    text = (DOCS / "constancy.md").read_text(encoding="utf-8")
    part = text.split("## DCC")[0 if design.a == 0.0 else 1]
    kind = "known" if design.known else "fitted"
    start = f"| {kind} | {design.errors} | {design.assets} | {design.rows} |"
    line = next(line for line in part.splitlines() if line.startswith(start))
    return [float(cell.rstrip(" %")) for cell in line.strip("| ").split("|")[5:]]


@pytest.mark.slow
def test_the_size_table_is_what_the_script_gives(tables):
    design = tables.NULLS[6]
    found = [100.0 * tables.rates(design)[name] for name in tables.COLUMNS]
    # Of four hundred markets one or two lie so near 5 % that another last digit of a margin moves them.
    np.testing.assert_allclose(found, _stored(design), atol=0.5)


def test_the_sizes_on_the_page_hold(tables):
    """Against 5 %, within four binomial standard errors above; Tse under heavy tails with 2000 rows only."""
    for design in tables.NULLS:
        sheppard, _, drawn, tse, _ = _stored(design)
        limit = 5.0 + 400.0 * np.sqrt(0.05 * 0.95 / tables.draws(design))
        assert max(sheppard, drawn) < limit, design
        assert tse < limit or (design.rows, design.errors) == (500, "joint t5"), design
        assert min(sheppard, drawn) > 1.0, design
    for design in tables.POWER:
        least = 25.0 if (design.assets, design.rows) == (3, 500) else 90.0
        assert min(_stored(design)[0], _stored(design)[2]) > least, design


def test_the_smooth_sizes_on_the_page_hold(tables, monkeypatch):
    """Within four binomial standard errors of 5 %, but where the page says that it is too eager; drifts are found."""
    text = (DOCS / "constancy.md").read_text(encoding="utf-8").split("## Smooth")[1]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(("| normal", "| joint"))]
    assert len(lines) == len(tables.SMOOTH)
    for design, line in zip(tables.SMOOTH, lines, strict=True):
        assert line[0] == design.errors
        assert line[2:5] == [str(design.assets), str(design.rows), str(tables.smooth_draws(design))]
        rate = float(line[5].rstrip(" %"))
        if design.drift != 0.0:
            assert rate > 25.0
        elif (design.assets, design.errors) != (10, "joint t5"):
            assert abs(rate - 5.0) < 400.0 * np.sqrt(0.05 * 0.95 / tables.smooth_draws(design))
    monkeypatch.setattr(tables, "smooth_draws", lambda design: 20)
    # A drift from .3 to .5 in 500 rows: 41 % on the page, within three standard errors of twenty markets.
    assert 0.1 < tables.smooth_rate(tables.SMOOTH[4]) < 0.75


def test_heavy_joint_tails_are_noted():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((900, 5))
    heavy = z * np.sqrt(3.0 / rng.chisquare(5.0, (900, 1)))
    assert not any("heavy" in n for n in ds.constant_correlation_test(z, "stcc").notes)
    assert any("heavy" in n for n in ds.constant_correlation_test(heavy, "stcc").notes)
    assert not any("heavy" in n for n in ds.constant_correlation_test(heavy, "stcc", margins=None).notes)
