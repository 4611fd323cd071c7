"""Block-equicorrelation on arrays: the recursion of its few numbers, its likelihood in O(N) and exact derivatives.

G groups of n_g assets. The state of a time step is a row of L = G (G + 1) / 2 + G numbers: the packed lower triangle of
M = V'Q V with V_g = 1 / sqrt(n_g) on the members of g, then the mean diagonal d_g of Q in each group. It follows

    state[t] = level + sum_i a_i (news[t-i] - level) + sum_j b_j (state[t-j] - level),   news: m m' and s

with m = V'z, s_g the mean square of z in g, and the level before the sample. All is linear filtering, so NumPy and
SciPy are fast enough and nothing is compiled.
"""

from __future__ import annotations

import numpy as np

from drainstats.typing import FloatArray


def pack(matrices: FloatArray) -> FloatArray:
    """Lower triangles (..., G (G + 1) / 2) of (..., G, G)."""
    rows, cols = np.tril_indices(matrices.shape[-1])
    return np.asarray(matrices[..., rows, cols])


def unpack(packed: FloatArray, groups: int) -> FloatArray:
    """Symmetric matrices (..., G, G) from packed lower triangles."""
    rows, cols = np.tril_indices(groups)
    out = np.empty((*packed.shape[:-1], groups, groups))
    out[..., rows, cols] = packed
    out[..., cols, rows] = packed
    return out


def lagged(values: FloatArray, lag: int) -> FloatArray:
    """(T, L) moved down by ``lag`` rows, zeros before."""
    out = np.zeros_like(values)
    out[lag:] = values[: len(values) - lag]
    return out


def states(
    news: FloatArray, level: FloatArray, a: FloatArray, b: FloatArray, slopes: bool = False
) -> tuple[FloatArray, FloatArray]:
    """States (T, L) and, if asked, their derivatives (P + Q, T, L) in a and b.

    ``news`` (T, L), ``level`` (L,). Row t uses news before t.
    """
    from scipy.signal import lfilter

    poles = np.concatenate([[1.0], -b])
    response = lfilter([1.0], poles, news - level, axis=0)
    drift = sum(weight * lagged(response, i + 1) for i, weight in enumerate(a))
    if not slopes:
        return level + drift, np.empty(0)
    again = lfilter([1.0], poles, drift, axis=0)
    moves = [lagged(response, i + 1) for i in range(len(a))] + [lagged(again, j + 1) for j in range(len(b))]
    return level + drift, np.array(moves)


def pull_states(slopes: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn d f / d state (T, L) into d f / d news (T, L) and d f / d level (L,)."""
    from scipy.signal import lfilter

    response = lfilter([1.0], np.concatenate([[1.0], -b]), slopes[::-1], axis=0)
    back = sum(weight * lagged(response, i + 1) for i, weight in enumerate(a))[::-1]
    return back, slopes.sum(axis=0) - back.sum(axis=0)


def scaled(state: FloatArray, groups: int) -> FloatArray:
    """C = M / sqrt(d d') (T, G, G): V'R V for the block-equicorrelated R of each state."""
    d = state[:, -groups:]
    return np.asarray(unpack(state[:, :-groups], groups) / np.sqrt(d[:, :, None] * d[:, None, :]))


def block_likelihood(
    state: FloatArray, m: FloatArray, s: FloatArray, sizes: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """-0.5 (log|R| + z'R^-1 z - z'z) by row (T,) and its derivatives in the state, in m and in s at a fixed state.

    ``state`` (T, L), ``m`` (T, G) = V'z, ``s`` (T, G) mean squares, ``sizes`` (G,) numbers of assets. The equations:
    R has the eigenvalues of C and, n_g - 1 times, e_g = 1 - r_g = (n_g - C_gg) / (n_g - 1), so that

        log|R| = log|C| + sum_g (n_g - 1) log e_g,   z'R^-1 z = m'C^-1 m + sum_g (n_g s_g - m_g^2) / e_g.
    """
    G = len(sizes)
    several = sizes > 1
    spare = np.where(several, sizes - 1.0, 1.0)
    C = scaled(state, G)
    diagonal = np.diagonal(C, axis1=1, axis2=2)
    own = np.where(several, (sizes - diagonal) / spare, 1.0)
    within = np.where(several, sizes * s - m**2, 0.0)
    inverse = np.linalg.inv(C)
    v = (inverse @ m[:, :, None])[:, :, 0]
    sign, logdet = np.linalg.slogdet(C)
    logdet = np.where(sign > 0.0, logdet, np.nan) + (np.where(several, spare, 0.0) * np.log(own)).sum(axis=1)
    value = -0.5 * (logdet + (m * v).sum(axis=1) + (within / own - sizes * s).sum(axis=1))
    in_c = -0.5 * (inverse - v[:, :, None] * v[:, None, :])
    steps = np.where(several, 0.5 / own - 0.5 * within / (spare * own**2), 0.0)
    in_c[:, np.arange(G), np.arange(G)] += steps
    root = np.sqrt(state[:, -G:])
    in_m_matrix = in_c / (root[:, :, None] * root[:, None, :])
    # Off the diagonal a packed number stands for two cells.
    rows, cols = np.tril_indices(G)
    packed = pack(in_m_matrix) * np.where(rows == cols, 1.0, 2.0)
    in_d = -(in_c * C).sum(axis=2) / state[:, -G:]
    in_m = np.where(several, m / own, 0.0) - v
    in_s = 0.5 * sizes * (1.0 - np.where(several, 1.0 / own, 0.0))
    return value, np.concatenate([packed, in_d], axis=1), in_m, in_s
