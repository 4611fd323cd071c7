"""The search for the DCC parameters, and the moments that their standard errors need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.base import free_directions
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc import DCC
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


def before_sample(spec: DCC, target: FloatArray, reported: bool) -> FloatArray:
    """zz' before the sample (N, N)."""
    if spec.convention == "engle":
        return target
    return np.ones_like(target) if reported else np.zeros_like(target)


def likelihood(
    spec: DCC, z: FloatArray, target: FloatArray, before: FloatArray, psi: FloatArray, slopes: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log-likelihood (T,), scores (T, P + Q) and, if asked, slopes in Q (T, N, N) and direct ones in z (T, N)."""
    from drainstats.kernels import dcc as kernels

    T, N = z.shape
    P = spec.order[0]
    value, scores = np.empty(T), np.empty((T, len(psi)))
    rows = T if slopes else 0
    in_q, in_z = np.empty((rows, N, N)), np.empty((rows, N))
    # Copies: pandas hands out read-only views, for which the kernel would be compiled once more.
    a, b = psi[:P].copy(), psi[P:].copy()
    lower = np.tril_indices(N)
    kernels.dcc_likelihood(np.ascontiguousarray(z), target[lower], before[lower], a, b, value, scores, in_q, in_z)
    return value, scores, in_q, in_z


def joint_loglikelihood(spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> float:
    """Log-likelihood of the data: margins plus correlation, as reported."""
    value = likelihood(spec, margins.std_resid_values, target, before_sample(spec, target, True), psi)[0]
    return margins.loglikelihood + float(value.sum())


def walk(
    spec: DCC, z: FloatArray, target: FloatArray, psi: FloatArray, rows: int, keep: int = 0
) -> Iterator[FloatArray]:
    """Q in time order, ``rows`` steps at once, each block preceded by the last ``keep`` matrices before it."""
    from drainstats.kernels import dcc as kernels

    P, Q = spec.order
    m, N = max(P, Q), z.shape[1]
    a, b = psi[:P].copy(), psi[P:].copy()
    shocks = np.repeat(before_sample(spec, target, True)[None], m, axis=0)
    old = np.repeat(target[None], m, axis=0)
    for first in range(0, len(z), rows):
        block = np.ascontiguousarray(z[first : first + rows])
        q = np.empty((m + len(block), N, N))
        q[:m] = old
        kernels.dcc_path(block, target, shocks, a, b, q)
        yield q[m - keep :]
        news = (
            block[:, :, None] * block[:, None, :]
            if len(block) <= m
            else np.einsum("ti,tj->tij", block[-m:], block[-m:])
        )
        shocks, old = np.concatenate([shocks, news])[-m:], q[-m:].copy()


def _start(order: tuple[int, int], total_a: float, total_b: float) -> FloatArray:
    """Weights that fade with the lag."""
    fading = [0.7 ** np.arange(k) for k in order]
    parts = [total * f / f.sum() for total, f in zip((total_a, total_b), fading, strict=True) if len(f)]
    return coordinates_of(np.concatenate(parts), LIMIT)


def fit_correlation(spec: DCC, z: FloatArray, target: FloatArray) -> CorrelationFit:
    """Maximise the correlation likelihood; the starts are ranked on a handful of assets, which is cheap."""
    T, N = z.shape
    before = before_sample(spec, target, False)

    def at_weights(psi: FloatArray) -> tuple[float, FloatArray]:
        value, scores, _, _ = likelihood(spec, z, target, before, psi)
        return -float(value.sum()) / T, -scores.sum(axis=0) / T

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        psi, jacobian = weights_from(u, LIMIT)
        value, gradient = at_weights(psi)
        return value, jacobian.T @ gradient

    few = np.unique(np.linspace(0, N - 1, min(N, 6)).astype(int))
    small = target[np.ix_(few, few)], before[np.ix_(few, few)]

    def quick(u: FloatArray) -> float:
        return -float(likelihood(spec, z[:, few], small[0], small[1], weights_from(u, LIMIT)[0])[0].sum())

    starts = sorted((_start(spec.order, *pair) for pair in STARTING_GRID), key=quick)
    best, count = None, 0
    for u in starts:
        found = minimise(objective, u, _metric(spec, z, target, before, u))
        count += found.evaluations
        if best is None or found.value < best.value:
            best = found
        weights = weights_from(best.x, LIMIT)[0]
        cornered = weights[: spec.order[0]].sum() < 1e-4 or weights.sum() > LIMIT - 1e-4
        if not cornered and np.abs(best.gradient).max() < 1e-6:
            break
    assert best is not None
    psi = weights_from(best.x, LIMIT)[0]
    if not stationarity_gap(psi, at_weights(psi)[1], LIMIT) < GAP:
        psi = minimise_at_bounds(at_weights, psi, LIMIT, 0).x
    return _settle(spec, z, target, before, psi, count)


def _metric(spec: DCC, z: FloatArray, target: FloatArray, before: FloatArray, u: FloatArray) -> FloatArray:
    """Inverse outer product of the scores at a start: a first guess of the curvature."""
    psi, jacobian = weights_from(u, LIMIT)
    scores = likelihood(spec, z, target, before, psi)[1] @ jacobian
    curvature = scores.T @ scores / len(z)
    return np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u)))


def _settle(
    spec: DCC, z: FloatArray, target: FloatArray, before: FloatArray, psi: FloatArray, count: int
) -> CorrelationFit:
    """Put vanishing weights on zero if the likelihood does not mind; judge convergence; say what is not identified."""
    P = spec.order[0]
    value, scores, _, _ = likelihood(spec, z, target, before, psi)
    snapped = np.where(psi < 1e-6, 0.0, psi)
    if snapped[:P].sum() == 0.0 or psi[:P].sum() < 1e-5:
        snapped[:P] = 0.0
    if (snapped != psi).any():
        value0, scores0, _, _ = likelihood(spec, z, target, before, snapped)
        if value0.sum() >= value.sum() - 1e-5:
            psi, scores = snapped, scores0
    gap = stationarity_gap(psi, -scores.mean(axis=0), LIMIT)
    free = psi > 0.0
    notes: list[str] = []
    if not free[:P].any():
        free[:] = False
        notes.append("a = 0: the correlation does not move, b is not identified; no standard errors for a and b")
    elif not free.all():
        held = ", ".join(n for n, f in zip(spec.parameter_names, free, strict=True) if not f)
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    at_limit = bool(psi.sum() > LIMIT - 1e-6)
    if at_limit:
        notes.append(f"sum of a and b at its limit {LIMIT:g}: standard errors are conditional on it")
    basis = free_directions(free, np.ones(len(psi)) if at_limit else None)
    converged = bool(np.isfinite(gap) and gap * len(z) < LOSS)
    if not converged:
        notes.append(
            f"a and b not converged: a step could still gain {gap * len(z):.3g} of log-likelihood to first order"
        )
    return CorrelationFit(psi, basis, gap, converged, tuple(notes), count)


def _slopes(spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the correlation log-likelihood in psi (k,) and in the margin parameters (N K,).

    The latter run through the residuals and through the target.
    """
    from drainstats.kernels import dcc as kernels

    z = margins.std_resid_values
    T, N = z.shape
    P = spec.order[0]
    _, scores, slopes, in_z = likelihood(spec, z, target, before_sample(spec, target, True), psi, slopes=True)
    in_target, in_before = np.zeros((N, N)), np.zeros((N, N))
    a, b = psi[:P].copy(), psi[P:].copy()
    kernels.dcc_adjoint(z, a, b, slopes, in_z, in_target, in_before)
    if spec.convention == "rmgarch":
        in_z += 2.0 / (T - 1) * (z - z.mean(axis=0)) @ in_target
    else:
        in_target += in_before
        second = (z**2).mean(axis=0)
        scale = np.sqrt(second)
        in_moment = in_target / np.outer(scale, scale) - np.diag((in_target * target).sum(axis=1) / second)
        in_z += 2.0 / T * z @ in_moment
    return scores.sum(axis=0), margins.pull_back(in_z)


def correlation_moments(
    spec: DCC, margins: GARCHResult, target: FloatArray, psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), their mean derivative in the margins (k, N K) and in psi (k, k).

    Both derivatives are central differences, in psi alone, of exact gradients: 2 k passes whatever N.
    """
    z = margins.std_resid_values
    k = len(psi)
    scores = likelihood(spec, z, target, before_sample(spec, target, True), psi)[1]
    cross, inner = np.empty((k, len(margins.params))), np.empty((k, k))
    for i in range(k):
        step = np.zeros(k)
        step[i] = 1e-4 * max(min(psi[i], 1.0 - psi.sum()), 1e-3)
        ahead, behind = (_slopes(spec, margins, target, psi + s) for s in (step, -step))
        width = 2.0 * step[i] * len(z)
        inner[i], cross[i] = (ahead[0] - behind[0]) / width, (ahead[1] - behind[1]) / width
    return scores, cross, 0.5 * (inner + inner.T)
