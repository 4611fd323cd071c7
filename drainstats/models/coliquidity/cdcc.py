"""cDCC: the DCC recursion with shocks rescaled so that its target is a moment of the data.

    Q[t] = (1 - sum a - sum b) S + sum_i a_i z*[t-i] z*[t-i]' + sum_j b_j Q[t-j],   z*[t] = diag(Q[t])^1/2 z[t]
    R[t] = diag(Q[t])^-1/2 Q[t] diag(Q[t])^-1/2

Given the past, z* has the covariance Q, so E[z* z*'] = S and forecasts of Q are exact; in DCC neither holds. The
diagonal of Q needs (a, b) only, so that the target is S(a, b) = sum_t z* z*', scaled to a unit diagonal, at every
(a, b) that the search tries. Aielli (2013), Journal of Business & Economic Statistics 31, 282-299.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc import Recursion, pull_correlation
from drainstats.models.coliquidity.dcc_passes import Moves, Pass, Weights, run
from drainstats.models.coliquidity.margins import GARCHResult
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc_search import CorrelationFit


@dataclass(frozen=True)
class CDCC(Recursion):
    """cDCC(P, Q), the consistent variant of DCC.

    Before the sample Q and z* z*' equal S. The result is a `DCCResult`; its ``target`` is S at the estimates. Standard
    errors count that S moves with (a, b) and, as in DCC, with the margins; the sampling error of its own moments is not
    stacked.

    Parameters
    ----------
    order : (int, int), default (1, 1)
        Lags of shocks (a) and of Q (b).
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal"}, default "normal"

    Examples
    --------
    >>> import numpy as np
    >>> from drainstats.models.coliquidity.margins import GARCH
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
        shocks = self.shocks(z, psi)
        return to_correlation(shocks.T @ shocks / len(z))

    def search(self, z: FloatArray) -> CorrelationFit:
        """Maximise the correlation likelihood of residuals (T, N), the target following (a, b)."""
        from drainstats.models.coliquidity.dcc_search import Problem, search

        few = np.unique(np.linspace(0, z.shape[1] - 1, min(z.shape[1], 6)).astype(int))

        def quick(psi: FloatArray) -> float:
            return -float(_value(z[:, few], _concentrated(self, z[:, few], psi, scores=False)).sum())

        def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
            one = _concentrated(self, z, psi)
            return _value(z, one), one.scores

        return search(Problem(self.parameter_names, self.sizes, np.ones(sum(self.sizes)), evaluate, quick))

    def moments(
        self, margins: GARCHResult, target: FloatArray, psi: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Scores of psi (T, k), their mean derivative in the margins (k, N K) and in psi (k, k)."""
        from drainstats.models.coliquidity.dcc_search import mean_slopes

        z = margins.std_resid_values
        scores = _concentrated(self, z, psi).scores

        def gradient(at: FloatArray) -> tuple[FloatArray, FloatArray]:
            one = _concentrated(self, z, at, slopes=True)
            return one.scores.sum(axis=0), margins.pull_back(_pull(self, z, at, one))

        return scores, *mean_slopes(gradient, psi, len(z))


def _scales(z: FloatArray, weights: Weights, derive: bool) -> tuple[FloatArray, FloatArray]:
    """The diagonal of Q (T, N) and its derivatives in psi (k, T, N), or no rows of them."""
    from drainstats.kernels import cdcc as kernels

    z = np.ascontiguousarray(z)
    q, dq = np.empty(z.shape), np.empty((len(weights) * derive, *z.shape))
    kernels.scale_path(z, weights.a, weights.b, q, dq)
    return q, dq


def _value(z: FloatArray, one: Pass) -> FloatArray:
    """Correlation log-likelihood by time step (T,)."""
    return np.asarray(one.logdet - 0.5 * (one.quadratic - (z**2).sum(axis=1)))


def _concentrated(spec: CDCC, z: FloatArray, psi: FloatArray, scores: bool = True, slopes: bool = False) -> Pass:
    """A pass at the target that belongs to ``psi``; the scores count that shocks and target move with it."""
    weights = spec.weights(psi)
    q, dq = _scales(z, weights, scores)
    shocks = np.sqrt(q) * z
    second = shocks.T @ shocks / len(z)
    target = to_correlation(second)
    moves = None
    if scores:
        in_shocks = 0.5 * dq * shocks / q
        half = np.einsum("kti,tj->kij", in_shocks, shocks, optimize=True) / len(z)
        in_second = half + half.transpose(0, 2, 1)
        size = np.sqrt(np.diag(second))
        own = 0.5 * np.diagonal(in_second, axis1=1, axis2=2) / np.diag(second)
        in_target = in_second / np.outer(size, size) - target * (own[:, :, None] + own[:, None, :])
        moves = Moves(in_shocks, in_target)
    return run(z, shocks, target, target, weights, scores=scores, slopes=slopes, moves=moves)


def _pull(spec: CDCC, z: FloatArray, psi: FloatArray, one: Pass) -> FloatArray:
    """Derivative of the log-likelihood in the residuals (T, N): through R, the shocks, their scales and the target."""
    from drainstats.kernels import cdcc as scales
    from drainstats.kernels import dcc as recursion

    weights, N = spec.weights(psi), z.shape[1]
    q = _scales(z, weights, False)[0]
    shocks = np.sqrt(q) * z
    in_shocks, in_target, in_before = np.zeros(z.shape), np.zeros((2, N, N)), np.zeros((2, N, N))
    recursion.dcc_adjoint(shocks, weights.a, weights.b, weights.g, one.slopes, in_shocks, in_target, in_before)
    target = to_correlation(shocks.T @ shocks / len(z))
    in_shocks += pull_correlation(shocks, target, in_target[0] + in_before[0])
    in_z = one.direct + z + np.sqrt(q) * in_shocks
    scales.scale_adjoint(z, weights.a, weights.b, q, 0.5 * in_shocks * shocks / q, in_z)
    return in_z
