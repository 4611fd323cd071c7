"""Maximum likelihood of the friction model of Lesmond, Ogden and Trzcinka (1999) in trailing windows.

The latent return is beta m + noise with standard deviation sigma, m the market's return. It is seen less low < 0 when
it is below low, less high > 0 when it is above high, and as zero in between. In the coordinates of Olsen (1978),
low / sigma, high / sigma, beta / sigma and 1 / sigma, the log-likelihood is concave, so that Newton's method with step
halving finds the one maximum under low ≤ 0 ≤ high; nothing is carried over from one window to the next.
"""

from __future__ import annotations

import math

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray, IntArray

LOW, HIGH, BETA, RATE = range(4)
FOUND, FEW_ROWS, ONE_SIDED, NO_SCALE, STOPPED = range(5)
ROOT2, ROOT2PI = math.sqrt(2.0), math.sqrt(2.0 * math.pi)
STEPS, HALVINGS = 60, 40
# Half the squared Newton decrement: what the log-likelihood can still gain.
GAIN = 1e-12


@inlined
def _between(low: float, high: float) -> float:
    # Probability of a standard normal between low and high, from the tail in which digits are not lost.
    if low > 0.0:
        return 0.5 * (math.erfc(low / ROOT2) - math.erfc(high / ROOT2))
    return 0.5 * (math.erfc(-high / ROOT2) - math.erfc(-low / ROOT2))


@inlined
def _value(r: FloatArray, m: FloatArray, side: IntArray, n: int, p: FloatArray) -> float:
    if p[RATE] <= 0.0 or p[LOW] > 0.0 or p[HIGH] < 0.0:
        return -np.inf
    total, moved = 0.0, 0
    for i in range(n):
        shift = p[BETA] * m[i]
        if side[i] == 0:
            inside = _between(p[LOW] - shift, p[HIGH] - shift)
            if not inside > 0.0:
                return -np.inf
            total += math.log(inside)
        else:
            e = p[RATE] * r[i] + (p[HIGH] if side[i] > 0 else p[LOW]) - shift
            total -= 0.5 * e * e
            moved += 1
    return total + moved * math.log(p[RATE])


@inlined
def _add(h: FloatArray, s: FloatArray, a: float, da: FloatArray, weight: float, db: FloatArray) -> None:
    for k in range(4):
        s[k] += a * da[k]
        for l in range(4):
            h[k, l] += weight * da[k] * db[l]


@inlined
def _derivatives(
    r: FloatArray, m: FloatArray, side: IntArray, n: int, p: FloatArray, g: FloatArray, h: FloatArray, o: FloatArray
) -> None:
    # g: gradient, h: negative Hessian, o: sum of outer products of the rows' scores.
    s, u, v = np.empty(4), np.zeros(4), np.zeros(4)
    for k in range(4):
        g[k] = 0.0
        for l in range(4):
            h[k, l], o[k, l] = 0.0, 0.0
    for i in range(n):
        for k in range(4):
            s[k], u[k], v[k] = 0.0, 0.0, 0.0
        u[BETA], v[BETA] = -m[i], -m[i]
        if side[i] == 0:
            low, high = p[LOW] - p[BETA] * m[i], p[HIGH] - p[BETA] * m[i]
            inside = _between(low, high) * ROOT2PI
            a, b = math.exp(-0.5 * high * high) / inside, math.exp(-0.5 * low * low) / inside
            u[HIGH], v[LOW] = 1.0, 1.0
            _add(h, s, a, u, high * a + a * a, u)
            _add(h, s, -b, v, b * b - low * b, v)
            _add(h, s, 0.0, u, -a * b, v)
            _add(h, s, 0.0, v, -a * b, u)
        else:
            u[RATE], u[HIGH if side[i] > 0 else LOW] = r[i], 1.0
            e = p[RATE] * r[i] + (p[HIGH] if side[i] > 0 else p[LOW]) - p[BETA] * m[i]
            _add(h, s, -e, u, 1.0, u)
            s[RATE] += 1.0 / p[RATE]
            h[RATE, RATE] += 1.0 / (p[RATE] * p[RATE])
        for k in range(4):
            g[k] += s[k]
            for l in range(4):
                o[k, l] += s[k] * s[l]


@inlined
def _solve(h: FloatArray, free: IntArray, y: FloatArray, x: FloatArray) -> bool:
    # x solves h x = y in the free coordinates, zero in the others; False when h is not positive definite there.
    c = np.zeros((4, 4))
    for k in range(4):
        x[k] = y[k] if free[k] else 0.0
        for l in range(k + 1):
            part = (h[k, l] if free[k] and free[l] else 0.0) if k != l else (h[k, k] if free[k] else 1.0)
            for j in range(l):
                part -= c[k, j] * c[l, j]
            if k != l:
                c[k, l] = part / c[l, l]
            elif part > 1e-14 * (h[k, k] if free[k] else 1.0):
                c[k, k] = math.sqrt(part)
            else:
                return False
    for k in range(4):
        for j in range(k):
            x[k] -= c[k, j] * x[j]
        x[k] /= c[k, k]
    for k in range(3, -1, -1):
        for j in range(k + 1, 4):
            x[k] -= c[j, k] * x[j]
        x[k] /= c[k, k]
    return True


