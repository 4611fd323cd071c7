"""The cure model: against a grid, recovery of what was planted, and what it refuses to say."""

from __future__ import annotations

import numpy as np
import pytest

from drainstats.episodes.recovery.cure import fit_cure, follow_up_p_value


def sample(seed, episodes=30, members=10, never=0.3, half_life=6.0, shape=1.0, follow=80.0):
    rng = np.random.default_rng(seed)
    n = episodes * members
    time = half_life / np.log(2) ** (1 / shape) * rng.exponential(1.0, n) ** (1 / shape)
    time[rng.random(n) < never] = np.inf
    return np.where(time <= follow, np.ceil(time), follow), time <= follow, np.repeat(np.arange(episodes), members)


def test_the_maximum_is_that_of_a_grid():
    duration, observed, cluster = sample(0)
    fit = fit_cure(duration, observed, cluster)
    never, scale = np.meshgrid(np.linspace(0.2, 0.4, 201), np.linspace(5, 14, 451), indexing="ij")
    total = np.zeros_like(never)
    for t, back in zip(duration, observed, strict=True):
        after, before = np.exp(-t / scale), np.exp(-(t - 1) / scale)
        total += np.log((1 - never) * (before - after) if back else never + (1 - never) * after)
    best = np.unravel_index(np.argmax(total), total.shape)
    assert fit.loglikelihood >= total.max() - 1e-6
    assert fit.estimates.loc["never", "estimate"] == pytest.approx(never[best], abs=0.001)
    assert fit.estimates.loc["half_life", "estimate"] == pytest.approx(np.log(2) * scale[best], abs=0.02)


@pytest.mark.parametrize(("latency", "shape"), [("exponential", 1.0), ("weibull", 1.6)])
def test_what_was_planted_is_found(latency, shape):
    fit = fit_cure(*sample(1, episodes=60, shape=shape), latency)
    assert fit.identified
    assert fit.converged
    for name, truth in {"never": 0.3, "half_life": 6.0, "shape": shape}.items():
        if name in fit.estimates.index:
            row = fit.estimates.loc[name]
            assert row["ci_low"] < truth < row["ci_high"]
            assert row["estimate"] == pytest.approx(truth, rel=0.2)
    assert fit.survival([0.0, 1e6]) == pytest.approx([1.0, fit.estimates.loc["never", "estimate"]])


def test_nobody_stays_away():
    fit = fit_cure(*sample(2, never=0.0))
    row = fit.estimates.loc["never"]
    assert row["estimate"] == pytest.approx(0.0, abs=0.01)
    assert not fit.identified or (row["ci_low"] == 0.0 and row["ci_high"] < 0.05)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sample(3, episodes=1, members=40), "1 episode"),
        (sample(3, follow=5.0), "not followed long enough"),
        (sample(3, never=1.0), "no member came back"),
    ],
)
def test_what_is_not_identified_is_said(data, reason):
    fit = fit_cure(*data)
    assert not fit.identified
    assert reason in fit.reason
    assert fit.estimates[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "not identified" in repr(fit)


def test_the_test_of_follow_up_by_hand():
    duration, observed = np.array([2.0, 8.0, 10.0, 15.0]), np.array([True, True, True, False])
    # Recoveries in (2 · 10 − 15, 10]: two of four.
    assert follow_up_p_value(duration, observed) == pytest.approx((1 - 2 / 4) ** 4)


@pytest.mark.slow
@pytest.mark.parametrize("never", [0.2, 0.5])
def test_intervals_cover(never):
    """Episodes share their pace (log-normal, .4), which widens the intervals; nominal 95 %."""
    rng, held, draws = np.random.default_rng(4), 0, 100
    for _ in range(draws):
        pace = np.repeat(np.exp(rng.normal(0, 0.4, 25)), 8)
        time = pace * rng.exponential(8.0, 200)
        time[rng.random(200) < never] = np.inf
        fit = fit_cure(np.where(time <= 90, np.ceil(time), 90), time <= 90, np.repeat(np.arange(25), 8), "weibull")
        row = fit.estimates.loc["never"]
        held += row["ci_low"] <= never <= row["ci_high"]
    assert held / draws >= 0.9
