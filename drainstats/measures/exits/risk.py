"""Risk measures that know that leaving takes time and money: LVaR, liquidity horizons, cross-impact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.measures.exits.fills import positive_number
from drainstats.typing import FloatArray

FRTB_HORIZONS = (10, 20, 40, 60, 120)


def bangia_lvar(
    value: float,
    volatility: float,
    quantile: float = 2.33,
    spread: float = 0.0,
    spread_volatility: float = 0.0,
    spread_quantile: float = 3.0,
    kurtosis: float = 3.0,
    fat_tail: float = 0.0,
    days: float = 1.0,
    loss: Literal["lognormal", "linear"] = "lognormal",
) -> float:
    """Value at risk with the cost of the spread at its worst (Bangia, Diebold, Schuermann and Stroughair, 1999).

    P (1 − exp(−alpha theta sigma √days)) + P (S + a sigma_S) / 2 with theta = 1 + phi ln(kurtosis / 3). The spread is
    paid once: it is added after the scaling with time. The size of the position does not enter: pair it with an impact
    law (`square_root_cost`).

    Parameters
    ----------
    value : float
        P, of the position at the mid.
    volatility : float
        sigma of daily log returns.
    quantile : float, default 2.33
        alpha.
    spread, spread_volatility : float, default 0
        Mean and standard deviation of the relative spread.
    spread_quantile : float, default 3.0
        a; 2 to 4.5 by the spread's tail.
    kurtosis : float, default 3.0
        Of daily returns; 3 for the normal.
    fat_tail : float, default 0
        phi.
    days : float, default 1
    loss : {"lognormal", "linear"}, default "lognormal"
        How a return becomes a loss; "linear", P alpha theta sigma √days, is the textbook's constant-spread version.

    Returns
    -------
    float
        In the unit of ``value``.

    Raises
    ------
    OptionError

    References
    ----------
    Bangia, Diebold, Schuermann and Stroughair (1999), Modeling liquidity risk, Wharton 99-06.

    Examples
    --------
    >>> import drainstats as ds
    >>> round(ds.measures.bangia_lvar(1e6, 0.012, 2.33, 0.005, 0.0025, 3.0, kurtosis=6.0, fat_tail=0.4), 6)
    41332.002625
    """
    p, sigma = positive_number("value", value), positive_number("volatility", volatility, zero=True)
    theta = 1 + positive_number("fat_tail", fat_tail, zero=True) * np.log(positive_number("kurtosis", kurtosis) / 3)
    if theta <= 0:
        raise OptionError(f"kurtosis={kurtosis:g} with fat_tail={fat_tail:g} makes a tail factor of {theta:g}.")
    check_option("loss", loss, ["lognormal", "linear"])
    move = quantile * theta * sigma * np.sqrt(positive_number("days", days))
    price_part = -np.expm1(-move) if loss == "lognormal" else move
    return float(p * price_part + p * (spread + spread_quantile * spread_volatility) / 2)


def liquidity_horizon_es(
    shortfalls: Sequence[float], horizons: Sequence[float] = FRTB_HORIZONS, base: float = 10.0
) -> float:
    """Expected shortfall over several liquidity horizons: √Σ (ES_j √((LH_j − LH_{j−1}) / T))².

    Parameters
    ----------
    shortfalls : sequence of float
        ES_j over the base horizon when only factors with a horizon of at least LH_j move.
    horizons : sequence of float, default (10, 20, 40, 60, 120)
        LH_j in days, rising.
    base : float, default 10
        T, days.

    Returns
    -------
    float

    Raises
    ------
    DataError
        Lengths that differ, horizons that do not rise.

    References
    ----------
    Basel Committee on Banking Supervision, MAR33.4.

    Examples
    --------
    >>> import drainstats as ds
    >>> round(ds.measures.liquidity_horizon_es([100, 80, 50, 30, 20]), 6)
    160.0
    """
    es, ends = np.asarray(shortfalls, dtype=np.float64), np.asarray(horizons, dtype=np.float64)
    if es.shape != ends.shape or es.ndim != 1 or not len(es):
        raise DataError(f"{es.size} shortfalls and {ends.size} horizons came: one each is expected.")
    steps = np.diff(ends, prepend=0.0)
    if (steps <= 0).any() or not np.isfinite(es).all():
        raise DataError("Horizons rise from above zero, shortfalls are finite.")
    return float(np.sqrt((es**2 * steps / positive_number("base", base)).sum()))


def kyle_cross_impact(returns: Any, flows: Any) -> FloatArray:
    """The symmetric cross-impact matrix that makes flows explain returns: Λ Ω Λ = Σ.

    With Ω = L L′, Λ = L⁻′ (L′ Σ L)^½ L⁻¹. A price moves by Λ Q; selling Q costs Q′ Λ Q / 2. Selling everything at once
    loads the market mode: summing the costs of single assets hides what that costs.

    Parameters
    ----------
    returns : (N, N) array
        Σ, covariance of returns (or price moves).
    flows : (N, N) array
        Ω, covariance of signed flows over the same interval; positive definite.

    Returns
    -------
    (N, N) array
        Symmetric, positive semi-definite, so that no round trip gains.

    Raises
    ------
    DataError
        Matrices that do not match, are not symmetric, or have no Cholesky factor.

    References
    ----------
    Caballe and Krishnan (1994), Econometrica 62(3), 695-704; Garcia del Molino, Mastromatteo, Benzaquen and Bouchaud
    (2020), SIAM Journal on Financial Mathematics 11(1), 327-372.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> impact = ds.measures.kyle_cross_impact([[4e-4, 2.4e-4], [2.4e-4, 9e-4]], [[1.0, 0.3], [0.3, 4.0]])
    >>> impact.round(6)
    array([[0.019026, 0.00197 ],
           [0.00197 , 0.014821]])
    """
    sigma, omega = (_symmetric(n, m) for n, m in (("returns", returns), ("flows", flows)))
    if sigma.shape != omega.shape:
        raise DataError(f"returns is {sigma.shape}, flows {omega.shape}: the same assets are expected.")
    try:
        lower = np.linalg.cholesky(omega)
    except np.linalg.LinAlgError as error:
        raise DataError("The covariance of flows is not positive definite; leave out an asset or shrink it.") from error
    values, vectors = np.linalg.eigh(lower.T @ sigma @ lower)
    if values[0] < -1e-10 * max(values[-1], 1e-300):
        raise DataError("The covariance of returns has a negative eigenvalue.")
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    inverse = np.linalg.inv(lower)
    impact = inverse.T @ root @ inverse
    return (impact + impact.T) / 2


def _symmetric(name: str, matrix: Any) -> FloatArray:
    array = np.array(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise DataError(f"{name} is a square matrix of finite numbers; {array.shape} came.")
    if not np.allclose(array, array.T, rtol=1e-10, atol=1e-12 * np.abs(array).max(initial=0.0)):
        raise DataError(f"{name} is not symmetric.")
    return array


def impact_in_money(cross_impact: Any, table: pd.DataFrame, unit: Literal["base", "money"]) -> pd.DataFrame:
    """Λ of the table's assets as return per unit of quote currency."""
    if isinstance(cross_impact, pd.DataFrame):
        lacking = [a for a in table.index if a not in cross_impact.index or a not in cross_impact.columns]
        if lacking:
            raise DataError(f"cross_impact lacks {lacking[0]}: a row and a column an asset are expected.")
        cross_impact = cross_impact.loc[table.index, table.index]
    matrix = _impact_matrix(cross_impact)
    if len(matrix) != len(table):
        raise DataError(f"cross_impact is {matrix.shape}, and there are {len(table)} positions.")
    if unit == "base":
        price = table["reference"].to_numpy(dtype=np.float64)
        matrix = matrix / np.outer(price, price)
    return pd.DataFrame(matrix, table.index, table.index)


def cross_parts(impact: pd.DataFrame | None, value: pd.Series) -> pd.DataFrame:
    """Own and cross part of Q′ Λ Q / 2 by asset; zero without a Λ."""
    if impact is None:
        return pd.DataFrame(0.0, value.index, ["own", "cross"])
    q = value.to_numpy(dtype=np.float64)
    # What is not traded moves nothing, also where it has no price.
    matrix = np.where(np.outer(q, q) == 0, 0.0, impact.to_numpy())
    own = np.diag(matrix) * q**2 / 2
    return pd.DataFrame({"own": own, "cross": q * (matrix @ q) / 2 - own}, value.index)


def _impact_matrix(matrix: Any) -> FloatArray:
    """A matrix Λ under which no round trip gains; `DataError` unless it is symmetric and positive semi-definite."""
    array = _symmetric("cross_impact", matrix)
    values = np.linalg.eigvalsh(array)
    if len(values) and values[0] < -1e-10 * max(values[-1], 1e-300):
        raise DataError("cross_impact has a negative eigenvalue: some round trip would gain.")
    return array
