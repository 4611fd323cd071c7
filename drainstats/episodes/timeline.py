"""`plot_episode`: members × time in order of arrival, breadth and median stress, with the marks of the record.

The record keeps no paths, so the data are needed again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.errors import DataError, check_whole, require_extra

MARKS = {"onset": ("0.1", "-"), "alarm": ("#c0392b", "--"), "trough": ("#1f5fa8", ":"), "end": ("0.45", "-.")}
LARGEST = 8.0
# Members whose names still fit beside the rows.
NAMED = 40


def plot_episode(
    episode: Episode,
    data: Any,
    measure: str | None = None,
    *,
    before: int = 20,
    after: int = 20,
    line: float = 3.0,
    baseline: str | pd.Timedelta = "365D",
    min_baseline: int = 60,
    clock_within: str | pd.Timedelta = "0s",
    figure: Any = None,
) -> Any:
    """Draw the timeline of an episode.

    Above, the stress of each asset in robust standard deviations above its own baseline, members in order of arrival,
    the other assets below a line; in the middle, breadth; below, the median stress of the members.

    Parameters
    ----------
    episode : Episode
        Detected, documented or your own; without members all assets are drawn.
    data : LiquidityPanel or table
        As for `detect_episodes`.
    measure : str, optional
        As for `detect_episodes`.
    before, after : int, default 20
        Bars shown before the onset and after the end (or the last bar, while the episode is open).
    line : float, default 3
        Stress at which an asset counts in the breadth.
    baseline, min_baseline, clock_within
        As for `detect_episodes`.
    figure : matplotlib Figure, optional
        Drawn into; a new one by default.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    DataError
        When the data do not cover the onset.
    MissingExtraError
        Without matplotlib.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> figure = ds.plot_episode(ds.detect_episodes(panel)[0], panel)
    >>> len(figure.axes)
    4
    """
    require_extra("matplotlib", "plot")
    from matplotlib.figure import Figure

    from drainstats.episodes.detection.market import stress_of
    from drainstats.episodes.detection.stress import row_median

    for name, value in (("before", before), ("after", after)):
        check_whole(name, value, 0)
    market, stress = stress_of(
        data, measure, baseline=baseline, min_baseline=min_baseline, clock_within=clock_within, line=line
    )
    table = market.illiquidity
    index, names = table.index, [str(c) for c in table.columns]
    rows = _rows(episode, index, before, after)
    members = [names.index(m) for m in episode.members if m in names]
    order = members + [i for i in range(len(names)) if i not in set(members)]
    centre = row_median(stress.z[rows][:, members or order])
    figure = Figure(figsize=(8.0, 6.4), layout="constrained") if figure is None else figure
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3.2, 1, 1])
    _heat_map(figure, top, index[rows], stress.z[rows][:, order], [names[i] for i in order], len(members))
    middle.step(index[rows], stress.breadth[rows], where="post", color="0.2", lw=1.2)
    middle.set_ylim(0, 1.02)
    middle.set_ylabel("breadth")
    bottom.step(index[rows], centre, where="post", color="0.2", lw=1.2)
    bottom.axhline(line, color="0.7", lw=0.8)
    bottom.set_ylabel("median stress")
    _marks(episode, (top, middle, bottom))
    top.set_title(episode.name or f"{episode.kind} drain, {episode.onset:%Y-%m-%d} ({episode.evidence})")
    bottom.tick_params(axis="x", rotation=20)
    return figure


def _rows(episode: Episode, index: pd.DatetimeIndex, before: int, after: int) -> slice:
    onset = int(index.searchsorted(episode.onset))
    if onset == len(index) or episode.onset < index[0]:
        raise DataError(
            f"The onset {episode.onset:%Y-%m-%d %H:%M} lies outside of the data, which run from "
            f"{index[0]:%Y-%m-%d %H:%M} to {index[-1]:%Y-%m-%d %H:%M}."
        )
    last = len(index) - 1 if episode.is_open else int(index.searchsorted(episode.end, side="right")) - 1
    return slice(max(onset - before, 0), min(last + after + 1, len(index)))


def _heat_map(figure: Any, ax: Any, index: pd.DatetimeIndex, z: Any, names: list[str], members: int) -> None:
    step = index[1] - index[0] if len(index) > 1 else pd.Timedelta("1D")
    edges = index.append(pd.DatetimeIndex([index[-1] + step]))
    shown = np.ma.masked_invalid(np.clip(z.T, 0.0, LARGEST))
    image = ax.pcolormesh(edges, np.arange(len(names) + 1), shown, cmap="YlOrRd", vmin=0, vmax=LARGEST, rasterized=True)
    ax.set_facecolor("0.9")
    ax.invert_yaxis()
    if 0 < members < len(names):
        ax.axhline(members, color="white", lw=2)
    if len(names) <= NAMED:
        ax.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
    else:
        ax.set_yticks([])
    ax.set_ylabel("in order of arrival")
    figure.colorbar(image, ax=ax, label="stress", pad=0.01)


def _marks(episode: Episode, axes: tuple[Any, ...]) -> None:
    stamps = {"onset": episode.onset, "alarm": episode.detected_at, "trough": episode.trough, "end": episode.end}
    for name, stamp in stamps.items():
        if not pd.isna(stamp):
            colour, style = MARKS[name]
            for ax in axes:
                ax.axvline(stamp, color=colour, ls=style, lw=1.2, label=name)
    axes[1].legend(frameon=False, fontsize=7, ncols=len(MARKS), loc="upper right")
