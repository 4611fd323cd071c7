"""Routing, schedules and liquidity risk: worked numbers, optimality by brute force, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures
VENUES = {
    "book": M.OrderBook([(100.0, 5.0), (99.5, 10.0), (97.0, 80.0)], [(100.2, 5.0)], fee=0.001),
    "pool": M.ConstantProductPool(1000.0, 100_000.0),
    "ranges": M.ConcentratedPool(100.1, [95.0, 99.0, 101.0], [2000.0, 8000.0], fee=0.0005),
}


@pytest.mark.parametrize("quantity", [0.5, 7.0, 30.0, 90.0, 150.0])
def test_no_other_split_brings_more(quantity):
    route = M.sell_across(VENUES, quantity)
    assert route.filled == pytest.approx(quantity, rel=1e-12)
    rng = np.random.default_rng(0)
    parts = np.array([route.fills[n].asked if n in route.fills else 0.0 for n in VENUES])
    for _ in range(300):
        moved = np.maximum(0.0, parts + rng.normal(0, 0.05 * quantity, 3))
        moved *= quantity / moved.sum()
        money = sum(v.sell(q).money for v, q in zip(VENUES.values(), moved, strict=True) if q > 0)
        assert money <= route.money * (1 + 1e-12)


def test_what_no_venue_takes_is_unfilled():
    route = M.sell_across({"book": VENUES["book"], "ranges": VENUES["ranges"]}, 1e4)
    assert 0 < route.filled < 1e4
    assert route.unfilled == pytest.approx(1e4 - route.filled)
    assert np.isnan(route.marginal_price)
    with pytest.raises(OptionError, match="No venues"):
        M.sell_across({}, 1.0)


def test_one_venue_is_its_own_route():
    route = M.sell_across({"pool": VENUES["pool"]}, 20.0)
    assert route.money == pytest.approx(VENUES["pool"].sell(20.0).money, rel=1e-12)
    assert route.cost_against(100.0) == pytest.approx(VENUES["pool"].sell(20.0).cost_bp, rel=1e-9)


CASE = {"quantity": 1e6, "horizon": 5, "steps": 5, "volatility": 0.95, "temporary": 2.5e-6}
CASE |= {"permanent": 2.5e-7, "fixed": 0.0625}


@pytest.mark.parametrize(
    ("risk_aversion", "cost", "variance", "half_life"),
    [
        (0.0, 662500, 1.083e12, np.inf),
        (1e-6, 911226.986304, 364128572058.141, 1.6472397708),
        (2e-6, 1140715.167050, 201931287150.52, 1.1816180857),
        (1e-9, 662500.903670, 1.081191800978e12, 51.299730),
        (9e-9, 662572.098820, 1.066909586730e12, 17.102075),
    ],
)
def test_almgren_chriss(risk_aversion, cost, variance, half_life):
    plan = M.almgren_chriss(**CASE, risk_aversion=risk_aversion)
    assert plan.expected_cost == pytest.approx(cost, rel=1e-11)
    assert plan.variance == pytest.approx(variance, rel=1e-11)
    assert plan.half_life == pytest.approx(half_life, rel=1e-7)
    assert plan.sales.sum() == pytest.approx(1e6)


def test_almgren_chriss_path_and_lvar():
    plan = M.almgren_chriss(**CASE, risk_aversion=1e-6)
    assert plan.holdings[1:5] == pytest.approx([541955.554374, 289854.219410, 147897.487822, 62141.801606], abs=1e-6)
    assert plan.lvar(0.95) == pytest.approx(1903782.110506, abs=1e-5)
    with pytest.raises(OptionError, match="p=1"):
        plan.lvar(1)


def test_almgren_chriss_is_the_minimum():
    aversion = 3e-6
    plan = M.almgren_chriss(**CASE, risk_aversion=aversion)
    tau, eta = 1.0, CASE["temporary"] - CASE["permanent"] / 2

    def objective(sales):
        left = 1e6 - np.cumsum(sales)
        return eta / tau * (sales**2).sum() + aversion * CASE["volatility"] ** 2 * tau * (left**2).sum()

    rng = np.random.default_rng(1)
    best = objective(plan.sales)
    for _ in range(200):
        step = rng.normal(0, 1e4, 5)
        assert objective(plan.sales + step - step.mean()) >= best


def test_a_great_aversion_does_not_overflow():
    plan = M.almgren_chriss(1e6, 5, 50, 0.95, 2.5e-6, risk_aversion=1e3)
    assert plan.sales[0] == pytest.approx(1e6, rel=1e-3)
    assert np.isfinite(plan.holdings).all()


def test_obizhaeva_wang():
    plan = M.obizhaeva_wang(5e4, 1.0, 1e4, 2.0, 2e-5)
    assert (plan.block, plan.rate) == (12500.0, 25000.0)
    assert plan.cost == pytest.approx(75000)
    assert M.obizhaeva_wang(5e4, 0.0, 1e4, 2.0, 2e-5).cost == pytest.approx(125000)
    # A drain: a thinner book that refills more slowly costs more.
    assert M.obizhaeva_wang(5e4, 1.0, 2e3, 0.5, 2e-5).cost > 5 * plan.cost
    with pytest.raises(OptionError, match="must lie below"):
        M.obizhaeva_wang(1.0, 1.0, 1e4, 1.0, 1e-4)


def test_obizhaeva_wang_is_the_minimum_of_a_discrete_programme():
    # A block book on a grid: each sale pays half its own push, the push of earlier ones decays.
    x, t, q, rho, n = 5e4, 1.0, 1e4, 2.0, 401
    lasting = 2e-5
    kappa = 1 / q - lasting
    times = np.linspace(0, t, n)
    lag = np.abs(times[:, None] - times[None, :])
    impact = lasting + kappa * np.exp(-rho * lag)
    solved = np.linalg.solve(impact, np.ones(n))
    sales = x * solved / solved.sum()
    cost = sales @ impact @ sales / 2
    assert cost == pytest.approx(M.obizhaeva_wang(x, t, q, rho, lasting).cost, rel=1e-5)


def test_days_to_sell_and_horizons():
    assert float(M.days_to_sell(8e6, 5e6, 0.15)) == pytest.approx(10.6667, abs=1e-4)
    assert np.isinf(M.days_to_sell(8e6, [0.0, 1e6])[0])

    def cost(t):
        return 40 / t**0.6 + 5 * t**0.5

    found = M.exit_horizon(cost, 30.0, 0.5, 250.0)
    assert cost(found) == pytest.approx(30.0)
    assert cost(0.99 * found) > 30.0
    assert M.exit_horizon(cost, 1000.0, 0.5, 250.0) == 0.5
    assert M.exit_horizon(cost, 1.0, 0.5, 250.0) == np.inf


def test_bangia():
    value = M.bangia_lvar(1e6, 0.012, 2.33, 0.005, 0.0025, 3.0, kurtosis=6.0, fat_tail=0.4)
    assert value == pytest.approx(41332.002625, abs=1e-6)
    textbook = M.bangia_lvar(100, 0.02, 1.65, 0.01, loss="linear")
    assert textbook == pytest.approx(3.80, abs=1e-12)
    one = {"volatility": 0.01, "quantile": 2.3263478740408408, "spread": 0.003, "loss": "linear"}
    assert M.bangia_lvar(1e6, **one) == pytest.approx(24763.478740, abs=1e-6)
    # The notes' 75065.578791 was rounded on its way: 23263.478740 × √10 + 1500 is .579119.
    assert M.bangia_lvar(1e6, **one, days=10) == pytest.approx(75065.579119, abs=1e-6)
    with pytest.raises(OptionError, match="tail factor"):
        M.bangia_lvar(1e6, 0.01, kurtosis=0.01, fat_tail=1.0)


def test_liquidity_horizons():
    assert M.liquidity_horizon_es([100, 80, 50, 30, 20]) == pytest.approx(160.0)
    assert M.liquidity_horizon_es([100], [10]) == 100.0
    for shortfalls, horizons in (([1, 2], [10]), ([1, 2], [20, 10]), ([np.nan], [10])):
        with pytest.raises(DataError):
            M.liquidity_horizon_es(shortfalls, horizons)


def test_cross_impact():
    sigma, omega = np.array([[4e-4, 2.4e-4], [2.4e-4, 9e-4]]), np.array([[1.0, 0.3], [0.3, 4.0]])
    impact = M.kyle_cross_impact(sigma, omega)
    assert impact == pytest.approx(np.array([[0.0190262070, 0.0019696641], [0.0019696641, 0.0148206394]]), abs=1e-10)
    assert np.linalg.eigvalsh(impact) == pytest.approx([0.0140422297, 0.0198046167], abs=1e-10)
    assert impact @ omega @ impact == pytest.approx(sigma, rel=1e-10)
    both, hedged = np.ones(2), np.array([1.0, -1.0])
    assert both @ impact @ both / 2 == pytest.approx(0.0188930873, abs=1e-10)
    assert np.trace(impact) / 2 == pytest.approx(0.0169234232, abs=1e-10)
    assert hedged @ impact @ hedged / 2 == pytest.approx(0.0149537591, abs=1e-10)


def test_cross_impact_scales_and_permutes():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(50, 6)), rng.normal(size=(50, 6))
    sigma, omega = np.cov(a.T), np.cov(b.T)
    impact = M.kyle_cross_impact(sigma, omega)
    assert np.linalg.eigvalsh(impact)[0] > 0
    assert M.kyle_cross_impact(4 * sigma, omega) == pytest.approx(2 * impact, rel=1e-9)
    order = [3, 1, 5, 0, 2, 4]
    mixed = M.kyle_cross_impact(sigma[np.ix_(order, order)], omega[np.ix_(order, order)])
    assert mixed == pytest.approx(impact[np.ix_(order, order)], rel=1e-8)
    with pytest.raises(DataError, match="positive definite"):
        M.kyle_cross_impact(sigma, np.zeros((6, 6)))
    with pytest.raises(DataError, match="not symmetric"):
        M.kyle_cross_impact(np.triu(sigma), omega)


def test_the_square_root_law_s_worked_numbers():
    law = M.square_root_cost
    for options, peak, mean in (
        ({}, 126.4911064, 84.3274043),
        ({"prefactor": 0.5}, 63.2455532, 42.1637021),
        ({"exponent": 0.489}, 129.7358468, 87.1294985),
        ({"exponent": 0.6}, 100.4754573, 62.7971608),
    ):
        got = [1e4 * law([0.04], [1e9], 1e8, mean=m, **options)[0] for m in (False, True)]
        # Seven digits: the notes' powers with exponent .489 are given to 2e-7.
        assert got == pytest.approx([peak, mean], rel=2e-7)
    got = [1e4 * law([0.04], [2e9], 5e7, mean=m)[0] for m in (False, True)]
    assert got == pytest.approx([63.2455532, 42.1637021], abs=1e-7)
    assert 1e4 * law([0.04], [2e9], 70_312_500.0)[0] == pytest.approx(50.0)
