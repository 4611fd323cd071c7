"""Pools up and down, positions in ranges: closed forms against walked pools and valuations by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures
V2 = M.ConstantProductPool(1000.0, 2e6, fee=0.0)
BOUNDS, DEPTHS = [1600.0, 1900.0, 2100.0, 2600.0], [3e4, 8e4, 2e4]
V3 = M.ConcentratedPool(2000.0, BOUNDS, DEPTHS, fee=0.0)


@pytest.mark.parametrize("d", [0.001, 0.02, 0.1, 0.5])
def test_constant_product_up_and_down(d):
    # shared/methods/panel-and-measures.md, section 7.
    up, down = 2e6 * (np.sqrt(1 + d) - 1), 1000.0 * (1 / np.sqrt(1 - d) - 1)
    assert V2.depth_up(d) == pytest.approx(up)
    assert V2.depth(d) == pytest.approx(down)
    bought = V2.buy(1000.0 - np.sqrt(V2.base * V2.quote / (2000.0 * (1 + d))))
    assert bought.money == pytest.approx(up)
    assert bought.price_after == pytest.approx(2000.0 * (1 + d))
    assert bought.average / 2000.0 - 1 == pytest.approx(np.sqrt(1 + d) - 1)
    sold = V2.sell(down)
    assert sold.price_after == pytest.approx(2000.0 * (1 - d))
    assert sold.average / 2000.0 == pytest.approx(np.sqrt(1 - d))


@pytest.mark.parametrize("d", [0.01, 0.04, 0.2, 0.29, 0.35, 2.0])
def test_ranges_up_by_sums_over_them(d):
    target = 2000.0 * (1 + d)
    money = coins = 0.0
    for low, high, depth in zip(BOUNDS, BOUNDS[1:], DEPTHS, strict=False):
        a, b = max(low, 2000.0), min(high, target)
        if a < b:
            money += depth * (np.sqrt(b) - np.sqrt(a))
            coins += depth * (1 / np.sqrt(a) - 1 / np.sqrt(b))
    assert V3.depth_up(d) == pytest.approx(money)
    fill = V3.buy(coins)
    assert fill.money == pytest.approx(money)
    assert fill.price_after == pytest.approx(min(target, 2600.0))


@pytest.mark.parametrize("d", [0.01, 0.04, 0.15, 0.2, 0.5])
def test_ranges_down_by_sums_over_them(d):
    target = 2000.0 * (1 - d)
    pieces = [
        (max(low, target), min(high, 2000.0), depth)
        for low, high, depth in zip(BOUNDS, BOUNDS[1:], DEPTHS, strict=False)
    ]
    coins = sum(depth * (1 / np.sqrt(a) - 1 / np.sqrt(b)) for a, b, depth in pieces if a < b)
    assert V3.depth(d) == pytest.approx(coins)
    assert V3.sell(coins).price_after == pytest.approx(max(target, 1600.0))


def test_a_fee_does_not_change_what_moves_the_price():
    dear = M.ConcentratedPool(2000.0, BOUNDS, DEPTHS, fee=0.01)
    assert dear.depth_up(0.1) == V3.depth_up(0.1)
    assert dear.depth(0.1) == pytest.approx(V3.depth(0.1))
    assert M.ConstantProductPool(1000.0, 2e6, fee=0.01).depth_up(0.1) == V2.depth_up(0.1)


def test_pools_without_liquidity_and_prices_outside():
    empty = M.ConcentratedPool(2000.0, [1000.0, 3000.0], [0.0])
    assert (empty.depth(0.1), empty.depth_up(0.1)) == (0.0, 0.0)
    above = M.ConcentratedPool(4000.0, BOUNDS, DEPTHS)
    assert above.depth_up(0.5) == 0.0
    # The price falls through nothing to the range, and then through the range.
    assert above.depth(0.35) == 0.0
    assert above.depth(0.5) == pytest.approx(
        2e4 * (1 / np.sqrt(2100) - 1 / np.sqrt(2600)) + 8e4 * (1 / np.sqrt(2000) - 1 / np.sqrt(2100))
    )
    for pool in (V2, V3):
        with pytest.raises(OptionError, match="fraction"):
            pool.depth_up(0.0)


@pytest.mark.parametrize("price", [2000.0, 2100.0, 2337.0, 4000.0, 1000.0])
def test_ranges_pay_out_what_their_positions_hold(price):
    pool = M.ConcentratedPool(price, BOUNDS, DEPTHS)
    held = [M.RangePosition(*ends, d) for *ends, d in zip(BOUNDS, BOUNDS[1:], DEPTHS, strict=False) if d > 0]
    base, quote = (sum(float(getattr(p, side)(price)) for p in held) for side in ("base", "quote"))
    assert pool.reserves == pytest.approx((base, quote))
    for fill, most in ((pool.buy(1e9).filled, base), (pool.sell(1e9).money, quote)):
        assert fill == pytest.approx(most)


POSITION = M.RangePosition(1600.0, 2500.0, liquidity=1000.0)


def walked(entry, price):
    """Value of the position after a pool that consists of it has been traded from one price to the other."""
    base, quote = float(POSITION.base(entry)), float(POSITION.quote(entry))
    pool = M.ConcentratedPool(entry, [1600.0, 2500.0], [1000.0], fee=0.0)
    if price < entry and entry > 1600.0:
        fill = pool.sell(max(pool.sold_down_to(price), 1e-300))
        base, quote = base + fill.filled, quote - fill.money
    elif price > entry and entry < 2500.0:
        inside = min(max(price, 1600.0), 2500.0)
        coins = 1000.0 * (1 / np.sqrt(max(entry, 1600.0)) - 1 / np.sqrt(inside))
        if coins > 0:
            fill = pool.buy(coins)
            base, quote = base - fill.filled, quote + fill.money
    return quote + price * base


@given(st.floats(800.0, 5000.0), st.floats(800.0, 5000.0))
@settings(max_examples=200, deadline=None)
def test_a_position_is_worth_what_trades_leave_in_it(entry, price):
    value = walked(entry, price)
    assert float(POSITION.value(price)) == pytest.approx(value, rel=1e-9)
    held = float(POSITION.quote(entry)) + price * float(POSITION.base(entry))
    loss = float(POSITION.impermanent_loss(entry, price))
    assert loss == pytest.approx(value / held - 1, abs=1e-9)
    assert loss <= 1e-12


def test_out_of_the_range_one_coin_is_held():
    below, above = 1000.0, 4000.0
    assert float(POSITION.quote(below)) == 0.0
    assert float(POSITION.base(below)) == pytest.approx(1000 * (1 / 40 - 1 / 50))
    assert float(POSITION.base(above)) == 0.0
    assert float(POSITION.quote(above)) == pytest.approx(1000 * (50 - 40))
    # Closed forms out of range: L (1/√a − 1/√b) P below and L (√b − √a) above, against what was put in at P₀.
    start = np.sqrt(2025.0)
    put_in = 1000 * np.array([1 / start - 1 / 50, start - 40])
    assert float(POSITION.impermanent_loss(2025.0, below)) == pytest.approx(5000 / (put_in @ [below, 1]) - 1)
    assert float(POSITION.impermanent_loss(2025.0, above)) == pytest.approx(10_000 / (put_in @ [above, 1]) - 1)
    # Below the range nothing more is lost against holding one's base, but the dollars bought base on the way.
    assert float(POSITION.impermanent_loss(1000.0, 900.0)) == 0.0


def test_the_exposure_is_the_base_held():
    prices = np.array([1000.0, 1700.0, 2025.0, 2400.0, 3000.0])
    slope = (POSITION.value(prices * (1 + 1e-6)) - POSITION.value(prices * (1 - 1e-6))) / (2e-6 * prices)
    np.testing.assert_allclose(slope, POSITION.base(prices), rtol=1e-6, atol=1e-9)


@given(st.floats(0.05, 20.0))
@settings(max_examples=50, deadline=None)
def test_the_whole_range_is_the_constant_product(ratio):
    wide = M.RangePosition(0.0, np.inf, liquidity=np.sqrt(1000.0 * 2e6))
    assert float(wide.base(2000.0)) == pytest.approx(1000.0)
    assert float(wide.quote(2000.0)) == pytest.approx(2e6)
    assert float(wide.impermanent_loss(2000.0, 2000.0 * ratio)) == pytest.approx(V2.impermanent_loss(ratio), abs=1e-12)
    # A narrow range loses more: it is the same trade with less capital.
    narrow = M.RangePosition(1000.0, 4000.0).impermanent_loss(2000.0, 2000.0 * ratio)
    assert float(narrow) <= V2.impermanent_loss(ratio) + 1e-12


def test_positions_that_are_none():
    for lower, upper in ((2.0, 1.0), (-1.0, 1.0), (1.0, np.nan), (np.nan, 2.0), (1.0, 1.0)):
        with pytest.raises(OptionError, match="prices that rise"):
            M.RangePosition(lower, upper)
    with pytest.raises(OptionError, match="liquidity"):
        M.RangePosition(1.0, 2.0, liquidity=0.0)
    for price in (0.0, np.nan, [1.0, np.inf]):
        with pytest.raises(DataError, match="price"):
            POSITION.value(price)
