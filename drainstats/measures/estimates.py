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

Scale = Literal["plain", "root", "log"]


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
    A spread is the signed root of a squared spread, and its interval the root of the square's interval. What is
    positive and skewed, such as Amihud's ratio, has an interval that is symmetric in logs. Where the error is large
    against the estimate the first-order error covers too little; the standard error here is the longer arm of the 95 %
    interval over 1.96, so that estimate ± 1.96 errors covers at least as often as the interval. Where the error is
    small the two are one. Both belong to the signed estimate, whatever ``negative`` makes of it.

    An error of a window mean says how far the mean lies from the level of the window's own days. Where volume and
    volatility persist that level wanders, and the error does not say how far it lies from its long-run mean: with a
    log volume of autocorrelation 0.8 and GARCH returns, 95 % intervals of Amihud's ratio hold the level of the window
    in 94 % (21 bars) to 99 % (250 bars) of windows, and the long-run mean in 59 to 71 %. More ``hac_lags`` help a
    little: 83 % with 62 of 250 bars.
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
        lower, upper = _ends(self._centre, reach, self._scale)
        return Interval(self._wide.like(lower), self._wide.like(upper))

    def __repr__(self) -> str:
        there = int(np.isfinite(self._spread).sum())
        return f"Estimate of shape {self._centre.shape}, {there} of them with a standard error ({self.method})"


def estimated(wide: Wide, values: FloatArray, errors: FloatArray, method: str) -> Estimate:
    """Dress (T, N) estimates and standard errors in the form of the input."""
    return Estimate(wide.like(values), wide.like(errors), method, wide, values, errors, "plain")


def estimated_positive(wide: Wide, values: FloatArray, errors: FloatArray, method: str) -> Estimate:
    """Estimates above zero with a skewed law, whose first-order standard errors are known."""
    outer = _longer_arm(values, errors, "log")
    return Estimate(wide.like(values), wide.like(outer), method, wide, values, errors, "log")


def estimated_root(
    wide: Wide, square: FloatArray, errors: FloatArray, method: str, negative: Negative = "keep"
) -> Estimate:
    """The signed root of (T, N) squares whose standard errors are known."""
    root = wide.like(apply_negative(signed_root(square), negative))
    outer = _longer_arm(square, errors, "root")
    return Estimate(root, wide.like(outer), method, wide, square, errors, "root")


def _ends(centre: FloatArray, reach: FloatArray, scale: Scale) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of intervals that reach so far on the scale on which the centre lives."""
    if scale == "log":
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            factor = np.exp(np.where(centre > 0, reach / centre, np.nan))
            return centre / factor, centre * factor
    lower, upper = centre - reach, centre + reach
    return (signed_root(lower), signed_root(upper)) if scale == "root" else (lower, upper)


def _longer_arm(centre: FloatArray, error: FloatArray, scale: Scale) -> FloatArray:
    """The longer arm of the 95 % interval, over the normal quantile."""
    quantile = ndtri(0.975)
    lower, upper = _ends(centre, quantile * error, scale)
    middle = signed_root(centre) if scale == "root" else centre
    return np.asarray(np.maximum(upper - middle, middle - lower) / quantile)
