"""The tables of an event study, from the events worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.across import across_events
from drainstats.episodes.study.commondate import DRAWS, cross_section, kp_factor, pooled_p_value
from drainstats.episodes.study.dated import DatedEvent, Plan
from drainstats.episodes.study.expected.abnormal import Offsets
from drainstats.episodes.study.result import NULL, EventStudy
from drainstats.typing import FloatArray

DEFAULTS = ("studentized_placebo", "kp_bmp")
COLUMNS = ("statistic", "p_value", "reference", "smallest_p", "null", "alternative")


def common_share(done: list[DatedEvent]) -> pd.DataFrame:
    """A row per event: common share of variance before and on the date, its limit, and whether it was passed.

    NaN for dates by asset that share no row: nothing is common then.
    """
    table = pd.DataFrame(
        {
            "estimation": [e.at.correlation[0] for e in done],
            "event": [e.at.common_share[0] for e in done],
            "limit": [e.at.common_share_limit[0] for e in done],
        },
        index=_labels(done),
    )
    apart = [e.pairs is not None and e.at.correlation[0] == 0.0 for e in done]
    table = table.mask(pd.Series(apart, table.index), np.nan)
    return table.assign(passed=table["event"] > table["limit"])


def _labels(done: list[DatedEvent]) -> pd.Index:
    return pd.Index([e.label for e in done], name="event")


def assemble(
    done: list[DatedEvent],
    model: str,
    plan: Plan,
    chosen: tuple[str, ...],
    shares: pd.DataFrame,
    notes: tuple[str, ...],
    seed: int,
) -> EventStudy:
    """The result of the events that could be worked out, in time order."""
    labels = _labels(done)
    offsets = pd.RangeIndex(plan.offsets.window[0], plan.offsets.window[1] + 1, name="offset")
    runs = [pd.Series(e.placebo.kp, e.placebo_labels.rename("date"), name="kp_bmp") for e in done]
    values = [(e.sample.event, e.sample.event.cumsum(axis=0), e.observed) for e in done]
    abnormal, cumulative, observed = (
        _stacked([pd.DataFrame(v[k], offsets, e.units) for v, e in zip(values, done, strict=True)], labels)
        for k in range(3)
    )
    return EventStudy(
        tests=_tests_table(done, chosen, seed),
        by_event=_by_event(done, labels),
        by_asset=_stacked([_by_asset(e) for e in done], labels),
        abnormal=abnormal,
        cumulative=cumulative,
        observed=observed,
        mean_path=_mean_path(done, plan.offsets),
        placebos=runs[0] if len(done) == 1 else pd.concat(dict(zip(labels, runs, strict=True)), names=["event"]),
        rank=_rank(done, labels),
        common_share=shares,
        across_events=across_events(np.array([e.at.mean[0] for e in done])),
        notes=notes,
        model=model,
        offsets=plan.offsets,
        worked_out=tuple(done),
    )


def _stacked(frames: list[pd.DataFrame], labels: pd.Index) -> pd.DataFrame:
    """One frame as it is; several below each other by event, columns in the order in which assets appear."""
    if len(frames) == 1:
        return frames[0]
    return pd.concat(dict(zip(labels, frames, strict=True)), names=["event"])


def _by_asset(event: DatedEvent) -> pd.DataFrame:
    """What each asset did in the event window, and why those left out were."""
    from scipy.special import stdtr

    sample = event.sample
    total, standardized = sample.event.sum(axis=0), sample.event.sum(axis=0) / sample.total_error
    used = event.units if event.pairs is None else event.pairs
    table = pd.DataFrame(
        {
            "abnormal": total,
            "standard_error": sample.total_error,
            "standardized": standardized,
            "p_value": 2.0 * stdtr(sample.freedom, -np.abs(standardized)),
            "estimation_rows": np.isfinite(sample.estimation).sum(axis=0),
        },
        used,
    )
    table = table.reindex(used.append(_as_units(event)))
    return table.assign(reason=[""] * len(used) + list(event.left_out.values()))


def _as_units(event: DatedEvent) -> pd.Index:
    """Labels of those left out, in the form of those in use."""
    left = list(event.left_out)
    if event.pairs is not None:
        return pd.MultiIndex.from_tuples(left, names=event.pairs.names) if left else event.pairs[:0]
    return pd.Index(left, name=event.units.name) if left else event.units[:0]


def _by_event(done: list[DatedEvent], labels: pd.Index) -> pd.DataFrame:
    names = {"mean": "mean_standardized", "bmp": "bmp", "kp": "kp_bmp", "p_value": "p_kp_bmp"}
    table = pd.DataFrame(
        {new: [float(getattr(e.at, old)[0]) for e in done] for old, new in names.items()}, index=labels
    )
    return table.assign(
        p_studentized_placebo=[e.p_value for e in done],
        n_assets=[len(e.units) for e in done],
        n_placebos=[len(e.placebo_labels) for e in done],
    )


def _rank(done: list[DatedEvent], labels: pd.Index) -> pd.DataFrame:
    plain = [
        float((np.abs(e.placebo.mean) >= abs(e.at.mean[0])).mean()) if len(e.placebo_labels) else np.nan for e in done
    ]
    counts = [len(e.placebo_labels) for e in done]
    return pd.DataFrame({"studentized": [e.rank for e in done], "mean": plain, "n_dates": counts}, index=labels)


def _tests_table(done: list[DatedEvent], chosen: tuple[str, ...], seed: int) -> pd.DataFrame:
    rows = {test: _test(test, done, seed) for test in chosen}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("test")
    return table.assign(
        n_events=len(done),
        n_assets=min(len(e.units) for e in done),
        n_placebos=sum(len(e.placebo_labels) for e in done),
    )


def _test(name: str, done: list[DatedEvent], seed: int) -> dict[str, Any]:
    """One row of the table of tests."""
    if name not in DEFAULTS:
        from drainstats.episodes.study.testing.registry import run_test

        return {key: value for key, value in run_test(name, [e.sample for e in done], seed).items() if key in COLUMNS}
    row = _placebo_test(done, seed) if name == "studentized_placebo" else _kp_test(done)
    return row | {"null": NULL, "alternative": "two-sided"}


def _pooled(done: list[DatedEvent]) -> float:
    return float(sum(e.at.normal_score[0] for e in done) / np.sqrt(len(done)))


def _kp_test(done: list[DatedEvent]) -> dict[str, Any]:
    if len(done) == 1:
        at = done[0].at
        law = f"t({at.n_assets[0] - 1:.0f})"
        return {"statistic": at.kp[0], "p_value": at.p_value[0], "reference": law, "smallest_p": 0.0}
    from scipy.special import ndtr

    statistic = _pooled(done)
    return {"statistic": statistic, "p_value": 2 * ndtr(-abs(statistic)), "reference": "normal", "smallest_p": 0.0}


def _placebo_test(done: list[DatedEvent], seed: int) -> dict[str, Any]:
    if len(done) == 1:
        event = done[0]
        law = f"rank among {len(event.placebo_labels)} placebo dates"
        least = 1.0 / (event.effective + 1.0)
        return {"statistic": event.at.kp[0], "p_value": event.p_value, "reference": law, "smallest_p": least}
    effective = [e.effective for e in done]
    own = [float(e.at.normal_score[0]) for e in done]
    p_value = pooled_p_value(own, [e.placebo.normal_score for e in done], effective, seed)
    law = f"{DRAWS} draws of one date an event, placebo or own"
    least = max(1.0 / (DRAWS + 1), float(np.prod([1.0 / (k + 1.0) for k in effective])))
    return {"statistic": _pooled(done), "p_value": p_value, "reference": law, "smallest_p": least}


def _mean_path(done: list[DatedEvent], offsets: Offsets) -> pd.DataFrame:
    """Mean abnormal outcome by offset with a 95 % band: across assets for one event, across events from three on."""
    from scipy.special import stdtrit

    if len(done) == 1:
        mean, error = _path(done[0])
        width = stdtrit(len(done[0].units) - 1.0, 0.975) * error
    else:
        paths = np.array([_path(event)[0] for event in done])
        mean, width = paths.mean(axis=0), np.full(paths.shape[1], np.nan)
        if len(done) >= 3:
            width = stdtrit(len(done) - 1.0, 0.975) * paths.std(axis=0, ddof=1) / np.sqrt(len(done))
    index = pd.RangeIndex(offsets.window[1] + 1 - len(mean), offsets.window[1] + 1, name="offset")
    return pd.DataFrame({"mean": mean, "low": mean - width, "high": mean + width}, index=index)


def _path(event: DatedEvent) -> tuple[FloatArray, FloatArray]:
    """Mean over assets by offset and its standard error, widened for the assets' mean correlation."""
    seen = np.isfinite(event.abnormal)
    n, mean, variance = cross_section(np.where(seen, event.abnormal, 0.0), seen.astype(np.float64))
    return mean, np.sqrt(variance / np.maximum(n, 1.0)) / kp_factor(np.broadcast_to(event.at.correlation, n.shape), n)
