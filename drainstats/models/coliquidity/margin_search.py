"""The search for one GARCH margin: standardise, start well, climb, and check what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.margin_laws import LAWS
from drainstats.models.optimise import (
    Minimum,
    coordinates_of,
    minimise,
    minimise_at_bounds,
    stationarity_gap,
    weights_from,
)
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins import GARCH

# Persistence and the share of it that news takes: calm, usual, nervous, nearly integrated, nearly absent.
STARTING_GRID = ((0.95, 0.08), (0.99, 0.04), (0.90, 0.15), (0.75, 0.40), (0.98, 0.20), (0.40, 0.50))
# Below GAP per observation the search is done; a fit has converged when it leaves less than LOSS of log-likelihood.
GAP = 1e-7
LOSS = 1e-3


@dataclass(frozen=True, slots=True)
class VariancePath:
    """Log-likelihood, its gradient (K,), variance (T,) and log-derivatives (T, K), standardised units."""

    loglikelihood: float
    gradient: FloatArray
    h: FloatArray
    dlogh: FloatArray


@dataclass(frozen=True, slots=True)
class SeriesFit:
    """One fitted series.

    theta (K,): standardised parameters, params = theta * units + offset; level: variance before the sample (NaN: moves
    with the mean), start_level its value at the estimates; gap: what a feasible step could still gain per observation;
    basis (K, r): directions free of bounds. A series that could not be fitted has the ``reason``, NaN estimates and an
    empty basis.
    """

    theta: FloatArray
    units: FloatArray
    offset: FloatArray
    scale: float
    shift: float
    level: float
    start_level: float
    loglikelihood: float
    persistence: float
    gap: float
    converged: bool
    basis: FloatArray
    notes: tuple[str, ...]
    evaluations: int
    reason: str = ""


def not_fitted(spec: GARCH, reason: str) -> SeriesFit:
    """The record of a series that cannot be used."""
    nothing = np.full(len(spec.parameter_names), np.nan)
    return SeriesFit(
        theta=nothing,
        units=nothing,
        offset=nothing,
        scale=np.nan,
        shift=np.nan,
        level=np.nan,
        start_level=np.nan,
        loglikelihood=np.nan,
        persistence=np.nan,
        gap=np.nan,
        converged=False,
        basis=np.empty((len(nothing), 0)),
        notes=(f"not fitted: {reason}",),
        evaluations=0,
        reason=reason,
    )


def evaluate(spec: GARCH, y: FloatArray, theta: FloatArray, level: float) -> VariancePath:
    """One pass of the recursion over a standardised series; a point where it overflows counts as infinitely bad."""
    from drainstats.kernels import garch as kernels

    T, K, law = len(y), len(theta), LAWS[spec.dist]
    h, dlogh, gradient = np.empty(T), np.empty((T, K)), np.empty(K)
    constants = law.constants(theta[K - len(law.names) :])
    value = kernels.garch_likelihood(
        np.ascontiguousarray(y), theta, spec.mean == "constant", spec.p, spec.o, spec.q, spec.start == "rugarch", level,
        law.code, constants, h, dlogh, gradient,
    )  # fmt: skip
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return VariancePath(-np.inf, np.zeros(K), h, dlogh)
    return VariancePath(value, gradient, h, dlogh)


def density_slopes(spec: GARCH, z: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes of the log density at shocks ``z`` (T,): in the shock (T,), in the shape parameters (T, S)."""
    from drainstats.kernels import densities as kernels

    law = LAWS[spec.dist]
    S, slope, shape = len(law.names), np.empty(len(z)), np.empty((len(z), 2))
    kernels.log_densities(law.code, np.ascontiguousarray(z), law.constants(theta[len(theta) - S :]), slope, shape)
    return slope, shape[:, :S]


def scores(spec: GARCH, y: FloatArray, theta: FloatArray, path: VariancePath) -> FloatArray:
    """Scores by time step (T, K) of a standardised series."""
    has_mean, S = spec.mean == "constant", len(LAWS[spec.dist].names)
    root = np.sqrt(path.h)
    z = (y - theta[0] if has_mean else y) / root
    slope, shape = density_slopes(spec, z, theta)
    out = np.asarray(-0.5 * (slope * z + 1.0)[:, None] * path.dlogh)
    if has_mean:
        out[:, 0] -= slope / root
    out[:, out.shape[1] - S :] += shape
    return out


