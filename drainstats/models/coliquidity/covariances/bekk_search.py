"""The search for BEKK parameters with an intercept that stays positive definite, and the moments for their errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.covariances.bekk_problem import FLOOR, Pieces, Problem, totals
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.optimise import Minimum, minimise
from drainstats.typing import BoolArray, FloatArray

# Weights of news and of the last H: usual, slow, lively, nearly integrated.
STARTING_GRID = ((0.05, 0.92), (0.02, 0.97), (0.12, 0.80), (0.04, 0.955))
# A search has ended well when no slope per time step is larger.
GRADIENT = 1e-7
# Weights of a barrier at that bound, for searches that run into it.
BARRIERS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


@dataclass(frozen=True, slots=True)
class BEKKFit:
    """psi (K,); basis (K, r) of its free directions; gradient (K,) per time step; what to say of it."""

    psi: FloatArray
    basis: FloatArray
    gap: float
    converged: bool
    notes: tuple[str, ...]
    evaluations: int


def search(problem: Problem) -> BEKKFit:
    """Maximise the likelihood: a scalar model with targeting first, then what the spec asks for beyond it."""
    start, count = _start(problem)
    found, barrier = _climb(problem, start, 0.0), 0.0
    count += found.evaluations
    if not np.abs(found.gradient).max() < GRADIENT:
        x = start
        for weight in BARRIERS:
            new = _climb(problem, x, weight)
            count += new.evaluations
            if barrier and not np.abs(new.gradient).max() < GRADIENT:
                break
            found, barrier, x = new, weight, new.x
    return _judge(problem, _psi(problem, found.x)[0], found.gradient, barrier, count)


def _psi(problem: Problem, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """psi from what the search moves, and its slopes: the same but for nu, which has limits."""
    slope = np.ones(len(x))
    if problem.spec.dist == "normal":
        return x, slope
    nu, bend = LAWS["t"].shape(x[-1:])
    slope[-1] = bend[0]
    return np.append(x[:-1], nu), slope


def _climb(problem: Problem, start: FloatArray, barrier: float) -> Minimum:
    T = len(problem.e)

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        psi, bend = _psi(problem, x)
        room, slopes = problem.room(problem.pieces(psi))
        if not room.min() > 0.0:
            return np.inf, np.zeros(len(x))
        one = problem.evaluate(psi)
        value = float(-one.value.sum() / T - barrier * np.log(room).sum())
        gradient = -one.scores.sum(axis=0) / T - barrier * (slopes / room[:, None]).sum(axis=0)
        return (value, gradient * bend) if np.isfinite(value) else (np.inf, np.zeros(len(x)))

    psi, bend = _psi(problem, start)
    scores = problem.evaluate(psi).scores * bend
    information = scores.T @ scores / T
    inverse = np.linalg.inv(information + 1e-6 * np.trace(information) / len(start) * np.eye(len(start)))
    return minimise(objective, start, inverse, tolerance=1e-10, limit=500)


def _start(problem: Problem) -> tuple[FloatArray, int]:
    """A feasible start (K,) in search coordinates and the evaluations that it took."""
    spec, law = problem.spec, LAWS["t"]
    shape = [] if spec.dist == "normal" else [law.free(np.array(law.start))]
    plain = replace(spec, kind="scalar", asymmetric=False, targeting=True)
    if spec == plain:
        best, value = np.empty(0), -np.inf
        for a, b in STARTING_GRID:
            x = np.concatenate([np.sqrt([a, b]), *shape])
            new = float(problem.evaluate(_psi(problem, x)[0], scores=False).value.sum())
            if new > value:
                best, value = x, new
        return best, len(STARTING_GRID)
    inner = Problem(plain, problem.e)
    first, count = _start(inner)
    found = _climb(inner, first, 0.0)
    count += found.evaluations
    # A model that does not move is a saddle for one that has more freedom.
    a = max(abs(found.x[0]), 0.15)
    b, g = min(abs(found.x[1]), np.sqrt(0.98 - min(a**2, 0.9))), 0.0
    shape = [found.x[2:]]
    if spec.asymmetric:
        # Falls take half of what they get from the news.
        g = np.sqrt(max(0.5 * a**2, 0.01))
        a = np.sqrt(max(a**2 - 0.25 * g**2, 0.005))
        while b > 0.0 and not _inside(problem, a, b, g):
            b -= 0.01
    width = problem.width
    parts = [np.full(width, a), np.full(width, b)] + [np.full(width, g)] * spec.asymmetric
    if not spec.targeting:
        target = problem.square(problem.targets[0])
        rest = max(1.0 - a**2 - b**2 - 0.5 * g**2, 2.0 * FLOOR)
        parts.append(np.linalg.cholesky(rest * target)[problem.lower])
    return np.concatenate([*parts, *shape]), count


def _inside(problem: Problem, a: float, b: float, g: float) -> bool:
    N = problem.N
    root = None if problem.spec.targeting else np.eye(N)
    return bool(problem.room(Pieces(np.full(N, a), np.full(N, b), np.full(N, g), root, 0.0))[0].min() > FLOOR)


def _judge(problem: Problem, psi: FloatArray, gradient: FloatArray, barrier: float, count: int) -> BEKKFit:
    """Fix signs, put vanishing reactions on zero, and say what is on a bound, not identified or not converged."""
    spec, cuts, T = problem.spec, problem.parts, len(problem.e)
    psi = psi.copy()
    blocks = {"a": slice(0, cuts[0]), "b": slice(cuts[0], cuts[1]), "g": slice(cuts[1], cuts[2])}
    free, notes = np.ones(len(psi), dtype=np.bool_), []
    value = problem.evaluate(psi, scores=False).value.sum()
    for name, block in blocks.items():
        if psi[block].sum() < 0.0:
            psi[block] *= -1.0
        if name == "b" or not len(psi[block]) or (psi[block] ** 2).max() > 1e-3:
            continue
        still = psi.copy()
        still[block] = 0.0
        if problem.evaluate(still, scores=False).value.sum() >= value - 1e-4:
            psi, free[block] = still, False
            notes.append(f"{name} on the bound 0: no standard error; the others are conditional on it")
    if not free[blocks["a"]].any() and not free[blocks["g"]].any():
        free[blocks["b"]] = False
        notes.append("a = 0 throughout: H does not move, b is not identified; no standard errors for them")
    if not spec.targeting:
        notes += _settle_root(problem, psi, free)
    law = LAWS["t"]
    if spec.dist == "t" and len(law.at_limit(law.snap(psi[-1:]))):
        free[-1] = False
        notes.append(f"nu at its limit {psi[-1]:.4g}: no standard error")
    room, slopes = problem.room(problem.pieces(psi))
    tight = room < (1e-3 if barrier else 1e-6)
    basis = free_directions(free)
    if tight.any() and basis.shape[1]:
        what = (
            "the intercept has reached the bound of positive definiteness" if spec.targeting else "persistence is at 1"
        )
        notes.append(f"{what}: standard errors are conditional on it")
        _, size, across = np.linalg.svd(slopes[tight] @ basis)
        basis = basis @ across[int((size > 1e-8 * max(size.max(), 1e-300)).sum()) :].T
    gap = float(np.abs(gradient).max())
    converged = bool(gap < GRADIENT and barrier <= BARRIERS[-1])
    if not converged:
        gain = f"has a slope of {gap * T:.3g}" if gap >= GRADIENT else f"could gain about {barrier * problem.N * T:.3g}"
        notes.append(f"not converged: the log-likelihood still {gain}")
    return BEKKFit(psi, basis, gap, converged, tuple(notes), count)


def _settle_root(problem: Problem, psi: FloatArray, free: BoolArray) -> list[str]:
    """Make the diagonal of L positive, in place, and say where it vanishes."""
    first, root = problem.parts[2], problem.pieces(psi).root
    assert root is not None
    signs = np.where(np.diag(root) < 0.0, -1.0, 1.0)
    block = slice(first, first + len(problem.twice))
    psi[block] *= signs[problem.lower[1]]
    size = np.sqrt((root**2).sum(axis=1))[problem.lower[0]]
    lost = (problem.lower[0] == problem.lower[1]) & (np.abs(psi[block]) < 1e-4 * size)
    psi[block][lost], free[block] = 0.0, ~lost
    if not lost.any():
        return []
    return ["the intercept is singular: no standard error for a vanishing root; the others are conditional on it"]


def moments(problem: Problem, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimating equations of the mean and psi: scores (T, N + K), what targeting adds to them, mean derivative.

    Targeting adds the slope of the mean score in the intercept times the sampling error of the intercept, which is the
    mean of (1 - b_i b_j)(e_i e_j - H_ij): a martingale difference like the scores, so no kernel is needed.
    """
    one, K, N = problem.evaluate(psi), len(psi), problem.N
    bread, in_C, in_mean = np.empty((K, K)), np.empty((K, len(problem.twice))), np.empty((K, N))
    for k in range(K):
        step = np.zeros(K)
        step[k] = 1e-5 * max(abs(psi[k]), 0.1)
        ahead, behind = totals(problem, psi + step), totals(problem, psi - step)
        for out, up, down in zip((bread, in_C, in_mean), ahead, behind, strict=True):
            out[k] = (up - down) / (2.0 * step[k])
    noise = np.zeros((len(problem.e), N + K))
    if problem.spec.targeting:
        rest = 1.0 - problem.products(problem.pieces(psi).b)
        noise[:, N:] = ((problem.news - one.H) * rest) @ in_C.T
    joint = np.block([[-np.eye(N), np.zeros((N, K))], [in_mean, 0.5 * (bread + bread.T)]])
    return np.concatenate([problem.e, one.scores], axis=1), noise, joint
