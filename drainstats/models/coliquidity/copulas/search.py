"""The likelihood of a copula with DCC correlations, the search for its parameters, and what its errors need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.copulas.pit import Areas, log_density, quantiles
from drainstats.models.coliquidity.dcc.passes import Pass, run_law
from drainstats.models.coliquidity.dcc.search import CorrelationFit, Problem, search
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.engle import DCC


@dataclass(frozen=True, slots=True)
class State:
    """What a likelihood stands on: copula scores x (T, N), their target S (N, N), products before the sample (N, N)."""

    x: FloatArray
    target: FloatArray
    before: FloatArray


def state_at(spec: DCC, at: Areas, psi: FloatArray) -> State:
    """Scores and target at parameters psi: under the t both move with its degrees of freedom."""
    x = quantiles(spec.dist, at, spec.shape(psi))
    target = spec.target_at(x, psi)
    return State(x, target, spec.before(x, target, False))


def likelihood(
    spec: DCC, state: State, psi: FloatArray, scores: bool = False, slopes: bool = False
) -> tuple[FloatArray, Pass]:
    """Log density of the copula by time step (T,), and the pass over the scores.

    log c = -log|R| / 2 + radial(x'R^-1 x; N) - sum_i radial(x_i^2; 1), whatever the elliptical law.
    """
    law, shape, x = spec.law, spec.shape(psi), state.x
    value, one = run_law(
        law, shape, x, x, state.target, state.before, spec.weights(psi), scores, slopes,
        start=spec.start(state.target, state.before),
    )  # fmt: skip
    alone = law.radial((x**2).ravel(), 1, shape).reshape(x.shape)
    return value - (alone + 0.5 * x**2).sum(axis=1), one


def _moved(spec: DCC, psi: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
    """psi with the degrees of freedom a little higher and a little lower."""
    step = np.zeros(len(psi))
    step[-1] = width * psi[-1]
    return psi + step, psi - step


def rows(spec: DCC, at: Areas, psi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log density (T,) and scores (T, k).

    The score of the degrees of freedom is a central difference of the rows with quantiles, target and density moved
    along: exact to eight digits.
    """
    value, one = likelihood(spec, state_at(spec, at, psi), psi, scores=True)
    if spec.dist == "normal":
        return value, one.scores
    ahead, behind = _moved(spec, psi, 1e-4)
    high, low = (likelihood(spec, state_at(spec, at, p), p)[0] for p in (ahead, behind))
    scores = one.scores.copy()
    scores[:, -1] = (high - low) / (ahead[-1] - behind[-1])
    return value, scores


def fit_copula(spec: DCC, at: Areas) -> CorrelationFit:
    """Maximise the copula likelihood in a, b and the degrees of freedom together."""
    few = np.unique(np.linspace(0, at.area.shape[1] - 1, min(at.area.shape[1], 6)).astype(int))
    some = Areas(at.area[:, few], at.upper[:, few])

    def quick(psi: FloatArray) -> float:
        return -float(likelihood(spec, state_at(spec, some, psi), psi)[0].sum())

    def evaluate(psi: FloatArray) -> tuple[FloatArray, FloatArray]:
        with np.errstate(over="ignore", invalid="ignore"):
            return rows(spec, at, psi)

    costs = np.ones(sum(spec.sizes))
    return search(Problem(spec.parameter_names, spec.sizes, costs, evaluate, quick, spec.law.shape))


@dataclass(frozen=True, slots=True)
class Slopes:
    """First derivatives of the log-likelihood.

    in_weights (P + Q,): sums of scores; value: the log-likelihood; in_u (T, N): in the probabilities, through scores,
    shocks and target; by_target (T,): what each row's products add through the target.
    """

    in_weights: FloatArray
    value: float
    in_u: FloatArray
    by_target: FloatArray

    def less(self, other: Slopes, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Differences over a width: of the sums of scores, in the probabilities, by the rows of the target."""
        return (
            (self.in_weights - other.in_weights) / width,
            (self.in_u - other.in_u) / width,
            (self.by_target - other.by_target) / width,
        )


def _slopes(spec: DCC, at: Areas, psi: FloatArray) -> Slopes:
    from drainstats.kernels import dcc as kernels

    state, weights, N = state_at(spec, at, psi), spec.weights(psi), at.area.shape[1]
    value, one = likelihood(spec, state, psi, scores=True, slopes=True)
    x, shape = state.x, spec.shape(psi)
    in_x, in_targets, in_before = one.direct.copy(), np.zeros((2, N, N)), np.zeros((3, N, N))
    kernels.dcc_adjoint(x, weights.a, weights.b, weights.g, one.slopes, in_x, in_targets, in_before)
    through, by_target = spec.pull_start(x, state.target, in_targets, in_before)
    in_x += through
    # What the margins of the copula take back: weight * x, after the x of the normal margins that `direct` counts.
    in_x += (spec.law.weight((x**2).ravel(), 1, shape).reshape(x.shape) - 1.0) * x
    in_u = in_x / np.exp(log_density(spec.dist, x, shape))
    return Slopes(one.scores[:, : len(weights)].sum(axis=0), float(value.sum()), in_u, by_target)


def moments(spec: DCC, at: Areas, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What the errors need.

    Scores (T, k); derivatives of their sums in the probabilities (k, T, N); their mean derivatives in psi (k, k); what
    the sampling error of the target adds to them (T, k).
    """
    T, k, K = len(at.area), len(psi), sum(spec.sizes)
    room = np.minimum(psi[:K], 1.0 - psi[:K].sum())
    cross, inner, noise = np.empty((k, *at.area.shape)), np.zeros((k, k)), np.empty((T, k))
    for i, width in enumerate(1e-5 * np.maximum(room, 1e-2)):
        step = width * np.eye(k)[i]
        ahead, behind = _slopes(spec, at, psi + step), _slopes(spec, at, psi - step)
        inner[:K, i], cross[i], noise[:, i] = ahead.less(behind, 2.0 * width)
    if k > K:
        high, low = _moved(spec, psi, 1e-3)
        width = high[-1] - low[-1]
        ahead, behind = _slopes(spec, at, high), _slopes(spec, at, low)
        inner[:K, K], cross[K], noise[:, K] = ahead.less(behind, width)
        middle = float(likelihood(spec, state_at(spec, at, psi), psi)[0].sum())
        inner[K, :K] = inner[:K, K]
        inner[K, K] = (ahead.value - 2.0 * middle + behind.value) / (0.25 * width**2)
    inner[:K, :K] = 0.5 * (inner[:K, :K] + inner[:K, :K].T)
    return rows(spec, at, psi)[1], cross, inner / T, noise / T


def noise_of_ranks(at: Areas, cross: FloatArray) -> FloatArray:
    """What the estimation of the margins by ranks adds to the scores (T, k).

    sum_i mean_s (d score / d u_si) (1[u_ti <= u_si] - u_si): Genest, Ghoudi and Rivest (1995), Biometrika 82, 543-552.
    """
    T, N = at.area.shape
    u, out = at.u, np.zeros((T, len(cross)))
    for i in range(N):
        order = np.argsort(u[:, i], kind="stable")
        pull = cross[:, order, i]
        above = np.cumsum(pull[:, ::-1], axis=1)[:, ::-1]
        # Tied values count from the first of them on.
        first = np.searchsorted(u[order, i], u[order, i], side="left")
        out[order] += (above[:, first] - (pull * u[order, i]).sum(axis=1)[:, None]).T / T
    return out
