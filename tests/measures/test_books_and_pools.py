"""Walking books and pools: worked numbers, contract vectors, brute force, and what ugly venues answer."""

from __future__ import annotations

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


def test_a_sale_walks_the_bids():
    fill = BOOK.sell(60)
    assert fill.money == pytest.approx(5984.95, abs=1e-9)
    assert fill.cost_bp == pytest.approx(25.0833333, abs=1e-7)
    assert fill.cost_against(99.99) == pytest.approx(24.0857419, abs=1e-7)
    assert (fill.unfilled, fill.price_after) == (0.0, 99.5)
    assert BOOK.sell(5).price_after == 99.95


def test_what_the_book_cannot_take_is_unfilled():
    fill = BOOK.sell(200)
    assert (fill.filled, fill.unfilled) == (175.0, 25.0)
    assert fill.money == pytest.approx(17277.45, abs=1e-9)
    assert np.isnan(fill.price_after)
    assert np.isnan(BOOK.round_trip_bp(1e9))
    assert np.isnan(BOOK.round_trip_bp(176, by="shares"))


def test_round_trips_of_money_and_of_shares_differ():
    legs = BOOK.buy(BOOK.units_for(5000, "buy")).cost_bp, BOOK.sell(BOOK.units_for(5000, "sell")).cost_bp
    assert legs == pytest.approx((20.0400802, 20.1602792), abs=1e-7)
    assert BOOK.round_trip_bp(5000) == pytest.approx(40.2003594, abs=1e-7)
    assert BOOK.round_trip_bp(50, by="shares") == pytest.approx(40.2, abs=1e-9)


def test_fees_are_in_the_money():
    dear = M.OrderBook(BIDS, ASKS, fee=0.001)
    assert dear.sell(60).money == pytest.approx(0.999 * BOOK.sell(60).money)
    assert dear.buy(60).money == pytest.approx(1.001 * BOOK.buy(60).money)
    assert dear.sold_down_to(99.89) == 5.0
    assert BOOK.sold_down_to(99.9) == 35.0


def test_one_sided_and_empty_books():
    no_bids = M.OrderBook([], ASKS)
    fill = no_bids.sell(1)
    assert (fill.filled, fill.money) == (0.0, 0.0)
    assert np.isnan([fill.average, fill.cost_bp, no_bids.price]).all()
    assert no_bids.buy(1).filled == 1.0
    assert repr(M.OrderBook([], [])) == "OrderBook: – / –, 0 bids of 0, 0 asks of 0"


def test_a_row_of_snapshots_is_a_book():
    row = pd.Series({"bid_0": 99.0, "bid_size_0": 2.0, "ask_0": 101.0, "ask_size_0": 3.0})
    row = pd.concat([row, pd.Series({"bid_1": np.nan, "bid_size_1": np.nan, "ask_1": 102.0, "ask_size_1": 0.0})])
    assert repr(M.OrderBook.from_row(row)) == "OrderBook: 99 / 101, 1 bids of 2, 1 asks of 3"


@pytest.mark.parametrize(
    ("bids", "asks", "message"),
    [
        ([(101.0, 1)], [(100.0, 1)], "crossed"),
        ([(99.0, 1), (99.5, 1)], [], "from the best on"),
        ([(99.0, 1), (99.0, 1)], [], "each price once"),
        ([(-1.0, 1)], [], "above zero"),
        ([(np.inf, 1)], [], "finite"),
        ([(99.0, -1)], [], "at least zero"),
    ],
)
def test_books_that_are_none(bids, asks, message):
    with pytest.raises(DataError, match=message):
        M.OrderBook(bids, asks)


@pytest.mark.parametrize("quantity", [0, -1, np.nan, np.inf])
def test_quantities_that_are_none(quantity):
    for venue in (BOOK, M.ConstantProductPool(1.0, 1.0), M.ConcentratedPool(1.0, [0.5, 2.0], [1.0])):
        with pytest.raises(OptionError, match="quantity"):
            venue.sell(quantity)


