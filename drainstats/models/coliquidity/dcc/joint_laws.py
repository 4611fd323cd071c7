"""What law do the shocks of all series together follow, given their correlation?

    log f(z) = -N/2 log 2 pi - log|R| / 2 + radial(q),   q = z' R^-1 z,   E[z z'] = R

    normal   radial = -q/2
    t        radial = c(nu, N) - (nu + N)/2 log(1 + q / (nu - 2))
    laplace  radial = log 2 + v/2 log(q/2) + log K_v(sqrt(2 q)),   v = 1 - N/2

K is the Bessel function of the second kind. The t is standardised, nu > 2 being common to all series. The Laplace is
the symmetric one of Eltoft, Kim and Lee (2006), IEEE Signal Processing Letters 13, 300-303: a normal vector times the
root of an exponential variable. Its density is infinite at zero when N > 1. Every law is a normal with a random scale,
so a sample pulls on R by z z' times a weight -2 d radial / dq: 1 for the normal, less for far shocks under the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drainstats.errors import DataError
from drainstats.models.coliquidity.margins.laws import LAWS, Law
from drainstats.typing import FloatArray

LOG_TWO_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class JointLaw:
    """A law of N shocks; every function takes the shape parameters (S,) last.

    shape : limits and free coordinates of the shape parameters, those of a margin's law.
    radial, weight : q (T,), N → (T,).
    slope : q (T,), N → (T, S), how ``radial`` moves with the shape.
    scale : generator, size → positive factors (size,) that turn normal vectors into this law.
    nu : what makes the compiled pass compute the weights itself: degrees of freedom, 0 for the normal; None where they
        must be handed in.
    """

    shape: Law
    radial: Callable[[FloatArray, int, FloatArray], FloatArray]
    weight: Callable[[FloatArray, int, FloatArray], FloatArray]
    slope: Callable[[FloatArray, int, FloatArray], FloatArray]
    scale: Callable[[np.random.Generator, int, FloatArray], FloatArray]
    nu: Callable[[FloatArray], float | None]
    infinite_at_zero: bool = False

    def check(self, z: FloatArray) -> None:
        """Refuse residuals (T, N) at which the density is infinite."""
        if self.infinite_at_zero and not (z != 0.0).any(axis=1).all():
            row = int(np.flatnonzero((z == 0.0).all(axis=1))[0])
            raise DataError(
                f"In row {row} every series is exactly at its mean, where the Laplace density is infinite; "
                "use dist='t', or leave such rows out."
            )


def _no_slope(q: FloatArray, n: int, shape: FloatArray) -> FloatArray:
    return np.empty((len(q), 0))


def _t_radial(q: FloatArray, n: int, shape: FloatArray) -> FloatArray:
    from scipy.special import gammaln

    nu = float(shape[0])
    constant = gammaln(0.5 * (nu + n)) - gammaln(0.5 * nu) - 0.5 * n * np.log(0.5 * (nu - 2.0))
    return np.asarray(constant - 0.5 * (nu + n) * np.log1p(q / (nu - 2.0)))


def _t_slope(q: FloatArray, n: int, shape: FloatArray) -> FloatArray:
    from scipy.special import psi

    nu = float(shape[0])
    tail = nu - 2.0
    constant = 0.5 * (psi(0.5 * (nu + n)) - psi(0.5 * nu)) - 0.5 * n / tail
    moved = -0.5 * np.log1p(q / tail) + 0.5 * (nu + n) * q / (tail * (tail + q))
    return np.asarray(constant + moved)[:, None]


def _t_scale(rng: np.random.Generator, size: int, shape: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((shape[0] - 2.0) / rng.chisquare(shape[0], size)))


def _bessel(s: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """log K_v(s) and K_(v+1)(s) / K_v(s) for v = |1 - n/2|, by the recurrence upwards, which is stable."""
    from scipy.special import kve

    top = abs(1.0 - 0.5 * n)
    v = top % 1.0
    first = kve(v, s)
    log, ratio = np.log(first) - s, kve(v + 1.0, s) / first
    while v < top:
        v += 1.0
        log = log + np.log(ratio)
        ratio = 2.0 * v / s + 1.0 / ratio
    return log, ratio


def _laplace_radial(q: FloatArray, n: int, shape: FloatArray) -> FloatArray:
    log = _bessel(np.sqrt(2.0 * q), n)[0]
    return np.asarray(np.log(2.0) + 0.5 * (1.0 - 0.5 * n) * np.log(0.5 * q) + log)


def _laplace_weight(q: FloatArray, n: int, shape: FloatArray) -> FloatArray:
    s = np.sqrt(2.0 * q)
    return np.asarray(2.0 * _bessel(s, n)[1] / s)


JOINT_LAWS = {
    "normal": JointLaw(
        LAWS["normal"],
        lambda q, n, shape: -0.5 * q,
        lambda q, n, shape: np.ones(len(q)),
        _no_slope,
        lambda rng, size, shape: np.ones(size),
        lambda shape: 0.0,
    ),
    "t": JointLaw(
        LAWS["t"],
        _t_radial,
        lambda q, n, shape: (shape[0] + n) / (shape[0] - 2.0 + q),
        _t_slope,
        _t_scale,
        lambda shape: float(shape[0]),
    ),
    "laplace": JointLaw(
        LAWS["normal"],
        _laplace_radial,
        _laplace_weight,
        _no_slope,
        lambda rng, size, shape: np.sqrt(rng.standard_exponential(size)),
        lambda shape: None,
        infinite_at_zero=True,
    ),
}
