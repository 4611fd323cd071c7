"""Innovations of log illiquidity: what is new in it today, ready for a model of its variance."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide, as_wide
from drainstats.typing import FloatArray


def innovations(
    illiquidity: Any,
    method: Literal["log_difference", "ar_residual", "none"] = "log_difference",
    lags: int = 5,
) -> Any:
    """Turn illiquidity into innovations.

    Values of zero or less have no logarithm: by the rule "nonpositive to missing" they become NaN, as does every
    innovation that needs them, and they are counted, never filled; `log_illiquidity` has other rules.

    Parameters
    ----------
    illiquidity : (T, N) table, Series or array
        Any unit, positive when informative; NaN is allowed.
    method : {"log_difference", "ar_residual", "none"}, default "log_difference"
        "log_difference": log x[t] - log x[t-1]; row t uses rows up to t only, so it is causal. "ar_residual": residuals
        of an autoregression of log x with a constant, fitted by least squares on the *whole* sample, so they are *not*
        causal: cutting the future changes the coefficients and with them the past. "none": the input itself, for data
        that are innovations or returns already.
    lags : int, default 5
        Order of the autoregression.

    Returns
    -------
    The kind of table that came in, same shape, NaN where the innovation is undefined. A DataFrame or Series carries
    ``attrs["nonpositive"]`` (values set to missing, by column), ``attrs["method"]`` and ``attrs["causal"]``.

    Raises
    ------
    DataError
        Infinite values, or an autoregression with too few complete rows.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [1.0, 2.0, 0.0, 4.0]})
    >>> moves = innovations(x)
    >>> moves["A"].round(3).tolist(), moves.attrs["nonpositive"]
    ([nan, 0.693, nan, nan], {'A': 1})
    """
    check_option("method", method, ["log_difference", "ar_residual", "none"])
    if not isinstance(lags, (int, np.integer)) or lags < 1:
        raise OptionError(f"lags={lags!r} must be a whole number, 1 or more.")
    wide = as_wide(illiquidity, "illiquidity")
    values = wide.values
    refuse_infinite(wide)
    lost = np.zeros(values.shape[1], dtype=np.int64)
    out = values
    if method != "none":
        lost = (values <= 0.0).sum(axis=0)
        logs = np.log(np.where(values > 0.0, values, np.nan))
        if method == "log_difference":
            out = np.full_like(logs, np.nan)
            out[1:] = logs[1:] - logs[:-1]
        else:
            out = np.empty_like(logs)
            for i, name in enumerate(wide.columns):
                out[:, i] = _ar_residual(logs[:, i], lags, name)
    table = wide.like(out)
    if isinstance(table, (pd.DataFrame, pd.Series)):
        counts = {name: int(count) for name, count in zip(wide.columns, lost, strict=True)}
        table.attrs.update(nonpositive=counts, method=method, causal=method != "ar_residual")
    return table


def refuse_infinite(wide: Wide) -> None:
    """An infinite illiquidity is no illiquidity."""
    if np.isinf(wide.values).any():
        row, column = (int(k[0]) for k in np.nonzero(np.isinf(wide.values)))
        raise DataError(
            "illiquidity holds an infinite value; look for a division by zero.",
            row=wide.index[row],
            column=wide.columns[column],
        )


def _ar_residual(x: FloatArray, lags: int, name: Any) -> FloatArray:
    """Least-squares residuals on the rows whose value and lags are all there."""
    before = [np.concatenate([np.full(k, np.nan), x[:-k]])[: len(x)] for k in range(1, lags + 1)]
    design = np.column_stack([np.ones(len(x)), *before])
    there = np.isfinite(x) & np.isfinite(design).all(axis=1)
    if there.sum() < 2 * (lags + 1):
        raise DataError(
            f"An autoregression of order {lags} needs {2 * (lags + 1)} complete rows, {int(there.sum())} are there; "
            "take fewer lags.",
            column=name,
        )
    coefficients = np.linalg.lstsq(design[there], x[there], rcond=None)[0]
    out = np.full(len(x), np.nan)
    out[there] = x[there] - design[there] @ coefficients
    return out
