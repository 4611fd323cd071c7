"""What law do the shocks of a margin follow?

All have mean 0 and variance 1; S shape parameters are estimated with the variance.

    normal
    t       nu > 2: standardised Student t (Bollerslev, 1987, Review of Economics and Statistics 69, 542-547)
    skewt   eta > 2, -1 < lambda < 1: z = (x - a) / b with x a t that is stretched by 1 - lambda below zero and by
            1 + lambda above (Hansen, 1994, International Economic Review 35, 705-730)
    ged     nu > 1: log f = const - |z / c|^nu / 2; nu = 2 is the normal, 1 the Laplace (Nelson, 1991, Econometrica 59,
            347-370)

Tail parameters are searched as their reciprocals, which the likelihood sees almost linearly: nu = 500 and nu = 250 are
the same law to four digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drainstats.typing import FloatArray

LOG_TWO_PI = float(np.log(2.0 * np.pi))
NORMAL_SIZE = float(np.sqrt(2.0 / np.pi))


@dataclass(frozen=True, slots=True)
class Law:
    """One law: kernel ``code``, shape ``names`` with ``limits`` and ``start``, which of them are ``inverted``.

    constants : shape (S,) → what the kernel needs beside the shock.
    draw : (shape (S,), generator, size) → shocks.
    falling : shape (S,) → E[z^2 1(z < 0)], the share of the variance that falls make.
    size : shape (S,) → E|z|.
    """

    code: int
    names: tuple[str, ...]
    limits: tuple[tuple[float, float], ...]
    start: tuple[float, ...]
    inverted: tuple[bool, ...]
    constants: Callable[[FloatArray], FloatArray]
    draw: Callable[[FloatArray, np.random.Generator, int], FloatArray]
    falling: Callable[[FloatArray], float]
    size: Callable[[FloatArray], float]

    def expected(self, shape: FloatArray, exponential: bool) -> FloatArray:
        """What a shock that is not known counts for: (2, 1 + S) values and their slopes in the shape.

        E[z^2] and E[z^2 1(z < 0)]; in the exponential recursion E|z| less that of a normal shock, and E[z].
        """
        out = np.zeros((2, 1 + len(shape)))
        row, moment = (0, self.size) if exponential else (1, self.falling)
        out[:, 0] = (moment(shape) - NORMAL_SIZE, 0.0) if exponential else (1.0, moment(shape))
        for k, step in enumerate(1e-5 * np.maximum(np.abs(shape), 0.1)):
            move = step * np.eye(len(shape))[k]
            out[row, 1 + k] = (moment(shape + move) - moment(shape - move)) / (2.0 * step)
        return out

    def searched(self, shape: FloatArray) -> FloatArray:
        """Shape parameters as they are searched: reciprocals where ``inverted``."""
        return np.array([1.0 / s if i else s for s, i in zip(shape, self.inverted, strict=True)])

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limits of the searched values."""
        ends = np.array([self.searched(np.array(e)) for e in zip(*self.limits, strict=True)]).reshape(2, -1)
        return ends.min(axis=0), ends.max(axis=0)

    def free(self, shape: FloatArray) -> FloatArray:
        """Unbounded coordinates of a shape."""
        low, high = self.box
        share = np.clip((self.searched(shape) - low) / (high - low), 1e-9, 1.0 - 1e-9)
        return np.asarray(np.log(share / (1.0 - share)))

    def shape(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shape at unbounded coordinates ``u``, and its derivatives, one a parameter."""
        if not self.names:
            return u, u
        low, high = self.box
        share = 1.0 / (1.0 + np.exp(-u))
        value = low + (high - low) * share
        slope = (high - low) * share * (1.0 - share)
        return self.searched(value), slope * self._bend(value)

    def _bend(self, value: FloatArray) -> FloatArray:
        """Derivatives of the shape parameters in their searched values."""
        return np.array([-1.0 / v**2 if i else 1.0 for v, i in zip(value, self.inverted, strict=True)])

    def gap(self, shape: FloatArray, slope: FloatArray) -> float:
        """What a first-order step inside the limits could still gain, ``slope`` being that of the loss."""
        if not self.names:
            return 0.0
        low, high = self.box
        value = self.searched(shape)
        slope = slope * self._bend(value)
        return float(np.maximum(slope * (value - low), -slope * (high - value)).sum())

    def snap(self, shape: FloatArray) -> FloatArray:
        """The shape with what nearly touches a limit put on it."""
        (low, high), value, out = self.box, self.searched(shape), np.array(shape)
        for edge in (low, high):
            near = np.abs(value - edge) < 1e-4 * (high - low)
            out[near] = self.searched(edge)[near]
        return out

    def at_limit(self, shape: FloatArray) -> list[int]:
        """Positions of the parameters that stand on a limit."""
        return [i for i, (s, ends) in enumerate(zip(shape, self.limits, strict=True)) if s in ends]


def _log_t_constant(nu: float) -> tuple[float, float]:
    """Logarithm of the constant of the standardised t density, and its slope in nu."""
    from scipy.special import gammaln, psi

    half, tail = 0.5 * (nu + 1.0), nu - 2.0
    value = gammaln(half) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * tail)
    return float(value), float(0.5 * (psi(half) - psi(0.5 * nu)) - 0.5 / tail)


def _t(shape: FloatArray) -> FloatArray:
    return np.array([shape[0], *_log_t_constant(float(shape[0]))])


def _skewt(shape: FloatArray) -> FloatArray:
    eta, skew = (float(s) for s in shape)
    log_c, slope_c = _log_t_constant(eta)
    c, ratio = np.exp(log_c), (eta - 2.0) / (eta - 1.0)
    a = 4.0 * skew * c * ratio
    b = np.sqrt(1.0 + 3.0 * skew**2 - a**2)
    a_eta = 4.0 * skew * c * (ratio * slope_c + 1.0 / (eta - 1.0) ** 2)
    a_skew = 4.0 * c * ratio
    b_eta, b_skew = -a * a_eta / b, (3.0 * skew - a * a_skew) / b
    return np.array([eta, skew, log_c + np.log(b), slope_c, a, b, a_eta, b_eta, a_skew, b_skew])


def _ged(shape: FloatArray) -> FloatArray:
    from scipy.special import gammaln, psi

    nu = float(shape[0])
    inverse, two = 1.0 / nu, np.log(2.0)
    log_scale = -two * inverse + 0.5 * (gammaln(inverse) - gammaln(3.0 * inverse))
    slope = inverse**2 * (two - 0.5 * psi(inverse) + 1.5 * psi(3.0 * inverse))
    constant = np.log(nu) - log_scale - gammaln(inverse) - (1.0 + inverse) * two
    in_nu = inverse - slope + inverse**2 * (psi(inverse) + two)
    return np.array([nu, constant, in_nu, np.exp(log_scale), slope])


def _draw_t(shape: FloatArray, rng: np.random.Generator, size: int) -> FloatArray:
    return rng.standard_t(shape[0], size) * np.sqrt((shape[0] - 2.0) / shape[0])


def _draw_skewt(shape: FloatArray, rng: np.random.Generator, size: int) -> FloatArray:
    """A half-t stretched by 1 + lambda with that chance over two, else by 1 - lambda downwards."""
    skew, (a, b) = shape[1], _skewt(shape)[4:6]
    half = np.abs(_draw_t(shape, rng, size))
    x = np.where(rng.random(size) < 0.5 * (1.0 + skew), (1.0 + skew) * half, (skew - 1.0) * half)
    return np.asarray((x - a) / b)


def _draw_ged(shape: FloatArray, rng: np.random.Generator, size: int) -> FloatArray:
    size_of = (2.0 * rng.standard_gamma(1.0 / shape[0], size)) ** (1.0 / shape[0])
    return np.asarray(_ged(shape)[3] * size_of * np.where(rng.random(size) < 0.5, -1.0, 1.0))


def _longer_side(shape: FloatArray) -> tuple[float, float]:
    """E|z| / 2 and E[z^2] on the side of zero where a skewed t has its longer tail, from partial moments of the t."""
    from scipy.special import stdtr

    eta, skew, log_peak, _, a, b = _skewt(shape)[:6]
    tail, width, edge = eta - 2.0, 1.0 + abs(skew), abs(a) / (1.0 + abs(skew))
    peak = np.exp(log_peak - np.log(b))
    mass = stdtr(eta, -edge * np.sqrt(eta / tail))
    first = peak * tail / (eta - 1.0) * (1.0 + edge**2 / tail) ** (-0.5 * (eta - 1.0))
    second = edge * first + stdtr(tail, -edge)
    size = width**2 * first - abs(a) * width * mass
    square = width**3 * second - 2.0 * abs(a) * width**2 * first + a**2 * width * mass
    return float(size / b), float(square / b**2)


def _falling_skewt(shape: FloatArray) -> float:
    square = _longer_side(shape)[1]
    return square if shape[1] <= 0.0 else 1.0 - square


def _size_t(shape: FloatArray) -> float:
    return 2.0 * _longer_side(np.array([shape[0], shape[1] if len(shape) > 1 else 0.0]))[0]


def _size_ged(shape: FloatArray) -> float:
    from scipy.special import gammaln

    inverse = 1.0 / float(shape[0])
    return float(_ged(shape)[3] * np.exp(inverse * np.log(2.0) + gammaln(2.0 * inverse) - gammaln(inverse)))


def _half(shape: FloatArray) -> float:
    return 0.5


LAWS = {
    "normal": Law(
        0, (), (), (), (), lambda shape: np.array([LOG_TWO_PI]), lambda shape, rng, n: rng.standard_normal(n), _half,
        lambda shape: NORMAL_SIZE,
    ),
    "t": Law(1, ("nu",), ((2.05, 500.0),), (8.0,), (True,), _t, _draw_t, _half, _size_t),
    "skewt": Law(
        2, ("eta", "lambda"), ((2.05, 500.0), (-0.99, 0.99)), (8.0, 0.0), (True, False),
        _skewt, _draw_skewt, _falling_skewt, _size_t,
    ),
    "ged": Law(3, ("nu",), ((1.01, 500.0),), (1.5,), (True,), _ged, _draw_ged, _half, _size_ged),
}  # fmt: skip
