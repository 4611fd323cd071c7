"""The main job once through for one panel: quality → measures → episodes → co-liquidity → event study → signal.

A stage that a panel cannot carry (no volume, one asset, too short a history) is a line with its reason, not an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.catalogue import MARKETS, episode_catalogue
from drainstats.episodes.detection.detect import detect_episodes
from drainstats.episodes.detection.stress import Stress, measure_stress
from drainstats.episodes.episode import Episode
from drainstats.episodes.study.result import EventStudy
from drainstats.episodes.study.study import event_study
from drainstats.errors import DataError, DrainstatsError, require_extra
from drainstats.measures.registry import MEASURES
from drainstats.models.coliquidity.dcc.engle import DCC
from drainstats.models.coliquidity.margins.innovations import innovations
from drainstats.panel.panel import LiquidityPanel
from drainstats.signals.backtest import SignalBacktest, backtest_signals
from drainstats.signals.indicators import CoLiquidityLevel

BEFORE, AFTER = 300, 60
MOST_ASSETS = 12
STRESS = {"baseline": pd.Timedelta("365D"), "min_baseline": 60, "line": 3.0, "min_assets": 2}


@dataclass(frozen=True, slots=True, eq=False)
class CoLiquidity:
    """A DCC fit around the headline episode. levels: a row a period with the average correlation and its range."""

    fit: Any
    levels: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What one section of the report shows. ``problems`` maps a stage to the reason why it is missing."""

    title: str
    panel: LiquidityPanel
    quality: pd.DataFrame
    illiquidity: pd.DataFrame | None
    stress: Stress | None
    episodes: list[Episode]
    headline: Episode | None
    seen_by: pd.DataFrame | None
    coliquidity: CoLiquidity | None
    studies: dict[str, EventStudy]
    backtest: SignalBacktest | None
    problems: dict[str, str]


