"""The drivers of a correlation target: what acts on each row, and what was known when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.frames import as_wide
from drainstats.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Drivers:
    """What acts on each row.

    Attributes
    ----------
    values : (T, J). Lagged drivers, then known ones, then steps of breaks.
    names : J names.
    lagged, known : how many of each.
    breaks : dates or labels.
    last : (J,) what acts on the row after the last one.
    mean, scale : (J,) of the fit.
    """

    values: FloatArray
    names: tuple[str, ...]
    lagged: int
    known: int
    breaks: tuple[Any, ...]
    last: FloatArray
    mean: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, index: pd.Index, x: Any, known: Any, breaks: tuple[Any, ...]) -> Drivers:
        """The drivers of a fit on rows ``index``; refuses what cannot be told apart."""
        late, late_names = _table(x, "x", index)
        early, early_names = _table(known, "known", index)
        steps = np.array([_step(index, b) for b in breaks]).reshape(-1, len(index)).T
        names = (*late_names, *early_names, *(f"break {b}" for b in breaks))
        if not names:
            raise OptionError("No driver was given; pass x, known or breaks, or take DCC.")
        if len(set(names)) < len(names):
            raise DataError(f"Two drivers have the same name among {list(names)}; rename one.")
        before = late.mean(axis=0) if len(late) else np.empty(0)
        values = np.hstack([_behind(late, before), early, steps])
        last = np.concatenate([late[-1], early[-1], steps[-1]])
        mean, scale = values.mean(axis=0), values.std(axis=0)
        flat = np.flatnonzero(scale <= 1e-12 * np.abs(values).max(axis=0))
        if len(flat):
            raise DataError(f"The driver {names[flat[0]]!r} does not vary in the sample; leave it out.")
        if np.linalg.matrix_rank((values - mean) / scale, tol=1e-7 * np.sqrt(len(values))) < len(names):
            raise DataError(f"Of the drivers {list(names)} one is a combination of the others; leave one out.")
        mean[: len(before)] = before
        return cls(values, names, len(late_names), len(early_names), breaks, last, mean, scale)

    @property
    def scaled(self) -> FloatArray:
        """Values about the mean of the fit, in its standard deviations (T, J)."""
        return self._scale(self.values)

    def _scale(self, values: FloatArray) -> FloatArray:
        return np.asarray((values - self.mean) / self.scale)

    def anew(self, index: pd.Index, x: Any, known: Any) -> Drivers:
        """The same drivers on new rows; the first row stands at the mean of the fit."""
        late, late_names = _table(x, "x", index)
        early, early_names = _table(known, "known", index)
        if (*late_names, *early_names) != self.names[: self.lagged + self.known]:
            raise DataError(
                f"The fit has the drivers {list(self.names[: self.lagged])} in x and "
                f"{list(self.names[self.lagged : self.lagged + self.known])} in known; {list(late_names)} and "
                f"{list(early_names)} came."
            )
        steps = np.array([_step(index, b, inside=False) for b in self.breaks]).reshape(-1, len(index)).T
        values = np.hstack([_behind(late, self.mean[: self.lagged]), early, steps])
        return replace(self, values=values, last=np.concatenate([late[-1], early[-1], steps[-1]]))

    def ahead(self, horizon: int, drivers: Any) -> FloatArray:
        """Scaled drivers of the steps after the sample (horizon, J)."""
        if drivers is None:
            return np.repeat(self._scale(self.last[None]), horizon, axis=0)
        return self._given(drivers, horizon)

    def again(self, steps: int, drivers: Any) -> FloatArray:
        """Scaled drivers of a simulation (steps, J)."""
        if drivers is None:
            return self.scaled[np.arange(steps) % len(self.values)]
        return self._given(drivers, steps)

    def _given(self, drivers: Any, rows: int) -> FloatArray:
        values = as_wide(drivers, "drivers").values
        if values.shape != (rows, len(self.names)) or not np.isfinite(values).all():
            raise DataError(
                f"drivers must be {rows} rows of finite values of {list(self.names)}; {values.shape[0]} x "
                f"{values.shape[1]} came."
            )
        return self._scale(values)


def _behind(values: FloatArray, first: FloatArray) -> FloatArray:
    """One row later, with ``first`` in front."""
    return np.vstack([first[None, :], values[:-1]])


def _table(data: Any, name: str, index: pd.Index) -> tuple[FloatArray, tuple[str, ...]]:
    """Values (T, J) and names of a table of drivers whose rows must be those of y."""
    if data is None:
        return np.empty((len(index), 0)), ()
    wide = as_wide(data, name)
    if len(wide.values) != len(index):
        raise DataError(f"{name} has {len(wide.values)} rows and y has {len(index)}; they must be the same rows.")
    if wide.kind in ("frame", "series") and not wide.index.equals(index):
        raise DataError(f"{name} has another index than y; reindex it to y's rows, by what was known then.")
    bad = ~np.isfinite(wide.values)
    if bad.any():
        row, column = (int(k[0]) for k in np.nonzero(bad))
        raise DataError(
            f"{name} holds a missing or infinite value; fill it by a rule of your own. The first stands at",
            row=index[row],
            column=wide.columns[column],
        )
    labels = [name if c is None else c for c in wide.columns]
    if wide.kind in ("matrix", "vector"):
        labels = [name if len(labels) == 1 else f"{name}{c}" for c in labels]
    return wide.values, tuple(str(c) for c in labels)


def _step(index: pd.Index, date: Any, inside: bool = True) -> FloatArray:
    """0 before a date or label, 1 from it on."""
    try:
        if isinstance(index, pd.DatetimeIndex):
            date = pd.Timestamp(date)
            if index.tz is not None:
                date = date.tz_localize(index.tz) if date.tzinfo is None else date.tz_convert(index.tz)
        step = np.asarray(index >= date, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The break {date!r} cannot be compared with the index of y; pass a label of its kind."
        ) from error
    if inside and (step.all() or not step.any()):
        raise DataError(
            f"The break {date!s} has no row on one of its sides; the sample runs from {index[0]!s} to {index[-1]!s}."
        )
    return step
