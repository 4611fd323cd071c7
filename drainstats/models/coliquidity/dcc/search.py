"""The search for the DCC parameters, and the moments that their standard errors need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.dcc.passes import run_law
from drainstats.models.coliquidity.margins.laws import LAWS, Law
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from
from drainstats.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.engle import DCC
    from drainstats.models.coliquidity.dcc.recursion import Recursion
    from drainstats.models.coliquidity.margins.garch import GARCHResult

# Sum of a and of b: usual, lively, slow, nearly constant.
STARTING_GRID = ((0.02, 0.95), (0.06, 0.88), (0.01, 0.985), (0.01, 0.70))
LIMIT = 0.9999
# With more than MANY assets a search on a HANDFUL of them comes first.
MANY, HANDFUL = 12, 6
# Below GAP per time step the search is done; a fit has converged when it leaves less than LOSS of log-likelihood.
GAP = 1e-7
LOSS = 1e-3


@dataclass(frozen=True, slots=True)
class CorrelationFit:
    """psi = (a, b, g, shape); basis (k, r): directions free of bounds; gap: what a step could still gain per row."""

    psi: FloatArray
    basis: FloatArray
    gap: float
    converged: bool
    notes: tuple[str, ...]
    evaluations: int


def likelihood(
    spec: Recursion,
    z: FloatArray,
    target: FloatArray,
    before: FloatArray,
    psi: FloatArray,
    slopes: bool = False,
    scores: bool = True,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log-likelihood (T,), scores (T, k) and, if asked, slopes in Q (T, N, N) and direct ones in z (T, N)."""
    value, one = run_law(
        spec.law,
        spec.shape(psi),
        z,
        spec.shocks(z, psi),
        target,
        before,
        spec.weights(psi),
        scores,
        slopes,
        start=spec.start(target, before),
    )
    return value, one.scores, one.slopes, one.direct


def joint_loglikelihood(
    spec: Recursion, margins: GARCHResult, target: FloatArray, psi: FloatArray, before: FloatArray
) -> float:
    """Log-likelihood of the data: margins plus correlation, as reported."""
    z = margins.std_resid_values
    spec.law.check(z)
    return margins.gaussian_loglikelihood + float(likelihood(spec, z, target, before, psi, scores=False)[0].sum())


