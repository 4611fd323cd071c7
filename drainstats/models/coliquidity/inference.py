"""Inference for models that are estimated in steps: margins, then a target, then the correlation parameters.

    theta: scores of each margin;   S: second moments x[t] of the residuals;   psi: scores s[t](theta, S, psi)
    influence of psi = -H^-1 (s[t] + C (influence of theta) + D (x[t] - S)),   H = ds/dpsi,  C = ds/dtheta,  D = ds/dS

C runs through the target too; "two_step" stops there, as Engle and Sheppard (2001) and rmgarch do. The last term is the
sampling error of the target itself (Newey and McFadden, 1994, Handbook of Econometrics 4, section 6). S is a mean of
products x[t] that follow each other as the model says: D x[t] goes up and down with D Q[t]. Counted as if they were
independent their mean would look too certain. The recursion itself tells its long-run noise: summed over time,

    sum_t (x[t] - S) = (1 - sum b) / (1 - sum a - sum b)  sum_t (x[t] - Q[t])       but for ends

and the right side has next to no serial dependence. So no bandwidth is needed; it is prewhitening (Andrews and Monahan,
1992, Econometrica 60, 953-966) by the fitted model. Since x is quadratic in z, D (x[t] - S) needs no N x N matrix: by
Euler's theorem it is half of z[t] times the derivative in z[t] through the target.

Profile intervals hold margins and target. The likelihood ratio of one parameter then is not chi-squared but chi-squared
times (variance with all steps) / (inverse Hessian), by which the bar is moved (Kent, 1982, Biometrika 69, 19-27; it is
the correction of Rao and Scott, 1984, Annals of Statistics 12, 46-60, for one degree of freedom).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from drainstats.models.base import Errors, Moments, influences, lag_count, long_run
from drainstats.models.optimise import coordinates_of, minimise, weights_from
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import Problem

# The search's bound on the sum of the weights, and weights that start a search for the rest.
LIMIT = 0.9999
FLOOR = 1e-8
# How far the ratio may miss its bar, relative.
MISS = 1e-6


def stacked(
    margins: Any,
    scores: FloatArray,
    cross: FloatArray,
    inner: FloatArray,
    basis: FloatArray,
    noise: FloatArray | None = None,
) -> Moments:
    """Margins and what follows them as one set of estimating equations.

    Parameters
    ----------
    margins : GARCHResult or GivenMargins
    scores : (T, k) of the later parameters.
    cross, inner : (k, K) and (k, k), their mean derivatives in the K margin parameters and in themselves.
    basis : (k, r): directions of the later parameters that are free.
    noise : (T, k), optional. What the target's sampling error adds to the scores.
    """
    from scipy.linalg import block_diag

    K, k = margins.bread.shape[0], len(inner)
    bread = np.zeros((K + k, K + k))
    bread[:K, :K], bread[K:, :K], bread[K:, K:] = margins.bread, cross, inner
    if noise is not None:
        noise = np.concatenate([np.zeros((len(noise), K)), noise], axis=1)
    return Moments(
        bread=bread,
        scores=np.concatenate([margins.score_values, scores], axis=1),
        basis=np.asarray(block_diag(margins.basis, basis)),
        units=np.concatenate([margins.units, np.ones(k)]),
        noise=noise,
    )


def whitened(noise: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Replace products about their mean (T, k) by what the recursion did not foresee, scaled to the same sum."""
    from scipy.signal import lfilter

    lags = max(len(a), len(b))
    own = np.zeros(lags + 1)
    own[0], own[1 : len(b) + 1] = 1.0, -b
    whole = own.copy()
    whole[1 : len(a) + 1] -= a
    centred = noise - noise.mean(axis=0)
    return np.asarray(lfilter(whole, own, centred, axis=0) * (own.sum() / whole.sum()))


def by_step(z: FloatArray, through: FloatArray) -> FloatArray:
    """What each step's products of ``z`` (T, N) add to f, from d f / d z through their mean: Euler's theorem, (T,)."""
    return np.asarray(0.5 * len(z) * (z * through).sum(axis=1))


def target_influences(result: Any) -> tuple[list[str], FloatArray]:
    """Names of the elements of a DCC's sample target, and what each time step adds to them (P, T), times T."""
    from drainstats.models.coliquidity.dcc import targets

    spec, margins, S = result.spec, result.margins, result.target.reshape(-1, *result.target.shape[-2:])[0]
    z, weights = margins.std_resid_values, spec.weights(result._psi)
    kind = targets.CONVENTIONS[spec.convention].moment
    centred = z - z.mean(axis=0) * (kind == "covariance")
    rows, cols = np.tril_indices(len(S), -1 if kind == "correlation" else 0)
    noise, cross = np.empty((len(z), len(rows))), np.empty((len(rows), len(margins.params)))
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        element = np.zeros_like(S)
        element[i, j] += 0.5
        element[j, i] += 0.5
        through = targets.pull(z, kind, S, element)
        noise[:, k], cross[k] = by_step(centred, through), margins.pull_back(through)
    names = [f"target({result.columns[j]}, {result.columns[i]})" for i, j in zip(rows, cols, strict=True)]
    # A margin parameter on a bound does not move.
    moves = np.nan_to_num(influences(margins.bread, margins.score_values, margins.basis))
    return names, whitened(noise, weights.a, weights.b).T + cross @ moves


