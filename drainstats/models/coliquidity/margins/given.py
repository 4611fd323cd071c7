"""Margins that somebody else fitted: results of the arch package, or plain standardised residuals.

A model of correlations needs of its margins the standardised residuals z[t] = e[t] / sigma[t] and, for covariances, the
volatilities. Where only these are given, nothing says how they move with the parameters of the first step: standard
errors of the correlation parameters are then those of known margins, and the result's notes say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.frames import Wide, as_wide
from drainstats.models.base import Estimates
from drainstats.models.coliquidity.inputs import complete_rows, same_columns, several_assets
from drainstats.models.coliquidity.margins.garch import GARCH, GARCHResult
from drainstats.typing import FloatArray

KNOWN = "the margins are taken as known: standard errors do not count that they were estimated"
LABELS = {"residuals": "given residuals", "arch": "margins of arch"}


@dataclass(frozen=True, eq=False, repr=False)
class GivenMargins(Estimates):
    """Residuals and volatilities that were handed in, with what a model of correlations asks of its margins.

    Besides what `Estimates` lists, without parameters: ``std_resid_values`` and ``volatility_values`` (T, N) with
    ``index`` and ``columns``, ``kind`` ("residuals" or "arch"), ``sources`` (the results of arch, one a series), and
    ``origin``: the margins of the fit behind a filtered result. Plain residuals have the volatility one, so that the
    data *are* the residuals. ``loglikelihood`` is normal for residuals, that of arch's own laws otherwise.
    """

    std_resid_values: FloatArray
    volatility_values: FloatArray
    index: pd.Index
    columns: pd.Index
    kind: str
    sources: tuple[Any, ...]
    origin: GivenMargins | None

    @property
    def title(self) -> str:
        """What was given, and of how many series."""
        return f"{LABELS[self.kind]}, {len(self.columns)} series"

    def __repr__(self) -> str:
        return f"<{self.title}: {self.nobs} rows, log-likelihood {self.loglikelihood:.4f}>"

    @property
    def gaussian_loglikelihood(self) -> float:
        """Log-likelihood if the shocks were normal, at these volatilities."""
        return _normal_loglikelihood(self.std_resid_values, self.volatility_values)

    @property
    def conditional_volatility(self) -> pd.DataFrame:
        """T × N volatilities as they were given."""
        return pd.DataFrame(self.volatility_values, index=self.index, columns=self.columns)

    @property
    def std_resid(self) -> pd.DataFrame:
        """T × N standardised residuals as they were given."""
        return pd.DataFrame(self.std_resid_values, index=self.index, columns=self.columns)

    @property
    def status(self) -> pd.DataFrame:
        """One row a series: whether its fit had converged, and why it was not fitted (never: it was given)."""
        return pd.DataFrame({"converged": [_ended_well(r) for r in self.sources] or True, "reason": ""}, self.columns)

    @property
    def fits(self) -> tuple[Any, ...]:
        """Records of fitted series: none."""
        return ()

    @property
    def bread(self) -> FloatArray:
        """Mean second derivatives in the margin parameters (0, 0)."""
        return np.empty((0, 0))

    @property
    def basis(self) -> FloatArray:
        """Free directions of the margin parameters (0, 0)."""
        return np.empty((0, 0))

    @property
    def units(self) -> FloatArray:
        """Units of the margin parameters (0,)."""
        return np.empty(0)

    @property
    def score_values(self) -> FloatArray:
        """Scores of the margin parameters (T, 0)."""
        return np.empty((self.nobs, 0))

    def pull_back(self, slope: FloatArray) -> FloatArray:
        """Derivative in the margin parameters (0,) of anything."""
        return np.empty(0)

    def _covariance(self) -> FloatArray:
        return np.empty((0, 0))

    @property
    def _ranges(self) -> FloatArray:
        return np.empty((0, 2))

    def filter(self, y_new: Any) -> GivenMargins:
        """Margins of new data: new standardised residuals, or new results of arch at the old parameters.

        With arch, ``model.fix(old.params)`` on the new data gives them.
        """
        origin = self.origin or self
        if self.kind == "arch":
            new = of_arch(y_new) if is_from_arch(y_new) else None
            if new is None:
                raise DataError(
                    "The margins came from arch, which alone can filter them; pass results of arch on the new data, "
                    "one a series, from model.fix(old.params)."
                )
            if list(new.columns) != list(self.columns):
                raise DataError(f"The new results have the names {list(new.columns)}, the fit {list(self.columns)}.")
            return replace(new, origin=origin)
        wide = as_wide(y_new, "y")
        same_columns(wide, self.columns)
        complete_rows(wide.like(np.where(np.isnan(wide.values), 0.0, wide.values)), 1, varying=False)
        return replace(of_residuals(wide), origin=origin)

    def forecast(self, horizon: int = 1) -> pd.DataFrame:
        """Expected variances of the next ``horizon`` steps (horizon × N): one for residuals, else what arch expects."""
        steps = pd.RangeIndex(1, horizon + 1, name="step")
        if self.kind == "residuals":
            return pd.DataFrame(np.ones((horizon, len(self.columns))), index=steps, columns=self.columns)
        try:
            ahead = [
                r.forecast(horizon=horizon).residual_variance.to_numpy()[-1] / r.model.scale**2 for r in self.sources
            ]
        except ValueError as error:
            raise DataError(
                f"arch has no forecast of these volatilities at horizon {horizon} ({error}); take horizon 1."
            ) from error
        return pd.DataFrame(np.array(ahead).T, index=steps, columns=self.columns)

    def drive(self, z: FloatArray) -> FloatArray:
        """Series (T, N) that shocks ``z`` (T, N) make: themselves for residuals, what arch's volatility makes else."""
        if self.kind == "residuals":
            return z
        return np.column_stack([_driven(r, z[:, i]) for i, r in enumerate(self.sources)])


