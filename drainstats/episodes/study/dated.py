"""One event of an event study: who takes part, what its statistics are, and which placebo dates stand beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.episodes.study.abnormal import Abnormal, Offsets, abnormal_values
from drainstats.episodes.study.commondate import DateStatistics, date_statistics, placebo_p_value
from drainstats.episodes.study.rows import iso
from drainstats.errors import DataError
from drainstats.typing import BoolArray, FloatArray, IntArray

_NAMED = 8
"""A note names that many assets before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Market:
    """What came in: values (T, N) with NaN where missing or infinite, their labels, the regressor (T,) or None."""

    values: FloatArray
    index: pd.Index
    columns: pd.Index
    regressor: FloatArray | None
    infinite: BoolArray


@dataclass(frozen=True, slots=True)
class Plan:
    """How every event is treated: offsets, estimation rows an asset needs, where placebo dates lie, whether needed."""

    offsets: Offsets
    min_rows: int
    placebos: str
    needs_placebo: bool


@dataclass(frozen=True, slots=True)
class DatedEvent:
    """One event worked out.

    row : of the event. assets : columns in use. at : statistics of the date, arrays (1,). placebo_rows : (n,).
    placebo : statistics of those dates, arrays (n,). p_value, rank, effective : see `placebo_p_value`; NaN without
    placebo dates. abnormal : (rows, assets), from the row after the estimation window to the end of the event window.
    notes : who was left out and why, and what else to know.
    """

    row: int
    assets: IntArray
    at: DateStatistics
    placebo_rows: IntArray
    placebo: DateStatistics
    p_value: float
    rank: float
    effective: float
    abnormal: FloatArray
    notes: tuple[str, ...]


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
    market = None if data.regressor is None else data.regressor[:end]
    fits = abnormal_values(data.values[:end], plan.offsets, row, 1, market=market, min_rows=plan.min_rows)
    assets = np.flatnonzero(fits.usable[0])
    out = _left_out(data, row, fits, plan)
    if len(assets) < 2:
        found = f"{label}: {len(assets)} of {len(data.columns)} assets can be used and a test needs two"
        raise DataError(f"{found}; {out}" if out else f"{found}.")
    values = np.ascontiguousarray(data.values[:end, assets])
    at = date_statistics(values, plan.offsets, row, 1, market=market, min_rows=plan.min_rows)
    if np.isnan(at.kp[0]):
        raise DataError(
            f"{label}: the abnormal outcomes are equal for all assets, or sum to zero because the market is made of "
            "them; use other assets, or a market from outside."
        )
    rows, placebo = _placebos(values, market, row, others, plan, len(data.index))
    if plan.needs_placebo and not len(rows):
        raise DataError(
            f"{label}: no earlier date has {plan.offsets.length} estimation rows of its own, so that there is no "
            "placebo date. Give more history, a shorter estimation window, or tests=('kp_bmp',)."
        )
    p_value, rank, effective = np.nan, np.nan, 0.0
    if len(rows):
        p_value, rank, effective = (float(v[0]) for v in placebo_p_value(at.p_value, placebo.p_value[None, :]))
    residuals = _residuals(data, row, fits, plan.offsets)[:, assets]
    notes = [f"{label}: {out}"] if out else []
    notes += _facts(label, data, rows, effective, at)
    notes += _dominant(label, data.columns[assets], fits.standardized[0, assets])
    standard = residuals[: plan.offsets.length] / fits.sigma[0, assets]
    notes += _groups(label, standard) + _persistence(label, standard)
    lead = min(plan.offsets.estimation[1] + 1, plan.offsets.window[0]) - plan.offsets.estimation[0]
    return DatedEvent(row, assets, at, rows, placebo, p_value, rank, effective, residuals[lead:], tuple(notes))


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
    values: FloatArray, market: FloatArray | None, row: int, others: list[int], plan: Plan, n_rows: int
) -> tuple[IntArray, DateStatistics]:
    """Rows of the placebo dates and their statistics.

    Past ones end with the event's estimation window, so that what foreshadows the event is no placebo; later ones begin
    after the event window. Both keep off the windows of the other events.
    """
    offsets = plan.offsets
    first = -offsets.estimation[0]
    last = min(len(values) - 1 - offsets.window[1], n_rows - 1)
    rows = np.arange(first, last + 1)
    scanned = date_statistics(values, offsets, first, len(rows), market=market, min_rows=plan.min_rows)
    fits = (rows + offsets.window[1] <= row + offsets.estimation[1]) | (
        rows + offsets.estimation[0] > row + offsets.window[1]
    )
    for other in others:
        fits &= np.abs(rows - other) >= offsets.span
    fits &= np.isfinite(scanned.kp) & (scanned.n_assets >= values.shape[1] / 2)
    chosen = np.flatnonzero(fits)
    return rows[chosen], scanned.take(chosen)


