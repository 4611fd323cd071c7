"""`detect_episodes`: when did liquidity leave many markets at once, what was knowable then, and what followed.

An alarm is raised in the first bar in which all of this holds:

1. breadth: at least ``min_breadth`` of the observed assets, two at least, stand ``line`` robust standard deviations
   above their own trailing baseline;
2. rank: that breadth is rare in its own trailing distribution, p <= ``alpha`` (`drainstats.breadth_null`): ordinary
   commonality is part of it, so it is no drain, and an earlier episode counts by its strongest row, so that a drain
   does not hide the next one;
3. scale: the median stress stands ``common_line`` robust standard deviations above its own trailing distribution: the
   more assets usually move together, the higher it must be;
4. evidence: where the panel has liquidations, or a book and price ranges, one of the last ``lead`` bars shows what
   common volatility has not (`drainstats.episodes.detection.evidence`); the lines of 1 and 3 are then lower.

The onset is the first bar of the unbroken wide stretch that holds the alarm, or the first of the last bars with rare
forced sales. The episode ends when the median asset has been back below ``calm`` for ``quiet`` bars; two wide
stretches with fewer calm bars between them are one episode. The rules run forward in time, so what is recorded up to a
date does not depend on what came after it; the onset, the trough and the half-life are retrospective, and ``known_at``
says when they were final.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.detection.evidence import Corroboration, ForcedSales, beyond_volatility
from drainstats.episodes.detection.market import Market, from_panel, from_table
from drainstats.episodes.detection.record import record
from drainstats.episodes.detection.remarks import remarks
from drainstats.episodes.detection.spans import Rules, Span, find_spans
from drainstats.episodes.detection.stress import Stress, duration, measure_stress, window_starts
from drainstats.episodes.episode import Episode
from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.panel.panel import LiquidityPanel

# line, common_line and alpha: where breadth stands alone, and where evidence corroborates it.
LINES = {"none": (3.0, 4.0, 0.01), "forced": (2.0, 2.0, 0.05), "volatility": (2.5, 2.0, 0.01)}


def detect_episodes(
    data: Any,
    measure: str | None = None,
    *,
    corroborate: Literal["auto", "forced", "volatility", "none"] = "auto",
    stablecoin: Any = None,
    baseline: str | pd.Timedelta = "365D",
    min_baseline: int = 60,
    clock_within: str | pd.Timedelta = "0s",
    stale: int = 10,
    line: float | None = None,
    min_breadth: float = 0.5,
    common_line: float | None = None,
    alpha: float | None = None,
    forced_times: float = 5.0,
    horizon: int = 20,
    calm: float = 1.0,
    quiet: int = 3,
    refractory: int = 0,
    lead: int = 5,
    flash_bars: int = 5,
    min_assets: int = 2,
    notional: float = 1e6,
    available_at: pd.Series | None = None,
) -> list[Episode]:
    """Find drain episodes in a panel or in a time × asset table of illiquidity.

    Parameters
    ----------
    data : LiquidityPanel or table
        A panel, or a T × N table (pandas, polars) that rises when liquidity falls, on a time index; naive stamps are
        read as UTC.
    measure : str, optional
        For a panel: ``depth`` or ``spread`` where it has such fields, or a measure of illiquidity
        (`drainstats.list_measures`). By default the best that the panel has: depth, spread, the range of prices
        ("parkinson"), or one-bar Amihud. Bars of prices show price ranges, not depth: `Episode.evidence` says so.
    corroborate : {"auto", "forced", "volatility", "none"}, default "auto"
        What an alarm asks for beside breadth. "forced": rare forced sales (fields liquidations and dollar_volume);
        "volatility": books thinner than volatility explains (depth or spread, high and low); "auto": the first of the
        two that the panel has the fields for; "none": breadth alone, which cannot tell a drain from volatility that
        all assets share.
    stablecoin : table or mapping of str to table, optional
        Stable coins, for the record's flight (`drainstats.episode_flight`).
    baseline : Timedelta, default 365 days
        Length of the trailing window, at most; bars of the same time of day are compared with each other.
    min_baseline : int, default 60
        Bars that a baseline needs.
    clock_within : Timedelta, default 0
        How far apart two times of day may lie whose bars are compared: "1h" borrows from neighbouring bars where
        histories are short, "12h" compares all bars with each other, as a single day of minutes needs.
    stale : int, default 10
        Length of a run of equal readings from which on an asset counts as not observed: a feed that stands still.
    line : float, optional
        Robust standard deviations above the baseline at which an asset counts as drained. Default: 3;
        2 where forced sales corroborate, 2.5 where depth beyond volatility does.
    min_breadth : float, default 0.5
        Share of observed assets above the line.
    common_line : float, optional
        Robust standard deviations of the median stress above its own trailing median; 0 switches it off. Default: 4,
        and 2 where evidence corroborates.
    alpha : float, optional
        Largest rank of the breadth in its own trailing distribution, in which an earlier episode counts once: of equal
        drains a year of days can hold three at 0.01. Default: 0.01, and 0.05 where forced sales corroborate.
    forced_times : float, default 5
        Forced sales are rare at this multiple of their trailing 99 % quantile.
    horizon : int, default 20
        Bars of the calm stretch for which the chance of as wide a bar is given.
    calm : float, default 1
        The market is calm while the median asset stands below this.
    quiet : int, default 3
        Calm bars in a row that end an episode: wide stretches that are closer than this are one.
    refractory : int, default 0
        Bars after the end of an episode became known in which no alarm is raised.
    lead : int, default 5
        Bars before the onset in which an asset that stayed above the line may have arrived first, and bars before the
        alarm in which the evidence may lie.
    flash_bars : int, default 5
        An episode that ends within so many bars is a ``flash``; a longer one a ``bleed``; an open one a ``regime``.
    min_assets : int, default 2
        Assets with a baseline that a bar needs.
    notional : float, default 1e6
        Position, in quote currency, whose exit cost is given (from the book, else by the square-root law).
    available_at : Series, optional
        For a table: when each row was known, with the labels of the table or in the order of its rows. By default a
        bar is known when the next one starts.

    Returns
    -------
    list of Episode
        In time order. Empty when there is none.

    Raises
    ------
    DataError
        Fewer than ``min_assets`` assets, no row with a baseline, infinite values, labels that are no times, a row that
        would be known before it starts.
    OptionError
        A threshold or a length that makes no sense; a measure that falls when liquidity falls.

    Notes
    -----
    Only rows up to the alarm enter ``detected_at`` and the source; a later bar changes neither. Prices alone do not
    tell a drain from volatility that all assets share. The lines are calibrated on simulated calm markets to at most
    one false alarm in four years of daily bars; rates, hits and what is called by mistake: docs/detection_tables.md.

    Examples
    --------
    >>> import drainstats as ds
    >>> panel = ds.load_dataset("crypto-venues-daily").window("2019-01-01", "2020-12-07")
    >>> [f"{e.onset:%Y-%m-%d}" for e in ds.detect_episodes(panel)]
    ['2020-03-12']
    """
    if isinstance(data, LiquidityPanel):
        if available_at is not None:
            raise OptionError("available_at belongs to a table; a panel knows its own.")
        market = from_panel(data, measure, notional, stablecoin)
    else:
        market = replace(from_table(data, available_at, measure), stablecoin=stablecoin)
    kind = _evidence(market, corroborate)
    lines, alone = _lines(kind, line, common_line, alpha), _lines("none", line, common_line, alpha)
    rules = Rules(
        baseline=duration("baseline", baseline),
        min_baseline=min_baseline,
        line=lines[0],
        min_breadth=min_breadth,
        alpha=lines[2],
        calm=calm,
        quiet=quiet,
        lead=lead,
        flash_bars=flash_bars,
        min_assets=min_assets,
        notional=notional,
        common_line=lines[1],
        refractory=refractory,
        horizon=horizon,
        alone=alone,
    )
    _check(rules)
    check_whole("stale", stale, 2)
    check_number("forced_times", forced_times, 0.0)
    measured = _stress_by(market, rules, stale, duration("clock_within", clock_within, least=-1))
    stress = _stress(market, rules, measured)
    sought = _sought(kind, market, stress, rules, forced_times, measured)
    spans = find_spans(stress, window_starts(market.illiquidity.index, rules.baseline), rules, sought)
    spans = [replace(span, notes=remarks(market, stress, rules, span, sought)) for span in spans]
    return [record(_as_seen(market, span, sought), stress, rules, span) for span in spans]


def _stress_by(market: Market, rules: Rules, stale: int, within: pd.Timedelta) -> Callable[[pd.DataFrame], Stress]:
    """How the stress of a table on the market's clock is measured."""
    return functools.partial(
        measure_stress,
        baseline=rules.baseline,
        min_baseline=rules.min_baseline,
        line=rules.line,
        min_assets=rules.min_assets,
        stale=stale,
        within=within,
        slots=market.slots,
    )


