"""EDGE of every trailing window. Array names are those of the paper: r1 … r5 returns, tau, po, pc probabilities.

Each window is computed from its own rows. What is a whole number (how often tau, o ≠ h, …) comes from running counts,
which are exact; sums of floats are formed in the order of NumPy's pairwise sum, eight partial sums at a time, so that
windows on the edge of degeneracy fall on the same side as in a plain NumPy computation. Assets lie side by side in
blocks: the innermost loops run over them and have few enough arrays for the compiler to vectorise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray

LANES = 8
BLOCK = 64
CHUNK = 128
R1, R3, R5, TAU, R2_X, R4_X, R5_X = range(7)
N_TAU, S_TAU, N_PO, S_PO1, S_PO2, N_PC1, S_PC1, N_PC2, S_PC2, N_R1, N_R5, N_X = range(12)


@inlined
def _moves(
    o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray, first: int, low: int, stop: int,
    r: FloatArray, n: FloatArray,
) -> None:  # fmt: skip
    # Rows low … stop − 1 go to rows 1, 2, … of r and n.
    # r (·, 7, BLOCK): r1, r3, r5 and tau as they are averaged, and r2, r4, r5 as they enter x1 and x2, zero where a
    # part is missing (x1 and x2 need the same cells). n (·, 12, BLOCK): running numbers of valid rows and of true
    # indicators, whole numbers as floats; r3 is valid where tau is.
    # Conditions are combined with & and not "and": branches that data decide are what would cost time here.
    for t in range(low, stop):
        before, now, move = n[t - low], n[t - low + 1], r[t - low + 1]
        for b in range(min(BLOCK, o.shape[1] - first)):
            j = first + b
            oo, hh, ll = o[t, j], h[t, j], l[t, j]
            h1, l1, c1 = h[t - 1, j], l[t - 1, j], c[t - 1, j]
            m, m1 = (hh + ll) / 2.0, (h1 + l1) / 2.0
            r1, r2, r3, r4, r5 = m - oo, oo - m1, m - c1, c1 - m1, oo - c1
            known = (m == m) & (c1 == c1)
            tau = known & ((hh != ll) | (ll != c1))
            opened, had_high, had_low = known & (oo == oo), known & (h1 == h1), known & (l1 == l1)
            in_x = opened & (m1 == m1)
            now[N_TAU, b] = before[N_TAU, b] + known
            now[S_TAU, b] = before[S_TAU, b] + tau
            now[N_PO, b] = before[N_PO, b] + opened
            now[S_PO1, b] = before[S_PO1, b] + (opened & tau & (oo != hh))
            now[S_PO2, b] = before[S_PO2, b] + (opened & tau & (oo != ll))
            now[N_PC1, b] = before[N_PC1, b] + had_high
            now[S_PC1, b] = before[S_PC1, b] + (had_high & tau & (c1 != h1))
            now[N_PC2, b] = before[N_PC2, b] + had_low
            now[S_PC2, b] = before[S_PC2, b] + (had_low & tau & (c1 != l1))
            now[N_R1, b] = before[N_R1, b] + (r1 == r1)
            now[N_R5, b] = before[N_R5, b] + (r5 == r5)
            now[N_X, b] = before[N_X, b] + in_x
            move[R1, b] = r1 if r1 == r1 else 0.0
            move[R3, b] = r3 if r3 == r3 else 0.0
            move[R5, b] = r5 if r5 == r5 else 0.0
            move[TAU, b] = tau
            move[R2_X, b] = r2 if in_x else 0.0
            move[R4_X, b] = r4 if in_x else 0.0
            move[R5_X, b] = r5 if in_x else 0.0


@inlined
def _sum(a: FloatArray, kind: int, start: int, stop: int, square: bool, lanes: FloatArray, out: FloatArray) -> None:
    # Sums over rows start … stop − 1 of a[:, kind], or of their squares, in NumPy's order.
    size = stop - start
    whole = size - size % LANES if size >= LANES else 0
    lanes[:] = 0.0
    for i in range(whole):
        k = i % LANES
        if square:
            for b in range(BLOCK):
                lanes[k, b] += a[start + i, kind, b] * a[start + i, kind, b]
        else:
            for b in range(BLOCK):
                lanes[k, b] += a[start + i, kind, b]
    for b in range(BLOCK):
        left = (lanes[0, b] + lanes[1, b]) + (lanes[2, b] + lanes[3, b])
        out[b] = left + ((lanes[4, b] + lanes[5, b]) + (lanes[6, b] + lanes[7, b]))
    for i in range(start + whole, stop):
        if square:
            for b in range(BLOCK):
                out[b] += a[i, kind, b] * a[i, kind, b]
        else:
            for b in range(BLOCK):
                out[b] += a[i, kind, b]


@inlined
def _weights(n: FloatArray, before: int, last: int, w: FloatArray) -> None:
    # w rows: pt (NaN where the window has no estimate), −4 / po, −4 / pc, then the numbers of r1, r3, r5 and x.
    past, now = n[before], n[last]
    for b in range(BLOCK):
        changes = now[S_TAU, b] - past[S_TAU, b]
        opened = now[N_PO, b] - past[N_PO, b]
        w[3, b] = now[N_R1, b] - past[N_R1, b]
        w[4, b] = now[N_TAU, b] - past[N_TAU, b]
        w[5, b] = now[N_R5, b] - past[N_R5, b]
        w[6, b] = now[N_X, b] - past[N_X, b]
        po = (now[S_PO1, b] - past[S_PO1, b]) / opened + (now[S_PO2, b] - past[S_PO2, b]) / opened
        pc = (now[S_PC1, b] - past[S_PC1, b]) / (now[N_PC1, b] - past[N_PC1, b])
        pc += (now[S_PC2, b] - past[S_PC2, b]) / (now[N_PC2, b] - past[N_PC2, b])
        w[0, b] = np.nan if (changes < 2) | (po == 0.0) | (pc == 0.0) else changes / w[4, b]
        w[1, b] = -4.0 / po
        w[2, b] = -4.0 / pc


@inlined
def _demeaned(r: FloatArray, kind: int, start: int, shift: FloatArray, weight: FloatArray, d: FloatArray) -> None:
    for i in range(d.shape[0]):
        for b in range(BLOCK):
            d[i, kind, b] = weight[b] * (r[start + i, kind, b] - shift[b] * r[start + i, TAU, b])


@inlined
def _products(d: FloatArray, k: int, other: int, r: FloatArray, start: int, x: FloatArray) -> None:
    for i in range(x.shape[0]):
        for b in range(BLOCK):
            x[i, 0, b] = d[i, R1, b] * r[start + i, other, b] + d[i, k, b] * r[start + i, R4_X, b]


@inlined
def _estimate(w: FloatArray, s: FloatArray, out: FloatArray, row: int, first: int) -> None:
    # s rows: sums of x1, x1², x2, x2².
    for b in range(min(BLOCK, out.shape[1] - first)):
        e1, e2 = s[0, b] / w[6, b], s[2, b] / w[6, b]
        v1, v2 = s[1, b] / w[6, b] - e1 * e1, s[3, b] / w[6, b] - e2 * e2
        vt = v1 + v2
        s2 = (v2 * e1 + v1 * e2) / vt if vt > 0 else (e1 + e2) / 2.0
        root = np.sqrt(abs(s2)) * np.sign(s2)
        out[row, first + b] = root if w[0, b] == w[0, b] else np.nan


def edge(prices: Sequence[FloatArray], window: int) -> FloatArray:
    """Signed EDGE of the last ``window`` rows from the logs of open, high, low and close, each (T, N); returns (T, N).

    Windows do not know each other, so a few long series are cut into parts that stand side by side, each with the
    rows that its first windows need: a block is full even for one asset.
    """
    rows, columns = prices[0].shape
    parts = max(1, min(BLOCK // max(columns, 1), rows // (4 * window)))
    if parts == 1:
        out = np.empty((rows, columns))
        _windows(*prices, window, out)
        return out
    length = -(-rows // parts)
    padded = np.full((window - 1 + parts * length, columns), np.nan)
    folded = []
    for table in prices:
        padded[window - 1 : window - 1 + rows] = table
        cuts = [padded[p * length : (p + 1) * length + window - 1] for p in range(parts)]
        folded.append(np.concatenate(cuts, axis=1))
    wide = np.empty_like(folded[0])
    _windows(*folded, window, wide)
    out = np.concatenate(np.split(wide[window - 1 :], parts, axis=1))[:rows]
    out[: window - 1] = np.nan
    return out


@kernel
def _windows(o: FloatArray, h: FloatArray, l: FloatArray, c: FloatArray, window: int, out: FloatArray) -> None:
    rows, columns = o.shape
    r, n = np.zeros((CHUNK + window, 7, BLOCK)), np.zeros((CHUNK + window, 12, BLOCK))
    d, x = np.empty((window - 1, 3, BLOCK)), np.empty((window - 1, 1, BLOCK))
    w, s, lanes, shift = np.empty((7, BLOCK)), np.empty((4, BLOCK)), np.empty((LANES, BLOCK)), np.empty(BLOCK)
    out[: window - 1] = np.nan
    for first in range(0, columns, BLOCK):
        for begin in range(window - 1, rows, CHUNK):
            # The moves of the window that ends in t are those of rows t − window + 2 … t: its first row serves as the
            # row before only. They stand in rows start … start + window − 2 of r, a chunk at a time to stay in cache.
            stop = min(begin + CHUNK, rows)
            _moves(o, h, l, c, first, begin - window + 2, stop, r, n)
            for start in range(1, stop - begin + 1):
                end = start + window - 1
                _weights(n, start - 1, end - 1, w)
                for kind in range(3):
                    _sum(r, kind, start, end, False, lanes, shift)
                    for b in range(BLOCK):
                        shift[b] = shift[b] / w[3 + kind, b] / w[0, b]
                    _demeaned(r, kind, start, shift, w[1] if kind == R1 else w[2], d)
                for which in range(2):
                    _products(d, 1 + which, R2_X if which == 0 else R5_X, r, start, x)
                    _sum(x, 0, 0, window - 1, False, lanes, s[2 * which])
                    _sum(x, 0, 0, window - 1, True, lanes, s[2 * which + 1])
                _estimate(w, s, out, begin + start - 1, first)
