"""The search for the rotation of a GO-GARCH: by moments, by maximum likelihood, and the moments for its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.coliquidity.margins.result import GARCHResult
from drainstats.models.optimise import minimise
from drainstats.typing import BoolArray, FloatArray

# A search over rotations has ended well when no slope per time step is larger.
GRADIENT = 1e-6


@dataclass(frozen=True, slots=True)
class RotationFit:
    """U (N, N), the margins of f = z U, the largest slope per time step (NaN by moments), fits of margins tried."""

    U: FloatArray
    factors: GARCHResult
    gap: float
    evaluations: int


def planes(N: int) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j: a rotation by a small angle turns factor i towards j."""
    return [(i, j) for i in range(N) for j in range(i + 1, N)]


def turn(N: int, plane: tuple[int, int]) -> FloatArray:
    """Skew J (N, N) of a plane: a small rotation makes f (I + angle J)."""
    J = np.zeros((N, N))
    J[plane], J[plane[::-1]] = 1.0, -1.0
    return J


def fit_factors(spec: GARCH, z: FloatArray, U: FloatArray, index: pd.Index | None = None) -> GARCHResult:
    """Margins of the factors f = z U, named factor1, factor2, ..."""
    names = [f"factor{k + 1}" for k in range(U.shape[1])]
    return spec.fit(pd.DataFrame(z @ U, index=index, columns=names))


def factor_coefficients(factors: GARCHResult) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """alpha (p, N), gamma (o, N), beta (q, N) and shape (S, N) of every factor."""
    spec, N = factors.spec, len(factors.columns)
    table = factors.params.to_numpy().reshape(N, -1).T
    alpha, gamma, beta, shape = np.split(table[1:], np.cumsum([spec.p, spec.o, spec.q]))
    return alpha, gamma, beta, shape


