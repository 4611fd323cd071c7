"""A BEKK on its data: parameters, path, likelihood and exact derivatives, all on packed lower triangles (T, M)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from drainstats.models.coliquidity.covariances.bekk_paths import Coefficients, decay, lagged
from drainstats.models.coliquidity.covariances.marginals import symmetric_root
from drainstats.models.coliquidity.margins.laws import LOG_TWO_PI
from drainstats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.covariances.bekk import BEKK

# C keeps at least FLOOR of S in every direction: for a scalar model persistence stays below 1 - FLOOR.
FLOOR = 1e-4
LANES = 8


@dataclass(frozen=True, slots=True)
class Pieces:
    """psi taken apart: ``a``, ``b``, ``g`` (N,), ``root`` (N, N) of the intercept or None, ``nu`` (0: normal)."""

    a: FloatArray
    b: FloatArray
    g: FloatArray
    root: FloatArray | None
    nu: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One pass: value (T,); scores (T, K) of psi; in_H (T, M) = d loglik / dH, packed; in_e (T, N) at fixed H."""

    value: FloatArray
    H: FloatArray
    scores: FloatArray
    in_H: FloatArray
    in_e: FloatArray


@dataclass(frozen=True)
class Problem:
    """A spec with standardised residuals ``e`` (T, N)."""

    spec: BEKK
    e: FloatArray

    @property
    def N(self) -> int:
        """Number of assets."""
        return self.e.shape[1]

    @cached_property
    def lower(self) -> tuple[IntArray, IntArray]:
        """Rows and columns of packed entries (M,)."""
        rows, columns = np.tril_indices(self.N)
        return rows, columns

    @cached_property
    def twice(self) -> FloatArray:
        """How often a packed entry stands in the matrix (M,)."""
        return np.where(self.lower[0] == self.lower[1], 1.0, 2.0)

    @cached_property
    def news(self) -> FloatArray:
        """ee' (T, M)."""
        i, j = self.lower
        return np.asarray(self.e[:, i] * self.e[:, j])

    @cached_property
    def falls(self) -> FloatArray:
        """nn' (T, M), n = min(e, 0); without rows unless the model is asymmetric."""
        i, j = self.lower
        down = np.minimum(self.e, 0.0) if self.spec.asymmetric else np.zeros((0, self.N))
        return np.asarray(down[:, i] * down[:, j])

    @cached_property
    def targets(self) -> tuple[FloatArray, FloatArray]:
        """S and the mean of nn', packed."""
        falls = self.falls.mean(axis=0) if len(self.falls) else np.zeros(len(self.twice))
        return self.news.mean(axis=0), falls

    @cached_property
    def early(self) -> tuple[FloatArray, FloatArray]:
        """ee' and nn' before the sample; H before it equals the former."""
        if self.spec.start == "sample":
            return self.targets
        rows = min(75, len(self.e))
        weights = 0.94 ** np.arange(rows)
        weights /= weights.sum()
        return weights @ self.news[:rows], weights @ self.falls[:rows] if len(self.falls) else self.targets[1]

    def square(self, packed: FloatArray) -> FloatArray:
        """A packed triangle as a symmetric matrix."""
        out = np.empty((self.N, self.N))
        i, j = self.lower
        out[i, j] = out[j, i] = packed
        return out

    # psi = a, b, [g], [root of the intercept], [nu] ------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many a."""
        return 1 if self.spec.kind == "scalar" else self.N

    @property
    def parts(self) -> list[int]:
        """Where psi is cut: after a, b, g and the root."""
        k = self.width
        return [
            int(c) for c in np.cumsum([k, k, k * self.spec.asymmetric, len(self.twice) * (not self.spec.targeting)])
        ]

    def pieces(self, psi: FloatArray) -> Pieces:
        """Take psi apart."""
        a, b, g, root, nu = np.split(psi, self.parts)
        full = None
        if len(root):
            full = np.zeros((self.N, self.N))
            full[self.lower] = root
        a, b, g = (np.broadcast_to(w, (self.N,)) if len(w) else np.zeros(self.N) for w in (a, b, g))
        return Pieces(a, b, g, full, float(nu[0]) if len(nu) else 0.0)

    def products(self, w: FloatArray) -> FloatArray:
        """w_i w_j (M,)."""
        i, j = self.lower
        return np.asarray(w[i] * w[j])

    def spread(self, w: FloatArray) -> FloatArray:
        """Derivative of `products` (M, k) in the k free entries of w."""
        i, j = self.lower
        out = np.zeros((len(i), self.N))
        rows = np.arange(len(i))
        out[rows, i] += w[j]
        out[rows, j] += w[i]
        return out.sum(axis=1, keepdims=True) if self.width == 1 else out

    def intercept(self, p: Pieces) -> FloatArray:
        """C (M,)."""
        if p.root is not None:
            return np.asarray((p.root @ p.root.T)[self.lower])
        S, falls = self.targets
        return np.asarray(S * (1.0 - self.products(p.a) - self.products(p.b)) - falls * self.products(p.g))

    def spread_root(self, root: FloatArray) -> FloatArray:
        """Derivative of L L' (M, M) in the entries of L."""
        (i, j), M = self.lower, len(self.twice)
        out = np.zeros((M, M))
        for m, (r, c) in enumerate(zip(i, j, strict=True)):
            out[:, m] = (i == r) * root[j, c] + (j == r) * root[i, c]
        return out

    def path(self, p: Pieces) -> FloatArray:
        """H (T, M)."""
        news, falls = self.early
        drive = self.intercept(p) + self.products(p.a) * lagged(self.news, news)
        if len(self.falls):
            drive += self.products(p.g) * lagged(self.falls, falls)
        weight = self.products(p.b)
        drive[0] += weight * news
        return decay(drive, weight)

    def evaluate(self, psi: FloatArray, scores: bool = True) -> Evaluation:
        """One pass over the sample."""
        p = self.pieces(psi)
        H = self.path(p)
        value, in_H, in_e, in_nu = likelihood(self.e, H, p.nu, scores)
        if not scores:
            return Evaluation(value, H, np.empty((0, len(psi))), in_H, in_e)
        weight, (news, falls) = self.products(p.b), self.early
        moves = [lagged(self.news, news), lagged(H, news)] + [lagged(self.falls, falls)] * self.spec.asymmetric
        if p.root is None:
            S, N = self.targets
            moves = [x - target for x, target in zip(moves, (S, S, N), strict=False)]
        ways = [self.spread(w) for w in (p.a, p.b, p.g)[: len(moves)]]
        if p.root is not None:
            moves.append(np.ones_like(H))
            ways.append(self.spread_root(p.root))
        out = np.concatenate([(in_H * decay(x, weight)) @ way for x, way in zip(moves, ways, strict=True)], axis=1)
        if p.nu:
            out = np.column_stack([out, in_nu])
        return Evaluation(value, H, out, in_H, in_e)

    def room(self, p: Pieces) -> tuple[FloatArray, FloatArray]:
        """What must stay positive: eigenvalues of C relative to S less a floor, or the slack of each variance.

        Returns
        -------
        room (N,), and for each its derivative (N, K) in psi.
        """
        parts = (p.a, p.b, p.g)[: 3 if self.spec.asymmetric else 2]
        if p.root is None:
            half = self._whitening
            values, vectors = np.linalg.eigh(half @ self.square(self.intercept(p)) @ half)
            room, along = values - FLOOR, half @ vectors
            (i, j), (S, N) = self.lower, self.targets
            pairs = self.twice[:, None] * along[i] * along[j]
            blocks = [
                -(target[:, None] * pairs).T @ self.spread(w) for target, w in zip((S, S, N), parts, strict=False)
            ]
        else:
            room = 1.0 - FLOOR - p.a**2 - p.b**2 - 0.5 * p.g**2
            blocks = [np.diag(-size * w) for size, w in zip((2.0, 2.0, 1.0), parts, strict=False)]
            if self.width == 1:
                blocks = [x.sum(axis=1, keepdims=True) for x in blocks]
            blocks.append(np.zeros((self.N, len(self.twice))))
        return room, np.concatenate([*blocks, np.zeros((self.N, int(p.nu > 0.0)))], axis=1)

    @cached_property
    def _whitening(self) -> FloatArray:
        return symmetric_root(self.square(self.targets[0]), -0.5)

    def coefficients(self, psi: FloatArray, scale: FloatArray) -> Coefficients:
        """The recursion in the units of the data."""
        p, size = self.pieces(psi), np.outer(scale, scale)
        news, falls = (self.square(x) * size for x in self.early)
        return Coefficients(self.square(self.intercept(p)) * size, p.a, p.b, p.g, news, falls, news)


