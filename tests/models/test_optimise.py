"""The minimiser and the coordinates that keep weights in their simplex."""

from __future__ import annotations

import numpy as np
import pytest

from drainstats.models.base import free_directions, sandwich
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from


def test_rosenbrock_is_solved_to_the_gradient():
    def valley(x):
        value = 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2
        slope = np.array([-400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)])
        return value, slope

    found = minimise(valley, np.array([-1.2, 1.0]))
    np.testing.assert_allclose(found.x, 1.0, atol=1e-8)
    assert np.abs(found.gradient).max() < 1e-8


def test_values_that_are_not_finite_are_avoided():
    def barrier(x):
        if x[0] <= 0.0:
            return np.nan, np.array([np.nan])
        return x[0] - np.log(x[0]), np.array([1.0 - 1.0 / x[0]])

    np.testing.assert_allclose(minimise(barrier, np.array([8.0])).x, 1.0, atol=1e-8)


@pytest.mark.parametrize("weights", [[0.9], [0.05, 0.9], [0.01, 0.3, 0.2, 0.4]])
def test_coordinates_round_trip_and_jacobian(weights):
    weights = np.array(weights)
    u = coordinates_of(weights, 0.999)
    back, jacobian = weights_from(u, 0.999)
    np.testing.assert_allclose(back, weights, rtol=1e-12)
    for k in range(len(u)):
        step = np.eye(len(u))[k] * 1e-6
        slope = (weights_from(u + step, 0.999)[0] - weights_from(u - step, 0.999)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, k], slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("best", [(0.3, 0.4), (-0.5, 0.4), (0.9, 0.9), (-1.0, 2.0), (-1.0, -1.0)])
def test_edges_are_found_and_the_gap_vanishes_there(best):
    def bowl(x):
        return 0.5 * float(((x - best) ** 2).sum()), x - best

    found = minimise_at_bounds(bowl, np.array([0.2, 0.2]), 0.99, 0)
    assert stationarity_gap(found.x, found.gradient, 0.99) < 1e-7
    assert found.x.min() >= 0.0
    assert found.x.sum() <= 0.99 + 1e-12
    inside = np.array([0.2, 0.2])
    assert stationarity_gap(inside, bowl(inside)[1], 0.99) > 1e-3


def test_sandwich_of_a_mean_and_of_held_parameters():
    x = np.random.default_rng(0).standard_normal((500, 3))
    bread = -np.eye(3)
    full = sandwich(bread, x - x.mean(0), np.eye(3))
    np.testing.assert_allclose(full, np.cov(x.T, ddof=0) / 500, rtol=1e-12)
    held = sandwich(bread, x - x.mean(0), free_directions(np.array([True, False, True])))
    assert np.isnan(held[1]).all()
    np.testing.assert_allclose(held[0, 2], full[0, 2])
    summed = sandwich(bread, x, free_directions(np.ones(3, dtype=bool), np.ones(3)))
    # A fixed sum has no variance.
    assert abs(np.ones(3) @ summed @ np.ones(3)) < 1e-15
