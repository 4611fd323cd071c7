"""The figure of a drift burst: the price above, the statistic with the band of its daily maximum below."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.burstlaw import Law, drift_burst_test
from drainstats.episodes.crashes.paths import price_paths
from drainstats.errors import DataError, require_extra

BLUE, RED, GREY = "#1f4e79", "#b3392c", "#8a8f98"


def plot_drift_burst(
    price: Any,
    bursts: pd.DataFrame,
    mean_bandwidth: float = 300.0,
    level: float = 0.01,
    law: Law = "bandwidth",
    title: str | None = None,
) -> Any:
    """Price of one asset and its drift-burst statistic; what lies outside the critical band is red.

    Parameters
    ----------
    price : (T,) Series or array
        Prices or log prices, as they shall be drawn.
    bursts : frame of `drift_burst` for one asset
    mean_bandwidth, level, law
        As in `drift_burst_test`, from which the band comes, day by day.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Not shown.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    DataError
        Bursts of several assets.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 1e-4, 3600).cumsum()
    >>> figure = ds.plot_drift_burst(path, ds.drift_burst(path, start="scaled"))
    >>> len(figure.axes)
    2
    """
    require_extra("matplotlib", "plot")
    from matplotlib.figure import Figure

    if getattr(bursts.columns, "nlevels", 1) > 1:
        raise DataError("bursts has several assets; pass those of one: bursts.xs(name, axis=1, level=1).")
    paths = price_paths(price, name="price")
    found = drift_burst_test(bursts, mean_bandwidth, level, law)
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    known, _, values = paths.one(0)
    above.plot(paths.index[known], values, color=BLUE, lw=0.8)
    below.plot(bursts.index, bursts["statistic"], color=BLUE, lw=0.8)
    band = _band(bursts.index, found)
    outside = bursts["statistic"].where(bursts["statistic"].abs() > band)
    for side in (-1.0, 1.0):
        below.plot(bursts.index, side * band, color=GREY, lw=0.8, ls="--")
    below.plot(bursts.index, outside, ls="", marker="o", ms=3, color=RED)
    starts, stops = _stretches(outside.notna().to_numpy())
    for a, b in zip(starts, stops, strict=True):
        above.axvspan(bursts.index[max(a - 1, 0)], bursts.index[b], color=RED, alpha=0.15, lw=0)
    below.axhline(0.0, color=GREY, lw=0.5)
    above.set_ylabel("price")
    below.set_ylabel("drift-burst statistic")
    below.set_xlabel("time, UTC" if paths.origin is not None else "seconds")
    for ax in (above, below):
        ax.spines[["top", "right"]].set_visible(False)
    above.set_title(title or f"Drift bursts; dashed: {100 * level:g} % level of the day's largest", loc="left", size=10)
    if paths.origin is not None:
        import matplotlib.dates as dates

        locator = dates.AutoDateLocator()
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    return figure


def _band(index: pd.Index, found: pd.DataFrame) -> pd.Series:
    if not isinstance(index, pd.DatetimeIndex):
        return pd.Series(found["critical"].iloc[0], index)
    stamps = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    return pd.Series(found["critical"].reindex(stamps.floor("D")).to_numpy(), index)


def _stretches(inside: Any) -> tuple[Any, Any]:
    """First and last places of the runs of True."""
    edges = np.diff(np.r_[0, inside.astype(int), 0])
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
