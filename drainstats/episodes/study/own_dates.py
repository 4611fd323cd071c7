"""Every asset on its own dates: the classical design, with correlations taken in calendar time.

A unit is a pair of asset and date. Its windows are rows of its own: an asset's missing rows are dropped before rows are
counted, so that "20 rows before" means 20 observations. The standardised sums A_u, A_v of two units whose event windows
share o_uv of their m rows of the calendar have the correlation r_uv o_uv / m, with r_uv that of their estimation
residuals on common rows; units that share none are uncorrelated. KP's r is the mean of these over all pairs. A firm
that comes twice is two units: each has its own windows, and their r is 1 where windows overlap.

Placebo dates move the whole pattern of dates back along the calendar.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import DateStatistics, placebo_p_value, statistics_of
from drainstats.episodes.study.dated import DatedEvent, Market, PlaceboWindows, Plan
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.expected.conditional import Parameters, estimate
from drainstats.episodes.study.notes import about, about_sample, sentence_of
from drainstats.episodes.study.rows import iso, row_of
from drainstats.episodes.study.sample import EventSample
from drainstats.errors import DataError, OptionError
from drainstats.frames import to_pandas
from drainstats.typing import FloatArray, IntArray

ASSET_NAMES = ("name", "asset", "firm", "symbol")
WHEN_NAMES = ("when", "event", "onset", "date", "time")
OWN = "own dates"
"""What events on different dates are called together."""
_MOST = 500
"""Placebo shifts; from a longer history they are taken at even steps."""
_NUMBERS = 2**21
"""Rows of units that are held at once."""
_JOINT = 10
"""Rows that two units must have in common for a correlation of their own."""


def by_asset_dates(events: Any, columns: pd.Index) -> pd.DataFrame | None:
    """Dates by asset as a table with the columns asset and when; None when the events are dates of all assets.

    Raises
    ------
    DataError
        When a table has no column of assets or of dates, or nothing came.
    """
    if isinstance(events, Mapping):
        pairs = [(asset, stamp) for asset, stamps in events.items() for stamp in _as_list(stamps)]
    elif isinstance(events, pd.Series):
        # The default labels 0, 1, ... are no assets; numbered assets come in a dict.
        if isinstance(events.index, pd.RangeIndex) or not events.index.isin(columns).any():
            return None
        pairs = list(events.items())
    elif hasattr(events, "columns"):
        frame = to_pandas(events)
        frame = frame.reset_index() if str(frame.index.name).lower() in WHEN_NAMES else frame
        names = [
            next((c for c in frame.columns if str(c).lower() in known), None) for known in (ASSET_NAMES, WHEN_NAMES)
        ]
        if names[0] is None and "onset" in frame.columns:
            return None
        if None in names:
            raise DataError(
                "A table of events needs a column of assets (name or asset) and one of dates (when or event); its "
                f"columns are {', '.join(map(str, frame.columns))}."
            )
        pairs = list(zip(frame[names[0]], frame[names[1]], strict=True))
    else:
        return None
    if not pairs:
        raise DataError("No event came; pass asset and date of at least two.")
    stamps = pd.Series([getattr(when, "onset", when) for _, when in pairs], dtype=object)
    return pd.DataFrame({"asset": [asset for asset, _ in pairs], "when": stamps})


def _as_list(stamps: Any) -> list[Any]:
    return list(stamps) if isinstance(stamps, (list, tuple, pd.Index, pd.Series, np.ndarray)) else [stamps]


def work_out_units(data: Market, dates: pd.DataFrame, plan: Plan) -> DatedEvent:
    """All (asset, date) pairs as one event.

    Raises
    ------
    DataError
        When fewer than two units can be used, the statistic does not exist, or a placebo is needed and there is none.
    OptionError
        With the model "dcc", whose correlations need one calendar.
    """
    if data.model.name == "dcc":
        raise OptionError('model="dcc" needs one date for all assets; take "market" or "garch" for dates by asset.')
    own = _own_rows(data, plan)
    places, labels, left_out = _place(data, dates, plan, own)
    assets = np.array([a for a, _ in places], dtype=np.int64)
    starts = np.array([e for _, e in places], dtype=np.int64)
    rows = _rows(own, assets, starts, plan.offsets)
    fixed = _fixed(data, assets, rows, plan.offsets)
    sample = data.model.at_rows(data.values, assets, rows, plan.offsets, plan.min_rows, fixed)
    for k in np.flatnonzero(~sample.usable):
        left_out[labels[k]] = _reason(sample, plan, int(k))
    kept = np.flatnonzero(sample.usable)
    if len(kept) < 2:
        raise DataError(f"{len(kept)} of {len(dates)} events can be used and a test needs two; {sentence_of(left_out)}")
    assets, rows, starts = assets[kept], rows[:, kept], starts[kept]
    sample = _in_calendar(_take(sample, kept), rows, plan.offsets)
    pairs = pd.MultiIndex.from_tuples([labels[k] for k in kept], names=["asset", "event"])
    names = pairs.get_level_values("asset")
    units = names if names.is_unique else pairs
    at = statistics_of(_lead(sample))
    if np.isnan(at.kp[0]):
        raise DataError("The abnormal outcomes are equal for all assets, or cancel; a test needs what differs.")
    calendar = np.array([own[a][e] for a, e in zip(assets, starts, strict=True)])
    shifts = _shifts(data, calendar, plan)
    again = partial(_placebos, data, assets, calendar, own, rows, plan, fixed, shifts)
    placebo_shifts, placebo, _ = again()
    if plan.needs_placebo and not len(placebo_shifts):
        raise DataError(
            "The dates of half of the assets cannot be moved back far enough for a placebo date. Give more history, a "
            "shorter estimation window, or tests=('kp_bmp',)."
        )
    p_value, rank, effective = np.nan, np.nan, 0.0
    if len(placebo_shifts):
        p_value, rank, effective = (float(v[0]) for v in placebo_p_value(at.p_value, placebo.p_value[None, :]))
    labels_back = pd.Index([f"{s} rows before" for s in placebo_shifts])
    label = data.index[calendar[0]] if (calendar == calendar[0]).all() else OWN
    named = iso(label)
    notes = [f"{named}: {sentence_of(left_out)}"] if left_out else []
    notes += _recurring(assets, rows, plan.offsets)
    notes += about(
        named, at, labels_back, effective, "correlation of two events by shared rows of the calendar"
    ) + about_sample(named, units, sample)
    if fixed is not None:
        notes.append("Placebo dates keep the GARCH weights of the events' estimation windows.")
    lead = plan.offsets.window[0] - plan.offsets.estimation[0]
    return DatedEvent(
        label=label,
        row=int(rows.max()) - plan.offsets.window[1],
        units=units,
        pairs=pairs,
        at=at,
        placebo_labels=labels_back,
        placebo=placebo,
        p_value=p_value,
        rank=rank,
        effective=effective,
        sample=sample,
        observed=data.values[rows[lead:], assets],
        abnormal=np.vstack([_eve(data, assets, rows, plan), sample.event]),
        left_out=left_out,
        notes=tuple(notes),
        again=partial(_windows, again),
    )


def _own_rows(data: Market, plan: Plan) -> dict[int, IntArray]:
    """Rows that count for each asset: those with a value of it and of the market, or all."""
    known = np.isfinite(data.values) & np.all(np.isfinite(data.model.x), axis=1, keepdims=True)
    return {k: np.flatnonzero(known[:, k] | (not plan.drop)) for k in range(len(data.columns))}


def _place(
    data: Market, dates: pd.DataFrame, plan: Plan, own: dict[int, IntArray]
) -> tuple[list[tuple[int, int]], list[tuple[Any, Any]], dict[Any, str]]:
    """Column and own row of every unit, its label (asset, date), and why others are left out."""
    places, labels, left_out = [], [], {}
    for asset, when in zip(dates["asset"], dates["when"], strict=True):
        label = (asset, when if isinstance(when, Hashable) else repr(when))
        if asset not in data.columns:
            left_out[label] = "not in the outcome"
            continue
        k = int(data.columns.get_loc(asset))
        try:
            if not len(own[k]):
                raise DataError("no value at all")
            row = row_of(data.index[own[k]], when, plan.closed)
        except DataError as error:
            left_out[label] = _absence(str(error), data.index[own[k]])
            continue
        after = len(own[k]) - 1 - row
        label = (asset, data.index[own[k][row]])
        if after < plan.offsets.window[1]:
            left_out[label] = f"{after} rows after the event, the window needs {plan.offsets.window[1]}"
        elif (k, row) not in places:
            places.append((k, row))
            labels.append(label)
    if not places:
        raise DataError(f"None of the {len(dates)} events can be studied; {sentence_of(left_out)}")
    return places, labels, left_out


def _absence(message: str, index: pd.Index) -> str:
    """Why a date cannot be placed, short enough for a list."""
    if not message.startswith("No row contains"):
        return message.rstrip(".")
    return f"in no row; its rows run from {iso(index[0])} to {iso(index[-1])}"


def _rows(own: dict[int, IntArray], assets: IntArray, starts: IntArray, offsets: Offsets) -> IntArray:
    """Rows of the calendar (..., W, n) of each unit's windows; -1 before its first row. ``starts`` (..., n)."""
    steps = np.arange(offsets.estimation[0], offsets.window[1] + 1)
    place = starts[..., None, :] + steps[:, None]
    out = np.full(place.shape, -1, dtype=np.int64)
    for k in range(len(assets)):
        mine, at = own[int(assets[k])], place[..., k]
        inside = (at >= 0) & (at < len(mine))
        out[..., k] = np.where(inside, mine[np.clip(at, 0, len(mine) - 1)], -1)
    return out


