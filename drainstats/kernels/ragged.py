"""The recursion of DCC(P, Q) with exact derivatives when some residuals are missing.

    Q[t] = (1 - sum a - sum b) S + sum a_i X[t-i] + sum b_j Q[t-j] + b_1 k[t-1] (X[t-1] - Q[t-1])
    X[t] = E[z z' | z_o] = V + m m',   V = R - R_.o R_oo^-1 R_o.,   m = R_.o R_oo^-1 z_o,   R = R[t]

o are the assets seen at t. Where all are seen X = z z'; where none is, X = R. With u = R_oo^-1 z_o and
C = I - R_.o R_oo^-1, whose rows o vanish, a change of R moves X by  C dR C' + dm m' + m dm',  dm = C dR u. The gain k
depends on what is seen, on (a_1, b_1) and, little, on S; without holes it is zero.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import BoolArray, FloatArray


@kernel
def ragged_gains(seen: BoolArray, explained: FloatArray, a: float, b: float, gain: FloatArray) -> None:
    """What b k[t-1] is in row t, and its derivatives in a and b; ``gain`` (3, T).

    k is the mean over the pairs seen in a row of p / (1 + p). p, what is not known of Q_ij in units of the variance of
    its news, goes to f ((a + b)^2 p + a^2) + (1 - f) b^2 p / (1 + p), where f is the share of the news that is not
    known: 1 less the product of the known shares of both assets; a missing one has ``explained`` (N,) for each of the
    others that is seen.
    """
    n, r = seen.shape[1], a + b
    p, in_a, in_b, known = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)), np.empty(n)
    gain[0, 0] = gain[1, 0] = gain[2, 0] = 0.0
    for t in range(1, seen.shape[0]):
        total, total_a, total_b, count, there = 0.0, 0.0, 0.0, 0, 0.0
        for i in range(n):
            there += 1.0 if seen[t - 1, i] else 0.0
        for i in range(n):
            known[i] = 1.0 if seen[t - 1, i] else min(explained[i] * there, 1.0)
            for j in range(i):
                x, f = p[i, j], 1.0 - known[i] * known[j]
                decay = 1.0 / (1.0 + x)
                k, k_a, k_b = x * decay, in_a[i, j] * decay * decay, in_b[i, j] * decay * decay
                if seen[t - 1, i] and seen[t - 1, j]:
                    total, total_a, total_b, count = total + k, total_a + k_a, total_b + k_b, count + 1
                p[i, j] = f * (r * r * x + a * a) + (1.0 - f) * b * b * k
                in_a[i, j] = f * (r * r * in_a[i, j] + 2.0 * r * x + 2.0 * a) + (1.0 - f) * b * b * k_a
                in_b[i, j] = f * (r * r * in_b[i, j] + 2.0 * r * x) + (1.0 - f) * (b * b * k_b + 2.0 * b * k)
        share = 1.0 / max(count, 1)
        gain[0, t] = b * total * share
        gain[1, t] = b * total_a * share
        gain[2, t] = (total + b * total_b) * share


@kernel
def ragged_advance(
    path: FloatArray, z: FloatArray, seen: BoolArray, t0: int, intercept: FloatArray, target: FloatArray,
    a: FloatArray, b: FloatArray, gain: FloatArray,
) -> None:  # fmt: skip
    """Fill a stretch of Q, X, dQ / d psi and dX / d psi, psi = (a, b), from the steps before it.

    ``path`` (2 or 2 + 2 K, m + C, M) packed lower triangles in these layers, m = max(P, Q) old steps before the C
    current ones; ``z`` (T, N) residuals, zero where not ``seen`` (T, N), the first current ones in row ``t0``;
    ``intercept`` (M,) the part of Q that does not move; ``target`` (M,) S; ``gain`` (3, T) from `ragged_gains`. It is
    one function because parts of it would be compiled twice.
    """
    P, K, n = a.shape[0], a.shape[0] + b.shape[0], z.shape[1]
    m, D = max(P, b.shape[0]), path.shape[0] // 2 - 1
    R, C, dR, Y = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    scale, mean, u, dm, half = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for s in range(m, path.shape[1]):
        t = t0 + s - m
        for c in range(path.shape[2]):
            q = intercept[c]
            for k in range(P):
                q += a[k] * path[1, s - 1 - k, c]
            for k in range(P, K):
                q += b[k - P] * path[0, s - 1 - k + P, c]
            news = path[1, s - 1, c] - path[0, s - 1, c]
            path[0, s, c] = q + gain[0, t] * news
            for d in range(D):
                slope = (path[1, s - 1 - d, c] if d < P else path[0, s - 1 - d + P, c]) - target[c]
                for k in range(P):
                    slope += a[k] * path[2 + K + d, s - 1 - k, c]
                for k in range(P, K):
                    slope += b[k - P] * path[2 + d, s - 1 - k + P, c]
                slope += gain[0, t] * (path[2 + K + d, s - 1, c] - path[2 + d, s - 1, c])
                if d == 0 or d == P:
                    slope += gain[1 if d == 0 else 2, t] * news
                path[2 + d, s, c] = slope
        c, whole = 0, True
        for i in range(n):
            whole &= seen[t, i]
            scale[i] = 1.0 / np.sqrt(path[0, s, c + i])
            for j in range(i + 1):
                C[i, j] = C[j, i] = R[i, j] = R[j, i] = path[0, s, c] * scale[i] * scale[j]
                c += 1
        # Gauss-Jordan steps on the seen assets leave in the rows of the others C in the seen columns, V in the rest.
        for p in range(n):
            if seen[t, p] and not whole:
                pivot = 1.0 / C[p, p]
                C[p, p] = 1.0
                for i in range(n):
                    if i != p:
                        step = C[i, p] * pivot
                        C[i, p] = 0.0
                        for j in range(n):
                            C[i, j] -= step * C[p, j]
                for j in range(n):
                    C[p, j] *= pivot
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += C[i, j] * z[t, j]
            u[i] = total if seen[t, i] else 0.0
            mean[i] = z[t, i] if seen[t, i] else -total
        c = 0
        for i in range(n):
            for j in range(i + 1):
                path[1, s, c] = mean[i] * mean[j] + (0.0 if seen[t, i] or seen[t, j] else C[i, j])
                c += 1
        for d in range(D):
            c = 0
            for i in range(n):
                half[i] = 0.5 * path[2 + d, s, c + i] * scale[i] * scale[i]
                for j in range(i + 1):
                    dR[i, j] = dR[j, i] = path[2 + d, s, c] * scale[i] * scale[j] - R[i, j] * (half[i] + half[j])
                    c += 1
            c = 0
            for i in range(n):
                dm[i] = 0.0
                if not seen[t, i]:
                    for j in range(n):
                        Y[i, j] = dR[i, j]
                    for o in range(n):
                        if seen[t, o]:
                            for j in range(n):
                                Y[i, j] += C[i, o] * dR[o, j]
                    for o in range(n):
                        dm[i] += Y[i, o] * u[o]
                for j in range(i + 1):
                    value = dm[i] * mean[j] + mean[i] * dm[j]
                    if not (seen[t, i] or seen[t, j]):
                        value += Y[i, j]
                        for o in range(n):
                            value += Y[i, o] * C[j, o] if seen[t, o] else 0.0
                    path[2 + K + d, s, c] = value
                    c += 1
