"""Figures of an event study: the path with its bands, the placebo distribution, the assets one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from drainstats.episodes.study.rows import iso
from drainstats.errors import check_option

if TYPE_CHECKING:
    from drainstats.episodes.study.result import EventStudy

KINDS = ("path", "cumulative", "placebo", "assets")
_ACCENT, _QUIET = "#b5291f", "0.72"


def draw(study: EventStudy, kind: str, ax: Any) -> Any:
    """Draw one of `KINDS` on the axes."""
    check_option("kind", kind, KINDS)
    drawing = {"path": _path, "cumulative": _cumulative, "placebo": _placebo, "assets": _assets}
    drawing[kind](study, ax)
    ax.set_title(when(study.by_event.index))
    return ax


def when(labels: pd.Index) -> str:
    """The event, or how many there are."""
    if len(labels) == 1:
        return iso(labels[0])
    return f"{len(labels)} events, {iso(labels[0])} to {iso(labels[-1])}"


def _path(study: EventStudy, ax: Any) -> None:
    path = study.mean_path
    ax.axhline(0.0, color="0.6", linewidth=0.8)
    ax.axvspan(study.offsets.window[0] - 0.5, study.offsets.window[1] + 0.5, color="0.92", zorder=0)
    below, above = path["mean"] - path["low"], path["high"] - path["mean"]
    ax.errorbar(path.index, path["mean"], yerr=[below, above], fmt="o-", markersize=3, capsize=2)
    ax.set_xlabel("rows from the event")
    ax.set_ylabel("mean abnormal outcome, 95 % band")


def _cumulative(study: EventStudy, ax: Any) -> None:
    whole, point = (study.path("cumulative", band=band) for band in ("simultaneous", "pointwise"))
    ax.axhline(0.0, color="0.6", linewidth=0.8)
    marker = "o" if len(whole) < 40 else None
    ax.fill_between(whole.index, whole["low"], whole["high"], color="0.88", label="95 % for the whole path")
    ax.fill_between(point.index, point["low"], point["high"], color=_QUIET, label="95 % at each row")
    ax.plot(whole.index, whole["mean"], color=_ACCENT, marker=marker, markersize=3, label="mean")
    ax.set_xlabel("rows from the event")
    ax.set_ylabel("mean cumulative abnormal outcome")
    ax.legend(frameon=False)


def _placebo(study: EventStudy, ax: Any) -> None:
    values = study.placebos.to_numpy()
    ax.hist(values, bins=min(60, max(10, len(values) // 8)), color=_QUIET)
    for label, value in study.by_event["kp_bmp"].items():
        ax.axvline(value, color=_ACCENT, linewidth=1.2, label=f"{iso(label)}: {value:.2f}")
    ax.set_xlabel("KP-BMP")
    ax.set_ylabel("placebo dates")
    if len(study.by_event) <= 6:
        ax.legend(frameon=False)


def _assets(study: EventStudy, ax: Any) -> None:
    table = study.by_asset.dropna(subset="standardized")
    if table.index.nlevels > 1 and len(study.by_event) > 1:
        table = table.groupby(level=list(range(1, table.index.nlevels))).mean(numeric_only=True)
    table = table.sort_values("abnormal")
    places = np.arange(len(table))
    ax.barh(places, table["abnormal"], color=np.where(table["standardized"].abs() > 1.96, _ACCENT, _QUIET))
    ax.errorbar(
        table["abnormal"], places, xerr=1.96 * table["standard_error"], fmt="none", ecolor="0.35", linewidth=0.8
    )
    names = [" ".join(map(iso, n)) if isinstance(n, tuple) else str(n) for n in table.index]
    ax.set_yticks(places, names, fontsize=8 if len(table) < 25 else 5)
    ax.axvline(0.0, color="0.6", linewidth=0.8)
    ax.set_xlabel("abnormal outcome of the window, ± 1.96 errors of forecast")