def walk(
    spec: Recursion,
    z: FloatArray,
    target: FloatArray,
    psi: FloatArray,
    rows: int,
    keep: int = 0,
    before: FloatArray | None = None,
) -> Iterator[FloatArray]:
    """Q in time order from shocks ``z``, ``rows`` steps at once, each block behind the last ``keep`` matrices.

    ``before``: products of shocks before the sample, by default those of the spec at ``z``.
    """
    from drainstats.kernels import dcc as kernels

    weights, N = spec.weights(psi), z.shape[1]
    m, stack = weights.lags, target.reshape(-1, N, N)
    early = spec.before(z, target, True) if before is None else before
    shocks = np.repeat(early.reshape(-1, 1, N, N), m, axis=1)
    old = np.repeat(spec.start(target, early)[None], m, axis=0)
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

    names: of the parameters (a..., b..., g..., shape...); sizes: how many a, b and g; costs (sum of sizes,): what one
    unit of each weight takes from the stationarity bound; evaluate: psi to log-likelihoods (T,) and scores (T, k);
    quick: psi to a cheap criterion that ranks starts, low is good; shape: limits and coordinates of the shape
    parameters behind the weights, none by default; guess: psi from which to start instead, if it is known.
    """

    names: list[str]
    sizes: tuple[int, int, int]
    costs: FloatArray
    evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    quick: Callable[[FloatArray], float]
    shape: Law = LAWS["normal"]
    guess: FloatArray | None = None

    @property
    def news(self) -> BoolArray:
        """Which weights are of shocks (sum of sizes,)."""
        return np.repeat([True, False, True], self.sizes)

    @property
    def bound(self) -> str:
        """The stationarity bound in words."""
        return "sum of a, b and delta g" if self.sizes[2] else "sum of a and b"

    @property
    def units(self) -> FloatArray:
        """What divides the search's point (weights that cost one, shape) to give psi (k,)."""
        return np.concatenate([self.costs, np.ones(len(self.shape.names))])

    def point(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The search's point (k,) at free coordinates ``u`` (k,), and its jacobian (k, k)."""
        K = len(self.costs)
        w, jacobian = weights_from(u[:K], LIMIT)
        shape, slopes = self.shape.shape(u[K:])
        whole = np.diag(np.concatenate([np.zeros(K), slopes]))
        whole[:K, :K] = jacobian
        return np.concatenate([w, shape]), whole

    def gap(self, x: FloatArray, gradient: FloatArray) -> float:
        """What a feasible step from a point could still gain, to first order."""
        K = len(self.costs)
        return stationarity_gap(x[:K], gradient[:K], LIMIT) + self.shape.gap(x[K:], gradient[K:])


def fit_correlation(
    spec: DCC, z: FloatArray, target: FloatArray, before: FloatArray, guess: FloatArray | None = None
) -> CorrelationFit:
    """Maximise the correlation likelihood of DCC or ADCC, from a guess or, with many assets, the optimum of a few."""
    problem = replace(correlation_problem(spec, z, target, before), guess=guess)
    if z.shape[1] <= MANY or guess is not None:
        return search(problem)
    few = handful(z.shape[1])
    block = (..., few[:, None], few[None, :])
    evaluate = correlation_problem(spec, z[:, few], target[block], before[block]).evaluate
    return search(replace(problem, guess=search(replace(problem, evaluate=evaluate)).psi))


def correlation_problem(spec: DCC, z: FloatArray, target: FloatArray, before: FloatArray) -> Problem:
    """The correlation likelihood of DCC or ADCC; starts are ranked on a handful of assets, which is cheap."""
    few = handful(z.shape[1])
    block = (..., few[:, None], few[None, :])
    part = z[:, few], target[block], before[block]

    def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
        return likelihood(spec, z, target, before, psi)[:2]

    def quick(psi: FloatArray) -> float:
        return -float(likelihood(spec, *part, psi, scores=False)[0].sum())

    return Problem(spec.parameter_names, spec.sizes, spec.costs(target), evaluate, quick, spec.law.shape)


def handful(assets: int) -> IntArray:
    """Positions of a few assets, evenly spread."""
    return np.unique(np.linspace(0, assets - 1, min(assets, HANDFUL)).astype(int))


def _starts(problem: Problem) -> list[FloatArray]:
    """Where to start, best first: the guess, unless it lies in a corner, or a grid."""
    grid = [_start(problem, *pair) for pair in STARTING_GRID]
    if problem.guess is not None:
        w = problem.guess * problem.units
        weights, shape = np.split(w, [len(problem.costs)])
        if np.isfinite(w).all() and weights.min() > 1e-4 and weights.sum() < LIMIT - 1e-4:
            return [np.concatenate([coordinates_of(weights, LIMIT), problem.shape.free(shape)]), *grid]
    return sorted(grid, key=lambda u: problem.quick(problem.point(u)[0] / problem.units))


def _start(problem: Problem, total_a: float, total_b: float) -> FloatArray:
    """Weights that fade with the lag, a third of the news falling to g where there is one; the usual shape."""
    share = 1.0 / 3.0 if problem.sizes[2] else 0.0
    totals = (total_a * (1.0 - share), total_b, total_a * share)
    fading = [0.7 ** np.arange(k) for k in problem.sizes]
    parts = [total * f / f.sum() for total, f in zip(totals, fading, strict=True) if len(f)]
    weights = coordinates_of(np.concatenate(parts), LIMIT)
    return np.concatenate([weights, problem.shape.free(np.array(problem.shape.start))])


def search(problem: Problem) -> CorrelationFit:
    """Climb from the best of a few starts; later starts run only when the first ends in a corner.

    The search runs in weights w = costs * psi, whose sum stays below the limit, and in the shape.
    """
    recent: dict[bytes, tuple[FloatArray, FloatArray]] = {}
    K, S = len(problem.costs), len(problem.shape.names)

    def evaluate(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        key = x.tobytes()
        if key not in recent:
            value, scores = problem.evaluate(x / problem.units)
            recent.clear()
            recent[key] = value, scores / problem.units
        return recent[key]

    def at_point(x: FloatArray) -> tuple[float, FloatArray]:
        value, scores = evaluate(x)
        return -float(value.mean()), -scores.mean(axis=0)

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        x, jacobian = problem.point(u)
        value, gradient = at_point(x)
        return value, jacobian.T @ gradient

    def metric(u: FloatArray) -> FloatArray:
        """Inverse outer product of the scores at a start: a first guess of the curvature."""
        x, jacobian = problem.point(u)
        scores = evaluate(x)[1] @ jacobian
        curvature = scores.T @ scores / len(scores)
        return np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u)))

    def at_edge(v: FloatArray) -> tuple[float, FloatArray]:
        """The objective in free coordinates of the shape and in weights as they are."""
        shape, slopes = problem.shape.shape(v[:S])
        value, gradient = at_point(np.concatenate([v[S:], shape]))
        return value, np.concatenate([gradient[K:] * slopes, gradient[:K]])

    best, count = None, 0
    for u in _starts(problem):
        inverse = metric(u)
        # An error of about 1e-9 in the coordinates, whatever the curvature.
        found = minimise(objective, u, inverse, tolerance=max(1e-10, 1e-9 / inverse.diagonal().max()))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        w = problem.point(best.x)[0][:K]
        cornered = w[problem.news].sum() < 1e-4 or w.sum() > LIMIT - 1e-4
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    x = problem.point(best.x)[0]
    if not problem.gap(x, at_point(x)[1]) < GAP:
        edge = minimise_at_bounds(at_edge, np.concatenate([best.x[K:], x[:K]]), LIMIT, S).x
        w, x = edge[S:], np.concatenate([edge[S:], problem.shape.shape(edge[:S])[0]])
        if w.min() > 1e-6 and w.sum() < LIMIT - 1e-6 and not problem.gap(x, at_point(x)[1]) < GAP:
            # Off the bounds after all, where free coordinates finish what that search leaves.
            u = np.concatenate([coordinates_of(w, LIMIT), edge[:S]])
            x = problem.point(minimise(objective, u, metric(u)).x)[0]
    return _settle(problem, evaluate, x, count)


