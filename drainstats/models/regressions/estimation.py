"""One regression on a stacked panel: checks that say what is wrong, then linearmodels' PanelOLS.

The errors are of

- Driscoll and Kraay (1998): the scores summed over assets, row by row, with Bartlett weights over rows. They hold
  when assets share shocks and shocks last. With one asset they are those of Newey and West (1987).
- clusters by asset (Arellano, 1987), by row, or both (Cameron, Gelbach and Miller, 2011),
- White (1980), or none of these ("unadjusted").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, require_extra
from drainstats.models.regressions.stacking import Sample
from drainstats.typing import FloatArray, IntArray

ERRORS = ("driscoll_kraay", "clustered", "clustered_time", "two_way", "robust", "unadjusted")
EFFECTS = ("asset", "time")
_FEW = 10
_RULE = {
    "clustered": "clustered by asset",
    "clustered_time": "clustered by row",
    "two_way": "clustered by asset and by row",
    "robust": "White",
    "unadjusted": "unadjusted",
}


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients:
    """Estimates of a linear regression, with errors and tests against Student's law.

    Parameters
    ----------
    params : Series of K estimates.
    param_covariance : (K, K) DataFrame
    df : float
        Degrees of freedom of tests and intervals: clusters less one; rows less one for Driscoll-Kraay; else
        observations less coefficients and effects.
    nobs, assets, rows : int
        Cells used, and the assets and rows they lie in.
    r2 : float
        Share of variance explained of what the effects leave.
    r2_within, r2_overall, r2_inclusive : float
        The same of the data less each asset's mean; less one mean for all; and with the effects counted as
        explanation.
    error_method : str
        How the errors were made, in words.
    notes : sentences on what to beware of.
    """

    params: pd.Series
    param_covariance: pd.DataFrame
    df: float
    nobs: int
    assets: int
    rows: int
    r2: float
    r2_within: float
    r2_overall: float
    r2_inclusive: float
    error_method: str
    notes: tuple[str, ...]

    @cached_property
    def std_errors(self) -> pd.Series:
        """Standard errors; NaN where two-way clusters give a variance below zero."""
        variance = np.diag(self.param_covariance.to_numpy())
        errors = np.sqrt(np.where(variance >= 0, variance, np.nan))
        return pd.Series(errors, index=self.params.index, name="std_error")

    @property
    def tstats(self) -> pd.Series:
        """Estimates over standard errors."""
        return (self.params / self.std_errors).rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values from Student's law with `df` degrees of freedom."""
        from scipy.special import stdtr

        return pd.Series(2 * stdtr(self.df, -self.tstats.abs().to_numpy()), index=self.params.index, name="p_value")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Intervals: columns ``lower`` and ``upper``, one row a coefficient."""
        half = student_reach(level, self.df) * self.std_errors
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})


def student_reach(level: float, df: float) -> float:
    """How many standard errors an interval of this level reaches to either side."""
    from scipy.special import stdtrit

    if not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r} must lie between 0 and 1.")
    return float(stdtrit(df, 0.5 + level / 2))


def check_effects(effects: tuple[str, ...]) -> None:
    """Effects are a tuple without repetition of "asset" and "time", or empty."""
    if not isinstance(effects, tuple) or len(set(effects)) < len(effects):
        raise OptionError(f"effects={effects!r} must be a tuple such as ('asset', 'time'), ('asset',) or ().")
    for effect in effects:
        check_option("effects", effect, EFFECTS)


def bartlett_lags(rows: int) -> int:
    """floor(4 (T / 100)^(2/9)), the rule of Newey and West (1994)."""
    return int(4 * (rows / 100) ** (2 / 9))


def estimate(
    sample: Sample, effects: tuple[str, ...], errors: str, hac_lags: int | None = None
) -> tuple[Coefficients, FloatArray]:
    """The regression and its (n,) residuals, effects taken out; a constant joins when there are no effects."""
    panel = require_extra("linearmodels.panel", "panels")
    sample = _with_constant(sample) if not effects else sample
    left = _less_effects(sample, sample.x, effects)
    _check(sample, left, effects, errors)
    rows = len(np.unique(sample.row))
    lags = _lags(hac_lags, rows) if errors == "driscoll_kraay" else None
    # Regressors of very different sizes, or large next to what the effects leave of them, would look singular.
    size = np.sqrt((left**2).mean(axis=0))
    height = np.sqrt((sample.y**2).mean()) or 1.0
    labels = pd.MultiIndex.from_arrays([sample.asset, sample.row], names=["asset", "row"])
    model = panel.PanelOLS(
        pd.Series(sample.y / height, index=labels, name="outcome"),
        pd.DataFrame(left / size, index=labels, columns=list(sample.names)),
        weights=None if sample.weights is None else pd.Series(sample.weights, index=labels, name="weight"),
        entity_effects="asset" in effects,
        time_effects="time" in effects,
        check_rank=False,
    )
    found = model.fit(**_covariance_options(errors, lags))
    names = pd.Index(sample.names)
    unit = height / size
    covariance = pd.DataFrame(found.cov.to_numpy() * np.outer(unit, unit), index=names, columns=names)
    assets = len(np.unique(sample.asset))
    params = pd.Series(found.params.to_numpy() * unit, index=names, name="estimate")
    residuals = np.asarray(found.resids, dtype=np.float64) * height
    coefficients = Coefficients(
        params,
        covariance,
        _degrees(errors, assets, rows, float(found.df_resid)),
        len(sample.y),
        assets,
        rows,
        float(found.rsquared),
        *_explained(sample, params.to_numpy(), residuals),
        _RULE.get(errors, f"Driscoll-Kraay, {lags} lags" if assets > 1 else f"Newey-West, {lags} lags"),
        (*_notes(errors, assets, rows, covariance), *_rare(sample, left)),
    )
    return coefficients, residuals


def _explained(sample: Sample, params: FloatArray, residuals: FloatArray) -> tuple[float, float, float]:
    """R² of the data less asset means, less one mean, and with effects counted as explanation."""
    weight = np.ones(len(sample.y)) if sample.weights is None else sample.weights
    both = np.column_stack([sample.y, sample.y - sample.x @ params])

    def squares(values: FloatArray, group: IntArray) -> FloatArray:
        total = np.maximum(np.bincount(group, weight), 1e-300)
        means = np.column_stack([np.bincount(group, weight * column) / total for column in values.T])
        return np.asarray((weight[:, None] * (values - means[group]) ** 2).sum(axis=0))

    within, overall = squares(both, sample.asset), squares(both, np.zeros_like(sample.asset))
    return (
        float(1 - within[1] / within[0]) if within[0] > 0 else float("nan"),
        float(1 - overall[1] / overall[0]),
        float(1 - (weight * residuals**2).sum() / overall[0]),
    )


def _with_constant(sample: Sample) -> Sample:
    x = np.column_stack([np.ones(len(sample.y)), sample.x])
    return Sample(sample.y, x, ("constant", *sample.names), sample.asset, sample.row, sample.weights)


def _less_effects(sample: Sample, values: FloatArray, effects: tuple[str, ...]) -> FloatArray:
    """What asset and row effects leave of (n, K) values, each cell counted once.

    With both, on a panel that may be unbalanced, row means are taken out and the asset effects solved for.
    """
    if not effects:
        return values
    if len(effects) == 1:
        group = sample.asset if effects == ("asset",) else sample.row
        return values - _means(values, group)[group]
    there = np.zeros((sample.row.max() + 1, sample.asset.max() + 1))
    there[sample.row, sample.asset] = 1.0
    per_row = there / np.maximum(there.sum(axis=1, keepdims=True), 1.0)
    away = values - _means(values, sample.row)[sample.row]
    sums = np.column_stack([np.bincount(sample.asset, column) for column in away.T])
    levels = np.linalg.lstsq(np.diag(there.sum(axis=0)) - there.T @ per_row, sums, rcond=1e-12)[0]
    left = values - levels[sample.asset]
    return np.asarray(left - _means(left, sample.row)[sample.row])


def _means(values: FloatArray, group: IntArray) -> FloatArray:
    count = np.maximum(np.bincount(group), 1)
    return np.column_stack([np.bincount(group, column) / count for column in values.T])


def _check(sample: Sample, left: FloatArray, effects: tuple[str, ...], errors: str) -> None:
    check_option("errors", errors, ERRORS)
    cells, count = sample.x.shape
    assets, rows = len(np.unique(sample.asset)), len(np.unique(sample.row))
    taken = {"asset": assets, "time": rows}
    unknown = count + sum(taken[e] for e in effects) - max(len(effects) - 1, 0)
    if "time" in effects and assets == 1:
        raise DataError("One asset came, and time effects absorb all of it; leave them out or pass more assets.")
    if cells <= unknown:
        raise DataError(f"{cells} complete cells came for {unknown} coefficients and effects; pass more history.")
    if errors in ("clustered", "two_way") and assets < 2:
        raise DataError(f'One asset came, and errors="{errors}" need several; use errors="driscoll_kraay".')
    if errors in ("driscoll_kraay", "clustered_time", "two_way") and rows < 3:
        raise DataError(f'{rows} rows came, and errors="{errors}" need at least 3; pass more history.')
    _refuse_absorbed(sample, left, effects)
    _refuse_collinear(sample, left)
    if np.ptp(sample.y) <= 1e-13 * np.abs(sample.y).max():
        raise DataError("The outcome does not vary, so there is nothing to explain.")


def _refuse_absorbed(sample: Sample, left: FloatArray, effects: tuple[str, ...]) -> None:
    whole, rest = np.sqrt((sample.x**2).sum(axis=0)), np.sqrt((left**2).sum(axis=0))
    gone = np.flatnonzero(rest <= 1e-10 * whole)
    if not len(gone):
        return
    name, why = sample.names[gone[0]], "is zero throughout"
    if whole[gone[0]] > 0:
        why = "is an asset's level plus a row's level, so that the effects absorb it"
    if whole[gone[0]] > 0 and len(effects) == 1:
        why = {
            "asset": "does not vary over time within any asset, so that asset effects absorb it",
            "time": "is the same for all assets in every row, so that time effects absorb it",
        }[effects[0]]
    raise DataError(f"{name} {why}; leave it out or take fewer effects.")


def _refuse_collinear(sample: Sample, left: FloatArray) -> None:
    from scipy.linalg import qr

    triangle, order = qr(left / np.sqrt((left**2).sum(axis=0)), mode="r", pivoting=True)
    weak = np.flatnonzero(np.abs(np.diag(triangle)) < 1e-8)
    if len(weak):
        raise DataError(
            f"{sample.names[order[weak[0]]]} is a combination of the other regressors (and effects); leave one out."
        )


def _lags(hac_lags: int | None, rows: int) -> int:
    lags = bartlett_lags(rows) if hac_lags is None else hac_lags
    if not isinstance(lags, (int, np.integer)) or isinstance(lags, bool) or not 0 <= lags < rows:
        raise OptionError(f"hac_lags={hac_lags!r} must be a whole number from 0 to below the {rows} rows used.")
    return int(lags)


def _covariance_options(errors: str, lags: int | None) -> dict[str, object]:
    if errors == "driscoll_kraay":
        return {"cov_type": "kernel", "kernel": "bartlett", "bandwidth": lags, "debiased": True}
    if errors in ("robust", "unadjusted"):
        return {"cov_type": errors, "debiased": True}
    return {
        "cov_type": "clustered",
        "cluster_entity": errors in ("clustered", "two_way"),
        "cluster_time": errors in ("clustered_time", "two_way"),
        "debiased": True,
        "group_debias": True,
    }


def _rare(sample: Sample, left: FloatArray) -> list[str]:
    """What varies in a few rows only, such as an event: one over the sum of squared shares counts the rows."""
    notes = []
    for name, column in zip(sample.names, left.T, strict=True):
        share = np.bincount(sample.row, column**2)
        count = share.sum() ** 2 / (share**2).sum()
        if count < _FEW:
            notes.append(
                f"{name} varies in {count:.1f} rows in effect: no error holds with so few; for events see event_study."
            )
    return notes


def _degrees(errors: str, assets: int, rows: int, residual: float) -> float:
    groups = {
        "driscoll_kraay": rows,
        "clustered_time": rows,
        "clustered": assets,
        "two_way": min(assets, rows),
    }.get(errors)
    return residual if groups is None else float(groups - 1)


def _notes(errors: str, assets: int, rows: int, covariance: pd.DataFrame) -> tuple[str, ...]:
    notes = []
    if errors in ("clustered", "two_way") and assets < _FEW:
        notes.append(f"{assets} assets are few clusters: errors by asset come out too small.")
    if errors == "clustered" and assets > 1:
        notes.append("Clusters by asset do not see shocks that assets share; Driscoll-Kraay errors do.")
    if errors == "driscoll_kraay" and rows < 50:
        notes.append(f"{rows} rows are few for Driscoll-Kraay errors: they come out too small.")
    if (np.diag(covariance.to_numpy()) < 0).any():
        notes.append("Two-way clusters gave a variance below zero; its error is missing.")
    return tuple(notes)
