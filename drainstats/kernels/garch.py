"""Variance recursions of the GARCH family with their exact first derivatives."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def _before_sample(y: FloatArray, mu: float, level: float, has_mean: bool) -> tuple[float, float]:
    """The square and variance before the sample, and its derivative in mu."""
    if not np.isnan(level):
        return level, 0.0
    square, slope = 0.0, 0.0
    for t in range(y.shape[0]):
        square += (y[t] - mu) ** 2
        slope -= 2.0 * (y[t] - mu)
    return square / y.shape[0], slope / y.shape[0] if has_mean else 0.0


@kernel
def garch_likelihood(
    y: FloatArray,
    theta: FloatArray,
    has_mean: bool,
    p: int,
    o: int,
    q: int,
    hold_first: bool,
    level: float,
    h: FloatArray,
    dlogh: FloatArray,
    gradient: FloatArray,
) -> float:
    """Gaussian log-likelihood of GARCH(p, o, q), its gradient, the variance and its log-derivatives.

    ``theta`` = [mu], omega, alpha (p), gamma (o), beta (q). Before the sample squares and variances are ``level``, or
    the mean squared residual when ``level`` is NaN (which then moves with mu); ``hold_first`` gives that value to the
    first max(p, o, q) variances themselves. Writes ``h`` (T,), ``dlogh`` = dh/dtheta / h (T, K), ``gradient`` (K,).
    """
    T, K = y.shape[0], theta.shape[0]
    k0 = 1 if has_mean else 0
    mu = theta[0] if has_mean else 0.0
    start, dstart = _before_sample(y, mu, level, has_mean)
    held = max(p, max(o, q)) if hold_first else 0
    loglik = 0.0
    for k in range(K):
        gradient[k] = 0.0
    for t in range(T):
        d = dlogh[t]
        if t < held:
            v = start
            for k in range(K):
                d[k] = 0.0
            if has_mean:
                d[0] = dstart
        else:
            v, dmu = theta[k0], 0.0
            d[k0] = 1.0
            for i in range(p):
                c = theta[k0 + 1 + i]
                e = y[t - 1 - i] - mu if t > i else 0.0
                square = e * e if t > i else start
                v += c * square
                d[k0 + 1 + i] = square
                dmu += c * (-2.0 * e if t > i else dstart)
            for i in range(o):
                c = theta[k0 + 1 + p + i]
                e = min(y[t - 1 - i] - mu, 0.0) if t > i else 0.0
                square = e * e if t > i else 0.5 * start
                v += c * square
                d[k0 + 1 + p + i] = square
                dmu += c * (-2.0 * e if t > i else 0.5 * dstart)
            for j in range(q):
                c = theta[k0 + 1 + p + o + j]
                lagged = h[t - 1 - j] if t > j else start
                v += c * lagged
                d[k0 + 1 + p + o + j] = lagged
                dmu += c * (0.0 if t > j else dstart)
            if has_mean:
                d[0] = dmu
            for j in range(min(q, t)):
                c = theta[k0 + 1 + p + o + j] * h[t - 1 - j]
                before = dlogh[t - 1 - j]
                for k in range(K):
                    d[k] += c * before[k]
        h[t] = v
        e = y[t] - mu
        inverse = 1.0 / v
        ratio = e * e * inverse
        loglik -= 0.5 * (np.log(2.0 * np.pi * v) + ratio)
        for k in range(K):
            d[k] *= inverse
            gradient[k] += 0.5 * (ratio - 1.0) * d[k]
        if has_mean:
            gradient[0] += e * inverse
    return loglik
