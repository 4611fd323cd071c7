"""Leaving a portfolio: worked numbers, invariants, cross impact, baselines, horizons, and what ugly venues answer."""

from __future__ import annotations

import dataclasses
import doctest
import pathlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures
BIDS = [(99.99, 5), (99.95, 10), (99.90, 20), (99.50, 40), (98.0, 100)]
ASKS = [(100.01, 5), (100.05, 10), (100.10, 20), (100.50, 40), (102.0, 100)]
BOOK = M.OrderBook(BIDS, ASKS)
V2 = M.ConstantProductPool(1000.0, 2e6)
V3 = M.ConcentratedPool(
    2000.0, [*(1.0001**t for t in (75840, 75900, 75960)), 2000.0], [1e5, 5e5, 2e6], fee=0.003
)  # fmt: skip
CURVE = M.StableSwapPool((1.8e6, 0.2e6), 100, fee=0.0)
LAW = M.SquareRootLaw(0.04, 1e9, price=50.0)
VENUES = {"book": BOOK, "v2": V2, "v3": V3, "curve": CURVE, "law": LAW}
POSITIONS = {"book": 60.0, "v2": 50.0, "v3": 150.0, "curve": 1e5, "law": 2e6}
COST = M.exit_cost(POSITIONS, VENUES, prices={"curve": 1.0})


@pytest.mark.parametrize(
    ("asset", "money", "cost_bp", "how"),
    [
        ("book", 5984.95, 25.0833333, "book"),
        ("v2", 94965.9475163, 503.4052484, "pool"),
        ("v3", 297973.3527797, 67.5549073, "pool"),
        ("curve", 83169.063083, 1683.0937, "pool"),
        ("law", 1e8 * (1 - 84.3274043e-4), 84.3274043, "law"),
    ],
)
def test_worked_numbers(asset, money, cost_bp, how):
    # The last digit that is given; the law's money is as exact as its basis points.
    row = COST.table.loc[asset]
    assert row["money"] == pytest.approx(money, abs=1e-2 if how == "law" else 1e-6)
    assert row["cost_bp"] == pytest.approx(cost_bp, abs=1e-4 if asset == "curve" else 1e-7)
    assert (row["how"], row["censored"], row["unfilled"]) == (how, False, 0.0)


def test_totals():
    table = COST.table
    assert COST.value == pytest.approx(6000 + 1e5 + 3e5 + 1e5 + 1e8)
    assert COST.cost == pytest.approx((table["value"] - table["money"]).sum())
    assert COST.cost_bp == pytest.approx(1e4 * COST.cost / COST.value)
    assert (COST.unfilled_value, COST.censored, COST.notes) == (0.0, False, ())
    assert COST.fills["book"] == BOOK.sell(60)


@pytest.mark.parametrize(
    ("venue", "quantity", "filled", "money"),
    [(BOOK, 200.0, 175.0, 17277.45), (V3, 300.0, 300 - 140.8175164, 316038.8087940)],
)
def test_what_ends_early_is_censored_and_not_guessed(venue, quantity, filled, money):
    found = M.exit_cost({"A": quantity, "B": 50.0}, {"A": venue, "B": V2})
    row = found.table.loc["A"]
    assert (row["filled"], row["money"]) == pytest.approx((filled, money), abs=1e-7)
    assert row["cost"] == pytest.approx(filled * venue.price - money, abs=2e-4)
    assert found.unfilled_value == pytest.approx((quantity - filled) * venue.price, abs=1e-3)
    assert found.censored
    assert "found no taker" in found.notes[0]
    assert "found no taker" in repr(found)
    # More of what nobody takes costs no more.
    more = M.exit_cost({"A": 2 * quantity, "B": 50.0}, {"A": venue, "B": V2})
    assert (more.cost, more.cost_bp) == pytest.approx((found.cost, found.cost_bp))


def test_shorts_are_bought_back():
    found = M.exit_cost({"A": -60.0, "B": -50.0}, {"A": BOOK, "B": V2})
    # The asks mirror the bids around 100.
    assert found.table.loc["A", "money"] == pytest.approx(12000 - 5984.95)
    assert found.table.loc["A", "cost_bp"] == pytest.approx(25.0833333, abs=1e-7)
    assert found.table.loc["B", "cost"] == pytest.approx(V2.buy(50.0).money - 1e5)
    assert found.table["side"].tolist() == ["buy", "buy"]
    assert found.cost > 0