def _residuals(data: Market, row: int, fits: Abnormal, offsets: Offsets) -> FloatArray:
    """Abnormal values from the first estimation row to the last row of the event window, (rows, N)."""
    rows = slice(row + offsets.estimation[0], row + offsets.window[1] + 1)
    expected = fits.alpha if data.regressor is None else fits.alpha + fits.beta * data.regressor[rows, None]
    return np.asarray(data.values[rows] - expected)


def _left_out(data: Market, row: int, fits: Abnormal, plan: Plan) -> str:
    """Who does not take part, by reason, in one sentence; empty when all do."""
    window = slice(row + plan.offsets.window[0], row + plan.offsets.window[1] + 1)
    seen = np.isfinite(data.values)
    reasons: dict[str, list[str]] = {}
    for k in np.flatnonzero(~fits.usable[0]):
        if data.infinite[window, k].any():
            reason = "infinite in the event window"
        elif not seen[: window.stop, k].any():
            reason = "no value up to the event"
        elif not seen[window, k].all():
            reason = "missing in the event window"
        elif fits.rows[0, k] < plan.min_rows:
            reason = f"fewer than {plan.min_rows} of {plan.offsets.length} estimation rows"
        else:
            reason = "no variation in the estimation window"
        reasons.setdefault(reason, []).append(str(data.columns[k]))
    if not reasons:
        return ""
    return "left out: " + "; ".join(f"{_names(names)} ({reason})" for reason, names in reasons.items()) + "."


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _facts(label: str, data: Market, rows: IntArray, effective: float, at: DateStatistics) -> list[str]:
    notes = []
    if at.correlation[0] * (at.n_assets[0] - 1.0) < -0.5:
        notes.append(
            f"{label}: the assets' residuals nearly cancel, as they do when the market is their mean; the tests then "
            "see only what is left between the assets, not a move of all."
        )
    text = f"{label}: mean correlation of estimation residuals {at.correlation[0]:.2f} over {at.n_assets[0]:.0f} assets"
    if not len(rows):
        return [*notes, f"{text}; no placebo date."]
    span = f"{iso(data.index[rows[0]])} to {iso(data.index[rows[-1]])}"
    notes += [f"{text}; {len(rows)} placebo dates from {span}, worth {effective:.0f} independent ones."]
    if effective < 19:
        notes.append(
            f"{label}: with so few placebo dates the p-value of the placebo test cannot fall below "
            f"{1 / (effective + 1):.3f}; give more history or a shorter estimation window."
        )
    return notes


def _dominant(label: str, names: pd.Index, standardized: FloatArray) -> list[str]:
    """A note when one of at least five assets makes most of the dispersion, as after a stale estimation window."""
    squares = (standardized - standardized.mean()) ** 2
    k = int(np.argmax(squares))
    share = squares[k] / squares.sum()
    if len(names) < 5 or share < 0.8:
        return []
    return [
        f"{label}: {names[k]} alone makes {share:.0%} of the dispersion across assets (standardised value "
        f"{standardized[k]:.1f}), which blunts the tests; see whether its estimation window is stale."
    ]


def _groups(label: str, standard: FloatArray) -> list[str]:
    """A note when assets come in groups that move together, so that n assets are worth far fewer.

    With one common factor the dispersion across n assets has n - 1 degrees of freedom; for a residual correlation
    matrix C and the centring matrix M it has tr(MC)^2 / tr(MCMC) (Satterthwaite); what sampling adds is taken off.
    """
    seen = np.isfinite(standard)
    z = np.where(seen, standard, 0.0)
    z = z / np.sqrt((z**2).sum(axis=0))
    correlation = z.T @ z
    centred = correlation - correlation.mean(axis=0) - correlation.mean(axis=1)[:, None] + correlation.mean()
    trace, n = np.trace(centred), standard.shape[1]
    freedom = trace**2 / max((centred**2).sum() - trace**2 / len(standard), 1e-12)
    if n < 5 or freedom > (n - 1) / 2:
        return []
    return [
        f"{label}: the assets come in groups: the dispersion has about {freedom:.0f} degrees of freedom, not {n - 1}; "
        "kp_bmp rejects too often; take one asset a group, or read studentized_placebo."
    ]


def _persistence(label: str, standard: FloatArray) -> list[str]:
    """A note when the mean standardised residual is so persistent that it is hardly an innovation."""
    seen = np.isfinite(standard)
    path = np.where(seen, standard, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    path = path - path.mean()
    autocorrelation = path[1:] @ path[:-1] / (path @ path)
    if autocorrelation < max(0.3, 3.0 / np.sqrt(len(path))):
        return []
    return [
        f"{label}: the outcome is persistent (autocorrelation {autocorrelation:.2f} of the assets' mean in the "
        "estimation window), so that its level carries over to the event; study its changes or innovations."
    ]