def likelihood(
    e: FloatArray, H: FloatArray, nu: float, slopes: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log-likelihood (T,) of residuals ``e`` (T, N) at packed covariances ``H`` (T, M), normal if ``nu`` is 0.

    And, or without rows, its slopes in H (T, M), in e at fixed H (T, N); its slope in nu (T,).
    """
    from drainstats.kernels.dcclanes import likelihood_block

    (T, N), M = e.shape, H.shape[1]
    lower = np.tril_indices(N)
    diagonal = lower[0] == lower[1]
    rows = -(-T // LANES) * LANES
    path = np.zeros((1 + slopes, rows, M))
    path[0, :T], path[0, T:] = H, H[-1]
    variance = H[:, diagonal]
    z = np.zeros((rows, N))
    with np.errstate(invalid="ignore", divide="ignore"):
        z[:T] = e / np.sqrt(variance)
    n = N + N % 2
    room, small = np.zeros((2, LANES * n * (n + 1) // 2)), np.zeros((5, LANES * n))
    logdet, quadratic, idle = np.empty(rows), np.empty(rows), np.empty((rows, int(slopes)))
    in_R, in_z = np.empty((rows * slopes, N, N)), np.empty((rows * slopes, N))
    likelihood_block(path, 1, 0, z, 0, nu, room[0], room[1], small, logdet, quadratic, idle, in_R, in_z)
    quadratic = quadratic[:T]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = logdet[:T] - 0.5 * np.log(variance).sum(axis=1)
    in_nu = np.zeros(T)
    if nu > 0.0:
        kernel, in_nu = _t_terms(quadratic, nu, N)
        value = value + kernel
    else:
        value = value - 0.5 * (N * LOG_TWO_PI + quadratic)
    if not slopes:
        return value, np.empty((0, M)), np.empty((0, N)), in_nu
    in_H = in_R[:T][:, *lower] * np.where(diagonal, 1.0, 2.0)
    in_H[:, diagonal] -= 0.5 * (1.0 + in_z[:T] * z[:T]) / variance
    return value, in_H, in_z[:T] / np.sqrt(variance), in_nu


def _t_terms(quadratic: FloatArray, nu: float, N: int) -> tuple[FloatArray, FloatArray]:
    """Log density of the multivariate t with unit covariance beside -log|H| / 2, and its slope in nu."""
    from scipy.special import gammaln, psi

    half, tail = 0.5 * (nu + N), nu - 2.0
    constant = gammaln(half) - gammaln(0.5 * nu) - 0.5 * N * np.log(np.pi * tail)
    size = np.log1p(quadratic / tail)
    slope = 0.5 * (psi(half) - psi(0.5 * nu) - N / tail - size) + half * quadratic / (tail * (tail + quadratic))
    return constant - half * size, slope


def totals(problem: Problem, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean slopes of the log-likelihood in psi (K,), in the intercept (M,) and in a shift of the mean (N,).

    A shift moves residuals, their products and the mean of nn'; that of ee' stands still, being taken at the mean.
    """
    one, p, e = problem.evaluate(psi), problem.pieces(psi), problem.e
    late = decay(one.in_H[::-1], problem.products(p.b))[::-1]
    in_C = late.sum(axis=0)
    i, j = problem.lower
    in_e = one.in_e.copy()
    for weight, x in ((problem.products(p.a), e), (problem.products(p.g), np.minimum(e, 0.0))):
        if not weight.any():
            continue
        ahead = np.concatenate([late[1:], np.zeros((1, late.shape[1]))]) * weight
        if x is not e:
            in_mean = late[0] * (problem.spec.start == "sample") - in_C * problem.spec.targeting
            ahead += in_mean * weight / len(e)
        full = np.empty((len(e), problem.N, problem.N))
        full[:, i, j] = full[:, j, i] = 2.0 / problem.twice * ahead
        inside = (full @ x[:, :, None])[:, :, 0]
        in_e += inside if x is e else inside * (e < 0.0)
    T = len(e)
    return one.scores.sum(axis=0) / T, in_C / T, -in_e.sum(axis=0) / T
