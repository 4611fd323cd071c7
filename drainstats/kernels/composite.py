"""Correlation likelihoods of eight pairs side by side, with what moves them.

Q[t] - S = sum a_k (zz'[t-k] - S) + sum b_k (Q[t-k] - S),   zero before the sample, S with a unit diagonal
L = -0.5 (log d + f),   d = 1 - r^2,   f = (r^2 (x^2 + y^2) - 2 r x y) / d,   r = Q_12 (Q_11 Q_22)^-1/2
"""

from __future__ import annotations

from drainstats.kernels.jit import kernel
from drainstats.kernels.lanes import LANES, add_product, load, root, spread, store
from drainstats.typing import FloatArray, IntArray


@kernel
def pair_block(
    z: FloatArray,
    first: IntArray,
    second: IntArray,
    level: FloatArray,
    a: FloatArray,
    b: FloatArray,
    room: FloatArray,
    xy: FloatArray,
    out: FloatArray,
    slopes: FloatArray,
) -> None:
    """Add one block of eight pairs to the sums over blocks.

    ``z`` (N, T) residuals, ``first``, ``second`` (8,) the pairs' places, ``level`` (8,) their S_12. ``room``, zeros, is
    to work in, 8 (6 + 3 k) R numbers: R rows of Q - S and of the news zz' - S (11, 22, 12), and of k = 0 or K
    derivatives, R more than max(P, Q). ``xy`` (2, 8 T) takes the residuals of the pairs side by side.
    ``out`` (2 + k, 8 T): the first row is multiplied by d, to the others f and the slopes in a and b are added.
    ``slopes`` (5, 8 T), if it is not empty, takes r, d and the slopes of L in Q_11, Q_22 and Q_12.
    """
    P, Q = a.shape[0], b.shape[0]
    m, derived = max(P, Q), out.shape[0] - 2
    rows = room.shape[0] // (LANES * (6 + 3 * derived))
    one, s0 = spread(1.0), load(level, 0)
    s = m
    for w in range(LANES):
        i, j = first[w], second[w]
        for t in range(z.shape[1]):
            xy[0, LANES * t + w] = z[i, t]
            xy[1, LANES * t + w] = z[j, t]
    for t in range(z.shape[1]):
        if s == rows:
            for layer in range(0, (6 + 3 * derived) * rows, rows):
                for k in range(m):
                    store(room, layer + k, load(room, layer + rows - m + k))
            s = m
        for c in range(3):
            new = spread(0.0)
            for k in range(P + Q):
                old = load(room, (3 + c) * rows + s - 1 - k if k < P else c * rows + s - 1 - k + P)
                new = add_product(new, spread(a[k] if k < P else b[k - P]), old)
                if derived > 0:
                    layer = (6 + 3 * k + c) * rows + s
                    for q in range(Q):
                        old = add_product(old, spread(b[q]), load(room, layer - 1 - q))
                    store(room, layer, old)
            store(room, c * rows + s, new)
        xt, yt = load(xy[0], t), load(xy[1], t)
        product, squares = xt * yt, xt * xt + yt * yt
        store(room, 3 * rows + s, xt * xt - one)
        store(room, 4 * rows + s, yt * yt - one)
        store(room, 5 * rows + s, product - s0)
        q1, q2 = one + load(room, s), one + load(room, rows + s)
        g = one / (q1 * q2)
        u = root(g)
        r = (s0 + load(room, 2 * rows + s)) * u
        d = one - r * r
        inverse = one / d
        f = r * (r * squares - product - product) * inverse
        in_r = (r + product - r * (squares + f)) * inverse
        half = spread(-0.5) * in_r * r * g
        in1, in2, in12 = half * q2, half * q1, in_r * u
        store(out[0], t, load(out[0], t) * d)
        store(out[1], t, load(out[1], t) + f)
        for k in range(derived):
            layer = (6 + 3 * k) * rows + s
            total = add_product(load(out[2 + k], t), in1, load(room, layer))
            total = add_product(total, in2, load(room, layer + rows))
            store(out[2 + k], t, add_product(total, in12, load(room, layer + 2 * rows)))
        if slopes.shape[0] > 0:
            store(slopes[0], t, r)
            store(slopes[1], t, d)
            store(slopes[2], t, in1)
            store(slopes[3], t, in2)
            store(slopes[4], t, in12)
        s += 1
