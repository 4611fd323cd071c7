"""What a fit of DCC to a panel with holes offers, and how it comes about; the method stands in `ragged`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from drainstats.models.coliquidity.correlation import CorrelationForecast, to_correlation
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.dcc.missing import alive, fitted_converged, pairwise_target
from drainstats.models.coliquidity.dcc.ragged import (
    gains,
    ragged_loglikelihood,
    ragged_moments,
    ragged_problem,
    ragged_walk,
    unpack,
)
from drainstats.models.coliquidity.dcc.recursion import DCCResult
from drainstats.models.coliquidity.inputs import whole
from drainstats.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from drainstats.models.coliquidity.dcc.search import Problem


@dataclass(frozen=True, eq=False, repr=False)
class RaggedDCCResult(DCCResult):
    """A `DCCResult` of data with holes.

    Correlations, covariances and averages are NaN, or leave out, an asset before it was seen for the first time and
    after 30 rows in which it was not seen, until it is seen again. A row needs nothing after it to know that.
    """

    def _correlation_moments(self) -> tuple[FloatArray, ...]:
        return ragged_moments(self.spec, self.margins, self.target, self._psi)  # type: ignore[arg-type]

    def _problem(self) -> Problem:
        return ragged_problem(self.spec, self.margins.std_resid_values, self.target)  # type: ignore[arg-type]

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        # What is expected of a missing asset needs all others, also for one pair.
        z, weights = self.margins.std_resid_values, self.spec.weights(self._psi)
        n = z.shape[1]
        there = self._there[:, columns]
        rows = min(rows, self._rows(n), len(z))
        for t, path in zip(range(0, len(z), rows), ragged_walk(z, self.target, weights, rows), strict=True):
            now = there[t : t + rows]
            q = unpack(path[0, weights.lags :][: len(now)], n)[:, np.array(columns)[:, None], columns]
            yield np.where(now[:, :, None] & now[:, None, :], to_correlation(q), np.nan)

    @property
    def _there(self) -> BoolArray:
        return alive(np.isfinite(self.margins.std_resid_values))

    def filter(self, y_new: Any) -> RaggedDCCResult:
        """Run new data, with or without holes, through at fixed parameters; row t needs nothing after it."""
        return filter_ragged(self, self.margins.filter(y_new))

    def forecast(
        self, horizon: int = 1, method: Literal["q", "r", "simulation"] = "q", draws: int = 1000, seed: int = 0
    ) -> CorrelationForecast:
        """Forecast as `DCCResult.forecast` does; NaN for an asset that is not alive in the last row."""
        ahead = super().forecast(horizon, method, draws, seed)
        gone = ~self._there[-1]
        ahead.correlation[:, gone] = ahead.correlation[:, :, gone] = np.nan
        return ahead

    def tail(self, m: int) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
        """The last ``m`` Q and expected products of shocks, newest last."""
        z, weights = self.margins.std_resid_values, self.spec.weights(self._psi)
        last = np.empty(0)
        for path in ragged_walk(z, self.target, weights, 1):
            last = path[:2, -m:].copy()
        q, news = unpack(last, z.shape[1])
        # The gain of the step ahead, as if it were news.
        ahead = gains(np.isfinite(np.vstack([z, z[-1:]])), self.target, weights)[0, -1]
        news[-1] += ahead / max(weights.a[0], 1e-300) * (news[-1] - q[-1])
        return list(q), list(news), []


def filter_ragged(res: DCCResult, margins: Any) -> RaggedDCCResult:
    """``res`` with the filtered ``margins`` of data with holes in place of its own."""
    spec = res.spec
    if type(spec) is not DCC or spec.convention != "engle" or spec.dist != "normal":
        whole(margins, type(spec).__name__)
    kept = {f.name: getattr(res, f.name) for f in fields(res)}
    changed = {"margins": margins, "nobs": margins.nobs, "origin": res.origin or res}
    value = ragged_loglikelihood(margins, res.target, res.spec.weights(res._psi))
    return RaggedDCCResult(**{**kept, **changed, "loglikelihood": value})


def fit_ragged(spec: Any, margins: Any, guess: FloatArray | None = None) -> RaggedDCCResult:
    """Fit the correlation parameters of DCC to margins with missing residuals."""
    from drainstats.models.coliquidity.dcc.search import search

    z = margins.std_resid_values
    found_target = pairwise_target(z, margins.columns)
    found = search(replace(ragged_problem(spec, z, found_target.matrix), guess=guess))
    psi = pd.Series(found.psi, index=spec.parameter_names)
    return RaggedDCCResult(
        params=pd.concat([margins.params, psi]).rename("estimate"),
        loglikelihood=ragged_loglikelihood(margins, found_target.matrix, spec.weights(found.psi)),
        converged=fitted_converged(margins) and found.converged,
        notes=(*margins.notes, *found_target.notes, *found.notes),
        nobs=len(z),
        margins=margins,
        spec=spec,
        target=found_target.matrix,
        basis=found.basis,
        gap=found.gap,
        evaluations=found.evaluations,
        origin=None,
    )