def _stress(market: Market, rules: Rules, measured: Callable[[pd.DataFrame], Stress]) -> Stress:
    """Stress of the market; a sentence when there is no breadth to speak of."""
    rows, assets = market.illiquidity.shape
    needed = max(rules.min_assets, 2)
    if assets < needed:
        raise DataError(f"{assets} asset(s) came; breadth needs at least {needed}: add assets to the panel.")
    stress = measured(market.illiquidity)
    if not np.isfinite(stress.breadth).any():
        raise DataError(
            f"No bar has a baseline: of {rows} rows, {rules.min_baseline} of the same time of day "
            "are needed before the first; pass more history, a smaller min_baseline or a larger clock_within."
        )
    return stress


def _sought(
    kind: str,
    market: Market,
    stress: Stress,
    rules: Rules,
    forced_times: float,
    measured: Callable[[pd.DataFrame], Stress],
) -> Corroboration | None:
    """The evidence that an alarm asks for beside breadth."""
    if kind == "forced" and market.forced is not None:
        return ForcedSales(market.forced, forced_times)
    if kind == "volatility" and market.volatility is not None:
        return beyond_volatility(stress, measured(market.volatility), rules.min_assets, rules.min_baseline)
    return None


def _evidence(market: Market, corroborate: str) -> str:
    """What an alarm asks for beside breadth, of what the market has."""
    check_option("corroborate", corroborate, ["auto", "forced", "volatility", "none"])
    has = {"forced": market.forced is not None, "volatility": market.volatility is not None, "none": True}
    if corroborate == "auto":
        return next(kind for kind, there in has.items() if there)
    if not has[corroborate]:
        needs = {"forced": "liquidations and dollar_volume", "volatility": "depth or spread, with high and low"}
        raise OptionError(f"corroborate={corroborate!r} needs a panel with the fields {needs[corroborate]}.")
    return corroborate


