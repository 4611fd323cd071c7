"""Indicators of approaching drains, each causal: row t uses rows up to t only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, DrainstatsError, OptionError
from drainstats.frames import as_wide
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.margins.innovations import innovations
from drainstats.parallel import pmap
from drainstats.typing import FloatArray

_Segment = tuple[int, FloatArray, dict[str, Any]]


@dataclass(frozen=True)
class CoLiquidityLevel:
    """How strongly illiquidities move together now: the average conditional correlation of a DCC model.

    The model is fitted every ``refit_every`` rows on the rows before, to the assets that are complete there, and run
    forward at fixed parameters until the next fit. The level of row t is the correlation expected for row t + 1.

    Parameters
    ----------
    min_rows : int, default 252
        Rows before the first fit, and the shortest complete history of an asset.
    max_rows : int, default 504
        Rows of a fit, at most.
    refit_every : int, default 63
    method : {"log_difference", "none"}, default "log_difference"
        Innovations of log illiquidity, or the input itself when it is innovations or returns already.
    model : DCC, default DCC()

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> x = np.exp(np.random.default_rng(0).normal(size=(320, 3)).cumsum(axis=0) / 10)
    >>> level = ds.signals.CoLiquidityLevel(min_rows=250).transform(pd.DataFrame(x))
    >>> int(level.notna().sum())
    71
    """

    min_rows: int = 252
    max_rows: int = 504
    refit_every: int = 63
    method: Literal["log_difference", "none"] = "log_difference"
    model: DCC = field(default_factory=DCC)

    def __post_init__(self) -> None:
        if self.min_rows < 50 or self.max_rows < self.min_rows or self.refit_every < 1:
            raise OptionError("min_rows is at least 50, max_rows at least min_rows, refit_every at least 1.")
        if self.method not in ("log_difference", "none"):
            raise OptionError(f"method={self.method!r} is not causal or not known; use 'log_difference' or 'none'.")

    def transform(self, illiquidity: Any, n_jobs: int = 1) -> pd.Series:
        """The level, a number a row; NaN before the first fit, where a fit failed, and on rows with missing cells.

        Parameters
        ----------
        illiquidity : (T, N) table or array
            Positive illiquidity, or innovations with ``method="none"``. Assets may start and stop.
        n_jobs : int, default 1
            Workers for the fits (`drainstats.parallel.pmap`); the answer does not depend on it.

        Raises
        ------
        DataError
            Fewer than two assets, or no more rows than ``min_rows``.
        """
        wide = as_wide(illiquidity, "illiquidity")
        level = np.full(len(wide.values), np.nan)
        for start, values, _ in self._segments(wide.values, n_jobs):
            level[start : start + len(values)] = values
        return pd.Series(level, index=wide.index, name="co-liquidity level")

    def refits(self, illiquidity: Any, n_jobs: int = 1) -> pd.DataFrame:
        """The fits behind `transform`, a row each: first row fitted, last row, assets, a and b, or why it failed."""
        wide = as_wide(illiquidity, "illiquidity")
        table = pd.DataFrame([record for _, _, record in self._segments(wide.values, n_jobs)])
        for column in ("from", "to"):
            table[column] = [wide.index[i] for i in table[column]]
        return table

    def _segments(self, values: FloatArray, n_jobs: int) -> list[_Segment]:
        rows, assets = values.shape
        if assets < 2:
            raise DataError(f"{assets} asset came; co-movement needs at least two.")
        if rows <= self.min_rows:
            raise DataError(f"{rows} rows came; the first fit needs more than min_rows={self.min_rows}.")
        moves = np.asarray(innovations(values, method=self.method))
        fits = range(self.min_rows, rows + 1, self.refit_every)
        return pmap(partial(self._segment, moves), fits, n_jobs=n_jobs)

    def _segment(self, moves: FloatArray, fitted: int) -> _Segment:
        """First row, levels and record of the fit on the rows before ``fitted``."""
        first = 1 if self.method == "log_difference" else 0
        begin = max(first, fitted - self.max_rows)
        stop = min(fitted + self.refit_every, len(moves) + 1)
        try:
            level, facts = self._one(moves, begin, fitted, stop)
        except (DrainstatsError, np.linalg.LinAlgError) as error:
            level, facts = np.full(stop - fitted, np.nan), {"assets": 0, "why": str(error)}
        return fitted - 1, level, {"from": begin, "to": fitted - 1} | facts

    def _one(self, moves: FloatArray, begin: int, fitted: int, stop: int) -> tuple[FloatArray, dict[str, Any]]:
        window = moves[begin:fitted]
        recent = window[-min(len(window), self.min_rows - 1) :]
        complete = np.flatnonzero(~np.isnan(recent).any(axis=0))
        usable = complete[np.ptp(recent[:, complete], axis=0) > 0]
        if len(usable) < 2:
            raise DataError(f"{len(usable)} assets are complete over the {len(recent)} rows before; two are needed.")
        window = window[:, usable]
        # Older rows count only when every asset has them.
        gaps = np.flatnonzero(np.isnan(window).any(axis=1))
        since = int(gaps[-1]) + 1 if len(gaps) else 0
        fit = self.model.fit(window[since:])
        run = moves[begin + since : stop - 1, usable]
        there = ~np.isnan(run).any(axis=1)
        # The correlation of a row is known before it: a last row of zeros asks for the one after the data.
        asked = np.concatenate([run[there], np.zeros((1, len(usable)))])
        path = np.asarray(fit.filter(asked).average_correlation)[1:]
        level = np.full(len(run), np.nan)
        level[there] = path
        a, b = fit.params.iloc[-2:]
        facts = {"assets": len(usable), "a": a, "b": b, "converged": fit.converged, "why": ""}
        return level[fitted - 1 - begin - since :], facts


def list_indicators() -> pd.DataFrame:
    """The indicators that come with the package, a row each.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.signals.list_indicators().index.tolist()
    ['CoLiquidityLevel']
    """
    rows = [
        ("CoLiquidityLevel", "time × asset illiquidity", "average conditional correlation, −1 to 1", "Engle (2002)")
    ]
    return pd.DataFrame(rows, columns=["name", "input", "output", "source"]).set_index("name")
