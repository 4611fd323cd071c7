"""Slow twins in plain NumPy of the compiled recursions, and simulators with known parameters."""

from __future__ import annotations

import numpy as np
from scipy import stats


def garch_variance(e, omega, alpha, gamma, beta, level, hold_first):
    """h[t] by the formula, one lag at a time."""
    p, o, q = len(alpha), len(gamma), len(beta)
    held = max(p, o, q) if hold_first else 0
    h = np.empty(len(e))
    for t in range(len(e)):
        if t < held:
            h[t] = level
            continue
        h[t] = omega
        h[t] += sum(alpha[i] * (e[t - 1 - i] ** 2 if t > i else level) for i in range(p))
        h[t] += sum(gamma[i] * (min(e[t - 1 - i], 0.0) ** 2 if t > i else 0.5 * level) for i in range(o))
        h[t] += sum(beta[j] * (h[t - 1 - j] if t > j else level) for j in range(q))
    return h


def dcc_paths(z, target, before, a, b):
    """(Q, R, log-likelihood by step) by the formula."""
    T, N = z.shape
    Q, R, value = np.empty((T, N, N)), np.empty((T, N, N)), np.empty(T)
    for t in range(T):
        Q[t] = (1.0 - sum(a) - sum(b)) * target
        for i, weight in enumerate(a):
            Q[t] += weight * (np.outer(z[t - 1 - i], z[t - 1 - i]) if t > i else before)
        for j, weight in enumerate(b):
            Q[t] += weight * (Q[t - 1 - j] if t > j else target)
        scale = np.sqrt(np.diag(Q[t]))
        R[t] = Q[t] / np.outer(scale, scale)
        value[t] = -0.5 * (np.linalg.slogdet(R[t])[1] + z[t] @ np.linalg.solve(R[t], z[t]) - z[t] @ z[t])
    return Q, R, value


def simulate_dcc(T, N, seed, a=0.05, b=0.90, rho=0.4, omega=0.05, alpha=0.08, beta=0.87, burn=300):
    """GARCH(1, 1) margins with DCC(1, 1) correlations."""
    rng = np.random.default_rng(seed)
    S = np.full((N, N), rho) + (1.0 - rho) * np.eye(N)
    Q, h, y = S.copy(), np.full(N, omega / (1.0 - alpha - beta)), np.empty((T + burn, N))
    shocks = rng.standard_normal((T + burn, N))
    for t in range(T + burn):
        scale = np.sqrt(np.diag(Q))
        z = np.linalg.cholesky(Q / np.outer(scale, scale)) @ shocks[t]
        y[t] = np.sqrt(h) * z
        h = omega + alpha * y[t] ** 2 + beta * h
        Q = (1.0 - a - b) * S + a * np.outer(z, z) + b * Q
    return y[burn:]


def log_density(dist, z, shape):
    """Log density of standardised shocks from scipy's distributions."""
    if dist == "normal":
        return stats.norm.logpdf(z)
    if dist == "t":
        scale = np.sqrt(shape[0] / (shape[0] - 2.0))
        return stats.t.logpdf(z * scale, shape[0]) + np.log(scale)
    if dist == "ged":
        scale = stats.gennorm.std(shape[0])
        return stats.gennorm.logpdf(z * scale, shape[0]) + np.log(scale)
    eta, skew = shape
    a, b = skewed_t_constants(eta, skew)
    x = b * z + a
    return np.log(b) + log_density("t", x / np.where(x < 0.0, 1.0 - skew, 1.0 + skew), [eta])


def skewed_t_constants(eta, skew):
    """a and b of Hansen's skewed t from the density of the standardised t at zero."""
    peak = np.exp(log_density("t", 0.0, [eta]))
    a = 4.0 * skew * peak * (eta - 2.0) / (eta - 1.0)
    return a, np.sqrt(1.0 + 3.0 * skew**2 - a**2)


def skewed_t_quantile(u, eta, skew):
    """Quantiles of Hansen's skewed t."""
    a, b = skewed_t_constants(eta, skew)
    below = u < 0.5 * (1.0 - skew)
    inner = np.where(below, u / (1.0 - skew), 0.5 + (u - 0.5 * (1.0 - skew)) / (1.0 + skew))
    x = stats.t.ppf(inner, eta) * np.sqrt((eta - 2.0) / eta) * np.where(below, 1.0 - skew, 1.0 + skew)
    return (x - a) / b