def profile_intervals(
    result: Any, problem: Problem, level: float, errors: Errors, hac: int | Literal["auto"] | None
) -> pd.DataFrame:
    """Profile intervals of the weights a, b, g of a fit, one row each; a shape parameter is searched along.

    Parameters
    ----------
    result : the fit, with ``basis`` (k, r) for its last k parameters.
    problem : what its search maximised.
    level, errors, hac
        As for ``conf_int``.
    """
    from scipy.special import chdtri

    names = problem.names
    k, K = len(names), len(problem.costs)
    psi, basis = result.params.to_numpy()[-k:], result.basis
    moments = result._moments()
    inner = moments.bread[-k:, -k:]
    robust = np.diag(long_run(moments.influences(errors), lag_count(hac, result.nobs)))[-k:]
    model = -np.diag(basis @ np.linalg.solve(basis.T @ inner @ basis, basis.T)) / result.nobs
    out = np.full((K, 2), np.nan)
    for i in np.flatnonzero(np.isfinite(robust[:K]) & (model[:K] > 0.0)):
        bar = float(chdtri(1, 1.0 - level)) * robust[i] / model[i]
        for end, side in enumerate((-1.0, 1.0)):
            out[i, end] = Profile(problem, psi, int(i), bar).end(side, float(np.sqrt(model[i] * bar)))
    return pd.DataFrame(out, index=names[:K], columns=["lower", "upper"])


class Profile:
    """The likelihood ratio of one weight, the others at their best; each search starts where the last one ended."""

    def __init__(self, problem: Problem, psi: FloatArray, place: int, bar: float) -> None:
        self.problem, self.place, self.bar = problem, place, bar
        self.estimate, K = float(psi[place]), len(problem.costs)
        self.others = np.flatnonzero(np.arange(K) != place)
        self.weights, self.shape = np.maximum((problem.costs * psi[:K])[self.others], FLOOR), psi[K:]
        value = problem.evaluate(psi)[0]
        self.top, self.rows = float(value.sum()), len(value)

    def _point(self, v: float, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """psi (k,) at a value and free coordinates of the rest, and its derivatives in these (k, k - 1)."""
        costs, m = self.problem.costs, len(self.others)
        psi, moves = np.empty(m + 1 + len(self.shape)), np.zeros((m + 1 + len(self.shape), m + len(self.shape)))
        psi[self.place] = v
        if m:
            weights, jacobian = weights_from(u[:m], LIMIT - costs[self.place] * v)
            psi[self.others] = weights / costs[self.others]
            moves[self.others, :m] = jacobian / costs[self.others, None]
        shape, slopes = self.problem.shape.shape(u[m:])
        psi[m + 1 :], moves[m + 1 :, m:] = shape, np.diag(slopes)
        return psi, moves

    def ratio(self, v: float) -> tuple[float, float]:
        """Twice the log-likelihood lost at ``v``, and its slope there: the slopes in the rest vanish."""
        room, m = LIMIT - self.problem.costs[self.place] * v, len(self.others)

        def objective(u: FloatArray) -> tuple[float, FloatArray]:
            psi, moves = self._point(v, u)
            value, scores = self.problem.evaluate(psi)
            return -float(value.mean()), -moves.T @ scores.mean(axis=0)

        u = self.problem.shape.free(self.shape)
        if m:
            u = np.concatenate([coordinates_of(self.weights * min(1.0, 0.99 * room / self.weights.sum()), room), u])
        if len(u):
            psi, moves = self._point(v, u)
            rows = self.problem.evaluate(psi)[1] @ moves
            curvature = rows.T @ rows / len(rows)
            metric = np.linalg.inv(curvature + 1e-6 * max(np.trace(curvature), 1e-12) * np.eye(len(u)))
            u = minimise(objective, u, metric, tolerance=1e-8).x
        psi = self._point(v, u)[0]
        self.weights, self.shape = np.maximum((self.problem.costs * psi[: m + 1])[self.others], FLOOR), psi[m + 1 :]
        value, scores = self.problem.evaluate(psi)
        return 2.0 * (self.top - float(value.sum())), -2.0 * float(scores[:, self.place].sum())

    def end(self, side: float, reach: float) -> float:
        """Where the ratio meets the bar on one side, or the bound if it does not: Newton's steps on its root."""
        edge = 0.0 if side < 0.0 else (LIMIT - 1e-6) / self.problem.costs[self.place]
        inside, outside, reached = self.estimate, edge, False
        v = self.estimate + side * reach
        for _ in range(60):
            if side * (v - edge) >= 0.0 and not reached:
                v = edge
            elif not min(inside, outside) < v < max(inside, outside):
                v = 0.5 * (inside + outside)
            ratio, slope = self.ratio(v)
            if abs(ratio - self.bar) < MISS * self.bar or abs(outside - inside) < MISS * reach:
                break
            if ratio > self.bar:
                outside, reached = v, True
            elif v == edge:
                break
            else:
                inside = v
            root = np.sqrt(max(ratio, 1e-12))
            v = v - (root - np.sqrt(self.bar)) * 2.0 * root / slope if slope * side > 0.0 else 0.5 * (inside + outside)
        return float(v)
