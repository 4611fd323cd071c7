"""Where the money goes: flows free of price effects, the share that fled to stable coins, the peg.

A series of dollars mixes two things, coins that moved and prices that moved. Per coin, with quantity Q in coins and
price P, the split of Bennet (1920) is exact:

    Δ(Q P) = (Q₁ − Q₀)(P₀ + P₁) / 2 + (P₁ − P₀)(Q₀ + Q₁) / 2 = flow + revaluation,

taken step by step and summed. Aggregates are sums of coins, never differences of an aggregate: a worthless coin that
drops out of a total of units looks like an outflow of billions.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_number, check_option
from drainstats.frames import Wide
from drainstats.measures.inputs import checked, not_negative
from drainstats.typing import FloatArray


@dataclass(frozen=True, slots=True)
class FlowSplit:
    """The change of value since the row before, taken apart; tables like the input, the first row missing.

    Parameters
    ----------
    flow : table
        Money that came in (above zero) or went out, at the mean price of the step.
    revaluation : table
        What the price did to the coins that were there.
    """

    flow: Any
    revaluation: Any

    @property
    def change(self) -> Any:
        """Change of value: flow + revaluation."""
        return self.flow + self.revaluation


def flow_split(quantity: Any, price: Any) -> FlowSplit:
    """Split each step's change of value into flow and revaluation (Bennet, 1920).

    Parameters
    ----------
    quantity : (T, N) table, Series or array
        Coins in circulation, token units of a protocol, shares of a fund, contracts of open interest (in coins); at
        least zero. A column a coin.
    price : (T, N) table, Series or array
        Quote currency per coin, at least zero.

    Returns
    -------
    FlowSplit
        In quote currency. A step of which one end is missing is missing: a coin that appears or vanishes in the data
        has moved no money that anybody saw.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.

    References
    ----------
    Bennet (1920), Journal of the Royal Statistical Society 83(3), 455-462.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> split = ds.measures.flow_split([[80.0, 18.0], [83.0, 11.0]], [[1.0, 0.995], [1.002, 0.37]])
    >>> split.flow[1].round(4).tolist(), split.revaluation[1].round(4).tolist()
    ([3.003, -4.7775], [0.163, -9.0625])
    """
    coins, prices = not_negative(quantity=quantity, price=price)
    q, p = coins.values, prices.values
    flow, revaluation = np.full_like(q, np.nan), np.full_like(q, np.nan)
    flow[1:] = np.diff(q, axis=0) * (p[1:] + p[:-1]) / 2
    revaluation[1:] = np.diff(p, axis=0) * (q[1:] + q[:-1]) / 2
    return FlowSplit(coins.like(flow), coins.like(revaluation))


def protocol_outflow(quantity: Any, price: Any, missing: Literal["nan", "skip"] = "nan") -> pd.DataFrame:
    """What left a protocol (or all stable coins) in each step, free of prices: the flows of its tokens, summed.

    Value locked falls when prices do; only units tell whether anybody left.

    Parameters
    ----------
    quantity : (T, N) table, Series or array
        Units of each token, at least zero; a column a token.
    price : like ``quantity``
        Quote currency per unit, at least zero.
    missing : {"nan", "skip"}, default "nan"
        What to do in a step at one end of which a token is missing that is there at the other: the sum is unknown, or
        it is that of the other tokens. A token missing at both ends is no part of the step.

    Returns
    -------
    DataFrame of T rows
        ``flow`` and ``revaluation`` in quote currency; ``outflow``, −flow over the value before of the tokens summed;
        ``covered``, their share of the value that was seen before. The first row is missing. Observed, so without an
        error.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.
    OptionError
        An unknown policy.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> units, prices = [[10.0, 100.0], [8.0, 100.0], [8.0, np.nan]], [[1000.0, 1.0], [500.0, 1.0], [500.0, np.nan]]
    >>> ds.measures.protocol_outflow(units, prices, missing="skip")["outflow"].round(4).tolist()
    [nan, 0.1485, 0.0]
    """
    check_option("missing", missing, ["nan", "skip"])
    split = flow_split(quantity, price)
    coins, prices = not_negative(quantity=quantity, price=price)
    flow, revaluation = (np.asarray(part).reshape(coins.values.shape) for part in (split.flow, split.revaluation))
    value = coins.values * prices.values
    there = np.isfinite(value)
    both = there[1:] & there[:-1]
    known = both.any(axis=1)
    if missing == "nan":
        known &= (both == (there[1:] | there[:-1])).all(axis=1)
    before = np.where(both, value[:-1], 0.0).sum(axis=1)
    seen = np.where(there[:-1], value[:-1], 0.0).sum(axis=1)
    out = np.full((len(value), 4), np.nan)
    out[1:, 0] = np.where(known, np.where(both, flow[1:], 0.0).sum(axis=1), np.nan)
    out[1:, 1] = np.where(known, np.where(both, revaluation[1:], 0.0).sum(axis=1), np.nan)
    out[1:, 2] = np.divide(0.0 - out[1:, 0], before, out=np.full_like(before, np.nan), where=before > 0)
    out[1:, 3] = np.divide(before, seen, out=np.full_like(before, np.nan), where=known & (seen > 0))
    return pd.DataFrame(out, index=coins.index, columns=["flow", "revaluation", "outflow", "covered"])


def composition_break(units: Any, price: Any, least: float = 0.02) -> Any:
    """Steps in which an aggregate of coins changed its members rather than its money.

    A worthless coin that drops out of a total takes its units along and no money: units fall, the mean price jumps, the
    value stays. Differences of the total call that an outflow of billions.

    Parameters
    ----------
    units : (T, N) table, Series or array
        Units of an aggregate, such as all stable coins of a chain; at least zero.
    price : like ``units``
        Its value over its units.
    least : float, default 0.02
        Smallest move of units, as a fraction of their mean over the step, that is looked at.

    Returns
    -------
    Same kind and shape as ``units``
        1.0 where units moved by ``least`` or more and the price moved the other way so that half of the flow or more
        is undone (and no more than half as much again); else 0.0. The first row, and steps that lack an end, are
        missing. A flag to look at the members, not a proof: a run on a coin that regains its peg in the same step
        would look alike.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.composition_break([100.0, 90.0, 80.0], [0.9, 1.0, 1.0])
    array([nan,  1.,  0.])
    """
    check_number("least", least, 0.0)
    split = flow_split(units, price)
    (coins,) = not_negative(units=units)
    flow, revaluation = (np.asarray(part).reshape(coins.values.shape) for part in (split.flow, split.revaluation))
    moved = np.zeros_like(coins.values)
    middle = (coins.values[1:] + coins.values[:-1]) / 2
    moved[1:] = np.divide(np.abs(np.diff(coins.values, axis=0)), middle, out=np.zeros_like(middle), where=middle > 0)
    undone = np.divide(-revaluation, flow, out=np.zeros_like(flow), where=(flow != 0) & np.isfinite(flow))
    flag = ((moved >= least) & (undone >= 0.5) & (undone <= 1.5)).astype(np.float64)
    return coins.like(np.where(np.isfinite(flow), flag, np.nan))


def fund_flow(value: Any, growth: Any) -> Any:
    """Money that came into a fund or protocol of which only value and return are known: V₁ − V₀ (1 + r).

    Parameters
    ----------
    value : (T, N) table, Series or array
        Net assets, or value locked, at least zero.
    growth : (T, N) table, Series or array
        Simple return of the holdings over the step that ends at the row.

    Returns
    -------
    Same kind and shape as ``value``
        Quote currency; as if everything came at the end of the step. The first row is missing.

    Raises
    ------
    DataError
        Negative or infinite values, infinite returns, tables that do not match.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.fund_flow([100.0, 90.0], [0.0, -0.2])
    array([nan, 10.])
    """
    wide, returns = checked({}, {"value": value}, {"growth": growth})
    flow = np.full_like(wide.values, np.nan)
    flow[1:] = wide.values[1:] - wide.values[:-1] * (1 + returns.values[1:])
    return wide.like(flow)


def stable_share(quantity: Any, price: Any, other_quantity: Any, other_price: Any, basis: str = "current") -> Any:
    """Share of stable coins in the value of all coins, with prices of the day or held fixed.

    In a crash the share at current prices rises by arithmetic alone: the other side lost value. Only quantities at
    fixed prices tell whether money moved.

    Parameters
    ----------
    quantity, price : (T, N) tables, Series or arrays
        Stable coins: units and prices.
    other_quantity, other_price : (T, M) tables, Series or arrays
        The other coins.
    basis : {"current", "first", "unmoved"}, default "current"
        Prices of the row; prices of the first row; or "unmoved": the stable coins' value of the row before against the
        other coins' value of now, what the share would be had the stable coins' value stayed.

    Returns
    -------
    Series or array of T fractions
        Missing where any coin is: a share of an unknown total is unknown.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match.
    OptionError
        An unknown basis.

    Examples
    --------
    >>> import drainstats as ds
    >>> stable = [[80.0, 18.0], [83.0, 11.0]], [[1.0, 0.995], [1.002, 0.37]]
    >>> other = [1.0, 1.0], [1000.0, 750.0]
    >>> for basis in ("current", "first", "unmoved"):
    ...     print(ds.measures.stable_share(*stable, *other, basis=basis)[1].round(6))
    0.104195
    0.085877
    0.115472
    """
    check_option("basis", basis, ["current", "first", "unmoved"])
    coins, prices = not_negative(quantity=quantity, price=price)
    others, theirs = not_negative(other_quantity=other_quantity, other_price=other_price)
    if len(coins.values) != len(others.values) or not coins.index.equals(others.index):
        raise DataError("The stable and the other coins stand on different rows; align them first.")
    here, there = (_value(q, p, basis == "first") for q, p in ((coins, prices), (others, theirs)))
    if basis == "unmoved":
        here = np.concatenate([[np.nan], here[:-1]])[: len(here)]
    total = here + there
    share = np.divide(here, total, out=np.full_like(here, np.nan), where=total > 0)
    return pd.Series(share, index=coins.index) if coins.kind in ("frame", "series") else share


def _value(quantity: Wide, price: Wide, fixed: bool) -> FloatArray:
    return np.asarray((quantity.values * (price.values[:1] if fixed else price.values)).sum(axis=1))


def peg_deviation(price: Any, peg: Any = 1.0) -> Any:
    """Distance of a coin from its peg, a fraction of the peg.

    The sign means something: a premium is demand for a haven, a discount is doubt about what stands behind the coin.

    Parameters
    ----------
    price : (T, N) table, Series or array
        At least zero: a coin may become worthless.
    peg : float or like ``price``, default 1.0
        What the coin should cost.

    Returns
    -------
    Same kind and shape as ``price``, fraction

    Raises
    ------
    DataError
        Negative or infinite prices.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.peg_deviation([1.0, 0.88, 1.01]).round(2)
    array([ 0.  , -0.12,  0.01])
    """
    if isinstance(peg, Real):
        check_number("peg", peg, 0.0)
        (wide,) = not_negative(price=price)
        peg = np.full(wide.values.shape, float(peg))
    wide, pegs = not_negative(price=price, peg=peg)
    ratio = np.divide(wide.values, pegs.values, out=np.full_like(wide.values, np.nan), where=pegs.values > 0)
    return wide.like(ratio - 1)
