"""What came into an event study: outcomes, regressors, clock and options, checked and taken apart."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.dated import Market
from drainstats.episodes.study.expected.models import MODELS, WITH_MARKET, ExpectedModel
from drainstats.episodes.study.expected.seasonal import CLOCKS, clock_classes
from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.frames import Wide, as_wide, refuse_extreme
from drainstats.typing import FloatArray

_HOW = {"factor": "a table with a column a factor, or names of columns of the outcome"}


def read_market(
    outcome: Any, model: str, market: Any, clock: str = "auto", clock_zone: str = "UTC", refit: int = 60
) -> Market:
    """Outcomes of the tested assets and the model of what was to be expected of them.

    Raises
    ------
    DataError
        When the market has no value on the rows of the outcome, or another shape.
    OptionError
        When the model is unknown, or a market is needed and not there, or there and not needed.
    """
    check_option("model", model, MODELS)
    check_option("clock", clock, CLOCKS)
    check_whole("refit", refit, 1)
    if hasattr(outcome, "fields") and hasattr(outcome, "measure"):
        raise DataError(
            "A panel came where one outcome is studied: pick it, as in drainstats.event_outcome(panel, 'returns'); "
            "'volatility', 'volume', fields and measures are others."
        )
    wide = as_wide(outcome, "outcome")
    if model in WITH_MARKET and market is None:
        raise OptionError(
            f'model="{model}" needs market=: {_HOW.get(model, "a Series, or the name of a column of the outcome")}.'
        )
    if model not in WITH_MARKET and market is not None:
        listed = ", ".join(map(repr, WITH_MARKET))
        raise OptionError(f"market= is used by model {listed}, and model is {model!r}.")
    if market is None:
        values, columns, x = wide.values, wide.columns, np.empty((len(wide.values), 0))
    else:
        values, columns, x = _apart(wide, market, model)
    refuse_extreme(values, columns)
    infinite = np.isinf(values)
    values = np.where(infinite, np.nan, values)
    if model == "market_adjusted":
        values, x = values - x, np.empty((len(values), 0))
    seasonal = model == "seasonal"
    classes = clock_classes(wide.index, clock, clock_zone) if seasonal else np.zeros(len(values), dtype=np.int64)
    return Market(values, wide.index, columns, ExpectedModel(model, x, classes, refit), infinite)


def _apart(wide: Wide, market: Any, model: str) -> tuple[FloatArray, pd.Index, FloatArray]:
    """Values and names of the tested assets, and the regressors (T, k): columns of the outcome, or a table."""
    names = _named(wide.columns, market)
    if names:
        places = [wide.columns.get_loc(name) for name in names]
        x, values = wide.values[:, places], np.delete(wide.values, places, axis=1)
        columns = wide.columns.delete(places)
    else:
        values, columns, x = wide.values, wide.columns, _regressors(market, wide.index)
    if x.shape[1] > 1 and model != "factor":
        raise DataError(
            f'market has {x.shape[1]} columns and model="{model}" takes one; use model="factor" for several.'
        )
    x = np.where(np.isfinite(x), x, np.nan)
    if np.isnan(x).all(axis=0).any():
        raise DataError("market has no value on the rows of the outcome; give both the same time labels.")
    refuse_extreme(x, ["market"] * x.shape[1])
    return values, columns, x


def _named(columns: pd.Index, market: Any) -> list[Any]:
    """Columns of the outcome that ``market`` names; empty when it is a table."""
    if isinstance(market, Hashable) and market in columns:
        return [market]
    names = [market] if isinstance(market, str) else market
    if not (isinstance(names, (list, tuple)) and names and all(isinstance(n, str) for n in names)):
        return []
    for name in names:
        if name not in columns:
            raise OptionError(
                f"market={name!r} is not a column of the outcome; the columns are {', '.join(map(str, columns))}."
            )
    return list(names)


def _regressors(market: Any, index: pd.Index) -> FloatArray:
    """The table on the rows of the outcome, (T, k)."""
    table = as_wide(market, "market")
    labelled = table.kind in ("frame", "series")
    if not (labelled or len(table.values) == len(index)):
        raise DataError(
            f"market is {table.values.shape}; one value a row of the outcome, {len(index)} rows, was expected."
        )
    values = table.values
    if not labelled:
        return values
    if isinstance(index, pd.DatetimeIndex) and isinstance(table.index, pd.DatetimeIndex):
        return np.asarray(pd.DataFrame(values, _zoned(table.index, index)).reindex(index))
    return np.asarray(pd.DataFrame(values, table.index).reindex(index))


def _zoned(stamps: pd.DatetimeIndex, like: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Stamps in the time zone of others; naive ones are UTC."""
    if (stamps.tz is None) == (like.tz is None):
        return stamps
    return stamps.tz_localize("UTC") if stamps.tz is None else stamps.tz_convert("UTC").tz_localize(None)