@pytest.mark.parametrize(
    ("amount", "base", "quote", "wei"),
    [
        (1, 5, 10, 1662497915624478906),
        (1, 10, 5, 453305446940074565),
        (2, 5, 10, 2851015155847869602),
        (2, 10, 5, 831248957812239453),
        (1, 10, 10, 906610893880149131),
        (1, 100, 100, 987158034397061298),
        (1, 1000, 1000, 996006981039903216),
    ],
)
def test_the_contract_s_own_vectors(amount, base, quote, wei):
    # Uniswap/v2-core, test/UniswapV2Pair.spec.ts; a double holds 16 of these 19 digits.
    assert M.ConstantProductPool(base, quote).sell(amount).money * 1e18 == pytest.approx(wei, rel=1e-15)


def test_constant_product():
    pool = M.ConstantProductPool(1000.0, 2e6)
    fill = pool.sell(50.0)
    assert fill.money == pytest.approx(94965.9475163119, rel=1e-14)
    assert fill.cost_bp == pytest.approx(503.4052484, abs=1e-7)
    assert M.ConstantProductPool(1000.0, 2e6, fee=0.0).sell(50.0).cost_bp == pytest.approx(476.1904762, abs=1e-7)
    assert pool.depth(0.02) == pytest.approx(10.1525445522, abs=1e-10)
    free = M.ConstantProductPool(1000.0, 2e6, fee=0.0)
    assert free.sell(free.depth(0.02)).money == pytest.approx(20101.0126776678, rel=1e-13)
    assert free.sell(free.depth(0.02)).price_after == pytest.approx(0.98 * 2000)
    assert pool.impermanent_loss(1.0) == 0.0
    assert pool.impermanent_loss(4.0) == pytest.approx(-0.2)
    assert pool.impermanent_loss(0.25) == pytest.approx(-0.2)
    assert pool.buy(1000.0).unfilled == 1000.0


def test_buying_back_what_was_sold_costs_the_fees():
    pool = M.ConstantProductPool(1000.0, 2e6)
    sold = pool.sell(50.0)
    after = M.ConstantProductPool(1050.0, 2e6 - sold.money)
    assert after.price == pytest.approx(sold.price_after)
    assert after.buy(50.0).money > sold.money
    free = M.ConstantProductPool(1000.0, 2e6, fee=0.0)
    sold = free.sell(50.0)
    assert M.ConstantProductPool(1050.0, 2e6 - sold.money, 0.0).buy(50.0).money == pytest.approx(sold.money)


TICKS = [1.0001**t for t in (75840, 75900, 75960)]
RANGES = M.ConcentratedPool(2000.0, [*TICKS, 2000.0], [1e5, 5e5, 2e6], fee=0.003)


def test_concentrated_liquidity_through_ticks():
    assert np.allclose(TICKS, [1965.7336733457, 1977.5629362352, 1989.4633844853], rtol=0, atol=1e-8)
    assert RANGES.sell(50).money == pytest.approx(99588.9901557, abs=1e-6)
    middle = RANGES.sell(150)
    assert middle.money == pytest.approx(297973.3527797, abs=1e-6)
    assert middle.cost_bp == pytest.approx(67.5549073, abs=1e-7)
    assert middle.price_after == pytest.approx(1978.4070938, abs=1e-7)
    last = RANGES.sell(300)
    assert last.money == pytest.approx(316038.8087940, abs=1e-6)
    assert last.unfilled == pytest.approx(140.8175164, abs=1e-7)
    assert last.price_after == pytest.approx(TICKS[0])


