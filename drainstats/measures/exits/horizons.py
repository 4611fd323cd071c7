"""Leaving over time: when a budget is met, and how much is cash by then."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.measures.exits.fills import positive_number
from drainstats.measures.exits.laws import SquareRootLaw
from drainstats.measures.exits.schedules import days_to_sell, exit_horizon
from drainstats.typing import FloatArray

_SHOWN = 12


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExitHorizon:
    """When a budget is met; made by `ExitCost.horizon`, which states the model.

    Parameters
    ----------
    table : DataFrame, a row an asset
        ``days`` (0: now; inf: never), ``earliest`` (days that the share of volume asks for, 0 where the asset can leave
        now only), ``cost_bp`` and ``risk_bp`` at ``days`` (where there are none, at the cheapest time), ``why`` in
        words.
    portfolio : Series
        The same for all together.
    budget_bp : float
    """

    table: pd.DataFrame
    portfolio: pd.Series
    budget_bp: float

    @property
    def days(self) -> float:
        """Days for the portfolio."""
        return float(self.portfolio["days"])

    def __repr__(self) -> str:
        slow = self.table if len(self.table) <= _SHOWN else self.table.sort_values("days", ascending=False).head(_SHOWN)
        lines = [f"{asset}: {row['why']}" for asset, row in slow.iterrows()]
        lines += [f"… and {len(self.table) - _SHOWN} more"] if len(self.table) > _SHOWN else []
        return "\n".join([f"Within {self.budget_bp:g} bp the portfolio {self.portfolio['why']}", *lines])


def horizon_of(
    table: pd.DataFrame, laws: Mapping[Any, SquareRootLaw], budget: float, cross: float, participation: float,
    quantile: float, correlation: Any, lasting: bool, longest: float,
) -> ExitHorizon:  # fmt: skip
    """The shortest times within a budget of the rows of an exit's table.

    ``cross`` is the cross impact of leaving all, quote currency; ``quantile`` the standard deviations set aside.
    """
    positive_number("longest", longest)
    value = table["value"].to_numpy(dtype=np.float64)
    plans = [_plan(row, laws.get(asset), participation, lasting) for asset, row in table.iterrows()]
    rows = {}
    for (asset, row), plan in zip(table.iterrows(), plans, strict=True):
        rows[asset] = _search([plan], np.array([row["value"]]), np.eye(1), budget, 0.0, quantile, longest)
    sign = np.where(table["side"] == "buy", -1.0, 1.0)
    together = _search(plans, value, _correlation(correlation, table.index, sign), budget, cross, quantile, longest)
    columns = ["days", "earliest", "cost_bp", "risk_bp", "why"]
    by_asset = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis(table.index.name)
    return ExitHorizon(by_asset, pd.Series(together, columns, name="portfolio"), budget)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A position: cost in bp of leaving now, NaN where that is impossible; law None where it can only leave now."""

    now: float
    law: SquareRootLaw | None
    value: float
    earliest: float
    lasting: bool

    def cost(self, days: float) -> float:
        """Basis points of leaving over some days."""
        if self.law is None:
            return self.now
        return 1e4 * self.law.cost(self.value, days, self.lasting)


def _plan(row: pd.Series, law: SquareRootLaw | None, participation: float, lasting: bool) -> _Plan:
    if row["side"] == "none":
        return _Plan(0.0, None, 0.0, 0.0, lasting)
    now = float("nan") if row["censored"] or row["how"] == "law" else float(row["cost_bp"])
    earliest = 0.0 if law is None else float(days_to_sell(row["value"], law.dollar_volume, participation))
    return _Plan(now, law, float(row["value"]), earliest, lasting)


