"""Eight series under GARCH(1, 1) side by side: the normal likelihood, its gradient and its information matrix.

h[1] = mean e^2,   h[t] = omega + alpha e[t-1]^2 + beta h[t-1],   e[t] = y[t] - mu
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.kernels.lanes import LANES, add_product, load, spread, store
from drainstats.typing import FloatArray

# Variances that are multiplied before a logarithm is taken: they are of the order of one.
LOGARITHM = 16


@kernel
def garch_block(y: FloatArray, theta: FloatArray, out: FloatArray) -> None:
    """Write value, gradient and information of a block into ``out`` (15, 8).

    ``y`` (8 T,) series of the order of one, ``theta`` (4, 8) mu, omega, alpha and beta. Rows of ``out``: sum of
    -0.5 (log h + e^2 / h); its slopes in the four; the lower triangle of the sum of 0.5 d d' with d = dh / h, to whose
    first entry the sum of 1 / h is added.
    """
    T = y.shape[0] // LANES
    mu, omega, alpha, beta = load(theta[0], 0), load(theta[1], 0), load(theta[2], 0), load(theta[3], 0)
    one, half, zero = spread(1.0), spread(0.5), spread(0.0)
    h, d0, d1, d2, d3 = zero, zero, zero, zero, zero
    for t in range(T):
        e = load(y, t) - mu
        h, d0 = add_product(h, e, e), d0 - e
    h, d0 = h * spread(1.0 / T), d0 * spread(2.0 / T)
    squares, product = zero, one
    g0, g1, g2, g3 = zero, zero, zero, zero
    i00, i10, i11, i20, i21, i22, i30, i31, i32, i33 = zero, zero, zero, zero, zero, zero, zero, zero, zero, zero
    logs, factors = np.zeros(LANES), np.empty(LANES)
    for t in range(T):
        e, inverse = load(y, t) - mu, one / h
        square = e * e
        ratio = square * inverse
        squares, product = squares + ratio, product * h
        pull = half * (ratio - one)
        x0, x1, x2, x3 = d0 * inverse, d1 * inverse, d2 * inverse, d3 * inverse
        g0, g1 = add_product(g0 + e * inverse, pull, x0), add_product(g1, pull, x1)
        g2, g3 = add_product(g2, pull, x2), add_product(g3, pull, x3)
        x4, x5, x6, x7 = half * x0, half * x1, half * x2, half * x3
        i00, i10, i11 = add_product(i00 + inverse, x4, x0), add_product(i10, x5, x0), add_product(i11, x5, x1)
        i20, i21, i22 = add_product(i20, x6, x0), add_product(i21, x6, x1), add_product(i22, x6, x2)
        i30, i31 = add_product(i30, x7, x0), add_product(i31, x7, x1)
        i32, i33 = add_product(i32, x7, x2), add_product(i33, x7, x3)
        news = alpha * e
        d0, d1 = beta * d0 - news - news, add_product(one, beta, d1)
        d2, d3 = add_product(square, beta, d2), add_product(h, beta, d3)
        h = add_product(add_product(omega, alpha, square), beta, h)
        if t % LOGARITHM == LOGARITHM - 1 or t == T - 1:
            store(factors, 0, product)
            product = one
            for w in range(LANES):
                logs[w] += np.log(factors[w])
    store(out[0], 0, zero - half * (squares + load(logs, 0)))
    store(out[1], 0, g0)
    store(out[2], 0, g1)
    store(out[3], 0, g2)
    store(out[4], 0, g3)
    store(out[5], 0, i00)
    store(out[6], 0, i10)
    store(out[7], 0, i11)
    store(out[8], 0, i20)
    store(out[9], 0, i21)
    store(out[10], 0, i22)
    store(out[11], 0, i30)
    store(out[12], 0, i31)
    store(out[13], 0, i32)
    store(out[14], 0, i33)