def hessian(spec: GARCH, y: FloatArray, theta: FloatArray, level: float) -> FloatArray:
    """Mean second derivatives of the log-likelihood (K, K) by central differences of the exact gradient.

    The slope of a GED in mu has a cusp at every observation: its mean derivative is taken over a window that shrinks
    with T, as one does for a median.
    """
    K = len(theta)
    out = np.empty((K, K))
    for k in range(K):
        step = np.zeros(K)
        step[k] = 1e-5 * max(abs(theta[k]), 0.01)
        if k == 0 and spec.mean == "constant" and spec.dist == "ged":
            step[k] = 0.5 * len(y) ** (-1.0 / 3.0)
        ahead, behind = evaluate(spec, y, theta + step, level), evaluate(spec, y, theta - step, level)
        out[k] = (ahead.gradient - behind.gradient) / (2.0 * step[k] * len(y))
    return 0.5 * (out + out.T)


def backcast(y: FloatArray) -> float:
    """Exponentially weighted mean of the first 75 squares."""
    weights = 0.94 ** np.arange(min(75, len(y)))
    return float(weights @ y[: len(weights)] ** 2 / weights.sum())


def weight_map(spec: GARCH) -> FloatArray:
    """Coefficients [alpha, gamma, beta] = M weights, where the weights are non-negative and sum to the persistence.

    A lag with both alpha and gamma has two weights: half the response to a rise, half the response to a fall.
    """
    p, o, q = spec.p, spec.o, spec.q
    both = min(p, o)
    out = np.zeros((p + o + q, p + o + q))
    for i in range(p):
        out[i, i] = 2.0 if i < both else 1.0
        if i < both:
            out[p + i, i] = -2.0
    for i in range(o):
        out[p + i, p + i] = 2.0
    out[p + o :, p + o :] = np.eye(q)
    return out


