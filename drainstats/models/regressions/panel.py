"""Panel regressions: what moves liquidity, with asset and time effects and errors that survive common shocks.

    y_it = β' x_i,t−lag + a_i + b_t + u_it

on the cells that are complete, however unbalanced. References: Driscoll and Kraay (1998), Petersen (2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from drainstats.errors import DataError, check_option, check_whole
from drainstats.models.base import Card
from drainstats.models.regressions.estimation import ERRORS, Coefficients, check_effects, estimate
from drainstats.models.regressions.stacking import (
    STANDARDISE,
    beside,
    outcome_of,
    regressors_of,
    stacked,
    standardised,
)

Errors = Literal["driscoll_kraay", "clustered", "clustered_time", "two_way", "robust", "unadjusted"]


@dataclass(frozen=True, eq=False, repr=False)
class PanelRegressionResult(Coefficients):
    """The answer of `PanelRegression.fit`: see `Coefficients` for the numbers.

    Parameters
    ----------
    spec : PanelRegression
    residuals : table like the outcome
        Less regressors and effects; NaN where a cell was not used. Its parameters come from the whole sample.
    """

    spec: PanelRegression
    residuals: Any

    def summary(self) -> Card:
        """The estimates as a card."""
        table = pd.DataFrame({"estimate": self.params, "std_error": self.std_errors, "t": self.tstats})
        table = table.join(self.pvalues).join(self.conf_int())
        facts = {
            "observations": f"{self.nobs} ({self.assets} assets, {self.rows} rows)",
            "effects": " and ".join(self.spec.effects) or "none",
            "regressors": f"lagged by {self.spec.lag}" if self.spec.lag else "of the same row",
            "errors": f"{self.error_method}; t with {self.df:g} degrees of freedom",
            "R² within": f"{self.r2_within:.4f}",
            "R² overall": f"{self.r2_overall:.4f}",
        }
        return Card("Panel regression", facts, table, self.notes)

    def __repr__(self) -> str:
        return str(self.summary())

    def to_latex(self, **options: Any) -> str:
        """One column of `regression_table` in LaTeX."""
        from drainstats.models.regressions.table import regression_table

        return regression_table([self], **options).to_latex()


@dataclass(frozen=True, slots=True)
class PanelRegression:
    """Least squares on a panel.

    Parameters
    ----------
    effects : tuple of {"asset", "time"}, default ("asset",)
        Levels of their own that assets and rows have; ``()`` gives one constant. Time effects absorb what all assets
        share, a market-wide series among it.
    errors : str, default "driscoll_kraay"
        "driscoll_kraay" holds when assets share shocks that last, with many rows. "clustered" (by asset) holds when
        they share none. "clustered_time" when they share shocks that do not last, "two_way" for both kinds with many
        assets and rows; "robust" (White) and "unadjusted" when cells are independent.
    hac_lags : int, optional
        Rows over which shocks last, for "driscoll_kraay" (Bartlett weights); by default floor(4 (T / 100)^(2/9)). An
        outcome over trailing windows needs at least their length. Rows without any complete cell are left out and
        their neighbours count as neighbours (Datta and Du, 2012).
    lag : int, default 0
        Regressors as they stood so many rows before: with 1 or more the right side was known before the outcome.
    standardise : {"none", "pooled", "asset"}, default "none"
        Outcome and regressors in standard deviations, of all cells used or of each asset's.

    References
    ----------
    Driscoll and Kraay (1998), Review of Economics and Statistics 80(4), 549-560. Cameron, Gelbach and Miller (2011),
    Journal of Business and Economic Statistics 29(2), 238-249. Petersen (2009), Review of Financial Studies 22(1),
    435-480.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> days = pd.date_range("2024-01-01", periods=300, tz="UTC")
    >>> funding = pd.DataFrame(rng.normal(size=(300, 4)), days, list("ABCD"))
    >>> volatility = pd.Series(rng.normal(size=300), days)
    >>> spread = 0.5 * funding.shift(1) + rng.normal(size=(300, 4))
    >>> found = ds.PanelRegression(lag=1).fit(spread, {"funding": funding, "volatility": volatility})
    >>> found.params.round(2).tolist(), found.nobs
    ([0.47, 0.01], 1196)
    """

    effects: tuple[str, ...] = ("asset",)
    errors: Errors = "driscoll_kraay"
    hac_lags: int | None = None
    lag: int = 0
    standardise: Literal["none", "pooled", "asset"] = "none"

    def __post_init__(self) -> None:
        check_effects(self.effects)
        check_option("errors", self.errors, ERRORS)
        check_option("standardise", self.standardise, STANDARDISE)
        check_whole("lag", self.lag, 0)
        if self.hac_lags is not None:
            check_whole("hac_lags", self.hac_lags, 0)

    def fit(self, outcome: Any, regressors: Mapping[str, Any], weights: Any = None) -> PanelRegressionResult:
        """Estimate on the cells that are complete.

        Parameters
        ----------
        outcome : (T, N) table, Series or array
            A measure of liquidity.
        regressors : mapping of str to (T, N) table or (T,) Series
            A Series, or a table of one column, is common to all assets.
        weights : (T, N) table or (T,) Series, optional
            Above zero, inversely proportional to the variance of a cell's error.

        Raises
        ------
        DataError
            Tables that do not match, infinite values, too few complete cells, regressors that do not vary, that the
            effects absorb, or that are combinations of others; one asset where errors need several.
        MissingExtraError
            Without the extra ``panels``.
        """
        wide = outcome_of(outcome)
        columns = regressors_of(regressors, wide, self.lag)
        weight = None if weights is None else beside("weights", weights, wide)
        if weight is not None and (weight <= 0).any():
            raise DataError("A weight is not above zero; set it to missing to leave its cell out.")
        sample = standardised(stacked(wide.values, columns, weight), self.standardise)
        found, residuals = estimate(sample, self.effects, self.errors, self.hac_lags)
        table = wide.like(sample.spread_out(residuals, wide.values.shape))
        facts = {name: getattr(found, name) for name in Coefficients.__dataclass_fields__}
        return PanelRegressionResult(**facts, spec=self, residuals=table)
