"""The DCC(P, Q) correlation likelihood with exact derivatives, four time steps side by side.

The recursion  Q[t] = (1 - sum a - sum b) S + sum a_i X[t-i] + sum b_j Q[t-j],  X[t] = z[t] z[t]',  is cheap and serial;
factoring R[t] is neither. Blocks of four successive Q therefore lie in the last axis and are factored in lanes.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray

LANES = 4


@kernel
def _pull(
    q: FloatArray,
    m: int,
    z: FloatArray,
    low: FloatArray,
    inv: FloatArray,
    scale: FloatArray,
    u: FloatArray,
    g: FloatArray,
    ll: FloatArray,
) -> None:
    """Four log-likelihoods and their derivatives with respect to Q.

    ``q`` (N, N, m + 4) lower triangle, current steps behind m old ones; ``z`` (N, 4); work ``low``, ``inv`` (N, N, 4),
    ``scale`` (N, 4). Writes ``u`` = R^-1 z (N, 4), ``g`` (N, N, 4) lower triangle with d ll = -0.5 sum_ij g_ij dQ_ij
    over the full symmetric matrix, and ``ll`` (4,) = -0.5 (log|R| + z'R^-1 z - z'z).
    """
    n = z.shape[0]
    for l in range(4):
        ll[l] = 0.0
    for i in range(n):
        for l in range(4):
            scale[i, l] = 1.0 / np.sqrt(q[i, i, m + l])
        for j in range(i + 1):
            s0 = q[i, j, m] * scale[i, 0] * scale[j, 0]
            s1 = q[i, j, m + 1] * scale[i, 1] * scale[j, 1]
            s2 = q[i, j, m + 2] * scale[i, 2] * scale[j, 2]
            s3 = q[i, j, m + 3] * scale[i, 3] * scale[j, 3]
            for k in range(j):
                s0 -= low[i, k, 0] * low[j, k, 0]
                s1 -= low[i, k, 1] * low[j, k, 1]
                s2 -= low[i, k, 2] * low[j, k, 2]
                s3 -= low[i, k, 3] * low[j, k, 3]
            if i == j:
                # The diagonal keeps 1 / L_ii: only its inverse is ever used.
                low[i, i, 0], low[i, i, 1] = 1.0 / np.sqrt(s0), 1.0 / np.sqrt(s1)
                low[i, i, 2], low[i, i, 3] = 1.0 / np.sqrt(s2), 1.0 / np.sqrt(s3)
            else:
                low[i, j, 0] = s0 * low[j, j, 0]
                low[i, j, 1] = s1 * low[j, j, 1]
                low[i, j, 2] = s2 * low[j, j, 2]
                low[i, j, 3] = s3 * low[j, j, 3]
    # inv[j, i] = (L^-1)_ij for i >= j: rows run along the sums below.
    for j in range(n):
        for l in range(4):
            inv[j, j, l] = low[j, j, l]
        for i in range(j + 1, n):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(j, i):
                s0 += low[i, k, 0] * inv[j, k, 0]
                s1 += low[i, k, 1] * inv[j, k, 1]
                s2 += low[i, k, 2] * inv[j, k, 2]
                s3 += low[i, k, 3] * inv[j, k, 3]
            inv[j, i, 0] = -s0 * low[i, i, 0]
            inv[j, i, 1] = -s1 * low[i, i, 1]
            inv[j, i, 2] = -s2 * low[i, i, 2]
            inv[j, i, 3] = -s3 * low[i, i, 3]
    for i in range(n):
        for j in range(i + 1):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for k in range(i, n):
                s0 += inv[i, k, 0] * inv[j, k, 0]
                s1 += inv[i, k, 1] * inv[j, k, 1]
                s2 += inv[i, k, 2] * inv[j, k, 2]
                s3 += inv[i, k, 3] * inv[j, k, 3]
            g[i, j, 0], g[i, j, 1], g[i, j, 2], g[i, j, 3] = s0, s1, s2, s3
    for i in range(n):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        for j in range(n):
            hi, lo = max(i, j), min(i, j)
            s0 += g[hi, lo, 0] * z[j, 0]
            s1 += g[hi, lo, 1] * z[j, 1]
            s2 += g[hi, lo, 2] * z[j, 2]
            s3 += g[hi, lo, 3] * z[j, 3]
        u[i, 0], u[i, 1], u[i, 2], u[i, 3] = s0, s1, s2, s3
    for i in range(n):
        for l in range(4):
            ll[l] += np.log(low[i, i, l]) - 0.5 * (u[i, l] - z[i, l]) * z[i, l]
            g[i, i, l] += u[i, l] * z[i, l] - 1.0
        for j in range(i + 1):
            for l in range(4):
                g[i, j, l] = (g[i, j, l] - u[i, l] * u[j, l]) * scale[i, l] * scale[j, l]


@kernel
def dcc_likelihood(
    z: FloatArray,
    target: FloatArray,
    before: FloatArray,
    a: FloatArray,
    b: FloatArray,
    loglik: FloatArray,
    scores: FloatArray,
    slopes: FloatArray,
    direct: FloatArray,
) -> None:
    """Correlation log-likelihood by time step and its scores in (a, b).

    ``z`` (T, N) standardised residuals; ``target`` S and ``before`` (N, N): X before the sample (Q before it is S).
    Writes ``loglik`` (T,) and ``scores`` (T, P + Q). When ``slopes`` has T rows it also keeps d loglik[t] / dQ[t]
    (T, N, N) and ``direct`` = d loglik[t] / dz[t] at fixed R[t] (T, N): what `dcc_adjoint` needs.
    """
    T, n = z.shape
    P, Q = a.shape[0], b.shape[0]
    m, K = max(P, Q), P + Q
    keep = slopes.shape[0] == T
    rest = 1.0 - a.sum() - b.sum()
    q = np.zeros((n, n, m + 4))
    dq = np.zeros((n, n, K, m + 4))
    low, inv, g = np.zeros((n, n, 4)), np.zeros((n, n, 4)), np.zeros((n, n, 4))
    scale, u, zl, ll = np.zeros((n, 4)), np.zeros((n, 4)), np.zeros((n, m + 4)), np.zeros(4)
    for i in range(n):
        for j in range(i + 1):
            q[i, j, :m] = target[i, j]
    for t0 in range(0, T, 4):
        width = min(4, T - t0)
        for i in range(n):
            for s in range(m + 4):
                t = t0 + s - m
                zl[i, s] = z[t, i] if 0 <= t < T else 0.0
        for i in range(n):
            for j in range(i + 1):
                mean = target[i, j]
                path, slope = q[i, j], dq[i, j]
                for s in range(m, m + 4):
                    value = rest * mean
                    for k in range(P):
                        shock = zl[i, s - 1 - k] * zl[j, s - 1 - k] if t0 + s - m > k else before[i, j]
                        value += a[k] * shock
                        slope[k, s] = shock - mean
                    for k in range(Q):
                        value += b[k] * path[s - 1 - k]
                        slope[P + k, s] = path[s - 1 - k] - mean
                    path[s] = value
                    for k in range(K):
                        change = slope[k, s]
                        for r in range(Q):
                            change += b[r] * slope[k, s - 1 - r]
                        slope[k, s] = change
        _pull(q, m, zl[:, m:], low, inv, scale, u, g, ll)
        for l in range(width):
            loglik[t0 + l] = ll[l]
            scores[t0 + l, :] = 0.0
        for i in range(n):
            for j in range(i + 1):
                weight = -0.5 if i == j else -1.0
                for k in range(K):
                    for l in range(width):
                        scores[t0 + l, k] += weight * g[i, j, l] * dq[i, j, k, m + l]
                for s in range(m):
                    q[i, j, s] = q[i, j, s + 4]
                    for k in range(K):
                        dq[i, j, k, s] = dq[i, j, k, s + 4]
        if keep:
            for l in range(width):
                for i in range(n):
                    direct[t0 + l, i] = zl[i, m + l] - u[i, l]
                    for j in range(i + 1):
                        slopes[t0 + l, i, j] = -0.5 * g[i, j, l]
                        slopes[t0 + l, j, i] = -0.5 * g[i, j, l]


@kernel
def dcc_adjoint(
    z: FloatArray,
    a: FloatArray,
    b: FloatArray,
    slopes: FloatArray,
    dz: FloatArray,
    dtarget: FloatArray,
    dbefore: FloatArray,
) -> None:
    """Pull d loglik / dQ[t] back through the recursion to z, the target and the shocks before the sample.

    ``slopes`` (T, N, N) comes from `dcc_likelihood` and is overwritten by the adjoint of Q[t]; ``dz`` (T, N) comes in
    as the derivative at fixed R and leaves as the total one at a fixed target; ``dtarget``, ``dbefore`` (N, N) come in
    as zeros.
    """
    T, n = z.shape
    P, Q = a.shape[0], b.shape[0]
    rest = 1.0 - a.sum() - b.sum()
    for t in range(T - 1, -1, -1):
        here = slopes[t]
        for k in range(Q):
            if t + 1 + k < T:
                here += b[k] * slopes[t + 1 + k]
        dtarget += (rest + b[t:].sum()) * here
        for k in range(P):
            if t <= k:
                dbefore += a[k] * here
            else:
                earlier = t - 1 - k
                for i in range(n):
                    total = 0.0
                    for j in range(n):
                        total += here[i, j] * z[earlier, j]
                    dz[earlier, i] += 2.0 * a[k] * total


@kernel
def dcc_path(
    z: FloatArray, target: FloatArray, shocks: FloatArray, a: FloatArray, b: FloatArray, q: FloatArray
) -> None:
    """Fill ``q`` (m + T, N, N); its first m = max(P, Q) matrices and ``shocks`` (m, N, N) precede ``z`` (T, N)."""
    T, n = z.shape
    m = shocks.shape[0]
    rest = 1.0 - a.sum() - b.sum()
    for t in range(T):
        for i in range(n):
            for j in range(n):
                value = rest * target[i, j]
                for k in range(a.shape[0]):
                    s = t - 1 - k
                    value += a[k] * (z[s, i] * z[s, j] if s >= 0 else shocks[m + s, i, j])
                for k in range(b.shape[0]):
                    value += b[k] * q[m + t - 1 - k, i, j]
                q[m + t, i, j] = value
