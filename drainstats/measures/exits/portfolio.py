"""`exit_cost`: what leaving a portfolio costs now, over books, pools, routes and impact laws, in one answer.

A position is walked through its venue as far as the venue goes; what finds no taker is unfilled, and its cost is not
guessed. Costs of single assets add up only while the prices of one asset do not answer to sales of another. Where they
do, selling Q moves prices by Λ Q and costs Q′ Λ Q / 2, of which

    own   = Σ_i Λ_ii Q_i² / 2         is what the assets' own venues have charged already,
    cross = Σ_i Q_i Σ_{j≠i} Λ_ij Q_j / 2   is what comes on top when everything leaves at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_option
from drainstats.measures.exits.fills import Fill, positive_number
from drainstats.measures.exits.horizons import ExitHorizon, days_to_cash, horizon_of
from drainstats.measures.exits.laws import SquareRootLaw
from drainstats.measures.exits.leaving import COLUMNS, Unit, leave, positions_of, reference_of, venue_of
from drainstats.measures.exits.risk import cross_parts, impact_in_money
from drainstats.measures.exits.routing import Route

_SHOWN = 12


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExitCost:
    """What leaving a portfolio costs now.

    Parameters
    ----------
    table : DataFrame, a row an asset
        ``side`` (sell, buy, none), ``asked``, ``filled``, ``unfilled`` (base units), ``reference`` (price before the
        order), ``value``, ``filled_value`` and ``unfilled_value`` (at the reference), ``money`` (received or paid, fees
        included), ``cost`` (quote currency) and ``cost_bp`` of what was filled, ``how`` (book, pool, route, law, venue,
        none), ``censored`` (whether something is unfilled: the venue, or what is known of it, ended first).
    fills : mapping of asset to Fill or Route
        What the venues answered; positions of zero are not in it.
    laws : mapping of asset to SquareRootLaw
        Of the assets that were left by a law; `horizon` and `days_to_cash` take them from here.
    impact : DataFrame, or None
        Symmetric Λ, return per unit of quote currency.
    baseline : ExitCost, or None
    """

    table: pd.DataFrame
    fills: Mapping[Hashable, Fill | Route]
    laws: Mapping[Hashable, SquareRootLaw]
    impact: pd.DataFrame | None = None
    baseline: ExitCost | None = None

    @property
    def value(self) -> float:
        """Long and short positions at their references, both counted above zero; NaN where a price is unknown."""
        return _sum(self.table["value"])

    @property
    def unfilled_value(self) -> float:
        """The part of `value` that found no taker."""
        return _sum(self.table["unfilled_value"])

    @property
    def cost(self) -> float:
        """Quote currency that leaving what was filled costs: the assets' own costs and the cross impact."""
        return _sum(self.table["cost"]) + _sum(self.cross_impact["cross"])

    @property
    def cost_bp(self) -> float:
        """`cost` in basis points of the value that was filled; NaN when nothing was."""
        filled = _sum(self.table["filled_value"])
        return 1e4 * self.cost / filled if filled > 0 else float("nan")

    @property
    def cross_impact(self) -> pd.DataFrame:
        """Impact by Λ, quote currency, a row an asset: ``own`` (in the venues' cost already) and ``cross`` (on top).

        Of what was filled, and zero where no Λ was given. A position that hedges another has a cross part below zero.
        """
        return cross_parts(self.impact, self._signed("filled_value"))

    @property
    def censored(self) -> bool:
        """Whether something is unfilled, so that `cost` is that of a part."""
        return bool(self.table["censored"].any())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know, in sentences."""
        notes = []
        for asset, row in self.table.iterrows():
            if np.isnan(row["reference"]) and row["side"] != "none":
                notes.append(f"{asset} shows no price (an empty or one-sided book): pass prices={{{asset!r}: …}}.")
            elif row["censored"]:
                notes.append(f"{asset}: {row['unfilled']:g} of {row['asked']:g} found no taker; their cost is unknown.")
        return tuple(notes)

    @property
    def compared(self) -> pd.DataFrame:
        """Cost now against the baseline, a row an asset and the portfolio last.

        Returns
        -------
        DataFrame
            ``cost_bp``, ``baseline_bp``, ``ratio`` and ``bound``: "lower" where less was filled now than then, so that
            the ratio of what was filled is a lower bound; "upper" where more was; else empty.

        Raises
        ------
        OptionError
            Without a baseline.
        """
        if self.baseline is None:
            raise OptionError("There is nothing to compare with: call exit_cost with baseline=.")
        now, then = self.table, self.baseline.table.reindex(self.table.index)
        share, before = (_filled_share(t["value"], t["unfilled_value"]) for t in (now, then))
        rows = pd.DataFrame({"cost_bp": now["cost_bp"], "baseline_bp": then["cost_bp"]})
        rows["bound"] = _bounds(share, before)
        whole = [1 - e.unfilled_value / e.value if e.value > 0 else np.nan for e in (self, self.baseline)]
        total = _bounds(np.array(whole[:1]), np.array(whole[1:]))[0]
        rows.loc["portfolio"] = [self.cost_bp, self.baseline.cost_bp, total]
        rows.insert(2, "ratio", rows["cost_bp"] / rows["baseline_bp"].where(rows["baseline_bp"] > 0))
        return rows

    def horizon(
        self,
        budget_bp: float,
        laws: Mapping[Any, SquareRootLaw] | None = None,
        participation: float = 0.15,
        quantile: float = 1.0,
        correlation: Any = None,
        impact: Literal["lasting", "overnight"] = "lasting",
        risk: Literal["held", "even"] = "held",
        longest: float = 250.0,
    ) -> ExitHorizon:
        """The shortest time in which the positions can be left within a budget, asset by asset and together.

        A position that its venue takes whole within the budget leaves now, in 0 days. Any other leaves evenly over T
        days, by its law, and costs in basis points of its value

            spread / 2 + Y sigma √T (Q / (V T))^delta / (1 + delta) + quantile · sigma √T.

        T starts where the share of volume allows (`days_to_sell`) and ends at ``longest``. With delta = ½ the impact of
        one order of T days does not depend on T: waiting buys capacity and nothing else, and a budget that is missed at
        the earliest T is missed at all. With ``impact="overnight"`` each day is an order of its own, whose impact is
        gone the next morning: the hopeful reading, under which waiting pays.

        The portfolio leaves over one T. Its impact is the mean by value; cross impact is linear and does not depend on
        T. An asset without a law can only leave now, as `table` says; so does a route, also where a law takes part.

        Parameters
        ----------
        budget_bp : float
            Basis points of the value, risk allowance included.
        laws : mapping of asset to SquareRootLaw, optional
            For assets that were walked through books and pools, or in place of the law that was used.
        participation : float, default 0.15
            Largest share of the day's traded value that one may be.
        quantile : float, default 1.0
            Standard deviations of the price set aside; 0 leaves risk out, and makes waiting free.
        correlation : (N, N) DataFrame or array, optional
            Of returns, in the order of `table` or labelled. Without one risks add up, which is the most that any
            correlation allows.
        impact : {"lasting", "overnight"}, default "lasting"
        risk : {"held", "even"}, default "held"
            Whether the allowance is for all that is asked until the end, or for what is left of even sales: then it is
            smaller by √3, as in `almgren_chriss` without risk aversion and with many steps.
        longest : float, default 250.0
            Days after which one stops looking.

        Returns
        -------
        ExitHorizon

        Raises
        ------
        OptionError, DataError

        Examples
        --------
        >>> import drainstats as ds
        >>> law = ds.measures.SquareRootLaw(volatility=0.02, dollar_volume=5e6)
        >>> found = ds.measures.exit_cost({"A": 3e6}, {"A": law}, unit="money")
        >>> print(found.horizon(400, impact="overnight").table.loc["A", "why"])
        never: the least is 451.6 bp, after 4 days
        >>> round(found.horizon(500, impact="overnight", quantile=0.5).days, 4)
        4.0
        """
        check_option("impact", impact, ["lasting", "overnight"])
        check_option("risk", risk, ["held", "even"])
        cross = cross_parts(self.impact, self._signed("value"))["cross"].sum()
        return horizon_of(
            self.table, {**self.laws, **_only_laws(laws)}, positive_number("budget_bp", budget_bp), float(cross),
            participation, positive_number("quantile", quantile, zero=True) / (3**0.5 if risk == "even" else 1.0),
            correlation, impact == "lasting", longest,
        )  # fmt: skip

    def days_to_cash(
        self, dollar_volume: Mapping[Any, float] | None = None, participation: float = 0.15,
        edges: tuple[float, ...] = (3.0, 7.0),
    ) -> pd.DataFrame:  # fmt: skip
        """How much of each position is sold within 3 days, within 7 and later, at a share of the traded value.

        In the manner of the liquidity buckets of SEC rule 22e-4, without its settlement lags and its judgement of what
        moves the price.

        Parameters
        ----------
        dollar_volume : mapping of asset to float, optional
            Traded value a day; by default that of the law by which an asset was left.
        participation : float, default 0.15
            Largest share of it that one may be.
        edges : tuple of float, default (3, 7)
            Ends of the buckets in days, rising.

        Returns
        -------
        DataFrame
            A row an asset: ``value``, ``days`` until all is sold, ``bucket`` of the whole position, and one column of
            money a bucket, which add up to ``value``. The last row, "portfolio", has the sums, and the days of the
            slowest.

        Raises
        ------
        OptionError, DataError

        Examples
        --------
        >>> import drainstats as ds
        >>> law = ds.measures.SquareRootLaw(volatility=0.02, dollar_volume=5e6)
        >>> found = ds.measures.exit_cost({"A": 8e6}, {"A": law}, unit="money")
        >>> found.days_to_cash().loc["A"]
        value              8000000.0
        days               10.666667
        bucket           over 7 days
        within 3 days      2250000.0
        3 to 7 days        3000000.0
        over 7 days        2750000.0
        Name: A, dtype: object
        """
        volumes = {asset: law.dollar_volume for asset, law in self.laws.items()} | dict(dollar_volume or {})
        return days_to_cash(self.table, volumes, participation, edges)

    def _signed(self, column: str) -> pd.Series:
        return self.table[column].where(self.table["side"] != "buy", -self.table[column])

    def __repr__(self) -> str:
        rows = len(self.table)
        lines = [
            f"Exit of {rows} position{'s' if rows != 1 else ''} worth {self.value:,.2f}: "
            f"cost {self.cost:,.2f} ({self.cost_bp:.4g} bp of what is filled), unfilled {self.unfilled_value:,.2f}"
        ]
        if self.impact is not None:
            lines.append(f"Of the cost {self.cross_impact['cross'].sum():,.2f} is cross impact: all leave at once")
        if self.baseline is not None:
            last = self.compared.iloc[-1]
            least = {"lower": "at least ", "upper": "at most "}.get(last["bound"], "")
            lines.append(f"Against the baseline ({last['baseline_bp']:.4g} bp): {least}{last['ratio']:.3g} times")
        # Of a large portfolio those that cost most.
        dear = self.table if rows <= _SHOWN else self.table.sort_values("cost", ascending=False).head(_SHOWN)
        shown = dear[["side", "asked", "unfilled", "value", "cost", "cost_bp", "how"]].to_string(float_format=_digits)
        rest = [f"… and {rows - _SHOWN} more"] if rows > _SHOWN else []
        notes = [
            *self.notes[:_SHOWN],
            *([f"… and {len(self.notes) - _SHOWN} more"] if len(self.notes) > _SHOWN else []),
        ]
        return "\n".join([*lines, shown, *rest, *notes])


def exit_cost(
    positions: Any,
    venues: Mapping[Any, Any],
    unit: Unit = "base",
    prices: Mapping[Any, float] | None = None,
    cross_impact: Any = None,
    cross_unit: Unit = "money",
    baseline: ExitCost | Mapping[Any, Any] | None = None,
) -> ExitCost:
    """What leaving a portfolio costs now.

    Parameters
    ----------
    positions : mapping or Series, asset to float
        Long above zero: sold. Short below zero: bought back. Rows of one asset are added up first.
    venues : mapping of asset to venue
        A book, a pool, a `SquareRootLaw`, or a mapping of names to several of them, over which the order is routed
        (`sell_across`, `buy_across`). More assets than positions may come.
    unit : {"base", "money"}, default "base"
        Whether positions count coins and shares, or quote currency at the reference price.
    prices : mapping of asset to float, optional
        Reference prices in place of what the venue shows: par for a stable coin, a price for a one-sided book or a law.
        By default the mid of a book, the spot price of a pool, the median over several venues. A law without a price
        counts positions in money as units at a price of 1.
    cross_impact : (N, N) DataFrame or array, optional
        Λ of `kyle_cross_impact`, labelled by asset or in the order of the positions.
    cross_unit : {"money", "base"}, default "money"
        Whether Λ is of returns on flows of money, or of price moves on flows of base units.
    baseline : ExitCost or mapping of venues, optional
        A calm day to compare with. Of venues the same positions are left there, at the prices that they show; Λ is not
        applied, pass a result if it should be.

    Returns
    -------
    ExitCost

    Raises
    ------
    DataError
        A position that is not finite, an asset without a venue, a Λ that is not symmetric or not positive
        semi-definite or lacks an asset.
    OptionError
        What is no venue, a law without a price where positions are units.

    References
    ----------
    Garcia del Molino, Mastromatteo, Benzaquen and Bouchaud (2020), SIAM Journal on Financial Mathematics 11(1),
    327-372, for Q′ Λ Q / 2.

    Examples
    --------
    >>> import drainstats as ds
    >>> book = ds.measures.OrderBook([(99.9, 5), (99.0, 10)], [(100.1, 5), (101.0, 10)])
    >>> pool = ds.measures.ConstantProductPool(1000.0, 2e6)
    >>> found = ds.measures.exit_cost({"A": 20, "B": 50, "C": -5}, {"A": book, "B": pool, "C": book})
    >>> found
    Exit of 3 positions worth 102,500.00: cost 5,045.05 (494.6 bp of what is filled), unfilled 500.00
       side  asked  unfilled   value     cost  cost_bp   how
    A  sell     20         5   2,000     10.5       70  book
    B  sell     50         0 100,000 5,034.05  503.405  pool
    C   buy      5         0     500      0.5       10  book
    A: 5 of 20 found no taker; their cost is unknown.
    """
    check_option("unit", unit, ["base", "money"])
    check_option("cross_unit", cross_unit, ["base", "money"])
    held = positions_of(positions)
    given = {asset: positive_number(f"prices[{asset!r}]", price) for asset, price in (prices or {}).items()}
    rows: dict[Hashable, list[Any]] = {}
    fills: dict[Hashable, Fill | Route] = {}
    laws: dict[Hashable, SquareRootLaw] = {}
    for asset, position in held.items():
        venue = venue_of(asset, position, venues, given.get(asset), unit)
        rows[asset], fill = leave(venue, position, given.get(asset, reference_of(venue)), unit)
        if fill is not None:
            fills[asset] = fill
        if isinstance(venue, SquareRootLaw):
            laws[asset] = venue
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis(held.index.name)
    impact = None if cross_impact is None else impact_in_money(cross_impact, table, cross_unit)
    if isinstance(baseline, Mapping):
        baseline = exit_cost(held, baseline, unit, _missing_prices(held, baseline, given))
    return ExitCost(table, fills, laws, impact, baseline)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def _sum(column: pd.Series) -> float:
    return float(column.sum(skipna=False))


def _filled_share(value: pd.Series, unfilled: pd.Series) -> np.ndarray:
    return np.asarray(1 - unfilled / value.where(value > 0), dtype=np.float64)


def _bounds(now: np.ndarray, then: np.ndarray) -> list[str]:
    names = {-1: "lower", 0: "", 1: "upper"}
    signs = np.where(np.isclose(now, then, rtol=1e-9, atol=1e-12, equal_nan=True), 0, np.sign(now - then))
    return [names.get(sign, "") for sign in signs]


def _missing_prices(held: pd.Series, venues: Mapping[Any, Any], given: Mapping[Any, float]) -> dict[Any, float]:
    """The given prices of assets whose venue shows none."""
    shown = {asset: reference_of(venues[asset]) for asset in held.index if asset in venues}
    return {asset: price for asset, price in given.items() if np.isnan(shown.get(asset, np.nan))}


def _only_laws(laws: Mapping[Any, SquareRootLaw] | None) -> dict[Any, SquareRootLaw]:
    for asset, law in (laws or {}).items():
        if not isinstance(law, SquareRootLaw):
            raise OptionError(f"laws[{asset!r}] is a {type(law).__name__}; a SquareRootLaw is expected.")
    return dict(laws or {})
