"""Variance recursions of the GARCH family with their exact first derivatives, under any law of `densities`."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.densities import log_density
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
    law: int,
    constants: FloatArray,
    h: FloatArray,
    dlogh: FloatArray,
    gradient: FloatArray,
) -> float:
    """Log-likelihood of GARCH(p, o, q), its gradient, the variance and its log-derivatives.

    ``theta`` = [mu], omega, alpha (p), gamma (o), beta (q), shape; ``law`` and ``constants`` as in `densities`.
    Before the sample squares and variances are ``level``, or the mean squared residual when ``level`` is NaN (which
    then moves with mu); ``hold_first`` gives that value to the first max(p, o, q) variances themselves. Writes ``h``
    (T,), ``dlogh`` = dh/dtheta / h (T, K), ``gradient`` (K,).
    """
    T = y.shape[0]
    k0 = 1 if has_mean else 0
    mu = theta[0] if has_mean else 0.0
    start, dstart = _before_sample(y, mu, level, has_mean)
    held = max(p, max(o, q)) if hold_first else 0
    K = k0 + 1 + p + o + q
    loglik, in_first, in_second = 0.0, 0.0, 0.0
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
        inverse = 1.0 / v
        root = np.sqrt(inverse)
        z = (y[t] - mu) * root
        value, slope, first, second = log_density(law, z, constants)
        loglik += value - 0.5 * np.log(v)
        in_first += first
        in_second += second
        pull = -0.5 * (slope * z + 1.0)
        for k in range(K):
            d[k] *= inverse
            gradient[k] += pull * d[k]
        if has_mean:
            gradient[0] -= slope * root
        for k in range(K, theta.shape[0]):
            d[k] = 0.0
    for k in range(K, theta.shape[0]):
        gradient[k] = in_first if k == K else in_second
    return loglik
