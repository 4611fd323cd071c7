"""What every conditional-correlation result offers, whatever its recursion: paths, pairs, averages, covariances."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, SizeError, check_whole, require_extra
from drainstats.models.base import Estimates
from drainstats.models.coliquidity.margins.garch import GARCHResult
from drainstats.typing import BoolArray, FloatArray, IntArray

PATH_BYTES = 2**30
CHUNK_BYTES = 2**24
DENSE_EIGENVALUES = 100


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
                "iter() to walk through time, to_parquet(path) or to_zarr(path) for a file."
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

    def _place(self, name: Any) -> int:
        if name not in self.columns:
            raise OptionError(f"{name!r} is not an asset of this result; the assets are {list(self.columns)}.")
        return int(self.columns.get_loc(name))

    def _pair_path(self, first: int, second: int) -> FloatArray:
        return np.concatenate([c[:, 0, -1] for c in self._chunks([first, second], self._rows(2))])

    def pair(self, first: Any, second: Any) -> pd.Series:
        """Conditional correlation of two assets along time."""
        path = self._pair_path(self._place(first), self._place(second))
        return pd.Series(path, index=self.index, name=f"{first}, {second}")

    def pairs(self, names: Iterable[tuple[Any, Any]]) -> pd.DataFrame:
        """Conditional correlations of several pairs along time.

        Parameters
        ----------
        names : pairs of asset names

        Returns
        -------
        DataFrame
            T × pairs, the columns labelled by ``first`` and ``second``; row t uses rows before t.
        """
        wanted = [tuple(pair) if isinstance(pair, (tuple, list)) else (pair,) for pair in names]
        if not wanted or any(len(pair) != 2 for pair in wanted):
            raise OptionError(f"pairs takes a list of pairs of asset names, such as [('A', 'B')], not {wanted!r}.")
        paths = [self._pair_path(self._place(first), self._place(second)) for first, second in wanted]
        labels = pd.MultiIndex.from_tuples(wanted, names=["first", "second"])
        return pd.DataFrame(np.column_stack(paths), index=self.index, columns=labels)

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
    def _there(self) -> BoolArray | None:
        """Assets (T, N) that have a correlation in a row, where not all have."""
        return None

    def _sizes(self, members: FloatArray) -> FloatArray:
        """How many of some groups ``members`` (N, G) have a correlation, (T, G), or (1, G) when all always have."""
        return members.sum(axis=0)[None] if self._there is None else self._there @ members

    def _forms(self, loadings: FloatArray, size: FloatArray | None = None) -> FloatArray:
        """L' D[t] R[t] D[t] L (T, G, G) for ``loadings`` L (N, G); ``size`` (T, N) is the diagonal of D, by default 1.

        An asset without a correlation adds nothing.

        Walks through all matrices: about 25 ns an entry of the path, half a minute for a thousand assets and rows.
        """
        n, done, out, there = len(self.columns), 0, [], self._there
        for chunk in self._chunks(list(range(n)), self._rows(n)):
            if there is not None:
                chunk = np.nan_to_num(chunk)
            L = loadings[None] if size is None else size[done : done + len(chunk), :, None] * loadings
            out.append(np.swapaxes(L, 1, 2) @ chunk @ L)
            done += len(chunk)
        return np.concatenate(out)

    @property
    def average_correlation(self) -> pd.Series:
        """Mean over all pairs of the conditional correlation, along time: the level of co-movement.

        Pairs without a correlation in a row do not count; NaN where there is no pair.
        """
        all_of_them = np.ones((len(self.columns), 1))
        sums, n = self._forms(all_of_them)[:, 0, 0], self._sizes(all_of_them)[:, 0]
        return pd.Series(_ratio(sums - n, n * (n - 1.0)), index=self.index, name="average_correlation")

    def average(self, groups: Mapping[Any, Any]) -> pd.DataFrame:
        """Mean conditional correlation within groups of assets and between each two, along time.

        Parameters
        ----------
        groups : mapping of asset to group
            Assets that it does not name do not count.

        Returns
        -------
        DataFrame
            T × (groups of two assets or more, by name, then pairs of groups, as "one, other"); row t uses rows before
            t.
        """
        unknown = [name for name in groups if name not in self.columns]
        if unknown or not groups:
            raise OptionError(f"groups names {unknown or 'no asset'}; it must map assets of this result to groups.")
        names = list(dict.fromkeys(groups.values()))
        rows = [[c in groups and groups[c] == name for name in names] for c in self.columns]
        members = np.array(rows, dtype=np.float64)
        sizes, forms = self._sizes(members), self._forms(members)
        out = {}
        for g, name in enumerate(names):
            n = sizes[:, g]
            if members[:, g].sum() > 1:
                out[str(name)] = _ratio(forms[:, g, g] - n, n * (n - 1.0))
        for g, name in enumerate(names):
            for h in range(g + 1, len(names)):
                out[f"{name}, {names[h]}"] = _ratio(forms[:, g, h], sizes[:, g] * sizes[:, h])
        return pd.DataFrame(out, index=self.index)

    def portfolio_volatility(self, weights: Any) -> pd.Series:
        """Conditional standard deviation of a portfolio along time, in the units of the data.

        Parameters
        ----------
        weights : Series or mapping by asset, or (N,) array
            Constant weights, not scaled to any sum; assets that a Series or mapping does not name have none.

        Returns
        -------
        Series
            Row t uses rows before t.
        """
        w, vol = self._weights(weights), self.margins.volatility_values
        known = np.isfinite(vol) if self._there is None else np.isfinite(vol) & self._there
        variance = self._forms(w[:, None], np.where(known, vol, 0.0))[:, 0, 0]
        variance[(~known & (w != 0.0)).any(axis=1)] = np.nan
        return pd.Series(np.sqrt(variance), index=self.index, name="portfolio_volatility")

    def _weights(self, weights: Any) -> FloatArray:
        if isinstance(weights, (Mapping, pd.Series)):
            named = pd.Series(weights, dtype=np.float64)
            lost = [name for name in named.index if name not in self.columns]
            if lost:
                raise OptionError(f"weights has {lost[0]!r}, which is not an asset of this result.")
            weights = named.reindex(self.columns, fill_value=0.0)
        w = np.asarray(weights, dtype=np.float64)
        if w.shape != (len(self.columns),) or not np.isfinite(w).all():
            raise OptionError(
                f"weights must be {len(self.columns)} finite numbers, one an asset, or be named by asset."
            )
        return w

    def _picked(self, places: IntArray) -> Iterator[FloatArray]:
        """Correlation matrices (N, N) of some time steps, given by place in ascending order."""
        wanted = {int(t) for t in places}
        for t, (_, matrix) in enumerate(self.iter()):
            if t in wanted:
                yield matrix

    def eigenvalue_share(self, every: int = 1) -> pd.Series:
        """Share of the first principal component in the variance of all standardised series, along time.

        The largest eigenvalue of R[t] divided by N: 1 / N when nothing is correlated, 1 when all is one.

        Parameters
        ----------
        every : int, default 1
            Only each ``every``-th row, from the first on; with thousands of assets each costs about a second.

        Returns
        -------
        Series
            Row t uses rows before t.
        """
        check_whole("every", every, 1)
        places, n = np.arange(0, self.nobs, every), len(self.columns)
        shares = np.empty(len(places))
        vector = np.ones(n)
        for k, matrix in enumerate(self._picked(places)):
            there = np.flatnonzero(np.isfinite(np.diag(matrix)))
            if len(there) < 2:
                shares[k] = np.nan
                continue
            value, vector[there] = largest_eigenvalue(matrix[np.ix_(there, there)], vector[there])
            shares[k] = value / len(there)
        return pd.Series(shares, index=self.index[places], name="eigenvalue_share")

    def to_parquet(self, path: Any) -> Path:
        """Write all conditional correlations to a Parquet file, little of the path in memory at once.

        A row is a time and a pair, in the columns ``time``, ``first``, ``second`` and ``correlation`` (first before
        second in the order of the assets); T N (N - 1) / 2 rows. Needs the extra ``ticks``.

        Parameters
        ----------
        path : str or Path
            The file appears whole or not at all; one of that name is replaced.

        Returns
        -------
        Path
        """
        from drainstats.models.coliquidity.correlation_files import write_parquet

        return write_parquet(self.iter(), self.index, self.columns, Path(path))

    def to_zarr(self, path: Any) -> Path:
        """Write all conditional correlations to a Zarr store (format 2), little of the path in memory at once.

        Arrays ``correlation`` (T, N, N; chunks of some time steps), ``time`` and ``asset``, ``asset_other``, labelled
        so that xarray opens them with names; no package is needed to write it.

        Parameters
        ----------
        path : str or Path
            A folder that is not there yet; it appears whole or not at all.

        Returns
        -------
        Path

        Raises
        ------
        OptionError
            Something of that name is there.
        """
        from drainstats.models.coliquidity.correlation_files import write_zarr

        return write_zarr(self.iter(), self.index, self.columns, self._rows(len(self.columns)), Path(path))

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


def _ratio(top: FloatArray, below: FloatArray) -> FloatArray:
    """Quotients (T,), NaN where there is nothing below."""
    return np.asarray(top / np.where(below > 0.0, below, np.nan))


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


def largest_eigenvalue(matrix: FloatArray, start: FloatArray) -> tuple[float, FloatArray]:
    """Largest eigenvalue of a symmetric matrix and its eigenvector; Lanczos from ``start`` when it is large."""
    if len(matrix) <= DENSE_EIGENVALUES:
        values, vectors = np.linalg.eigh(matrix)
        return float(values[-1]), np.asarray(vectors[:, -1])
    from scipy.sparse.linalg import eigsh

    values, vectors = eigsh(matrix, k=1, which="LA", v0=start, tol=1e-10)
    return float(values[0]), np.asarray(vectors[:, 0])
