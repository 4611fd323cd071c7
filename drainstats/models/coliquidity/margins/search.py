"""The search for one margin: standardise, start well, climb, and check what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.margins.coordinates import Coordinates, Pieces
from drainstats.models.coliquidity.margins.data import Sample
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.coliquidity.margins.paths import (
    ROUND,
    VariancePath,
    evaluate,
    levels_before,
    scores,
    starting_level,
)
from drainstats.models.optimise import Minimum, minimise, minimise_at_bounds
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.garch import GARCH

# Below GAP per observation the search is done; a fit has converged when it leaves less than LOSS of log-likelihood.
GAP = 1e-7
LOSS = 1e-3
# The search for an EGARCH first looks for the hill, with |z| rounded so far, then for its top.
FIRST_ROUND = 1e-3


@dataclass(frozen=True, slots=True)
class SeriesFit:
    """One fitted series.

    theta (K,): standardised parameters, params = theta * units + offset; scale, shift and loads (V,) standardise the
    data; level (3,): square, falling square and variance before the sample (NaN: they move with the mean), start_level
    their values at the estimates; sizes (K,): what counts as one unit of theta; gap: what a feasible step could still
    gain per observation; basis (K, r): directions free of bounds; nobs: number of known shocks. A series that could not
    be fitted has the ``reason``, NaN estimates and an empty basis.
    """

    theta: FloatArray
    units: FloatArray
    offset: FloatArray
    scale: float
    shift: float
    loads: FloatArray
    level: FloatArray
    start_level: FloatArray
    sizes: FloatArray
    loglikelihood: float
    persistence: float
    gap: float
    converged: bool
    basis: FloatArray
    notes: tuple[str, ...]
    evaluations: int
    nobs: int
    reason: str = ""


def not_fitted(names: list[str], reason: str, nobs: int = 0) -> SeriesFit:
    """The record of a series that cannot be used."""
    nothing, none = np.full(len(names), np.nan), np.empty(0)
    return SeriesFit(
        theta=nothing,
        units=nothing,
        offset=nothing,
        scale=np.nan,
        shift=np.nan,
        loads=none,
        level=np.full(3, np.nan),
        start_level=np.full(3, np.nan),
        sizes=nothing,
        loglikelihood=np.nan,
        persistence=np.nan,
        gap=np.nan,
        converged=False,
        basis=np.empty((len(nothing), 0)),
        notes=(f"not fitted: {reason}",),
        evaluations=0,
        nobs=nobs,
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """What one search is about: spec, standardised sample, level before it, coordinates."""

    spec: GARCH
    sample: Sample
    level: FloatArray
    coordinates: Coordinates
    rounding: float = ROUND

    def path(self, theta: FloatArray) -> VariancePath:
        """One pass at parameters (K,)."""
        return evaluate(self.spec, self.sample, theta, self.level, self.rounding)

    def loss(self, u: FloatArray) -> tuple[float, FloatArray]:
        """Mean negative log-likelihood at coordinates (K,), and its gradient."""
        theta, jacobian = self.coordinates.theta(u)
        path = self.path(theta)
        return -path.loglikelihood / self.sample.rows, -(path.gradient @ jacobian) / self.sample.rows


def fit_series(spec: GARCH, raw: Sample, names: list[str]) -> SeriesFit:
    """Fit one series; the answer does not depend on its unit or, with a mean, on its location."""
    least = 10 + 2 * len(names)
    if raw.rows < least:
        return not_fitted(names, f"{raw.rows} rows have all that the mean needs and {least} are needed", raw.rows)
    known = raw.known
    shift = float(raw.y[known].mean()) if spec.mean == "constant" else 0.0
    mean, residuals, reason = _least_squares(raw.X[known], raw.y[known] - shift)
    if reason:
        return not_fitted(names, reason, raw.rows)
    spread = float(np.sqrt(np.mean(residuals**2)))
    scale = 1.0 if spec.exponential else spread
    loads = np.abs(raw.W).mean(axis=0)
    if not (loads > 0.0).all():
        return not_fitted(names, "a regressor of the variance is zero in every row of the series", raw.rows)
    M, lagged = raw.X.shape[1], spec.lagged
    sample = raw.scaled(shift, scale, lagged, loads)
    coordinates = Coordinates(spec, sample, spread / scale)
    task = _Task(spec, sample, starting_level(spec, residuals / scale), coordinates)
    in_mean = np.full(M, scale)
    in_mean[lagged] = 1.0
    u, count = _search(replace(task, rounding=FIRST_ROUND), np.linalg.solve(coordinates.turn, mean / in_mean))
    if spec.exponential:
        found = minimise(task.loss, u, _outer_product_metric(task, u))
        u, count = found.x, count + found.evaluations
    point = _settle(task, coordinates.pieces(u))
    if not point.gap < GAP:
        point = _polish(task, point)
    square = 1.0 if spec.exponential else scale**2
    K, outer = len(names), M + 1 + spec.p + spec.o + spec.q
    units, offset, sizes = np.ones(K), np.zeros(K), np.ones(K)
    units[:M], units[M], units[outer : outer + len(loads)] = in_mean, square, square / loads
    offset[: 1 if shift else 0] = shift
    sizes[:M] = spread / scale / np.sqrt((sample.X**2).sum(axis=0) / sample.rows)
    basis, notes = _bounds(spec, names, coordinates, point.pieces)
    rows, path = sample.rows, point.path
    converged = bool(np.isfinite(path.loglikelihood) and point.gap * rows < LOSS)
    if not converged:
        gain = f"a step could still gain {point.gap * rows:.3g} of log-likelihood to first order"
        basis, notes = basis[:, :0], (*notes, f"not converged, no standard errors: {gain}")
    return SeriesFit(
        theta=point.theta,
        units=units,
        offset=offset,
        scale=scale,
        shift=shift,
        loads=loads,
        level=task.level,
        start_level=levels_before(spec, sample, path.e, task.level)[0],
        sizes=sizes,
        loglikelihood=float(path.loglikelihood - rows * np.log(scale)),
        persistence=float(point.pieces.weights.sum()),
        gap=point.gap,
        converged=converged,
        basis=basis,
        notes=notes,
        evaluations=count,
        nobs=rows,
    )


def _least_squares(X: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, str]:
    """Coefficients (M,), residuals (T,), and why there are none."""
    M = X.shape[1]
    if M == 0 or (M == 1 and (X == 1.0).all()):
        return np.zeros(M), y - (y.mean() if M else 0.0), ""
    size = np.sqrt((X**2).mean(axis=0))
    if not (size > 0.0).all():
        return np.zeros(M), y, "a regressor of the mean is zero in every row of the series"
    mean, _, rank, _ = np.linalg.lstsq(X / size, y, rcond=1e-11)
    if rank < M:
        return mean, y, "the regressors of the mean are combinations of each other over the rows of the series"
    residuals = y - (X / size) @ mean
    if np.sqrt(np.mean(residuals**2)) <= 1e-12 * np.abs(y).max():
        return mean, y, "the mean leaves no residual, so there is no variance to model"
    return mean / size, residuals, ""


def _search(task: _Task, mean: FloatArray) -> tuple[FloatArray, int]:
    """The best of a deterministic multi-start; later starts run only when the first ends in a corner."""
    coordinates = task.coordinates
    starts = [coordinates.start(*pair, mean) for pair in coordinates.grid]
    starts = sorted(starts, key=lambda u: task.loss(u)[0])
    best: Minimum | None = None
    count = len(starts)
    for u in starts[:3]:
        found = minimise(task.loss, u, _outer_product_metric(task, u))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        weights = coordinates.pieces(best.x).weights
        cornered = weights.min(initial=1.0) < 1e-3 or weights.sum() > coordinates.limit - 1e-3
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    return best.x, count


def _outer_product_metric(task: _Task, u: FloatArray) -> FloatArray:
    """Inverse of the curvature at a start: the Gaussian information matrix, or the outer product of scores."""
    theta, jacobian = task.coordinates.theta(u)
    path, sample = task.path(theta), task.sample
    M = sample.X.shape[1]
    if task.spec.dist == "normal":
        slopes = path.dlogh if sample.rows == len(sample.y) else path.dlogh[sample.known]
        information = 0.5 * slopes.T @ slopes
        if M:
            information[:M, :M] += (sample.X / path.h[:, None]).T @ sample.X
    else:
        by_step = scores(task.spec, sample, theta, path)
        information = by_step.T @ by_step
    curvature = jacobian.T @ information @ jacobian / sample.rows
    return np.asarray(np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u))))


@dataclass(frozen=True, slots=True)
class _Point:
    """A candidate: its pieces, parameters, path and stationarity gap."""

    pieces: Pieces
    theta: FloatArray
    path: VariancePath
    gap: float


def _point(task: _Task, pieces: Pieces) -> _Point:
    theta = task.coordinates.join(pieces)
    path = task.path(theta)
    return _Point(pieces, theta, path, task.coordinates.gap(pieces, -path.gradient / task.sample.rows))


def _settle(task: _Task, pieces: Pieces) -> _Point:
    """Put weights and loads that vanish on zero, and a shape near its limit on it, if the likelihood does not mind."""
    point = _point(task, pieces)
    weights, loads = (np.where(x < 1e-5, 0.0, x) for x in (pieces.weights, pieces.loads))
    shape = task.coordinates.law.snap(pieces.shape)
    before, after = (pieces.weights, pieces.loads, pieces.shape), (weights, loads, shape)
    if any((a != b).any() for a, b in zip(before, after, strict=True)):
        other = _point(task, replace(pieces, weights=weights, loads=loads, shape=shape))
        if other.path.loglikelihood >= point.path.loglikelihood - 1e-7:
            return other
    return point


def _polish(task: _Task, point: _Point) -> _Point:
    """Finish on the bounds themselves, from where the free search stopped and from a middling start."""
    c, T = task.coordinates, task.sample.rows
    M, loose, S = c.M, len(c.loose), len(c.law.names)
    ends = np.cumsum([M, 1, loose, S, len(c.loads)])
    in_logs = not task.spec.exponential

    def parameters(x: FloatArray) -> tuple[Pieces, FloatArray]:
        mean, level, free, u, loads, weights = np.split(x, ends)
        shape, bend = c.law.shape(u)
        omega = np.exp(min(level[0], 50.0)) if in_logs else level[0]
        return Pieces(mean, float(omega), free, loads, weights, shape), bend

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        pieces, bend = parameters(x)
        path = task.path(c.join(pieces))
        s = c.slopes(path.gradient)
        omega = s.omega * pieces.omega if in_logs else s.omega
        gradient = np.concatenate([s.mean, [omega], s.loose, s.shape * bend, s.loads, s.weights])
        return -path.loglikelihood / T, -gradient / T

    def start(pieces: Pieces) -> FloatArray:
        level = np.log(max(pieces.omega, 1e-12)) if in_logs else pieces.omega
        shape = c.law.free(pieces.shape)
        return np.concatenate([pieces.mean, [level], pieces.loose, shape, pieces.loads, pieces.weights])

    best = point
    for x in (start(point.pieces), start(c.pieces(c.start(0.7, 0.3, point.pieces.mean)))):
        found = minimise_at_bounds(objective, x, c.limit, int(ends[3]), len(c.loads)).x
        other = _settle(task, parameters(found)[0])
        gain = other.path.loglikelihood - best.path.loglikelihood
        if gain > LOSS or (gain > -LOSS and other.gap < best.gap):
            best = other
        if best.gap * T < LOSS:
            break
    return best


def _bounds(
    spec: GARCH, names: list[str], coordinates: Coordinates, pieces: Pieces
) -> tuple[FloatArray, tuple[str, ...]]:
    """Directions in which the estimates could move, and a sentence for each reason that some cannot."""
    law, weights, at = LAWS[spec.dist], pieces.weights, coordinates.coefficients
    free, notes = np.ones(len(names), dtype=np.bool_), []
    at_zero, empty = weights == 0.0, pieces.loads == 0.0
    free[at], free[coordinates.loads] = ~at_zero, ~empty
    if not spec.exponential and at_zero[: coordinates.news].all():
        free[[coordinates.M, *at]] = False
        notes.append("no reaction to news (alpha = 0): omega and beta are not identified apart, no standard errors")
    elif at_zero.any():
        held = ", ".join(names[i] for i in at[at_zero])
        notes.append(f"{held} on the bound: no standard error; the others are conditional on it")
    if empty.any():
        held = ", ".join(names[i] for i in coordinates.loads[empty])
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    for i in law.at_limit(pieces.shape):
        free[coordinates.K - len(law.names) + i] = False
        limit = f"{law.names[i]} at its limit {pieces.shape[i]:g}"
        notes.append(f"{limit}: no standard error; the others are conditional on it")
    if weights.sum() < spec.max_persistence - 1e-6:
        return free_directions(free), tuple(notes)
    notes.append(f"persistence at its limit {spec.max_persistence:g}: standard errors are conditional on it")
    share = np.zeros(len(names))
    share[at] = 1.0 if spec.exponential else np.repeat([1.0, 0.5, 1.0], (spec.p, spec.o, spec.q))
    return free_directions(free, share), tuple(notes)
