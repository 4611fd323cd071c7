"""GO-GARCH: which unseen, unrelated shocks lie behind the series, each with its own variance?

    e[t] = y[t] - mu = A f[t],   A = D R^1/2 U,   f[t] with independent GARCH margins,   H[t] = A diag(h[t]) A'

D holds the standard deviations, R is the correlation matrix, U a rotation: second moments leave it open, so that it
comes from how variances move. van der Weide (2002), Journal of Applied Econometrics 17, 549-564, by maximum likelihood;
Boswijk and van der Weide (2011), Journal of Econometrics 163, 118-126, by moments. O-GARCH is U = the eigenvectors.
Factors with the same variance, constant ones above all, cannot be told apart: their angles are not identified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option, check_whole
from drainstats.models.base import Moments
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.covariances.factor_result import (
    FactorResult,
    factor_margins,
    log_determinant,
    marginals,
)
from drainstats.models.coliquidity.covariances.marginals import standardise, symmetric_root
from drainstats.models.coliquidity.covariances.rotations import (
    GRADIENT,
    RotationFit,
    angle_slopes,
    angles,
    by_likelihood,
    by_moments,
    fit_factors,
    moments,
    planes,
    told_apart,
)
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.result import GARCHResult
from drainstats.typing import FloatArray

# With more assets maximum likelihood starts from the moments alone.
FEW = 4


@dataclass(frozen=True)
class GOGARCH:
    """Generalised orthogonal GARCH.

    Parameters
    ----------
    method : {"ml", "moments"}, default "ml"
        "ml": rotation and margins by maximum likelihood, N (N - 1) / 2 angles: for about ten series or fewer.
        "moments": the rotation that best diagonalises the lagged covariances of products, then the margins; fast at any
        size, less efficient, and the angles have no standard errors.
    margins : GARCH, default GARCH()
        Spec of every factor, with start "rugarch" or "fcp". Its mean says whether the sample mean of every series is
        taken off first; factors themselves have none.
    lags : int, default 10
        Lags whose covariances "moments" uses; "ml" starts from there.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(1).standard_normal((500, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> res = GOGARCH(method="moments").fit(y)
    >>> list(res.params.index[-2:]), res.mixing.shape
    (['factor2.beta1', 'angle(1, 2)'], (2, 2))
    """

    method: Literal["ml", "moments"] = "ml"
    margins: GARCH = field(default_factory=GARCH)
    lags: int = 10

    def __post_init__(self) -> None:
        check_option("method", self.method, ["ml", "moments"])
        check_whole("lags", self.lags, 1)
        factor_margins(self.margins)
        if self.margins.start not in ("rugarch", "fcp"):
            raise OptionError(
                f"margins.start={self.margins.start!r} makes the start of a factor's variance depend on the rotation; "
                "take 'rugarch' or 'fcp'."
            )

    def fit(self, y: Any) -> GOGARCHResult:
        """Whiten the data, find the rotation, fit the margins.

        Parameters
        ----------
        y : (T, N) table or array
            Returns or innovations of log illiquidity, any unit, complete rows.

        Returns
        -------
        GOGARCHResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, duplicated series.
        """
        spec, demean = factor_margins(self.margins)
        data = standardise(y, demean, 2 * self.lags + 10 + 2 * len(spec.parameter_names))
        R, index, columns = data.e.T @ data.e / len(data.e), data.wide.index, data.wide.columns
        root = symmetric_root(R)
        z = data.e @ symmetric_root(R, -0.5)
        found = self._rotate(spec, z)
        U, mixing = _ordered(found.U, data.scale[:, None] * root @ found.U, data.scale)
        factors, e = fit_factors(spec, z, U, index), data.wide.values - data.mean
        names = [f"angle({i + 1}, {j + 1})" for i, j in planes(len(U))]
        turned = pd.Series(angles(U), index=names)
        value = float(factors.loglikelihood - len(e) * log_determinant(mixing))
        settled = self.method == "moments" or found.gap < GRADIENT
        noise = np.zeros_like(R)
        return GOGARCHResult(
            params=pd.concat([factors.params, turned]).rename("estimate"),
            loglikelihood=value,
            converged=factors.converged and settled,
            notes=(*factors.notes, *self._notes(found, factors, len(e))),
            nobs=len(e),
            margins=marginals(mixing, noise, factors.volatility_values**2, e, index, columns),
            spec=self,
            factors=factors,
            mixing=pd.DataFrame(mixing, index=columns, columns=factors.columns),
            unmixing=np.asarray(np.linalg.inv(mixing)),
            noise=noise,
            mean=data.mean,
            origin=None,
            rotation=U,
            gap=found.gap,
            evaluations=found.evaluations,
        )

    def _rotate(self, spec: GARCH, z: FloatArray) -> RotationFit:
        start = by_moments(z, self.lags)
        if self.method == "moments":
            return RotationFit(start, fit_factors(spec, z, start), np.nan, 1)
        N = z.shape[1]
        return by_likelihood(spec, z, [start, np.eye(N)] if N <= FEW else [start])

    def _notes(self, found: RotationFit, factors: GARCHResult, rows: int) -> list[str]:
        if self.method == "moments":
            return ["standard errors of the margins take the rotation as known; angles have none"]
        notes = []
        if not found.gap < GRADIENT:
            slope = f"the log-likelihood still has a slope of {found.gap * rows:.3g}"
            notes.append(f"the rotation has not converged: {slope}")
        if not told_apart(factors).all():
            notes.append("two factors with constant variance cannot be told apart: their rotation is not identified")
        return notes


def _ordered(U: FloatArray, mixing: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors by what they explain of the standardised variance, the largest loading of each positive."""
    loadings = mixing / scale[:, None]
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    loadings = loadings[:, order]
    signs = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(len(U))])
    return U[:, order] * signs, mixing[:, order] * signs


