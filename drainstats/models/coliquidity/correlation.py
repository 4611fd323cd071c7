"""What every conditional-correlation result offers, whatever its recursion: paths, pairs, averages, covariances."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError, require_extra
from drainstats.models.base import Estimates
from drainstats.models.coliquidity.margins import GARCHResult
from drainstats.typing import FloatArray

PATH_BYTES = 2**30
CHUNK_BYTES = 2**24


def to_correlation(q: FloatArray) -> FloatArray:
    """Scale matrices (..., N, N) to a unit diagonal."""
    scale = np.sqrt(np.diagonal(q, axis1=-2, axis2=-1))
    return np.asarray(q / (scale[..., :, None] * scale[..., None, :]))


@dataclass(frozen=True, eq=False)
class CorrelationForecast:
    """Forecasts of the next H steps.

    Attributes
    ----------
    variance : (H × N) frame, squared units of the data; index 1, ..., H.
    correlation : (H, N, N) array.
    """

    variance: pd.DataFrame
    correlation: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """(H, N, N): correlation scaled by the forecast volatilities."""
        vol = np.sqrt(self.variance.to_numpy())
        return np.asarray(self.correlation * vol[:, :, None] * vol[:, None, :])

    def pair(self, first: Any, second: Any) -> pd.Series:
        """Forecast correlation of two assets."""
        i, j = self.variance.columns.get_indexer([first, second])
        return pd.Series(self.correlation[:, i, j], index=self.variance.index, name=f"{first}, {second}")

    def __repr__(self) -> str:
        steps, assets = self.variance.shape
        return f"<CorrelationForecast: {steps} steps, {assets} assets>"


@dataclass(frozen=True, eq=False, repr=False)
class CorrelationResult(Estimates):
    """A fitted (or filtered) model of conditional correlations.

    Besides what `Estimates` lists: ``margins``, the `GARCHResult` of the same data.
    """

    margins: GARCHResult

    @abstractmethod
    def _chunks(self, columns: list[int], rows: int) -> Iterator[FloatArray]:
        """Correlation matrices of some assets, in time order, ``rows`` time steps at once."""

    def __repr__(self) -> str:
        index, state = self.margins.index, "converged" if self.converged else "NOT converged"
        kind = "" if self.margins.origin is None else ", filtered at fixed parameters"
        return (
            f"<{self.title}: {len(self.columns)} assets, {index[0]!s} to {index[-1]!s} ({self.nobs} rows), "
            f"log-likelihood {self.loglikelihood:.4f}, {state}{kind}>"
        )

    @property
    def index(self) -> pd.Index:
        """Time labels."""
        return self.margins.index

    @property
    def columns(self) -> pd.Index:
        """Asset names."""
        return self.margins.columns

    @property
    def conditional_volatility(self) -> pd.DataFrame:
        """T × N conditional standard deviations in the units of the data."""
        return pd.DataFrame(self.margins.volatility_values, index=self.index, columns=self.columns)

    @property
    def std_resid(self) -> pd.DataFrame:
        """T × N residuals divided by their conditional volatility."""
        return pd.DataFrame(self.margins.std_resid_values, index=self.index, columns=self.columns)

    def _check_size(self, name: str) -> None:
        T, N = self.nobs, len(self.columns)
        if T * N * N * 8 > PATH_BYTES:
            raise SizeError(
                f"{name} would be {T} x {N} x {N} numbers ({T * N * N * 8 / 2**30:.1f} GiB, the limit is "
                f"{PATH_BYTES / 2**30:g}); use pair(a, b) for one pair, last for the newest matrix, "
                "iter() to walk through time."
            )

    def _rows(self, n: int) -> int:
        return max(1, CHUNK_BYTES // (8 * n * n))

    @property
    def correlation(self) -> FloatArray:
        """(T, N, N) conditional correlations; row t uses rows before t.

        Raises
        ------
        SizeError
            Above 1 GiB; the message names ``pair``, ``last`` and ``iter``.
        """
        self._check_size("correlation")
        return np.concatenate(list(self._chunks(list(range(len(self.columns))), self._rows(len(self.columns)))))

    @property
    def covariance(self) -> FloatArray:
        """(T, N, N) conditional covariances, squared units of the data; row t uses rows before t."""
        self._check_size("covariance")
        vol, out = self.margins.volatility_values, self.correlation
        out *= vol[:, :, None]
        out *= vol[:, None, :]
        return out

    def iter(self) -> Iterator[tuple[Any, FloatArray]]:
        """Walk through time: pairs of a time label and an (N, N) correlation matrix, little memory."""
        n = len(self.columns)
        matrices = (matrix for chunk in self._chunks(list(range(n)), self._rows(n)) for matrix in chunk)
        return zip(self.index, matrices, strict=True)

    def pair(self, first: Any, second: Any) -> pd.Series:
        """Conditional correlation of two assets along time."""
        places = []
        for name in (first, second):
            if name not in self.columns:
                raise OptionError(f"{name!r} is not an asset of this result; the assets are {list(self.columns)}.")
            places.append(int(self.columns.get_loc(name)))
        path = np.concatenate([c[:, 0, -1] for c in self._chunks(places, self._rows(2))])
        return pd.Series(path, index=self.index, name=f"{first}, {second}")

    @cached_property
    def _last(self) -> FloatArray:
        last = np.empty(0)
        for chunk in self._chunks(list(range(len(self.columns))), self._rows(len(self.columns))):
            last = chunk[-1].copy()
        return last

    @property
    def last(self) -> pd.DataFrame:
        """N × N conditional correlation of the last time step."""
        return pd.DataFrame(self._last, index=self.columns, columns=self.columns)

    @property
    def average_correlation(self) -> pd.Series:
        """Mean over all pairs of the conditional correlation, along time: the level of co-movement."""
        n = len(self.columns)
        chunks = self._chunks(list(range(n)), self._rows(n))
        sums = np.concatenate([(c.sum(axis=(1, 2)) - n) / (n * (n - 1)) for c in chunks])
        return pd.Series(sums, index=self.index, name="average_correlation")

    def plot(self, ax: Any = None) -> Any:
        """Average conditional correlation along time, each pair behind it when there are few; returns the axes."""
        ax = require_extra("matplotlib.pyplot", "plot").subplots()[1] if ax is None else ax
        names = list(self.columns)
        if len(names) <= 5:
            for i, first in enumerate(names):
                for second in names[i + 1 :]:
                    ax.plot(
                        self.index, self.pair(first, second).to_numpy(), lw=0.6, alpha=0.5, label=f"{first}, {second}"
                    )
        ax.plot(self.index, self.average_correlation.to_numpy(), color="black", label="average")
        ax.set_ylabel("conditional correlation")
        ax.legend()
        return ax


def check_horizon(horizon: int) -> None:
    """A horizon is a whole number of steps, 1 or more."""
    if not isinstance(horizon, (int, np.integer)) or horizon < 1:
        raise OptionError(f"horizon={horizon!r} must be a whole number of steps, 1 or more.")


def correlation_root(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor, with a sentence when there is none."""
    try:
        return np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError as error:
        raise DataError(
            "A correlation matrix is not positive definite; leave out a duplicated or combined series."
        ) from error
