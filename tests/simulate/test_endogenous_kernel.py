"""The minutes of an endogenous market: a slow twin, two minutes by hand, money and units that add up, invariance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from drainstats.kernels.cascade import (
    CLOSED,
    COIN,
    COINS_SOLD,
    FLOW,
    FLOW_LOSS,
    FUND,
    HAIRCUT,
    LOAD,
    MARKET,
    MONEY,
    PRICE,
    TRIGGERED,
    UNITS,
    VOLATILITY_LOSS,
)
from drainstats.simulate.endogenous.accounts import Accounts, Books
from drainstats.simulate.endogenous.path import News, play
from drainstats.simulate.endogenous.run import drawn
from drainstats.simulate.endogenous.settings import Settings

SMALL = {"assets": 4, "accounts": 60, "venues": 3, "rows": 150, "insurance": 0.05}
CASES = {
    "drain": {},
    "slow sales": {"shock": -0.2, "theta": 0.03, "never_back": 0.5},
    "all or nothing": {"off_book": False, "value_buyers": False, "cap": 1.0},
    "coin": {"flight": "suspect", "in_coin": 0.6, "shock": -0.1},
    "isolated": {"scenario": "isolated", "shock_minutes": 3},
    "outage": {"outage": True, "outage_minutes": 30, "venues": 2},
}


def market(seed=0, scenario="drain", **settings):
    chosen = Settings.of(scenario, settings)
    books, accounts, news, source = drawn(seed, chosen)
    return chosen, books, accounts, news, source


def called_ruined(p, holdings, entry, marks, others, coin_price, open_there, called):
    """Accounts below maintenance, whether by the sales of the minute before alone, and those without equity."""
    q, c, cash, coins = holdings

    def equity(at, h=p.haircut):
        return cash + coins * coin_price + (q * (at - entry)).sum(1) + h * (c * at).sum(1)

    size = (q * marks).sum(1)
    short = open_there & (size > 0) & (equity(marks) < p.maintenance * size)
    alone = equity(others) < p.maintenance * (q * others).sum(1)
    ruined = short & (equity(marks) <= 0) & (p.off_book > 0)
    return short, size[short & ~called & ~alone].sum(), ruined, equity(marks, 1.0)


def twin(settings, books, accounts, news):
    """The module's equations for one minute after the other, all accounts at once."""
    p, depth, part, start = settings.rules(books.depth.sum()), books.depth, books.part, books.log_price
    minutes, assets, venues = news.gap.shape
    where, cash, coins = accounts.venue, accounts.purse[:, 0].copy(), accounts.purse[:, 1].copy()
    q, c, entry = accounts.position.copy(), accounts.pledged.copy(), accounts.entry
    f, m, x, y, scarred = start.copy(), *(np.zeros(assets) for _ in range(4))
    u, impact, peg, variance, w = (
        np.zeros((assets, venues)),
        np.zeros((assets, venues)),
        np.zeros(venues),
        p.sigma**2,
        0.0,
    )
    fund, haircut, called = p.fund, 0.0, np.zeros(len(q), dtype=bool)
    keys = ("market", "price", "flow", "wide", "load", "units", "money", "closed", "called", "coin", "coins",
            "into", "fund", "haircut")  # fmt: skip
    out = {key: [] for key in keys}
    for t in range(minutes):
        level = f + m
        f = f + news.move[t]
        m = m * 2.0 ** (-(1 + abs(m) / settings.discount) / settings.impact_half_life)
        news_return = f + m - level
        u = np.where(news.down[t], u - news_return[:, None], (1 - settings.arbitrage) * u + news.gap[t])
        price = np.exp((f + m)[:, None] + u)
        marks, others = price[:, where].T, (price * np.exp(-impact))[:, where].T

        open_there = ~news.down[t][where]
        holdings = (q, c, cash, coins)
        short, triggered, ruined, whole = called_ruined(
            p, holdings, entry, marks, others, 1 + peg[where], open_there, called
        )
        out["called"].append(triggered)
        called = np.where(open_there, short, called)
        for worth in whole[ruined]:
            fund, haircut = (fund + worth, haircut) if fund + worth >= 0 else (0.0, haircut - fund - worth)
        out["closed"].append((q * marks)[ruined].sum(0))
        q[ruined], c[ruined], cash[ruined], coins[ruined] = 0, 0, 0, 0
        selling = short & ~ruined
        units = np.stack([settings.theta * (q + c)[selling & (where == v)].sum(0) for v in range(venues)], axis=1)
        left = depth * np.maximum(settings.floor, np.exp(-y - np.maximum(x + settings.tilt * w, scarred)))
        impact = -np.minimum(0.01 * units * price / (part * left[:, None]), settings.cap)
        fill = price * np.exp(impact / 2)
        stable = np.array([settings.theta * coins[selling & (where == v)].sum() for v in range(venues)])
        push = 0.01 * stable / (part * p.coin_depth)
        got = np.maximum(1 + peg - push / 2, 0)[where] * coins + ((q + c) * fill[:, where].T - q * entry).sum(1)
        cash[selling] += settings.theta * got[selling]
        q[selling], c[selling], coins[selling] = ((1 - settings.theta) * z[selling] for z in (q, c, coins))
        both = (part * impact).sum(1)
        u, f, m = u + impact - both[:, None], f + p.permanent * both, m + (1 - p.permanent) * both
        sold = (units * price).sum(1)
        half = 2 ** (-1 / settings.depth_half_life)
        keep = 2 ** (-1 / settings.memory)
        variance = keep * variance + (1 - keep) * (f + m - level) ** 2
        y = half * y + settings.var_limit * (1 / half - 1) * np.log(np.sqrt(variance) / settings.sigma)
        x = half * x + settings.inventory * sold / depth
        w = half * w + (settings.load if settings.shared_makers else 0) * sold.sum() / depth.sum()
        flow_loss = np.maximum(x + settings.tilt * w, scarred)
        scarred = np.maximum(scarred, news.scar * flow_loss)
        sign = {"haven": 1, "suspect": -1, "none": 0}[settings.flight]
        into = settings.flight_of_sales * sold.sum() - settings.flight_of_fear * depth.sum() * news_return.mean()
        change = news.run[t] + 0.01 * sign * into / p.coin_depth - push
        peg = np.maximum(2 ** (-1 / settings.coin_half_life) * peg + change, -0.95)
        row = {"market": f + m, "price": (f + m)[:, None] + u, "flow": flow_loss, "wide": y, "load": w, "units": units,
               "money": units * fill, "coin": 1 + peg, "coins": stable, "into": sign * into,
               "fund": fund, "haircut": haircut}  # fmt: skip
        for key, value in row.items():
            out[key].append(value)
    return {key: np.array(value) for key, value in out.items()}, (cash, coins, q, c)


