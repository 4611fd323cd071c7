"""`EventStudy`: what an event study found, as tables, a card and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from drainstats.episodes.study.bands import banded_path, buy_and_hold
from drainstats.episodes.study.dated import DatedEvent
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.multiplicity import over_assets, over_events
from drainstats.episodes.study.plots import draw, when
from drainstats.errors import DataError, check_option, require_extra

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
    by_asset : DataFrame
        A row per asset, for several events per (event, asset): abnormal (summed over the window), standard_error of
        forecast, standardized, p_value of t with the estimation's degrees of freedom (it takes the variance as
        unchanged and answers for one asset; see `adjust`), estimation_rows. Those left out have a reason instead. For
        dates by asset a row per (asset, event).
    abnormal, cumulative, observed : DataFrame
        Event time × asset: abnormal outcomes, their running sums, and the outcomes themselves, in units of the outcome;
        for several events the rows are (event, offset). Assets with dates of their own and several of them have columns
        (asset, event).
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
        From three events on: t-test of the events' means (statistic, p_value), n_events - 1 degrees of freedom, and
        exact sign (p_sign) and signed-rank tests (p_signed_rank). Their unit is the event, so that they hold when the
        common share rises; smallest_exact_p is what the exact ones can reach with so many events.
    notes : tuple of str
    model : str
    offsets : Offsets
    worked_out : tuple of DatedEvent
        The events as arrays, for methods of this result.
    """

    tests: pd.DataFrame
    by_event: pd.DataFrame
    by_asset: pd.DataFrame
    abnormal: pd.DataFrame
    cumulative: pd.DataFrame
    observed: pd.DataFrame
    mean_path: pd.DataFrame
    placebos: pd.Series
    rank: pd.DataFrame
    common_share: pd.DataFrame
    across_events: pd.Series | None
    notes: tuple[str, ...]
    model: str
    offsets: Offsets
    worked_out: tuple[DatedEvent, ...]

    def path(
        self,
        kind: str = "cumulative",
        band: str = "simultaneous",
        level: float = 0.95,
        returns: str = "log",
        seed: int = 0,
    ) -> pd.DataFrame:
        """The mean path through the event window with a confidence band.

        Parameters
        ----------
        kind : {"cumulative", "abnormal", "buy_and_hold"}
            Running sums (CAR), each row by itself, or the difference between holding the assets and holding what was
            expected of them (BHAR), for outcomes that are returns.
        band : {"simultaneous", "pointwise", "independent", "signed_rank"}
            "simultaneous" holds the whole path with the stated probability (sup-t), "pointwise" each row by itself. The
            other two are those of the textbooks, row by row, and take assets for independent draws, which on a common
            date they are not: "independent" is mean ± t(n - 1) s / √n, "signed_rank" the median with the exact
            interval of the signed-rank test.
        level : float, default 0.95
        returns : {"log", "simple"}
            What the outcomes are; for ``kind="buy_and_hold"``.
        seed : int, default 0
            Of the placebo draws for several events.

        Returns
        -------
        DataFrame
            Offset × mean, low, high, error, critical; for "signed_rank" median, low, high, missing where so few assets
            cannot reach the level. The simultaneous and pointwise bands of one event stand on the dispersion across
            assets, their mean correlation and the placebo dates, and widen with the variance of the date. For two
            events there is none.
        """
        return banded_path(self.worked_out, self.offsets, kind, band, level, returns, seed)

    def buy_and_hold(self, returns: str = "log") -> pd.DataFrame:
        """Buy-and-hold abnormal return of every asset up to each row of the window, in the form of ``abnormal``.

        Parameters
        ----------
        returns : {"log", "simple"}
            What the outcomes are.
        """
        parts = [buy_and_hold(e.observed, e.sample.event, returns) for e in self.worked_out]
        offsets = pd.RangeIndex(self.offsets.window[0], self.offsets.window[1] + 1, name="offset")
        frames = [pd.DataFrame(p, offsets, e.units) for p, e in zip(parts, self.worked_out, strict=True)]
        if len(frames) == 1:
            return frames[0]
        return pd.concat(dict(zip(self.by_event.index, frames, strict=True)), names=["event"])

    def adjust(self, over: str = "assets", studentize: bool = True, seed: int = 0) -> pd.DataFrame:
        """P-values that answer for having looked at many assets, or at many events.

        Parameters
        ----------
        over : {"assets", "events"}
            "assets" is for one event. For outcomes see `drainstats.adjust_studies`.
        studentize : bool, default True
            Divide the assets' standardised values by their dispersion on the date, on placebo dates too: then a jump of
            all variances by one factor does not count. Without it an asset is compared with its own calm variance.
        seed : int, default 0
            Of the placebo draws for events.

        Returns
        -------
        DataFrame
            statistic, p_value (rank among placebo dates), ``romano_wolf`` and ``holm`` (probability of any false find),
            ``benjamini_hochberg`` (share of false finds).

        Raises
        ------
        DataError
            Without placebo dates, or for assets of several events.
        """
        check_option("over", over, ("assets", "events"))
        if over == "events":
            return over_events(self.worked_out, seed)
        if len(self.worked_out) > 1:
            raise DataError(f"{len(self.worked_out)} events came; adjust over assets for one event at a time.")
        return over_assets(self.worked_out[0], studentize)

    def plot(self, ax: Any = None, kind: str = "path") -> Any:
        """A figure; needs the extra ``plot``.

        Parameters
        ----------
        ax : matplotlib axes, optional
        kind : {"path", "cumulative", "placebo", "assets"}
            "path": mean abnormal outcome from the row after the estimation window on, with pointwise bands.
            "cumulative": its running sum in the event window with both bands. "placebo": the statistic among those of
            placebo dates. "assets": abnormal outcome of every asset.

        Returns
        -------
        matplotlib axes
        """
        if ax is None:
            ax = require_extra("matplotlib.pyplot", "plot").subplots()[1]
        return draw(self, kind, ax)

    def __repr__(self) -> str:
        first, last = self.offsets.window
        lines = [
            f"Event study: {when(self.by_event.index)}",
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
