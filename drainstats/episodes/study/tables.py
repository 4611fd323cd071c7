"""The tables of an event study, from the events worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.abnormal import Offsets
from drainstats.episodes.study.commondate import DRAWS, cross_section, kp_factor, pooled_p_value
from drainstats.episodes.study.dated import DatedEvent, Market, Plan
from drainstats.episodes.study.result import NULL, EventStudy
from drainstats.typing import FloatArray


def common_share(data: Market, done: list[DatedEvent]) -> pd.DataFrame:
    """A row per event: common share of variance before and on the date, its limit, and whether it was passed."""
    table = pd.DataFrame(
        {
            "estimation": [e.at.correlation[0] for e in done],
            "event": [e.at.common_share[0] for e in done],
            "limit": [e.at.common_share_limit[0] for e in done],
        },
        index=_labels(data, done),
    )
    return table.assign(passed=table["event"] > table["limit"])


def _labels(data: Market, done: list[DatedEvent]) -> pd.Index:
    return data.index[[e.row for e in done]].rename("event")


def assemble(
    data: Market,
    done: list[DatedEvent],
    model: str,
    plan: Plan,
    chosen: tuple[str, ...],
    shares: pd.DataFrame,
    notes: tuple[str, ...],
    seed: int,
) -> EventStudy:
    """The result of the events that could be worked out, in time order."""
    labels, span = _labels(data, done), plan.offsets.span
    offsets = pd.RangeIndex(plan.offsets.window[0], plan.offsets.window[1] + 1, name="offset")
    frames = [pd.DataFrame(e.abnormal[-span:], offsets, data.columns[e.assets]) for e in done]
    runs = [pd.Series(e.placebo.kp, data.index[e.placebo_rows].rename("date"), name="kp_bmp") for e in done]
    used = data.columns[np.unique(np.concatenate([e.assets for e in done]))]
    abnormal = frames[0] if len(done) == 1 else pd.concat(dict(zip(labels, frames, strict=True)), names=["event"])[used]
    cumulative = frames[0].cumsum() if len(done) == 1 else abnormal.groupby(level="event").cumsum()
    return EventStudy(
        tests=_tests_table(done, chosen, seed),
        by_event=_by_event(done, labels),
        abnormal=abnormal,
        cumulative=cumulative,
        mean_path=_mean_path(done, plan.offsets),
        placebos=runs[0] if len(done) == 1 else pd.concat(dict(zip(labels, runs, strict=True)), names=["event"]),
        rank=_rank(done, labels),
        common_share=shares,
        across_events=_across(done),
        notes=notes,
        model=model,
        offsets=plan.offsets,
    )


def _by_event(done: list[DatedEvent], labels: pd.Index) -> pd.DataFrame:
    names = {"mean": "mean_standardized", "bmp": "bmp", "kp": "kp_bmp", "p_value": "p_kp_bmp"}
    table = pd.DataFrame(
        {new: [float(getattr(e.at, old)[0]) for e in done] for old, new in names.items()}, index=labels
    )
    return table.assign(
        p_studentized_placebo=[e.p_value for e in done],
        n_assets=[len(e.assets) for e in done],
        n_placebos=[len(e.placebo_rows) for e in done],
    )


def _rank(done: list[DatedEvent], labels: pd.Index) -> pd.DataFrame:
    plain = [
        float((np.abs(e.placebo.mean) >= abs(e.at.mean[0])).mean()) if len(e.placebo_rows) else np.nan for e in done
    ]
    counts = [len(e.placebo_rows) for e in done]
    return pd.DataFrame({"studentized": [e.rank for e in done], "mean": plain, "n_dates": counts}, index=labels)


def _tests_table(done: list[DatedEvent], chosen: tuple[str, ...], seed: int) -> pd.DataFrame:
    rows = {test: _placebo_test(done, seed) if test == "studentized_placebo" else _kp_test(done) for test in chosen}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("test")
    return table.assign(
        null=NULL,
        alternative="two-sided",
        n_events=len(done),
        n_assets=min(len(e.assets) for e in done),
        n_placebos=sum(len(e.placebo_rows) for e in done),
    )


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
        law = f"rank among {len(event.placebo_rows)} placebo dates"
        least = 1.0 / (event.effective + 1.0)
        return {"statistic": event.at.kp[0], "p_value": event.p_value, "reference": law, "smallest_p": least}
    statistic = _pooled(done)
    p_value = pooled_p_value(statistic, [e.placebo.normal_score for e in done], seed)
    law = f"{DRAWS} draws of one placebo date an event"
    return {"statistic": statistic, "p_value": p_value, "reference": law, "smallest_p": 1.0 / (DRAWS + 1)}


def _across(done: list[DatedEvent]) -> pd.Series | None:
    """t-test of the events' mean standardised abnormal outcomes; None below three events."""
    if len(done) < 3:
        return None
    from scipy.special import stdtr

    means = np.array([e.at.mean[0] for e in done])
    t = means.mean() / (means.std(ddof=1) / np.sqrt(len(means)))
    return pd.Series({"statistic": t, "p_value": 2 * stdtr(len(means) - 1, -abs(t)), "n_events": len(means)})


def _mean_path(done: list[DatedEvent], offsets: Offsets) -> pd.DataFrame:
    """Mean abnormal outcome by offset with a 95 % band: across assets for one event, across events from three on."""
    from scipy.special import stdtrit

    if len(done) == 1:
        mean, error = _path(done[0])
        width = stdtrit(len(done[0].assets) - 1.0, 0.975) * error
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
