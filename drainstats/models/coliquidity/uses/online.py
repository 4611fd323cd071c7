"""One row at a time: a fitted model that goes on as data arrive, without running through its past again.

The state is what the recursions look back on: the last variances and shocks of the margins, the last Q and products of
shocks. A step costs O(N^2) and equals the row of a `filter` over all data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.recursion import DCCResult
from drainstats.models.coliquidity.margins.forecasts import coefficients
from drainstats.models.coliquidity.margins.garch import GARCHResult
from drainstats.models.coliquidity.margins.laws import NORMAL_SIZE
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class OnlineCorrelation:
    """Where a model stands after its last row, and what it expects of the next one.

    Attributes
    ----------
    mean : Series, expected values of the next row.
    volatility : Series, conditional standard deviations of the next row, units of the data.
    correlation : N × N frame of the next row.
    rows : rows seen since `online` was called.
    """

    mean: pd.Series
    volatility: pd.Series
    correlation: pd.DataFrame
    rows: int
    _model: DCCResult
    _past: _Past

    @property
    def covariance(self) -> pd.DataFrame:
        """N × N frame of the next row, squared units of the data."""
        return self.correlation * np.outer(self.volatility, self.volatility)

    def update(self, row: Any) -> OnlineCorrelation:
        """Take in the next row.

        Parameters
        ----------
        row : (N,) Series by asset, or array

        Returns
        -------
        OnlineCorrelation
            A new state; this one stays as it is.

        Raises
        ------
        DataError
            Values that are missing or infinite, or of other assets.
        """
        names = self.volatility.index
        if isinstance(row, pd.Series) and set(row.index) != set(names):
            raise DataError(f"The row has the assets {list(row.index)}, the model {list(names)}.")
        y = np.asarray(row.reindex(names) if isinstance(row, pd.Series) else row, dtype=np.float64)
        if y.shape != (len(names),):
            raise DataError(f"The row has the shape {y.shape}; the model has {len(names)} assets.")
        if not np.isfinite(y).all():
            raise DataError("The row has a value that is missing or infinite; filter takes rows with holes.")
        z = (y - self.mean.to_numpy()) / self.volatility.to_numpy()
        return _state(
            self._model, self._past.with_row(self._model, y, z, self.volatility.to_numpy() ** 2), self.rows + 1
        )

    def __repr__(self) -> str:
        n = len(self.volatility)
        level = (self.correlation.to_numpy().sum() - n) / (n * (n - 1))
        return f"<OnlineCorrelation: {n} assets, {self.rows} new rows, average correlation of the next {level:.4f}>"


@dataclass(frozen=True, slots=True)
class _Past:
    """What the recursions look back on, newest last: y (L, N), h and z (depth, N), Q, shock products, falling ones."""

    y: FloatArray
    h: FloatArray
    z: FloatArray
    path: list[FloatArray]
    news: list[FloatArray]
    falls: list[FloatArray]

    def with_row(self, model: DCCResult, y: FloatArray, z: FloatArray, h: FloatArray) -> _Past:
        """What is looked back on after a row of data, shocks and variances (N,)."""
        q = _next_q(model, self)
        shock = model.spec.shock(q, z)
        fall = np.minimum(shock, 0.0)
        return _Past(
            np.concatenate([self.y, y[None]])[1:],
            np.concatenate([self.h, h[None]])[1:],
            np.concatenate([self.z, z[None]])[1:],
            [*self.path[1:], q],
            [*self.news[1:], np.outer(shock, shock)],
            [*self.falls[1:], np.outer(fall, fall)],
        )


def online(res: Any) -> OnlineCorrelation:
    """Go on from the last row of a result, row by row.

    Parameters
    ----------
    res : result of `DCC`, `ADCC` or `CDCC`, fitted or filtered, on `GARCH` or `EGARCH` margins without regressors.

    Returns
    -------
    OnlineCorrelation
        What is expected of the next row; ``update`` takes it in.

    Raises
    ------
    OptionError
        Another model or other margins.
    DataError
        Missing values in the last rows; too few rows.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> state = ds.online(ds.DCC().fit(y[:399]))
    >>> state.update(y[399]).rows
    1
    """
    if not isinstance(res, DCCResult) or not isinstance(res.margins, GARCHResult):
        raise OptionError("online takes a result of DCC, ADCC or CDCC on GARCH or EGARCH margins.")
    margins = res.margins
    if margins.mean_x.shape[1] or margins.variance_x.shape[1]:
        raise OptionError("The margins have regressors, whose next values are not in the row; use filter.")
    m, depth = res.spec.weights(res.params[res.spec.parameter_names].to_numpy()).lags, margins.spec.depth
    L = max(margins.spec.lag_set, default=0)
    if res.nobs < max(m, depth, L):
        raise DataError(
            f"{res.nobs} rows are there and the model looks back {max(m, depth, L)}; filter a longer stretch."
        )
    y, h, z = margins.y[res.nobs - L :], margins.volatility_values[-depth:] ** 2, margins.std_resid_values[-depth:]
    if not np.isfinite(margins.std_resid_values[-max(m, depth, L) :]).all():
        raise DataError("The last rows have missing values; online goes on from complete ones.")
    return _state(res, _Past(y, h, z, *res.tail(m)), 0)


def _state(model: DCCResult, past: _Past, rows: int) -> OnlineCorrelation:
    names = model.columns
    correlation = pd.DataFrame(to_correlation(_next_q(model, past)), index=names, columns=names)
    mean, variance = _next_mean(model.margins, past), _next_variance(model.margins, past)
    return OnlineCorrelation(
        pd.Series(mean, index=names, name="mean"),
        pd.Series(np.sqrt(variance), index=names, name="volatility"),
        correlation,
        rows,
        model,
        past,
    )


def _next_q(model: DCCResult, past: _Past) -> FloatArray:
    weights = model.spec.weights(model.params[model.spec.parameter_names].to_numpy())
    stack = model.target.reshape(-1, *model.target.shape[-2:])
    return weights.step(weights.intercept(stack), past.path, past.news, past.falls)


def _next_variance(margins: GARCHResult, past: _Past) -> FloatArray:
    """h of the next row (N,)."""
    _, omega, alpha, gamma, beta, _, _ = coefficients(margins)
    h, z = past.h[::-1], past.z[::-1]
    if margins.spec.exponential:
        log = omega + (alpha * (np.abs(z[: len(alpha)]) - NORMAL_SIZE)).sum(0) + (gamma * z[: len(gamma)]).sum(0)
        return np.asarray(np.exp(log + (beta * np.log(h[: len(beta)])).sum(0)))
    square, falling = z**2 * h, np.minimum(z, 0.0) ** 2 * h
    news = (alpha * square[: len(alpha)]).sum(0) + (gamma * falling[: len(gamma)]).sum(0)
    return np.asarray(omega + news + (beta * h[: len(beta)]).sum(0))


def _next_mean(margins: GARCHResult, past: _Past) -> FloatArray:
    """Expected value of the next row (N,)."""
    mean, spec = coefficients(margins)[0], margins.spec
    out = mean[0].copy() if spec.mean != "zero" else np.zeros(len(margins.columns))
    for coefficient, lag in zip(mean[spec.lagged], spec.lag_set, strict=True):
        out += coefficient * (past.y[-lag:].mean(axis=0) if spec.mean == "har" else past.y[-lag])
    return out
