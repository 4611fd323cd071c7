"""Densities of shocks with mean 0 and variance 1, their slopes in the shock and in the shape parameters."""

from __future__ import annotations

import math

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray


@kernel
def log_density(law: int, z: float, c: FloatArray) -> tuple[float, float, float, float]:
    """Log density at ``z``, its slope in z, and its slopes in the first and second shape parameter.

    ``law``: 0 normal, 1 Student t, 2 Hansen's skewed t, 3 generalised error. ``c`` holds what depends on the shape
    alone, in the order in which `margin_laws` puts it there.
    """
    if law == 0:
        return -0.5 * (z * z + c[0]), -z, 0.0, 0.0
    if law == 1:
        nu, constant, dconstant = c[0], c[1], c[2]
        tail = nu - 2.0
        size = math.log1p(z * z / tail)
        weight = (nu + 1.0) / (tail + z * z)
        return (
            constant - 0.5 * (nu + 1.0) * size,
            -weight * z,
            dconstant - 0.5 * size + 0.5 * weight * z * z / tail,
            0.0,
        )
    if law == 2:
        eta, skew, constant, dconstant, a, b = c[0], c[1], c[2], c[3], c[4], c[5]
        tail = eta - 2.0
        x = b * z + a
        side = -1.0 if x < 0.0 else 1.0
        width = 1.0 + side * skew
        u = x / width
        size = math.log1p(u * u / tail)
        pull = (eta + 1.0) * u / (tail + u * u) / width
        in_eta = dconstant + c[7] / b - 0.5 * size + 0.5 * pull * x / tail - pull * (z * c[7] + c[6])
        in_skew = c[9] / b - pull * (z * c[9] + c[8]) + pull * side * u
        return constant - 0.5 * (eta + 1.0) * size, -pull * b, in_eta, in_skew
    nu, constant, dconstant, scale, dlogscale = c[0], c[1], c[2], c[3], c[4]
    size = abs(z) / scale
    if size == 0.0:
        return constant, 0.0, dconstant, 0.0
    power = 0.5 * size**nu
    return constant - power, -nu * power / z, dconstant - power * (math.log(size) - nu * dlogscale), 0.0


@kernel
def log_densities(law: int, z: FloatArray, c: FloatArray, slope: FloatArray, shape: FloatArray) -> float:
    """Sum of `log_density` over ``z`` (T,); writes the slopes in z (T,) and in the shape parameters (T, 2)."""
    total = 0.0
    for t in range(z.shape[0]):
        value, slope[t], shape[t, 0], shape[t, 1] = log_density(law, z[t], c)
        total += value
    return total
