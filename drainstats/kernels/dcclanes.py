"""Eight correlation matrices factored side by side, and what the likelihood pulls out of them.

Everything is an inner product along rows of packed triangles, two rows against two, each entry eight lanes wide. The
order n is even: an odd number of assets gets one more that is uncorrelated and always zero. Entry (i, j) of a lower
triangle stands at i (i + 1) / 2 + j; a transposed inverse keeps (i, j) at j n - j (j + 1) / 2 + i, so that its sums
run along memory too.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.kernels.lanes import LANES, Lanes, add_product, load, root, spread, store
from drainstats.typing import FloatArray


@inlined
def _dots(
    x: FloatArray, a0: int, a1: int, y: FloatArray, b0: int, b1: int, count: int
) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Inner products of two rows of x, from entries a0 and a1 on, with two rows of y, from b0 and b1 on."""
    s00, s01, s10, s11 = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for k in range(count):
        x0, x1 = load(x, a0 + k), load(x, a1 + k)
        y0, y1 = load(y, b0 + k), load(y, b1 + k)
        s00, s01 = add_product(s00, x0, y0), add_product(s01, x0, y1)
        s10, s11 = add_product(s10, x1, y0), add_product(s11, x1, y1)
    return s00, s01, s10, s11


@kernel
def factor(x: FloatArray, scale: FloatArray, n: int) -> None:
    """Turn Q in ``x`` into the Cholesky factor L of its correlation matrix, with 1 / L_ii on the diagonal.

    Writes ``scale`` = Q_ii^-1/2. A matrix that is not positive definite leaves NaN.
    """
    one = spread(1.0)
    for i in range(n):
        store(scale, i, one / root(load(x, i * (i + 1) // 2 + i)))
    for i in range(0, n, 2):
        r0 = i * (i + 1) // 2
        r1 = r0 + i + 1
        p0, p1 = load(scale, i), load(scale, i + 1)
        for j in range(0, i, 2):
            c0 = j * (j + 1) // 2
            c1 = c0 + j + 1
            s00, s01, s10, s11 = _dots(x, r0, r1, x, c0, c1, j)
            q0, q1 = load(scale, j), load(scale, j + 1)
            d0, low, d1 = load(x, c0 + j), load(x, c1 + j), load(x, c1 + j + 1)
            v00 = (load(x, r0 + j) * p0 * q0 - s00) * d0
            v10 = (load(x, r1 + j) * p1 * q0 - s10) * d0
            store(x, r0 + j, v00)
            store(x, r1 + j, v10)
            store(x, r0 + j + 1, (load(x, r0 + j + 1) * p0 * q1 - s01 - v00 * low) * d1)
            store(x, r1 + j + 1, (load(x, r1 + j + 1) * p1 * q1 - s11 - v10 * low) * d1)
        s00, s01, s10, s11 = _dots(x, r0, r1, x, r0, r1, i)
        d0 = one / root(one - s00)
        low = (load(x, r1 + i) * p0 * p1 - s10) * d0
        store(x, r0 + i, d0)
        store(x, r1 + i, low)
        store(x, r1 + i + 1, one / root(one - s11 - low * low))


@kernel
def invert(x: FloatArray, inv: FloatArray, n: int) -> None:
    """Write the transposed inverse of the factor ``x``."""
    zero = spread(0.0)
    for j in range(0, n, 2):
        r0, r1 = j * (j + 1) // 2, (j + 1) * (j + 2) // 2
        t0, t1 = j * n - r0, (j + 1) * n - r1
        d0, d1 = load(x, r0 + j), load(x, r1 + j + 1)
        store(inv, t0 + j, d0)
        store(inv, t0 + j + 1, zero - load(x, r1 + j) * d0 * d1)
        store(inv, t1 + j + 1, d1)
        for i in range(j + 2, n, 2):
            c0, c1 = i * (i + 1) // 2, (i + 1) * (i + 2) // 2
            s00, s01, s10, s11 = _dots(x, c0 + j + 1, c1 + j + 1, inv, t0 + j + 1, t1 + j + 1, i - j - 1)
            low, e0, e1 = load(x, c1 + i), load(x, c0 + i), load(x, c1 + i + 1)
            v00 = zero - add_product(s00, load(x, c0 + j), d0) * e0
            v01 = zero - s01 * e0
            v10 = zero - (add_product(s10, load(x, c1 + j), d0) + low * v00) * e1
            store(inv, t0 + i, v00)
            store(inv, t1 + i, v01)
            store(inv, t0 + i + 1, v10)
            store(inv, t1 + i + 1, zero - (s11 + low * v01) * e1)


@kernel
def pull(inv: FloatArray, z: FloatArray, u: FloatArray, g: FloatArray, n: int) -> None:
    """Write R^-1 as a lower triangle ``g`` and ``u`` = R^-1 z."""
    for i in range(n):
        store(u, i, spread(0.0))
    for i in range(0, n, 2):
        r0, r1 = i * (i + 1) // 2, (i + 1) * (i + 2) // 2
        t0, t1 = i * n - r0, (i + 1) * n - r1
        z0, z1 = load(z, i), load(z, i + 1)
        head = load(inv, t0 + i)
        u0, u1 = load(u, i), load(u, i + 1)
        for j in range(0, i, 2):
            c0, c1 = j * n - j * (j + 1) // 2, (j + 1) * n - (j + 1) * (j + 2) // 2
            s00, s01, s10, s11 = _dots(inv, t0 + i + 1, t1 + i + 1, inv, c0 + i + 1, c1 + i + 1, n - i - 1)
            s00 = add_product(s00, head, load(inv, c0 + i))
            s01 = add_product(s01, head, load(inv, c1 + i))
            store(g, r0 + j, s00)
            store(g, r0 + j + 1, s01)
            store(g, r1 + j, s10)
            store(g, r1 + j + 1, s11)
            y0, y1 = load(z, j), load(z, j + 1)
            u0 = u0 + s00 * y0 + s01 * y1
            u1 = u1 + s10 * y0 + s11 * y1
            store(u, j, load(u, j) + s00 * z0 + s10 * z1)
            store(u, j + 1, load(u, j + 1) + s01 * z0 + s11 * z1)
        s00, s01, s10, s11 = _dots(inv, t0 + i + 1, t1 + i + 1, inv, t0 + i + 1, t1 + i + 1, n - i - 1)
        s00 = add_product(s00, head, head)
        store(g, r0 + i, s00)
        store(g, r1 + i, s10)
        store(g, r1 + i + 1, s11)
        store(u, i, u0 + s00 * z0 + s10 * z1)
        store(u, i + 1, u1 + s10 * z0 + s11 * z1)


@kernel
def slopes_in_q(g: FloatArray, u: FloatArray, z: FloatArray, scale: FloatArray, weight: FloatArray, n: int) -> None:
    """Turn R^-1 in ``g`` into g with d loglik = -sum_c g_c dQ_c; ``weight`` (8,) multiplies uu' (1 for the normal)."""
    w, half, one = load(weight, 0), spread(0.5), spread(1.0)
    c = 0
    for i in range(n):
        ui, zi, si = load(u, i), load(z, i), load(scale, i)
        wi = w * ui
        for j in range(i):
            value = load(g, c + j) - wi * load(u, j)
            store(g, c + j, value * (si * load(scale, j)))
        value = load(g, c + i) - one + wi * (zi - ui)
        store(g, c + i, half * value * si * si)
        c += i + 1


@kernel
def values(x: FloatArray, z: FloatArray, n: int, pivots: FloatArray, logdet: FloatArray, quadratic: FloatArray) -> None:
    """-log|R| / 2 and z'R^-1 z of eight steps from the factor ``x`` alone; ``z`` is overwritten."""
    product, total = spread(1.0), spread(0.0)
    for l in range(LANES):
        logdet[l] = 0.0
    for i in range(n):
        r = i * (i + 1) // 2
        zi = load(z, i)
        for k in range(i):
            zi = zi - load(x, r + k) * load(z, k)
        pivot = load(x, r + i)
        zi = zi * pivot
        store(z, i, zi)
        total = add_product(total, zi, zi)
        product = product * pivot
        # A logarithm every 16 pivots: their product cannot overflow and logarithms are slow.
        if i % 16 == 15 or i == n - 1:
            store(pivots, 0, product)
            product = spread(1.0)
            for l in range(LANES):
                logdet[l] += np.log(pivots[l])
    store(quadratic, 0, total)


@inlined
def _into_lanes(rows: FloatArray, out: FloatArray) -> None:
    """Eight rows (8, M) side by side."""
    for c in range(rows.shape[1]):
        for l in range(LANES):
            out[LANES * c + l] = rows[l, c]


@inlined
def _contract(x: FloatArray, y: FloatArray, count: int, sums: FloatArray) -> None:
    """Minus the inner products of the first entries of x and y."""
    total = spread(0.0)
    for c in range(count):
        total = total - load(x, c) * load(y, c)
    store(sums, 0, total)


@inlined
def _unpack(g: FloatArray, l: int, full: FloatArray) -> None:
    """d loglik / dQ of lane ``l`` as a symmetric matrix."""
    c = l
    for i in range(full.shape[0]):
        for j in range(i):
            full[i, j] = full[j, i] = -0.5 * g[c]
            c += LANES
        full[i, i] = -g[c]
        c += LANES


@kernel
def likelihood_block(
    path: FloatArray,
    first: int,
    m: int,
    z: FloatArray,
    t0: int,
    nu: float,
    x: FloatArray,
    inv: FloatArray,
    small: FloatArray,
    logdet: FloatArray,
    quadratic: FloatArray,
    scores: FloatArray,
    slopes: FloatArray,
    direct: FloatArray,
) -> None:
    """Likelihood pieces of a stretch of time steps, and how they move with Q.

    ``path`` (layers, m + C, M): Q in layer 0 and dQ / d psi from layer ``first`` on, m old steps before the C current
    ones (packed triangles, C a multiple of eight); ``z`` (T, N) residuals, the first current ones in row ``t0``;
    ``nu`` > 0: multivariate t with that many degrees of freedom and unit variances, 0: normal, below 0: another law,
    whose weights of uu', u = R^-1 z, come in as ``quadratic``. ``x``, ``inv`` (8 n (n + 1) / 2,) and ``small`` (5, 8 n)
    are room to work in, n = N or N + 1, even. Writes ``logdet`` (T,) = -log|R| / 2, ``quadratic`` (T,) = z'R^-1 z;
    ``scores`` (T, K) unless path has no derivatives; ``slopes`` (T, N, N) = d loglik / dQ and ``direct`` (T, N) =
    d loglik / dz at fixed R, unless they have no rows (``direct`` without the z of the normal's z'z).
    """
    N, M = z.shape[1], path.shape[2]
    n = N + N % 2
    K = path.shape[0] - first
    zl, whitened, u, scale, weight = small[0], small[1], small[2], small[3], small[4]
    for s in range(m, path.shape[1], LANES):
        t = t0 + s - m
        for i in range(N):
            for l in range(LANES):
                zl[LANES * i + l] = whitened[LANES * i + l] = z[t + l, i]
        for i in range(LANES * N, LANES * n):
            zl[i] = whitened[i] = 0.0
        _into_lanes(path[0, s : s + LANES], x)
        for c in range(LANES * M, x.shape[0]):
            x[c] = 1.0 if c >= x.shape[0] - LANES else 0.0
        for l in range(LANES):
            u[l] = quadratic[t + l]
        factor(x, scale, n)
        values(x, whitened, n, weight, logdet[t : t + LANES], quadratic[t : t + LANES])
        if K == 0:
            continue
        for l in range(LANES):
            weight[l] = (nu + N) / (nu - 2.0 + quadratic[t + l]) if nu > 0.0 else 1.0
            if nu < 0.0:
                weight[l] = u[l]
        invert(x, inv, n)
        pull(inv, zl, u, x, n)
        slopes_in_q(x, u, zl, scale, weight, n)
        for k in range(K):
            _into_lanes(path[first + k, s : s + LANES], inv)
            _contract(x, inv, M, whitened)
            for l in range(LANES):
                scores[t + l, k] = whitened[l]
        if slopes.shape[0] == 0:
            continue
        for l in range(LANES):
            _unpack(x, l, slopes[t + l])
            for i in range(N):
                direct[t + l, i] = -weight[l] * u[LANES * i + l]