def of_residuals(wide: Wide) -> GivenMargins:
    """Standardised residuals (T, N) as margins with volatility one."""
    z = wide.values
    return GivenMargins(
        params=_no_parameters(),
        loglikelihood=_normal_loglikelihood(z, np.ones_like(z)),
        converged=True,
        notes=(KNOWN,),
        nobs=len(z),
        std_resid_values=z,
        volatility_values=np.ones_like(z),
        index=wide.index,
        columns=wide.columns,
        kind="residuals",
        sources=(),
        origin=None,
    )


def of_arch(results: Any) -> GivenMargins:
    """Fitted results of the arch package as margins.

    Parameters
    ----------
    results : mapping of asset to result, or list of results
        `ARCHModelResult` or `ARCHModelFixedResult` objects on the same rows. First rows that a model with lags in its
        mean leaves without a residual are left out for all.

    Raises
    ------
    DataError
        Different rows, or a missing residual in the middle.
    """
    sources = tuple(results.values() if isinstance(results, Mapping) else results)
    names = list(results) if isinstance(results, Mapping) else [getattr(r.model.y, "name", None) for r in sources]
    if not isinstance(results, Mapping) and (None in names or len(set(names)) < len(names)):
        names = list(range(len(sources)))
    residuals = [pd.Series(r.std_resid) for r in sources]
    index = residuals[0].index
    for name, r in zip(names, residuals, strict=True):
        if not r.index.equals(index):
            raise DataError(
                f"The results of {names[0]!r} and {name!r} stand on different rows; fit them on one table without gaps."
            )
    z = np.column_stack([r.to_numpy() for r in residuals])
    vol = np.column_stack([np.asarray(r.conditional_volatility) / r.model.scale for r in sources])
    there = np.isfinite(z).all(axis=1) & np.isfinite(vol).all(axis=1)
    first = int(there.argmax())
    if not there[first:].all():
        lost = first + int((~there[first:]).argmax())
        raise DataError("A result of arch has no residual; fit all series on the same rows.", row=index[lost])
    notes = [KNOWN] if first == 0 else [KNOWN, f"the first {first} rows have no residual in some series: left out"]
    slow = [name for name, r in zip(names, sources, strict=True) if not _ended_well(r)]
    notes += [f"arch reports that the fit of {name} has not converged" for name in slow]
    return GivenMargins(
        params=_no_parameters(),
        loglikelihood=float(sum(row_loglikelihoods(r)[first:].sum() for r in sources)),
        converged=not slow,
        notes=tuple(notes),
        nobs=len(z) - first,
        std_resid_values=np.ascontiguousarray(z[first:]),
        volatility_values=np.ascontiguousarray(vol[first:]),
        index=index[first:],
        columns=pd.Index(names),
        kind="arch",
        sources=sources,
        origin=None,
    )


