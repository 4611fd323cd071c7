"""`commonality`: does liquidity move together, how much, and could chance have made it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.frames import Wide, as_wide
from drainstats.measures.comovement import marketmodel
from drainstats.measures.comovement.changes import Changes, changes_of
from drainstats.measures.comovement.components import component_shares, left_out_r2, pairwise_correlation
from drainstats.measures.comovement.inference import (
    draw_rows,
    draw_shifts,
    in_batches,
    in_chunks,
    mean_of,
    newey_west_error,
    spans,
    spread,
    turned,
    upper_p_value,
)
from drainstats.measures.comovement.monthly import by_month
from drainstats.typing import FloatArray, IntArray

Method = Literal["market_model", "r2", "pca", "factors"]
METHODS = ("market_model", "r2", "pca", "factors")
STATISTICS = {
    "market_model": "mean adjusted R² due to the market",
    "r2": "mean monthly R²",
    "pca": "share of the first component",
    "factors": "mean R² on the others' components",
}


@dataclass(frozen=True, eq=False, repr=False)
class Commonality:
    """The answer of `commonality`.

    Parameters
    ----------
    method : str
    statistic : float
        Mean adjusted R² due to the market, mean monthly R², share of the first component, or mean R² on the others'
        components.
    std_error : float
        Of the statistic, from the stationary bootstrap (for "r2": Newey-West over months); NaN without replications.
    p_value : float
        Share of circular shifts whose statistic is at least as large; NaN without replications.
    null_mean : float
        Mean of the statistic when timing is broken: what chance alone makes of it.
    table : DataFrame
        "market_model": a row an asset (n, adjusted r2, r2_market, beta, beta_se, … leads and lags, controls);
        "r2": month × asset; "pca": a row a component (share, cumulative); "factors": a row an asset (n, r2).
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

    def summary(self) -> pd.Series:
        """What Chordia, Roll and Subrahmanyam (2000) print of the market model: betas over the assets.

        mean_beta and its t over assets (too large when residuals move together), share_positive, share_significant
        (t above 1.645), and mean_sum and median_sum of the terms now, before and after.
        """
        if self.method != "market_model":
            raise OptionError(f'The summary of betas belongs to method="market_model", not to {self.method!r}.')
        there = self.table.dropna(subset=["beta"])
        terms = [c for c in there if str(c).startswith("beta") and not str(c).endswith("_se")]
        sums, beta = there[terms].sum(axis=1), there["beta"]
        return pd.Series(
            {
                "mean_beta": beta.mean(),
                "t": beta.mean() / (beta.std() / np.sqrt(len(beta))),
                "share_positive": (beta > 0).mean(),
                "share_significant": (beta / there["beta_se"] > 1.645).mean(),
                "mean_sum": sums.mean(),
                "median_sum": sums.median(),
            }
        )

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
    weights: Any = None,
    n_factors: int = 1,
    min_rows: int = 30,
    hac_lags: int = 5,
    replications: int = 199,
    bootstrap: int | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Commonality:
    """Commonality in liquidity, with an error and against chance.

    Every market and every factor leaves the asset out that it explains.

    Parameters
    ----------
    liquidity : (T, N) table
        A measure of liquidity or illiquidity, N ≥ 3. Levels above zero; or innovations with ``changes="none"``.
    method : {"market_model", "r2", "pca", "factors"}, default "market_model"
        "market_model": changes of each asset on those of the others' mean, leads, lags and controls (Chordia, Roll and
        Subrahmanyam, 2000). "r2": within each month, levels filtered by their lag and weekdays, R² on the others' mean
        residual (Karolyi, Lee and van Dijk, 2012); the index must be dates. "pca": variance shares of the components of
        standardised changes (Hasbrouck and Seppi, 2001); an own term is in them, compare with ``null_mean``. "factors":
        R² of standardised changes on the first components of the other assets (Korajczyk and Sadka, 2008).
    changes : {"log", "percent", "difference", "none"}, default "log"
        The market model's authors take "percent". For "r2" the level that is filtered: its log, or, with "none",
        itself (its authors take the log of 1 + Amihud: pass ``np.log1p(scale * amihud)`` and "none"). Where a level is
        not above zero, "log" and "percent" are missing; "difference" takes signed levels.
    leads_and_lags : int, default 1
        Market terms on either side, of the market model.
    controls : mapping of str to (T,) Series or (T, N) table, optional
        Further regressors of the market model: market return with lead and lag, own squared return. R² "due to the
        market" is what the market terms add to them; the null keeps what they explain.
    weights : (T, N) table or N numbers, optional
        Of the assets in the market ("market_model" and "r2"); equal by default. ``liquidity.shift()`` with "percent"
        makes the market the change of the average level. Missing and zero: not in the market.
    n_factors : int, default 1
        Components of "factors".
    min_rows : int, default 30
        Fewest rows of an asset (in a month for "r2": 15 if more is asked).
    hac_lags : int, default 5
        Of the standard errors of the market model's coefficients (Newey and West).
    replications : int, default 199
        Circular shifts; 0 leaves the p-value missing. With 99 or 199 ``p_value <= 0.05`` rejects 5 % of true nulls.
    bootstrap : int, optional
        Samples for the standard error, as many as shifts by default; 0 leaves it missing.
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
    105(1), 82-112; Korajczyk and Sadka (2008), Journal of Financial Economics 87(1), 45-72.

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
    samples = replications if bootstrap is None else bootstrap
    if min(replications, samples, leads_and_lags, hac_lags) < 0 or min_rows < 5:
        raise OptionError("replications, bootstrap, leads_and_lags and hac_lags are at least 0, min_rows at least 5.")
    for name, given, where in (("controls", controls, METHODS[:1]), ("weights", weights, METHODS[:2])):
        if given is not None and method not in where:
            raise OptionError(f"{name}= belong to {' and '.join(where)}, not to method={method!r}.")
    draws = _Draws(replications, samples, seed, n_jobs)
    if method == "r2":
        wide = _levels(liquidity, changes)
        return _by_month(wide, _weights(weights, wide), min(min_rows, 15), draws)
    wide = changes_of(liquidity, changes, assets=3)
    if method == "pca":
        return _components(wide, draws)
    if method == "factors":
        check_whole("n_factors", n_factors, 1)
        return _factors(wide, n_factors, min_rows, draws)
    extra = {name: _control(name, c, wide) for name, c in (controls or {}).items()}
    return _market(wide, _weights(weights, wide), extra, leads_and_lags, min_rows, hac_lags, draws)


@dataclass(frozen=True, slots=True)
class _Draws:
    """How often the null and the bootstrap are drawn, from which seeds, by how many workers."""

    replications: int
    samples: int
    seed: int
    n_jobs: int

    def null(self, values: FloatArray, turn: Callable[[Any, IntArray], FloatArray]) -> FloatArray:
        """The statistic of panels whose columns are turned: ``turn(spans, shifts)``."""
        span = spans(np.isfinite(values))
        shifts = draw_shifts(span, self.replications, self.seed)
        return in_chunks(lambda s: turn(span, s), shifts, self.n_jobs)

    def error(self, values: FloatArray, resample: Callable[[IntArray], FloatArray]) -> float:
        """Standard deviation of the statistic over bootstrap samples: ``resample(rows)``."""
        return spread(in_chunks(resample, draw_rows(values, self.samples, self.seed + 1), self.n_jobs))


def _control(name: str, control: Any, wide: Wide) -> FloatArray:
    given = as_wide(control, name)
    labelled = given.kind in ("frame", "series") and wide.kind in ("frame", "series")
    if len(given.values) != len(wide.values) or (labelled and not given.index.equals(wide.index)):
        raise DataError(f"The control {name!r} stands on other rows than liquidity; align it first.")
    if given.values.shape[1] not in (1, wide.values.shape[1]):
        raise DataError(f"The control {name!r} has {given.values.shape[1]} columns; one, or one an asset is expected.")
    return np.where(np.isfinite(given.values), given.values, np.nan)


def _weights(weights: Any, wide: Wide) -> FloatArray:
    shape = wide.values.shape
    if weights is None:
        return np.ones(shape)
    if np.ndim(weights) == 1 and len(weights) == shape[1]:
        given = weights.reindex(wide.columns) if isinstance(weights, pd.Series) else weights
        table = np.broadcast_to(np.asarray(given, dtype=np.float64), shape)
    else:
        table = _control("weights", weights, wide)
    if np.isinf(table).any() or (table < 0).any() or table.shape != shape:
        raise DataError("weights are finite numbers of at least zero, one an asset or one a cell.")
    return np.ascontiguousarray(np.where(np.isfinite(table), table, 0.0))


def _market(
    wide: Wide,
    weights: FloatArray,
    extra: dict[str, FloatArray],
    around: int,
    min_rows: int,
    hac_lags: int,
    draws: _Draws,
) -> Commonality:
    y = wide.values
    controls = np.stack([np.broadcast_to(c, y.shape) for c in extra.values()]) if extra else np.empty((0, *y.shape))
    d = marketmodel.design(y, marketmodel.others_mean(y, weights), around, controls)
    found = marketmodel.fit(d, min_rows, hac_lags)
    if np.isnan(found.r2_market).all():
        raise DataError(f"No asset has {min_rows} complete rows that vary; pass more history or a lower min_rows.")
    lags = [f"beta_lag{k}" for k in range(1, around + 1)] + [f"beta_lead{k}" for k in range(1, around + 1)]
    parts = {"n": found.rows, "r2": found.r2, "r2_market": found.r2_market}
    for place, name in enumerate(["constant", "beta", *lags, *extra]):
        parts |= {name: found.coefficients[:, place], f"{name}_se": found.errors[:, place]}
    gains = marketmodel.Gains(y, weights, controls, around, min_rows)
    rest = marketmodel.without_controls(y, controls)
    null = draws.null(rest, lambda span, shifts: gains.turned(rest, span, shifts))
    error = draws.error(y, gains.resampled)
    return _answer("market_model", wide, mean_of(found.r2_market), error, null, pd.DataFrame(parts, wide.columns))


def _components(wide: Wide, draws: _Draws) -> Commonality:
    y = wide.values
    shares = component_shares(y)
    if np.isnan(shares[0]):
        raise DataError("Fewer than two assets move together on three rows or more; pass more history.")
    table = pd.DataFrame({"share": shares, "cumulative": np.cumsum(shares)})
    table.index = pd.RangeIndex(1, len(table) + 1, name="component")
    null, error = _of_panels(y, lambda panels: component_shares(panels)[:, 0], draws)
    return _answer("pca", wide, float(shares[0]), error, null, table)


def _factors(wide: Wide, factors: int, min_rows: int, draws: _Draws) -> Commonality:
    y = wide.values
    rows = np.isfinite(y).sum(axis=0)
    used = np.where(rows >= min_rows, y, np.nan)
    r2 = left_out_r2(pairwise_correlation(used), factors)
    if np.isnan(r2).all():
        raise DataError(
            f"Fewer than {factors + 1} assets move together on {min_rows} rows or more; pass more history, or lower "
            "n_factors or min_rows."
        )

    def mean_r2(panels: FloatArray) -> FloatArray:
        found = left_out_r2(pairwise_correlation(panels), factors)
        return np.array([mean_of(f) for f in found])

    null, error = _of_panels(used, mean_r2, draws)
    table = pd.DataFrame({"n": np.where(np.isfinite(r2), rows, np.nan), "r2": r2}, wide.columns)
    return _answer("factors", wide, mean_of(r2), error, null, table)


def _of_panels(y: FloatArray, statistic: Callable[[FloatArray], FloatArray], draws: _Draws) -> tuple[FloatArray, float]:
    """Null and error of a statistic (B,) of panels (B, T, N)."""
    cells = y.size + 4 * y.shape[1] ** 2
    null = draws.null(y, lambda span, shifts: in_batches(lambda s: statistic(turned(y, span, s)), shifts, cells))
    return null, draws.error(y, lambda rows: in_batches(lambda r: statistic(y[r]), rows, cells))


def _by_month(wide: Wide, weights: FloatArray, min_rows: int, draws: _Draws) -> Commonality:
    months = by_month(wide.values, weights, pd.DatetimeIndex(wide.index), min_rows)
    r2 = months.r2()
    if np.isnan(r2).all():
        raise DataError(f"No asset has a month with {min_rows} residuals; pass daily data or a lower min_rows.")
    table = pd.DataFrame(r2, index=months.names.rename("month"), columns=wide.columns)
    error = newey_west_error(table.mean(axis=1).to_numpy()) if draws.samples else float("nan")
    return _answer("r2", wide, mean_of(r2), error, draws.null(wide.values, months.turned), table)


def _levels(liquidity: Any, changes: Changes) -> Wide:
    check_option("changes", changes, ["log", "none"])
    wide = changes_of(liquidity, "none", assets=3)
    if not isinstance(wide.index, pd.DatetimeIndex):
        raise DataError("Months are needed: pass a table whose index is dates.")
    values = np.log(np.where(wide.values > 0, wide.values, np.nan)) if changes == "log" else wide.values
    return Wide(values, wide.index, wide.columns, wide.kind)


def _answer(
    method: str, wide: Wide, observed: float, error: float, null: FloatArray, table: pd.DataFrame
) -> Commonality:
    rows = int(np.isfinite(wide.values).any(axis=1).sum())
    p_value = upper_p_value(observed, null)
    return Commonality(method, observed, error, p_value, mean_of(null), table, len(wide.columns), rows)
