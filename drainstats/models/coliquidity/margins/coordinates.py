"""Where the search for a margin moves: free coordinates, and the same parameters in pieces that have bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.margins.data import Sample
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.optimise import coordinates_of, stationarity_gap, weights_from
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.margins.garch import GARCH

# Persistence and the share of it that news takes: usual, slow, lively, nervous, nearly integrated, nearly absent.
GARCH_GRID = ((0.95, 0.08), (0.99, 0.04), (0.90, 0.15), (0.75, 0.40), (0.98, 0.20), (0.40, 0.50))
# Sum of beta and of alpha in logs.
EGARCH_GRID = ((0.95, 0.15), (0.98, 0.10), (0.90, 0.25), (0.70, 0.40), (0.99, 0.20), (0.40, 0.30))


def weight_map(spec: GARCH) -> FloatArray:
    """Coefficients [alpha, gamma, beta] = M weights, where the weights are non-negative and sum to the persistence.

    A lag with both alpha and gamma has two weights: half the response to a rise, half the response to a fall. In logs
    only beta is bounded.
    """
    p, o, q = spec.p, spec.o, spec.q
    if spec.exponential:
        return np.eye(q)
    both = min(p, o)
    out = np.zeros((p + o + q, p + o + q))
    for i in range(p):
        out[i, i] = 2.0 if i < both else 1.0
        if i < both:
            out[p + i, i] = -2.0
    for i in range(o):
        out[p + i, p + i] = 2.0
    out[p + o :, p + o :] = np.eye(q)
    return out


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parameters taken apart: mean (M,) in turned coordinates, omega, unbounded ones (L,), loads (B,) of 0 or more,
    weights (W,) of 0 or more with a bounded sum, shape (S,).
    """

    mean: FloatArray
    omega: float
    loose: FloatArray
    loads: FloatArray
    weights: FloatArray
    shape: FloatArray