def analyse(panel: LiquidityPanel, title: str = "Panel", *, day: Any = None, progress: bool = False) -> Analysis:
    """Run the main job on a panel.

    Parameters
    ----------
    panel : LiquidityPanel
    title : str
        Heading of the section.
    day : time stamp, optional
        The headline episode is the one that covers it; by default the broadest, and among equals the deepest.
    progress : bool, default False
        Show a bar over the stages (extra ``cli``).

    Returns
    -------
    Analysis
    """
    problems: dict[str, str] = {}
    bar = require_extra("tqdm", "cli").tqdm(total=7, desc=title) if progress else None

    def stage(name: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (DrainstatsError, np.linalg.LinAlgError) as error:
            problems[name] = str(error)
            return None
        finally:
            if bar is not None:
                bar.set_postfix_str(name)
                bar.update()

    quality = stage("data quality", panel.quality)
    illiquidity = stage("illiquidity", lambda: panel.measure("parkinson"))
    found = stage("episodes", lambda: _detect(panel, illiquidity))
    stress, episodes = found if found else (None, [])
    headline = _headline(episodes, day)
    seen_by = stage("measures", lambda: _seen_by(panel, headline))
    coliquidity = stage("co-liquidity", lambda: _coliquidity(panel, illiquidity, headline))
    studies = stage("event study", lambda: _studies(panel, illiquidity, headline)) or {}
    backtest = stage("early warning", lambda: _backtest(panel, illiquidity, episodes))
    if bar is not None:
        bar.close()
    return Analysis(
        title,
        panel,
        quality,
        illiquidity,
        stress,
        episodes,
        headline,
        seen_by,
        coliquidity,
        studies,
        backtest,
        problems,
    )


def _needed(value: Any, what: str) -> Any:
    if value is None:
        raise DataError(f"This needs {what}, which is missing here.")
    return value


def _detect(panel: LiquidityPanel, illiquidity: pd.DataFrame | None) -> tuple[Stress, list[Episode]]:
    table = _needed(illiquidity, "a measure of illiquidity")
    episodes = detect_episodes(panel)
    return measure_stress(table, **STRESS), episodes


def _headline(episodes: list[Episode], day: Any) -> Episode | None:
    if day is not None:
        stamp = pd.Timestamp(day)
        stamp = stamp.tz_localize("UTC") if stamp.tz is None else stamp
        episodes = [e for e in episodes if e.onset <= stamp and (e.is_open or e.end >= stamp)] or episodes
    return max(episodes, key=lambda e: (round(e.breadth, 2), -e.depth), default=None)


def _seen_by(panel: LiquidityPanel, headline: Episode | None) -> pd.DataFrame:
    """How each measure sees the trough: its rank in its own history and its ratio to the 60 bars before, medians."""
    day = _needed(headline, "an episode").trough
    rows = []
    for name, measure in MEASURES.items():
        if measure.table != "bars":
            continue
        if not set(measure.inputs) <= set(panel.field_names):
            rows.append((name, np.nan, np.nan, f"needs {', '.join(measure.inputs)}"))
            continue
        daily = {"window": 1} if name == "amihud" else {}
        table = panel.measure(name, **daily)
        rank = table.rank(pct=True).loc[day].median()
        before = table.loc[:day].iloc[-61:-1].median()
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (table.loc[day] / before.where(before > 0)).median()
        # A spread estimate can be negative, and then it is no multiple of what it was.
        ratio = ratio if ratio > 0 else np.nan
        rows.append((name + (" (one bar)" if daily else ""), rank, ratio, measure.sees))
    columns = ["measure", "rank of the trough in own history", "times the 60 bars before", "what it sees"]
    return pd.DataFrame(rows, columns=columns).set_index("measure")


def _balanced(illiquidity: pd.DataFrame, headline: Episode) -> pd.DataFrame:
    """Innovations of the assets that are complete from 300 rows before the onset to 60 after, at most twelve.

    Rows on which none of the assets trades (weekends of shares beside coins) are left out first.
    """
    members = [a for a in headline.members if a in illiquidity]
    row = illiquidity.index.get_loc(headline.onset)
    window = illiquidity.iloc[max(row - 2 * BEFORE, 0) : row + 2 * AFTER][members]
    full = window.dropna(axis=0, thresh=max(2, int(0.8 * window.notna().any().sum())))
    place = full.index.searchsorted(headline.onset)
    full = full.iloc[max(place - BEFORE, 0) : place + AFTER]
    complete = full.columns[full.notna().all() & (full > 0).all()]
    if len(complete) < 2:
        raise DataError(f"{len(complete)} members are complete around the episode; a correlation needs two.")
    spread = complete[np.unique(np.linspace(0, len(complete) - 1, min(MOST_ASSETS, len(complete))).astype(int))]
    return innovations(full[spread]).iloc[1:]


def _coliquidity(panel: LiquidityPanel, illiquidity: pd.DataFrame | None, headline: Episode | None) -> CoLiquidity:
    e = _needed(headline, "an episode")
    moves = _balanced(_needed(illiquidity, "a measure of illiquidity"), e)
    fit = DCC().fit(moves)
    level = fit.average_correlation
    during = (level.index >= e.onset) & (level.index <= (level.index[-1] if e.is_open else e.end))
    periods = {
        "before": level[level.index < e.onset].iloc[-AFTER:],
        "during": level[during],
        "after": level[level.index > e.end].iloc[:AFTER] if not e.is_open else level.iloc[:0],
    }
    rows = {k: (v.mean(), v.min(), v.max(), len(v)) for k, v in periods.items() if len(v)}
    return CoLiquidity(fit, pd.DataFrame(rows, index=["mean", "lowest", "highest", "bars"]).T)


def _studies(
    panel: LiquidityPanel, illiquidity: pd.DataFrame | None, headline: Episode | None
) -> dict[str, EventStudy]:
    e = _needed(headline, "an episode")
    outcomes = {"change of log illiquidity": innovations(_needed(illiquidity, "a measure of illiquidity"))}
    if "close" in panel.fields:
        outcomes["log return"] = np.log(panel["close"]).diff()
    studies = {}
    for name, outcome in outcomes.items():
        traded = outcome.dropna(how="all")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is warned of stands in the notes, which the report prints
            studies[name] = event_study(traded, e)
    return studies


def _backtest(panel: LiquidityPanel, illiquidity: pd.DataFrame | None, episodes: list[Episode]) -> SignalBacktest:
    table = _needed(illiquidity, "a measure of illiquidity")
    level = CoLiquidityLevel().transform(table)
    classes = [c for c in MARKETS if (panel.asset_table["class"] == c).any()]
    documented = {e.name: e for c in classes for e in episode_catalogue(c, controls=False)}
    sets = {"detected": episodes, "documented": sorted(documented.values(), key=lambda e: e.onset)}
    return backtest_signals(level, sets, horizon=20, available_at=_known(panel))


def _known(panel: LiquidityPanel) -> pd.Series:
    known = panel.available_at
    return known.where(known.notna(), pd.Series(panel.clock.end(panel.index), index=panel.index))
