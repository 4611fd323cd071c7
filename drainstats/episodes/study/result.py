"""`EventStudy`: what an event study found, as tables, a card and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from drainstats.episodes.study.abnormal import Offsets
from drainstats.episodes.study.rows import iso
from drainstats.errors import require_extra

NULL = "the mean abnormal outcome is zero (common and own variance may jump by one factor)"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EventStudy:
    """What `event_study` found. Tables that have a row per event are labelled by the row the event fell into.

    Attributes
    ----------
    tests : DataFrame
        A row per test in the order asked: statistic, p_value, reference (distribution), null, alternative, n_events,
        n_assets (smallest over events), n_placebos, smallest_p (what the p-value could reach at best).
    by_event : DataFrame
        A row per event: mean standardised abnormal outcome, bmp, kp_bmp, the p-values of both tests, n_assets,
        n_placebos.
    abnormal, cumulative : DataFrame
        Event time × asset, in units of the outcome; for several events the rows are (event, offset).
    mean_path : DataFrame
        Mean over assets (and events) from the row after the estimation window to the end of the event window, with a
        95 % band (low, high): for one event from the dispersion across assets and their mean correlation, for three or
        more from the dispersion across events, for two none.
    placebos : Series
        KP-BMP on the placebo dates, labelled by date; for several events by (event, date).
    rank : DataFrame
        The date in the market's own history: the share of placebo dates at least as extreme, by the studentised
        statistic and by the plain mean of standardised abnormal outcomes. The latter describes and tests nothing.
    common_share : DataFrame
        Common share of variance: in the estimation window, on the date, the limit that calm dates pass once in ten, and
        whether it was passed.
    across_events : Series or None
        From three events on: t-test of the events' means, n_events - 1 degrees of freedom. Its unit is the event, so
        that it holds when the common share rises.
    notes : tuple of str
    model : str
    offsets : Offsets
    """

    tests: pd.DataFrame
    by_event: pd.DataFrame
    abnormal: pd.DataFrame
    cumulative: pd.DataFrame
    mean_path: pd.DataFrame
    placebos: pd.Series
    rank: pd.DataFrame
    common_share: pd.DataFrame
    across_events: pd.Series | None
    notes: tuple[str, ...]
    model: str
    offsets: Offsets

    def plot(self, ax: Any = None) -> Any:
        """The mean abnormal path with its band; needs the extra ``plot``.

        Parameters
        ----------
        ax : matplotlib axes, optional

        Returns
        -------
        matplotlib axes
        """
        if ax is None:
            ax = require_extra("matplotlib.pyplot", "plot").subplots()[1]
        path = self.mean_path
        ax.axhline(0.0, color="0.6", linewidth=0.8)
        ax.axvspan(self.offsets.window[0] - 0.5, self.offsets.window[1] + 0.5, color="0.92", zorder=0)
        below, above = path["mean"] - path["low"], path["high"] - path["mean"]
        ax.errorbar(path.index, path["mean"], yerr=[below, above], fmt="o-", markersize=3, capsize=2)
        ax.set_xlabel("rows from the event")
        ax.set_ylabel("mean abnormal outcome, 95 % band")
        ax.set_title(_when(self.by_event.index))
        return ax

    def __repr__(self) -> str:
        first, last = self.offsets.window
        lines = [
            f"Event study: {_when(self.by_event.index)}",
            f"  model       {self.model.replace('_', ' ')} over rows {self.offsets.estimation[0]} to "
            f"{self.offsets.estimation[1]}, event window {first} to {last}",
            f"  null        {NULL}",
            "  alternative two-sided",
        ]
        tests = [(name, row["reference"], row) for name, row in self.tests.iterrows()]
        if self.across_events is not None:
            tests.append(("across events", f"t({self.across_events['n_events'] - 1:.0f})", self.across_events))
        lines += [f"  {n}: statistic {t['statistic']:.3f}, p-value {t['p_value']:.4f} ({law})" for n, law, t in tests]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _when(labels: pd.Index) -> str:
    if len(labels) == 1:
        return iso(labels[0])
    return f"{len(labels)} events, {iso(labels[0])} to {iso(labels[-1])}"