def _fixed(data: Market, assets: IntArray, rows: IntArray, offsets: Offsets) -> Parameters | None:
    """GARCH weights from the units' estimation windows; placebo dates keep them."""
    if data.model.name != "garch":
        return None
    inside = rows[: offsets.length]
    values = np.where(inside >= 0, data.values[inside, assets], np.nan)
    return estimate(values, np.empty((len(values), 0)))


def _reason(sample: EventSample, plan: Plan, k: int) -> str:
    if np.isnan(sample.event[:, k]).any():
        return "missing in the event window"
    if np.isfinite(sample.estimation[:, k]).sum() < plan.min_rows:
        return f"fewer than {plan.min_rows} of {plan.offsets.length} estimation rows"
    return "no variation in the estimation window"


def _take(sample: EventSample, kept: IntArray) -> EventSample:
    """Some of the units."""
    parts = {f.name: getattr(sample, f.name) for f in fields(EventSample)}
    return EventSample(**{name: part if name == "correlation" else part[..., kept] for name, part in parts.items()})


def _lead(sample: EventSample) -> EventSample:
    """The sample as a run of one date."""
    return EventSample(*(np.asarray(getattr(sample, f.name))[None] for f in fields(EventSample)))


def _in_calendar(sample: EventSample, rows: IntArray, offsets: Offsets) -> EventSample:
    return replace(sample, correlation=np.asarray(calendar_correlation(sample, rows, offsets)))


