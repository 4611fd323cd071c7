"""Did the market move when it drained? An event study whose tests hold when all assets share the date.

The usual tests take assets for independent draws and, on one common date with correlation .3, reject four to five true
nulls in ten. The two here keep their level when all variances jump by one factor; `commondate` has the equations. They
cannot keep it when the *common share* of variance rises: the result then says so, and offers the date's rank in the
market's own history and a test across events. The measured sizes stand in the size tables of the documentation.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import many_shares_passed
from drainstats.episodes.study.dated import DatedEvent, Market, Plan, work_out
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.own_dates import OWN, by_asset_dates, work_out_units
from drainstats.episodes.study.reading import read_market
from drainstats.episodes.study.result import EventStudy
from drainstats.episodes.study.rows import CLOSED, as_onsets, iso, row_of
from drainstats.episodes.study.tables import DEFAULTS, assemble, common_share
from drainstats.errors import CommonShareWarning, DataError, OptionError, check_option, check_whole


def event_study(
    outcome: Any,
    events: Any,
    model: str = "constant_mean",
    estimation: tuple[int, int] = (-250, -11),
    window: tuple[int, int] = (0, 0),
    tests: Sequence[str] = DEFAULTS,
    *,
    market: Any = None,
    clock: str = "auto",
    clock_zone: str = "UTC",
    refit: int = 60,
    closed: str = "error",
    missing: str = "drop",
    placebos: str = "past",
    min_rows: int | None = None,
    seed: int = 0,
) -> EventStudy:
    """Test whether the assets of a market moved abnormally on a date that they share, or each on its own.

    Answers: was the mean abnormal outcome on this date (on these dates) zero? Outcomes are returns, changes of log
    illiquidity, of spreads, of depth: series without much memory in calm times. Of a persistent level study the changes
    or innovations; `drainstats.event_outcome` makes them.

    Parameters
    ----------
    outcome : DataFrame, or polars or arrow table, time × asset
        NaN where missing; infinite values count as missing and are noted. Any clock: rows are counted, not days.
    events : time stamp, episode, or list of them; or dates by asset
        An episode counts by its ``onset``. A stamp inside a bar means that bar: the last label at or before it. Events
        in the same row are one event. Naive stamps are UTC. A Series or dict asset → stamp (or stamps), or a table with
        the columns ``name`` (or asset) and ``when`` (or event, date, time) gives every asset its own dates: all of them
        together are then one sample of (asset, date) pairs, with correlations between those whose event windows share
        rows of the calendar.
    model : str, default "constant_mean"
        What was to be expected. "constant_mean": the estimation mean. "market": a regression on ``market``. "factor":
        on several. "seasonal": the mean of the row's clock class. "garch": the estimation mean, standardised by a
        GARCH(1, 1) forecast. "dcc": a conditional beta to ``market``. "zero": nothing, the raw outcome.
        "market_adjusted": ``market`` itself.
    estimation, window : (int, int), default (-250, -11) and (0, 0)
        First and last row, both included, counted from the event's row. Abnormal values are summed over ``window``.
    tests : sequence of str, default ("studentized_placebo", "kp_bmp")
        The first ranks the KP-adjusted BMP statistic of the date among those of placebo dates; the second refers it to
        t(n_assets - 1). Several events: the sum of their normal scores over the root of their number, referred to draws
        of one date an event, placebo or its own, or to the normal law. The others are those of the literature; the
        size tables of the documentation say when they hold.
    market : Series, table or column names, for the models "market", "factor", "dcc" and "market_adjusted"
        Columns so named are regressors and not tested. The market should not be the mean of the tested assets, which
        leaves them nothing in common.
    clock, clock_zone : str, default "auto" and "UTC"
        For the seasonal model: "time_of_day", "day_of_week" or "both", read in that time zone. "auto" is the time of
        day for bars shorter than a day, else the day of the week.
    refit : int, default 60
        For "garch" and "dcc": their parameters are estimated anew every so many rows, counted back from the event.
    closed : {"error", "next", "last"}, default "error"
        What an event means that lies in no bar, as on a closed market: an error, the next row, or the last one.
    missing : {"drop", "keep"}, default "drop"
        For dates by asset: drop an asset's missing rows before rows are counted, or count rows of the table.
    placebos : {"past", "all"}, default "past"
        Dates of the market's own history, each with its own estimation window, whose event window ends with the event's
        estimation window or before. "all" adds those that begin after the event: then the future counts. A placebo date
        needs at least half of the event's assets. For dates by asset all of them are moved back together.
    min_rows : int, optional
        Estimation rows an asset must have; half of the window, at least 10, by default. Others are left out and noted.
    seed : int, default 0
        Of the placebo draws for several events, and of tests that draw.

    Returns
    -------
    EventStudy
        ``.tests`` in the order asked, ``.by_asset``, ``.abnormal``, ``.path()``, ``.adjust()``, ``.notes``, ``.plot()``
        and more.

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

    Each asset on its own date:

    >>> own = ds.event_study(returns, {"A": "2020-03-12", "B": "2020-04-02", "C": "2020-05-07"}, tests="kp_bmp")
    >>> own.abnormal.shape
    (1, 3)
    """
    check_option("placebos", placebos, ("past", "all"))
    check_option("closed", closed, CLOSED)
    check_option("missing", missing, ("drop", "keep"))
    check_whole("seed", seed, 0)
    chosen = _tests(tests)
    offsets = Offsets(estimation, window)
    least = max(10, -(-offsets.length // 2)) if min_rows is None else min_rows
    check_whole("min_rows", least, 3)
    if least > offsets.length:
        raise OptionError(f"min_rows={min_rows!r} is more than the {offsets.length} rows of the estimation.")
    data = read_market(outcome, model, market, clock, clock_zone, refit)
    plan = Plan(offsets, least, placebos, "studentized_placebo" in chosen, closed, missing == "drop")
    dates = by_asset_dates(events, data.columns)
    if dates is None:
        done, notes = _work_out_all(data, events, plan)
        notes += _overlaps(data, done, offsets)
    else:
        done, notes = [work_out_units(data, dates, plan)], []
    notes += [note for event in done for note in event.notes]
    notes += _warnings_of(chosen, dates is None or done[0].label != OWN)
    notes += _infinite(data, done[-1].row + offsets.window[1] + 1 if placebos == "past" else len(data.index))
    shares = common_share(done)
    if many_shares_passed(int(shares["passed"].sum()), len(done)):
        notes.append(_share_sentence(shares))
        warnings.warn(notes[-1], CommonShareWarning, stacklevel=2)
    return assemble(done, model, plan, chosen, shares, tuple(notes), seed)


def _tests(tests: Sequence[str]) -> tuple[str, ...]:
    chosen = (tests,) if isinstance(tests, str) else tuple(tests or ())
    allowed: tuple[str, ...] = DEFAULTS
    if not set(chosen) <= set(DEFAULTS) or not chosen:
        from drainstats.episodes.study.testing.registry import TESTS

        allowed = tuple(dict.fromkeys((*DEFAULTS, *TESTS)))
    if not chosen:
        raise OptionError(f"tests is empty; choose from {', '.join(map(repr, allowed))}.")
    for test in chosen:
        check_option("tests", test, allowed)
    return chosen


def _warnings_of(chosen: tuple[str, ...], one_date: bool) -> list[str]:
    """What to know of tests that do not hold when all assets share the date, or when each has its own."""
    others = [test for test in chosen if test not in DEFAULTS]
    if not others:
        return []
    if not one_date:
        return [
            f"{', '.join(others)} line events up by rows from the event: those that use rows across assets do not know "
            "which days of the calendar they share."
        ]
    from drainstats.episodes.study.testing.registry import TESTS

    return [TESTS[test].note for test in others if TESTS[test].note]


def _work_out_all(data: Market, events: Any, plan: Plan) -> tuple[list[DatedEvent], list[str]]:
    """Events in time order and notes on those that could not be studied; one event alone raises instead."""
    onsets, found, notes = as_onsets(events), [], []
    for onset in onsets:
        try:
            found.append(row_of(data.index, onset, plan.closed))
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
        elif offsets.window[0] - gap <= offsets.estimation[1] and offsets.window[1] - gap >= offsets.estimation[0]:
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
