"""Selling over time: the schedules of Almgren and Chriss (2001) and of Obizhaeva and Wang (2013), and days to sell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from drainstats.errors import OptionError
from drainstats.measures.exits.fills import positive_number
from drainstats.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan of sales and what it is expected to cost.

    Parameters
    ----------
    holdings : (N + 1,) array
        Units left at the grid's times, from all to none.
    sales : (N,) array
        Units sold in each interval.
    expected_cost, variance : float
        Of the shortfall, in money and money squared.
    half_life : float
        Time in which the holdings that are left shrink by the factor e (Almgren and Chriss call it so); infinite when
        the plan is a straight line.
    """

    holdings: FloatArray
    sales: FloatArray
    expected_cost: float
    variance: float
    half_life: float

    def lvar(self, p: float = 0.95) -> float:
        """Liquidity-adjusted value at risk: expected cost plus the normal quantile times the standard deviation."""
        from scipy.special import ndtri

        if not 0 < p < 1:
            raise OptionError(f"p={p!r} lies between 0 and 1.")
        return float(self.expected_cost + ndtri(p) * np.sqrt(self.variance))


def almgren_chriss(
    quantity: float,
    horizon: float,
    steps: int,
    volatility: float,
    temporary: float,
    permanent: float = 0.0,
    fixed: float = 0.0,
    risk_aversion: float = 0.0,
) -> Schedule:
    """The schedule that minimises expected cost + risk aversion × variance, with linear impact.

    With tau = T / N, eta~ = eta − gamma tau / 2 and kappa~² = lambda sigma² / eta~:
    cosh(kappa tau) = 1 + kappa~² tau² / 2, x_j = X sinh(kappa (T − t_j)) / sinh(kappa T),
    E = gamma X² / 2 + eps X + (eta~ / tau) Σ n², V = sigma² tau Σ x_j² over j ≥ 1.

    Parameters
    ----------
    quantity : float
        X, units to sell.
    horizon : float
        T, in the time unit of the other parameters (days, say).
    steps : int
        N, number of intervals.
    volatility : float
        sigma, price units per square root of a time unit.
    temporary : float
        eta, price units per (unit a time unit).
    permanent : float, default 0
        gamma, price units per unit.
    fixed : float, default 0
        eps, price units: half the spread and fees.
    risk_aversion : float, default 0
        lambda, per unit of money; 0 gives equal sales.

    Returns
    -------
    Schedule

    Raises
    ------
    OptionError
        A parameter out of its range, or gamma tau ≥ 2 eta, at which the problem has no minimum.

    References
    ----------
    Almgren and Chriss (2001), Journal of Risk 3(2), 5-39.

    Examples
    --------
    >>> import drainstats as ds
    >>> plan = ds.measures.almgren_chriss(1e6, 5, 5, 0.95, 2.5e-6, 2.5e-7, 0.0625, risk_aversion=1e-6)
    >>> round(plan.expected_cost, 4), plan.holdings.round(1).tolist()
    (911226.9863, [1000000.0, 541955.6, 289854.2, 147897.5, 62141.8, 0.0])
    """
    x, t = positive_number("quantity", quantity), positive_number("horizon", horizon)
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise OptionError(f"steps={steps!r} is a whole number from 1 on.")
    sigma, eta = positive_number("volatility", volatility, zero=True), positive_number("temporary", temporary)
    gamma, eps = positive_number("permanent", permanent, zero=True), positive_number("fixed", fixed, zero=True)
    aversion = positive_number("risk_aversion", risk_aversion, zero=True)
    tau = t / steps
    eta_net = eta - gamma * tau / 2
    if eta_net <= 0:
        raise OptionError(f"permanent={gamma:g} × tau={tau:g} reaches 2 × temporary: take more steps.")
    step = np.arccosh(1 + aversion * sigma**2 / eta_net * tau**2 / 2)
    left = np.arange(steps, -1, -1, dtype=np.float64)
    holdings = x * (_sinh_ratio(step, left, steps) if step > 0 else left / steps)
    sales = -np.diff(holdings)
    cost = gamma * x**2 / 2 + eps * x + eta_net / tau * (sales**2).sum()
    variance = sigma**2 * tau * (holdings[1:] ** 2).sum()
    return Schedule(holdings, sales, float(cost), float(variance), float(tau / step) if step > 0 else float("inf"))