def _lines(kind: str, *given: float | None) -> tuple[float, float, float]:
    """line, common_line and alpha: the ones given, else the defaults of that kind of evidence."""
    line, common_line, alpha = (d if g is None else g for d, g in zip(LINES[kind], given, strict=True))
    return line, common_line, alpha


def _as_seen(market: Market, span: Span, sought: Corroboration | None) -> Market:
    """The market with the evidence of one alarm."""
    if sought is None or span.corroborated is None:
        return market
    return replace(market, evidence=f"{market.evidence}, {sought.name}")


def _check(rules: Rules) -> None:
    for name in ("min_baseline", "quiet", "flash_bars", "min_assets", "horizon"):
        check_whole(name, getattr(rules, name), 1)
    for name in ("lead", "refractory"):
        check_whole(name, getattr(rules, name), 0)
    for name, low in (("line", 0.0), ("calm", -float("inf")), ("notional", 0.0)):
        check_number(name, getattr(rules, name), low)
    if rules.common_line != 0:
        check_number("common_line", rules.common_line, 0.0)
    for name in ("min_breadth", "alpha"):
        value = getattr(rules, name)
        if isinstance(value, bool) or value != 1:
            check_number(name, value, 0.0, 1.0)
    if rules.calm > rules.line:
        raise OptionError(f"calm={rules.calm!r} lies above line={rules.line!r}, but a drained market is not calm.")
