"""`plot_quality`: what is there and what is wrong, a strip an asset along time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, require_extra
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.quality.stack import Stack
from drainstats.panel.quality.table import pieces, quality_table
from drainstats.report.figures import BLUE, GREY, RED, STYLE
from drainstats.typing import FloatArray

BINS = 400
AMBER, OUTSIDE = "#e0a526", "#eef0f3"
STATES = {"bars with a trade": BLUE, "bars without": AMBER, "missing": RED, "outside its history": OUTSIDE}
MARKS = {
    # column of the date: rule, sign, label
    "break_at": ("reused-ticker price-break", "X", "price break"),
    "split_at": ("split", "d", "split?"),
    "spike_at": ("spike", "o", "spike"),
    "volume_break_at": ("volume-break", "^", "volume break"),
    "dead_since": ("dead", "v", "dead since"),
}
INK = {"clean": "#44505f", "usable": "#8a5a00", "dead": GREY, "poor": RED, "empty": RED}
NAME = 26


def plot_quality(panel: LiquidityPanel, ax: Any = None) -> Any:
    """Draw where an asset has bars, bars without a trade, and holes, with its verdict and the dates of its faults.

    Parameters
    ----------
    panel : LiquidityPanel
    ax : matplotlib axes, optional
        By default those of a new figure, as high as the panel needs.

    Returns
    -------
    matplotlib axes
        An asset a row, in the panel's order; on the right its verdict and the rules that produced it. Each of at most
        400 columns shows the shares of its rows; holes are drawn stronger than their share, so that one is seen.

    Raises
    ------
    DataError
        When there is no bar in the panel, or something else came.
    MissingExtraError
        Without the extra ``plot``.

    Examples
    --------
    >>> import drainstats as ds
    >>> ax = ds.plot_quality(ds.load_dataset("us-equity-daily"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['SP500', 'NASDAQ']
    """
    matplotlib = require_extra("matplotlib", "plot")
    if not isinstance(panel, LiquidityPanel):
        raise DataError(f"The figure needs a LiquidityPanel, a {type(panel).__name__} came.")
    table = quality_table(panel)
    if not table["bars"].any():
        raise DataError("There is no bar in the panel to be drawn.")
    with matplotlib.rc_context(STYLE):
        return draw_quality(panel, table, new_axes(len(table)) if ax is None else ax)


def draw_quality(panel: LiquidityPanel, table: pd.DataFrame, ax: Any) -> Any:
    """The figure of a panel whose quality table is there already."""
    index, step = panel.index.as_unit("ns").asi8, panel.clock.step.as_unit("ns").value
    # No column is narrower than a row.
    columns = min(BINS, int((index[-1] - index[0]) // step) + 1)
    edges = np.linspace(index[0], index[-1] + step, columns + 1)
    image = np.concatenate([_strips(stack, panel, edges) for _, _, stack, _ in pieces(panel)])
    dates = _dates()
    first, last = (dates.date2num(pd.Timestamp(int(e), tz="UTC")) for e in (edges[0], edges[-1]))
    rows = len(table)
    ax.imshow(image, aspect="auto", extent=(first, last, rows - 0.5, -0.5), interpolation="none")
    ax.hlines(np.arange(rows - 1) + 0.5, first, last, color="white", lw=0.8 if rows <= 60 else 0.4)
    ax.xaxis_date()
    size = 8 if rows <= 40 else 6 if rows <= 90 else 5
    ax.set_yticks(np.arange(rows), [_short(str(name)) for name in table.index], fontsize=size)
    ax.tick_params(axis="y", length=0)
    for label, verdict in zip(ax.get_yticklabels(), table["verdict"], strict=True):
        label.set_color(INK[verdict])
    for row, (verdict, why) in enumerate(zip(table["verdict"], table["why"], strict=True)):
        text = verdict if verdict in ("clean", *_fired(why)[:1]) else f"{verdict}: {_rules(why)}"
        ax.annotate(
            text, (1, row), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            fontsize=size, color=INK[verdict], annotation_clip=False,
        )  # fmt: skip
    used = _marks(table, ax, dates, size)
    _legend(ax, used)
    counts = table["verdict"].value_counts()
    listed = ", ".join(f"{counts[name]} {name}" for name in INK if name in counts)
    ax.set_title(f"Data quality of {rows} assets on {panel.clock.name}: {listed}")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return ax


def new_axes(rows: int) -> Any:
    """Axes of a figure that is as high as so many assets need."""
    from matplotlib.figure import Figure

    height = 0.2 if rows <= 40 else 0.14 if rows <= 90 else 0.105
    return Figure(figsize=(9.5, 1.3 + height * rows)).subplots()


def _dates() -> Any:
    return require_extra("matplotlib.dates", "plot")


def _strips(stack: Stack, panel: LiquidityPanel, edges: FloatArray) -> FloatArray:
    """(assets, bins, 3) colours: each column's shares of rows with a trade, without one, and missing."""
    from matplotlib.colors import to_rgb

    stamps = panel.index.as_unit("ns").asi8[stack.row].astype(np.float64)
    assets, bins = len(stack.starts), len(edges) - 1
    at = stack.asset * bins + np.clip(np.searchsorted(edges, stamps, side="right") - 1, 0, bins - 1)
    silent = stack.values.get("volume", np.full(len(stamps), np.nan)) == 0
    counts = [np.bincount(at[f], minlength=assets * bins).reshape(assets, bins) * 1.0 for f in (~silent, silent)]
    expected = np.zeros((assets, bins))
    step = panel.clock.step.as_unit("ns").value
    for asset, (a, b) in enumerate(zip(stack.starts, stack.ends, strict=True)):
        if a < b:
            times = np.concatenate([stamps[a:b], [stamps[b - 1] + step]])
            number = np.concatenate([stack.values["number"][a:b], [stack.values["number"][b - 1] + 1]])
            expected[asset] = np.diff(np.interp(edges, times, number))
    present = counts[0] + counts[1]
    missing = np.sqrt(np.clip(1 - present / np.maximum(expected, 1e-9), 0, 1)) * (expected > 1e-9)
    # A row that falls on the edge of a column is no hole.
    missing[np.abs(expected - present) < 1] = 0
    missing[(present == 0) & (expected > 0.5)] = 1
    traded = np.divide(counts[0], present, out=np.zeros((assets, bins)), where=present > 0)
    blue, amber, red, white = (np.array(to_rgb(colour)) for colour in STATES.values())
    there = traded[..., None] * blue + (1 - traded[..., None]) * amber
    colours = (1 - missing[..., None]) * there + missing[..., None] * red
    colours = _closing_hours_filled(colours, present, missing, expected)
    return np.where((expected > 1e-9)[..., None], colours, white)


def _closing_hours_filled(
    colours: FloatArray, present: FloatArray, missing: FloatArray, expected: FloatArray
) -> FloatArray:
    """Nights and weekends hold no row though nothing is missing: they take the colour of the column before."""
    blank = (present == 0) & (missing == 0) & (expected > 1e-9)
    source = np.where(blank, 0, np.arange(blank.shape[1])[None, :])
    source = np.maximum.accumulate(source, axis=1)
    return np.take_along_axis(colours, source[..., None], axis=1)


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _fired(why: str) -> list[str]:
    return [part.partition(":")[0] for part in why.split("; ")]


def _rules(why: str, most: int = 3) -> str:
    names = _fired(why)
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "")


def _marks(table: pd.DataFrame, ax: Any, dates: Any, size: float) -> list[tuple[str, str]]:
    used = []
    for column, (names, sign, label) in MARKS.items():
        if column not in table:
            continue
        fired = table["why"].map(lambda why, names=names: not set(names.split()).isdisjoint(_fired(why)))
        rows = np.flatnonzero(np.asarray(fired & table[column].notna()))
        if len(rows):
            when = dates.date2num(pd.DatetimeIndex(table[column].iloc[rows]))
            ax.scatter(
                when, rows, marker=sign, s=1.6 * size**1.5, color="white", edgecolors="black", linewidths=0.9, zorder=3
            )
            used.append((sign, label))
    return used


def _legend(ax: Any, used: list[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.transforms import offset_copy

    handles: list[Any] = [
        Patch(facecolor=colour, edgecolor=GREY, lw=0.4, label=name) for name, colour in STATES.items()
    ]
    handles += [
        Line2D([], [], marker=sign, ls="", markersize=5, color="white", markeredgecolor="black", label=label)
        for sign, label in used
    ]
    below = offset_copy(ax.transAxes, ax.figure, y=-20, units="points")
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=5,
        frameon=False, fontsize=7,
    )  # fmt: skip