def _sinh_ratio(step: float, left: FloatArray, steps: int) -> FloatArray:
    # sinh(a) / sinh(b) without overflow.
    return np.exp(step * (left - steps)) * np.expm1(-2 * step * left) / np.expm1(-2 * step * steps)


@dataclass(frozen=True, slots=True)
class BlockSchedule:
    """A block now, an even rate, a block at the end; ``cost`` in money above the fundamental price."""

    block: float
    rate: float
    cost: float


def obizhaeva_wang(
    quantity: float, horizon: float, density: float, resilience: float, permanent: float = 0.0
) -> BlockSchedule:
    """The cheapest way out of a block-shaped book that refills.

    With kappa = 1/q − lambda_p: a block X / (rho T + 2) at both ends, the rate rho X / (rho T + 2) between them, cost
    lambda_p X² / 2 + kappa X² / (rho T + 2). In a drain the density q falls and so does the resilience rho.

    Parameters
    ----------
    quantity : float
        X, units to sell.
    horizon : float
        T; 0 sells at once.
    density : float
        q, units per unit of price on the side that is hit.
    resilience : float
        rho, per unit of time.
    permanent : float, default 0
        lambda_p, price units per unit; below 1/q.

    Returns
    -------
    BlockSchedule

    Raises
    ------
    OptionError

    References
    ----------
    Obizhaeva and Wang (2013), Journal of Financial Markets 16(1), 1-32.

    Examples
    --------
    >>> import drainstats as ds
    >>> plan = ds.measures.obizhaeva_wang(5e4, 1.0, 1e4, 2.0, 2e-5)
    >>> plan.block, plan.rate, round(plan.cost, 6)
    (12500.0, 25000.0, 75000.0)
    """
    x, t = positive_number("quantity", quantity), positive_number("horizon", horizon, zero=True)
    q, rho = positive_number("density", density), positive_number("resilience", resilience, zero=True)
    lasting = positive_number("permanent", permanent, zero=True)
    if lasting * q >= 1:
        raise OptionError(f"permanent={lasting:g} must lie below 1 / density = {1 / q:g}.")
    parts = rho * t + 2
    return BlockSchedule(x / parts, rho * x / parts, lasting * x**2 / 2 + (1 / q - lasting) * x**2 / parts)


def days_to_sell(notional: Any, dollar_volume: Any, participation: float = 0.15) -> Any:
    """Days in which a position can be sold at a share of the day's traded value.

    Parameters
    ----------
    notional : float or array
        Quote currency.
    dollar_volume : float or array
        Traded value a day, quote currency.
    participation : float, default 0.15
        The share of the volume that one may be.

    Returns
    -------
    array
        notional / (participation × dollar_volume); infinite where nothing trades.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> import drainstats as ds
    >>> round(float(ds.measures.days_to_sell(8e6, 5e6, 0.15)), 4)
    10.6667
    """
    if not 0 < participation <= 1:
        raise OptionError(f"participation={participation!r} lies between 0 and 1.")
    with np.errstate(divide="ignore"):
        return notional / (participation * np.asarray(dollar_volume, dtype=np.float64))


def exit_horizon(cost: Callable[[float], float], budget: float, shortest: float, longest: float) -> float:
    """The shortest time in which a position can be left within a budget; infinite when there is none.

    Parameters
    ----------
    cost : callable
        Cost, risk allowance included, of leaving within a time; any unit.
    budget : float
        In the same unit.
    shortest, longest : float
        Times between which to look, such as what the share of volume allows (`days_to_sell`) and a year.

    Returns
    -------
    float
        Cost falls with time as impact does and rises as risk does; the first crossing on a grid of 400 times, equal in
        logs, is refined. ``inf``: no time on the grid is cheap enough.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> import drainstats as ds
    >>> round(ds.measures.exit_horizon(lambda t: 40 / t**0.6 + 5 * t**0.5, 30.0, 0.5, 250.0), 3)
    2.779
    """
    low, high = positive_number("shortest", shortest), positive_number("longest", longest)
    if high <= low:
        raise OptionError(f"longest={high:g} must lie above shortest={low:g}.")
    times = np.geomspace(low, high, 400)
    fits = np.array([cost(float(t)) <= budget for t in times])
    if not fits.any():
        return float("inf")
    first = int(np.argmax(fits))
    if first == 0:
        return float(low)
    from scipy.optimize import brentq

    return float(brentq(lambda t: cost(t) - budget, times[first - 1], times[first], xtol=1e-12, rtol=1e-14))
