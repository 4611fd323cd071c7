"""EDGE of every trailing window. Array names are those of the paper: r1 … r5 returns, tau, po, pc probabilities.

Each window is computed from its own rows. What is a whole number (how often tau, o ≠ h, …) comes from running
counts, which are exact; sums of floats are formed in the order of NumPy's pairwise sum, eight lanes side by side, so
that windows on the edge of degeneracy fall on the same side as in a plain NumPy computation.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray, IntArray

LANES = 8


@kernel
def _lane_sum(a: FloatArray, start: int, stop: int) -> float:
    n = stop - start
    if n < LANES:
        total = 0.0
        for i in range(start, stop):
            total += a[i]
        return total
    r0, r1, r2, r3 = a[start], a[start + 1], a[start + 2], a[start + 3]
    r4, r5, r6, r7 = a[start + 4], a[start + 5], a[start + 6], a[start + 7]
    last = start + n - n % LANES
    for i in range(start + LANES, last, LANES):
        r0 += a[i]
        r1 += a[i + 1]
        r2 += a[i + 2]
        r3 += a[i + 3]
        r4 += a[i + 4]
        r5 += a[i + 5]
        r6 += a[i + 6]
        r7 += a[i + 7]
    total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for i in range(last, stop):
        total += a[i]
    return total


@kernel
def _spread(e1: float, e2: float, v1: float, v2: float) -> float:
    vt = v1 + v2
    s2 = (v2 * e1 + v1 * e2) / vt if vt > 0 else (e1 + e2) / 2.0
    return np.sqrt(abs(s2)) * np.sign(s2)


@kernel
def _moves(o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray, r: FloatArray, counts: IntArray) -> None:
    # r rows: r1, r3, r5, tau, then r2 and r4 as they enter x1, r5 and r4 as they enter x2 (zero where one is missing).
    # counts columns: running number of valid and of true tau, po1, po2, pc1, pc2; of valid r1, r3, r5, x1, x2.
    for t in range(1, len(o)):
        h1, l1, c1 = h[t - 1], l[t - 1], c[t - 1]
        m, m1 = (h[t] + l[t]) / 2.0, (h1 + l1) / 2.0
        r1, r2, r3, r4, r5 = m - o[t], o[t] - m1, m - c1, c1 - m1, o[t] - c1
        known = not (np.isnan(h[t]) or np.isnan(l[t]) or np.isnan(c1))
        tau = 1 if known and (h[t] != l[t] or l[t] != c1) else 0
        flags = (
            (known, tau == 1),
            (known and not np.isnan(o[t]), tau == 1 and o[t] != h[t]),
            (known and not np.isnan(o[t]), tau == 1 and o[t] != l[t]),
            (known and not np.isnan(h1), tau == 1 and c1 != h1),
            (known and not np.isnan(l1), tau == 1 and c1 != l1),
        )
        for k in range(5):
            counts[t, 2 * k] = counts[t - 1, 2 * k] + flags[k][0]
            counts[t, 2 * k + 1] = counts[t - 1, 2 * k + 1] + (flags[k][0] and flags[k][1])
        one = known and not (np.isnan(r1) or np.isnan(r2) or np.isnan(r3) or np.isnan(r4))
        two = known and not (np.isnan(r1) or np.isnan(r4) or np.isnan(r5))
        counts[t, 10] = counts[t - 1, 10] + (not np.isnan(r1))
        counts[t, 11] = counts[t - 1, 11] + (not np.isnan(r3))
        counts[t, 12] = counts[t - 1, 12] + (not np.isnan(r5))
        counts[t, 13] = counts[t - 1, 13] + one
        counts[t, 14] = counts[t - 1, 14] + two
        r[0, t] = 0.0 if np.isnan(r1) else r1
        r[1, t] = 0.0 if np.isnan(r3) else r3
        r[2, t] = 0.0 if np.isnan(r5) else r5
        r[3, t] = tau
        r[4, t] = r2 if one else 0.0
        r[5, t] = r4 if one else 0.0
        r[6, t] = r5 if two else 0.0
        r[7, t] = r4 if two else 0.0


@kernel
def _window(r: FloatArray, counts: IntArray, start: int, stop: int, n: IntArray, x: FloatArray) -> float:
    # Rows start … stop − 1 hold the moves of the window; its first row serves as the lag only.
    for k in range(n.size):
        n[k] = counts[stop - 1, k] - counts[start - 1, k]
    if n[1] < 2 or n[13] == 0 or n[14] == 0:
        return np.nan
    pt = n[1] / n[0]
    po = n[3] / n[2] + n[5] / n[4]
    pc = n[7] / n[6] + n[9] / n[8]
    if po == 0.0 or pc == 0.0:
        return np.nan
    b1 = _lane_sum(r[0], start, stop) / n[10] / pt
    b3 = _lane_sum(r[1], start, stop) / n[11] / pt
    b5 = _lane_sum(r[2], start, stop) / n[12] / pt
    wo, wc = -4.0 / po, -4.0 / pc
    size = stop - start
    for k in range(size):
        i = start + k
        d1 = r[0, i] - b1 * r[3, i]
        d3 = r[1, i] - b3 * r[3, i]
        d5 = r[2, i] - b5 * r[3, i]
        x[0, k] = wo * d1 * r[4, i] + wc * d3 * r[5, i]
        x[1, k] = wo * d1 * r[6, i] + wc * d5 * r[7, i]
        x[2, k] = x[0, k] * x[0, k]
        x[3, k] = x[1, k] * x[1, k]
    e1 = _lane_sum(x[0], 0, size) / n[13]
    e2 = _lane_sum(x[1], 0, size) / n[14]
    v1 = _lane_sum(x[2], 0, size) / n[13] - e1 * e1
    v2 = _lane_sum(x[3], 0, size) / n[14] - e2 * e2
    return _spread(e1, e2, v1, v2)


@kernel
def edge(o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray, window: int, out: FloatArray) -> None:
    """Signed EDGE of the last ``window`` rows, from log prices (N, T) with an asset a row, into (N, T)."""
    assets, rows = o.shape
    r = np.zeros((8, rows))
    counts = np.zeros((rows, 15), dtype=np.int64)
    n = np.empty(15, dtype=np.int64)
    x = np.empty((4, window))
    for j in range(assets):
        _moves(o[j], h[j], l[j], c[j], r, counts)
        out[j, : window - 1] = np.nan
        for t in range(window - 1, rows):
            out[j, t] = _window(r, counts, t - window + 2, t + 1, n, x)