def _settle(
    problem: Problem,
    evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    x: FloatArray,
    count: int,
) -> CorrelationFit:
    """Put what nearly touches a bound on it if the likelihood does not mind; judge convergence; say what is held."""
    news, K = problem.news, len(problem.costs)
    value, scores = evaluate(x)
    snapped = np.concatenate([np.where(x[:K] < 1e-6, 0.0, x[:K]), problem.shape.snap(x[K:])])
    if snapped[:K][news].sum() == 0.0 or x[:K][news].sum() < 1e-5:
        snapped[:K][news] = 0.0
    if (snapped != x).any():
        value0, scores0 = evaluate(snapped)
        if value0.sum() >= value.sum() - 1e-5:
            x, scores = snapped, scores0
    gap = problem.gap(x, -scores.mean(axis=0))
    basis, notes = _free(problem, x)
    converged = bool(np.isfinite(gap) and gap * len(scores) < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * len(scores):.3g} of log-likelihood to first order"
        notes.append(f"the weights have not converged: {gain}")
    return CorrelationFit(x / problem.units, basis, gap, converged, tuple(notes), count)


def _free(problem: Problem, x: FloatArray) -> tuple[FloatArray, list[str]]:
    """Directions of psi (k, r) free of bounds at a point of the search, and sentences on the others."""
    K = len(problem.costs)
    w, news, free = x[:K], problem.news, x[:K] > 0.0
    notes: list[str] = []
    if not free[news].any():
        free[:] = False
        still = "a = g = 0" if problem.sizes[2] else "a = 0"
        notes.append(
            f"{still}: the correlation does not move, b is not identified; no standard errors for them, "
            "constant_correlation_test asks whether it moves"
        )
    elif not free.all():
        held = ", ".join(n for n, f in zip(problem.names[:K], free, strict=True) if not f)
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    at_limit = bool(w.sum() > LIMIT - 1e-6)
    if at_limit:
        notes.append(f"{problem.bound} at its limit {LIMIT:g}: standard errors are conditional on it")
    edges = problem.shape.at_limit(x[K:])
    notes += [f"{problem.names[K + i]} at its limit {x[K + i]:g}: no standard error" for i in edges]
    loose = ~np.isin(np.arange(len(x) - K), edges)
    held_sum = np.concatenate([np.ones(K), np.zeros(len(x) - K)]) if at_limit else None
    return free_directions(np.concatenate([free, loose]), held_sum) / problem.units[:, None], notes


