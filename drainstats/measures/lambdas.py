"""Price impact of signed trading in trailing windows: Kyle's lambda and Hasbrouck's.

Both regress what the price did in a row on the flow of that row. The first row of a window serves as the row before
only, so a window of 21 rows holds 20 moves.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from drainstats.errors import check_option
from drainstats.frames import Wide
from drainstats.measures.estimates import estimated
from drainstats.measures.inference import hac_method, smooth_error
from drainstats.measures.inputs import check_window, checked, in_blocks, signed_root, window_mean
from drainstats.measures.moves import Returns, moves
from drainstats.measures.regressions import Errors, check_fit, fit_method, fit_windows, window_slope
from drainstats.typing import FloatArray

Method: TypeAlias = Literal["ols", "mean_ratio"]


def kyle_lambda(
    price: Any,
    signed_volume: Any,
    window: int = 21,
    returns: Returns = "difference",
    intercept: bool = True,
    method: Method = "ols",
    errors: Errors = "hc3",
    lags: int | None = None,
    min_rows: int | None = None,
    with_se: bool = False,
) -> Any:
    """Kyle's lambda: the slope of price changes on signed volume.

    Parameters
    ----------
    price : (T, N) table, Series or array
        Above zero; take mids where they are known, since the bounce of trade prices adds to lambda.
    signed_volume : (T, N) table, Series or array
        Bought less sold during the row, in base units or in quote currency (column ``signed_volume`` of `tick_bars`).
    window : int, default 21
        Rows of a window.
    returns : {"difference", "log", "simple"}, default "difference"
        What a price change is.
    intercept : bool, default True
        Whether the regression has one; frds has none.
    method : {"ols", "mean_ratio"}, default "ols"
        The slope, or the mean of change over signed volume (mlfinlab), in which rows with little volume weigh most.
        Rows without signed volume have no ratio and are left out.
    errors : {"classical", "hc1", "hc3", "newey_west"}, default "hc3"
        Of the slope; those of the mean ratio are always Newey-West.
    lags : int, optional
        Rows of dependence for Newey-West errors.
    min_rows : int, optional
        Fewest complete rows of a regression; by default one more than coefficients.
    with_se : bool, default False
        Return an `Estimate` with standard errors.

    Returns
    -------
    Same kind and shape as ``price``, or Estimate
        Price change per unit of signed volume; rises with illiquidity. NaN where all signed volumes of a window are
        equal.

    Raises
    ------
    DataError
        A price that is not above zero, infinite numbers, tables that do not match, fewer rows than the window.

    References
    ----------
    Kyle (1985), Econometrica 53(6), 1315-1335.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> flow = np.array([0.0, 100.0, -50.0, 80.0, -20.0])
    >>> price = 10 + np.cumsum(0.001 * flow)
    >>> ds.measures.kyle_lambda(price, flow, window=5).round(6)
    array([  nan,   nan,   nan,   nan, 0.001])
    """
    wides = checked({"price": price}, {}, {"signed_volume": signed_volume}, copy=False)
    return _impact(wides, False, window, returns, intercept, method, errors, lags, min_rows, with_se)


def hasbrouck_lambda(
    price: Any,
    signed_flow: Any,
    window: int = 21,
    flow: Literal["value", "root"] = "value",
    returns: Returns = "log",
    intercept: bool = False,
    method: Method = "ols",
    errors: Errors = "hc3",
    lags: int | None = None,
    min_rows: int | None = None,
    with_se: bool = False,
) -> Any:
    """Hasbrouck's lambda: the slope of returns on the sum of signed square roots of traded value.

    Parameters
    ----------
    price : (T, N) table, Series or array
        Above zero, at the end of each interval; Hasbrouck takes five minutes.
    signed_flow : (T, N) table, Series or array
        With ``flow="root"`` the sum over the interval's trades of side × sqrt(value). With ``flow="value"`` the signed
        value of the interval, whose signed root is taken: the same with one trade an interval, else a stand-in when
        single trades are not at hand.
    flow : {"value", "root"}, default "value"
    window, method, errors, lags, min_rows, with_se :
        As in `kyle_lambda`.
    returns : {"log", "simple", "difference"}, default "log"
    intercept : bool, default False
        The published regression has none.

    Returns
    -------
    Same kind and shape as ``price``, or Estimate
        Return per root of quote currency; rises with illiquidity. Returns keep their sign: absolute returns on signed
        flow would give about zero whatever the impact.

    Raises
    ------
    DataError
        As in `kyle_lambda`.

    References
    ----------
    Hasbrouck (2009), Journal of Finance 64(3), 1445-1477; Goyenko, Holden and Trzcinka (2009), Journal of Financial
    Economics 92(2), 153-181.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> value = np.array([0.0, 1e4, -4e4, 9e4, -1e4])
    >>> price = 10 * np.exp(np.cumsum(1e-5 * np.sign(value) * np.sqrt(abs(value))))
    >>> ds.measures.hasbrouck_lambda(price, value, window=5).round(9)
    array([  nan,   nan,   nan,   nan, 1.e-05])
    """
    check_option("flow", flow, ["value", "root"])
    wides = checked({"price": price}, {}, {"signed_flow": signed_flow}, copy=False)
    return _impact(wides, flow == "value", window, returns, intercept, method, errors, lags, min_rows, with_se)


def _impact(
    wides: tuple[Wide, ...], root: bool, window: int, returns: Returns, intercept: bool, method: Method,
    errors: Errors, lags: int | None, min_rows: int | None, with_se: bool,
) -> Any:  # fmt: skip
    check_option("method", method, ["ols", "mean_ratio"])
    check_option("returns", returns, ["log", "simple", "difference"])
    window = check_window(window, len(wides[0].values), 2 if method == "mean_ratio" else 3 + intercept)
    reach, least = check_fit(2 + intercept, window - 1, errors, lags, min_rows) if method == "ols" else (0, 1)

    def block(price: FloatArray, flow: FloatArray) -> list[FloatArray]:
        move, flow = moves(price, returns), signed_root(flow) if root else flow
        if method == "ols" and with_se:
            fit = fit_windows(
                move, [flow], window - 1, blank=window - 1, intercept=intercept, errors=errors, lags=lags,
                min_rows=min_rows,
            )  # fmt: skip
            return [fit.coefficients[-1], fit.errors[-1]]
        if method == "ols":
            found = [window_slope(move, flow, window - 1, least, intercept)]
        else:
            ratio = np.divide(move, flow, out=np.full_like(move, np.nan), where=flow != 0)
            found = [window_mean(ratio, window - 1)]
            if with_se:
                found.append(smooth_error([ratio], [1.0], window - 1, lags))
        for table in found:
            table[: window - 1] = np.nan
        return found

    found, *error = in_blocks(block, *wides)
    if not with_se:
        return wides[0].like(found)
    ratios = f"mean of ratios, {hac_method(window - 1, lags)}"
    return estimated(wides[0], found, error[0], fit_method(errors, reach) if method == "ols" else ratios)
