"""The search for one GARCH margin: standardise, start well, climb, and check what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
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
    basis (K, r): directions free of bounds.
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


def evaluate(spec: GARCH, y: FloatArray, theta: FloatArray, level: float) -> VariancePath:
    """One pass of the recursion over a standardised series; a point where it overflows counts as infinitely bad."""
    from drainstats.kernels import garch as kernels

    T, K = len(y), len(theta)
    h, dlogh, gradient = np.empty(T), np.empty((T, K)), np.empty(K)
    value = kernels.garch_likelihood(
        np.ascontiguousarray(y), theta, spec.mean == "constant", spec.p, spec.o, spec.q, spec.start == "rugarch", level,
        h, dlogh, gradient,
    )  # fmt: skip
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return VariancePath(-np.inf, np.zeros(K), h, dlogh)
    return VariancePath(value, gradient, h, dlogh)


def hessian(spec: GARCH, y: FloatArray, theta: FloatArray, level: float) -> FloatArray:
    """Mean second derivatives of the log-likelihood (K, K) by central differences of the exact gradient."""
    K = len(theta)
    out = np.empty((K, K))
    for k in range(K):
        step = np.zeros(K)
        step[k] = 1e-5 * max(abs(theta[k]), 0.01)
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
    """u = [mu], log of the unconditional variance, logit of persistence, log shares ↔ theta."""

    def __init__(self, spec: GARCH) -> None:
        self.map = weight_map(spec)
        self.limit = spec.max_persistence
        self.news = spec.p + spec.o
        self.k0 = 1 if spec.mean == "constant" else 0

    def theta(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Parameters (K,) at coordinates ``u``, and their derivatives (K, K)."""
        k0 = self.k0
        weights, slope = weights_from(u[k0 + 1 :], self.limit)
        variance = np.exp(u[k0])
        jacobian = np.zeros((len(u), len(u)))
        jacobian[:k0, :k0] = 1.0
        jacobian[k0, k0] = variance * (1.0 - weights.sum())
        jacobian[k0, k0 + 1 :] = -variance * slope.sum(axis=0)
        jacobian[k0 + 1 :, k0 + 1 :] = self.map @ slope
        return np.concatenate([u[:k0], [jacobian[k0, k0]], self.map @ weights]), jacobian

    def start(self, persistence: float, share: float) -> FloatArray:
        """Coordinates of a start: this persistence, this share of it in the shocks, weights that fade with the lag."""
        m = len(self.map)
        fading = np.concatenate([0.7 ** np.arange(self.news), 0.7 ** np.arange(m - self.news)])
        weights = fading.copy()
        weights[: self.news] *= share / fading[: self.news].sum()
        if m > self.news:
            weights[self.news :] *= (1.0 - share) / fading[self.news :].sum()
        weights *= min(persistence, 0.999 * self.limit) / weights.sum()
        return np.concatenate([np.zeros(self.k0 + 1), coordinates_of(weights, self.limit)])


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
        weights = weights_from(best.x[coordinates.k0 + 1 :], coordinates.limit)[0]
        cornered = weights.min() < 1e-3 or weights.sum() > coordinates.limit - 1e-3
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    return best.x, count


def _outer_product_metric(
    spec: GARCH, y: FloatArray, u: FloatArray, level: float, coordinates: _Coordinates
) -> FloatArray:
    """Inverse of the expected curvature at a start (information matrix of the Gaussian likelihood)."""
    theta, jacobian = coordinates.theta(u)
    path = evaluate(spec, y, theta, level)
    information = 0.5 * path.dlogh.T @ path.dlogh
    if coordinates.k0:
        information[0, 0] += (1.0 / path.h).sum()
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
    weights = weights_from(u[k0 + 1 :], spec.max_persistence)[0]
    point = _settle(spec, y, level, coordinates, coordinates.theta(u)[0][: k0 + 1], weights)
    if not point.gap < GAP:
        point = _polish(spec, y, level, coordinates, point)
    theta, weights, path, gap = point.theta, point.weights, point.path, point.gap
    basis, notes = _bounds(spec, weights)
    converged = bool(np.isfinite(path.loglikelihood) and gap * T < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * T:.3g} of log-likelihood to first order"
        basis, notes = basis[:, :0], (*notes, f"not converged, no standard errors: {gain}")
    units = np.concatenate([[scale] * k0, [scale**2], np.ones(len(weights))])
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
    spec: GARCH, y: FloatArray, level: float, coordinates: _Coordinates, head: FloatArray, weights: FloatArray
) -> _Point:
    """Evaluate ``head`` = [mu], omega with ``weights``."""
    theta = np.concatenate([head, coordinates.map @ weights])
    path = evaluate(spec, y, theta, level)
    slope, k0 = -path.gradient / len(y), coordinates.k0
    gap = stationarity_gap(weights, coordinates.map.T @ slope[k0 + 1 :], coordinates.limit)
    return _Point(theta, weights, path, gap + float(np.abs(slope[:k0]).sum() + abs(slope[k0] * theta[k0])))