def _slopes(
    spec: DCC, margins: GARCHResult, target: FloatArray, before: FloatArray, psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), the derivative of the correlation log-likelihood in the margin parameters (N K,), and (T,).

    The second runs through the residuals and through what is made of them: target and pre-sample. The third is what
    each step's products in the target add.
    """
    from drainstats.kernels import dcc as kernels

    z = margins.std_resid_values
    N = z.shape[1]
    weights = spec.weights(psi)
    _, scores, slopes, in_z = likelihood(spec, z, target, before, psi, slopes=True)
    in_targets, in_before = np.zeros((2, N, N)), np.zeros((3, N, N))
    kernels.dcc_adjoint(z, weights.a, weights.b, weights.g, slopes, in_z, in_targets, in_before)
    through, by_step = spec.pull_start(z, target, in_targets, in_before)
    return scores, margins.pull_back(in_z + through), by_step


def correlation_moments(spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
    """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k)."""
    before = spec.before(margins.std_resid_values, target, True)

    def gradient(at: FloatArray) -> tuple[FloatArray, ...]:
        scores, *rest = _slopes(spec, margins, target, before, at)
        return (scores.sum(axis=0), *rest)

    scores, *rest = _slopes(spec, margins, target, before, psi)
    here = (scores.sum(axis=0), *rest)
    return scores, *mean_slopes(gradient, psi, len(scores), here, len(spec.shape(psi)))


def mean_slopes(
    gradient: Callable[[FloatArray], tuple[FloatArray, ...]],
    psi: FloatArray,
    rows: int,
    here: tuple[FloatArray, ...] | None = None,
    shapes: int = 0,
) -> tuple[FloatArray, ...]:
    """Mean derivatives of the psi scores in the margins (k, N K) and in psi (k, k), and what a target adds to them.

    ``gradient`` gives the derivatives of the log-likelihood in psi and in the margins, exactly, and, where the target
    is a moment of the data, what each step adds to it through that moment (T,); then there is a third answer, the same
    for the scores (T, k). ``here`` is the gradient at ``psi`` if it is known. All answers are differences, in psi
    alone, of these: k more passes whatever N. Steps of 2e-7 of the distance to the nearest bound leave six digits of
    exact gradients. The last ``shapes`` of psi are no weights.
    """
    k = len(psi)
    base = gradient(psi) if here is None else here
    room = np.minimum(psi, 1.0 - psi[: k - shapes].sum())
    room[k - shapes :] = psi[k - shapes :]
    steps = 2e-7 * np.maximum(room, 1e-2)
    differences = []
    for step in np.diag(steps):
        ahead = gradient(psi + step)
        differences.append([(x - y) / (step.sum() * rows) for x, y in zip(ahead, base, strict=True)])
    inner, cross, *noise = (np.array(part) for part in zip(*differences, strict=True))
    return (cross, 0.5 * (inner + inner.T), *(part.T for part in noise))
