"""The scale recursion of cDCC: the diagonal of Q, which needs no target, with its derivatives both ways.

q[t] = 1 - sum a - sum b + sum a_i z[t-i]^2 q[t-i] + sum b_j q[t-j],   1 before the sample, series by series
"""

from __future__ import annotations

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def scale_path(z: FloatArray, a: FloatArray, b: FloatArray, q: FloatArray, dq: FloatArray) -> None:
    """Write ``q`` (T, N) for residuals ``z`` (T, N) and, unless it has no rows, ``dq`` (P + Q, T, N) = dq / d(a, b)."""
    P, Q = a.shape[0], b.shape[0]
    for t in range(z.shape[0]):
        for i in range(z.shape[1]):
            value = 1.0
            for k in range(P + Q):
                weight, back = (a[k], k) if k < P else (b[k - P], k - P)
                old = 1.0
                if t > back:
                    old = q[t - 1 - back, i] * (z[t - 1 - back, i] ** 2 if k < P else 1.0)
                value += weight * (old - 1.0)
                if dq.shape[0] > 0:
                    dq[k, t, i] = old - 1.0
            q[t, i] = value
            for k in range(dq.shape[0]):
                for r in range(min(P, t)):
                    dq[k, t, i] += a[r] * z[t - 1 - r, i] ** 2 * dq[k, t - 1 - r, i]
                for r in range(min(Q, t)):
                    dq[k, t, i] += b[r] * dq[k, t - 1 - r, i]


@kernel
def scale_adjoint(
    z: FloatArray, a: FloatArray, b: FloatArray, q: FloatArray, slopes: FloatArray, dz: FloatArray
) -> None:
    """Pull ``slopes`` (T, N) = df / dq, which is overwritten, back to the residuals; df / dz is added to ``dz``."""
    T = z.shape[0]
    for t in range(T - 1, -1, -1):
        for i in range(z.shape[1]):
            square = z[t, i] ** 2
            for k in range(min(a.shape[0], T - 1 - t)):
                later = a[k] * slopes[t + 1 + k, i]
                slopes[t, i] += square * later
                dz[t, i] += 2.0 * z[t, i] * q[t, i] * later
            for k in range(min(b.shape[0], T - 1 - t)):
                slopes[t, i] += b[k] * slopes[t + 1 + k, i]
