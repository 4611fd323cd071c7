"""Variance recursions of the GARCH family with their exact first derivatives, under any law of `densities`."""

from __future__ import annotations

import math

import numpy as np

from drainstats.kernels.densities import log_density
from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray

# E|z| of a normal shock, taken off |z| in the exponential recursion whatever the law.
CENTRE = math.sqrt(2.0 / math.pi)


@kernel
def garch_likelihood(
    e: FloatArray,
    X: FloatArray,
    W: FloatArray,
    theta: FloatArray,
    orders: tuple[int, int, int],
    exponential: bool,
    held: int,
    before: FloatArray,
    slopes: FloatArray,
    expected: FloatArray,
    width: int,
    rounding: float,
    law: int,
    constants: FloatArray,
    h: FloatArray,
    dlogh: FloatArray,
    gradient: FloatArray,
) -> float:
    """Log-likelihood of GARCH(p, o, q) or EGARCH(p, o, q), its gradient, the variance and its log-derivatives.

    ``theta`` = mean (M), omega, alpha (p), gamma (o), beta (q), loads (V), shape; ``e`` = y - ``X`` mean, NaN where
    the shock is not known; ``W`` (T, V) enters the variance. A term of the recursion is a square, a falling square or a
    variance; in an ``exponential`` one |z| - CENTRE, z or a log variance, |z| being sqrt(z^2 + ``rounding``^2).
    ``before`` (3,) holds the three before the sample and ``slopes`` (3, K) their derivatives; the first ``held``
    variances *are* the third. For a row without a shock ``expected`` (2, 1 + K) holds the first two, per unit of h
    unless exponential, and their derivatives. Only the first ``width`` columns of ``dlogh`` can differ from 0. Writes
    ``h`` (T,), ``dlogh`` (T, K), ``gradient`` (K,).
    """
    p, o, q = orders
    T, M, V = e.shape[0], X.shape[1], W.shape[1]
    loads = M + 1 + p + o + q
    size, along, across = np.empty((T, 3)), np.empty((T, 3)), np.empty((T, 3))
    loglik, in_first, in_second = 0.0, 0.0, 0.0
    for k in range(theta.shape[0]):
        gradient[k] = 0.0
    for t in range(T):
        d = dlogh[t]
        if t < held:
            v = before[2]
            for k in range(width):
                d[k] = slopes[2, k]
        else:
            v = theta[M]
            for k in range(width):
                d[k] = 0.0
            d[M] = 1.0
            for c in range(V):
                v += theta[loads + c] * W[t, c]
                d[loads + c] = W[t, c]
            for j in range(p + o + q):
                kind = 0 if j < p else 1 if j < p + o else 2
                back = t - 1 - j + (0 if j < p else p if j < p + o else p + o)
                weight = theta[M + 1 + j]
                if back < 0:
                    v += weight * before[kind]
                    d[M + 1 + j] += before[kind]
                    for k in range(width):
                        d[k] += weight * slopes[kind, k]
                    continue
                v += weight * size[back, kind]
                d[M + 1 + j] += size[back, kind]
                a, b = weight * along[back, kind], weight * across[back, kind]
                if a != 0.0:
                    for k in range(width):
                        d[k] += a * dlogh[back, k]
                if b != 0.0:
                    for k in range(M):
                        d[k] -= b * X[back, k]
                if kind < 2 and math.isnan(e[back]):
                    for k in range(loads + V, width):
                        d[k] += weight * (1.0 if exponential else h[back]) * expected[kind, 1 + k]
        h[t] = np.exp(v) if exponential else v
        size[t, 2], along[t, 2], across[t, 2] = v, 1.0 if exponential else v, 0.0
        pull, push = 0.0, 0.0
        if math.isnan(e[t]):
            for i in range(2):
                size[t, i], across[t, i] = expected[i, 0] * (1.0 if exponential else v), 0.0
                along[t, i] = 0.0 if exponential else size[t, i]
        else:
            root = 1.0 / np.sqrt(h[t])
            z = e[t] * root
            if exponential:
                length = np.sqrt(z * z + rounding * rounding)
                sign = z / length
                size[t, 0], along[t, 0], across[t, 0] = length - CENTRE, -0.5 * sign * z, sign * root
                size[t, 1], along[t, 1], across[t, 1] = z, -0.5 * z, root
            else:
                low = min(e[t], 0.0)
                size[t, 0], along[t, 0], across[t, 0] = e[t] * e[t], 0.0, 2.0 * e[t]
                size[t, 1], along[t, 1], across[t, 1] = low * low, 0.0, 2.0 * low
            value, slope, first, second = log_density(law, z, constants)
            loglik += value - 0.5 * np.log(h[t])
            in_first += first
            in_second += second
            pull, push = -0.5 * (slope * z + 1.0), slope * root
        inverse = 1.0 if exponential else 1.0 / v
        for k in range(width):
            d[k] *= inverse
            gradient[k] += pull * d[k]
        for k in range(M):
            gradient[k] -= push * X[t, k]
    for k in range(loads + V, theta.shape[0]):
        gradient[k] += in_first if k == loads + V else in_second
    return loglik
