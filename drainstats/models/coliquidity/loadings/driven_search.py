"""The likelihood of DCC with drivers, its exact derivatives, and the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from drainstats.models.base import free_directions
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.dcc.search import LIMIT, LOSS, CorrelationFit
from drainstats.models.coliquidity.loadings.drivers import Drivers
from drainstats.models.coliquidity.loadings.flexible import slope_in_moment
from drainstats.models.coliquidity.loadings.flexible_search import central_slopes
from drainstats.models.coliquidity.loadings.hadamard_passes import Pass, Recipe, run
from drainstats.models.optimise import coordinates_of, minimise, minimise_at_bounds, stationarity_gap, weights_from
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Driven:
    """Residuals z (T, N), their target S (N, N), scaled drivers x (T, J), and eta where it is fixed already.

    psi = (a, b, delta). With v[t] = 1 - (1 - k[t]) / (1 - k) and D = 11' - S, S[t] = S + v[t] D, so that Q[t] is that
    of DCC plus r[t] D with r[t] = (1 - a - b) v[t] + b r[t-1], r[1] = v[1]: what drivers add is a scalar recursion.
    """

    z: FloatArray
    target: FloatArray
    x: FloatArray
    eta: float | None = None

    @cached_property
    def share(self) -> float:
        """k of S."""
        return float(1.0 / np.linalg.solve(self.target, np.ones(len(self.target))).sum())

    def level(self, delta: FloatArray) -> float:
        """eta: the mean of k[t] over the rows is k."""
        if self.eta is not None:
            return self.eta
        s = self.x @ delta
        low, high = (float(logit(self.share)) - end for end in (s.max(), s.min()))
        eta = float(logit(self.share)) - float(s.mean())
        for _ in range(100):
            k = expit(eta + s)
            miss = float(k.mean()) - self.share
            low, high = (low, eta) if miss > 0.0 else (eta, high)
            slope = float((k * (1.0 - k)).mean())
            new = eta - miss / slope if slope > 0.0 else np.nan
            new = new if low < new < high else 0.5 * (low + high)
            if abs(new - eta) <= 1e-15 * max(1.0, abs(eta)):
                break
            eta = new
        return eta

    def shares(self, delta: FloatArray) -> FloatArray:
        """k[t] (T,)."""
        return np.asarray(expit(self.level(delta) + self.x @ delta))

    def targets(self, delta: FloatArray, x: FloatArray) -> FloatArray:
        """S[t] at other drivers (T', J)."""
        kept = (1.0 - expit(self.level(delta) + x @ delta)) / (1.0 - self.share)
        return np.asarray(1.0 - kept[:, None, None] * (1.0 - self.target))

    def _lifts(self, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """r (T,), its derivatives in psi (T, K), and in k (T,)."""
        (a, b), delta = psi[:2], psi[2:]
        k = self.shares(delta)
        spread, one = k * (1.0 - k), 1.0 - self.share
        v = (k - self.share) / one
        centre = (spread @ self.x) / spread.sum()
        in_delta = spread[:, None] * (self.x - centre) / one
        in_share = (spread / spread.mean() - (1.0 - k) / one) / one
        rest = 1.0 - a - b
        r = _leak(rest * v[:, None], v[:1], b)[:, 0]
        behind = np.concatenate([[0.0], r[:-1]])
        news = np.column_stack([-v, behind - v, rest * in_delta, rest * in_share])
        moves = _leak(news, np.concatenate([[0.0, 0.0], in_delta[0], in_share[:1]]), b)
        return r, moves[:, :-1], moves[:, -1]

    def recipe(self, psi: FloatArray) -> Recipe:
        """The recursion at psi; its K = 2 derivatives are those in a and b at fixed r."""
        a, b = psi[:2]
        S, one = self.target, np.ones_like(self.target)
        dA, dB = np.array([one, 0.0 * one]), np.array([0.0 * one, one])
        dC = np.array([-S, -S])
        r = self._lifts(psi)[0]
        return Recipe(self.z, self.z, S, S, (1.0 - a - b) * S, a * one, b * one, dC, dA, dB, shift=r, direction=one - S)

    def value(self, psi: FloatArray) -> FloatArray:
        """Correlation log-likelihood by step (T,)."""
        return run(self.recipe(psi), scores=False).value

    def evaluate(self, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Correlation log-likelihood by step (T,) and scores (T, K)."""
        one = run(self.recipe(psi))
        return one.value, self._scores(psi, one)

    def _scores(self, psi: FloatArray, one: Pass) -> FloatArray:
        scores = one.lean[:, None] * self._lifts(psi)[1]
        scores[:, :2] += one.scores
        return scores

    def gradient(self, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives of the log-likelihood in psi (K,), in z at a fixed target (T, N), and in the target (N, N)."""
        from drainstats.kernels import hadamard as kernels

        recipe = self.recipe(psi)
        one, (r, _, in_share) = run(recipe, slopes=True), self._lifts(psi)
        in_target = -np.tensordot(r, one.slopes, 1)
        slopes, in_z = one.slopes.copy(), one.direct.copy()
        kernels.pull(self.z, recipe.A, recipe.B, slopes, in_z)
        in_target += (1.0 - psi[0] - psi[1]) * slopes.sum(axis=0) + (psi[0] + psi[1]) * slopes[0]
        h = np.linalg.solve(self.target, np.ones(len(self.target)))
        in_target += float(one.lean @ in_share) * self.share**2 * np.outer(h, h)
        return self._scores(psi, one).sum(axis=0), in_z, in_target


def _leak(news: FloatArray, first: FloatArray, b: float) -> FloatArray:
    """out[t] = news[t] + b out[t-1] (T, k), ``first`` in front."""
    out = news.copy()
    out[0] = first
    for t in range(1, len(out)):
        out[t] += b * out[t - 1]
    return out


def fit_driven(z: FloatArray, target: FloatArray, drivers: Drivers) -> tuple[CorrelationFit, float]:
    """Maximise the likelihood in (a, b, delta); also DCC's own maximum, where every search begins."""
    problem = Driven(z, target, drivers.scaled)
    J = len(drivers.names)
    null = DCC(margins=None, target="sample").search(z)
    still = float(problem.value(np.concatenate([null.psi, np.zeros(J)])).sum())

    def at_weights(x: FloatArray) -> tuple[float, FloatArray]:
        """In (delta, a, b)."""
        value, scores = problem.evaluate(np.concatenate([x[J:], x[:J]]))
        slope = -scores.mean(axis=0)
        return -float(value.mean()), np.concatenate([slope[2:], slope[:2]])

    def objective(u: FloatArray) -> tuple[float, FloatArray]:
        weights, jacobian = weights_from(u[J:], LIMIT)
        value, slope = at_weights(np.concatenate([u[:J], weights]))
        return value, np.concatenate([slope[:J], jacobian.T @ slope[J:]])

    def metric(u: FloatArray) -> FloatArray:
        weights, jacobian = weights_from(u[J:], LIMIT)
        scores = problem.evaluate(np.concatenate([weights, u[:J]]))[1]
        own = np.hstack([scores[:, 2:], scores[:, :2] @ jacobian])
        curvature = own.T @ own / len(own)
        return np.linalg.inv(curvature + 1e-6 * np.trace(curvature) * np.eye(len(u)))

    best, count = None, null.evaluations
    # A level that moves looks like persistence to DCC: the second start has little of it.
    for a, b in ((max(null.psi[0], 1e-3), min(null.psi[1], 0.998)), (0.03, 0.9)):
        weights = np.array([a, b]) * min(1.0, 0.999 * LIMIT / (a + b))
        u = np.concatenate([np.zeros(J), coordinates_of(weights, LIMIT)])
        found = minimise(objective, u, metric(u))
        count += found.evaluations
        if best is None or found.value < best.value - 1e-12:
            best = found
    assert best is not None
    x = np.concatenate([best.x[:J], weights_from(best.x[J:], LIMIT)[0]])
    if not _gap(at_weights(x)[1], x, J) * len(z) < 0.1 * LOSS:
        x = minimise_at_bounds(at_weights, x, LIMIT, J).x
    return _settle(problem, at_weights, x, J, count), still


def _gap(slope: FloatArray, x: FloatArray, J: int) -> float:
    """What a first-order step could gain: within the weights' bounds, and up to one in each delta."""
    return stationarity_gap(x[J:], slope[J:], LIMIT) + float(np.abs(slope[:J]).sum())


def _settle(
    problem: Driven, at_weights: Callable[[FloatArray], tuple[float, FloatArray]], x: FloatArray, J: int, count: int
) -> CorrelationFit:
    """Put vanishing weights on zero if the likelihood does not mind; judge convergence; say what is on a bound."""
    rows = len(problem.z)
    value, slope = at_weights(x)
    snapped = x.copy()
    snapped[J:][x[J:] < 1e-6] = 0.0
    if (snapped != x).any():
        value0, slope0 = at_weights(snapped)
        if value0 * rows <= value * rows + 1e-5:
            x, slope = snapped, slope0
    gap = _gap(slope, x, J)
    psi = np.concatenate([x[J:], x[:J]])
    free, notes = np.ones(2 + J, dtype=bool), []
    free[:2] = psi[:2] > 0.0
    if not free[:2].all():
        held = " and ".join(n for n, f in zip(("a1", "b1"), free[:2], strict=True) if not f)
        notes.append(f"{held} on the bound 0: no standard error; the others are conditional on it")
    at_limit = bool(psi[:2].sum() > LIMIT - 1e-6)
    if at_limit:
        notes.append(f"sum of a and b at its limit {LIMIT:g}: standard errors are conditional on it")
    held_sum = np.concatenate([[1.0, 1.0], np.zeros(J)])
    basis = free_directions(free, held_sum if at_limit else None)
    converged = bool(np.isfinite(gap) and gap * rows < LOSS)
    if not converged:
        gain = f"a step could still gain {gap * rows:.3g} of log-likelihood to first order"
        notes.append(f"the parameters have not converged: {gain}")
    return CorrelationFit(psi, basis, gap, converged, tuple(notes), count)


def driven_moments(
    z: FloatArray, x: FloatArray, pull_back: Callable[[FloatArray], FloatArray], psi: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Scores of psi (T, k), their mean derivatives in the margins, in psi, and in the target's moment (k, N, N)."""
    second = z.T @ z / len(z)
    scale = np.sqrt(np.diag(second))
    target = second / np.outer(scale, scale)
    problem = Driven(z, target, x)
    small = 1e-3 * max(min(psi[0], 1.0 - psi[0] - psi[1]), 1e-3)
    steps = np.concatenate([[small, small], np.full(len(psi) - 2, 1e-4)])

    def gradient(at: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        in_psi, in_z, in_target = problem.gradient(at)
        in_moment = slope_in_moment(z, target, in_target)
        return in_psi, pull_back(in_z + 2.0 / len(z) * z @ in_moment), in_moment

    inner, cross, in_moment = central_slopes(gradient, psi, steps, len(z))
    return problem.evaluate(psi)[1], cross, 0.5 * (inner + inner.T), in_moment
