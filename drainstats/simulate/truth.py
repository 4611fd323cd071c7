"""`SimulatedMarket`: what an observer of a simulated market sees, and the truth behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from drainstats.episodes.episode import Episode
from drainstats.errors import DataError
from drainstats.panel.panel import LiquidityPanel


@dataclass(frozen=True, eq=False)
class Truth:
    """What happened in a simulated market; stamps are bar labels, durations in bars.

    Parameters
    ----------
    scenario : str
        ``drain``, or what a detector must not call.
    drained : bool
        Whether there is a drain to be found.
    onset, trough, end : Timestamp or NaT
        First bar of the drain (or of what is no drain); the bar in which the median member had least depth; the last
        bar in which it had less than nine tenths of its undisturbed depth (the trough if it never had), NaT when the
        data end before.
    source : str
        Asset in which it began; empty when there is none.
    arrivals : Series
        Member → bar in which it was reached, in order of arrival.
    depth : Series
        Member → smallest share of undisturbed depth left.
    half_life : Series
        Member → bars in which the loss of log depth halves; infinite for one that never comes back.
    liquidity : DataFrame
        Time × asset, noise-free: the share of undisturbed depth that is there.
    forced : DataFrame
        Time × asset: forced sales in quote currency; ordinary liquidations of calm times do not count.
    mid : DataFrame
        Time × asset: the mid at the end of the bar, in quote currency, also where the bar was not seen.
    settings : dict
        Every parameter of the simulation, with its seed.
    outcomes : dict
        What came out, in the endogenous mode (`drainstats.simulate.endogenous.run`).
    """

    scenario: str
    drained: bool
    onset: Any = pd.NaT
    trough: Any = pd.NaT
    end: Any = pd.NaT
    source: str = ""
    arrivals: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[ns, UTC]"))
    depth: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    half_life: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    liquidity: pd.DataFrame = field(default_factory=pd.DataFrame)
    forced: pd.DataFrame = field(default_factory=pd.DataFrame)
    mid: pd.DataFrame = field(default_factory=pd.DataFrame)
    settings: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """Assets that drained, in order of arrival."""
        return tuple(map(str, self.arrivals.index))

    def reached(self, share: float = 0.5) -> Any:
        """The first bar by whose end this share of the members had been reached; NaT without members.

        The onset is the arrival at the source; a rule that asks how many markets are thin sees nothing before this bar.
        """
        stamps = self.arrivals.sort_values()
        return stamps.iloc[max(0, math.ceil(share * len(stamps)) - 1)] if len(stamps) else pd.NaT

    def episode(self) -> Episode:
        """The drain as a documented episode, for whatever takes one: event studies, comparisons, alarms.

        Raises
        ------
        DataError
            When there was no drain.

        Examples
        --------
        >>> import drainstats as ds
        >>> truth = ds.simulate.drain(seed=1, source="A3").truth
        >>> truth.episode().source.to_dict(), truth.episode().onset == truth.onset
        ({'A3': 1.0}, True)
        """
        if not self.drained:
            raise DataError(f"In the scenario {self.scenario!r} nothing drained, so there is no episode to be had.")
        end = None if pd.isna(self.end) else self.end
        return Episode.from_dates(
            self.onset, end, trough=self.trough, members=self.members, source=self.source, name=self.scenario
        )


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedMarket:
    """A simulated market.

    Parameters
    ----------
    panel : LiquidityPanel
        Bars with the fields open, high, low, close, volume, dollar_volume, signed_dollar_volume (quote currency that
        takers bought less what they sold), spread (fraction of the mid, mean of the bar), depth (quote currency within
        one per cent of the mid, both sides, end of the bar) and liquidations (forced sales seen, quote currency).
    stablecoin : DataFrame
        Time × (supply in coins; ``price`` on the main venue, and ``price_<venue>`` on the others).
    truth : Truth
    """

    panel: LiquidityPanel
    stablecoin: pd.DataFrame
    truth: Truth

    def __repr__(self) -> str:
        truth, (rows, assets) = self.truth, self.panel.shape
        head = f"SimulatedMarket: {truth.scenario}, {assets} assets × {rows} rows on {self.panel.clock.name}"
        if pd.isna(truth.onset):
            return head
        lines = [head, f"  onset    {truth.onset:%Y-%m-%d %H:%M}"]
        if truth.drained:
            members = truth.members
            lines += [
                f"  source   {truth.source}",
                f"  members  {len(members)}: {', '.join(members[:6])}{' …' if len(members) > 6 else ''}",
                f"  depth    {truth.depth.median():.0%} left (median member)",
                f"  back     {int((truth.half_life < float('inf')).sum())} of {len(members)} members",
            ]
        return "\n".join(lines)
