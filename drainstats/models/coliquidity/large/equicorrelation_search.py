"""The search for the DECO parameters, and the moments that their standard errors need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.kernels import equicorrelation as kernels
from drainstats.models.base import free_directions
from drainstats.models.coliquidity.inference import by_step
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from
from drainstats.typing import FloatArray, IntArray

# Sum of a and of b: usual, lively, slow, nearly constant.
STARTING_GRID = ((0.02, 0.95), (0.06, 0.88), (0.01, 0.985), (0.01, 0.70))
LIMIT = 0.9999
# Below GAP per time step the search is done; a fit has converged when it leaves less than LOSS of log-likelihood.
GAP = 1e-7
LOSS = 1e-3


@dataclass(frozen=True, slots=True)
class GroupSums:
    """What the likelihood needs of residuals z (T, N).

    m (T, G): sums of z over each group divided by sqrt(n_g); s (T, G): mean squares; sizes (G,): n_g; codes (N,): the
    group of each asset; z itself.
    """

    z: FloatArray
    codes: IntArray
    sizes: FloatArray
    m: FloatArray
    s: FloatArray

    @classmethod
    def of(cls, z: FloatArray, codes: IntArray) -> GroupSums:
        """From residuals (T, N) and the group of each column."""
        sizes = np.bincount(codes).astype(np.float64)
        V = np.eye(len(sizes))[codes]
        return cls(z, codes, sizes, z @ (V / np.sqrt(sizes)), (z**2) @ (V / sizes))

    @property
    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Root mean squares of the columns (N,), and m of the columns divided by them (T, G)."""
        size = np.sqrt((self.z**2).mean(axis=0))
        V = np.eye(len(self.sizes))[self.codes]
        return size, self.z @ (V / np.sqrt(self.sizes) / size[:, None])

    def level(self) -> FloatArray:
        """State of the target: packed V'S V for S with a unit diagonal, and mean diagonals of one."""
        m = self.moments[1]
        return np.concatenate([kernels.pack(m.T @ m / len(m)), np.ones(len(self.sizes))])

    @property
    def news(self) -> FloatArray:
        """(T, L): m m' packed, and s."""
        return np.concatenate([kernels.pack(self.m[:, :, None] * self.m[:, None, :]), self.s], axis=1)


@dataclass(frozen=True, slots=True)
class EquicorrelationFit:
    """psi = (a, b), its log-likelihood; basis (k, r): directions free of bounds; gap: what a step could still gain."""

    psi: FloatArray
    loglikelihood: float
    basis: FloatArray
    gap: float
    converged: bool
    notes: tuple[str, ...]
    evaluations: int


def likelihood(P: int, sums: GroupSums, news: FloatArray, level: FloatArray, psi: FloatArray) -> tuple[Any, ...]:
    """Log-likelihood (T,), scores (T, P + Q), derivatives in the state (T, L), in m and in s (T, G)."""
    state, moves = kernels.states(news, level, psi[:P], psi[P:], slopes=True)
    value, in_state, in_m, in_s = kernels.block_likelihood(state, sums.m, sums.s, sums.sizes)
    return value, np.einsum("tl,ktl->tk", in_state, moves), in_state, in_m, in_s


def _start(order: tuple[int, int], total_a: float, total_b: float) -> FloatArray:
    """Weights that fade with the lag."""
    fading = [0.7 ** np.arange(k) for k in order]
    parts = [total * f / f.sum() for total, f in zip((total_a, total_b), fading, strict=True) if len(f)]
    return coordinates_of(np.concatenate(parts), LIMIT)