def angle_scores(factors: GARCHResult) -> FloatArray:
    """Slopes of the log-likelihood by time step (T, N (N - 1) / 2) in small rotations of the factors.

    A rotation moves a factor itself and its variance, through the recursion. The variance before the sample is the mean
    square of a factor, which no rotation of white data moves.
    """
    from scipy.signal import lfilter

    from drainstats.kernels.densities import log_densities

    spec, f = factors.spec, factors.y
    law, (T, N) = LAWS[spec.dist], f.shape
    alpha, gamma, beta, shape = factor_coefficients(factors)
    vol, z = factors.volatility_values, factors.std_resid_values
    held = max(spec.p, spec.o, spec.q) if spec.start == "rugarch" else 0
    in_f, in_h = np.empty((T, N)), np.empty((T, N))
    for i in range(N):
        slope = np.empty(T)
        log_densities(law.code, np.ascontiguousarray(z[:, i]), law.constants(shape[:, i]), slope, np.empty((T, 2)))
        in_f[:, i], in_h[:, i] = slope / vol[:, i], -0.5 * (slope * z[:, i] + 1.0) / vol[:, i] ** 2
    out = np.zeros((T, N * (N - 1) // 2))
    for k, (i, j) in enumerate(planes(N)):
        for own, move in ((i, -f[:, j]), (j, f[:, i])):
            news = np.zeros(T)
            for weights, shock in ((alpha, f[:, own]), (gamma, np.minimum(f[:, own], 0.0))):
                for lag, weight in enumerate(weights[:, own], start=1):
                    news[lag:] += 2.0 * weight * (shock * move)[:-lag]
            news[:held] = 0.0
            in_variance = lfilter([1.0], np.concatenate([[1.0], -beta[:, own]]), news)
            out[:, k] += in_f[:, own] * move + in_h[:, own] * in_variance
    return out


def by_moments(z: FloatArray, lags: int) -> FloatArray:
    """U (N, N) that makes the lagged covariances of zz' as diagonal as possible.

    Gamma_k = mean of (z[t] z[t]' - I)(z[t-k] z[t-k]' - I), made symmetric and scaled by Gamma_0^-1/2 on both sides, is
    U diag U' under GO-GARCH (Boswijk and van der Weide, 2011); all lags are diagonalised jointly by plane rotations
    (Cardoso and Souloumiac, 1996, SIAM Journal on Matrix Analysis and Applications 17, 161-164).
    """
    T, N = z.shape
    size = (z**2).sum(axis=1)

    def gamma(k: int) -> FloatArray:
        now, then = z[k:], z[: T - k]
        inner = (now * then).sum(axis=1)
        square = (now * inner[:, None]).T @ then / (T - k)
        out = square - now.T @ now / (T - k) - then.T @ then / (T - k) + np.eye(N)
        return np.asarray(0.5 * (out + out.T))

    zero = (z * size[:, None]).T @ z / T - np.eye(N)
    values, vectors = np.linalg.eigh(zero)
    half = (vectors / np.sqrt(np.maximum(values, 1e-12 * values[-1]))) @ vectors.T
    stack = np.array([half @ gamma(k) @ half for k in range(1, lags + 1)])
    U = vectors
    stack = U.T @ stack @ U
    for _ in range(100):
        largest = 0.0
        for i, j in planes(N):
            pair = np.array([stack[:, i, i] - stack[:, j, j], stack[:, i, j] + stack[:, j, i]])
            products = pair @ pair.T
            on, off = products[0, 0] - products[1, 1], products[0, 1] + products[1, 0]
            angle = 0.5 * np.arctan2(off, on + np.hypot(on, off))
            largest = max(largest, abs(np.sin(angle)))
            G = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            stack[:, :, [i, j]] = stack[:, :, [i, j]] @ G
            stack[:, [i, j]] = G.T @ stack[:, [i, j]]
            U[:, [i, j]] = U[:, [i, j]] @ G
        if largest < 1e-12:
            break
    return np.asarray(U)


def by_likelihood(spec: GARCH, z: FloatArray, starts: list[FloatArray]) -> RotationFit:
    """The rotation (N, N) at which the margins of z U have the highest likelihood, from the best of several starts."""
    best, count, N = None, 0, z.shape[1]
    for U0 in starts:
        objective = _concentrated(spec, z, U0)
        found = minimise(objective, np.zeros(N * (N - 1) // 2), tolerance=0.01 * GRADIENT, limit=100)
        count += found.evaluations
        if best is None or found.value < best[0]:
            best = found.value, U0 @ cayley(found.x, N)[0]
    assert best is not None
    factors = fit_factors(spec, z, best[1])
    gap = float(np.abs(angle_scores(factors).mean(axis=0)).max())
    return RotationFit(best[1], factors, gap, count)


def cayley(x: FloatArray, N: int) -> tuple[FloatArray, FloatArray]:
    """Rotation Q (N, N) = (I + K / 2)(I - K / 2)^-1 with skew K from its upper triangle, and M = (I - K / 2)^-1."""
    K = np.zeros((N, N))
    K[np.triu_indices(N, 1)] = x
    K -= K.T
    M = np.linalg.inv(np.eye(N) - 0.5 * K)
    return np.asarray((np.eye(N) + 0.5 * K) @ M), np.asarray(M)


def _concentrated(spec: GARCH, z: FloatArray, U0: FloatArray) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Loss of rotations near ``U0``, the margins being fitted at each, and its slopes: those at fixed margins."""
    T, N = z.shape
    above = np.triu_indices(N, 1)

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        Q, M = cayley(x, N)
        factors = fit_factors(spec, z, U0 @ Q)
        slopes = np.zeros((N, N))
        slopes[above] = angle_scores(factors).sum(axis=0)
        slopes -= slopes.T
        # Q'dQ = M' dK M, and an entry of K stands twice.
        inside = M @ slopes @ M.T
        return -factors.loglikelihood / T, -inside[above] / T

    return objective


def angles(U: FloatArray) -> FloatArray:
    """Angles (N (N - 1) / 2,) of plane rotations whose product is U, the last column turned round if det U = -1."""
    R = U.copy()
    R[:, -1] *= np.sign(np.linalg.det(R))
    out = []
    for i, j in planes(len(R)):
        angle = np.arctan2(R[j, i], R[i, i])
        c, s = np.cos(angle), np.sin(angle)
        R[[i, j]] = np.array([c * R[i] + s * R[j], c * R[j] - s * R[i]])
        out.append(angle)
    return np.array(out)


def angle_slopes(U: FloatArray) -> FloatArray:
    """Derivatives of `angles` in small rotations of the factors (k, k)."""
    N, step = len(U), 1e-6
    out = []
    for plane in planes(N):
        ends = [angles(U @ cayley(sign * step * turn(N, plane)[np.triu_indices(N, 1)], N)[0]) for sign in (1.0, -1.0)]
        out.append(np.angle(np.exp(1j * (ends[0] - ends[1]))) / (2.0 * step))
    return np.array(out).T


def told_apart(factors: GARCHResult) -> BoolArray:
    """Which planes (k,) have a factor whose variance moves: between two still ones every rotation is as good."""
    alpha, gamma, _, _ = factor_coefficients(factors)
    moves = (alpha > 0.0).any(axis=0) | (gamma != 0.0).any(axis=0)
    return np.array([moves[i] or moves[j] for i, j in planes(len(moves))])


def frame_error(R: FloatArray, U: FloatArray, F: FloatArray) -> FloatArray:
    """How factors move (N, N), to first order, when their second moments are off by F: f goes to f (I + out).

    Data x = D^-1 e have the moments R + d, d = R^1/2 U F U' R^1/2; scales take half of its diagonal, the rest changes
    the root of R. The symmetric part of the answer is -F / 2, the rest turns the frame in which U is measured.
    """
    values, vectors = np.linalg.eigh(R)
    size = np.sqrt(values)
    root = (vectors * size) @ vectors.T
    d = root @ U @ F @ U.T @ root
    scales = 0.5 * np.diag(np.diag(d))
    change = vectors.T @ (d - scales @ R - R @ scales) @ vectors
    # (a^-1/2 - b^-1/2) / (a - b), without a difference that could vanish.
    quotient = -1.0 / (np.outer(size, size) * (size[:, None] + size))
    inverse = vectors @ (quotient * change) @ vectors.T
    return np.asarray(U.T @ (root @ inverse - root @ scales @ np.linalg.inv(root)) @ U)


def moments(factors: GARCHResult, R: FloatArray, U: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimating equations of margins and small rotations: scores (T, K), what whitening adds to them, mean derivative.

    Whitening makes true factors f - m into (f - m)(I + `frame_error`), m and F being errors of their moments. Off the
    diagonal F is a mean of f_i f_j; on it, of the part of f_i^2 that news brings; both are martingale differences, as
    the scores are. Derivatives are central differences of exact scores along such moves of the factors.
    """
    f, K = factors.y, factors.bread.shape[0]
    N = f.shape[1]
    scores = np.concatenate([factors.score_values, angle_scores(factors)], axis=1)
    step = 1e-5

    def slope(move: FloatArray) -> FloatArray:
        ends = []
        for sign in (1.0, -1.0):
            moved = factors.filter(pd.DataFrame(f + sign * step * move, columns=factors.columns))
            ends.append(np.concatenate([moved.score_values.mean(axis=0), angle_scores(moved).mean(axis=0)]))
        return np.asarray((ends[0] - ends[1]) / (2.0 * step))

    k = N * (N - 1) // 2
    bread = np.zeros((K + k, K + k))
    bread[:K, :K] = factors.bread
    for column, plane in enumerate(planes(N)):
        bread[:, K + column] = slope(f @ turn(N, plane))
    bread[K:, :K] = bread[:K, K:].T
    bread[K:, K:] = 0.5 * (bread[K:, K:] + bread[K:, K:].T)
    noise = np.zeros_like(scores)
    for weight, move in _whitening(factors, R, U):
        noise += np.outer(weight, slope(move))
    return scores, noise, bread


def _whitening(factors: GARCHResult, R: FloatArray, U: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Sampling errors of the whitening: what each time step adds to one (T,), and how it moves the factors (T, N)."""
    f, h = factors.y, factors.volatility_values**2
    T, N = f.shape
    alpha, gamma, beta, _ = factor_coefficients(factors)
    calm = 1.0 - beta.sum(axis=0)
    share = calm / np.maximum(calm - alpha.sum(axis=0) - 0.5 * gamma.sum(axis=0), 1e-4)
    for i in range(N):
        shift = np.zeros((T, N))
        shift[:, i] = -1.0
        yield f[:, i], shift
        for j in range(i + 1):
            F = np.zeros((N, N))
            F[i, j] = F[j, i] = 1.0
            error = share[i] * (f[:, i] ** 2 - h[:, i]) if i == j else f[:, i] * f[:, j]
            yield error, f @ frame_error(R, U, F)
