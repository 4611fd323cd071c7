"""`commonality`: does liquidity move together, how much, and could chance have made it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide, as_wide
from drainstats.measures.comovement import marketmodel, monthly
from drainstats.measures.comovement.changes import Changes, changes_of
from drainstats.measures.comovement.components import component_shares
from drainstats.measures.comovement.inference import (
    block_length,
    newey_west_error,
    null_distribution,
    stationary_rows,
    upper_p_value,
)
from drainstats.measures.inputs import check_window
from drainstats.parallel import pmap
from drainstats.typing import FloatArray

Method = Literal["market_model", "r2", "pca"]
METHODS = ("market_model", "r2", "pca")
STATISTICS = {
    "market_model": "mean adjusted R² due to the market",
    "r2": "mean monthly R²",
    "pca": "share of the first component",
}


@dataclass(frozen=True, eq=False, repr=False)
class Commonality:
    """The answer of `commonality`.

    Parameters
    ----------
    method : str
    statistic : float
        Mean adjusted R² due to the market, mean monthly R², or the share of the first component.
    std_error : float
        Of the statistic, from the stationary bootstrap (for "r2": Newey-West over months); NaN without replications.
    p_value : float
        Share of circular shifts whose statistic is at least as large; NaN without replications.
    null_mean : float
        Mean of the statistic when timing is broken: what chance alone makes of it.
    table : DataFrame
        "market_model": a row an asset (n, adjusted r2, r2_market, beta, beta_se, … leads and lags, controls);
        "r2": month × asset; "pca": a row a component (share, cumulative).
    assets, rows : int
    """

    method: str
    statistic: float
    std_error: float
    p_value: float
    null_mean: float
    table: pd.DataFrame
    assets: int
    rows: int

    @property
    def logit(self) -> pd.DataFrame:
        """ln(R² / (1 − R²)) of the monthly table, for averages and regressions; missing at 0 and 1."""
        if self.method != "r2":
            raise OptionError(f'The logit belongs to method="r2", not to {self.method!r}.')
        inside = self.table.where((self.table > 0) & (self.table < 1))
        return np.log(inside) - np.log1p(-inside)

    def __repr__(self) -> str:
        error = "" if np.isnan(self.std_error) else f" ± {self.std_error:.3f}"
        chance = (
            ""
            if np.isnan(self.p_value)
            else f"\n  chance    {self.null_mean:.3f}, p {self.p_value:.3f} (circular shifts)"
        )
        return (
            f"Commonality ({self.method}) of {self.assets} assets × {self.rows} rows\n"
            f"  {STATISTICS[self.method]}: {self.statistic:.3f}{error}{chance}"
        )


def commonality(
    liquidity: Any,
    method: Method = "market_model",
    *,
    changes: Changes = "log",
    leads_and_lags: int = 1,
    controls: Mapping[str, Any] | None = None,
    min_rows: int = 30,
    hac_lags: int = 5,
    replications: int = 199,
    seed: int = 0,
    n_jobs: int = 1,
) -> Commonality:
    """Commonality in liquidity, with an error and against chance.

    Parameters
    ----------
    liquidity : (T, N) table
        A measure of liquidity or illiquidity, N ≥ 3. Levels above zero; or innovations with ``changes="none"``.
    method : {"market_model", "r2", "pca"}, default "market_model"
        "market_model": changes of each asset on those of the others' mean, leads, lags and controls (Chordia, Roll and
        Subrahmanyam, 2000). "r2": within each month, levels filtered by their lag and weekdays, R² on the others' mean
        residual (Karolyi, Lee and van Dijk, 2012); the index must be dates. "pca": variance shares of the components of
        standardised changes (Hasbrouck and Seppi, 2001).
    changes : {"log", "percent", "none"}, default "log"
        For "r2" the level that is filtered: its log, or, with "none", itself.
    leads_and_lags : int, default 1
        Market terms on either side, of the market model.
    controls : mapping of str to (T,) Series or (T, N) table, optional
        Further regressors of the market model: market return, own squared return. R² "due to the market" is what the
        market terms add to them.
    min_rows : int, default 30
        Fewest rows of an asset (in a month for "r2": 15 if more is asked).
    hac_lags : int, default 5
        Of the standard errors of the market model's coefficients (Newey and West).
    replications : int, default 199
        Circular shifts, and bootstrap samples; 0 leaves p-value and error missing.
    seed : int, default 0
    n_jobs : int, default 1

    Returns
    -------
    Commonality

    Raises
    ------
    DataError
        Fewer than three assets, infinite values, no asset with enough rows, controls on other rows.
    OptionError

    References
    ----------
    Chordia, Roll and Subrahmanyam (2000), Journal of Financial Economics 56(1), 3-28; Hasbrouck and Seppi (2001),
    Journal of Financial Economics 59(3), 383-411; Karolyi, Lee and van Dijk (2012), Journal of Financial Economics
    105(1), 82-112.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> x = np.exp(0.5 * rng.normal(size=(400, 1)) + 0.5 * rng.normal(size=(400, 10)))
    >>> found = ds.measures.commonality(x, replications=99)
    >>> found.statistic > 0.3, found.p_value
    (True, 0.01)
    """
    check_option("method", method, METHODS)
    if replications < 0 or min_rows < 5 or leads_and_lags < 0 or hac_lags < 0:
        raise OptionError("replications, leads_and_lags and hac_lags are at least 0, min_rows at least 5.")
    if controls and method != "market_model":
        raise OptionError(f"controls= belong to the market model, not to method={method!r}.")
    if method == "r2":
        return _by_month(_levels(liquidity, changes), min(min_rows, 15), replications, seed, n_jobs)
    wide = changes_of(liquidity, changes, assets=3)
    if method == "pca":
        return _components(wide, replications, seed, n_jobs)
    extra = {name: _control(name, c, wide) for name, c in (controls or {}).items()}
    return _market(wide, extra, leads_and_lags, min_rows, hac_lags, replications, seed, n_jobs)


def rolling_commonality(
    liquidity: Any,
    window: int = 63,
    method: Literal["market_model", "pca"] = "market_model",
    *,
    changes: Changes = "log",
    leads_and_lags: int = 0,
    step: int = 1,
) -> Any:
    """The statistic of `commonality` over trailing windows: how tightly liquidities move together now.

    Parameters
    ----------
    liquidity : (T, N) table
    window : int, default 63
        Rows of changes in a window, at least 10.
    method : {"market_model", "pca"}, default "market_model"
    changes : {"log", "percent", "none"}, default "log"
    leads_and_lags : int, default 0
        Market terms on either side, within the window.
    step : int, default 1
        Rows between windows; the rows between are missing. Neighbouring windows overlap and so move together by
        construction: correlate only windows that do not.

    Returns
    -------
    Series or array of T
        Row t uses rows up to t only. NaN before the first full window.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> x = np.exp(np.random.default_rng(0).normal(size=(120, 5)))
    >>> ds.measures.rolling_commonality(x, window=100, step=10).shape
    (120,)
    """
    check_option("method", method, ["market_model", "pca"])
    wide = changes_of(liquidity, changes, assets=3)
    check_window(window, len(wide.values), 10)
    if step < 1 or leads_and_lags < 0:
        raise OptionError(f"step={step!r} is at least 1, leads_and_lags={leads_and_lags!r} at least 0.")
    out = np.full(len(wide.values), np.nan)
    for t in range(window, len(out), step):
        rows = wide.values[t - window + 1 : t + 1]
        if method == "pca":
            out[t] = component_shares(rows)[0]
        else:
            d = marketmodel.design(rows, leads_and_lags)
            out[t] = _mean(marketmodel.fit(d, max(10, window // 2)).r2_market)
    return pd.Series(out, index=wide.index) if wide.kind in ("frame", "series") else out


def _mean(values: FloatArray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def _control(name: str, control: Any, wide: Wide) -> FloatArray:
    given = as_wide(control, name)
    labelled = given.kind in ("frame", "series") and wide.kind in ("frame", "series")
    if len(given.values) != len(wide.values) or (labelled and not given.index.equals(wide.index)):
        raise DataError(f"The control {name!r} stands on other rows than liquidity; align it first.")
    if given.values.shape[1] not in (1, wide.values.shape[1]):
        raise DataError(f"The control {name!r} has {given.values.shape[1]} columns; one, or one an asset is expected.")
    return np.where(np.isfinite(given.values), given.values, np.nan)


def _market(
    wide: Wide,
    extra: dict[str, FloatArray],
    around: int,
    min_rows: int,
    hac_lags: int,
    replications: int,
    seed: int,
    n_jobs: int,
) -> Commonality:
    controls = list(extra.values())
    d = marketmodel.design(wide.values, around, controls)
    found = marketmodel.fit(d, min_rows, hac_lags=hac_lags)
    if np.isnan(found.r2_market).all():
        raise DataError(f"No asset has {min_rows} complete rows that vary; pass more history or a lower min_rows.")
    lags = [f"beta_lag{k}" for k in range(1, around + 1)] + [f"beta_lead{k}" for k in range(1, around + 1)]
    names = ["constant", "beta", *lags, *extra]
    parts = {"n": found.rows, "r2": found.r2, "r2_market": found.r2_market}
    for place, name in enumerate(names):
        parts |= {name: found.coefficients[:, place], f"{name}_se": found.errors[:, place]}
    table = pd.DataFrame(parts, index=wide.columns)

    def statistic(values: FloatArray) -> float:
        return _mean(marketmodel.fit(marketmodel.design(values, around, controls), min_rows).r2_market)

    def resampled(_: int, rng: np.random.Generator) -> float:
        rows = stationary_rows(len(wide.values), block, rng)
        weights = np.bincount(rows, minlength=len(wide.values)).astype(np.float64)
        return _mean(marketmodel.fit(d, min_rows, weights).r2_market)

    block = block_length(wide.values) if replications else 1.0
    draws = pmap(resampled, range(replications), seed=seed + 1, n_jobs=n_jobs)
    return _answer(
        "market_model", statistic, wide.values, _mean(found.r2_market), draws, table, replications, seed, n_jobs
    )


def _components(wide: Wide, replications: int, seed: int, n_jobs: int) -> Commonality:
    shares = component_shares(wide.values)
    if np.isnan(shares[0]):
        raise DataError("Fewer than two assets move together on three rows or more; pass more history.")
    table = pd.DataFrame({"share": shares, "cumulative": np.cumsum(shares)})
    table.index = pd.RangeIndex(1, len(table) + 1, name="component")

    def statistic(values: FloatArray) -> float:
        return float(component_shares(values)[0])

    def resampled(_: int, rng: np.random.Generator) -> float:
        return statistic(wide.values[stationary_rows(len(wide.values), block, rng)])

    block = block_length(wide.values) if replications else 1.0
    draws = pmap(resampled, range(replications), seed=seed + 1, n_jobs=n_jobs)
    return _answer("pca", statistic, wide.values, float(shares[0]), draws, table, replications, seed, n_jobs)


def _answer(
    method: str,
    statistic: Callable[[FloatArray], float],
    values: FloatArray,
    observed: float,
    draws: list[float],
    table: pd.DataFrame,
    replications: int,
    seed: int,
    n_jobs: int,
) -> Commonality:
    null = null_distribution(statistic, values, replications, seed, n_jobs)
    error = float(np.nanstd(draws, ddof=1)) if len(draws) > 1 else float("nan")
    rows = int(np.isfinite(values).any(axis=1).sum())
    p_value = upper_p_value(observed, null)
    return Commonality(method, observed, error, p_value, _mean(null), table, values.shape[1], rows)


def _levels(liquidity: Any, changes: Changes) -> Wide:
    check_option("changes", changes, ["log", "none"])
    wide = changes_of(liquidity, "none", assets=3)
    if not isinstance(wide.index, pd.DatetimeIndex):
        raise DataError("Months are needed: pass a table whose index is dates.")
    values = np.log(np.where(wide.values > 0, wide.values, np.nan)) if changes == "log" else wide.values
    return Wide(values, wide.index, wide.columns, wide.kind)


def _by_month(wide: Wide, min_rows: int, replications: int, seed: int, n_jobs: int) -> Commonality:
    months_r2 = partial(monthly.month_r2, index=pd.DatetimeIndex(wide.index), min_rows=min_rows)
    months, r2 = months_r2(wide.values)
    if np.isnan(r2).all():
        raise DataError(f"No asset has a month with {min_rows} residuals; pass daily data or a lower min_rows.")

    def statistic(values: FloatArray) -> float:
        return _mean(months_r2(values)[1])

    null = null_distribution(statistic, wide.values, replications, seed, n_jobs)
    table = pd.DataFrame(r2, index=months.rename("month"), columns=wide.columns)
    error = newey_west_error(table.mean(axis=1).to_numpy()) if replications else float("nan")
    observed = _mean(r2)
    p_value = upper_p_value(observed, null)
    rows = int(np.isfinite(wide.values).any(axis=1).sum())
    return Commonality("r2", observed, error, p_value, _mean(null), table, len(wide.columns), rows)
