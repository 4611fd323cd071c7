"""An estimate and how sure it is: what a measure returns when it is asked with ``with_se=True``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from drainstats.errors import OptionError
from drainstats.frames import Wide
from drainstats.measures.inputs import apply_negative, signed_root
from drainstats.typing import FloatArray, Negative

Scale = Literal["plain", "root"]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends of a confidence interval, each a table like the estimate."""

    lower: Any
    upper: Any


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Estimate:
    """Estimates with their standard errors, cell by cell.

    Parameters
    ----------
    estimate, std_error : tables of the kind and shape of the input
        NaN where there is none.
    method : str
        Where the errors come from, or why there are none.

    Notes
    -----
    A spread is the signed root of a squared spread. Its interval is the root of the interval of the square, and its
    standard error the standard deviation of the root of a normal square: near zero the usual first-order error grows
    without bound, this one does not. Both belong to the signed estimate, whatever ``negative`` makes of it.
    """

    estimate: Any
    std_error: Any
    method: str
    _wide: Wide = field(repr=False)
    _centre: FloatArray = field(repr=False)
    _spread: FloatArray = field(repr=False)
    _scale: Scale = field(repr=False)

    def interval(self, level: float = 0.95) -> Interval:
        """Confidence interval with ends that have the kind and shape of the estimate.

        Examples
        --------
        >>> import numpy as np, drainstats as ds
        >>> price = 100 * np.exp(np.random.default_rng(0).normal(0, 0.01, 300).cumsum())
        >>> found = ds.measures.amihud(price, np.full(300, 1e6), window=250, with_se=True)
        >>> ends = found.interval(0.95)
        >>> bool(ends.lower[-1] < found.estimate[-1] < ends.upper[-1])
        True
        """
        if not 0 < level < 1:
            raise OptionError(f"level={level!r} must lie between 0 and 1.")
        reach = ndtri((1 + level) / 2) * self._spread
        ends = (self._centre - reach, self._centre + reach)
        lower, upper = (signed_root(e) for e in ends) if self._scale == "root" else ends
        return Interval(self._wide.like(lower), self._wide.like(upper))

    def __repr__(self) -> str:
        there = int(np.isfinite(self._spread).sum())
        return f"Estimate of shape {self._centre.shape}, {there} of them with a standard error ({self.method})"


def estimated(wide: Wide, values: FloatArray, errors: FloatArray, method: str) -> Estimate:
    """Dress (T, N) estimates and standard errors in the form of the input."""
    return Estimate(wide.like(values), wide.like(errors), method, wide, values, errors, "plain")


def estimated_root(
    wide: Wide, square: FloatArray, errors: FloatArray, method: str, negative: Negative = "keep"
) -> Estimate:
    """The signed root of (T, N) squares whose standard errors are known."""
    root = wide.like(apply_negative(signed_root(square), negative))
    return Estimate(root, wide.like(_root_error(square, errors)), method, wide, square, errors, "root")


def _root_error(square: FloatArray, error: FloatArray) -> FloatArray:
    """Standard deviation of the signed root of a normal variable (Gauss-Hermite, 21 points)."""
    first, second = np.zeros_like(square), np.zeros_like(square)
    centre = signed_root(square)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        # About the estimate, so that small errors do not drown in rounding.
        away = signed_root(square + node * error) - centre
        first += weight * away
        second += weight * away**2
    return np.asarray(np.sqrt(np.maximum(second - first**2, 0.0)))