@inlined
def _climb(
    r: FloatArray, m: FloatArray, side: IntArray, n: int, p: FloatArray, g: FloatArray, h: FloatArray, o: FloatArray,
    free: IntArray, step: FloatArray,
) -> int:  # fmt: skip
    trial = np.empty(4)
    value = _value(r, m, side, n, p)
    for _ in range(STEPS):
        _derivatives(r, m, side, n, p, g, h, o)
        free[:] = 1
        # At a bound a parameter stays where the likelihood pulls it outwards.
        free[LOW] = not (p[LOW] == 0.0 and g[LOW] >= 0.0)
        free[HIGH] = not (p[HIGH] == 0.0 and g[HIGH] <= 0.0)
        if not _solve(h, free, g, step):
            return NO_SCALE
        gain = 0.0
        for k in range(4):
            gain += 0.5 * step[k] * g[k] * free[k]
        if gain < GAIN:
            return FOUND
        size, found = 1.0, False
        for _ in range(HALVINGS):
            for k in range(4):
                trial[k] = p[k] + size * step[k]
            trial[LOW], trial[HIGH] = min(trial[LOW], 0.0), max(trial[HIGH], 0.0)
            new = _value(r, m, side, n, trial)
            if new > value:
                found = True
                break
            size *= 0.5
        if not found:
            # Rounding hides a gain this small.
            return FOUND if gain < 1e-8 else STOPPED
        value = new
        for k in range(4):
            p[k] = trial[k]
    return STOPPED


@inlined
def _error(p: FloatArray, h: FloatArray, o: FloatArray, free: IntArray, sandwich: bool) -> float:
    # Of (high − low) / rate, by the delta method: from the information, or with the scores' products between. A
    # threshold at its bound counts as known, NaN when both are there.
    if not (free[LOW] or free[HIGH]):
        return np.nan
    slope, x = np.zeros(4), np.empty(4)
    slope[LOW], slope[HIGH] = -1.0 / p[RATE], 1.0 / p[RATE]
    slope[RATE] = -(p[HIGH] - p[LOW]) / p[RATE] ** 2
    if not _solve(h, free, slope, x):
        return np.nan
    variance = 0.0
    for k in range(4):
        if sandwich:
            for l in range(4):
                variance += x[k] * o[k, l] * x[l]
        else:
            variance += slope[k] * x[k]
    return math.sqrt(variance)


@inlined
def _collect(
    y: FloatArray, market: FloatArray, j: int, low: int, stop: int, mixed: bool,
    r: FloatArray, m: FloatArray, side: IntArray, tally: IntArray, start: FloatArray,
) -> int:  # fmt: skip
    # Complete rows of a window; tally: rows below, at and above zero; start: where to climb from. Returns of both are
    # scaled to one, so that no unit is better than another.
    n, square, square_m = 0, 0.0, 0.0
    tally[:] = 0
    for i in range(low, stop):
        a, b = y[i, j], market[i, j]
        if a == a and b == b:
            by = b if mixed and b != 0.0 else a
            r[n], m[n], side[n] = a, b, 0 if a == 0.0 else (1 if by > 0.0 else -1)
            tally[side[n] + 1] += 1
            square += a * a
            square_m += b * b
            n += 1
    moved = tally[0] + tally[2]
    unit, unit_m = math.sqrt(square / max(moved, 1)), math.sqrt(square_m / max(n, 1))
    start[4], start[5] = unit, unit_m
    if unit > 0.0 and unit_m > 0.0:
        for i in range(n):
            r[i] /= unit
            m[i] /= unit_m
    wide = 1.0 * tally[1] / max(n, 1)
    start[LOW], start[HIGH], start[BETA], start[RATE] = -0.1 - wide, 0.1 + wide, 0.0, 1.0
    return n


@kernel
def friction(
    y: FloatArray, market: FloatArray, width: int, least: int, step: int, mixed: bool,
    spread: FloatArray, error: FloatArray, status: IntArray,
) -> None:  # fmt: skip
    """Spreads high − low of returns y (T, N) on the market (T, N), every ``step`` rows from the first full window on.

    spread, error (T, N): left as they were where nothing is computed or found. status (T, N): FOUND, FEW_ROWS (fewer
    than ``least`` complete), ONE_SIDED (no return on one side), NO_SCALE (the market or the returns do not vary),
    STOPPED (not converged). mixed: sides by the sign of the market's return, else by that of the own return; errors
    then have the sandwich form, else they come from the information.
    """
    rows, columns = y.shape
    r, m, side = np.empty(width), np.empty(width), np.empty(width, np.int64)
    tally, start, p, g, newton = np.empty(3, np.int64), np.empty(6), np.empty(4), np.empty(4), np.empty(4)
    h, o, free = np.empty((4, 4)), np.empty((4, 4)), np.empty(4, np.int64)
    for t in range(width - 1, rows, step):
        for j in range(columns):
            n = _collect(y, market, j, t - width + 1, t + 1, mixed, r, m, side, tally, start)
            if n < least:
                status[t, j] = FEW_ROWS
            elif tally[0] == 0 or tally[2] == 0:
                status[t, j] = ONE_SIDED
            elif not (start[5] > 0.0 and start[4] < np.inf and start[5] < np.inf):
                status[t, j] = NO_SCALE
            else:
                for k in range(4):
                    p[k] = start[k]
                status[t, j] = _climb(r, m, side, n, p, g, h, o, free, newton)
                if status[t, j] == FOUND:
                    spread[t, j] = start[4] * (p[HIGH] - p[LOW]) / p[RATE]
                    error[t, j] = start[4] * _error(p, h, o, free, mixed)
