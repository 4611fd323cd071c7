"""Many assets, outcomes or events at once: which of them still stand out?

Romano-Wolf stepdown: statistics from the largest down; the adjusted p-value of the j-th is the share of placebo dates
whose largest statistic over the j-th and all smaller ones reaches it, never below that of the one before. The placebo
dates carry the dependence between the statistics, so that it controls the family-wise error without paying for what
moves together. Holm needs raw p-values only; Benjamini-Hochberg controls the share of false finds instead.

References
----------
Romano, J. and Wolf, M. (2005), "Stepwise multiple testing as formalized data snooping", Econometrica 73(4), 1237-1282.
Holm, S. (1979), Scandinavian Journal of Statistics 6(2), 65-70. Benjamini, Y. and Hochberg, Y. (1995), Journal of the
Royal Statistical Society B 57(1), 289-300.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from drainstats.episodes.study.commondate import DRAWS, effective_number, placebo_draws
from drainstats.episodes.study.dated import DatedEvent
from drainstats.errors import DataError, check_whole
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.episodes.study.result import EventStudy


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p-values (k,); NaN stays and does not count."""
    return _along_order(p_values, lambda p: np.maximum.accumulate(p * np.arange(len(p), 0, -1)))


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Benjamini-Hochberg adjusted p-values (k,); NaN stays and does not count."""

    def rule(p: FloatArray) -> FloatArray:
        return np.asarray(np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1])

    return _along_order(p_values, rule)


def _along_order(p_values: FloatArray, rule: object) -> FloatArray:
    out = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    out[order] = np.minimum(1.0, rule(p_values[order]))  # type: ignore[operator]
    return out


def stepdown(
    statistics: FloatArray, placebos: FloatArray, raw: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Raw and Romano-Wolf p-values of |statistics| (k,) among placebo dates (D, k), where NaN never exceeds.

    Each is scaled by its own root mean square on placebo dates, so that none rules the largest. No adjusted p-value is
    below its raw one, which can come from elsewhere: the largest of several may be worth more independent dates.
    """
    size, others = np.abs(statistics), np.abs(np.where(np.isfinite(placebos), placebos, 0.0))
    scale = np.sqrt((others**2).sum(axis=0) / np.maximum(np.isfinite(placebos).sum(axis=0), 1))
    scale = np.where(scale > 0, scale, 1.0)
    size, others = size / scale, others / scale
    if raw is None:
        raw = np.array([_share(size[i], others[:, i]) for i in range(len(size))])
    adjusted, least = np.empty(len(size)), 0.0
    order = np.argsort(-size, kind="stable")
    for j, i in enumerate(order):
        least = max(least, float(raw[i]), _share(size[i], others[:, order[j:]].max(axis=1)))
        adjusted[i] = least
    return raw, adjusted


def _share(value: float, others: FloatArray) -> float:
    """Rank p-value with the effective number of placebo dates; ties count against the event."""
    k = float(effective_number(others))
    return float((1.0 + k * (others >= value).mean()) / (k + 1.0))


def adjusted_table(
    statistics: FloatArray, placebos: FloatArray, index: pd.Index, raw: FloatArray | None = None
) -> pd.DataFrame:
    """Statistic, raw p-value and the three adjusted ones, a row each."""
    raw, adjusted = stepdown(statistics, placebos, raw)
    columns = {"statistic": statistics, "p_value": raw, "romano_wolf": adjusted}
    return pd.DataFrame(columns | {"holm": holm(raw), "benjamini_hochberg": benjamini_hochberg(raw)}, index)


def over_assets(event: DatedEvent, studentize: bool) -> pd.DataFrame:
    """Each asset's standardised abnormal value, by the dispersion of the date when ``studentize``."""
    _need_placebos(event)
    sample, windows = event.sample, event.again()
    own, others = sample.event.sum(axis=0) / sample.total_error, windows.standardized
    if studentize:
        own = own / own.std(ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            others = others / np.nanstd(others, axis=1, ddof=1, keepdims=True)
    return adjusted_table(own, others, event.units.rename("asset") if event.units.nlevels == 1 else event.units)


def over_events(done: tuple[DatedEvent, ...], seed: int) -> pd.DataFrame:
    """Each event's KP-BMP as a normal score, beside draws of one date an event."""
    for event in done:
        _need_placebos(event)
    check_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    statistics = np.array([float(event.at.normal_score[0]) for event in done])
    draws = [
        placebo_draws(own, event.placebo.normal_score, event.effective, DRAWS, rng)
        for own, event in zip(statistics, done, strict=True)
    ]
    raw, index = np.array([event.p_value for event in done]), pd.Index([event.label for event in done], name="event")
    return adjusted_table(statistics, np.column_stack(draws), index, raw)


def _need_placebos(event: DatedEvent) -> None:
    if not len(event.placebo_labels):
        raise DataError("There is no placebo date to compare with; give more history or a shorter estimation window.")


def adjust_studies(studies: Mapping[str, EventStudy]) -> pd.DataFrame:
    """Which of several outcomes moved on one date, with p-values that answer for having looked at all of them.

    Parameters
    ----------
    studies : mapping of str to EventStudy
        Outcome → study of the same single event. The placebo dates that all of them have are used, so that outcomes
        that move together are not paid for twice.

    Returns
    -------
    DataFrame
        A row an outcome: statistic (KP-BMP), p_value (its rank among the common placebo dates), and adjusted p-values
        ``romano_wolf`` and ``holm`` (family-wise error), ``benjamini_hochberg`` (share of false finds).

    Raises
    ------
    DataError
        When a study holds several events, the events differ, or no placebo date is common to all.

    References
    ----------
    Romano and Wolf (2005), Econometrica 73(4), 1237-1282.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> days = pd.date_range("2019-01-01", periods=600, tz="UTC", name="time")
    >>> rng = np.random.default_rng(3)
    >>> outcomes = {name: pd.DataFrame(rng.normal(size=(600, 8)), days) for name in ("spread", "depth")}
    >>> outcomes["spread"].loc["2020-03-12"] += 4.0
    >>> import warnings; warnings.simplefilter("ignore")
    >>> table = ds.adjust_studies({name: ds.event_study(y, "2020-03-12") for name, y in outcomes.items()})
    >>> bool(table.loc["spread", "romano_wolf"] < 0.05 < table.loc["depth", "romano_wolf"])
    True
    """
    if not isinstance(studies, Mapping) or not studies:
        raise DataError("No study came; pass a mapping of outcome to study.")
    first = next(iter(studies.values()))
    for name, study in studies.items():
        if not hasattr(study, "by_event"):
            raise DataError(f"{name} is a {type(study).__name__} and no study; make one with event_study.")
        if len(study.by_event) != 1:
            raise DataError(f"{name} holds {len(study.by_event)} events; study one event at a time, or use .adjust.")
        if study.by_event.index[0] != first.by_event.index[0]:
            raise DataError(
                f"{name} is of {study.by_event.index[0]}, the first of {first.by_event.index[0]}: take one event."
            )
    events = [study.worked_out[0] for study in studies.values()]
    placebos = pd.concat([pd.Series(e.placebo.normal_score, e.placebo_labels) for e in events], axis=1, join="inner")
    if not len(placebos):
        raise DataError("The studies have no placebo date in common; give them the same history.")
    # Normal scores: t(n - 1) with other numbers of assets would not compare.
    scores = np.array([float(e.at.normal_score[0]) for e in events])
    table = adjusted_table(scores, placebos.to_numpy(), pd.Index(list(studies), name="outcome"))
    return table.assign(statistic=[float(e.at.kp[0]) for e in events])
