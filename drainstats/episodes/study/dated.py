"""One event of an event study: who takes part, what its statistics are, and which placebo dates stand beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import DateStatistics, placebo_p_value
from drainstats.episodes.study.expected.abnormal import Offsets, sliding
from drainstats.episodes.study.expected.models import ExpectedModel, one_date
from drainstats.episodes.study.notes import about, about_sample, sentence_of
from drainstats.episodes.study.rows import iso
from drainstats.episodes.study.sample import EventSample
from drainstats.errors import DataError
from drainstats.typing import BoolArray, FloatArray, IntArray

_BLOCK = 256
"""Placebo dates whose whole samples are held at once."""


@dataclass(frozen=True, slots=True)
class Market:
    """What came in: values (T, N) with NaN where missing or infinite, their labels, what is expected of them."""

    values: FloatArray
    index: pd.Index
    columns: pd.Index
    model: ExpectedModel
    infinite: BoolArray


@dataclass(frozen=True, slots=True)
class Plan:
    """How every event is treated.

    offsets. min_rows : estimation rows an asset needs. placebos : where they lie. needs_placebo : whether one must be
    there. closed : what an event in no bar means. drop : whether an asset's missing rows are dropped before rows are
    counted, when it has dates of its own.
    """

    offsets: Offsets
    min_rows: int
    placebos: str
    needs_placebo: bool
    closed: str
    drop: bool


@dataclass(frozen=True, slots=True)
class PlaceboWindows:
    """Windows of placebo dates: observed and event (D, m, n), total_error (D, n), usable (D, n), correlation (D,)."""

    observed: FloatArray
    event: FloatArray
    total_error: FloatArray
    usable: BoolArray
    correlation: FloatArray

    @property
    def standardized(self) -> FloatArray:
        """Sums over the window by their errors (D, n); NaN where an asset does not take part."""
        return np.where(self.usable, self.event.sum(axis=-2) / np.where(self.usable, self.total_error, 1.0), np.nan)


@dataclass(frozen=True, slots=True)
class DatedEvent:
    """One event worked out.

    label : what it is called. row : of the event. units : labels of the n assets in use, or pairs of asset and date
    when an asset comes twice. pairs : the same with the dates, for dates by asset, else None.
    at : statistics of the date, arrays (1,). placebo_labels : (D,). placebo : statistics of those dates, arrays (D,).
    p_value, rank, effective : see `placebo_p_value`; NaN without placebo dates. sample : what the tests see. observed :
    (m, n) outcomes in the event window. abnormal : (rows, n), from the row after the estimation window to the end of
    the event window. left_out : label of a unit → why it does not take part. notes : what else to know. again : gives
    the windows of the placebo dates, computed when called.
    """

    label: Any
    row: int
    units: pd.Index
    pairs: pd.MultiIndex | None
    at: DateStatistics
    placebo_labels: pd.Index
    placebo: DateStatistics
    p_value: float
    rank: float
    effective: float
    sample: EventSample
    observed: FloatArray
    abnormal: FloatArray
    left_out: dict[Any, str]
    notes: tuple[str, ...]
    again: Callable[[], PlaceboWindows]


def work_out(data: Market, row: int, others: list[int], plan: Plan) -> DatedEvent:
    """Everything about the event in ``row``; ``others`` are the rows of the other events, which are no placebo dates.

    Raises
    ------
    DataError
        When the windows leave the data, fewer than two assets remain, the statistic does not exist, or a placebo date
        is needed and there is none.
    """
    _check_room(data, row, plan.offsets)
    label = iso(data.index[row])
    # What lies behind the event window is not handed on unless asked for: nothing below can look ahead.
    end = row + plan.offsets.window[1] + 1 if plan.placebos == "past" else len(data.index)
    sample = one_date(data.model.samples(data.values[:end], plan.offsets, row, 1, plan.min_rows, row))
    assets = np.flatnonzero(sample.usable)
    left_out = _left_out(data, row, sample, plan)
    out = sentence_of(left_out)
    if len(assets) < 2:
        found = f"{label}: {len(assets)} of {len(data.columns)} assets can be used and a test needs two"
        raise DataError(f"{found}; {out}" if out else f"{found}.")
    values = np.ascontiguousarray(data.values[:end, assets])
    if len(assets) < len(data.columns):
        sample = one_date(data.model.samples(values, plan.offsets, row, 1, plan.min_rows, row))
    at = data.model.scan(values, plan.offsets, row, 1, plan.min_rows, row)
    if np.isnan(at.kp[0]):
        raise DataError(
            f"{label}: the abnormal outcomes are equal for all assets, or sum to zero because the market is made of "
            "them; use other assets, or a market from outside."
        )
    rows, placebo = _placebos(data.model, values, row, others, plan, len(data.index))
    if plan.needs_placebo and not len(rows):
        raise DataError(
            f"{label}: no earlier date has {plan.offsets.length} estimation rows of its own, so that there is no "
            "placebo date. Give more history, a shorter estimation window, or tests=('kp_bmp',)."
        )
    p_value, rank, effective = np.nan, np.nan, 0.0
    if len(rows):
        p_value, rank, effective = (float(v[0]) for v in placebo_p_value(at.p_value, placebo.p_value[None, :]))
    notes = ([f"{label}: {out}"] if out else []) + _outage(label, data, row, plan)
    notes += about(label, at, data.index[rows], effective) + about_sample(label, data.columns[assets], sample)
    notes += [f"{label}: {note}" for note in data.model.notes(values, plan.offsets, row)]
    abnormal = np.vstack([_eve(data.model, values, row, plan), sample.event])
    return DatedEvent(
        label=data.index[row],
        row=row,
        units=data.columns[assets],
        pairs=None,
        at=at,
        placebo_labels=data.index[rows],
        placebo=placebo,
        p_value=p_value,
        rank=rank,
        effective=effective,
        sample=sample,
        observed=values[row + plan.offsets.window[0] : row + plan.offsets.window[1] + 1],
        abnormal=abnormal,
        left_out=left_out,
        notes=tuple(notes),
        again=partial(_placebo_windows, data.model, values, row, plan, rows),
    )


def _placebo_windows(model: ExpectedModel, values: FloatArray, row: int, plan: Plan, rows: IntArray) -> PlaceboWindows:
    """Windows of the placebo dates in ``rows``, a chunk of neighbours at a time."""
    parts = []
    for block in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        for start in range(0, len(block), _BLOCK):
            dates = block[start : start + _BLOCK]
            s = model.samples(values, plan.offsets, int(dates[0]), len(dates), plan.min_rows, row)
            span = (int(dates[0]) + plan.offsets.window[0], len(dates), plan.offsets.span)
            parts.append((sliding(values, *span), s.event, s.total_error, s.usable, s.correlation))
    return PlaceboWindows(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _check_room(data: Market, row: int, offsets: Offsets) -> None:
    label, before, after = iso(data.index[row]), row, len(data.index) - 1 - row
    if before < -offsets.estimation[0]:
        raise DataError(
            f"{label}: the estimation window begins {-offsets.estimation[0]} rows before the event and there are "
            f"{before}. Give more history, or let the estimation begin at {-before} or later."
        )
    if after < offsets.window[1]:
        raise DataError(
            f"{label}: the event window ends {offsets.window[1]} rows after the event and there are {after}. "
            "Wait for the data, or shorten the window."
        )


def _placebos(
    model: ExpectedModel, values: FloatArray, row: int, others: list[int], plan: Plan, n_rows: int
) -> tuple[IntArray, DateStatistics]:
    """Rows of the placebo dates and their statistics.

    Past ones end with the event's estimation window, so that what foreshadows the event is no placebo; later ones begin
    after the event window. Both keep off the windows of the other events.
    """
    offsets = plan.offsets
    first = -offsets.estimation[0]
    last = min(len(values) - 1 - offsets.window[1], n_rows - 1)
    rows = np.arange(first, last + 1)
    scanned = model.scan(values, offsets, first, len(rows), plan.min_rows, row)
    fits = (rows + offsets.window[1] <= row + offsets.estimation[1]) | (
        rows + offsets.estimation[0] > row + offsets.window[1]
    )
    for other in others:
        fits &= np.abs(rows - other) >= offsets.span
    fits &= np.isfinite(scanned.kp) & (scanned.n_assets >= values.shape[1] / 2)
    chosen = np.flatnonzero(fits)
    return rows[chosen], scanned.take(chosen)


def _eve(model: ExpectedModel, values: FloatArray, row: int, plan: Plan) -> FloatArray:
    """Abnormal values of the rows between estimation and event window, (rows, n)."""
    first, last = plan.offsets.estimation[1] + 1, plan.offsets.window[0] - 1
    if first > last:
        return np.empty((0, values.shape[1]))
    before = Offsets(plan.offsets.estimation, (first, last))
    return one_date(model.samples(values, before, row, 1, plan.min_rows, row)).event


def _left_out(data: Market, row: int, sample: EventSample, plan: Plan) -> dict[Any, str]:
    """Why each asset that does not take part does not."""
    window = slice(row + plan.offsets.window[0], row + plan.offsets.window[1] + 1)
    return {data.columns[k]: _reason(data, window, sample, plan, int(k)) for k in np.flatnonzero(~sample.usable)}


def _reason(data: Market, window: slice, sample: EventSample, plan: Plan, k: int) -> str:
    """Why asset ``k`` does not take part."""
    seen = np.isfinite(data.values[: window.stop, k])
    if data.infinite[window, k].any():
        return "infinite in the event window"
    if not seen.any():
        return "no value up to the event"
    if not seen[window].all():
        last = int(np.flatnonzero(seen)[-1])
        gone = last < window.start - 1
        return f"no value since {iso(data.index[last])}" if gone else "missing in the event window"
    if np.isnan(sample.event[:, k]).any():
        return "nothing is expected of the event window: the market is missing there, or the clock has no earlier row"
    if np.isfinite(sample.estimation[:, k]).sum() < plan.min_rows:
        return f"fewer than {plan.min_rows} of {plan.offsets.length} estimation rows"
    return "no variation in the estimation window"


def _outage(label: str, data: Market, row: int, plan: Plan) -> list[str]:
    """A note when half of the assets or more, seen in the estimation window, have no value in the event window."""
    window = slice(row + plan.offsets.window[0], row + plan.offsets.window[1] + 1)
    inside = slice(row + plan.offsets.estimation[0], row + plan.offsets.estimation[1] + 1)
    seen = np.isfinite(data.values)
    alive = seen[inside].sum(axis=0) >= plan.min_rows
    missing = int((alive & ~seen[window].all(axis=0)).sum())
    if missing < 2 or 2 * missing < alive.sum():
        return []
    return [
        f"{label}: {missing} of {alive.sum()} assets have no value in the event window, as in an outage of a venue; "
        "the tests speak of those that were still quoted."
    ]
