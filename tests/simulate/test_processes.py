"""Draws from the models: names are those of fits, true paths those of the formulas, fits come back to the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.simulate.processes import PROCESSES

UNEQUAL = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.4], [0.2, 0.4, 1.0]])


@pytest.mark.parametrize("name", PROCESSES)
def test_names_are_those_of_the_fitted_model(name):
    draw = ds.simulate.process(name, steps=600, seed=1, gamma=0.02, correlation=UNEQUAL if name == "ogarch" else 0.4)
    fit = draw.spec.fit(draw.data)
    assert list(fit.params.index) == list(draw.params.index)
    assert draw.data.shape == draw.volatility.shape == (600, 3)
    assert draw.correlation.shape == (600, 3, 3)
    assert repr(draw) == f"SimulatedProcess: {name}, 3 series × 600 steps"


def test_volatility_follows_from_the_data():
    """Row by row, h of the next step from h and y of this one."""
    draw = ds.simulate.process("ccc", steps=300, omega=0.1, alpha=0.1, gamma=0.08, beta=0.8, seed=2)
    y, h = draw.data.to_numpy(), draw.volatility.to_numpy() ** 2
    np.testing.assert_allclose(h[1:], 0.1 + (0.1 + 0.08 * (y[:-1] < 0)) * y[:-1] ** 2 + 0.8 * h[:-1], rtol=1e-12)
    assert (draw.correlation == draw.correlation[0]).all()
    assert draw.params["corr(A0, A2)"] == 0.4


@pytest.mark.parametrize("name", ["dcc", "cdcc", "adcc", "bekk", "deco"])
def test_paths_are_those_that_the_filter_finds_at_the_true_parameters(name):
    """A fitted model run at the truth: after its start has died out (.95^400 < 1e-8) the paths are the same."""
    draw = ds.simulate.process(name, steps=1500, seed=3)
    z = (draw.data / draw.volatility).to_numpy()
    S = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    a, b, g = 0.05, 0.9, 0.02 * (name == "adcc")
    if name == "bekk":
        H, y = S * 1.0, draw.data.to_numpy()
        path = []
        for t in range(1500):
            path.append(H)
            H = 0.05 * S + a * np.outer(y[t], y[t]) + b * H
        found = np.array(path)
        np.testing.assert_allclose(np.diagonal(found[500:], 0, 1, 2), draw.volatility[500:] ** 2, rtol=1e-8)
    else:
        rho = 0.4
        mean = (rho * (np.pi - np.arccos(rho)) + np.sqrt(1 - rho**2)) / (2 * np.pi)
        N = np.full((3, 3), mean)
        np.fill_diagonal(N, 0.5)
        Q, path = S, []
        for t in range(1500):
            path.append(Q)
            x = np.sqrt(np.diag(Q)) * z[t] if name == "cdcc" else z[t]
            n = np.minimum(x, 0)
            Q = 0.05 * S + a * np.outer(x, x) + b * Q + g * (np.outer(n, n) - N)
        found = np.array(path)
    scale = np.sqrt(np.diagonal(found, 0, 1, 2))
    R = found / scale[:, :, None] / scale[:, None, :]
    if name == "deco":
        off = (found.sum((1, 2)) - np.trace(found, axis1=1, axis2=2)) / 2 / np.trace(found, axis1=1, axis2=2)
        R = off[:, None, None] * (1 - np.eye(3)) + np.eye(3)
    np.testing.assert_allclose(R[500:], draw.correlation[500:], atol=1e-8)


@pytest.mark.parametrize("name", ["dcc", "bekk"])
def test_usual_levels(name):
    options = {"steps": 8000, "seed": 4, "a": 0.03, "alpha": 0.04, "beta": 0.9}
    draw = ds.simulate.process(name, **options)
    # Three standard errors of a variance whose squares keep .94 a step: √(2 · (1 + .94) / .06 / T) · 3 ≈ .27.
    np.testing.assert_allclose(draw.data.var(), 0.05 / 0.06, rtol=0.27)
    off = draw.correlation[:, np.triu_indices(3, 1)[0], np.triu_indices(3, 1)[1]]
    assert off.mean() == pytest.approx(0.4, abs=0.03)
    assert off.std() > 0.02


def test_the_same_seed_gives_the_same_draw():
    first, again, other = (ds.simulate.process("cdcc", steps=50, seed=s) for s in (1, 1, 2))
    assert first.data.to_numpy().tobytes() == again.data.to_numpy().tobytes()
    assert not first.data.equals(other.data)


def test_components_are_those_of_the_matrix():
    """Rotated back, the data are independent GARCH series whose usual variances are the eigenvalues."""
    draw = ds.simulate.process("ogarch", steps=4000, seed=2, correlation=UNEQUAL)
    sizes, vectors = np.linalg.eigh(UNEQUAL)
    f = draw.data.to_numpy() @ vectors[:, ::-1]
    for k, size in enumerate(sizes[::-1], 1):
        assert draw.params[f"pc{k}.omega"] == pytest.approx(0.05 * size)
    H = draw.correlation * draw.volatility.to_numpy()[:, :, None] * draw.volatility.to_numpy()[:, None, :]
    h = np.einsum("ik,tij,jk->tk", vectors[:, ::-1], H, vectors[:, ::-1])
    np.testing.assert_allclose(h[1:], 0.05 * sizes[::-1] + 0.08 * f[:-1] ** 2 + 0.87 * h[:-1], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ccc", "dcc", "cdcc", "adcc", "deco", "bekk", "ogarch"])
def test_fits_come_back_to_the_truth(name):
    """Twelve draws: the mean of (estimate − truth) / standard error is that of zero within four of its own."""
    scores = []
    for seed in range(12):
        options = {"correlation": UNEQUAL} if name == "ogarch" else {}
        draw = ds.simulate.process(name, steps=2000, seed=seed, **options)
        fit = draw.spec.fit(draw.data)
        scores.append((fit.params - draw.params) / fit.std_errors)
    mean = pd.DataFrame(scores).mean()
    joint = [k for k in mean.index if "." not in k] or list(mean.index)
    assert (mean[joint].abs() < 4 / np.sqrt(12)).all(), mean


BAD = {
    "name": ({"name": "vine"}, "'cdcc'"),
    "steps": ({"steps": 0}, "at least 1"),
    "variance": ({"beta": 0.95}, "below 1"),
    "correlations": ({"a": 0.2}, "below 1"),
    "matrix": ({"correlation": np.eye(2)}, "3 × 3"),
    "words": ({"correlation": "high"}, "3 × 3"),
    "not positive": ({"correlation": -0.6}, "positive definite"),
    "negative": ({"alpha": -0.1}, "above 0"),
    "components": ({"name": "ogarch"}, "alike"),
    "asymmetry": ({"name": "adcc", "g": 0.3}, "smaller g"),
}


@pytest.mark.parametrize("case", BAD)
def test_nonsense_is_answered_by_a_sentence(case):
    options, words = BAD[case]
    with pytest.raises(OptionError, match=words):
        ds.simulate.process(**options)
