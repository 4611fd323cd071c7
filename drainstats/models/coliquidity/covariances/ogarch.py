"""O-GARCH: how much do a few common components, each with its own variance, move everything?

    x[t] = D^-1 (y[t] - mu),   D = diag(standard deviations),   mean of xx' = P diag(lambda) P'   (a correlation matrix)
    f[t] = P_K' x[t]  with GARCH margins,   H[t] = D (P_K diag(h[t]) P_K' + diag(psi)) D

psi, the mean squares of what K components leave of each series, is zero when K = N. Alexander (2001), in Mastering
Risk, volume 2, 21-38. Components come from the correlation matrix, so that the unit of a series does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_whole
from drainstats.models.coliquidity.covariances.factor_result import FactorResult, factor_margins, marginals
from drainstats.models.coliquidity.covariances.marginals import standardise
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.typing import FloatArray


@dataclass(frozen=True)
class OGARCH:
    """Orthogonal GARCH: principal components with GARCH variances.

    Parameters
    ----------
    factors : int, optional
        How many components, the largest first; default all. With fewer, what they leave of each series is noise of
        constant variance, uncorrelated across series, and the log-likelihood is normal whatever the margins' law.
    margins : GARCH, default GARCH()
        Spec of every component. Its mean says whether the sample mean of every series is taken off first; components
        themselves have none.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.standard_normal((400, 1)) + 0.5 * rng.standard_normal((400, 3))
    >>> res = OGARCH(factors=1).fit(y)
    >>> list(res.params.index)
    ['pc1.omega', 'pc1.alpha1', 'pc1.beta1']
    >>> bool(res.explained["pc1"] > 0.6)
    True
    """

    factors: int | None = None
    margins: GARCH = field(default_factory=GARCH)

    def __post_init__(self) -> None:
        if self.factors is not None:
            check_whole("factors", self.factors, 1)
        factor_margins(self.margins)

    def fit(self, y: Any) -> OGARCHResult:
        """Find the components, then fit their variances.

        Parameters
        ----------
        y : (T, N) table or array
            Returns or innovations of log illiquidity, any unit, complete rows.

        Returns
        -------
        OGARCHResult

        Raises
        ------
        DataError
            Missing or infinite values, one asset, too few rows, a series that does not vary, duplicated series.
        OptionError
            More factors than assets.
        """
        spec, demean = factor_margins(self.margins)
        data = standardise(y, demean, 10 + 2 * len(spec.parameter_names))
        N = len(data.scale)
        K = N if self.factors is None else int(self.factors)
        if K > N:
            raise OptionError(f"factors={K} exceeds the {N} assets; take at most {N}.")
        values, vectors = _components(data.e.T @ data.e / len(data.e))
        P = vectors[:, :K]
        names = pd.Index([f"pc{k + 1}" for k in range(K)])
        f = pd.DataFrame(data.e @ P, index=data.wide.index, columns=names)
        noise = np.diag(((data.e - f.to_numpy() @ P.T) ** 2).mean(axis=0) * data.scale**2)
        if K == N:
            noise = np.zeros((N, N))
        factors = spec.fit(f)
        mixing = data.scale[:, None] * P
        h, e, columns = factors.volatility_values**2, data.wide.values - data.mean, data.wide.columns
        result = OGARCHResult(
            params=factors.params,
            loglikelihood=np.nan,
            converged=factors.converged,
            notes=(*factors.notes, "standard errors take the components as known"),
            nobs=len(e),
            margins=marginals(mixing, noise, h, e, data.wide.index, columns),
            spec=self,
            factors=factors,
            mixing=pd.DataFrame(mixing, index=columns, columns=names),
            unmixing=P.T / data.scale,
            noise=noise,
            mean=data.mean,
            origin=None,
            explained=pd.Series(values[:K] / N, index=names, name="explained"),
        )
        return replace(result, loglikelihood=result._value())


def _components(correlation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues (N,) from the largest on and eigenvectors, the largest entry of each positive."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1], vectors[:, ::-1]
    peak = np.abs(vectors).argmax(axis=0)
    return values, vectors * np.sign(vectors[peak, np.arange(len(values))])


@dataclass(frozen=True, eq=False, repr=False)
class OGARCHResult(FactorResult):
    """A fitted O-GARCH: `FactorResult` with ``explained``, the share of the standardised variance of each component."""

    explained: pd.Series

    @property
    def title(self) -> str:
        """Number of components and their margins."""
        return (
            f"O-GARCH, {self.mixing.shape[1]} of {len(self.columns)} components on {self.factors.title.split(')')[0]})"
        )

    def _covariance(self) -> FloatArray:
        return self.factors.param_covariance.to_numpy()