@dataclass(frozen=True, eq=False, repr=False)
class GOGARCHResult(FactorResult):
    """A fitted GO-GARCH.

    Besides what `FactorResult` offers: ``rotation`` U (N, N), ``gap`` (largest slope of the log-likelihood in a small
    rotation, per time step; NaN by moments) and ``evaluations``. ``params`` ends with the angles of plane rotations
    whose product is U (its last column turned round if det U = -1); their errors count the margins and the whitening.
    """

    rotation: FloatArray
    gap: float
    evaluations: int

    @property
    def title(self) -> str:
        """Method and margins of the factors."""
        return f"GO-GARCH by {self.spec.method} on {self.factors.title.split(')')[0]})"

    def _moments(self) -> Moments:
        from scipy.linalg import block_diag

        k = len(self.rotation) * (len(self.rotation) - 1) // 2
        if self.spec.method == "moments":
            raise OptionError("The rotation was found by moments: its errors are not known; take method='ml'.")
        mixing = self.mixing.to_numpy()
        scores, noise, bread = moments(self.factors, to_correlation(mixing @ mixing.T), self.rotation)
        slopes = angle_slopes(self.rotation)
        back = np.linalg.inv(slopes)
        K = len(bread) - k
        # From small rotations to angles: both sides of the sandwich change coordinates.
        change = np.asarray(block_diag(np.eye(K), back))
        basis = np.asarray(block_diag(self.factors.basis, slopes[:, told_apart(self.factors)]))
        units = np.concatenate([self.factors.units, np.ones(k)])
        return Moments(change.T @ bread @ change, scores @ change, basis, units, noise @ change)

    def _covariance(self) -> FloatArray:
        if self.origin is not None:
            return self.origin.param_covariance.to_numpy()
        if self.spec.method == "ml":
            return np.asarray(super()._covariance())
        K = len(self.factors.params)
        out = np.full((len(self.params), len(self.params)), np.nan)
        out[:K, :K] = self.factors.param_covariance.to_numpy()
        return out
