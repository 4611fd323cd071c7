"""How long leaving takes within a budget, by brute force and in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drainstats.errors import DataError, OptionError
from tests.measures.test_exit_cost import BOOK, M


def horizon_by_hand(law, value, budget, participation, quantile, lasting):
    times = np.geomspace(value / (participation * law.dollar_volume), 250.0, 2_000_001)
    share = value / (law.dollar_volume * times)
    spell = times if lasting else np.minimum(times, 1.0)
    impact = law.prefactor * law.volatility * np.sqrt(spell) * share**law.exponent / (1 + law.exponent)
    fits = 1e4 * (law.spread / 2 + impact + quantile * law.volatility * np.sqrt(times)) <= budget
    return times[np.argmax(fits)] if fits.any() else np.inf


@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize("exponent", [0.5, 0.8])
@pytest.mark.parametrize("budget", [20.0, 60.0, 90.0, 200.0])
def test_the_shortest_time_by_brute_force(lasting, exponent, budget):
    law = M.SquareRootLaw(0.03, 1e7, exponent=exponent, spread=0.0004)
    found = M.exit_cost({"A": 5e6}, {"A": law}, unit="money")
    got = found.horizon(budget, quantile=0.05, participation=0.5, impact="lasting" if lasting else "overnight")
    expected = horizon_by_hand(law, 5e6, budget, 0.5, 0.05, lasting)
    # The grid of the brute force is as fine as 3e-6.
    assert got.days == pytest.approx(expected, rel=1e-5)
    assert got.table.loc["A", "days"] == got.days


def test_the_law_alone_gives_no_reason_to_wait():
    found = M.exit_cost({"A": 5e6}, {"A": M.SquareRootLaw(0.03, 1e7)}, unit="money")
    cost = 1e4 * 0.03 * np.sqrt(0.5) / 1.5
    enough = found.horizon(cost * 1.001, quantile=0.0)
    assert enough.days == pytest.approx(5e6 / 1.5e6)
    short = found.horizon(cost * 0.999, quantile=0.0)
    assert short.days == np.inf
    assert short.portfolio["why"].startswith("never: the least is 141.4 bp")
    assert "never" in repr(short)
    assert short.table.loc["A", "cost_bp"] == pytest.approx(cost)


def test_a_book_that_fits_leaves_now():
    found = M.exit_cost({"A": 60.0, "B": 200.0}, {"A": BOOK, "B": BOOK})
    got = found.horizon(30.0)
    assert got.table.loc["A", ["days", "cost_bp"]].tolist() == pytest.approx([0.0, 25.0833333])
    assert got.table.loc["B", "why"] == "never: it can leave now, not whole, and has no law for later"
    assert (got.days, got.portfolio["why"][:5]) == (np.inf, "never")
    # With a law for what the book cannot take the rest of the portfolio leaves at its walk's cost.
    law = M.SquareRootLaw(0.001, 1e5)
    later = found.horizon(30.0, laws={"B": law}, quantile=0.5)
    assert later.table.loc["B", "earliest"] == pytest.approx(2e4 / 1.5e4)
    assert later.days == pytest.approx(2e4 / 1.5e4)
    mean = (6000 * 25.0833333 + 2e4 * 1e4 * law.cost(2e4, 4 / 3)) / 26000
    assert later.portfolio["cost_bp"] == pytest.approx(mean)
    assert later.portfolio["risk_bp"] == pytest.approx(0.5 * 10 * np.sqrt(4 / 3) * 20 / 26)
    with pytest.raises(OptionError, match="SquareRootLaw"):
        found.horizon(30.0, laws={"B": BOOK})


def test_risks_add_up_unless_a_correlation_says_less():
    laws = {"x": M.SquareRootLaw(0.02, 1e8), "y": M.SquareRootLaw(0.04, 1e8)}
    long_short = M.exit_cost({"x": 2e6, "y": -1e6}, laws, unit="money")
    options = {"budget_bp": 1e4, "quantile": 1.0, "participation": 0.02}
    risk = {}
    for name, matrix in {"none": None, "one": np.ones((2, 2)), "zero": np.eye(2)}.items():
        got = long_short.horizon(correlation=matrix, **options)
        assert got.days == pytest.approx(1.0)
        risk[name] = got.portfolio["risk_bp"]
    assert risk == pytest.approx({"none": 1e4 * 0.08 / 3, "one": 0.0, "zero": 1e4 * 0.04 * np.sqrt(2) / 3})
    for bad in (np.eye(3), [[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.1], [0.2, 1.0]], pd.DataFrame(np.eye(1), ["x"], ["x"])):
        with pytest.raises(DataError, match="correlation"):
            long_short.horizon(correlation=bad, **options)


def test_the_allowance_of_even_sales_is_almgren_and_chriss_s():
    found = M.exit_cost({"A": 1e6}, {"A": M.SquareRootLaw(0.02, 1e6)}, unit="money")
    got = found.horizon(1e5, participation=0.25, quantile=1.645, risk="even")
    plan = M.almgren_chriss(1e6, 4.0, 4000, 0.02, 1e-9)
    # 4000 steps: the sum over steps lies 1.5 / 4000 below the integral.
    assert got.portfolio["risk_bp"] == pytest.approx(1e4 * 1.645 * np.sqrt(plan.variance) / 1e6, rel=3e-4)
    held = found.horizon(1e5, participation=0.25, quantile=1.645)
    assert held.portfolio["risk_bp"] == pytest.approx(np.sqrt(3) * got.portfolio["risk_bp"])


def test_cross_impact_enters_the_portfolio_s_horizon():
    laws = {"x": M.SquareRootLaw(0.02, 1e8), "y": M.SquareRootLaw(0.02, 1e8)}
    impact = pd.DataFrame([[1e-9, 5e-10], [5e-10, 1e-9]], ["x", "y"], ["x", "y"])
    plain, linked = (
        M.exit_cost({"x": 1e7, "y": 1e7}, laws, unit="money", cross_impact=matrix).horizon(1e3, quantile=0.0)
        for matrix in (None, impact)
    )
    assert linked.portfolio["cost_bp"] - plain.portfolio["cost_bp"] == pytest.approx(1e4 * 5e-10 * 1e14 / 2e7)
    assert linked.table.equals(plain.table)


def test_markets_that_stand_still():
    found = M.exit_cost({"A": 1e6}, {"A": M.SquareRootLaw(0.02, 0.0)}, unit="money")
    assert found.unfilled_value == 1e6
    got = found.horizon(1e4)
    assert (got.days, got.portfolio["why"]) == (np.inf, "never: at this share of volume it has no end: nothing trades")
    assert found.days_to_cash().loc["A", "days"] == np.inf
    slow = M.exit_cost({"A": 1e9}, {"A": M.SquareRootLaw(0.02, 1e6)}, unit="money").horizon(1e4)
    assert slow.portfolio["why"] == "never: at this share of volume it takes 6667 days"
    unknown = M.exit_cost({"A": 1.0}, {"A": M.OrderBook([], [])}).horizon(10.0)
    assert np.isnan(unknown.days)
    assert unknown.portfolio["why"] == "unknown: a position has no price"


def test_days_to_cash():
    law = M.SquareRootLaw(0.02, 5e6)
    held = {"A": 8e6, "B": -1e6, "C": 4e6}
    found = M.exit_cost(held, dict.fromkeys(held, law), unit="money")
    table = found.days_to_cash()
    assert table.loc["A", "days"] == pytest.approx(10.6667, abs=1e-4)
    assert found.days_to_cash(edges=(4.0, 7.0)).loc["A", "within 4 days"] == pytest.approx(3e6)
    assert table["bucket"].tolist() == ["over 7 days", "within 3 days", "3 to 7 days", "over 7 days"]
    parts = table[["within 3 days", "3 to 7 days", "over 7 days"]]
    np.testing.assert_allclose(parts.sum(axis=1), table["value"])
    assert table.loc["portfolio", "value"] == 13e6
    by_book = M.exit_cost({"A": 60.0}, {"A": BOOK})
    assert by_book.days_to_cash({"A": 1e4}).loc["A", "days"] == pytest.approx(4.0)
    with pytest.raises(OptionError, match="traded value of A"):
        by_book.days_to_cash()
    for edges in ((), (3.0, 3.0), (-1.0,)):
        with pytest.raises(OptionError, match="edges"):
            found.days_to_cash(edges=edges)
    with pytest.raises(OptionError, match="participation"):
        found.days_to_cash(participation=0.0)
