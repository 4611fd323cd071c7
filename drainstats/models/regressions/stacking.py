"""Tables of time × asset as the stacked sample of a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import Wide, as_wide, refuse_extreme
from drainstats.typing import BoolArray, FloatArray, IntArray

STANDARDISE = ("none", "pooled", "asset")


@dataclass(frozen=True, slots=True)
class Sample:
    """The complete cells of a panel.

    y : (n,); x : (n, K), named ``names``; asset, row : (n,) column and row of each cell in the tables; weights : (n,)
    or None.
    """

    y: FloatArray
    x: FloatArray
    names: tuple[str, ...]
    asset: IntArray
    row: IntArray
    weights: FloatArray | None = None

    def spread_out(self, values: FloatArray, shape: tuple[int, int]) -> FloatArray:
        """(n,) values as a (T, N) array, NaN where no cell was used."""
        out = np.full(shape, np.nan)
        out[self.row, self.asset] = values
        return out


def outcome_of(table: Any, name: str = "outcome") -> Wide:
    """The outcome, finite where it is not missing."""
    wide = as_wide(table, name)
    if 0 in wide.values.shape:
        raise DataError(f"{name} is empty; pass time × asset.")
    _refuse_infinite(name, wide)
    refuse_extreme(wide.values, wide.columns)
    return wide


def beside(name: str, table: Any, outcome: Wide) -> FloatArray:
    """A (T, N) array from a table like the outcome, or from one series that all assets share."""
    wide = as_wide(table, name)
    rows, assets = outcome.values.shape
    if len(wide.values) != rows:
        raise DataError(f"{name} has {len(wide.values)} rows, the outcome {rows}; align them first.")
    labelled = wide.kind in ("frame", "series") and outcome.kind in ("frame", "series")
    if labelled and not wide.index.equals(outcome.index):
        raise DataError(f"{name} stands on other rows than the outcome; align them first.")
    if wide.values.shape[1] not in (1, assets):
        raise DataError(f"{name} has {wide.values.shape[1]} columns; one, or one an asset ({assets}), is expected.")
    if wide.kind == outcome.kind == "frame" and len(wide.columns) > 1 and not wide.columns.equals(outcome.columns):
        raise DataError(f"{name} has other columns than the outcome; align them first.")
    _refuse_infinite(name, wide)
    refuse_extreme(wide.values, wide.columns)
    return np.array(np.broadcast_to(wide.values, outcome.values.shape))


def _refuse_infinite(name: str, wide: Wide) -> None:
    row, column = np.nonzero(np.isinf(wide.values))
    if len(row):
        raise DataError(
            f"{name} is infinite; look for a logarithm or a ratio of zero, and set it to missing.",
            row=wide.index[row[0]],
            column=wide.columns[column[0]],
        )


def regressors_of(tables: Mapping[str, Any], outcome: Wide, lag: int = 0) -> dict[str, FloatArray]:
    """Name → (T, N) array, as it stood ``lag`` rows before."""
    if not isinstance(tables, Mapping) or not tables:
        raise OptionError("regressors must name at least one table, such as {'funding': frame}.")
    names = [str(name) for name in tables]
    if "constant" in names:
        raise OptionError("'constant' is the name of the intercept; give the regressor another one.")
    if len(set(names)) < len(names):
        raise OptionError("Two regressors have the same name; give each its own.")
    return {str(name): shifted(beside(str(name), table, outcome), lag) for name, table in tables.items()}


def shifted(values: FloatArray, lag: int) -> FloatArray:
    """The array as it stood ``lag`` rows before (or, below zero, as it will stand); NaN where that is outside."""
    out = np.full_like(values, np.nan)
    rows = len(values)
    if abs(lag) < rows:
        out[max(lag, 0) : rows + min(lag, 0)] = values[max(-lag, 0) : rows - max(lag, 0)]
    return out


def stacked(y: FloatArray, regressors: Mapping[str, FloatArray], weights: FloatArray | None = None) -> Sample:
    """The cells in which outcome, regressors and weight are all there."""
    tables = [y, *regressors.values()] + ([] if weights is None else [weights])
    there: BoolArray = np.asarray(np.isfinite(np.stack(tables)).all(axis=0))
    if not there.any():
        raise DataError("No cell has the outcome and every regressor; look for tables that do not overlap in time.")
    row, asset = np.nonzero(there)
    x = np.column_stack([table[there] for table in regressors.values()])
    return Sample(y[there], x, tuple(regressors), asset, row, None if weights is None else weights[there])


def standardised(sample: Sample, how: str) -> Sample:
    """Outcome and regressors less their mean, in standard deviations of the cells used: of all, or asset by asset."""
    check_option("standardise", how, STANDARDISE)
    if how == "none":
        return sample
    group = sample.asset if how == "asset" else np.zeros_like(sample.asset)
    names = ["outcome", *sample.names]
    columns = [_scored(v, group, name) for v, name in zip([sample.y, *sample.x.T], names, strict=True)]
    return Sample(columns[0], np.column_stack(columns[1:]), sample.names, sample.asset, sample.row, sample.weights)


def _scored(values: FloatArray, group: IntArray, name: str) -> FloatArray:
    count = np.maximum(np.bincount(group), 1)
    away = values - (np.bincount(group, values) / count)[group]
    spread = np.sqrt(np.bincount(group, away**2) / count)[group]
    if (spread <= 1e-13 * np.abs(values).max()).any():
        raise DataError(f"{name} does not vary where it would be standardised; leave it out or standardise otherwise.")
    return away / spread
