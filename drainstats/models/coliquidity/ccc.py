"""CCC: how closely do the series move together, if that never changes?

    z[t] = (y[t] - mu) / sqrt(h[t])  with GARCH margins,   corr(z[t]) = R for every t
    R_ij = sum_t z_it z_jt / sqrt(sum_t z_it^2 sum_t z_jt^2)

Bollerslev (1990), Review of Economics and Statistics 72, 498-505. Standard errors are those of a two-step moment
estimate: the moment of a pair is  z_i z_j - R_ij (z_i^2 + z_j^2) / 2  on residuals scaled to unit second moment, and
its derivative in the margin parameters enters exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import check_option
from drainstats.models.base import Moments
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    correlation_root,
    to_correlation,
)
from drainstats.models.coliquidity.dcc.missing import fitted_converged, observed_assets, pairwise_target
from drainstats.models.coliquidity.dcc.passes import Weights
from drainstats.models.coliquidity.inference import stacked
from drainstats.models.coliquidity.inputs import check_target
from drainstats.models.coliquidity.margins.garch import GARCH, GARCHResult
from drainstats.models.coliquidity.margins.given import margins_label, margins_of
from drainstats.typing import BoolArray, FloatArray


@dataclass(frozen=True)
class CCC:
    """Constant conditional correlation.

    Parameters
    ----------
    margins : GARCH or None, default GARCH()
        Spec of every margin; None: the data are standardised residuals.
    dist : {"normal"}, default "normal"

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).standard_normal((400, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = CCC(margins=GARCH(mean="zero")).fit(y)
    >>> bool(abs(res.params["corr(0, 1)"] - 0.45) < 0.1)
    True
    """

    margins: GARCH | None = field(default_factory=GARCH)
    dist: Literal["normal"] = "normal"

    def __post_init__(self) -> None:
        check_option("dist", self.dist, ["normal"])

    def fit(self, y: Any) -> CCCResult:
        """Fit the margins, then the correlation of their standardised residuals.

        Parameters
        ----------
        y : (T, N) table or array, or margins
            Returns or innovations, any unit; standardised residuals with ``margins=None``. Missing values are taken:
            every pair stands on the rows in which both are seen. Or fitted margins: a `GARCHResult`, another fitted
            model (its margins), or a mapping or list of results of arch.

        Returns
        -------
        CCCResult

        Raises
        ------
        DataError
            Infinite values, one asset, too few rows, a series that does not vary, duplicated series.
        """
        margins = margins_of(self.margins, y, observed_assets)
        z, columns, notes = margins.std_resid_values, margins.columns, margins.notes
        if np.isfinite(z).all():
            constant = to_correlation(z.T @ z / len(z))
            check_target(constant, columns)
        else:
            pairs = pairwise_target(z, columns)
            constant, notes = pairs.matrix.copy(), (*notes, *pairs.notes)
            constant[pairs.lonely] = constant[:, pairs.lonely] = np.nan
        rows, cols = np.tril_indices(len(constant), -1)
        names = [f"corr({columns[j]}, {columns[i]})" for i, j in zip(rows, cols, strict=True)]
        return CCCResult(
            params=pd.concat([margins.params, pd.Series(constant[rows, cols], index=names)]).rename("estimate"),
            loglikelihood=_joint_loglikelihood(margins, constant),
            converged=fitted_converged(margins),
            notes=notes,
            nobs=len(z),
            margins=margins,
            spec=self,
            constant=constant,
            origin=None,
        )


def _joint_loglikelihood(margins: GARCHResult, constant: FloatArray) -> float:
    z = margins.std_resid_values
    if not np.isfinite(z).all():
        from drainstats.models.coliquidity.dcc.ragged import ragged_loglikelihood

        still = Weights(np.zeros(1), np.empty(0), np.empty(0))
        return ragged_loglikelihood(margins, _complete(constant), still)
    root = correlation_root(_complete(constant))
    whitened = np.linalg.solve(root, z.T)
    change = float((whitened**2).sum() - (z**2).sum())
    return margins.gaussian_loglikelihood - len(z) * float(np.log(np.diag(root)).sum()) - 0.5 * change


def _complete(constant: FloatArray) -> FloatArray:
    """The matrix with assets of which nothing is known uncorrelated."""
    return np.where(np.isfinite(constant), constant, np.eye(len(constant)))


def _pair_moment(z: FloatArray, i: int, j: int) -> tuple[FloatArray, FloatArray]:
    """Moment of the correlation of two assets by time step (T,), and d correlation / d z (T, N) times T."""
    both = np.isfinite(z[:, i]) & np.isfinite(z[:, j])
    first, second = z[both, i], z[both, j]
    sizes = np.sqrt([(first**2).mean(), (second**2).mean()])
    first, second = first / sizes[0], second / sizes[1]
    rho = float((first * second).mean())
    moment, slope = np.zeros(len(z)), np.zeros(z.shape)
    moment[both] = first * second - 0.5 * rho * (first**2 + second**2)
    slope[both, i], slope[both, j] = (second - rho * first) / sizes[0], (first - rho * second) / sizes[1]
    return moment / both.mean(), slope / both.mean()


@dataclass(frozen=True, eq=False, repr=False)
class CCCResult(CorrelationResult):
    """A fitted CCC: `CorrelationResult` with ``spec``, ``constant`` (N, N) and ``origin`` (the fit behind a filter).

    With missing values the correlation stands for the whole sample, also where an asset is not seen; it is NaN for an
    asset that is hardly seen with any other.
    """

    spec: CCC
    constant: FloatArray
    origin: CCCResult | None

    @property
    def title(self) -> str:
        """Model and margins."""
        return f"CCC on {margins_label(self.margins)}, {self.spec.dist}"

    @property
    def _there(self) -> BoolArray | None:
        known = np.isfinite(np.diag(self.constant))
        return None if known.all() else np.tile(known, (self.nobs, 1))

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        block = self.constant[np.ix_(columns, columns)]
        for first in range(0, self.nobs, rows):
            yield np.repeat(block[None], min(rows, self.nobs - first), axis=0)

    def _moments(self) -> Moments:
        margins, z = self.margins, self.margins.std_resid_values
        rows, cols = np.tril_indices(len(self.constant), -1)
        holes = not np.isfinite(z).all()
        pairs = pairwise_target(z, self.columns) if holes else None
        known = np.ones(len(rows), dtype=np.bool_) if pairs is None else pairs.known[rows, cols]
        kept = 1.0 if pairs is None else 1.0 - pairs.weight
        moments, cross = np.zeros((len(z), len(rows))), np.zeros((len(rows), len(margins.params)))
        for k in np.flatnonzero(known):
            moments[:, k], slope = _pair_moment(z, int(rows[k]), int(cols[k]))
            cross[k] = margins.pull_back(kept * slope) / len(z)
        identity = np.eye(len(rows))
        return stacked(margins, kept * moments, cross, -identity, identity[:, known])

    @property
    def _ranges(self) -> FloatArray:
        correlations = np.tile([-1.0, 1.0], (len(self.params) - len(self.margins.params), 1))
        return np.concatenate([self.margins._ranges, correlations])

    def filter(self, y_new: Any) -> CCCResult:
        """Run new data through at fixed parameters: nothing in row t depends on later rows."""
        margins = self.margins.filter(y_new)
        value = _joint_loglikelihood(margins, self.constant)
        return replace(self, loglikelihood=value, nobs=margins.nobs, margins=margins, origin=self.origin or self)

    def forecast(self, horizon: int = 1) -> CorrelationForecast:
        """Forecast variances of the next ``horizon`` steps; the correlation stays."""
        check_horizon(horizon)
        return CorrelationForecast(self.margins.forecast(horizon), np.repeat(self.constant[None], horizon, axis=0))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps that are dropped."""
        z = np.random.default_rng(seed).standard_normal((burn + steps, len(self.columns)))
        return pd.DataFrame(
            self.margins.drive(z @ correlation_root(_complete(self.constant)).T)[burn:], columns=self.columns
        )