@pytest.mark.parametrize("case", CASES)
def test_the_kernel_is_its_twin(case):
    chosen, books, accounts, news, _ = market(5, **SMALL | CASES[case])
    states = play(chosen, books, accounts, news)
    slow, (cash, coins, q, c) = twin(chosen, books, accounts, news)
    columns = {"market": MARKET, "flow": FLOW_LOSS, "wide": VOLATILITY_LOSS, "closed": CLOSED}
    pairs = {key: states.asset[..., column] for key, column in columns.items()}
    pairs |= {"price": states.book[..., PRICE], "units": states.book[..., UNITS], "money": states.book[..., MONEY]}
    pairs |= {
        "coin": states.coin[..., COIN],
        "coins": states.coin[..., COINS_SOLD],
    }
    lines = {"load": LOAD, "called": TRIGGERED, "into": FLOW, "fund": FUND, "haircut": HAIRCUT}
    pairs |= {key: states.line[:, column] for key, column in lines.items()}
    assert slow["units"].sum() > 0
    for key, fast in pairs.items():
        np.testing.assert_allclose(
            fast, slow[key], rtol=1e-8, atol=1e-8 * max(1.0, np.abs(slow[key]).max()), err_msg=key
        )
    end = states.accounts
    for fast, twin_end in ((end.purse[:, 0], cash), (end.purse[:, 1], coins), (end.position, q), (end.pledged, c)):
        np.testing.assert_allclose(fast, twin_end, rtol=1e-8, atol=1e-6)


