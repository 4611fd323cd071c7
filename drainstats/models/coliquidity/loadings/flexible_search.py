"""The search for loadings, and the moments that their standard errors need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from drainstats.errors import DataError
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.dcc.search import LIMIT, LOSS, STARTING_GRID, CorrelationFit
from drainstats.models.coliquidity.loadings.hadamard_passes import Recipe, run, walk
from drainstats.models.optimise import Minimum, coordinates_of, minimise, weights_from
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.loadings.flexible import LoadingRecursion
    from drainstats.models.coliquidity.margins.garch import GARCHResult

Scored = tuple[FloatArray, FloatArray]


def joint_loglikelihood(
    spec: LoadingRecursion, margins: GARCHResult, target: FloatArray, codes: IntArray, psi: FloatArray
) -> float:
    """Log-likelihood of the data: margins plus correlation, as reported."""
    value = run(spec.recipe(margins.std_resid_values, target, codes, psi), scores=False).value
    if not np.isfinite(value).all():
        raise DataError(
            "Q is not positive definite on these data at the estimated loadings, whose intercept is not either; take "
            "fewer groups, or RotatedDCC, whose Q is positive definite always.",
            row=margins.index[int(np.argmin(np.isfinite(value)))],
        )
    return margins.gaussian_loglikelihood + float(value.sum())


def fit_loadings(
    spec: LoadingRecursion, z: FloatArray, target: FloatArray, codes: IntArray, names: list[str]
) -> CorrelationFit:
    """Maximise the correlation likelihood from the optimum with equal loadings, which is that of DCC."""
    G = len(names) // 2

    def evaluate(psi: FloatArray) -> Scored:
        one = run(spec.recipe(z, target, codes, psi, reported=False))
        return one.value, one.scores

    equal = DCC(margins=None, target="sample").search(z)
    starts = [tuple(equal.psi), *STARTING_GRID[:2]] if equal.psi[0] > 1e-4 else list(STARTING_GRID)
    best, count = None, equal.evaluations
    for a, b in starts:
        found = _climb(evaluate, np.repeat(np.sqrt([a, b]), G))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        if loading_gap(best.x, -best.gradient) * len(z) < LOSS and best.x[:G].min() > 1e-2:
            break
    assert best is not None
    if not loading_gap(best.x, -best.gradient) * len(z) < 0.1 * LOSS:
        edge = _at_bounds(evaluate, best)
        best = edge if edge.value < best.value else best
    psi = _settle(evaluate, best.x)
    scores = evaluate(psi)[1]
    gap = loading_gap(psi, scores.mean(axis=0))
    basis, said = _free(psi, names)
    notes = [*said, *_intercept(spec.recipe(z, target, codes, psi).C)]
    converged = bool(np.isfinite(gap) and gap * len(z) < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * len(z):.3g} of log-likelihood to first order"
        notes.append(f"the loadings have not converged: {gain}")
    return CorrelationFit(psi, basis, gap, converged, tuple(notes), count)


def loading_gap(psi: FloatArray, score: FloatArray) -> float:
    """What a first-order step within alpha, beta >= 0, alpha^2 + beta^2 <= LIMIT could gain, group by group."""
    pairs, slopes = psi.reshape(2, -1), score.reshape(2, -1)
    reach = np.sqrt(LIMIT) * np.linalg.norm(np.maximum(slopes, 0.0), axis=0)
    return float((reach - (slopes * pairs).sum(axis=0)).sum())


def _climb(evaluate: Callable[[FloatArray], Scored], start: FloatArray) -> Minimum:
    """Quasi-Newton in free coordinates of (alpha^2, beta^2) of every group; the answer is in loadings."""
    G = len(start) // 2

    def loadings(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        psi, jacobian = np.empty(2 * G), np.zeros((2 * G, 2 * G))
        for g in range(G):
            weights, moves = weights_from(u[[g, G + g]], LIMIT)
            own = np.sqrt(np.maximum(weights, 1e-300))
            psi[[g, G + g]] = own
            jacobian[np.ix_([g, G + g], [g, G + g])] = moves / (2.0 * own[:, None])
        return psi, jacobian

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        psi, jacobian = loadings(u)
        value, scores = evaluate(psi)
        return -float(value.mean()), -jacobian.T @ scores.mean(axis=0)

    u = np.array([coordinates_of(pair**2, LIMIT) for pair in start.reshape(2, G).T]).T.ravel()
    psi, jacobian = loadings(u)
    scores = evaluate(psi)[1] @ jacobian
    curvature = scores.T @ scores / len(scores)
    metric = np.linalg.inv(curvature + 1e-4 * np.trace(curvature) / len(u) * np.eye(len(u)))
    found = minimise(objective, u, metric, limit=60 + 20 * len(u))
    psi = loadings(found.x)[0]
    value, scores = evaluate(psi)
    return Minimum(psi, -float(value.mean()), -scores.mean(axis=0), found.evaluations + 2)


def _at_bounds(evaluate: Callable[[FloatArray], Scored], start: Minimum) -> Minimum:
    """Sequential quadratic programming in the loadings themselves, for optima on an edge."""
    from scipy.optimize import minimize

    G = len(start.x) // 2

    def objective(psi: FloatArray) -> tuple[float, FloatArray]:
        value, scores = evaluate(psi)
        if not (np.isfinite(value).all() and np.isfinite(scores).all()):
            return start.value + 1.0, np.zeros(2 * G)
        return -float(value.mean()), -scores.mean(axis=0)

    def room(psi: FloatArray) -> FloatArray:
        return np.asarray(LIMIT - (psi.reshape(2, G) ** 2).sum(axis=0))

    def room_slopes(psi: FloatArray) -> FloatArray:
        return np.hstack([np.diag(-2.0 * part) for part in np.split(psi, 2)])

    found = minimize(
        objective,
        start.x,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * (2 * G),
        constraints=[{"type": "ineq", "fun": room, "jac": room_slopes}],
        options={"maxiter": 300, "ftol": 1e-15},
    )
    pairs = np.maximum(found.x, 0.0).reshape(2, G)
    pairs = pairs * np.minimum(1.0, np.sqrt(LIMIT / np.maximum((pairs**2).sum(axis=0), 1e-300)))
    value, gradient = objective(pairs.ravel())
    return Minimum(pairs.ravel(), value, gradient, int(found.nfev))


def _settle(evaluate: Callable[[FloatArray], Scored], psi: FloatArray) -> FloatArray:
    """Put vanishing loadings on zero if the likelihood does not mind."""
    snapped = np.where(psi < 1e-3, 0.0, psi)
    if (snapped != psi).any() and evaluate(snapped)[0].sum() >= evaluate(psi)[0].sum() - 1e-5:
        return snapped
    return psi


def _free(psi: FloatArray, names: list[str]) -> tuple[FloatArray, list[str]]:
    """Directions (2 G, r) free of bounds, and what is on a bound or not identified."""
    G = len(psi) // 2
    free, notes = psi > 0.0, []
    still = np.flatnonzero(~free[:G])
    held = [names[G + g] for g in range(G) if not free[G + g] and free[g]]
    free[G + still] = False
    if len(still):
        zero = ", ".join(names[g] for g in still)
        notes.append(f"{zero} = 0: these correlations do not move, their b is not identified; no standard errors")
    if held:
        notes.append(f"{', '.join(held)} on the bound 0: no standard error; the others are conditional on it")
    basis, columns = np.eye(2 * G), free.copy()
    limits = np.flatnonzero((psi.reshape(2, G) ** 2).sum(axis=0) > LIMIT - 1e-6)
    for g in limits[free[limits]]:
        basis[[g, G + g], g] = psi[G + g], -psi[g]
        columns[G + g] = False
    if len(limits):
        groups = ", ".join(names[g] for g in limits)
        notes.append(f"a^2 + b^2 at its limit {LIMIT:g} with {groups}: standard errors are conditional on it")
    return basis[:, columns], notes


def _intercept(C: FloatArray) -> list[str]:
    """Say when the intercept is not positive semidefinite."""
    lowest = float(np.linalg.eigvalsh(C)[0])
    if lowest > -1e-12:
        return []
    return [
        f"the intercept is not positive definite (lowest eigenvalue {lowest:.3g}): Q is on these data, but other data "
        "and simulations may take it out of that region"
    ]


def loading_moments(
    spec: LoadingRecursion, margins: GARCHResult, codes: IntArray, psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), their mean derivatives in the margins, in psi, and in the target's moment (k, N, N)."""
    z = margins.std_resid_values
    target = spec.target(z)
    pairs = psi.reshape(2, -1)
    room = np.maximum(1.0 - (pairs**2).sum(axis=0), 1e-4)
    # A loading may move until its group stops returning to the target; alpha by more where it is larger.
    steps = 1e-3 * np.concatenate([np.clip(pairs[0], 1e-2, 1.0) * np.sqrt(room), room])
    centre = z.mean(axis=0) if getattr(spec, "convention", "engle") == "rmgarch" else 0.0

    def gradient(at: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        recipe = spec.recipe(z, target, codes, at)
        one = run(recipe, slopes=True)
        in_z, in_target = spec.pull(z, target, recipe, one)
        in_moment = spec.in_moment(z, target, in_target)
        in_z += 2.0 / len(z) * (z - centre) @ in_moment
        return one.scores.sum(axis=0), margins.pull_back(in_z), in_moment

    inner, cross, in_moment = central_slopes(gradient, psi, steps, len(z))
    return run(spec.recipe(z, target, codes, psi)).scores, cross, 0.5 * (inner + inner.T), in_moment


def target_noise(recipe: Recipe, in_moment: FloatArray) -> FloatArray:
    """What the sampling error of the target adds to the scores (T, k), from their derivatives in its moment (k, N, N).

    The moment is a mean of X[t], which follow each other: summed over time X - S is, entry by entry and but for ends,
    (1 - B) / (1 - A - B) * (X - G), which nothing foresees (see `inference`).
    """
    root = np.eye(len(recipe.A)) if recipe.rotation is None else recipe.rotation
    weights = (root @ in_moment @ root) * (1.0 - recipe.B) / (1.0 - recipe.A - recipe.B)
    out, t = np.empty((len(recipe.e), len(weights))), 0
    for G in walk(replace(recipe, rotation=None), 512):
        rows = slice(t, t + len(G))
        news = np.einsum("ti,tj->tij", recipe.e[rows], recipe.e[rows]) - G
        out[rows], t = np.tensordot(news, weights, ((1, 2), (1, 2))), rows.stop
    return out


def central_slopes(
    gradient: Callable[[FloatArray], tuple[FloatArray, ...]], psi: FloatArray, steps: FloatArray, rows: int
) -> list[FloatArray]:
    """Derivatives in psi (k, ...), by time step, of each of the arrays that ``gradient`` gives, by central differences.

    ``gradient`` gives derivatives of the log-likelihood exactly, so that these are exact mixed ones up to differencing.
    """
    sides = []
    for step in np.diag(steps):
        ahead, behind = gradient(psi + step), gradient(psi - step)
        sides.append([(a - b) / (2.0 * step.sum() * rows) for a, b in zip(ahead, behind, strict=True)])
    return [np.array(part) for part in zip(*sides, strict=True)]
