"""cDCC: the DCC recursion with shocks rescaled so that its target is a moment of the data.

    Q[t] = (1 - sum a - sum b) S + sum_i a_i z*[t-i] z*[t-i]' + sum_j b_j Q[t-j],   z*[t] = diag(Q[t])^1/2 z[t]
    R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2

Given the past, z* has the covariance Q, so E[z* z*'] = S and forecasts of Q are exact; in DCC neither holds. The
diagonal of Q needs (a, b) only, so that the target is S(a, b) = sum_t z* z*', scaled to a unit diagonal, at every
(a, b) that the search tries. Aielli (2013), Journal of Business & Economic Statistics 31, 282-299.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc import targets
from drainstats.models.coliquidity.dcc.passes import Moves, Pass, Weights, run_law
from drainstats.models.coliquidity.dcc.recursion import Targeted
from drainstats.models.coliquidity.inference import by_step
from drainstats.models.coliquidity.margins.garch import GARCHResult
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import CorrelationFit, Problem

# Searches at a target that is shrunk at the estimates of the one before; it hardly depends on them.
ROUNDS = 10


@dataclass(frozen=True)
class CDCC(Targeted):
    """cDCC(P, Q), the consistent variant of DCC.

    Before the sample Q and z* z*' equal S. The result is a `DCCResult`; its ``target`` is S at the estimates. Standard
    errors count that S moves with (a, b) and, as in DCC, with the margins, and its own sampling error. A target that is
    shrunk or given is held fixed in them.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal", "t", "laplace"}, default "normal"
        Joint law of the shocks, as in `DCC`.
    target : {"auto", "sample", "linear", "nonlinear"} or (N, N) matrix, default "auto"
        S, as in `DCC`. What is shrunk is the correlation of z* at the estimates, found by searching and shrinking in
        turn until the estimates stay.

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins.garch import GARCH
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = CDCC(margins=GARCH(mean="zero")).fit(y)
    >>> list(res.params.index[-2:])
    ['a1', 'b1']
    """

    def shocks(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """Rescaled residuals z* (T, N); row t needs rows before t for its scale."""
        return np.asarray(np.sqrt(_scales(z, self.weights(psi), False)[0]) * z)

    def shock(self, q: FloatArray, z: FloatArray) -> FloatArray:
        """One step's rescaled residuals (N,)."""
        return np.asarray(np.sqrt(np.diag(q)) * z)

    def target_at(self, z: FloatArray, psi: FloatArray) -> FloatArray:
        """S(a, b) from residuals (T, N)."""
        return targets.find(self.target, self.shocks(z, psi), "correlation")

    def search(self, z: FloatArray, guess: FloatArray | None = None) -> CorrelationFit:
        """Maximise the correlation likelihood of residuals (T, N), the target following (a, b)."""
        from drainstats.models.coliquidity.dcc.search import search

        way = targets.how(self.target, *z.shape)
        target = self.target_at(z, np.zeros(len(self.parameter_names)))
        found = search(replace(self.problem(z, target), guess=guess))
        for _ in range(0 if way in ("sample", "given") else ROUNDS):
            last, found = found, search(self.problem(z, self.target_at(z, found.psi)))
            if np.abs(found.psi - last.psi).max() < 1e-7:
                break
        return replace(found, notes=(*targets.notes(self.target, *z.shape), *found.notes))

    def problem(self, z: FloatArray, target: FloatArray) -> Problem:
        """What one search maximises: the correlation likelihood of residuals (T, N).

        A ``target`` (N, N) that is shrunk or given is held; that of the sample follows psi.
        """
        from drainstats.models.coliquidity.dcc.search import Problem

        held = None if targets.how(self.target, *z.shape) == "sample" else target
        few = np.unique(np.linspace(0, z.shape[1] - 1, min(z.shape[1], 6)).astype(int))
        part = None if held is None else held[np.ix_(few, few)]

        def quick(psi: FloatArray) -> float:
            return -float(_concentrated(self, z[:, few], psi, part, scores=False)[0].sum())

        def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
            value, one = _concentrated(self, z, psi, held)
            return value, one.scores

        costs = np.ones(sum(self.sizes))
        return Problem(self.parameter_names, self.sizes, costs, evaluate, quick, self.law.shape)

    def moments(self, margins: GARCHResult, target: FloatArray, psi: FloatArray) -> tuple[FloatArray, ...]:
        """Scores of psi (T, k), their mean derivative in margins (k, N K) and psi (k, k), the target's noise (T, k)."""
        from drainstats.models.coliquidity.dcc.search import mean_slopes

        z = margins.std_resid_values
        held = None if targets.how(self.target, *z.shape) == "sample" else target

        def at(point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            one = _concentrated(self, z, point, held, slopes=True)[1]
            in_z, noise = _pull(self, z, point, one, held)
            return one.scores, margins.pull_back(in_z), noise

        def gradient(point: FloatArray) -> tuple[FloatArray, ...]:
            scores, *rest = at(point)
            return (scores.sum(axis=0), *rest)

        scores, *rest = at(psi)
        here = (scores.sum(axis=0), *rest)
        return scores, *mean_slopes(gradient, psi, len(z), here, len(self.shape(psi)))


def _scales(z: FloatArray, weights: Weights, derive: bool) -> tuple[FloatArray, FloatArray]:
    """The diagonal of Q (T, N) and its derivatives in psi (k, T, N), or no rows of them."""
    from drainstats.kernels import cdcc as kernels

    z = np.ascontiguousarray(z)
    q, dq = np.empty(z.shape), np.empty((len(weights) * derive, *z.shape))
    kernels.scale_path(z, weights.a, weights.b, q, dq)
    return q, dq


def _concentrated(
    spec: CDCC,
    z: FloatArray,
    psi: FloatArray,
    held: FloatArray | None = None,
    scores: bool = True,
    slopes: bool = False,
) -> tuple[FloatArray, Pass]:
    """Log-likelihood (T,) and pass at the target that belongs to ``psi``, or at a held one (N, N).

    The scores count that shocks and, unless it is held, target move with psi.
    """
    weights, shape = spec.weights(psi), spec.shape(psi)
    q, dq = _scales(z, weights, scores)
    shocks = np.sqrt(q) * z
    second = shocks.T @ shocks / len(z)
    target = to_correlation(second) if held is None else held
    moves = None
    if scores:
        in_shocks = 0.5 * dq * shocks / q
        in_target = np.zeros((len(dq), *target.shape)) if held is not None else _target_moves(shocks, second, in_shocks)
        moves = Moves(in_shocks, in_target)
    return run_law(spec.law, shape, z, shocks, target, target, weights, scores, slopes, moves)


def _target_moves(shocks: FloatArray, second: FloatArray, in_shocks: FloatArray) -> FloatArray:
    """How the scaled second moments of shocks (T, N) move with psi (k, N, N)."""
    half = np.einsum("kti,tj->kij", in_shocks, shocks, optimize=True) / len(shocks)
    in_second = half + half.transpose(0, 2, 1)
    size = np.sqrt(np.diag(second))
    own = 0.5 * np.diagonal(in_second, axis1=1, axis2=2) / np.diag(second)
    return in_second / np.outer(size, size) - to_correlation(second) * (own[:, :, None] + own[:, None, :])


def _pull(
    spec: CDCC, z: FloatArray, psi: FloatArray, one: Pass, held: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of the log-likelihood in the residuals (T, N) and in each step's products in the target (T,).

    The first runs through R, the shocks, their scales and the target.
    """
    from drainstats.kernels import cdcc as scales
    from drainstats.kernels import dcc as recursion

    weights, N = spec.weights(psi), z.shape[1]
    q = _scales(z, weights, False)[0]
    shocks = np.sqrt(q) * z
    in_shocks, in_target, in_before = np.zeros(z.shape), np.zeros((2, N, N)), np.zeros((3, N, N))
    recursion.dcc_adjoint(shocks, weights.a, weights.b, weights.g, one.slopes, in_shocks, in_target, in_before)
    through = np.zeros(z.shape)
    if held is None:
        target = to_correlation(shocks.T @ shocks / len(z))
        through = targets.pull_correlation(shocks, target, in_target[0] + in_before[0] + in_before[2])
    in_shocks += through
    in_z = one.direct + np.sqrt(q) * in_shocks
    scales.scale_adjoint(z, weights.a, weights.b, q, 0.5 * in_shocks * shocks / q, in_z)
    return in_z, by_step(shocks, through)
