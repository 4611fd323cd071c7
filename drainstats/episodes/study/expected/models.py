"""Expected-value models by name: each turns outcomes before a date into what was to be expected on it.

Every model gives an `EventSample` for any run of consecutive dates, each with its own estimation window, so that
placebo dates are treated as the event is. Nothing behind a date's event window enters.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from drainstats.episodes.study.commondate import DateStatistics, date_statistics, statistics_of
from drainstats.episodes.study.expected.abnormal import Offsets, sliding
from drainstats.episodes.study.expected.conditional import (
    Parameters,
    conditional_sample,
    conditional_samples,
    estimate,
    weights_note,
)
from drainstats.episodes.study.expected.linear import Windows, linear_sample
from drainstats.episodes.study.expected.seasonal import seasonal_sample
from drainstats.episodes.study.sample import EventSample
from drainstats.typing import FloatArray, IntArray

MODELS = ("constant_mean", "market", "factor", "seasonal", "garch", "dcc", "zero", "market_adjusted")
WITH_MARKET = ("market", "factor", "dcc", "market_adjusted")
UNFITTED = ("zero", "market_adjusted")
SCANNED = ("constant_mean", "market")
"""Models whose runs of dates are computed in a few matrix products."""
_NUMBERS = 2**21
"""Numbers that the windows of one chunk of dates may hold."""


@dataclass(frozen=True, slots=True)
class ExpectedModel:
    """One of `MODELS` with what it needs to know about every row.

    x : (T, k) regressors, k may be 0. classes : (T,) clock classes of the seasonal model, else empty. refit : rows from
    one estimate of variance and correlation parameters to the next, counted from the event.
    """

    name: str
    x: FloatArray
    classes: IntArray
    refit: int

    @property
    def coefficients(self) -> int:
        """Estimated coefficients of the mean, clock classes aside."""
        return 1 + self.x.shape[1]

    def samples(
        self, values: FloatArray, offsets: Offsets, first: int, dates: int, min_rows: int, event: int
    ) -> EventSample:
        """What tests see of ``dates`` consecutive dates from row ``first`` on: arrays with a leading axis of dates.

        Parameters
        ----------
        values : (T, n)
            Outcomes up to the last row that may be used; NaN where missing.
        offsets : Offsets
        first, dates : int
        min_rows : int
            Estimation rows an asset must have.
        event : int
            Row from which refits are counted.
        """
        size = max(1, _NUMBERS // (offsets.length * max(1, values.shape[1]) * (1 + self.x.shape[1])))
        starts = range(first, first + dates, size)
        parts = [
            self._samples(values, offsets, start, min(size, first + dates - start), min_rows, event) for start in starts
        ]
        return parts[0] if len(parts) == 1 else joined(parts)

    def scan(
        self, values: FloatArray, offsets: Offsets, first: int, dates: int, min_rows: int, event: int
    ) -> DateStatistics:
        """Statistics of consecutive dates, arrays (dates,)."""
        if self.name in SCANNED:
            market = self.x[: len(values), 0] if self.x.shape[1] else None
            return date_statistics(values, offsets, first, dates, market=market, min_rows=min_rows)
        return statistics_of(self.samples(values, offsets, first, dates, min_rows, event))

    def notes(self, values: FloatArray, offsets: Offsets, row: int) -> list[str]:
        """What to know of the weights of a moving variance on one date; none for other models."""
        if self.name not in ("garch", "dcc"):
            return []
        inside = slice(row + offsets.estimation[0], row + offsets.estimation[1] + 1)
        return weights_note(estimate(values[inside], self.x[inside]), self.refit)

    def _samples(
        self, values: FloatArray, offsets: Offsets, first: int, dates: int, min_rows: int, event: int
    ) -> EventSample:
        x = self.x[: len(values)]
        if self.name in ("garch", "dcc"):
            return conditional_samples(values, x, offsets, (first, dates), min_rows, (event, self.refit))
        spans = [(first + low, dates, high - low + 1) for low, high in (offsets.estimation, offsets.window)]
        inside, ahead = (sliding(values, *span) for span in spans)
        if self.name == "seasonal":
            # A window of whole numbers is a window as any other.
            labels = self.classes[: len(values), None].astype(np.float64)
            classes = [sliding(labels, *span).astype(np.int64) for span in spans]
            return seasonal_sample(inside, ahead, (classes[0], classes[1]), min_rows)
        inside_x, ahead_x = (sliding(x, *span)[..., :, None, :] for span in spans)
        return linear_sample(Windows(inside, ahead, inside_x, ahead_x), min_rows, self.name not in UNFITTED)

    def at_rows(
        self,
        values: FloatArray,
        assets: IntArray,
        rows: IntArray,
        offsets: Offsets,
        min_rows: int,
        weights: Parameters | None,
    ) -> EventSample:
        """What tests see of units that each have their own rows: pairs of an asset and a date.

        Parameters
        ----------
        values : (T, N)
        assets : (n,)
            Column of each unit.
        rows : (..., W, n)
            Rows of each unit from the first of its estimation window to the last of its event window; -1 where there
            is none.
        offsets : Offsets
        min_rows : int
        weights : Parameters, for the model "garch"
        """
        lead = offsets.window[0] - offsets.estimation[0]
        y = np.where(rows >= 0, values[rows, assets], np.nan)
        inside, ahead = y[..., : offsets.length, :], y[..., lead:, :]
        if weights is not None:
            return conditional_sample(y, np.empty((*y.shape[:-1], 0)), offsets, min_rows, weights)
        if self.name == "seasonal":
            clock = self.classes[rows]
            classes = (clock[..., : offsets.length, :], clock[..., lead:, :])
            return seasonal_sample(inside, ahead, classes, min_rows)
        x = self.x[rows]
        windows = Windows(inside, ahead, x[..., : offsets.length, :, :], x[..., lead:, :, :])
        return linear_sample(windows, min_rows, self.name not in UNFITTED)


def joined(parts: list[EventSample]) -> EventSample:
    """Samples of consecutive dates, one behind the other along the axis of dates."""
    return EventSample(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(EventSample)))


def one_date(sample: EventSample, at: int = 0) -> EventSample:
    """One date of a run of dates."""
    return EventSample(*(getattr(sample, f.name)[at] for f in fields(EventSample)))
