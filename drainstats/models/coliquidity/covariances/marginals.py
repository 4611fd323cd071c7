"""The univariate side of a covariance model, where other models of the family have fitted margins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import Wide
from drainstats.models.coliquidity.inputs import check_target, several_assets
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Marginals:
    """What a joint law says of each series by itself.

    ``volatility_values`` and ``std_resid_values`` (T, N) with ``index`` and ``columns``; ``origin``: those of the fit
    behind a filtered result.
    """

    volatility_values: FloatArray
    std_resid_values: FloatArray
    index: pd.Index
    columns: pd.Index
    origin: Marginals | None

    @property
    def residuals(self) -> FloatArray:
        """Data less their mean (T, N), in the units of the data."""
        return np.asarray(self.std_resid_values * self.volatility_values)

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return len(self.std_resid_values)


@dataclass(frozen=True, slots=True)
class Standardised:
    """Data in units of their own: residuals ``e`` (T, N) of mean square one, ``mean`` and ``scale`` (N,)."""

    wide: Wide
    e: FloatArray
    mean: FloatArray
    scale: FloatArray


def standardise(y: object, demean: bool, least: int) -> Standardised:
    """Check ``y`` (T, N), take off the sample mean if ``demean``, and scale every series to mean square one."""
    wide = several_assets(y, least)
    mean = wide.values.mean(axis=0) if demean else np.zeros(wide.values.shape[1])
    e = wide.values - mean
    scale = np.sqrt((e**2).mean(axis=0))
    e = np.ascontiguousarray(e / scale)
    check_target(e.T @ e / len(e), wide.columns)
    return Standardised(wide, e, mean, scale)


def symmetric_root(matrix: FloatArray, power: float = 0.5) -> FloatArray:
    """Symmetric power of positive definite matrices (..., N, N)."""
    values, vectors = np.linalg.eigh(matrix)
    if not (values > 0.0).all():
        raise DataError("A covariance matrix is not positive definite; leave out a duplicated or combined series.")
    return np.asarray((vectors * values[..., None, :] ** power) @ np.swapaxes(vectors, -1, -2))


def places(columns: pd.Index, names: tuple[object, ...]) -> list[int]:
    """Positions of assets by name."""
    for name in names:
        if name not in columns:
            raise OptionError(f"{name!r} is not an asset of this result; the assets are {list(columns)}.")
    return [int(columns.get_loc(name)) for name in names]