def _settle(
    spec: GARCH, y: FloatArray, level: float, coordinates: _Coordinates, head: FloatArray, weights: FloatArray
) -> _Point:
    """Put weights that vanish on zero if the likelihood does not mind."""
    point = _point(spec, y, level, coordinates, head, weights)
    snapped = np.where(weights < 1e-5, 0.0, weights)
    if (snapped != weights).any():
        other = _point(spec, y, level, coordinates, head, snapped)
        if other.path.loglikelihood >= point.path.loglikelihood - 1e-7:
            return other
    return point


def _polish(spec: GARCH, y: FloatArray, level: float, coordinates: _Coordinates, point: _Point) -> _Point:
    """Finish on the bounds themselves, from where the free search stopped and from a middling start."""
    k0, T = coordinates.k0, len(y)

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        omega = np.exp(min(x[k0], 50.0))
        theta = np.concatenate([x[:k0], [omega], coordinates.map @ x[k0 + 1 :]])
        path = evaluate(spec, y, theta, level)
        slope = path.gradient
        gradient = np.concatenate([slope[:k0], [slope[k0] * omega], coordinates.map.T @ slope[k0 + 1 :]])
        return -path.loglikelihood / T, -gradient / T

    def start(theta: FloatArray, weights: FloatArray) -> FloatArray:
        return np.concatenate([theta[:k0], [np.log(max(theta[k0], 1e-12))], weights])

    middling = weights_from(coordinates.start(0.7, 0.3)[k0 + 1 :], coordinates.limit)[0]
    best = point
    for x in (start(point.theta, point.weights), np.concatenate([np.zeros(k0), [np.log(0.3)], middling])):
        found = minimise_at_bounds(objective, x, coordinates.limit, k0 + 1).x
        head = np.append(found[:k0], np.exp(found[k0]))
        other = _settle(spec, y, level, coordinates, head, found[k0 + 1 :])
        gain = other.path.loglikelihood - best.path.loglikelihood
        if gain > LOSS or (gain > -LOSS and other.gap < best.gap):
            best = other
        if best.gap * T < LOSS:
            break
    return best


def _bounds(spec: GARCH, weights: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """Directions in which the estimates could move, and a sentence for each reason that some cannot."""
    names = spec.parameter_names
    k0 = 1 if spec.mean == "constant" else 0
    free = np.ones(len(names), dtype=np.bool_)
    notes: list[str] = []
    at_zero = weights == 0.0
    free[k0 + 1 :] = ~at_zero
    news = spec.p + spec.o
    if at_zero[:news].all():
        free[k0:] = False
        notes.append("no reaction to news (alpha = 0): omega and beta are not identified apart, no standard errors")
    elif at_zero.any():
        held = ", ".join(n for n, z in zip(names[k0 + 1 :], at_zero, strict=True) if z)
        notes.append(f"{held} on the bound: no standard error; the others are conditional on it")
    if weights.sum() < spec.max_persistence - 1e-6:
        return free_directions(free), tuple(notes)
    notes.append(f"persistence at its limit {spec.max_persistence:g}: standard errors are conditional on it")
    share = np.concatenate([np.zeros(k0 + 1), np.ones(spec.p), np.full(spec.o, 0.5), np.ones(spec.q)])
    return free_directions(free, share), tuple(notes)