def lonely(fall, **settings):
    """One account with 1000 units at 10 and 500 of margin; the price falls once, in the second minute."""
    quiet = {"assets": 2, "accounts": 2, "venues": 1, "rows": 10, "var_limit": 0.0}
    chosen = Settings.of("drain", quiet | settings)
    position = np.array([[1000.0, 0.0]])
    entry, purse = np.full((1, 2), 10.0), np.array([[500.0, 0.0]])
    accounts = Accounts(np.zeros(1, dtype=np.int64), purse, position, entry, np.zeros((1, 2)))
    books = Books(np.log([10.0, 10.0]), np.array([4000.0, 6000.0]), np.ones(1))
    move = np.zeros((10, 2))
    move[1, 0] = np.log1p(-fall)
    nothing = np.zeros((10, 2, 1))
    news = News(move, nothing, np.zeros((10, 1), dtype=bool), np.zeros((10, 1)), np.zeros(2), np.ones(10))
    return play(chosen, books, accounts, news)


def test_a_forced_sale_by_hand():
    # Equity 500 − 460 = 40 is below 1 % of 9540; a tenth of 1000 units is sold into a book that moves 1 % for 4000.
    states = lonely(0.046)
    impact = -0.01 * 954 / 4000
    book, asset = states.book[1, 0, 0], states.asset
    assert book[UNITS] == pytest.approx(100)
    assert book[MONEY] == pytest.approx(954 * np.exp(impact / 2))
    assert book[PRICE] == pytest.approx(np.log(9.54) + impact)
    assert states.line[1, LOAD] == pytest.approx(0.62 * 954 / 10_000)
    assert asset[1, 0, FLOW_LOSS] == pytest.approx(5 * 954 / 4000 + 2.7 * states.line[1, LOAD])
    assert asset[1, 1, FLOW_LOSS] == pytest.approx(2.7 * states.line[1, LOAD])
    # Sold at once, 63 % of the impact come back, faster than with a half-life of ten minutes; then the books, too.
    at_once = lonely(0.046, theta=1.0)
    impact = -0.01 * 9540 / 4000
    passing = 0.63 * impact * 2 ** (-(1 - 0.63 * impact / 0.11) / 10)
    assert at_once.asset[2, 0, MARKET] == pytest.approx(np.log(9.54) + 0.37 * impact + passing)
    assert at_once.asset[9, 1, FLOW_LOSS] == pytest.approx(at_once.asset[1, 1, FLOW_LOSS] * 2 ** (-8 / 20))


def test_a_deficit_by_hand():
    # Worth 500 − 1000 = −500: the fund holds .03 × 10000 = 300, the winners lose the other 200, nothing is sold.
    states = lonely(0.1, insurance=0.03)
    assert states.asset[1, 0, CLOSED] == pytest.approx(9000)
    assert states.line[1, FUND] == pytest.approx(0, abs=1e-9)
    assert states.line[1, HAIRCUT] == pytest.approx(200)
    assert not states.book[..., UNITS].any()
    assert not states.accounts.position.any()
    assert not states.accounts.purse.any()
    # An account with equity in its last minute leaves it to the fund: 500 − 500 = 0 is closed, at no cost.
    even = lonely(0.05 + 1e-9, insurance=0.03)
    assert even.line[1, FUND] == pytest.approx(300, abs=1e-4)
    assert even.line[1, HAIRCUT] == 0