class _Coordinates:
    """u = [mu], log of the unconditional variance, logit of persistence, log shares, free shape ↔ theta."""

    def __init__(self, spec: GARCH) -> None:
        self.map = weight_map(spec)
        self.law = LAWS[spec.dist]
        self.limit = spec.max_persistence
        self.news = spec.p + spec.o
        self.k0 = 1 if spec.mean == "constant" else 0

    def theta(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Parameters (K,) at coordinates ``u``, and their derivatives (K, K)."""
        k0, last = self.k0, self.k0 + 1 + len(self.map)
        weights, slope = weights_from(u[k0 + 1 : last], self.limit)
        shape, bend = self.law.shape(u[last:])
        variance = np.exp(u[k0])
        jacobian = np.zeros((len(u), len(u)))
        jacobian[:k0, :k0] = 1.0
        jacobian[k0, k0] = variance * (1.0 - weights.sum())
        jacobian[k0, k0 + 1 : last] = -variance * slope.sum(axis=0)
        jacobian[k0 + 1 : last, k0 + 1 : last] = self.map @ slope
        jacobian[last:, last:] = np.diag(bend)
        return np.concatenate([u[:k0], [jacobian[k0, k0]], self.map @ weights, shape]), jacobian

    def weights(self, u: FloatArray) -> FloatArray:
        """The weights (m,) at coordinates ``u``."""
        return weights_from(u[self.k0 + 1 : self.k0 + 1 + len(self.map)], self.limit)[0]

    def ends(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """[mu], omega and the shape of parameters ``theta``."""
        first, last = self.k0 + 1, self.k0 + 1 + len(self.map)
        return theta[:first], theta[last:]

    def start(self, persistence: float, share: float) -> FloatArray:
        """Coordinates of a start: this persistence, this share of it in the shocks, weights that fade with the lag."""
        m = len(self.map)
        fading = np.concatenate([0.7 ** np.arange(self.news), 0.7 ** np.arange(m - self.news)])
        weights = fading.copy()
        weights[: self.news] *= share / fading[: self.news].sum()
        if m > self.news:
            weights[self.news :] *= (1.0 - share) / fading[self.news :].sum()
        weights *= min(persistence, 0.999 * self.limit) / weights.sum()
        shape = self.law.free(np.array(self.law.start))
        return np.concatenate([np.zeros(self.k0 + 1), coordinates_of(weights, self.limit), shape])


def _search(spec: GARCH, y: FloatArray, level: float, coordinates: _Coordinates) -> tuple[FloatArray, int]:
    """The best of a deterministic multi-start; later starts run only when the first ends in a corner."""
    T = len(y)

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        theta, jacobian = coordinates.theta(u)
        path = evaluate(spec, y, theta, level)
        return -path.loglikelihood / T, -(jacobian.T @ path.gradient) / T

    starts = [coordinates.start(*pair) for pair in STARTING_GRID]
    starts = sorted(starts, key=lambda u: objective(u)[0])
    best: Minimum | None = None
    count = len(starts)
    for u in starts[:3]:
        found = minimise(objective, u, _outer_product_metric(spec, y, u, level, coordinates))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        weights = coordinates.weights(best.x)
        cornered = weights.min() < 1e-3 or weights.sum() > coordinates.limit - 1e-3
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    return best.x, count


def _outer_product_metric(
    spec: GARCH, y: FloatArray, u: FloatArray, level: float, coordinates: _Coordinates
) -> FloatArray:
    """Inverse of the curvature at a start: the Gaussian information matrix, or the outer product of scores."""
    theta, jacobian = coordinates.theta(u)
    path = evaluate(spec, y, theta, level)
    if spec.dist == "normal":
        information = 0.5 * path.dlogh.T @ path.dlogh
        if coordinates.k0:
            information[0, 0] += (1.0 / path.h).sum()
    else:
        by_step = scores(spec, y, theta, path)
        information = by_step.T @ by_step
    curvature = jacobian.T @ information @ jacobian / len(y)
    return np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u)))


def fit_series(spec: GARCH, raw: FloatArray) -> SeriesFit:
    """Fit one series; the answer does not depend on its unit or, with a mean, on its location."""
    constant = spec.mean == "constant"
    shift = float(raw.mean()) if constant else 0.0
    scale = float(np.sqrt(np.mean((raw - shift) ** 2)))
    y = np.ascontiguousarray((raw - shift) / scale)
    level = backcast(y - y.mean() if constant else y) if spec.start == "arch" else np.nan
    coordinates = _Coordinates(spec)
    k0, T = coordinates.k0, len(y)
    u, count = _search(spec, y, level, coordinates)
    point = _settle(spec, y, level, coordinates, *coordinates.ends(coordinates.theta(u)[0]), coordinates.weights(u))
    if not point.gap < GAP:
        point = _polish(spec, y, level, coordinates, point)
    theta, weights, path, gap = point.theta, point.weights, point.path, point.gap
    basis, notes = _bounds(spec, weights, coordinates.ends(theta)[1])
    converged = bool(np.isfinite(path.loglikelihood) and gap * T < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * T:.3g} of log-likelihood to first order"
        basis, notes = basis[:, :0], (*notes, f"not converged, no standard errors: {gain}")
    units = np.concatenate([[scale] * k0, [scale**2], np.ones(len(theta) - k0 - 1)])
    offset = np.zeros(len(theta))
    offset[:k0] = shift
    start_level = float(np.mean((y - (theta[0] if constant else 0.0)) ** 2)) if np.isnan(level) else level
    return SeriesFit(
        theta=theta,
        units=units,
        offset=offset,
        scale=scale,
        shift=shift,
        level=level,
        start_level=start_level,
        loglikelihood=float(path.loglikelihood - T * np.log(scale)),
        persistence=float(weights.sum()),
        gap=gap,
        converged=converged,
        basis=basis,
        notes=notes,
        evaluations=count,
    )


@dataclass(frozen=True, slots=True)
class _Point:
    """A candidate: parameters, weights, path and stationarity gap."""

    theta: FloatArray
    weights: FloatArray
    path: VariancePath
    gap: float


def _point(
    spec: GARCH,
    y: FloatArray,
    level: float,
    coordinates: _Coordinates,
    head: FloatArray,
    shape: FloatArray,
    weights: FloatArray,
) -> _Point:
    """Evaluate ``head`` = [mu], omega with ``weights`` and ``shape``."""
    theta = np.concatenate([head, coordinates.map @ weights, shape])
    path = evaluate(spec, y, theta, level)
    slope, k0 = -path.gradient / len(y), coordinates.k0
    last = k0 + 1 + len(weights)
    gap = stationarity_gap(weights, coordinates.map.T @ slope[k0 + 1 : last], coordinates.limit)
    gap += float(np.abs(slope[:k0]).sum() + abs(slope[k0] * theta[k0])) + coordinates.law.gap(shape, slope[last:])
    return _Point(theta, weights, path, gap)


def _settle(
    spec: GARCH,
    y: FloatArray,
    level: float,
    coordinates: _Coordinates,
    head: FloatArray,
    shape: FloatArray,
    weights: FloatArray,
) -> _Point:
    """Put weights that vanish on zero, and a shape near its limit on it, if the likelihood does not mind."""
    point = _point(spec, y, level, coordinates, head, shape, weights)
    snapped, limited = np.where(weights < 1e-5, 0.0, weights), coordinates.law.snap(shape)
    if (snapped != weights).any() or (limited != shape).any():
        other = _point(spec, y, level, coordinates, head, limited, snapped)
        if other.path.loglikelihood >= point.path.loglikelihood - 1e-7:
            return other
    return point


def _polish(spec: GARCH, y: FloatArray, level: float, coordinates: _Coordinates, point: _Point) -> _Point:
    """Finish on the bounds themselves, from where the free search stopped and from a middling start."""
    k0, T, law = coordinates.k0, len(y), coordinates.law
    first = k0 + 1 + len(law.names)

    def parameters(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        shape, bend = law.shape(x[k0 + 1 : first])
        return np.append(x[:k0], np.exp(min(x[k0], 50.0))), shape, x[first:], bend

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        head, shape, weights, bend = parameters(x)
        path = evaluate(spec, y, np.concatenate([head, coordinates.map @ weights, shape]), level)
        slope, last = path.gradient, k0 + 1 + len(weights)
        within = coordinates.map.T @ slope[k0 + 1 : last]
        gradient = np.concatenate([slope[:k0], [slope[k0] * head[k0]], slope[last:] * bend, within])
        return -path.loglikelihood / T, -gradient / T

    def start(theta: FloatArray, weights: FloatArray) -> FloatArray:
        shape = law.free(coordinates.ends(theta)[1])
        return np.concatenate([theta[:k0], [np.log(max(theta[k0], 1e-12))], shape, weights])

    middling = coordinates.start(0.7, 0.3)
    other_start = np.concatenate(
        [np.zeros(k0), [np.log(0.3)], law.free(np.array(law.start)), coordinates.weights(middling)]
    )
    best = point
    for x in (start(point.theta, point.weights), other_start):
        found = minimise_at_bounds(objective, x, coordinates.limit, first).x
        other = _settle(spec, y, level, coordinates, *parameters(found)[:3])
        gain = other.path.loglikelihood - best.path.loglikelihood
        if gain > LOSS or (gain > -LOSS and other.gap < best.gap):
            best = other
        if best.gap * T < LOSS:
            break
    return best


def _bounds(spec: GARCH, weights: FloatArray, shape: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """Directions in which the estimates could move, and a sentence for each reason that some cannot."""
    names, law = spec.parameter_names, LAWS[spec.dist]
    k0 = 1 if spec.mean == "constant" else 0
    last = k0 + 1 + len(weights)
    free = np.ones(len(names), dtype=np.bool_)
    notes: list[str] = []
    at_zero = weights == 0.0
    free[k0 + 1 : last] = ~at_zero
    news = spec.p + spec.o
    if at_zero[:news].all():
        free[k0:last] = False
        notes.append("no reaction to news (alpha = 0): omega and beta are not identified apart, no standard errors")
    elif at_zero.any():
        held = ", ".join(n for n, z in zip(names[k0 + 1 :], at_zero, strict=False) if z)
        notes.append(f"{held} on the bound: no standard error; the others are conditional on it")
    for i in law.at_limit(shape):
        free[last + i] = False
        notes.append(f"{law.names[i]} at its limit {shape[i]:g}: no standard error; the others are conditional on it")
    if weights.sum() < spec.max_persistence - 1e-6:
        return free_directions(free), tuple(notes)
    notes.append(f"persistence at its limit {spec.max_persistence:g}: standard errors are conditional on it")
    share = np.concatenate([np.zeros(k0 + 1), np.ones(spec.p), np.full(spec.o, 0.5), np.ones(spec.q), 0.0 * shape])
    return free_directions(free, share), tuple(notes)
