"""Is anything left in the residuals, between the series or in one of them?

With C_k = sum_t u[t] u[t-k]' / T of the residuals about their mean and tau_k = tr(C_k' C_0^-1 C_k C_0^-1):

    Hosking       T^2 sum_k tau_k / (T - k)
    Li-McLeod     T sum_k tau_k + N^2 m (m + 1) / (2 T)                          both chi2(N^2 m - fitted)
    Ling-Li       T sum_k r_k^2,  r_k: autocorrelation of u[t]' V[t]^-1 u[t]     chi2(m - fitted)

Hosking (1980), Journal of the American Statistical Association 75, 602-608; Li and McLeod (1981), Journal of the Royal
Statistical Society B 43, 231-239; Ling and Li (1997), Journal of Time Series Analysis 18, 447-464. By margin: Ljung and
Box (1978), Biometrika 65, 297-303, on residuals and squares; Engle (1982), Econometrica 50, 987-1007; Jarque and Bera
(1987), International Statistical Review 55, 163-172.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.models.coliquidity.correlation import correlation_root
from drainstats.models.coliquidity.inputs import check_target, complete_rows
from drainstats.typing import FloatArray

NULLS = {
    "hosking": ("residuals are not correlated with each other's past", "some lagged correlation is not zero"),
    "li_mcleod": ("residuals are not correlated with each other's past", "some lagged correlation is not zero"),
    "ling_li": ("the size of the residual vector does not depend on its past", "large residual vectors come in spells"),
}


@dataclass(frozen=True)
class Portmanteau:
    """A test on the autocorrelation of several series at once.

    Attributes
    ----------
    method : its name.
    statistic : float
    df : degrees of freedom of the chi-squared distribution.
    p_value : float
    null, alternative : the hypotheses in words.
    lags, nobs, assets : lags, rows and columns used.
    """

    method: str
    statistic: float
    df: int
    p_value: float
    null: str
    alternative: str
    lags: int
    nobs: int
    assets: int

    def __repr__(self) -> str:
        return (
            f"<Portmanteau test, {self.method}: {self.lags} lags, {self.nobs} rows, {self.assets} assets\n"
            f" null:        {self.null}\n alternative: {self.alternative}\n"
            f" statistic {self.statistic:.4f}, chi2({self.df}), p = {self.p_value:.4g}>"
        )


def portmanteau(
    residuals: Any, method: Literal["hosking", "li_mcleod", "ling_li"] = "hosking", lags: int = 10, fitted: int = 0
) -> Portmanteau:
    """Test residuals of several series for what their past still tells.

    Parameters
    ----------
    residuals : (T, N) table or array, or a fitted result
        Residuals, complete rows; or a `CCCResult` or `DCCResult`: then its standardised residuals, whitened by the
        conditional correlation of their row.
    method : {"hosking", "li_mcleod", "ling_li"}, default "hosking"
        The first two look at the residuals, the third at the size of their vector, that is at variances.
    lags : int, default 10
    fitted : int, default 0
        Degrees of freedom that fitting took: N^2 times the order of a vector autoregression for the first two. A model
        of variances and correlations takes none from them; for "ling_li" the order of the variance is customary.

    Returns
    -------
    Portmanteau

    Raises
    ------
    DataError
        Missing values, too few rows, a series that does not vary or repeats another.
    OptionError
        No degree of freedom is left.

    References
    ----------
    Hosking (1980); Li and McLeod (1981); Ling and Li (1997).

    Examples
    --------
    >>> import numpy as np
    >>> u = np.random.default_rng(0).standard_normal((500, 3))
    >>> found = portmanteau(u, lags=5)
    >>> found.df, bool(found.p_value > 0.05)
    (45, True)
    """
    from scipy.special import chdtrc

    check_option("method", method, list(NULLS))
    check_whole("lags", lags, 1)
    check_whole("fitted", fitted, 0)
    u, columns = _whitened(residuals, lags)
    T, N = u.shape
    df = (lags if method == "ling_li" else N * N * lags) - fitted
    if df < 1:
        raise OptionError(f"fitted={fitted} leaves {df} degrees of freedom for {lags} lags; take more lags.")
    if method != "ling_li":
        u = u - u.mean(axis=0)
    second = u.T @ u / T
    check_target(second, columns)
    white = np.linalg.solve(correlation_root(second), u.T).T
    if method == "ling_li":
        size = (white**2).sum(axis=1) - N
        lagged = np.array([size[k:] @ size[: T - k] for k in range(1, lags + 1)]) / (size @ size)
        value = float(T * (lagged**2).sum())
    else:
        # With C_0 = I the trace is a sum of squares.
        tau = np.array([((white[k:].T @ white[: T - k] / T) ** 2).sum() for k in range(1, lags + 1)])
        value = float(T**2 * (tau / (T - np.arange(1, lags + 1))).sum())
        if method == "li_mcleod":
            value = float(T * tau.sum() + N * N * lags * (lags + 1) / (2.0 * T))
    return Portmanteau(method, value, df, float(chdtrc(df, value)), *NULLS[method], lags, T, N)


def _whitened(residuals: Any, lags: int) -> tuple[FloatArray, pd.Index]:
    """Residuals (T, N) and names; of a result of correlations R[t]^-1/2 z[t]."""
    z = getattr(residuals, "std_resid", residuals)
    wide = complete_rows(z, 3)
    T, N = wide.values.shape
    if N + lags >= T:
        raise DataError(f"{T} rows came for {N} assets and {lags} lags; take fewer lags or more rows.")
    if not hasattr(residuals, "iter"):
        return wide.values, wide.columns
    rows = [np.linalg.solve(correlation_root(R), z) for (_, R), z in zip(residuals.iter(), wide.values, strict=True)]
    return np.array(rows), wide.columns


def margin_diagnostics(residuals: Any, lags: int = 10, tail: float = 3.0) -> pd.DataFrame:
    """What is left in each series of standardised residuals, one row a series.

    Parameters
    ----------
    residuals : (T, N) table or array, Series, or a fitted result
        Standardised residuals, complete rows; of a result its own.
    lags : int, default 10
    tail : float, default 3
        A residual beyond this many standard deviations counts as a tail.

    Returns
    -------
    DataFrame
        ``mean``, ``std``, ``skewness``, ``kurtosis`` (3 for a normal); ``ljung_box``, ``ljung_box_squared``,
        ``arch_lm``, ``jarque_bera`` with ``..._p`` for p-values (``lags`` degrees of freedom, Jarque-Bera 2; none is
        taken for fitting); ``below`` and ``above``: counts of z < -tail and z > tail; ``expected``: the count on
        either side if z were normal.

    Raises
    ------
    DataError
        Missing values, too few rows, a series that does not vary.

    References
    ----------
    Ljung and Box (1978); Engle (1982); Jarque and Bera (1987).

    Examples
    --------
    >>> import numpy as np
    >>> z = np.random.default_rng(0).standard_t(4, (1000, 2)) / np.sqrt(2)
    >>> table = margin_diagnostics(z)
    >>> bool((table["jarque_bera_p"] < 0.001).all()), bool((table["arch_lm_p"] > 0.01).all())
    (True, True)
    """
    from scipy.special import chdtrc, ndtr

    check_whole("lags", lags, 1)
    check_number("tail", tail, 0.0)
    wide = complete_rows(getattr(residuals, "std_resid", residuals), 3 * lags + 5)
    T = len(wide.values)
    rows = []
    for z in wide.values.T:
        e = (z - z.mean()) / z.std()
        skewness, kurtosis = float((e**3).mean()), float((e**4).mean())
        values = {
            "ljung_box": ljung_box(z, lags),
            "ljung_box_squared": ljung_box(z**2, lags),
            "arch_lm": arch_lm(z, lags),
            "jarque_bera": T / 6.0 * (skewness**2 + 0.25 * (kurtosis - 3.0) ** 2),
        }
        row = {"mean": z.mean(), "std": z.std(), "skewness": skewness, "kurtosis": kurtosis}
        for name, value in values.items():
            row |= {name: value, f"{name}_p": float(chdtrc(2 if name == "jarque_bera" else lags, value))}
        rows.append(
            row | {"below": int((z < -tail).sum()), "above": int((z > tail).sum()), "expected": T * float(ndtr(-tail))}
        )
    return pd.DataFrame(rows, index=wide.columns)


def ljung_box(x: FloatArray, lags: int) -> float:
    """T (T + 2) sum_k r_k^2 / (T - k) of one series (T,)."""
    T, e = len(x), x - x.mean()
    r = np.array([e[k:] @ e[: T - k] for k in range(1, lags + 1)]) / (e @ e)
    return float(T * (T + 2.0) * (r**2 / (T - np.arange(1, lags + 1))).sum())


def arch_lm(z: FloatArray, lags: int) -> float:
    """Rows times R^2 of the regression of z^2 (T,) on a constant and its lags."""
    square = z**2
    T = len(square)
    design = np.column_stack([np.ones(T - lags), *(square[lags - k : T - k] for k in range(1, lags + 1))])
    left = square[lags:]
    rest = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
    about = left - left.mean()
    return float(len(left) * (1.0 - (rest @ rest) / (about @ about)))