def calendar_correlation(sample: EventSample, rows: IntArray, offsets: Offsets) -> float:
    """Mean over pairs of units of the correlation of their standardised sums, by shared rows of the calendar.

    Parameters
    ----------
    sample : EventSample
        Of n units.
    rows : (W, n)
        Their rows of the calendar; -1 where there is none.
    offsets : Offsets
    """
    used = np.flatnonzero(sample.usable)
    n, m, lead = len(used), offsets.span, offsets.window[0] - offsets.estimation[0]
    calendar, where = np.unique(rows[:, used], return_inverse=True)
    where = where.reshape(len(rows), n)
    events = np.zeros((len(calendar), n))
    np.put_along_axis(events, where[lead:], 1.0, axis=0)
    if events.sum(axis=1).max(initial=0.0) <= 1.0 or n < 2:
        return 0.0
    inside = sample.estimation[:, used]
    known = np.isfinite(inside)
    size = np.sqrt(np.nanmean(inside**2, axis=0))
    residuals, present = np.zeros(events.shape), np.zeros(events.shape)
    column = np.broadcast_to(np.arange(n), inside.shape)[known]
    residuals[where[: len(inside)][known], column] = (inside / size)[known]
    present[where[: len(inside)][known], column] = 1.0
    shared, joint, products = events.T @ events / m, present.T @ present, residuals.T @ residuals
    for table in (shared, joint, products):
        np.fill_diagonal(table, 0.0)
    enough = joint >= _JOINT
    usual = products[enough].sum() / joint[enough].sum() if enough.any() else 0.0
    r = np.where(enough, products / np.maximum(joint, 1.0), usual)
    return float((r * shared).sum() / (n * (n - 1)))


