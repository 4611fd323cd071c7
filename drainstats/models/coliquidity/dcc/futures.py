"""Forecasts of the DCC family by simulation: the mean of R over many futures, which no recursion gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.correlation import correlation_root, to_correlation
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.recursion import DCCResult

# Numbers of one matrix a future that are held at once.
FUTURE_NUMBERS = 2**21


def expected_correlation(res: DCCResult, horizon: int, draws: int, seed: int) -> FloatArray:
    """Mean of R over ``draws`` futures of the next ``horizon`` steps (H, N, N); the first step is known."""
    rng, N = np.random.default_rng(seed), len(res.columns)
    total, done = np.zeros((horizon, N, N)), 0
    while done < draws:
        count = min(draws - done, max(1, FUTURE_NUMBERS // N**2))
        total += _futures(res, horizon, count, rng)
        done += count
    return to_correlation(total / draws)


def _futures(res: DCCResult, horizon: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Sum of R over ``count`` futures (H, N, N)."""
    psi = res.params[res.spec.parameter_names].to_numpy()
    weights, N = res.spec.weights(psi), len(res.columns)
    m, stack = weights.lags, res.target.reshape(-1, N, N)
    intercept = np.broadcast_to(weights.intercept(stack), (count, N, N))
    path, news, falls = ([np.broadcast_to(x, (count, N, N)) for x in part] for part in res.tail(m))
    out = np.empty((horizon, N, N))
    for h in range(horizon):
        q = weights.step(intercept, path, news, falls)
        R = to_correlation(q)
        out[h] = R.sum(axis=0)
        scale = res.spec.law.scale(rng, count, res.spec.shape(psi))
        z = (correlation_root(R) @ rng.standard_normal((count, N, 1)))[..., 0] * scale[:, None]
        shock = np.array([res.spec.shock(*pair) for pair in zip(q, z, strict=True)])
        fall = np.minimum(shock, 0.0)
        path, news = [*path[1:], q], [*news[1:], shock[:, :, None] * shock[:, None, :]]
        falls = [*falls[1:], fall[:, :, None] * fall[:, None, :]] if len(weights.g) else falls
    return out
