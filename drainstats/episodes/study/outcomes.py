"""Outcomes of an event study from a panel: returns, volatility, volume, spread, depth, any measure.

Levels of liquidity are persistent: a level that was low before the event is low at the event. What an event study needs
is what was new in a row,

    change       log x_t - log x_t-1: its sum over a window is the log change since the eve;
    innovation   log x_t - (c + b_1 log x_t-1 + b_5 mean of the last 5 + b_22 mean of the last 22), the coefficients
                 from the ``history`` rows before t (a heterogeneous autoregression, Corsi 2009).

A noisy level such as volume has changes that reverse each other: sums of them vary less than the tests of the
literature suppose, which makes those too quiet; placebo dates have the same reversals. Innovations do not reverse.

References
----------
Corsi, F. (2009), "A simple approximate long-memory model of realized volatility", Journal of Financial Econometrics
7(2), 174-196.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option, check_whole
from drainstats.measures.regressions import rolling_regression
from drainstats.panel.panel import LiquidityPanel

FORMS = ("change", "innovation", "level", "raw")
NAMED = ("returns", "volatility", "volume")
_MEANS = (1, 5, 22)


def event_outcome(panel: Any, what: str, form: str = "change", *, history: int = 250, **options: Any) -> pd.DataFrame:
    """An outcome for `drainstats.event_study` from a panel.

    Parameters
    ----------
    panel : LiquidityPanel
    what : str
        "returns" (log changes of the close, whatever the ``form``), "volatility" (the log range of the row, Parkinson,
        or the size of the return without a high and a low), "volume" (in quote currency), a field of the panel such as
        "spread" or "depth", or a measure of `drainstats.list_measures` that is made of bars.
    form : {"change", "innovation", "level", "raw"}, default "change"
        Change of the log; what is new in the log against an autoregression; the log; or the numbers as they are.
    history : int, default 250
        Rows before each row from which the coefficients of "innovation" come.
    **options
        Of the measure. Give measures that are averages a window of one row where they take it: averages that overlap
        spread an event over as many rows.

    Returns
    -------
    DataFrame
        Time × asset; row t uses rows up to t. ``attrs["nonpositive"]`` counts, by asset, values without a logarithm:
        they are missing.

    Raises
    ------
    OptionError
        When the panel has no such field and there is no such measure, or the form or an option is unknown.
    DataError
        When a field that is needed is not in the panel, or no panel came.

    References
    ----------
    Parkinson (1980), Journal of Business 53(1), 61-65; Corsi (2009), Journal of Financial Econometrics 7(2), 174-196.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-04-30").select(venue="kraken")
    >>> volume = ds.event_outcome(panel, "volume")
    >>> volume.shape == panel["close"].shape
    True
    """
    check_option("form", form, FORMS)
    check_whole("history", history, 30)
    if not isinstance(panel, LiquidityPanel):
        raise DataError(f"A panel is needed, a {type(panel).__name__} came; a table of one outcome needs no picking.")
    if what == "returns":
        _no_options(what, options)
        close = _field(panel, "close", what)
        return np.log(close.where(close > 0)).diff()
    values = _values(panel, what, options)
    if form == "raw":
        return values
    positive = values > 0
    log = np.log(values.where(positive))
    log.attrs["nonpositive"] = (values.notna() & ~positive).sum().to_dict()
    if form == "level":
        return log
    out = log.diff() if form == "change" else _innovation(log, history)
    out.attrs["nonpositive"] = log.attrs["nonpositive"]
    return out


def _no_options(what: str, options: dict[str, Any]) -> None:
    if options:
        raise OptionError(f"{what!r} takes no options; {', '.join(options)} came. They are for measures.")


def _field(panel: Any, name: str, what: str) -> pd.DataFrame:
    if name not in panel.fields:
        raise DataError(f"{what!r} needs the field {name!r}; the panel has {', '.join(panel.fields)}.")
    return panel[name]


def _values(panel: Any, what: str, options: dict[str, Any]) -> pd.DataFrame:
    """The level, as it is."""
    from drainstats.measures.registry import MEASURES

    fields = panel.fields
    if what == "volatility":
        if "high" in fields and "low" in fields:
            return panel.measure("parkinson", **{"window": 1} | options)
        _no_options(what, options)
        close = _field(panel, "close", what)
        return np.log(close.where(close > 0)).diff().abs()
    if what == "volume" or what in fields:
        _no_options(what, options)
    if what == "volume":
        if "dollar_volume" in fields:
            return panel["dollar_volume"]
        return _field(panel, "volume", what) * _field(panel, "close", what)
    if what in fields:
        return panel[what]
    if what in MEASURES and MEASURES[what].table == "bars":
        return panel.measure(what, **options)
    bars = [name for name, measure in MEASURES.items() if measure.table == "bars"]
    raise OptionError(
        f"{what!r} is none of {', '.join(NAMED)}, no field of the panel ({', '.join(fields)}) and no measure of bars "
        f"({', '.join(bars)})."
    )


def _innovation(log: pd.DataFrame, history: int) -> pd.DataFrame:
    """What is new in every row, by coefficients of the rows before it."""
    # A row without a logarithm, as after a return of zero, must not cost the month of rows whose mean it enters.
    lagged = {f"mean{k}": log.shift(1).rolling(k, min_periods=(k + 1) // 2).mean() for k in _MEANS}
    fit = rolling_regression(log, lagged, window=history, errors="classical")
    expected = fit.coefficients["intercept"].estimate.shift(1)
    for name, regressor in lagged.items():
        expected = expected + fit.coefficients[name].estimate.shift(1) * regressor
    return log - expected