class Coordinates:
    """u = turned mean, log of the unconditional variance, loose ones, log loads, weights, shape, all free ↔ theta.

    The mean is turned and scaled so that its regressors are uncorrelated with mean square one: units, location and
    correlation of the regressors do not matter. ``spread`` is the standard deviation of the residuals.
    """

    def __init__(self, spec: GARCH, sample: Sample, spread: float) -> None:
        p, o, q = spec.p, spec.o, spec.q
        M, V = sample.X.shape[1], sample.W.shape[1]
        self.exponential, self.limit, self.news = spec.exponential, spec.max_persistence, p + o
        self.grid = EGARCH_GRID if spec.exponential else GARCH_GRID
        self.map, self.law, self.spread, self.M = weight_map(spec), LAWS[spec.dist], spread, M
        self.turn = _turn(sample, spread)
        first, last = M + 1, M + 1 + p + o + q
        self.fading = 0.7 ** np.concatenate([np.arange(p), np.arange(o), np.arange(q)])
        outer = np.arange(last, last + V)
        self.loads = outer[:0] if spec.exponential else outer
        self.loose = np.concatenate([np.arange(first, first + p + o), outer]) if spec.exponential else outer[:0]
        self.coefficients = np.arange(last - len(self.map), last)
        self.K = last + V + len(self.law.names)
        self.p = p

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Ends of the loose ones, the loads and the weights within u."""
        a = self.M + 1 + len(self.loose)
        return a, a + len(self.loads), a + len(self.loads) + len(self.map)

    def _weights(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        return weights_from(u, self.limit) if len(u) else (np.empty(0), np.empty((0, 0)))

    def theta(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Parameters (K,) at coordinates ``u``, and their derivatives (K, K)."""
        M, (a, b, c) = self.M, self.sizes
        weights, slope = self._weights(u[b:c])
        shape, bend = self.law.shape(u[c:])
        calm = 1.0 - weights.sum()
        level = u[M] + 2.0 * np.log(self.spread) if self.exponential else np.exp(u[M])
        theta, jacobian = np.zeros(self.K), np.zeros((self.K, self.K))
        theta[:M], jacobian[:M, :M] = self.turn @ u[:M], self.turn
        theta[M], jacobian[M, M] = level * calm, calm if self.exponential else level * calm
        jacobian[M, b:c] = -level * slope.sum(axis=0)
        theta[self.loose], jacobian[self.loose, np.arange(M + 1, a)] = u[M + 1 : a], 1.0
        theta[self.loads] = jacobian[self.loads, np.arange(a, b)] = np.exp(u[a:b])
        theta[self.coefficients] = self.map @ weights
        jacobian[np.ix_(self.coefficients, np.arange(b, c))] = self.map @ slope
        theta[self.K - len(shape) :] = shape
        jacobian[np.arange(c, self.K), np.arange(c, self.K)] = bend
        return theta, jacobian

    def pieces(self, u: FloatArray) -> Pieces:
        """The parameters at coordinates ``u`` in pieces."""
        M, (a, b, c) = self.M, self.sizes
        theta = self.theta(u)[0]
        return Pieces(u[:M], float(theta[M]), u[M + 1 : a], np.exp(u[a:b]), self._weights(u[b:c])[0], theta[c:])

    def join(self, pieces: Pieces) -> FloatArray:
        """Parameters (K,) of ``pieces``."""
        theta = np.empty(self.K)
        theta[: self.M], theta[self.M] = self.turn @ pieces.mean, pieces.omega
        theta[self.loose], theta[self.loads] = pieces.loose, pieces.loads
        theta[self.coefficients] = self.map @ pieces.weights
        theta[self.K - len(pieces.shape) :] = pieces.shape
        return theta

    def slopes(self, slope: FloatArray) -> Pieces:
        """Slopes (K,) in the parameters, turned into slopes in the pieces."""
        S = len(self.law.names)
        return Pieces(
            self.turn.T @ slope[: self.M], float(slope[self.M]), slope[self.loose], slope[self.loads],
            self.map.T @ slope[self.coefficients], slope[self.K - S :],
        )  # fmt: skip

    def gap(self, pieces: Pieces, slope: FloatArray) -> float:
        """What a first-order step could still gain, ``slope`` (K,) being that of the loss."""
        s = self.slopes(slope)
        omega = abs(s.omega) if self.exponential else abs(s.omega * pieces.omega)
        loads = np.maximum(s.loads * pieces.loads, -s.loads * (pieces.loads + 0.1)).sum()
        bounded = stationarity_gap(pieces.weights, s.weights, self.limit) if len(pieces.weights) else 0.0
        free = np.abs(s.mean).sum() + np.abs(s.loose).sum()
        return float(bounded + loads + free + omega + self.law.gap(pieces.shape, s.shape))

    def start(self, persistence: float, share: float, mean: FloatArray) -> FloatArray:
        """Coordinates of a start: this persistence, this share of it in the shocks, weights that fade with the lag."""
        fading, news = self.fading, self.news
        loose, weights = np.zeros(len(self.loose)), fading.copy()
        weights[:news] *= share / fading[:news].sum()
        if len(fading) > news:
            weights[news:] *= (1.0 - share) / fading[news:].sum()
        if self.exponential:
            loose[: self.p] = weights[: self.p]
            weights = weights[news:]
        if len(weights):
            weights *= min(persistence, 0.999 * self.limit) / weights.sum()
            weights = coordinates_of(weights, self.limit)
        shape = self.law.free(np.array(self.law.start))
        loads = np.full(len(self.loads), np.log(0.05 * (1.0 - persistence)))
        return np.concatenate([mean, [0.0], loose, loads, weights, shape])


def _turn(sample: Sample, spread: float) -> FloatArray:
    """(M, M): the mean's parameters per unit of turned coordinates."""
    M = sample.X.shape[1]
    if M == 0:
        return np.empty((0, 0))
    r = np.linalg.qr(sample.X, mode="r")
    r = r * np.sign(np.diag(r))[:, None]
    return np.asarray(spread * np.sqrt(sample.rows) * np.linalg.inv(r))
