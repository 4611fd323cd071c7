"""What models of covariances with GARCH factors share: H[t] = L diag(h[t]) L' + noise, and all that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from drainstats.errors import OptionError
from drainstats.frames import as_wide
from drainstats.models.coliquidity.correlation import (
    CorrelationForecast,
    CorrelationResult,
    check_horizon,
    to_correlation,
)
from drainstats.models.coliquidity.covariances.bekk_problem import likelihood
from drainstats.models.coliquidity.covariances.marginals import Marginals, symmetric_root
from drainstats.models.coliquidity.inputs import complete_rows, same_columns
from drainstats.models.coliquidity.margins.garch import GARCH
from drainstats.models.coliquidity.margins.result import GARCHResult
from drainstats.typing import FloatArray


def factor_margins(margins: GARCH) -> tuple[GARCH, bool]:
    """The spec for factors, which have no mean, and whether the data lose theirs first."""
    if type(margins) is not GARCH or margins.mean not in ("constant", "zero"):
        raise OptionError(
            f"margins={margins!r} cannot drive factors; take a GARCH with mean='constant' (the sample mean is taken "
            "off the data) or mean='zero'."
        )
    return replace(margins, mean="zero"), margins.mean == "constant"


def marginals(
    mixing: FloatArray, noise: FloatArray, h: FloatArray, e: FloatArray, index: pd.Index, columns: pd.Index
) -> Marginals:
    """The diagonal of H (T, N) and the residuals ``e`` on its scale."""
    volatility = np.sqrt(h @ (mixing**2).T + np.diag(noise))
    return Marginals(volatility, e / volatility, index, columns, None)


def log_determinant(mixing: FloatArray) -> float:
    """log |det L|."""
    return float(np.linalg.slogdet(mixing)[1])


@dataclass(frozen=True, eq=False, repr=False)
class FactorResult(CorrelationResult):
    """A fitted model with GARCH factors.

    Besides what `CorrelationResult` offers: ``spec``; ``factors``, the `GARCHResult` of the K factors (its data are the
    factors); ``mixing``, the N × K frame with data less mean = mixing times factors; ``unmixing`` (K, N), the way back;
    ``noise`` (N, N), the covariance of what the factors leave, zero when there are as many factors as assets;
    ``mean`` (N,); and ``origin``, the fit behind a filtered result. ``std_resid`` divides by the volatility of each
    series; `whitened` takes the correlation out too.
    """

    margins: Any
    spec: Any
    factors: GARCHResult
    mixing: pd.DataFrame
    unmixing: FloatArray
    noise: FloatArray
    mean: FloatArray
    origin: Self | None

    @property
    def _complete(self) -> bool:
        return self.mixing.shape[0] == self.mixing.shape[1]

    @property
    def factor_variance(self) -> pd.DataFrame:
        """T × K conditional variances of the factors; row t uses rows before t."""
        h = self.factors.volatility_values**2
        return pd.DataFrame(h, index=self.index, columns=self.mixing.columns)

    def _joined(self, L: FloatArray, noise: FloatArray, h: FloatArray) -> FloatArray:
        return np.asarray((L * h[:, None, :]) @ L.T + noise)

    def _blocks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        """H (rows, n, n) of some assets, in time order."""
        L, noise = self.mixing.to_numpy()[columns], self.noise[np.ix_(columns, columns)]
        h = self.factors.volatility_values**2
        for first in range(0, len(h), rows):
            yield self._joined(L, noise, h[first : first + rows])

    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        return (to_correlation(block) for block in self._blocks(columns, rows))

    def _walk(self) -> Iterator[FloatArray]:
        """H (rows, N, N) of all assets."""
        n = len(self.columns)
        return self._blocks(list(range(n)), self._rows(n))

    def _value(self) -> float:
        """Log-likelihood: that of the factors under their law, or normal at H when there are fewer factors."""
        if self._complete:
            return float(self.factors.loglikelihood - self.nobs * log_determinant(self.mixing.to_numpy()))
        e, done, total = self.margins.residuals, 0, 0.0
        lower = np.tril_indices(len(self.columns))
        for block in self._walk():
            total += float(likelihood(e[done : done + len(block)], block[:, *lower], 0.0)[0].sum())
            done += len(block)
        return total

    def whitened(self) -> pd.DataFrame:
        """H[t]^-1/2 e[t] by the symmetric root (T × N), without a unit and uncorrelated if the model holds."""
        e, parts, done = self.margins.residuals, [], 0
        for block in self._walk():
            part = e[done : done + len(block), :, None]
            parts.append((symmetric_root(block, -0.5) @ part)[:, :, 0])
            done += len(block)
        return pd.DataFrame(np.concatenate(parts), index=self.index, columns=self.columns)

    def filter(self, y_new: Any) -> Self:
        """Run new data through at fixed parameters.

        Mean, mixing and the start of the variances are those of the fit, so nothing in row t depends on later rows; on
        the data of the fit the answer is the fit.
        """
        wide = as_wide(y_new, "y")
        same_columns(wide, self.columns)
        complete_rows(wide.like(wide.values), 1, varying=False)
        e = wide.values - self.mean
        frame = pd.DataFrame(e @ self.unmixing.T, index=wide.index, columns=self.mixing.columns)
        factors = self.factors.filter(frame)
        h = factors.volatility_values**2
        found = marginals(self.mixing.to_numpy(), self.noise, h, e, wide.index, self.columns)
        origin = self.origin or self
        margins = replace(found, origin=origin.margins)
        new = replace(self, nobs=len(e), margins=margins, factors=factors, origin=origin)
        return replace(new, loglikelihood=new._value())

    def forecast(self, horizon: int = 1) -> CorrelationForecast:
        """Expected covariances of the next ``horizon`` steps: exact, since the factors do not mix."""
        check_horizon(horizon)
        ahead = self.factors.forecast(horizon)
        path = self._joined(self.mixing.to_numpy(), self.noise, ahead.to_numpy())
        variance = pd.DataFrame(np.diagonal(path, axis1=1, axis2=2), index=ahead.index, columns=self.columns)
        return CorrelationForecast(variance, to_correlation(path))

    def simulate(self, steps: int, seed: int = 0, burn: int = 500) -> pd.DataFrame:
        """``steps`` rows from the estimated model, after ``burn`` steps that are dropped; the noise is normal."""
        f = self.factors.simulate(steps, seed=seed, burn=burn).to_numpy()
        y = self.mean + f @ self.mixing.to_numpy().T
        if not self._complete:
            rng = np.random.default_rng([seed, 1])
            y = y + rng.standard_normal(y.shape) * np.sqrt(np.diag(self.noise))
        return pd.DataFrame(y, columns=self.columns)