def test_root_prices_of_the_contract():
    # Uniswap/v3-core, test/SqrtPriceMath.spec.ts: Q64.96 roots after 0.1 of either coin into L = 1 at price 1.
    full = M.ConcentratedPool(1.0, [1e-9, 1e9], [1.0], fee=0.0)
    assert np.sqrt(full.sell(0.1).price_after) * 2**96 == pytest.approx(72025602285694852357767227579, rel=1e-15)
    root = 87150978765690771352898345369 / 2**96
    bought = 1 - 1 / root
    assert full.buy(bought).money == pytest.approx(0.1, rel=1e-12)
    assert np.sqrt(full.buy(bought).price_after) == pytest.approx(root, rel=1e-15)


def test_the_full_range_is_the_constant_product():
    both = M.ConcentratedPool(2000.0, [0.0, 1e30], [np.sqrt(1000.0 * 2e6)]), M.ConstantProductPool(1000.0, 2e6)
    for action, size in (("sell", 50.0), ("buy", 50.0), ("depth", 0.1), ("sold_down_to", 1900.0)):
        wide, classic = (getattr(pool, action)(size) for pool in both)
        if action in ("sell", "buy"):
            wide, classic = wide.money, classic.money
        assert wide == pytest.approx(classic, rel=1e-10)


def test_ticks_with_net_liquidity():
    net = {75840: 1e5, 75900: 4e5, 75960: 1.5e6, 76020: -2e6}
    pool = M.ConcentratedPool.from_ticks(2000.0, net)
    below = M.ConcentratedPool(2000.0, [*TICKS, 1.0001**76020], [1e5, 5e5, 2e6])
    assert pool.sell(150).money == pytest.approx(below.sell(150).money)
    # ETH with 18 decimals, the dollar with 6: raw prices are 1e-12 of the human ones, raw L is 1e12 of it.
    raw = {tick - 276324: value * 1e12 for tick, value in net.items()}
    scaled = M.ConcentratedPool.from_ticks(2000.0, raw, decimals=(18, 6))
    assert scaled.sell(150).money == pytest.approx(pool.sell(150).money, rel=1e-4)
    with pytest.raises(DataError, match="sum to zero"):
        M.ConcentratedPool.from_ticks(2000.0, {1: 5.0, 2: -4.0})
    with pytest.raises(DataError, match="negative"):
        M.ConcentratedPool.from_ticks(2000.0, {1: -5.0, 2: 5.0})


@pytest.mark.parametrize(
    ("bounds", "liquidity", "message"),
    [
        ([1.0], [], "0 ranges"),
        ([1.0, 2.0], [1.0, 2.0], "1 ranges"),
        ([2.0, 1.0], [1.0], "rise"),
        ([1.0, np.inf], [1.0], "finite"),
        ([1.0, 2.0], [-1.0], "at least zero"),
    ],
)
def test_ranges_that_are_none(bounds, liquidity, message):
    with pytest.raises(DataError, match=message):
        M.ConcentratedPool(1.5, bounds, liquidity)


@pytest.mark.parametrize("liquidity", [[0.0], [1.0]])
def test_a_price_outside_the_ranges_finds_nothing(liquidity):
    below = M.ConcentratedPool(1.0, [2.0, 3.0], liquidity).sell(1.0)
    assert (below.filled, below.unfilled, below.money) == (0.0, 1.0, 0.0)
    assert np.isnan(below.cost_bp)
    above = M.ConcentratedPool(4.0, [2.0, 3.0], liquidity).buy(1.0)
    assert above.unfilled == 1.0


def test_selling_from_above_a_gap_starts_at_the_range():
    gap = M.ConcentratedPool(4.0, [1.0, 2.0, 3.0, 5.0], [10.0, 0.0, 0.0], fee=0.0)
    fill = gap.sell(1e-9)
    assert fill.average == pytest.approx(2.0, rel=1e-6)


