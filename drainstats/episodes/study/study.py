"""Did the market move when it drained? An event study whose tests hold when all assets share the date.

The usual tests take assets for independent draws and, on one common date with correlation .3, reject four to five true
nulls in ten. The two here keep their level when all variances jump by one factor; `commondate` has the equations. They
cannot keep it when the *common share* of variance rises: the result then says so, and offers the date's rank in the
market's own history and a test across events. The measured sizes stand in the size tables of the documentation.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.abnormal import Offsets
from drainstats.episodes.study.commondate import many_shares_passed
from drainstats.episodes.study.dated import DatedEvent, Market, Plan, work_out
from drainstats.episodes.study.result import EventStudy
from drainstats.episodes.study.rows import as_onsets, iso, row_of
from drainstats.episodes.study.tables import assemble, common_share
from drainstats.errors import CommonShareWarning, DataError, OptionError, check_option, check_whole
from drainstats.frames import as_wide, refuse_extreme
from drainstats.typing import FloatArray

MODELS = ("constant_mean", "market")
TESTS = ("studentized_placebo", "kp_bmp")


def event_study(
    outcome: Any,
    events: Any,
    model: str = "constant_mean",
    estimation: tuple[int, int] = (-250, -11),
    window: tuple[int, int] = (0, 0),
    tests: Sequence[str] = TESTS,
    *,
    market: Any = None,
    placebos: str = "past",
    min_rows: int | None = None,
    seed: int = 0,
) -> EventStudy:
    """Test whether the assets of a market moved abnormally on a date that they share.

    Answers: was the mean abnormal outcome on this date (on these dates) zero? Outcomes are returns, changes of log
    illiquidity, of spreads, of depth: series without much memory in calm times. Of a persistent level study the changes
    or innovations.

    Parameters
    ----------
    outcome : DataFrame, or polars or arrow table, time × asset
        NaN where missing; infinite values count as missing and are noted.
    events : time stamp, episode, or list of them
        An episode counts by its ``onset``. A stamp inside a bar means that bar: the last label at or before it. Events
        in the same row are one event. Naive stamps are UTC.
    model : {"constant_mean", "market"}
        What was to be expected: the estimation mean, or a regression on ``market``.
    estimation, window : (int, int), default (-250, -11) and (0, 0)
        First and last row, both included, counted from the event's row. Abnormal values are summed over ``window``.
    tests : sequence of {"studentized_placebo", "kp_bmp"}
        The first ranks the KP-adjusted BMP statistic of the date among those of placebo dates; the second refers it to
        t(n_assets - 1). Several events: the sum of their normal scores over the root of their number, referred to draws
        of one placebo date an event, or to the normal law.
    market : Series or column name, required by ``model="market"``
        A column so named is the regressor and not tested. It should not be the mean of the tested assets, which leaves
        them nothing in common.
    placebos : {"past", "all"}, default "past"
        Dates of the market's own history, each with its own estimation window, whose event window ends with the event's
        estimation window or before. "all" adds those that begin after the event: then the future counts. A placebo date
        needs at least half of the event's assets.
    min_rows : int, optional
        Estimation rows an asset must have; half of the window, at least 10, by default. Others are left out and noted.
    seed : int, default 0
        Of the placebo draws for several events.

    Returns
    -------
    EventStudy
        ``.tests`` in the order asked, ``.abnormal``, ``.notes``, ``.plot()`` and more.

    Raises
    ------
    DataError
        When no row contains the event, the history is too short, fewer than two assets are left, or there is no placebo
        date. Of several events such a one is left out and noted, unless none remains.
    OptionError
        When an option is unknown or the estimation reaches into the event window.

    Warns
    -----
    CommonShareWarning
        When the common share of variance on the date passes its limit: then both tests may take a large draw of the
        common factor for a shift.

    References
    ----------
    Boehmer, Musumeci and Poulsen (1991), Journal of Financial Economics 30(2), 253-272; Kolari and Pynnonen (2010),
    Review of Financial Studies 23(11), 3996-4025.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> days = pd.date_range("2019-01-01", periods=600, tz="UTC", name="time")
    >>> rng = np.random.default_rng(3)
    >>> returns = pd.DataFrame(rng.normal(size=(600, 8)) + rng.normal(size=(600, 1)), days, list("ABCDEFGH"))
    >>> study = ds.event_study(returns, "2020-03-12")
    >>> study.tests["p_value"].round(2).to_dict()
    {'studentized_placebo': 0.84, 'kp_bmp': 0.83}
    """
    check_option("model", model, MODELS)
    check_option("placebos", placebos, ("past", "all"))
    chosen = _tests(tests)
    offsets = Offsets(estimation, window)
    least = max(10, -(-offsets.length // 2)) if min_rows is None else min_rows
    check_whole("min_rows", least, 3)
    if least > offsets.length:
        raise OptionError(f"min_rows={min_rows!r} is more than the {offsets.length} rows of the estimation.")
    data = _market(outcome, model, market)
    plan = Plan(offsets, least, placebos, "studentized_placebo" in chosen)
    done, notes = _work_out_all(data, events, plan)
    notes += _overlaps(data, done, offsets) + [note for event in done for note in event.notes]
    notes += _infinite(data, done[-1].row + offsets.window[1] + 1 if placebos == "past" else len(data.index))
    shares = common_share(data, done)
    if many_shares_passed(int(shares["passed"].sum()), len(done)):
        notes.append(_share_sentence(shares))
        warnings.warn(notes[-1], CommonShareWarning, stacklevel=2)
    return assemble(data, done, model, plan, chosen, shares, tuple(notes), seed)


def _tests(tests: Sequence[str]) -> tuple[str, ...]:
    chosen = (tests,) if isinstance(tests, str) else tuple(tests or ())
    if not chosen:
        raise OptionError(f"tests is empty; choose from {', '.join(map(repr, TESTS))}.")
    for test in chosen:
        check_option("tests", test, TESTS)
    return chosen


def _market(outcome: Any, model: str, market: Any) -> Market:
    wide = as_wide(outcome, "outcome")
    values, columns, regressor = wide.values, wide.columns, None
    if model == "market" and market is None:
        raise OptionError('model="market" needs market=: a Series, or the name of a column of the outcome.')
    if model != "market" and market is not None:
        raise OptionError(f'market= is used by model="market" only, and model is {model!r}.')
    if isinstance(market, Hashable) and market in columns:
        place = columns.get_loc(market)
        regressor, values, columns = values[:, place], np.delete(values, place, axis=1), columns.delete(place)
    elif isinstance(market, str):
        raise OptionError(
            f"market={market!r} is not a column of the outcome; the columns are {', '.join(map(str, columns))}."
        )
    elif market is not None:
        regressor = _regressor(market, wide.index)
    if regressor is not None:
        regressor = np.where(np.isfinite(regressor), regressor, np.nan)
        if np.isnan(regressor).all():
            raise DataError("market has no value on the rows of the outcome; give both the same time labels.")
    refuse_extreme(values, columns)
    if regressor is not None:
        refuse_extreme(regressor[:, None], ["market"])
    infinite = np.isinf(values)
    return Market(np.where(infinite, np.nan, values), wide.index, columns, regressor, infinite)


def _regressor(market: Any, index: pd.Index) -> FloatArray:
    series = as_wide(market, "market")
    labelled = series.kind in ("frame", "series")
    if series.values.shape[1] != 1 or not (labelled or len(series.values) == len(index)):
        raise DataError(
            f"market is {series.values.shape}; one value a row of the outcome, {len(index)} rows, was expected."
        )
    values = series.values[:, 0]
    return pd.Series(values, series.index).reindex(index).to_numpy() if labelled else values


def _work_out_all(data: Market, events: Any, plan: Plan) -> tuple[list[DatedEvent], list[str]]:
    """Events in time order and notes on those that could not be studied; one event alone raises instead."""
    onsets, found, notes = as_onsets(events), [], []
    for onset in onsets:
        try:
            found.append(row_of(data.index, onset))
        except DataError as error:
            if len(onsets) == 1:
                raise
            notes.append(f"Left out: {error}")
    rows = sorted(set(found))
    if len(rows) < len(found):
        notes.append(f"Of {len(found)} events some fall into one row and count once; {len(rows)} are left.")
    done = []
    for row in rows:
        try:
            done.append(work_out(data, row, [r for r in rows if r != row], plan))
        except DataError as error:
            if len(onsets) == 1:
                raise
            notes.append(f"Left out: {error}")
    if not done:
        raise DataError(f"None of the {len(onsets)} events can be studied. {' '.join(notes)}")
    return done, notes


def _overlaps(data: Market, done: list[DatedEvent], offsets: Offsets) -> list[str]:
    notes = []
    for before, after in itertools.pairwise(done):
        gap, pair = after.row - before.row, f"{iso(data.index[before.row])} and {iso(data.index[after.row])}"
        if gap < offsets.span:
            notes.append(f"The event windows of {pair} overlap: they are not two independent events; keep one of them.")
        elif offsets.window[0] - gap <= offsets.estimation[1]:
            notes.append(f"The event window of the first of {pair} lies in the estimation window of the second.")
    return notes


def _infinite(data: Market, end: int) -> list[str]:
    rows, columns = np.nonzero(data.infinite[:end])
    if not len(rows):
        return []
    return [
        f"{len(rows)} infinite values count as missing, the first on {iso(data.index[rows[0]])} "
        f"in {data.columns[columns[0]]}."
    ]


def _share_sentence(shares: pd.DataFrame) -> str:
    passed = shares[shares["passed"]]
    first = passed.iloc[0]
    more = "" if len(passed) == 1 else f" and {len(passed) - 1} more of {len(shares)} events"
    return (
        f"The common share of variance rose on {iso(passed.index[0])}{more}: {first['event']:.2f} on the date, "
        f"{first['estimation']:.2f} in the estimation window, limit {first['limit']:.2f}. One date cannot tell a shift "
        "of the mean from a large draw of the common factor: read the p-values as a description, look at .rank, and "
        "test across several episodes (.across_events)."
    )
