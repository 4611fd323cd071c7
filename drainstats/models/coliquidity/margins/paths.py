"""One pass of a margin's recursion: variance, likelihood, gradient, scores, curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.margins.data import Sample, plain_sample
from drainstats.models.coliquidity.margins.laws import LAWS, NORMAL_SIZE
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.garch import GARCH


@dataclass(frozen=True, slots=True)
class VariancePath:
    """Log-likelihood, its gradient (K,), variance (T,), log-derivatives (T, K), shock (T,), NaN where not known."""

    loglikelihood: float
    gradient: FloatArray
    h: FloatArray
    dlogh: FloatArray
    e: FloatArray


# |z| is rounded this far from 0: the likelihood of an EGARCH would have a corner wherever the mean meets a value.
ROUND = 1e-5


def evaluate(
    spec: GARCH,
    data: Sample | FloatArray,
    theta: FloatArray,
    level: FloatArray | float,
    rounding: float = ROUND,
) -> VariancePath:
    """One pass of the recursion; a point where it overflows counts as infinitely bad.

    ``data`` is a sample, or the values (T,) of a series without gaps, lags and regressors. ``level``: square, falling
    square and variance before the sample, or one number for all; NaN: those of the residuals.
    """
    from drainstats.kernels import garch as kernels

    sample = data if isinstance(data, Sample) else plain_sample(spec, data)
    (T, M), K, law = sample.X.shape, len(theta), LAWS[spec.dist]
    S = len(law.names)
    h, dlogh, gradient = np.empty(T), np.zeros((T, K)), np.empty(K)
    e = sample.y - sample.X @ theta[:M]
    before, moved = levels_before(spec, sample, e, level)
    slopes, expected = np.zeros((3, K)), np.zeros((2, 1 + K))
    slopes[:, :M] = moved
    if spec.exponential:
        slopes[:, :M] = [0.0 * moved[0], 0.0 * moved[1], moved[2] / before[2]]
        before = np.array([-NORMAL_SIZE if spec.start == "mfe" else 0.0, 0.0, np.log(before[2])])
    width = K - S
    if sample.rows < T:
        values = law.expected(theta[K - S :], spec.exponential)
        expected[:, 0], expected[:, 1 + K - S :] = values[:, 0], values[:, 1:]
        width = K if values[:, 1:].any() else width
    value = kernels.garch_likelihood(
        e, sample.X, sample.W, theta, (spec.p, spec.o, spec.q), spec.exponential,
        spec.depth if spec.start == "rugarch" else 0, before, slopes, expected, width, rounding, law.code,
        law.constants(theta[K - S :]), h, dlogh, gradient,
    )  # fmt: skip
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return VariancePath(-np.inf, np.zeros(K), h, dlogh, e)
    return VariancePath(value, gradient, h, dlogh, e)


def levels_before(
    spec: GARCH, sample: Sample, e: FloatArray, level: FloatArray | float
) -> tuple[FloatArray, FloatArray]:
    """Square, falling square and variance before the sample (3,) and their slopes in the mean (3, M)."""
    M = sample.X.shape[1]
    fixed = np.asarray(level) if np.ndim(level) else np.array([1.0, 0.5, 1.0]) * level
    if not np.isnan(fixed[0]):
        return fixed, np.zeros((3, M))
    e = e if sample.rows == len(e) else np.nan_to_num(e)
    square, slope = e @ e / sample.rows, -2.0 / sample.rows * (e @ sample.X)
    fall, fall_slope = 0.5 * square, 0.5 * slope
    if spec.start == "tsgarch" and spec.o:
        low = np.minimum(e, 0.0)
        fall, fall_slope = low @ low / sample.rows, -2.0 / sample.rows * (low @ sample.X)
    return np.array([square, fall, square]), np.array([slope, fall_slope, slope])


def starting_level(spec: GARCH, residuals: FloatArray) -> FloatArray:
    """What `evaluate` takes as level (3,), from the residuals of least squares at the known rows."""
    square = float(np.mean(residuals**2))
    if spec.start == "arch":
        return backcast(residuals, 0.94, 75) * np.array([1.0, 0.5, 1.0])
    if spec.start == "mfe":
        local = backcast(residuals, 0.9, int(np.sqrt(len(residuals))) + 1)
        return np.array([square, 0.5 * square, local if local > 0.0 else square])
    return np.full(3, np.nan)


def backcast(residuals: FloatArray, decay: float, count: int) -> float:
    """Mean of the first ``count`` squares with weights decay^i."""
    weights = decay ** np.arange(min(count, len(residuals)))
    return float(weights @ residuals[: len(weights)] ** 2 / weights.sum())


def density_slopes(spec: GARCH, z: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes of the log density at shocks ``z`` (T,): in the shock (T,), in the shape parameters (T, S)."""
    from drainstats.kernels import densities as kernels

    law = LAWS[spec.dist]
    S, slope, shape = len(law.names), np.empty(len(z)), np.empty((len(z), 2))
    kernels.log_densities(law.code, np.ascontiguousarray(z), law.constants(theta[len(theta) - S :]), slope, shape)
    return slope, shape[:, :S]


def scores(spec: GARCH, data: Sample | FloatArray, theta: FloatArray, path: VariancePath) -> FloatArray:
    """Scores by time step (T, K); 0 where the shock is not known."""
    sample = data if isinstance(data, Sample) else plain_sample(spec, data)
    M, S = sample.X.shape[1], len(LAWS[spec.dist].names)
    root = np.sqrt(path.h)
    z = np.nan_to_num(path.e / root)
    slope, shape = density_slopes(spec, z, theta)
    out = np.asarray(-0.5 * (slope * z + 1.0)[:, None] * path.dlogh)
    out[:, :M] -= (slope / root)[:, None] * sample.X
    out[:, out.shape[1] - S :] += shape
    if sample.rows < len(z):
        out[~sample.known] = 0.0
    return out


def hessian(
    spec: GARCH,
    data: Sample | FloatArray,
    theta: FloatArray,
    level: FloatArray | float,
    sizes: FloatArray | None = None,
) -> FloatArray:
    """Mean second derivatives of the log-likelihood (K, K) by central differences of the exact gradient.

    ``sizes`` (K,) are what counts as one unit of each parameter. The slope of a GED, or of an EGARCH, in its mean has a
    cusp at every observation: its mean derivative is taken over a window that shrinks with T, as for a median.
    """
    sample = data if isinstance(data, Sample) else plain_sample(spec, data)
    K, M = len(theta), sample.X.shape[1]
    sizes = np.ones(K) if sizes is None else sizes
    # In logs the level of the variance is omega / (1 - beta): shorter steps, as it may be far from zero.
    steps = (1e-6 if spec.exponential else 1e-5) * np.maximum(np.abs(theta), 0.01 * sizes)
    if spec.dist == "ged" or spec.exponential:
        steps[:M] = 0.5 * sizes[:M] * sample.rows ** (-1.0 / 3.0)
    out = np.empty((K, K))
    for k in range(K):
        step = steps[k] * np.eye(K)[k]
        ahead, behind = evaluate(spec, sample, theta + step, level), evaluate(spec, sample, theta - step, level)
        out[k] = (ahead.gradient - behind.gradient) / (2.0 * steps[k] * len(sample.y))
    return 0.5 * (out + out.T)