def _shifts(data: Market, calendar: IntArray, plan: Plan) -> IntArray:
    """By how many rows of the calendar the dates are moved back (forward when negative)."""
    least = plan.offsets.window[1] - plan.offsets.estimation[1]
    shifts = np.arange(least, int(np.max(calendar)) + 1)
    if plan.placebos == "all":
        ahead = np.arange(
            plan.offsets.window[1] - plan.offsets.estimation[0] + 1, len(data.index) - int(calendar.min())
        )
        shifts = np.concatenate([-ahead[::-1], shifts])
    return shifts[:: max(1, -(-len(shifts) // _MOST))]


def _placebos(
    data: Market, assets: IntArray, calendar: IntArray, own: dict[int, IntArray], events: IntArray, plan: Plan,
    fixed: Parameters | None, shifts: IntArray,
) -> tuple[IntArray, DateStatistics, PlaceboWindows]:  # fmt: skip
    """Shifts at which at least half of the units can be used, their statistics and windows."""
    lead, n = plan.offsets.window[0] - plan.offsets.estimation[0], len(assets)
    taken = np.zeros((len(data.index), len(data.columns)), dtype=np.bool_)
    taken[events[lead:], assets] = True
    parts: list[tuple[IntArray, FloatArray, EventSample]] = []
    for block in np.array_split(shifts, max(1, -(-len(shifts) * n * len(events) // _NUMBERS))):
        aims = calendar - block[:, None]
        starts = np.stack([np.searchsorted(own[int(a)], aims[:, k], side="right") - 1 for k, a in enumerate(assets)], 1)
        rows = _rows(own, assets, starts, plan.offsets)
        ahead = rows[:, lead:]
        possible = (starts >= 0) & (ahead >= 0).all(axis=1) & ~taken[ahead, assets].any(axis=1)
        possible &= (rows[:, : plan.offsets.length] >= 0).sum(axis=1) >= plan.min_rows
        enough = np.flatnonzero(possible.sum(axis=1) >= max(2.0, n / 2))
        if not len(enough):
            continue
        rows = rows[enough]
        sample = data.model.at_rows(data.values, assets, rows, plan.offsets, plan.min_rows, fixed)
        sample = replace(sample, usable=sample.usable & possible[enough])
        calendars = [calendar_correlation(_at(sample, k), rows[k], plan.offsets) for k in range(len(enough))]
        thin = replace(sample, estimation=np.empty(0), correlation=np.array(calendars))
        parts.append((block[enough], data.values[rows[:, lead:], assets], thin))
    return _gathered(parts, plan.offsets.span, n)


def _at(sample: EventSample, k: int) -> EventSample:
    """One date of a run."""
    return EventSample(*(getattr(sample, f.name)[k] for f in fields(EventSample)))


def _gathered(
    parts: list[tuple[IntArray, FloatArray, EventSample]], m: int, n: int
) -> tuple[IntArray, DateStatistics, PlaceboWindows]:
    """Shifts at which at least half of the units have a statistic, one behind the other."""
    none = np.empty(0)
    if not parts:
        windows = PlaceboWindows(
            np.empty((0, m, n)), np.empty((0, m, n)), np.empty((0, n)), np.empty((0, n), bool), none
        )
        return none.astype(np.int64), DateStatistics(*(none for _ in fields(DateStatistics))), windows
    names = ("event", "total_error", "usable", "correlation")
    stacks = {name: np.concatenate([getattr(s, name) for *_, s in parts]) for name in names}
    windows = PlaceboWindows(np.concatenate([o for _, o, _ in parts]), **stacks)
    found = statistics_of(replace(parts[0][2], **stacks))
    sound = np.flatnonzero(np.isfinite(found.kp) & (found.n_assets >= max(2.0, n / 2)))
    kept = PlaceboWindows(*(getattr(windows, f.name)[sound] for f in fields(PlaceboWindows)))
    return np.concatenate([b for b, *_ in parts])[sound], found.take(sound), kept


def _windows(again: Any) -> PlaceboWindows:
    windows: PlaceboWindows = again()[2]
    return windows


def _eve(data: Market, assets: IntArray, rows: IntArray, plan: Plan) -> FloatArray:
    """Abnormal values between estimation and event window, (rows, n)."""
    first, last = plan.offsets.estimation[1] + 1, plan.offsets.window[0] - 1
    if first > last:
        return np.empty((0, len(assets)))
    before = Offsets(plan.offsets.estimation, (first, last))
    fixed = _fixed(data, assets, rows, plan.offsets)
    until = rows[: plan.offsets.window[0] - plan.offsets.estimation[0]]
    return data.model.at_rows(data.values, assets, until, before, plan.min_rows, fixed).event


def _recurring(assets: IntArray, rows: IntArray, offsets: Offsets) -> list[str]:
    """A note on units of one asset whose windows touch."""
    lead, overlapping, inside = offsets.window[0] - offsets.estimation[0], 0, 0
    for asset in np.unique(assets):
        mine = np.flatnonzero(assets == asset)
        for a in mine:
            for b in mine[mine != a]:
                overlapping += int(a < b and bool(np.isin(rows[lead:, a], rows[lead:, b]).any()))
                inside += int(np.isin(rows[lead:, a], rows[: offsets.length, b]).any())
    notes = []
    if overlapping:
        pairs = "pair of events of one asset has" if overlapping == 1 else "pairs of events of one asset have"
        notes.append(f"{overlapping} {pairs} overlapping windows; their correlation counts.")
    if inside:
        events = "event lies" if inside == 1 else "events lie"
        notes.append(f"{inside} {events} in the estimation window of another event of the same asset.")
    return notes