def fit_correlation(order: tuple[int, int], names: list[str], sums: GroupSums, level: FloatArray) -> EquicorrelationFit:
    """Maximise the correlation likelihood from every start of the grid; an evaluation costs O(T G^3)."""
    T, P = len(sums.m), order[0]
    news = sums.news

    def at_weights(psi: FloatArray) -> tuple[float, FloatArray]:
        with np.errstate(invalid="ignore"):
            value, scores = likelihood(P, sums, news, level, psi)[:2]
        return -float(value.sum()) / T, -scores.sum(axis=0) / T

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        psi, jacobian = weights_from(u, LIMIT)
        value, gradient = at_weights(psi)
        return value, jacobian.T @ gradient

    best, count = None, 0
    for pair in STARTING_GRID:
        u = _start(order, *pair)
        psi, jacobian = weights_from(u, LIMIT)
        scores = likelihood(P, sums, news, level, psi)[1] @ jacobian
        curvature = scores.T @ scores / T
        metric = np.linalg.inv(curvature + 1e-6 * max(np.trace(curvature), 1e-12) * np.eye(len(u)))
        found = minimise(objective, u, metric)
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
    assert best is not None
    psi = weights_from(best.x, LIMIT)[0]
    if not stationarity_gap(psi, at_weights(psi)[1], LIMIT) < GAP:
        edge = minimise_at_bounds(at_weights, psi, LIMIT, 0)
        count += edge.evaluations
        psi = edge.x if edge.value <= best.value else psi
    snapped = np.where(psi < 1e-6, 0.0, psi)
    if psi[:P].sum() < 1e-5:
        snapped[:P] = 0.0
    value, gradient = at_weights(psi)
    value0, gradient0 = at_weights(snapped)
    if (value0 - value) * T <= 1e-5:
        psi, value, gradient = snapped, value0, gradient0
    gap = stationarity_gap(psi, gradient, LIMIT)
    basis, notes = _bounds(psi, P, names)
    converged = bool(np.isfinite(gap) and gap * T < LOSS)
    if not converged:
        notes = (
            *notes,
            f"a and b not converged: a step could still gain {gap * T:.3g} of log-likelihood to first order",
        )
    return EquicorrelationFit(psi, -value * T, basis, gap, converged, notes, count)


def _bounds(psi: FloatArray, P: int, names: list[str]) -> tuple[FloatArray, tuple[str, ...]]:
    """Directions in which the estimates could move, and a sentence for each reason that some cannot."""
    free, notes = psi > 0.0, []
    if not free[:P].any():
        free[:] = False
        notes.append("a = 0: the correlation does not move, b is not identified; no standard errors for a and b")
    elif not free.all():
        held = ", ".join(n for n, f in zip(names, free, strict=True) if not f)
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    at_limit = bool(psi.sum() > LIMIT - 1e-6)
    if at_limit:
        notes.append(f"sum of a and b at its limit {LIMIT:g}: standard errors are conditional on it")
    return free_directions(free, np.ones(len(psi)) if at_limit else None), tuple(notes)


def in_residuals(P: int, sums: GroupSums, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Derivatives of the correlation log-likelihood in psi (k,) and in z (T, N), and by step (T,).

    The second run through the target too; the third say what each step's products in the target add.
    """
    T, G = sums.m.shape
    _, scores, in_state, in_m, in_s = likelihood(P, sums, sums.news, sums.level(), psi)
    back, in_level = kernels.pull_states(in_state, psi[:P], psi[P:])
    rows, cols = np.tril_indices(G)
    # A packed number off the diagonal stands for two cells.
    halves = np.where(rows == cols, 1.0, 0.5)
    in_m = in_m + 2.0 * np.einsum("tgh,th->tg", kernels.unpack(back[:, :-G] * halves, G), sums.m)
    in_s = in_s + back[:, -G:]
    size, m = sums.moments
    through = 2.0 / T * m @ kernels.unpack(in_level[:-G] * halves, G)
    root, codes = np.sqrt(sums.sizes), sums.codes
    by_target = through[:, codes] / (root[codes] * size)
    # A column's own size moves the target against it.
    own = (by_target * sums.z).sum(axis=0) / (T * size**2)
    out = in_m[:, codes] / root[codes] + 2.0 * in_s[:, codes] * sums.z / sums.sizes[codes]
    by_target = by_target - own * sums.z
    return scores.sum(axis=0), out + by_target, by_step(sums.z, by_target)


def correlation_moments(
    P: int, margins: Any, sums: GroupSums, psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k).

    All but the scores are central differences, in psi alone, of exact gradients.
    """
    T, k = len(sums.m), len(psi)
    scores = likelihood(P, sums, sums.news, sums.level(), psi)[1]
    cross, inner, noise = np.empty((k, len(margins.params))), np.empty((k, k)), np.empty((T, k))
    for i in range(k):
        step = np.zeros(k)
        step[i] = 1e-4 * max(min(psi[i], 1.0 - psi.sum()), 1e-3)
        ahead, behind = (in_residuals(P, sums, psi + s) for s in (step, -step))
        width = 2.0 * step[i] * T
        inner[i] = (ahead[0] - behind[0]) / width
        cross[i] = margins.pull_back(ahead[1] - behind[1]) / width
        noise[:, i] = (ahead[2] - behind[2]) / width
    return scores, cross, 0.5 * (inner + inner.T), noise
