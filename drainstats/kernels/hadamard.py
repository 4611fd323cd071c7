"""The elementwise recursion Q[t] = C + A * X[t-1] + B * Q[t-1], X = ee', with its derivatives forwards and backwards.

Products are entry by entry, so that every entry of Q moves with its own entries of C, A and B only: three layers of
derivatives serve any number of parameters.
"""

from __future__ import annotations

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def advance(
    path: FloatArray, e: FloatArray, t0: int, before: FloatArray, C: FloatArray, A: FloatArray, B: FloatArray
) -> None:
    """Fill a stretch of ``path`` (layers, 1 + steps, M), packed lower triangles, from the step before it.

    Layers: Q and, unless there is only one, dQ / dC, dQ / dA and dQ / dB entry by entry. ``e`` (T, N) shocks, the first
    current one in row ``t0``; ``before`` (M,) X before the sample; ``C``, ``A``, ``B`` (M,).
    """
    for s in range(1, path.shape[1]):
        t, c = t0 + s - 2, 0
        for i in range(e.shape[1]):
            for j in range(i + 1):
                news = e[t, i] * e[t, j] if t >= 0 else before[c]
                old = path[0, s - 1, c]
                path[0, s, c] = C[c] + A[c] * news + B[c] * old
                if path.shape[0] > 1:
                    path[1, s, c] = 1.0 + B[c] * path[1, s - 1, c]
                    path[2, s, c] = news + B[c] * path[2, s - 1, c]
                    path[3, s, c] = old + B[c] * path[3, s - 1, c]
                c += 1


@kernel
def pull(e: FloatArray, A: FloatArray, B: FloatArray, slopes: FloatArray, de: FloatArray) -> None:
    """Turn ``slopes`` (T, N, N) = df / dQ[t] at fixed earlier Q into df / dC[t]; df / de is added to ``de`` (T, N).

    ``A`` and ``B`` (N, N) and every slope are symmetric.
    """
    T, N = e.shape
    for t in range(T - 1, -1, -1):
        for i in range(N):
            total = 0.0
            for j in range(N):
                if t + 1 < T:
                    slopes[t, i, j] += B[i, j] * slopes[t + 1, i, j]
                if t > 0:
                    total += A[i, j] * slopes[t, i, j] * e[t - 1, j]
            if t > 0:
                de[t - 1, i] += 2.0 * total