def margins_of(spec: GARCH | None, y: Any, check: Callable[[Any, int], Wide] = several_assets) -> Any:
    """The margins that a model of correlations stands on.

    Parameters
    ----------
    spec : GARCH or None
        Fitted to every series of a table; None takes the table as standardised residuals.
    y : (T, N) table or array, or margins
        A `GARCHResult`, `GivenMargins`, a fitted model of correlations (its margins), or a mapping or list of results
        of arch stand in place of a table; ``spec`` is not used then.
    check : (data, least rows) → Wide, default `several_assets`
        What the model demands of its table.

    Returns
    -------
    GARCHResult or GivenMargins
    """
    margins = of_arch(y) if is_from_arch(y) else getattr(y, "margins", y)
    if not isinstance(margins, (GARCHResult, GivenMargins)):
        wide = check(y, 10 if spec is None else 10 + 2 * len(spec.parameter_names))
        return of_residuals(wide) if spec is None else spec.fit(wide.like(wide.values))
    if margins.origin is not None:
        raise DataError(
            "The margins were filtered at the parameters of another sample; pass the fit, or their std_resid with "
            "margins=None."
        )
    try:
        check(pd.DataFrame(margins.std_resid_values, index=margins.index, columns=margins.columns), 10)
    except DataError as error:
        lost = np.isnan(margins.std_resid_values).all(axis=0)
        if not lost.any():
            raise
        raise DataError(
            "A series of the result has no residuals; leave it out and fit again.", column=margins.columns[lost][0]
        ) from error
    return margins


def margins_label(margins: Any) -> str:
    """What the margins are, for the head of a card."""
    if isinstance(margins, GivenMargins):
        return LABELS[margins.kind]
    return f"{margins.title.split(')')[0]}) margins"


def row_loglikelihoods(result: Any) -> FloatArray:
    """Log-likelihood by row (T,) of one result of arch under its own law, NaN where it has no residual."""
    scale, law = result.model.scale, result.model.distribution
    resid, vol = np.asarray(result.resid) / scale, np.asarray(result.conditional_volatility) / scale
    out = np.full(len(resid), np.nan)
    there = np.isfinite(resid) & np.isfinite(vol)
    out[there] = law.loglikelihood(shape_of(result), resid[there], vol[there] ** 2, individual=True)
    return out


def shape_of(result: Any) -> FloatArray:
    """Shape parameters of one result of arch."""
    count = result.model.distribution.num_params
    return np.asarray(result.params, dtype=np.float64)[len(result.params) - count :]


def _no_parameters() -> pd.Series:
    return pd.Series(np.empty(0), index=pd.Index([], dtype="str"), name="estimate")


def _normal_loglikelihood(z: FloatArray, vol: FloatArray) -> float:
    seen = np.isfinite(z)
    return float(-np.log(vol[seen]).sum() - 0.5 * (np.log(2.0 * np.pi) * seen.sum() + (z[seen] ** 2).sum()))


def _ended_well(result: Any) -> bool:
    """arch's flag; a result at fixed parameters has none."""
    return getattr(result, "convergence_flag", 0) == 0


def is_from_arch(y: Any) -> bool:
    """A mapping or list of results of arch."""
    values = list(y.values()) if isinstance(y, Mapping) else y
    if not isinstance(values, (list, tuple)) or not values:
        return False
    return all(hasattr(r, "std_resid") and hasattr(r, "conditional_volatility") and hasattr(r, "model") for r in values)


def _driven(result: Any, shocks: FloatArray) -> FloatArray:
    """The series that ``shocks`` (T,) make under one result of arch."""
    model = result.model
    if type(model).__name__ not in ("ConstantMean", "ZeroMean"):
        raise DataError(
            f"A series with the mean {type(model).__name__} of arch cannot be driven by joint shocks; fit a constant "
            "or zero mean, or simulate residuals with margins=None."
        )
    params = np.asarray(result.params, dtype=np.float64)
    k = model.num_params
    count = model.volatility.num_params
    resid = model.volatility.simulate(params[k : k + count], len(shocks), lambda size: shocks, burn=0)[0]
    return np.asarray((resid + (params[0] if k else 0.0)) / result.model.scale)
