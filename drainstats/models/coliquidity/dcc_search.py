"""The search for the DCC parameters, and the moments that their standard errors need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.dcc_passes import run
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from
from drainstats.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc import DCC, Recursion
    from drainstats.models.coliquidity.margins import GARCHResult

# Sum of a and of b: usual, lively, slow, nearly constant.
STARTING_GRID = ((0.02, 0.95), (0.06, 0.88), (0.01, 0.985), (0.01, 0.70))
LIMIT = 0.9999
# Below GAP per time step the search is done; a fit has converged when it leaves less than LOSS of log-likelihood.
GAP = 1e-7
LOSS = 1e-3


@dataclass(frozen=True, slots=True)
class CorrelationFit:
    """psi = (a, b); basis (k, r): directions free of bounds; gap: what a feasible step could still gain a time step."""

    psi: FloatArray
    basis: FloatArray
    gap: float
    converged: bool
    notes: tuple[str, ...]
    evaluations: int


def before_sample(spec: Recursion, target: FloatArray, reported: bool) -> FloatArray:
    """zz' before the sample (N, N)."""
    if getattr(spec, "convention", "engle") == "engle":
        return target
    return np.ones_like(target) if reported else np.zeros_like(target)


def likelihood(
    spec: DCC,
    z: FloatArray,
    target: FloatArray,
    before: FloatArray,
    psi: FloatArray,
    slopes: bool = False,
    scores: bool = True,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log-likelihood (T,), scores (T, P + Q) and, if asked, slopes in Q (T, N, N) and direct ones in z (T, N)."""
    one = run(z, z, target, before, spec.weights(psi), scores=scores, slopes=slopes)
    value = one.logdet - 0.5 * (one.quadratic - (z**2).sum(axis=1))
    return value, one.scores, one.slopes, one.direct + z if slopes else one.direct


def joint_loglikelihood(spec: Recursion, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> float:
    """Log-likelihood of the data: margins plus correlation, as reported."""
    z = margins.std_resid_values
    one = run(z, spec.shocks(z, psi), target, before_sample(spec, target, True), spec.weights(psi), scores=False)
    return margins.gaussian_loglikelihood + float(one.logdet.sum() - 0.5 * (one.quadratic.sum() - (z**2).sum()))


def walk(
    spec: Recursion, z: FloatArray, target: FloatArray, psi: FloatArray, rows: int, keep: int = 0
) -> Iterator[FloatArray]:
    """Q in time order from shocks ``z``, ``rows`` steps at once, each block behind the last ``keep`` matrices."""
    from drainstats.kernels import dcc as kernels

    weights, N = spec.weights(psi), z.shape[1]
    m, stack = weights.lags, target.reshape(-1, N, N)
    shocks = np.repeat(before_sample(spec, target, True).reshape(-1, 1, N, N), m, axis=1)
    old = np.repeat(stack[:1], m, axis=0)
    for first in range(0, len(z), rows):
        block = np.ascontiguousarray(z[first : first + rows])
        q = np.empty((m + len(block), N, N))
        q[:m] = old
        kernels.dcc_path(block, stack, shocks, weights.a, weights.b, weights.g, q)
        yield q[m - keep :]
        tail = block[-m:]
        parts = (tail, np.minimum(tail, 0.0))[: len(stack)]
        news = np.array([np.einsum("ti,tj->tij", part, part) for part in parts])
        shocks, old = np.concatenate([shocks, news], axis=1)[:, -m:], q[-m:].copy()


@dataclass(frozen=True, slots=True)
class Problem:
    """What the search needs to know of a model.

    names: of the parameters (a..., b..., g...); sizes: how many a, b and g; costs (k,): what one unit of each takes
    from the stationarity bound; evaluate: psi to log-likelihoods (T,) and scores (T, k); quick: psi to a cheap
    criterion that ranks starts, low is good.
    """

    names: list[str]
    sizes: tuple[int, int, int]
    costs: FloatArray
    evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    quick: Callable[[FloatArray], float]

    @property
    def news(self) -> BoolArray:
        """Which parameters weigh shocks (k,)."""
        return np.repeat([True, False, True], self.sizes)

    @property
    def bound(self) -> str:
        """The stationarity bound in words."""
        return "sum of a, b and delta g" if self.sizes[2] else "sum of a and b"


def fit_correlation(spec: DCC, z: FloatArray, target: FloatArray) -> CorrelationFit:
    """Maximise the correlation likelihood of DCC or ADCC; starts are ranked on a handful of assets, which is cheap."""
    before = before_sample(spec, target, False)
    few = np.unique(np.linspace(0, z.shape[1] - 1, min(z.shape[1], 6)).astype(int))
    block = (..., few[:, None], few[None, :])

    def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
        return likelihood(spec, z, target, before, psi)[:2]

    def quick(psi: FloatArray) -> float:
        return -float(likelihood(spec, z[:, few], target[block], before[block], psi, scores=False)[0].sum())

    return search(Problem(spec.parameter_names, spec.sizes, spec.costs(target), evaluate, quick))


def _start(sizes: tuple[int, int, int], total_a: float, total_b: float) -> FloatArray:
    """Weights that fade with the lag; a third of the news falls to g where there is one."""
    share = 1.0 / 3.0 if sizes[2] else 0.0
    totals = (total_a * (1.0 - share), total_b, total_a * share)
    fading = [0.7 ** np.arange(k) for k in sizes]
    parts = [total * f / f.sum() for total, f in zip(totals, fading, strict=True) if len(f)]
    return coordinates_of(np.concatenate(parts), LIMIT)


def search(problem: Problem) -> CorrelationFit:
    """Climb from the best of a few starts; later starts run only when the first ends in a corner.

    The search runs in weights w = costs * psi, whose sum stays below the limit.
    """
    recent: dict[bytes, tuple[FloatArray, FloatArray]] = {}

    def evaluate(w: FloatArray) -> tuple[FloatArray, FloatArray]:
        key = w.tobytes()
        if key not in recent:
            value, scores = problem.evaluate(w / problem.costs)
            recent.clear()
            recent[key] = value, scores / problem.costs
        return recent[key]

    def at_weights(w: FloatArray) -> tuple[float, FloatArray]:
        value, scores = evaluate(w)
        return -float(value.mean()), -scores.mean(axis=0)

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        w, jacobian = weights_from(u, LIMIT)
        value, gradient = at_weights(w)
        return value, jacobian.T @ gradient

    def metric(u: FloatArray) -> FloatArray:
        """Inverse outer product of the scores at a start: a first guess of the curvature."""
        w, jacobian = weights_from(u, LIMIT)
        scores = evaluate(w)[1] @ jacobian
        curvature = scores.T @ scores / len(scores)
        return np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u)))

    def quick(u: FloatArray) -> float:
        return problem.quick(weights_from(u, LIMIT)[0] / problem.costs)

    best, count = None, 0
    for u in sorted((_start(problem.sizes, *pair) for pair in STARTING_GRID), key=quick):
        found = minimise(objective, u, metric(u))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        w = weights_from(best.x, LIMIT)[0]
        cornered = w[problem.news].sum() < 1e-4 or w.sum() > LIMIT - 1e-4
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    w = weights_from(best.x, LIMIT)[0]
    if not stationarity_gap(w, at_weights(w)[1], LIMIT) < GAP:
        w = minimise_at_bounds(at_weights, w, LIMIT, 0).x
    return _settle(problem, evaluate, w, count)


def _settle(
    problem: Problem,
    evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    w: FloatArray,
    count: int,
) -> CorrelationFit:
    """Put vanishing weights on zero if the likelihood does not mind; judge convergence; say what is not identified."""
    news = problem.news
    value, scores = evaluate(w)
    snapped = np.where(w < 1e-6, 0.0, w)
    if snapped[news].sum() == 0.0 or w[news].sum() < 1e-5:
        snapped[news] = 0.0
    if (snapped != w).any():
        value0, scores0 = evaluate(snapped)
        if value0.sum() >= value.sum() - 1e-5:
            w, scores = snapped, scores0
    gap = stationarity_gap(w, -scores.mean(axis=0), LIMIT)
    free = w > 0.0
    notes: list[str] = []
    if not free[news].any():
        free[:] = False
        still = "a = g = 0" if problem.sizes[2] else "a = 0"
        notes.append(f"{still}: the correlation does not move, b is not identified; no standard errors for them")
    elif not free.all():
        held = ", ".join(n for n, f in zip(problem.names, free, strict=True) if not f)
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    at_limit = bool(w.sum() > LIMIT - 1e-6)
    if at_limit:
        notes.append(f"{problem.bound} at its limit {LIMIT:g}: standard errors are conditional on it")
    basis = free_directions(free, np.ones(len(w)) if at_limit else None) / problem.costs[:, None]
    converged = bool(np.isfinite(gap) and gap * len(scores) < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * len(scores):.3g} of log-likelihood to first order"
        notes.append(f"the weights have not converged: {gain}")
    return CorrelationFit(w / problem.costs, basis, gap, converged, tuple(notes), count)


def _slopes(spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the correlation log-likelihood in psi (k,) and in the margin parameters (N K,).

    The latter run through the residuals and through the target.
    """
    from drainstats.kernels import dcc as kernels

    z = margins.std_resid_values
    N = z.shape[1]
    weights = spec.weights(psi)
    _, scores, slopes, in_z = likelihood(spec, z, target, before_sample(spec, target, True), psi, slopes=True)
    in_targets, in_before = np.zeros((2, N, N)), np.zeros((2, N, N))
    kernels.dcc_adjoint(z, weights.a, weights.b, weights.g, slopes, in_z, in_targets, in_before)
    if spec.convention == "engle":
        in_targets += in_before
    in_z += spec.pull_target(z, target, in_targets)
    return scores.sum(axis=0), margins.pull_back(in_z)


def correlation_moments(
    spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), their mean derivative in the margins (k, N K) and in psi (k, k)."""
    scores = likelihood(spec, margins.std_resid_values, target, before_sample(spec, target, True), psi)[1]
    return scores, *mean_slopes(lambda at: _slopes(spec, margins, target, at), psi, len(scores))


def mean_slopes(
    gradient: Callable[[FloatArray], tuple[FloatArray, FloatArray]], psi: FloatArray, rows: int
) -> tuple[FloatArray, FloatArray]:
    """Mean derivatives of the psi scores in the margins (k, N K) and in psi (k, k).

    ``gradient`` gives the derivatives of the log-likelihood in psi and in the margins, exactly. Both answers are
    central differences, in psi alone, of these: 2 k passes whatever N.
    """
    k = len(psi)
    cross, inner = [], np.empty((k, k))
    for i in range(k):
        step = np.zeros(k)
        step[i] = 1e-4 * max(min(psi[i], 1.0 - psi.sum()), 1e-3)
        ahead, behind = gradient(psi + step), gradient(psi - step)
        width = 2.0 * step[i] * rows
        inner[i] = (ahead[0] - behind[0]) / width
        cross.append((ahead[1] - behind[1]) / width)
    return np.array(cross), 0.5 * (inner + inner.T)
