"""The report's figures. Each takes an `Analysis` and axes, draws, and returns the axes; nothing is shown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.detection.stress import row_median
from drainstats.episodes.episode import Episode
from drainstats.errors import require_extra
from drainstats.report.analysis import AFTER, STRESS, Analysis

BLUE, RED, GREY = "#1f4e79", "#b3392c", "#8a8f98"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.grid": False,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "drainstats",
    # Asset names come from files: a dollar sign in one is a dollar sign.
    "text.parse_math": False,
}


def _shade(ax: Any, episodes: list[Episode], last: pd.Timestamp) -> None:
    for e in episodes:
        ax.axvspan(
            e.onset, last if e.is_open else max(e.end, e.onset + (last - e.onset) * 0.002), color=RED, alpha=0.18, lw=0
        )


def breadth(analysis: Any, ax: Any) -> Any:
    """Share of assets above the line along time, episodes shaded, alarms marked."""
    stress, index = analysis.stress, analysis.panel.index
    ax.plot(index, stress.breadth, color=BLUE, lw=0.7)
    ax.axhline(0.5, color=GREY, lw=0.8, ls=":")
    _shade(ax, analysis.episodes, index[-1])
    for e in analysis.episodes:
        ax.plot([e.onset], [1.04], marker="v", color=RED, ms=5, clip_on=False)
    ax.set_ylim(0, 1.05)
    ax.set_ylabel("share of assets")
    ax.set_title(f"Breadth: share of observed assets more than {STRESS['line']:g} robust sd above their baseline")
    return ax


def heat_map(analysis: Any, ax: Any) -> Any:
    """Stress of every member around the headline, ordered by arrival."""
    e, stress = analysis.headline, analysis.stress
    names = list(analysis.illiquidity.columns)
    row = analysis.panel.index.get_loc(e.onset)
    rows = slice(max(row - 10, 0), min(row + 21, len(analysis.panel.index)))
    members = [names.index(m) for m in e.members if m in names]
    image = ax.imshow(stress.z[rows][:, members].T, aspect="auto", cmap="magma_r", vmin=0, vmax=5, interpolation="none")
    labels = analysis.panel.index[rows]
    ticks = np.arange(0, len(labels), 5)
    ax.set_xticks(
        ticks, [f"{labels[i]:%d %b}" if analysis.panel.clock.step.days else f"{labels[i]:%d %b %H:%M}" for i in ticks]
    )
    ax.set_yticks(range(len(members)), [names[i] for i in members], fontsize=7)
    ax.axvline(row - rows.start - 0.5, color=BLUE, lw=1)
    ax.figure.colorbar(image, ax=ax, label="stress, robust sd", shrink=0.8)
    ax.set_title("Who drained when (assets by arrival; the line is the onset)")
    return ax


def illiquidity(analysis: Any, ax: Any) -> Any:
    """Median illiquidity and the range of its middle half, log scale."""
    table = analysis.illiquidity
    thin = table.dropna(how="all")
    quartiles = thin.quantile([0.25, 0.5, 0.75], axis=1).T
    ax.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=BLUE, alpha=0.25, lw=0)
    ax.plot(quartiles.index, quartiles[0.5], color=BLUE, lw=0.7)
    _shade(ax, analysis.episodes, table.index[-1])
    ax.set_yscale("log")
    seen = quartiles[0.5][quartiles[0.5] > 0]
    ax.set_ylim(0.5 * seen.quantile(0.005), 1.5 * seen.max())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda value, _: "")
    ax.set_ylabel("log price per bar")
    ax.set_title("Illiquidity (Parkinson, from the price range): median and middle half of the assets; episodes shaded")
    return ax


def correlation(analysis: Any, ax: Any) -> Any:
    """Average conditional correlation around the headline."""
    level, e = analysis.coliquidity.fit.average_correlation, analysis.headline
    ax.plot(level.index, level.to_numpy(), color=BLUE, lw=1)
    _shade(ax, [e], level.index[-1])
    ax.set_ylabel("average correlation")
    ax.set_title(
        f"Co-liquidity: DCC on {len(analysis.coliquidity.fit.columns)} assets (parameters from the whole window)"
    )
    return ax


def event_path(analysis: Any, ax: Any) -> Any:
    """Mean abnormal change of log illiquidity, with its band."""
    study = analysis.studies["change of log illiquidity"]
    study.plot(ax=ax)
    ax.set_title("Mean abnormal change of log illiquidity, 95 % band")
    ax.set_xlabel("bars from the onset")
    ax.set_ylabel("log illiquidity")
    return ax


def recovery(analysis: Any, ax: Any) -> Any:
    """Median excess of the members after the trough, with the fitted decay."""
    e, names = analysis.headline, list(analysis.illiquidity.columns)
    start = analysis.panel.index.get_loc(e.trough)
    members = [names.index(m) for m in e.members if m in names]
    path = row_median(analysis.stress.excess[start : start + AFTER][:, members])
    bars = np.arange(len(path))
    ax.axhline(0, color=GREY, lw=0.8)
    ax.plot(bars, path, "o-", color=BLUE, ms=3, lw=0.8, label="median of the members")
    if e.half_life == e.half_life:
        ax.plot(
            bars, path[0] * 0.5 ** (bars / e.half_life), color=RED, lw=1.4, label=f"half-life {e.half_life:.1f} bars"
        )
    ax.legend(frameon=False)
    ax.set_xlabel("bars from the trough")
    ax.set_ylabel("log illiquidity above baseline")
    ax.set_title("Recovery (the fit was not knowable at the trough)")
    return ax


def signal(analysis: Any, ax: Any) -> Any:
    """The co-liquidity level with its alarms; episodes shaded."""
    result = analysis.backtest
    result.plot(ax=ax)
    name = result.signals.columns[0]
    seen = result.signals[name].dropna()
    ax.set_xlim(seen.index[0], seen.index[-1])
    ax.set_ylabel("average correlation")
    ax.set_title("Early warning: co-liquidity level known then; triangles are alarms, shaded are episodes")
    return ax


FIGURES: dict[str, tuple[Callable[[Any, Any], Any], str, float, str]] = {
    # name: function, what must be there, height in inches, alternative text
    "breadth": (breadth, "stress", 2.3, "Share of assets in stress along time"),
    "heat_map": (heat_map, "headline", 4.2, "Heat map of stress by asset around the onset"),
    "illiquidity": (illiquidity, "stress", 2.5, "Median illiquidity along time"),
    "correlation": (correlation, "coliquidity", 2.3, "Average conditional correlation around the episode"),
    "event_path": (event_path, "studies", 2.6, "Mean abnormal change of log illiquidity around the event"),
    "recovery": (recovery, "headline", 2.6, "Stress after the trough with fitted decay"),
    "signal": (signal, "backtest", 2.5, "Co-liquidity level with alarms and episodes"),
}


def draw(name: str, analysis: Analysis, prefix: str = "f") -> str | None:
    """One figure as inline SVG text with ids that begin with ``prefix``; None when the analysis cannot carry it."""
    function, needs, height, alternative = FIGURES[name]
    have = getattr(analysis, needs)
    if have is None or (needs == "studies" and "change of log illiquidity" not in have):
        return None
    matplotlib = require_extra("matplotlib", "plot")
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, height))
        function(analysis, figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), prefix, alternative)


def _inline(svg: str, prefix: str, alternative: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    # Identifiers must be unique in the page that holds several figures.
    body = re.sub(r'(\bid="|url\(#|href="#)', lambda m: m[1] + prefix + "-", body)
    size = re.search(r'viewBox="([^"]+)"', body)
    box = size[1] if size else "0 0 600 200"
    return re.sub(
        r"<svg[^>]*>",
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" role="img" aria-label="{alternative}" class="figure">',
        body,
        count=1,
    )
