"""Errors and intervals of models in steps: the target's noise, its whitening, profile intervals, coverage."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtri

import drainstats as ds
from drainstats.errors import OptionError, SizeError
from drainstats.models.base import long_run
from drainstats.models.coliquidity import inference
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc import recursion
from drainstats.models.coliquidity.dcc.cdcc import _concentrated
from drainstats.models.coliquidity.dcc.search import correlation_moments, likelihood
from drainstats.models.coliquidity.inference import whitened
from tests.models.coliquidity import twins

NAMES = ["a1", "b1"]


@pytest.fixture(scope="module")
def panel():
    return pd.DataFrame(twins.simulate_dcc(700, 3, seed=5), columns=list("ABC"))


@pytest.fixture(scope="module")
def res(panel):
    return ds.DCC().fit(panel)


def _reweighted(z, row, step):
    """Second moments of z (T, N) when one row counts 1 + step times, the others making room."""
    w = np.ones(len(z))
    w[row] += step
    return (z.T * w) @ z / len(z)


@pytest.mark.parametrize("convention", ["engle", "multiarch", "rmgarch"])
def test_the_noise_of_a_row_is_what_its_weight_in_the_target_moves(res, convention):
    """Count one row of the target a little more, difference the mean score."""
    spec, margins, psi = ds.DCC(convention=convention), res.margins, np.array([0.06, 0.88])
    z = margins.std_resid_values
    target = spec.target_at(z, psi)
    noise = correlation_moments(spec, margins, target, psi)[3]

    def score(row, step):
        if convention == "rmgarch":
            centred = z - z.mean(axis=0)
            moved = _reweighted(centred, row, step) * len(z) / (len(z) - 1)
        else:
            moved = _reweighted(z, row, step)
            moved = to_correlation(moved) if convention == "engle" else moved
        before = spec.before(z, moved, True)
        return likelihood(spec, z, moved, before, psi)[1].sum(axis=0)

    for row in (0, 40, 699):
        slope = (score(row, 1e-4) - score(row, -1e-4)) / 2e-4
        # The mean over rows is what the target does as a whole; only the rest is noise.
        np.testing.assert_allclose(noise[row], slope, rtol=1e-4, atol=1e-4 * np.abs(noise).max())


def test_the_noise_of_cdcc_likewise(res):
    """Its target follows (a, b), and so does that of the reweighted sample."""
    spec, z, psi = ds.CDCC(), res.margins.std_resid_values, np.array([0.06, 0.88])
    noise = spec.moments(res.margins, spec.target_at(z, psi), psi)[3]

    def value(row, step, at):
        shocks = spec.shocks(z, at)
        held = to_correlation(_reweighted(shocks, row, step))
        return _concentrated(spec, z, at, held, scores=False)[0].sum()

    for row in (3, 250):
        for k in range(2):
            moves = np.eye(2)[k] * 1e-4
            corners = [s * r * value(row, 0.02 * s, psi + r * moves) for s in (1, -1) for r in (1, -1)]
            slope = sum(corners) / (4.0 * 0.02 * 1e-4)
            assert noise[row, k] == pytest.approx(slope, abs=2e-3 * np.abs(noise[:, k]).max())


@pytest.mark.parametrize(("a", "b"), [((0.05,), (0.9,)), ((0.04, 0.03), (0.85,)), ((0.1,), (0.3, 0.4)), ((0.2,), ())])
def test_whitening_keeps_the_sum_and_takes_the_dependence(a, b):
    """x[t] - Q[t], one step at a time; products that follow the recursion leave no autocorrelation."""
    rng, a, b = np.random.default_rng(0), np.array(a), np.array(b)
    T, lags = 4000, max(len(a), len(b))
    x, q = np.zeros(T), np.zeros(T)
    shocks = rng.standard_normal(T)
    for t in range(lags, T):
        q[t] = a @ x[t - len(a) : t][::-1] + b @ q[t - len(b) : t][::-1]
        x[t] = q[t] + shocks[t]
    white = whitened(x[:, None], a, b)[:, 0]
    centred, by_hand = x - x.mean(), np.zeros(T)
    forecast = np.zeros(T)
    for t in range(T):
        forecast[t] = sum(w * centred[t - 1 - i] for i, w in enumerate(a) if t > i)
        forecast[t] += sum(w * forecast[t - 1 - j] for j, w in enumerate(b) if t > j)
        by_hand[t] = (centred[t] - forecast[t]) * (1.0 - b.sum()) / (1.0 - a.sum() - b.sum())
    np.testing.assert_allclose(white, by_hand, atol=1e-10)
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 4.0 / np.sqrt(T)
    # Its plain variance is the long-run variance of the products.
    rows = x[None] - x.mean()
    assert long_run(rows, 0)[0, 0] < long_run(white[None], 0)[0, 0]
    assert long_run(white[None], 0)[0, 0] == pytest.approx(long_run(rows, 150)[0, 0], rel=0.35)


def test_choices_reach_the_whole_covariance(res, panel):
    three, two = res.param_covariance, res.covariance_of("two_step")
    margins = res.margins.params.index
    np.testing.assert_allclose(three.loc[margins, margins], two.loc[margins, margins], rtol=1e-10, atol=1e-16)
    assert not np.allclose(three.loc[NAMES, NAMES], two.loc[NAMES, NAMES], rtol=1e-4)
    assert np.linalg.eigvalsh(res.covariance_of(hac="auto"))[0] > 0.0
    again = res.filter(panel.iloc[:100])
    pd.testing.assert_frame_equal(again.covariance_of("two_step", 3), res.covariance_of("two_step", 3))
    pd.testing.assert_frame_equal(again.conf_int(method="profile"), res.conf_int(method="profile"))
    garch = ds.GARCH().fit(panel)
    names = garch.params.index
    np.testing.assert_allclose(garch.covariance_of(hac=4), res.covariance_of(hac=4).loc[names, names], rtol=1e-8)
    held = ds.DCC(target="linear").fit(panel)
    pd.testing.assert_frame_equal(held.covariance_of("two_step"), held.param_covariance)


def test_the_full_covariance_holds_that_of_the_constant_correlations(res, panel, monkeypatch):
    """Where products are taken as they come, the target's elements are CCC's; the rest is the usual covariance."""
    full = res.full_covariance()
    names = [n for n in full.index if n.startswith("target")]
    assert names == ["target(A, B)", "target(A, C)", "target(B, C)"]
    rest = res.params.index
    np.testing.assert_allclose(full.loc[rest, rest], res.param_covariance, rtol=1e-9, atol=1e-18)
    assert np.linalg.eigvalsh(full)[0] > 0.0
    monkeypatch.setattr(inference, "whitened", lambda noise, a, b: noise - noise.mean(axis=0))
    ccc = ds.CCC().fit(panel).param_covariance
    margins = list(res.margins.params.index)
    order = margins + [n.replace("target", "corr") for n in names]
    plain = res.full_covariance().loc[margins + names, margins + names]
    np.testing.assert_allclose(plain, ccc.loc[order, order], rtol=1e-6, atol=1e-14)
    covariance = ds.DCC(convention="rmgarch").fit(panel).full_covariance()
    assert len(covariance) == len(rest) + 6
    pd.testing.assert_frame_equal(res.filter(panel.iloc[:50]).full_covariance(), res.full_covariance())
    for spec in (ds.CDCC(), ds.DCC(target="linear")):
        with pytest.raises(OptionError, match="covariance_of"):
            spec.fit(panel).full_covariance()
    monkeypatch.setattr(recursion, "FULL", 10)
    with pytest.raises(SizeError, match="covariance_of"):
        res.full_covariance()


def _ratio(res, name, value):
    """Twice the log-likelihood lost when a or b is held and the other searched along, by golden section."""
    from scipy.optimize import minimize_scalar

    problem = res._problem()
    top = problem.evaluate(res.params[NAMES].to_numpy())[0].sum()

    def lost(other):
        psi = np.array([value, other]) if name == "a1" else np.array([other, value])
        return 2.0 * (top - problem.evaluate(psi)[0].sum())

    return minimize_scalar(lost, bounds=(1e-9, 0.9999 - value), method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.parametrize("spec", [ds.DCC(), ds.CDCC()], ids=lambda s: type(s).__name__)
def test_profile_ends_satisfy_the_equation_of_the_ratio(panel, spec):
    fit = spec.fit(panel)
    _, _, inner, *_ = fit._correlation_moments()
    model = np.sqrt(np.diag(np.linalg.inv(-inner)) / fit.nobs)
    for errors in ("two_step", "three_step"):
        ends = fit.conf_int(0.9, "profile", errors)
        robust = np.sqrt(np.diag(fit.covariance_of(errors).loc[NAMES, NAMES]))
        for k, name in enumerate(NAMES):
            bar = chdtri(1, 0.1) * (robust[k] / model[k]) ** 2
            for end in ends.loc[name]:
                assert _ratio(fit, name, end) == pytest.approx(bar, rel=1e-4)


def test_every_asset_its_own_group_has_the_intervals_of_dcc(res, panel):
    """Another likelihood, another derivative through the target."""
    deco = ds.DECO(blocks={n: n for n in "ABC"}).fit(panel)
    for method in ("wald", "transformed", "profile"):
        np.testing.assert_allclose(
            deco.conf_int(method=method).loc[NAMES], res.conf_int(method=method).loc[NAMES], atol=1e-5
        )


def test_intervals_are_inside_the_bounds_and_grow_with_the_level(res, panel):
    ccc = ds.CCC().fit(panel)
    for method, fits in (("profile", (res, ds.DCC(order=(1, 2)).fit(panel))), ("transformed", (res, ccc))):
        for fit in fits:
            last = None
            for level in (0.5, 0.9, 0.99):
                ends = fit.conf_int(level, method).dropna()
                centre = fit.params[ends.index]
                assert ((ends["lower"] <= centre) & (centre <= ends["upper"])).all()
                if method == "profile":
                    assert (ends["lower"] >= 0.0).all()
                    assert (ends["upper"] < 1.0).all()
                if last is not None:
                    assert (ends["lower"] <= last["lower"]).all()
                    assert (ends["upper"] >= last["upper"]).all()
                last = ends
    ends = res.conf_int(0.9999, "transformed")
    assert (ends.loc[[n for n in ends.index if "mu" not in n]] > 0.0).all(axis=None)
    assert (ends.loc[NAMES] < 1.0).all(axis=None)
    # A profile interval of a small a ends at zero when the ratio never meets its bar.
    weak = ds.DCC(margins=None).fit(twins.simulate_dcc(250, 2, seed=8, a=0.02, b=0.9))
    if weak.params["a1"] > 0.0:
        assert weak.conf_int(0.999, "profile").loc["a1", "lower"] == 0.0


def test_what_has_no_profile_says_so(panel, res):
    for fit in (ds.CCC().fit(panel), ds.GARCH().fit(panel)):
        with pytest.raises(OptionError, match="transformed"):
            fit.conf_int(method="profile")
    assert list(res.conf_int(method="profile").index) == NAMES


def test_the_table_of_coverage_simulates_what_it_says():
    path = pathlib.Path(__file__).parents[3] / "docs" / "make_coverage_table.py"
    loader = importlib.util.spec_from_file_location("make_coverage_table", path)
    script = importlib.util.module_from_spec(loader)
    sys.modules["make_coverage_table"] = script
    loader.loader.exec_module(script)
    design = script.Design(2, 600, 0.06, 0.88, 2)
    np.testing.assert_array_equal(script.draw(design, 7), twins.simulate_dcc(600, 2, seed=7, a=0.06, b=0.88))
    table = script.one(design, 7)
    assert set(np.unique(table[["Wald", "two-step", "HAC", "transformed"]])) <= {0.0, 1.0}
    assert table["profile"].isna().tolist() == [False, False, True, True, True]
    fit = ds.DCC().fit(script.draw(design, 7))
    ends = fit.conf_int(errors="two_step").loc["b1"]
    assert table.loc["b1", "two-step"] == float(ends["lower"] <= 0.88 <= ends["upper"])
    assert len(script.lines(design, script.rates(design))) == 5


@pytest.mark.slow
def test_coverage_of_every_interval():
    """Sixty samples: the standard error of a coverage of 0.95 is 0.028; docs/coverage.md has the long table."""
    truth, hits = pd.Series({"a1": 0.05, "b1": 0.90, "0.alpha1": 0.08}), {}
    for seed in range(60):
        fit = ds.DCC().fit(twins.simulate_dcc(1000, 3, seed=5000 + seed))
        for method in ("wald", "transformed", "profile"):
            ends = fit.conf_int(method=method).reindex(truth.index)
            inside = (ends["lower"] <= truth) & (truth <= ends["upper"])
            hits.setdefault(method, []).append(inside)
    rates = pd.DataFrame({method: pd.DataFrame(rows).mean() for method, rows in hits.items()})
    # Three standard errors below. Wald intervals of alpha are short, 91 % in the table, and margins have no profile.
    assert (rates.loc[NAMES] >= 0.95 - 3.0 * 0.028).all(axis=None), rates
    assert rates.loc["0.alpha1", "transformed"] >= 0.95 - 3.0 * 0.028, rates