def test_stable_swap():
    even = M.StableSwapPool((1e6, 1e6), 100, fee=0.0)
    assert even.sell(1e5).money == pytest.approx(99900.110865, abs=1e-6)
    assert even.sell(9e5).money == pytest.approx(869629.291354, abs=1e-6)
    assert even.price == 1.0
    tilted = M.StableSwapPool((1.8e6, 0.2e6), 100, fee=0.0)
    assert tilted.invariant == pytest.approx(1982845.120945, abs=1e-6)
    # The notes' .89403402 is the average price of the first two coins; the limit is .89403479.
    assert tilted.sell(1.8).money / 1.8 == pytest.approx(0.89403402, abs=1e-8)
    assert tilted.price == pytest.approx(tilted.sell(1e-3).money / 1e-3, abs=1e-6)
    assert tilted.sell(1e5).money == pytest.approx(83169.063083, abs=1e-6)
    assert tilted.sell(1e5).cost_against(1.0) == pytest.approx(1683.0937, abs=1e-4)
    broken = M.StableSwapPool((1.95e6, 5e4), 100, fee=0.0)
    assert broken.sell(25000).money == pytest.approx(8311.769911, abs=1e-6)
    three = M.StableSwapPool((1e6, 0.9e6, 1.1e6), 200, fee=0.0)
    assert three.invariant == pytest.approx(2999949.749577, abs=1e-6)
    assert three.sell(5e4).money == pytest.approx(49957.814359, abs=1e-6)
    with pytest.raises(OptionError, match="two of 2"):
        M.StableSwapPool((1.0, 1.0), 100, sold=1, bought=1)


def invariant_by_bisection(x, amplification):
    n = len(x)

    def gap(d):
        return amplification * n * (sum(x) - d) + d - d ** (n + 1) / (n**n * np.prod(x))

    low, high = 0.0, 2 * sum(x)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    return low


@given(
    st.lists(st.floats(1.0, 1e4), min_size=2, max_size=4),
    st.floats(1.0, 5000.0),
    st.floats(1e-3, 2.0),
)
@settings(max_examples=100, deadline=None)
def test_the_invariant_of_the_stable_swap_is_kept(balances, amplification, share):
    quantity = share * balances[0]
    pool = M.StableSwapPool(tuple(balances), amplification, fee=0.0)
    d = invariant_by_bisection(balances, amplification)
    assert pool.invariant == pytest.approx(d, rel=1e-10)
    after = list(balances)
    after[0] += quantity
    after[1] -= pool.sell(quantity).money
    assert invariant_by_bisection(after, amplification) == pytest.approx(d, rel=1e-9)


VENUES = [
    BOOK,
    M.OrderBook(BIDS, ASKS, fee=0.002),
    M.ConstantProductPool(1000.0, 1e5),
    M.ConcentratedPool(100.0, [90.0, 95.0, 99.0, 110.0], [100.0, 5000.0, 20000.0]),
    M.StableSwapPool((1e3, 1e3), 50),
]


@pytest.mark.parametrize("venue", VENUES, ids=lambda v: type(v).__name__)
@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0))
@settings(max_examples=40, deadline=None)
def test_more_is_sold_at_a_worse_average(venue, a, b):
    small, large = sorted([a, b])
    one, two = venue.sell(small), venue.sell(large)
    assert two.money >= one.money * (1 - 1e-12)
    assert two.average <= one.average * (1 + 1e-12)
    # Money between the two can be no more than the marginal price at the smaller size allows.
    assert venue.sold_down_to(one.average) <= small * (1 + 1e-9) or isinstance(venue, M.OrderBook)


@pytest.mark.parametrize("venue", VENUES, ids=lambda v: type(v).__name__)
def test_supply_stops_where_the_next_unit_brings_less(venue):
    price = 0.98 * venue.price
    quantity = venue.sold_down_to(price)
    assert quantity > 0
    step = 1e-4 * quantity
    before = (venue.sell(quantity).money - venue.sell(quantity - step).money) / step
    assert before >= price * (1 - 1e-6)
    beyond = venue.sell(quantity + step)
    if beyond.unfilled < step / 2:
        assert (beyond.money - venue.sell(quantity).money) / step <= price * (1 + 1e-6)
    assert venue.sold_down_to(1.01 * venue.price) == 0.0
