"""A small quasi-Newton minimiser for exact gradients, and coordinates for weights with a bounded sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drainstats.typing import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the search stopped: x (K,), value, gradient (K,), number of evaluations."""

    x: FloatArray
    value: float
    gradient: FloatArray
    evaluations: int


def minimise(
    objective: Objective,
    start: FloatArray,
    inverse: FloatArray | None = None,
    tolerance: float = 1e-10,
    limit: int = 200,
) -> Minimum:
    """BFGS with a line search that survives rounding near the optimum.

    Parameters
    ----------
    objective : x → (value, gradient). A value that is not finite counts as infinitely bad.
    start : (K,)
    inverse : (K, K), optional
        First guess of the inverse Hessian, e.g. from the outer product of scores; default identity.
    tolerance : float, default 1e-10
        Stop when no component of the gradient exceeds it.
    limit : int, default 200
        Most evaluations.

    Returns
    -------
    Minimum
        The best point seen. Whether it is a minimum is for the caller to judge by the projected gradient.
    """
    x = np.array(start, dtype=np.float64)
    value, gradient = objective(x)
    metric = np.eye(len(x)) if inverse is None else inverse
    count, fresh = 1, True
    while np.abs(gradient).max() > tolerance and count < limit:
        step = -metric @ gradient
        slope = float(gradient @ step)
        if not slope < 0.0:
            step, slope, metric = -gradient, -float(gradient @ gradient), np.eye(len(x))
        longest = np.abs(step).max()
        if longest > 2.0:
            step, slope = step * (2.0 / longest), slope * (2.0 / longest)
        moved, used = _search(objective, x, value, gradient, step, slope)
        count += used
        if moved is None:
            if fresh:
                break
            metric, fresh = np.eye(len(x)), True
            continue
        new_x, new_value, new_gradient = moved
        metric = _update(metric, new_x - x, new_gradient - gradient, fresh and inverse is None)
        x, value, gradient, fresh = new_x, new_value, new_gradient, False
    return Minimum(x, value, gradient, count)


def _search(
    objective: Objective, x: FloatArray, value: float, gradient: FloatArray, step: FloatArray, slope: float
) -> tuple[tuple[FloatArray, float, FloatArray] | None, int]:
    """Backtrack along ``step``; below the rounding of the value, trust the gradient instead (Hager and Zhang, 2005)."""
    length = 1.0
    for used in range(1, 26):
        point = x + length * step
        new, new_gradient = objective(point)
        if np.isfinite(new) and np.isfinite(new_gradient).all():
            along = float(new_gradient @ step)
            armijo = new <= value + 1e-4 * length * slope
            noise = new <= value + 1e-13 * (1.0 + abs(value)) and abs(along) <= 0.9 * abs(slope)
            if armijo or noise:
                return (point, new, new_gradient), used
            curvature = 2.0 * (new - value - length * slope)
            length = (
                min(max(-slope * length**2 / curvature, 0.1 * length), 0.5 * length) if curvature > 0 else 0.5 * length
            )
        else:
            length *= 0.2
    return None, 25


def _update(metric: FloatArray, s: FloatArray, y: FloatArray, rescale: bool) -> FloatArray:
    sy = float(s @ y)
    if sy <= 1e-14 * float(np.sqrt((s @ s) * (y @ y))):
        return metric
    if rescale:
        metric = metric * (sy / float(y @ y))
    hy = metric @ y
    outer = np.outer(hy, s) / sy
    return metric - outer - outer.T + np.outer(s, s) * ((1.0 + float(y @ hy) / sy) / sy)


def weights_from(u: FloatArray, limit: float) -> tuple[FloatArray, FloatArray]:
    """Non-negative weights with a sum below ``limit`` from free coordinates.

    ``u[0]`` is the logit of sum / limit, ``u[1:]`` the log ratios of the shares to the last one.

    Returns
    -------
    weights (m,), jacobian (m, m) of the weights with respect to ``u``.
    """
    total = limit / (1.0 + np.exp(-u[0]))
    logs = np.append(u[1:], 0.0)
    shares = np.exp(logs - logs.max())
    shares = shares / shares.sum()
    weights = total * shares
    jacobian = np.empty((len(u), len(u)))
    jacobian[:, 0] = weights * (1.0 - total / limit)
    jacobian[:, 1:] = (np.diag(weights) - np.outer(weights, shares))[:, :-1]
    return weights, jacobian


def coordinates_of(weights: FloatArray, limit: float) -> FloatArray:
    """The inverse of `weights_from`."""
    total = weights.sum() / limit
    return np.concatenate([[np.log(total / (1.0 - total))], np.log(weights[:-1] / weights[-1])])


def stationarity_gap(weights: FloatArray, gradient: FloatArray, limit: float) -> float:
    """What a first-order step inside {w >= 0, sum w <= limit} could still gain (Frank and Wolfe, 1956).

    It is zero exactly where the projected gradient is, and needs no rule for what counts as being on a bound.
    """
    return float(gradient @ weights - limit * min(0.0, float(gradient.min())))


def minimise_at_bounds(objective: Objective, start: FloatArray, limit: float, free: int, positive: int = 0) -> Minimum:
    """Sequential quadratic programming with exact gradients, for optima on an edge where free coordinates run off.

    The first ``free`` coordinates are unbounded, the next ``positive`` ones are 0 or more, the others are weights with
    w >= 0 and sum w <= limit.
    """
    from scipy.optimize import minimize

    first = free + positive
    slack = np.concatenate([np.zeros(first), -np.ones(len(start) - first)])
    found = minimize(
        objective,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(None, None)] * free + [(0.0, None)] * positive + [(0.0, limit)] * (len(start) - first),
        constraints=[{"type": "ineq", "fun": lambda x: limit + slack @ x, "jac": lambda x: slack}],
        options={"maxiter": 300, "ftol": 1e-15},
    )
    x = np.array(found.x)
    # The constraint may be missed by rounding.
    x[free:] = np.maximum(x[free:], 0.0)
    x[first:] *= min(1.0, limit / max(x[first:].sum(), 1e-300))
    value, gradient = objective(x)
    return Minimum(x, value, gradient, int(found.nfev))