def _search(
    plans: list[_Plan], value: FloatArray, correlation: FloatArray, budget: float, cross: float, quantile: float,
    longest: float,
) -> list[Any]:  # fmt: skip
    total = value.sum()
    if np.isnan(total):
        return [np.nan, np.nan, np.nan, np.nan, "unknown: a position has no price"]
    if total == 0:
        return [0.0, 0.0, 0.0, 0.0, "is empty"]
    weights = value / total
    extra = 1e4 * cross / total
    now = _mean(weights, [plan.now for plan in plans]) + extra
    if now <= budget:
        return [0.0, 0.0, now, 0.0, f"can leave now, at {now:.4g} bp"]
    if not any(plan.law for plan in plans):
        asks = "not whole" if np.isnan(now) else f"only at {now:.4g} bp"
        return [np.inf, 0.0, now, 0.0, f"never: it can leave now, {asks}, and has no law for later"]
    earliest = max(plan.earliest for plan in plans)
    deviations = np.array([p.law.volatility if p.law else 0.0 for p in plans]) * weights
    deviation = 1e4 * quantile * float(np.sqrt(max(deviations @ correlation @ deviations, 0.0)))

    def cost(days: float) -> float:
        return _mean(weights, [plan.cost(days) for plan in plans]) + extra

    def both(days: float) -> float:
        return cost(days) + deviation * days**0.5

    if np.isnan(cost(1.0)):
        return [np.inf, earliest, np.nan, np.nan, "never: a part without a law is not taken whole now"]
    if not earliest < longest:
        spell = f"takes {earliest:.4g} days" if np.isfinite(earliest) else "has no end: nothing trades"
        return [np.inf, earliest, np.nan, np.nan, f"never: at this share of volume it {spell}"]
    days = exit_horizon(both, budget, earliest, longest)
    if np.isfinite(days):
        return [
            days,
            earliest,
            cost(days),
            deviation * days**0.5,
            f"can leave in {days:.4g} days, at {both(days):.4g} bp",
        ]
    times = np.geomspace(earliest, longest, 400)
    best = float(times[int(np.argmin([both(float(t)) for t in times]))])
    why = f"never: the least is {both(best):.4g} bp, after {best:.4g} days"
    return [np.inf, earliest, cost(best), deviation * best**0.5, why]


def _mean(weights: FloatArray, values: list[float]) -> float:
    """Mean of what is held: what is not, costs nothing, known or not."""
    return float(sum(w * v for w, v in zip(weights, values, strict=True) if w > 0))


def _correlation(correlation: Any, assets: pd.Index, sign: FloatArray) -> FloatArray:
    """Of what the positions lose; all ones where nothing is known, which is the most that risks add up to."""
    if correlation is None:
        return np.ones((len(assets), len(assets)))
    if isinstance(correlation, pd.DataFrame):
        lacking = [a for a in assets if a not in correlation.index or a not in correlation.columns]
        if lacking:
            raise DataError(f"correlation lacks {lacking[0]}: a row and a column an asset are expected.")
        correlation = correlation.loc[assets, assets]
    matrix = np.asarray(correlation, dtype=np.float64)
    if matrix.shape != (len(assets), len(assets)):
        raise DataError(f"correlation is {matrix.shape}, and there are {len(assets)} positions.")
    if (
        not (np.abs(matrix) <= 1 + 1e-12).all()
        or not np.allclose(matrix, matrix.T)
        or not np.allclose(np.diag(matrix), 1)
    ):
        raise DataError("correlation is a symmetric matrix of numbers from -1 to 1 with ones on its diagonal.")
    return matrix * np.outer(sign, sign)


def days_to_cash(
    table: pd.DataFrame, volumes: Mapping[Any, float], participation: float, edges: tuple[float, ...]
) -> pd.DataFrame:
    """Money of each position by the time at which it is sold (see `ExitCost.days_to_cash`)."""
    ends = [positive_number("edges", edge) for edge in edges]
    if not ends or any(b <= a for a, b in pairwise(ends)):
        raise OptionError(f"edges={edges!r} are days that rise.")
    names = [
        f"within {ends[0]:g} days",
        *(f"{a:g} to {b:g} days" for a, b in pairwise(ends)),
        f"over {ends[-1]:g} days",
    ]
    rows: dict[Hashable, list[Any]] = {}
    for asset, row in table.iterrows():
        value = float(row["value"]) if row["side"] != "none" else 0.0
        if asset not in volumes and value != 0:
            raise OptionError(f"The traded value of {asset} is not known; pass dollar_volume={{{asset!r}: …}}.")
        volume = positive_number(f"dollar_volume[{asset!r}]", volumes.get(asset, 0.0), zero=True)
        days = float(days_to_sell(value, volume, participation)) if value != 0 else 0.0
        sold = np.minimum(value, participation * volume * np.array(ends))
        rows[asset] = [value, days, _bucket(days, ends, names), *np.diff([0.0, *sold, value])]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "days", "bucket", *names])
    days = float(found["days"].max(skipna=False))
    found.loc["portfolio"] = [found["value"].sum(skipna=False), days, _bucket(days, ends, names), *found[names].sum()]
    return found.rename_axis(table.index.name)


def _bucket(days: float, ends: list[float], names: list[str]) -> str:
    return names[int(np.searchsorted(ends, days))] if not np.isnan(days) else "unknown"