@pytest.mark.parametrize("in_coin", [0.0, 0.3])
def test_units_and_money_add_up(in_coin):
    chosen, books, accounts, news, _ = market(3, off_book=False, in_coin=in_coin)
    states = play(chosen, books, accounts, news)
    end = states.accounts
    gone = (accounts.position - end.position + accounts.pledged - end.pledged).sum(axis=0)
    np.testing.assert_allclose(gone, states.book[..., UNITS].sum(axis=(0, 2)), rtol=1e-9)
    # What accounts got: what the books paid less what they had paid, plus the coins they sold below par or above it.
    paid = ((accounts.position - end.position) * accounts.entry).sum()
    coins = accounts.purse[:, 1].sum() - end.purse[:, 1].sum()
    got = end.purse[:, 0].sum() - accounts.purse[:, 0].sum() - states.book[..., MONEY].sum() + paid
    sold = states.coin[..., COINS_SOLD]
    before = np.vstack([np.ones(chosen.venues), states.coin[:-1, :, COIN]])
    worth = sold * (before - 0.005 * sold / (books.part * chosen.coin_depth * books.depth.sum()))
    assert coins == pytest.approx(sold.sum(), rel=1e-9)
    assert got == pytest.approx(worth.sum(), rel=1e-8, abs=1e-9 * paid)
    assert (end.position >= 0).all()
    assert (end.pledged >= 0).all()
    assert (end.purse[:, 1] >= 0).all()
    assert (end.position <= accounts.position).all()


def test_a_closed_account_leaves_through_the_books():
    chosen, books, accounts, news, _ = market(3, pledged=0.0, in_coin=0.0)
    states = play(chosen, books, accounts, news)
    end, closed = states.accounts, ~states.accounts.position.any(axis=1)
    assert closed.sum() > 5
    np.testing.assert_array_equal(end.purse[closed], 0)
    # What accounts lost, and the fund and the winners for them, is what prices took from the positions that are gone.
    accounts_got = end.purse[:, 0].sum() - accounts.purse[:, 0].sum()
    fund_got = states.line[-1, FUND] - chosen.insurance * books.depth.sum()
    bought = ((accounts.position - end.position) * accounts.entry).sum()
    proceeds = states.book[..., MONEY].sum() + states.asset[..., CLOSED].sum()
    assert proceeds - bought == pytest.approx(accounts_got + fund_got - states.line[-1, HAIRCUT], abs=1e-9 * bought)


def test_the_order_of_assets_does_not_matter():
    chosen, books, accounts, news, _ = market(2, cross_margin=True, rows=400)
    order = np.random.default_rng(0).permutation(chosen.assets)
    other = play(
        chosen,
        Books(books.log_price[order], books.depth[order], books.part),
        dataclasses.replace(
            accounts,
            position=accounts.position[:, order],
            entry=accounts.entry[:, order],
            pledged=accounts.pledged[:, order],
        ),
        dataclasses.replace(news, move=news.move[:, order], gap=news.gap[:, order], scar=news.scar[order]),
    )
    states = play(chosen, books, accounts, news)
    assert states.book[..., UNITS].sum() > 0
    np.testing.assert_allclose(other.asset, states.asset[:, order], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(other.share, states.share[:, order], rtol=1e-8)


def test_the_unit_of_money_does_not_matter():
    chosen, books, accounts, news, _ = market(2, rows=400)
    large = dataclasses.replace(
        accounts, purse=1000 * accounts.purse, position=1000 * accounts.position, pledged=1000 * accounts.pledged
    )
    other = play(chosen, Books(books.log_price, 1000 * books.depth, books.part), large, news)
    states = play(chosen, books, accounts, news)
    np.testing.assert_allclose(other.share, states.share, rtol=1e-8)
    np.testing.assert_allclose(other.book[..., PRICE], states.book[..., PRICE], rtol=1e-10)
    np.testing.assert_allclose(other.book[..., MONEY], 1000 * states.book[..., MONEY], rtol=1e-8)


def test_accounts_handed_in_stay_as_they_are():
    chosen, books, accounts, news, _ = market(2, rows=400)
    before = accounts.copy()
    play(chosen, books, accounts, news)
    for name in Accounts.__slots__:
        np.testing.assert_array_equal(getattr(accounts, name), getattr(before, name))
