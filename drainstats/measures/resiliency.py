"""How fast liquidity comes back: mean reversion of a depth, a spread or any other measure."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from drainstats.errors import OptionError, check_option, check_whole
from drainstats.measures.estimates import estimated, estimated_positive
from drainstats.measures.inputs import check_window
from drainstats.measures.moves import before, finite
from drainstats.measures.regressions import MOST, Errors, fit_windows
from drainstats.typing import FloatArray

# Far above what a persistence that is estimated from finite data can say: beyond it there is no return to a mean.
_UNIT = 1.0 - 1e-12


def resilience(
    liquidity: Any,
    window: int = 250,
    output: Literal["speed", "half_life"] = "speed",
    lags: int = 0,
    bias: Literal["keep", "kendall"] | None = None,
    errors: Errors = "hc3",
    min_rows: int | None = None,
    with_se: bool = False,
) -> Any:
    """Resiliency: how fast liquidity returns to its mean, the speed kappa or the half-life of what is left.

    In each window x[t] − x[t−1] = a − kappa x[t−1] + sum of c[i] (x[t−i] − x[t−i−1]) + noise, i = 1 … ``lags``. Half of
    a departure from the mean is gone after ln 2 / −ln(1 − kappa) rows. Take patterns of the day out first: they revert
    too.

    Parameters
    ----------
    liquidity : (T, N) table, Series or array
        Any measure in equal steps of time, e.g. depth a minute. The log of a depth or of a spread has steadier noise.
    window : int, default 250
        Rows of a window, its first 1 + ``lags`` serve as the rows before only.
    output : {"speed", "half_life"}, default "speed"
    lags : int, default 0
        Number of past changes beside the level, at most 4.
    bias : {"kendall", "keep"}, optional
        Least squares finds the persistence 1 − kappa too low by about (1 + 3 (1 − kappa)) / n in n rows (Kendall,
        1954), so that liquidity seems to return too fast. "kendall" adds it back, the default without lags; "keep" is
        plain least squares, the only choice with lags.
    errors : {"classical", "hc1", "hc3", "newey_west"}, default "hc3"
    min_rows : int, optional
        Fewest complete rows; by default one more than coefficients.
    with_se : bool, default False
        Return an `Estimate` with standard errors (of the half-life by the delta method).

    Returns
    -------
    Same kind and shape as ``liquidity``, or Estimate
        Speed: share of a departure that is gone a row later; rises with resiliency. Half-life: rows. It is infinite,
        without a standard error, where kappa ≤ 0: the window shows no return to a mean. It is 0 where kappa ≥ 1: the
        departure is gone, or turned over, within a row.

    Raises
    ------
    DataError
        Infinite numbers, fewer rows than the window.
    OptionError
        A window shorter than the coefficients need, ``bias="kendall"`` with lags.

    References
    ----------
    Kempf, Mayston, Gehde-Trapp and Yadav (2015), Resiliency: a dynamic view of liquidity, CFR working paper 15-04;
    Kendall (1954), Biometrika 41, 403-404.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> depth = 100 - 40 * 0.5 ** np.arange(6.0)
    >>> ds.measures.resilience(depth, window=6, output="half_life", bias="keep").round(6)
    array([nan, nan, nan, nan, nan,  1.])
    """
    check_option("output", output, ["speed", "half_life"])
    check_whole("lags", lags, 0)
    bias = ("keep" if lags else "kendall") if bias is None else bias
    check_option("bias", bias, ["keep", "kendall"])
    if lags > MOST - 1 or (lags and bias == "kendall"):
        raise OptionError(f"lags={lags} with bias={bias!r}: at most {MOST - 1} lags, and none with 'kendall'.")
    (wide,) = finite(liquidity=liquidity)
    window = check_window(window, len(wide.values), 2 * lags + 4)
    x = wide.values
    change = x - before(x)
    past = [before(x), *(before(change, k) for k in range(1, lags + 1))]
    fit = fit_windows(
        change, past, window - 1 - lags, blank=window - 1, errors=errors, min_rows=min_rows, with_se=with_se
    )
    stay, error = 1.0 + fit.coefficients[1], fit.errors[1]
    if bias == "kendall":
        rows = np.maximum(fit.rows, 1.0)
        stay, error = stay + (1.0 + 3.0 * stay) / rows, error * (1.0 + 3.0 / rows)
    if output == "speed":
        return estimated(wide, 1.0 - stay, error, fit.method) if with_se else wide.like(1.0 - stay)
    life, error = _half_life(stay, error)
    return estimated_positive(wide, life, error, f"{fit.method}, delta method") if with_se else wide.like(life)


def _half_life(stay: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ln 2 / −ln(persistence) and its error; infinite from a persistence of 1 on, 0 up to a persistence of 0."""
    between = (stay > 0.0) & (stay < _UNIT)
    rate = -np.log(np.where(between, stay, 0.5))
    life = np.where(between, np.log(2.0) / rate, np.where(stay >= _UNIT, np.inf, 0.0))
    slope = np.log(2.0) / (np.where(between, stay, np.nan) * rate**2)
    return np.where(np.isnan(stay), np.nan, life), error * slope