def test_money_is_units_at_the_reference():
    units = M.exit_cost({"A": 60.0, "B": -3.0}, {"A": BOOK, "B": V2})
    money = M.exit_cost({"A": 6000.0, "B": -6000.0}, {"A": BOOK, "B": V2}, unit="money")
    pd.testing.assert_frame_equal(units.table, money.table)
    # A law without a price counts money.
    law = M.exit_cost({"A": 1e8}, {"A": M.SquareRootLaw(0.04, 1e9)}, unit="money")
    assert law.cost_bp == pytest.approx(84.3274043, abs=1e-7)
    assert law.table.loc["A", "asked"] == 1e8


POSITION = st.floats(-500.0, 500.0).filter(lambda q: q == 0 or abs(q) > 1e-3)


@given(st.lists(POSITION, min_size=3, max_size=3), st.permutations(["a", "b", "c"]), st.floats(0.01, 100.0))
@settings(max_examples=60, deadline=None)
def test_scale_order_and_rows(sizes, order, scale):
    venues = {"a": BOOK, "b": V2, "c": {"one": BOOK, "two": M.OrderBook(BIDS[1:], ASKS[1:], fee=0.001)}}
    held = pd.Series(sizes, ["a", "b", "c"])
    found = M.exit_cost(held, venues)
    pd.testing.assert_frame_equal(M.exit_cost(held[order], venues).table, found.table.loc[order])
    # Two rows of one asset are one position.
    split = pd.concat([held * 0.25, held * 0.75])
    again = M.exit_cost(split, venues).table
    np.testing.assert_allclose(again["money"], found.table["money"], rtol=1e-12, atol=1e-9)

    # Amounts and positions times a number: costs times it, basis points as they were.
    def larger(book):
        return M.OrderBook(book.bids * [1, scale], book.asks * [1, scale], book.fee)

    grown = {"a": larger(BOOK), "b": M.ConstantProductPool(1000.0 * scale, 2e6 * scale)}
    grown["c"] = {name: larger(book) for name, book in venues["c"].items()}
    grown_cost = M.exit_cost(held * scale, grown)
    np.testing.assert_allclose(grown_cost.table["cost"], scale * found.table["cost"], rtol=1e-7, atol=1e-7 * scale)
    np.testing.assert_allclose(grown_cost.table["cost_bp"], found.table["cost_bp"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("quantity", [3.0, 40.0, 120.0, -3.0, -40.0, -120.0])
def test_a_route_beats_each_venue_alone(quantity):
    several = {
        "book": BOOK,
        "pool": M.ConstantProductPool(1000.0, 1e5),
        "stable": M.StableSwapPool((1e3, 1e5), 50, sold=0, bought=1),
        "law": M.SquareRootLaw(0.03, 1e6, spread=0.001, price=100.0),
    }
    price = {"A": 100.0}
    routed = M.exit_cost({"A": quantity}, {"A": several}, prices=price)
    assert routed.table.loc["A", "how"] == "route"
    assert not routed.censored
    alone = [M.exit_cost({"A": quantity}, {"A": v}, prices=price) for v in several.values()]
    assert routed.cost <= min(one.cost for one in alone if not one.censored) + 1e-9
    # Of one venue the route is the venue.
    only = M.exit_cost({"A": quantity}, {"A": {"pool": several["pool"]}}, prices=price)
    assert only.cost == pytest.approx(alone[1].cost, rel=1e-9)


def test_no_other_split_of_a_purchase_costs_less():
    several = {
        "book": M.OrderBook([(99.9, 5.0)], [(100.2, 5.0), (100.9, 20.0), (104.0, 90.0)], fee=0.001),
        "pool": M.ConstantProductPool(1000.0, 100_000.0),
        "ranges": M.ConcentratedPool(100.1, [99.0, 101.0, 106.0], [2000.0, 8000.0], fee=0.0005),
    }
    rng = np.random.default_rng(0)
    for quantity in (0.5, 20.0, 80.0):
        route = M.buy_across(several, quantity)
        assert route.filled == pytest.approx(quantity, rel=1e-12)
        parts = np.array([route.fills[n].asked if n in route.fills else 0.0 for n in several])
        for _ in range(300):
            moved = np.maximum(0.0, parts + rng.normal(0, 0.05 * quantity, 3))
            moved *= quantity / moved.sum()
            fills = [v.buy(q) for v, q in zip(several.values(), moved, strict=True) if q > 0]
            if not any(fill.unfilled for fill in fills):
                assert sum(fill.money for fill in fills) >= route.money * (1 - 1e-12)


def test_a_purchase_stops_at_its_limit():
    route = M.buy_across({"pool": M.ConstantProductPool(1000.0, 1e5, fee=0.0)}, 5000.0)
    # At a hundred times the price a tenth of the coins is left.
    assert route.filled == pytest.approx(900.0)
    assert M.buy_across({"book": BOOK}, 20.0, limit=100.05).filled == 15.0
    assert M.buy_across({"book": M.OrderBook([], ASKS)}, 20.0).filled == 20.0
    assert M.buy_across({"book": M.OrderBook([], [])}, 20.0).filled == 0.0


BUYABLE = [BOOK, M.OrderBook(BIDS, ASKS, fee=0.002), V2, V3, CURVE, M.StableSwapPool((1e3, 9e2, 2e3), 50, sold=2), LAW]


@pytest.mark.parametrize("venue", BUYABLE, ids=lambda v: type(v).__name__)
def test_supply_to_buyers_stops_where_the_next_unit_costs_more(venue):
    price = 1.02 * venue.price
    quantity = venue.bought_up_to(price)
    if venue is V3:
        # Its price stands at the top of its ranges: nothing is above.
        assert quantity == 0.0
        return
    assert quantity > 0
    step = 1e-4 * quantity
    assert (venue.buy(quantity).money - venue.buy(quantity - step).money) / step <= price * (1 + 1e-5)
    beyond = venue.buy(quantity + step)
    if beyond.unfilled < step / 2:
        assert (beyond.money - venue.buy(quantity).money) / step >= price * (1 - 1e-5)
    assert venue.bought_up_to(0.98 * venue.price) == 0.0


def test_a_stable_pool_takes_back_what_it_sold():
    for fee in (0.0, 0.001):
        pool = M.StableSwapPool((1e6, 0.9e6, 1.1e6), 200, fee=fee)
        sold = pool.sell(5e4)
        after = M.StableSwapPool((1.05e6, 0.9e6 - sold.money, 1.1e6), 200, fee=fee)
        back = after.buy(5e4)
        assert after.price == pytest.approx(sold.price_after)
        assert back.money == pytest.approx(sold.money, rel=1e-9) if fee == 0 else back.money > sold.money * 1.0015
    assert pool.buy(1e6).filled == 0.0


def test_the_law_is_not_taken_beyond_what_it_is_known_for():
    assert LAW.sell(4e7).filled == pytest.approx(2e7)
    assert M.SquareRootLaw(0.04, 0.0, price=1.0).sell(1.0).filled == 0.0
    # A law that eats the whole price stops there: nobody pays to sell.
    wild = M.SquareRootLaw(2.0, 1e6, price=1.0)
    fill = wild.sell(1e6)
    assert fill.filled == pytest.approx(0.25e6)
    assert fill.price_after != fill.price_after
    assert wild.buy(1e6).filled == 1e6
    for bad in ({"volatility": -1}, {"dollar_volume": np.nan}, {"exponent": 1.5}, {"spread": 2.0}, {"price": 0.0}):
        with pytest.raises(OptionError):
            M.SquareRootLaw(**{"volatility": 0.1, "dollar_volume": 1.0, **bad})
    with pytest.raises(OptionError, match="no price"):
        M.SquareRootLaw(0.1, 1.0).sell(1.0)


SIGMA, OMEGA = [[4e-4, 2.4e-4], [2.4e-4, 9e-4]], [[1.0, 0.3], [0.3, 4.0]]
LAMBDA = pd.DataFrame(M.kyle_cross_impact(SIGMA, OMEGA), ["x", "y"], ["x", "y"])
FREE = {"x": M.SquareRootLaw(0.0, 1e9), "y": M.SquareRootLaw(0.0, 1e9)}


def test_cross_impact_worked_numbers():
    both = M.exit_cost({"x": 1.0, "y": 1.0}, FREE, unit="money", cross_impact=LAMBDA)
    own, cross = both.cross_impact["own"].sum(), both.cross_impact["cross"].sum()
    assert own == pytest.approx(0.0169234232, abs=1e-10)
    assert own + cross == pytest.approx(0.0188930873, abs=1e-10)
    assert both.cost == pytest.approx(cross)
    hedged = M.exit_cost({"x": 1.0, "y": -1.0}, FREE, unit="money", cross_impact=LAMBDA)
    assert hedged.cross_impact.sum().sum() == pytest.approx(0.0149537591, abs=1e-10)
    assert "cross impact" in repr(both)


def test_without_links_the_whole_is_the_sum():
    impact = pd.DataFrame(np.diag([1e-9, 2e-9, 5e-9]), ["book", "v2", "law"], ["book", "v2", "law"])
    held = {name: POSITIONS[name] for name in ("v2", "law", "book")}
    found = M.exit_cost(held, VENUES, cross_impact=impact)
    alone = sum(M.exit_cost({name: q}, VENUES).cost for name, q in held.items())
    assert found.cost == pytest.approx(alone, rel=1e-14)
    assert found.cross_impact.loc["law", "own"] == pytest.approx(5e-9 * 1e16 / 2)


def test_cross_impact_of_units_and_of_money_agree():
    venues = {"x": M.SquareRootLaw(0.0, 1e9, price=10.0), "y": M.SquareRootLaw(0.0, 1e9, price=3.0)}
    price = np.array([10.0, 3.0])
    by_unit = M.exit_cost({"x": 4.0, "y": 7.0}, venues, cross_impact=LAMBDA * np.outer(price, price), cross_unit="base")
    by_money = M.exit_cost({"x": 4.0, "y": 7.0}, venues, cross_impact=LAMBDA)
    assert by_unit.cost == pytest.approx(by_money.cost, rel=1e-12)
    # Only what was filled pushes.
    cut = {**venues, "x": dataclasses.replace(venues["x"], dollar_volume=20.0)}
    part = M.exit_cost({"x": 4.0, "y": 7.0}, cut, cross_impact=LAMBDA)
    assert part.cost == pytest.approx(M.exit_cost({"x": 2.0, "y": 7.0}, venues, cross_impact=LAMBDA).cost)


@pytest.mark.parametrize(
    ("impact", "message"),
    [
        (LAMBDA.iloc[:1, :1], "lacks y"),
        ([[1.0]], "2 positions"),
        ([[1.0, 0.5], [0.4, 1.0]], "not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "some round trip would gain"),
        ([[np.nan, 0.0], [0.0, 1.0]], "finite"),
    ],
)
def test_matrices_that_are_none(impact, message):
    with pytest.raises(DataError, match=message):
        M.exit_cost({"x": 1.0, "y": 1.0}, FREE, unit="money", cross_impact=impact)


def test_against_a_calm_day():
    thin = M.OrderBook([(99.0, 20), (90.0, 40)], [(101.0, 20)])
    now = M.exit_cost({"A": 60.0}, {"A": thin}, baseline={"A": BOOK})
    assert now.compared.loc["A", "baseline_bp"] == pytest.approx(25.0833333, abs=1e-7)
    assert now.compared.loc["A", "cost_bp"] == pytest.approx(1e4 * (20 + 400) / 6000)
    assert now.compared.loc["portfolio", "ratio"] == pytest.approx(700 / 25.0833333, rel=1e-8)
    assert now.compared["bound"].tolist() == ["", ""]
    # What was filled now is less than on the calm day: the ratio is a lower bound.
    cut = M.exit_cost({"A": 150.0}, {"A": thin}, baseline=M.exit_cost({"A": 150.0}, {"A": BOOK}))
    assert cut.compared["bound"].tolist() == ["lower", "lower"]
    assert "at least" in repr(cut)
    other = M.exit_cost({"A": 150.0}, {"A": BOOK}, baseline={"A": thin})
    assert other.compared["bound"].tolist() == ["upper", "upper"]
    with pytest.raises(OptionError, match="baseline="):
        COST.compared  # noqa: B018


def test_calm_sigma_and_volume_understate():
    # At the trough sigma is five times, volume ten times the calm day's: the law's cost grows by 5 / √10.
    trough = dataclasses.replace(LAW, volatility=0.2, dollar_volume=1e10)
    found = M.exit_cost({"A": 2e5}, {"A": trough}, baseline={"A": LAW})
    assert found.compared.loc["A", "ratio"] == pytest.approx(5 / np.sqrt(10))


def test_empty_and_one_sided_books():
    empty, no_asks = M.OrderBook([], []), M.OrderBook(BIDS, [])
    found = M.exit_cost({"A": 1.0, "B": 60.0, "C": 60.0}, {"A": empty, "B": no_asks, "C": BOOK})
    assert found.table.loc["A", ["filled", "cost", "censored"]].tolist() == [0.0, 0.0, True]
    assert np.isnan(found.table.loc["B", "cost"])
    assert np.isnan([found.cost, found.value, found.cost_bp]).all()
    assert "prices={'A': …}" in found.notes[0]
    priced = M.exit_cost({"A": 1.0, "B": 60.0}, {"A": empty, "B": no_asks}, prices={"A": 10.0, "B": 100.0})
    assert priced.table.loc["B", "cost_bp"] == pytest.approx(25.0833333, abs=1e-7)
    assert (priced.unfilled_value, priced.cost) == (10.0, pytest.approx(6000 - 5984.95))
    # An empty book alone leaves the cost of the others known, and the value unknown.
    known = M.exit_cost({"A": 1.0, "C": 60.0}, {"A": empty, "C": BOOK}, cross_impact=np.eye(2), cross_unit="base")
    assert known.cost_bp == pytest.approx(25.0833333, abs=1e-7)
    assert np.isnan(known.unfilled_value)
    money = M.exit_cost({"A": 500.0}, {"A": empty}, unit="money")
    assert (money.value, money.unfilled_value, money.cost) == (500.0, 500.0, 0.0)
    for no_bids in ({"A": M.OrderBook([], ASKS)}, {"A": {"one": M.OrderBook([], ASKS), "two": empty}}):
        assert M.exit_cost({"A": 5.0}, no_bids).table.loc["A", "filled"] == 0.0


def test_a_pool_without_liquidity():
    dry = M.ConcentratedPool(1.0, [2.0, 3.0], [1.0])
    found = M.exit_cost({"A": 7.0}, {"A": dry})
    assert (found.value, found.unfilled_value, found.cost) == (7.0, 7.0, 0.0)
    assert np.isnan(found.cost_bp)
    with pytest.raises(OptionError, match="base"):
        M.ConstantProductPool(0.0, 0.0)


def test_positions_of_zero():
    found = M.exit_cost({"A": 0.0, "B": 0}, {"A": BOOK})
    assert found.table["side"].tolist() == ["none", "none"]
    assert found.table["how"].tolist() == ["book", "none"]
    assert (found.cost, found.unfilled_value, found.censored, found.notes) == (0.0, 0.0, False, ())
    assert found.horizon(10).days == 0.0
    assert found.days_to_cash()["value"].tolist() == [0.0, 0.0, 0.0]
    # Long and short of one asset net.
    assert M.exit_cost(pd.Series([5.0, -5.0], ["A", "A"]), {"A": BOOK}).cost == 0.0


@pytest.mark.parametrize(
    ("positions", "venues", "options", "error", "message"),
    [
        ({"A": np.nan}, {"A": BOOK}, {}, DataError, "position in A is nan"),
        ({"A": np.inf}, {"A": BOOK}, {}, DataError, "position in A is inf"),
        ({"A": "many"}, {"A": BOOK}, {}, DataError, "no number"),
        ({"B": 1.0}, {"A": BOOK}, {}, DataError, "no venue for B"),
        ({}, {"A": BOOK}, {}, DataError, "no positions"),
        ([1.0], {"A": BOOK}, {}, OptionError, "mapping or Series"),
        ({"A": 1.0}, {"A": "kraken"}, {}, OptionError, "venue of A is a str"),
        ({"A": 1.0}, {"A": {"one": BOOK, "two": None}}, {}, OptionError, "NoneType"),
        ({"A": 1.0}, {"A": {}}, {}, OptionError, "is empty"),
        ({"A": 1.0}, {"A": M.SquareRootLaw(0.1, 1.0)}, {}, OptionError, "law of A has no price"),
        ({"A": 1.0}, {"A": BOOK}, {"unit": "coins"}, OptionError, "unit"),
        ({"A": 1.0}, {"A": BOOK}, {"prices": {"A": 0.0}}, OptionError, "above zero"),
    ],
)
def test_one_sentence_each(positions, venues, options, error, message):
    with pytest.raises(error, match=message):
        M.exit_cost(positions, venues, **options)


def test_the_card():
    text = repr(M.exit_cost({"A": 60.0}, {"A": BOOK}, baseline={"A": BOOK}))
    assert (
        text.splitlines()[0]
        == "Exit of 1 position worth 6,000.00: cost 15.05 (25.08 bp of what is filled), unfilled 0.00"
    )
    assert "Against the baseline (25.08 bp): 1 times" in text


def test_the_card_of_many_positions_shows_the_dearest():
    held = {f"A{k:02d}": 200.0 + k for k in range(40)}
    found = M.exit_cost(held, dict.fromkeys(held, BOOK) | {"A07": M.OrderBook([(80.0, 500.0)], ASKS)})
    lines = repr(found).splitlines()
    assert lines[2].startswith("A07")
    assert [line for line in lines if "…" in line] == ["… and 28 more", "… and 27 more"]
    assert len(lines) < 30
    laws = dict.fromkeys(held, LAW)
    patient = repr(found.horizon(1e4, laws={**laws, "A31": M.SquareRootLaw(0.04, 0.0)})).splitlines()
    assert patient[1].startswith("A31: never")
    assert patient[-1] == "… and 28 more"


def test_the_how_to_runs():
    page = pathlib.Path(__file__).parents[2] / "docs/exit_costs.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 8
    assert result.failed == 0
