"""Many plain GARCH(1, 1) margins at once: the search of `margin_search`, eight series side by side.

What ends inside its bounds with a vanishing gradient is taken; everything else, and every other spec, goes to
`fit_series`, which also knows corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.margins.coordinates import GARCH_GRID
from drainstats.models.coliquidity.margins.search import GAP, LOSS, SeriesFit
from drainstats.models.optimise import coordinates_of, stationarity_gap
from drainstats.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.garch import GARCH

LANES = 8
# The search stops at TOLERANCE; a fit is taken when no component of its gradient exceeds TAKEN.
TOLERANCE, TAKEN = 1e-10, 1e-8
PASSES = 80
LOWER = np.tril_indices(4)


def fit_many(spec: GARCH, values: FloatArray, usable: BoolArray) -> dict[int, SeriesFit]:
    """Fits by column of ``values`` (T, N) where the batch can make them; ``usable`` (N,) are worth a try.

    It is for eight or more complete series without regressors.
    """
    kind = (spec.p, spec.o, spec.q, spec.dist, spec.start, spec.exponential) == (1, 0, 1, "normal", "rugarch", False)
    places = np.flatnonzero(usable & np.isfinite(values).all(axis=0))
    if not kind or spec.mean not in ("constant", "zero") or len(places) < LANES:
        return {}
    found = fit_plain(spec, values[:, places])
    return {int(i): fit for i, fit in zip(places, found, strict=True) if fit is not None}


def fit_plain(spec: GARCH, values: FloatArray) -> list[SeriesFit | None]:
    """Fit the columns of complete ``values`` (T, N); None for a column that ends in a corner or does not converge."""
    T, N = values.shape
    shift = values.mean(axis=0) if spec.mean == "constant" else np.zeros(N)
    scale = np.sqrt(np.mean((values - shift) ** 2, axis=0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        search = _Search(spec, np.ascontiguousarray(((values - shift) / scale).T))
        points = search.run()
    return [_record(spec, search, points, i, shift[i], scale[i], T) for i in range(N)]


def _record(
    spec: GARCH, search: _Search, points: _Points, i: int, shift: float, scale: float, T: int
) -> SeriesFit | None:
    """The record of one series, unless it needs a closer look."""
    theta, weights = points.theta[i], points.theta[i, 2:]
    inside = weights.min() > 1e-3 and weights.sum() < spec.max_persistence - 1e-3
    if not (inside and np.abs(points.gradient[i]).max() < TAKEN):
        return None
    first = 0 if spec.mean == "constant" else 1
    slope = -points.slope[i] / T
    gap = stationarity_gap(weights, slope[2:], spec.max_persistence)
    gap += abs(slope[1] * theta[1]) + (abs(slope[0]) if first == 0 else 0.0)
    if not (gap < GAP and gap * T < LOSS):
        return None
    K = 4 - first
    units, offset = np.array([scale, scale**2, 1.0, 1.0])[first:], np.zeros(K)
    offset[: 1 if shift else 0] = shift
    square = float(np.mean((search.y[i] - theta[0]) ** 2))
    return SeriesFit(
        theta=theta[first:].copy(),
        units=units,
        offset=offset,
        scale=float(scale),
        shift=float(shift),
        loads=np.empty(0),
        level=np.full(3, np.nan),
        start_level=np.array([1.0, 0.5, 1.0]) * square,
        sizes=np.ones(K),
        loglikelihood=float(points.value[i] - 0.5 * T * np.log(2.0 * np.pi) - T * np.log(scale)),
        persistence=float(weights.sum()),
        gap=float(gap),
        converged=True,
        basis=np.eye(K),
        notes=(),
        evaluations=int(search.passes[i]),
        nobs=T,
    )


@dataclass(slots=True)
class _Points:
    """Where the series stand: coordinates (N, 4), parameters (N, 4), log-likelihoods (N,), their slopes in the
    parameters (N, 4), gradients of the loss a row in the coordinates (N, 4), and its information (N, 4, 4).
    """

    u: FloatArray
    theta: FloatArray
    value: FloatArray
    slope: FloatArray
    gradient: FloatArray
    curvature: FloatArray

    def take(self, which: IntArray, other: _Points, there: IntArray) -> None:
        """Move series ``which`` to the points ``there`` of ``other``."""
        for name in self.__slots__:
            getattr(self, name)[which] = getattr(other, name)[there]


class _Search:
    """BFGS as in `minimise` for every series by itself, evaluated together.

    u = mu, log of the unconditional variance, logit of the persistence, logit of the share of alpha in it.
    """

    def __init__(self, spec: GARCH, y: FloatArray) -> None:
        self.y, self.limit, self.has_mean = y, spec.max_persistence, spec.mean == "constant"
        self.passes = np.zeros(len(y), dtype=np.int64)

    def points(self, u: FloatArray, series: IntArray) -> _Points:
        """Evaluate coordinates ``u`` (n, 4) of some ``series`` (n,)."""
        from drainstats.kernels.garchlanes import garch_block

        total, share = self.limit / (1.0 + np.exp(-u[:, 2])), 1.0 / (1.0 + np.exp(-u[:, 3]))
        variance, n = np.exp(u[:, 1]), len(u)
        theta = np.stack([u[:, 0], variance * (1.0 - total), total * share, total * (1.0 - share)], axis=1)
        in_total, in_share = total * (1.0 - total / self.limit), total * share * (1.0 - share)
        J = np.zeros((n, 4, 4))
        J[:, 0, 0], J[:, 1, 1] = float(self.has_mean), theta[:, 1]
        J[:, 1, 2], J[:, 2, 2], J[:, 3, 2] = -variance * in_total, share * in_total, (1.0 - share) * in_total
        J[:, 2, 3], J[:, 3, 3] = in_share, -in_share
        T, out = self.y.shape[1], np.empty((n, 15))
        for first in range(0, n, LANES):
            block = np.minimum(np.arange(first, first + LANES), n - 1)
            sums = np.empty((15, LANES))
            garch_block(self.y[series[block]].T.ravel(), np.ascontiguousarray(theta[block].T), sums)
            out[block] = sums.T
        self.passes[series] += 1
        information = np.empty((n, 4, 4))
        information[:, LOWER[0], LOWER[1]] = information[:, LOWER[1], LOWER[0]] = out[:, 5:]
        curvature = np.swapaxes(J, 1, 2) @ information @ J / T
        gradient = -(out[:, None, 1:5] @ J)[:, 0] / T
        return _Points(u, theta, out[:, 0], out[:, 1:5], gradient, curvature)

    def _start(self) -> _Points:
        """The best of the usual starts, series by series."""
        N = len(self.y)
        best: _Points | None = None
        for persistence, share in GARCH_GRID:
            weights = min(persistence, 0.999 * self.limit) * np.array([share, 1.0 - share])
            at = self.points(np.tile([0.0, 0.0, *coordinates_of(weights, self.limit)], (N, 1)), np.arange(N))
            if best is None:
                best = at
            better = np.flatnonzero(at.value > best.value)
            best.take(better, at, better)
        assert best is not None
        return best

    def run(self) -> _Points:
        """Climb until every series has stopped."""
        now = self._start()
        N, T, eye = *self.y.shape, np.eye(4)
        ridge = 1e-6 * np.trace(now.curvature, axis1=1, axis2=2)[:, None, None] * eye
        fixed = 0.0 if self.has_mean else np.diag([1.0, 0.0, 0.0, 0.0])
        sound = np.asarray(np.isfinite(now.curvature).all(axis=(1, 2)))[:, None, None]
        metric = np.linalg.inv(np.where(sound, now.curvature + ridge + fixed, eye))
        length, tries = np.ones(N), np.zeros(N, dtype=np.int64)
        for _ in range(PASSES):
            live = np.flatnonzero((np.abs(now.gradient).max(axis=1) > TOLERANCE) & (tries < 12))
            if not len(live):
                break
            step, slope = _direction(metric, now.gradient, live)
            new = self.points(now.u[live] + length[live, None] * step, live)
            change = (now.value[live] - new.value) / T
            along = (new.gradient * step).sum(axis=1)
            level = 1e-13 * (1.0 + np.abs(now.value[live]) / T)
            good = change <= 1e-4 * length[live] * slope
            good |= (change <= level) & (np.abs(along) <= 0.9 * np.abs(slope))
            good &= np.isfinite(new.value) & np.isfinite(new.gradient).all(axis=1)
            bad = live[~good]
            curve = 2.0 * (change - length[live] * slope)[~good]
            cut = np.where(curve > 0.0, -slope[~good] * length[bad] ** 2 / curve, 0.5 * length[bad])
            length[bad] = np.clip(np.nan_to_num(cut, nan=0.0), 0.1 * length[bad], 0.5 * length[bad])
            tries[bad] += 1
            moved = live[good]
            _update(metric, moved, new.u[good] - now.u[moved], new.gradient[good] - now.gradient[moved])
            length[moved], tries[moved] = 1.0, 0
            now.take(moved, new, np.flatnonzero(good))
        return now


def _direction(metric: FloatArray, gradient: FloatArray, live: IntArray) -> tuple[FloatArray, FloatArray]:
    """Steps (n, 4) of at most 2 and their slopes (n,); a metric that does not lead down starts again."""
    g = gradient[live]
    step = -(metric[live] @ g[:, :, None])[:, :, 0]
    up = ~((step * g).sum(axis=1) < 0.0)
    metric[live[up]], step[up] = np.eye(4), -g[up]
    step *= np.minimum(1.0, 2.0 / np.abs(step).max(axis=1))[:, None]
    return step, (step * g).sum(axis=1)


def _update(metric: FloatArray, which: IntArray, s: FloatArray, y: FloatArray) -> None:
    """The update of BFGS where the curvature along the step is positive."""
    sy = (s * y).sum(axis=1)
    keep = sy > 1e-14 * np.sqrt((s**2).sum(axis=1) * (y**2).sum(axis=1))
    which, s, y, sy = which[keep], s[keep], y[keep], sy[keep]
    hy = (metric[which] @ y[:, :, None])[:, :, 0]
    outer = hy[:, :, None] * s[:, None, :] / sy[:, None, None]
    twice = s[:, :, None] * s[:, None, :] * ((1.0 + (y * hy).sum(axis=1) / sy) / sy)[:, None, None]
    metric[which] += twice - outer - np.swapaxes(outer, 1, 2)
