"""What comes next: expected variances and means of fitted margins, and series driven by given shocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import Wide
from drainstats.models.coliquidity.margins.data import lag_columns
from drainstats.models.coliquidity.margins.laws import LAWS, NORMAL_SIZE, Law
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.result import GARCHResult


def coefficients(result: GARCHResult) -> tuple[FloatArray, ...]:
    """mean (M, N), omega (N,), alpha (p, N), gamma (o, N), beta (q, N), loads (V, N), shape (S, N), units of ``y``."""
    spec = result.spec
    table = result.params.to_numpy().reshape(len(result.fits), -1).T
    M = len(table) - 1 - spec.p - spec.o - spec.q - result.variance_x.shape[1] - len(LAWS[spec.dist].names)
    sizes = (M, 1, spec.p, spec.o, spec.q, result.variance_x.shape[1])
    mean, omega, alpha, gamma, beta, loads, shape = np.split(table, np.cumsum(sizes))
    return mean, omega[0], alpha, gamma, beta, loads, shape


def _steps(horizon: int) -> Wide:
    """Rows without columns for the next steps."""
    if not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise OptionError(f"horizon={horizon!r} must be a whole number of steps, 1 or more.")
    return Wide(np.empty((horizon, 0)), pd.RangeIndex(1, horizon + 1, name="step"), pd.Index([]), "matrix")


def variances(result: GARCHResult, horizon: int, variance_x: Any) -> pd.DataFrame:
    """Expected variances (horizon × N)."""
    steps = _steps(horizon)
    W = result.matched("variance_x", variance_x, steps)
    out = np.full((horizon, len(result.fits)), np.nan)
    h, known, parts = result.volatility_values**2, result._known, coefficients(result)
    z = result.std_resid_values
    for i in range(len(result.fits)):
        rows = np.flatnonzero(known[:, i])
        if len(rows) == 0:
            continue
        last, lags = int(rows[-1]) + 1, result.spec.depth
        if rows[0] > last - lags:
            continue
        omega, alpha, gamma, beta, loads, shape = (part[..., i] for part in parts[1:])
        base = omega + np.concatenate([result.variance_x[last:], W]) @ loads
        step = _in_logs if result.spec.exponential else _in_squares
        path = step(
            LAWS[result.spec.dist], shape, base, alpha, gamma, beta, h[last - lags : last, i], z[last - lags : last, i]
        )
        out[:, i] = path[len(path) - horizon :]
    return pd.DataFrame(out, index=steps.index, columns=result.columns)


def _in_squares(
    law: Law, shape: FloatArray, base: FloatArray, alpha: FloatArray, gamma: FloatArray, beta: FloatArray,
    h: FloatArray, z: FloatArray,
) -> FloatArray:  # fmt: skip
    """E h of a GARCH, a step for each ``base``, from the last variances and shocks."""
    share, gap = law.falling(shape), np.isnan(z)
    square = list(np.where(gap, 1.0, z**2) * h)
    falling = list(np.where(gap, share, np.minimum(z, 0.0) ** 2) * h)
    past, first = list(h), len(h)
    for intercept in base:
        news = sum(a * square[-1 - k] for k, a in enumerate(alpha)) + sum(
            g * falling[-1 - k] for k, g in enumerate(gamma)
        )
        past.append(intercept + news + sum(b * past[-1 - k] for k, b in enumerate(beta)))
        square.append(past[-1])
        falling.append(share * past[-1])
    return np.array(past[first:])


def _in_logs(
    law: Law, shape: FloatArray, base: FloatArray, alpha: FloatArray, gamma: FloatArray, beta: FloatArray,
    h: FloatArray, z: FloatArray,
) -> FloatArray:  # fmt: skip
    """E h of an EGARCH: exp of what is known times E exp(A |z| + G z) for every shock in between."""
    gap = np.isnan(z)
    size = list(np.where(gap, law.size(shape), np.abs(z)) - NORMAL_SIZE)
    news, past, first = list(np.where(gap, 0.0, z)), list(np.log(h)), len(h)
    responses = np.zeros((len(base), 2))
    for k in range(len(base)):
        own = [c[k] if k < len(c) else 0.0 for c in (alpha, gamma)]
        responses[k] = own + sum((b * responses[k - 1 - j] for j, b in enumerate(beta) if j < k), np.zeros(2))
    factors = np.array([_log_moment(law, shape, *pair) for pair in responses[: len(base) - 1]])
    for intercept in base:
        known = sum(a * size[-1 - k] for k, a in enumerate(alpha)) + sum(g * news[-1 - k] for k, g in enumerate(gamma))
        past.append(intercept + known + sum(b * past[-1 - k] for k, b in enumerate(beta)))
        size.append(-NORMAL_SIZE)
        news.append(0.0)
    return np.asarray(np.exp(np.array(past[first:]) + np.concatenate([[0.0], np.cumsum(factors)])))


def _log_moment(law: Law, shape: FloatArray, size: float, sign: float) -> float:
    """ln E exp(size |z| + sign z); where that is infinite, size E|z|."""
    from scipy.integrate import quad
    from scipy.special import ndtr

    if law is LAWS["normal"]:
        ends = (size + sign, size - sign)
        return float(np.log(sum(np.exp(0.5 * x * x) * ndtr(x) for x in ends)))
    if law is not LAWS["ged"]:
        return float(size * law.size(shape))
    nu, constant, _, scale, _ = law.constants(shape)

    def integrand(z: float) -> float:
        log = constant - 0.5 * (z / scale) ** nu + size * z
        return float(np.exp(log + sign * z) + np.exp(log - sign * z))

    return float(np.log(quad(integrand, 0.0, np.inf, limit=200)[0]))


def means(result: GARCHResult, horizon: int, mean_x: Any) -> pd.DataFrame:
    """Expected values (horizon × N)."""
    steps, mean = _steps(horizon), coefficients(result)[0]
    X = np.concatenate([result.mean_x, result.matched("mean_x", mean_x, steps)])
    T, spec, L = len(result.y), result.spec, len(result.past)
    values = np.concatenate([result.past, result.y, np.full((horizon, len(result.fits)), np.nan)])
    ones = 0 if spec.mean == "zero" else 1
    outer = mean[ones + len(spec.lag_set) :]
    constant = (mean[0] if ones else 0.0) + X @ outer
    ended = [int(rows[-1]) + 1 if len(rows := np.flatnonzero(~np.isnan(c))) else len(values) for c in values.T]
    for t in range(min(ended), len(values)):
        expected = np.array(constant[t - L]) if t >= L else np.full(len(ended), np.nan)
        for i in np.flatnonzero(np.array(ended) <= t) if spec.lag_set else ():
            expected[i] += lag_columns(spec, values[: t + 1, i], 1)[0] @ mean[spec.lagged, i]
        values[t] = np.where(np.array(ended) <= t, expected, values[t])
    return pd.DataFrame(values[L + T :], index=steps.index, columns=result.columns)


def driven(result: GARCHResult, z: FloatArray, mean_x: Any, variance_x: Any) -> FloatArray:
    """Series (T, N) that shocks ``z`` (T, N) make."""
    rows = Wide(z, pd.RangeIndex(len(z)), result.columns, "matrix")
    X, W = result.matched("mean_x", mean_x, rows), result.matched("variance_x", variance_x, rows)
    mean, omega, alpha, gamma, beta, loads, _ = coefficients(result)
    base = omega + W @ loads
    average = omega + result.variance_x.mean(axis=0) @ loads
    e = (_drive_logs if result.spec.exponential else _drive_squares)(z, base, average, alpha, gamma, beta)
    return _add_mean(result, e, X, mean)


def _drive_squares(
    z: FloatArray, base: FloatArray, average: FloatArray, alpha: FloatArray, gamma: FloatArray, beta: FloatArray
) -> FloatArray:
    lags, (T, N) = max(len(alpha), len(gamma), len(beta)), z.shape
    level = average / (1.0 - alpha.sum(0) - 0.5 * gamma.sum(0) - beta.sum(0))
    h, e = np.empty((lags + T, N)), np.empty((lags + T, N))
    square, falling = np.empty((lags + T, N)), np.empty((lags + T, N))
    h[:lags], square[:lags], falling[:lags] = level, level, 0.5 * level
    for t in range(lags, lags + T):
        back = slice(t - 1, t - 1 - lags if t > lags else None, -1)
        news = (alpha * square[back][: len(alpha)]).sum(0) + (gamma * falling[back][: len(gamma)]).sum(0)
        h[t] = base[t - lags] + news + (beta * h[back][: len(beta)]).sum(0)
        e[t] = np.sqrt(h[t]) * z[t - lags]
        square[t], falling[t] = e[t] ** 2, np.minimum(e[t], 0.0) ** 2
    return e[lags:]


def _drive_logs(
    z: FloatArray, base: FloatArray, average: FloatArray, alpha: FloatArray, gamma: FloatArray, beta: FloatArray
) -> FloatArray:
    lags, (T, N) = max(len(alpha), len(gamma), len(beta)), z.shape
    news = base.copy()
    for k, (size, coefficient) in enumerate([(np.abs(z) - NORMAL_SIZE, a) for a in alpha]):
        news[k + 1 :] += coefficient * size[: T - k - 1]
    for k, coefficient in enumerate(gamma):
        news[k + 1 :] += coefficient * z[: T - k - 1]
    log = np.empty((lags + T, N))
    log[:lags] = average / (1.0 - beta.sum(0))
    for t in range(lags, lags + T):
        log[t] = news[t - lags] + sum((b * log[t - 1 - k] for k, b in enumerate(beta)), np.zeros(N))
    return np.asarray(np.exp(0.5 * log[lags:]) * z)


def _add_mean(result: GARCHResult, e: FloatArray, X: FloatArray, mean: FloatArray) -> FloatArray:
    """Shocks (T, N) with their mean; an autoregression starts from its own mean."""
    spec, L, ones = result.spec, len(result.past), 0 if result.spec.mean == "zero" else 1
    lagged, outer = mean[spec.lagged], mean[ones + len(spec.lag_set) :]
    constant = mean[0] if ones else np.zeros(e.shape[1])
    base = constant + X @ outer + e
    if L == 0:
        return base
    sums = lagged.sum(axis=0)
    if (np.abs(sums) >= 1.0).any():
        raise DataError(
            "The coefficients of the lags sum to 1 or more: the series has no mean to start from.",
            column=result.columns[int((np.abs(sums) >= 1.0).argmax())],
        )
    out = np.empty((L + len(e), e.shape[1]))
    out[:L] = (constant + result.mean_x.mean(axis=0) @ outer) / (1.0 - sums)
    for t in range(L, len(out)):
        if spec.mean == "har":
            past = [out[t - lag : t].mean(axis=0) for lag in spec.lag_set]
        else:
            past = [out[t - lag] for lag in spec.lag_set]
        out[t] = base[t - L] + (np.array(past) * lagged).sum(axis=0)
    return out[L:]
