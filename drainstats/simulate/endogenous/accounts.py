"""Who holds what at the start of an endogenous market: books and margin accounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.simulate.endogenous.settings import Settings
from drainstats.typing import FloatArray, IntArray

LARGEST_LEVERAGE = 40.0


@dataclass(frozen=True, slots=True)
class Books:
    """log_price, depth (K,) : log price, money that moves it by 1 % on all venues; part (V,) : the venues' parts."""

    log_price: FloatArray
    depth: FloatArray
    part: FloatArray


@dataclass(frozen=True, slots=True)
class Accounts:
    """Margin accounts, all long.

    venue (N,) : where they trade; purse (N, 2) : cash in quote currency, coins in units; position, entry, pledged
    (N, K) : units, price paid, units of collateral.
    """

    venue: IntArray
    purse: FloatArray
    position: FloatArray
    entry: FloatArray
    pledged: FloatArray

    def copy(self) -> Accounts:
        """The same accounts, for a market to change."""
        return Accounts(*(np.array(getattr(self, name)) for name in self.__slots__))


def draw_books(rng: np.random.Generator, settings: Settings) -> Books:
    """Depth around a million, log-normal with a standard deviation of one half; each venue half of the one before."""
    depth = 1e6 * np.exp(0.5 * rng.normal(size=settings.assets))
    log_price = np.log(10.0) + 1.5 * rng.normal(size=settings.assets)
    part = 0.5 ** np.arange(settings.venues)
    return Books(log_price, depth, part / part.sum())


def draw_accounts(rng: np.random.Generator, settings: Settings, books: Books) -> Accounts:
    """Pareto sizes, log-normal leverage, a few assets each, part of the margin in other assets and in the coin."""
    count, assets = settings.accounts, settings.assets
    drawn = np.exp(settings.leverage[0] + settings.leverage[1] * rng.normal(size=count))
    worth = _positions(rng, settings)
    # The largest leverage allowed falls with the size, as in the tiers of futures exchanges.
    leverage = np.minimum(drawn, LARGEST_LEVERAGE / np.sqrt(worth.sum(axis=1)))
    worth *= settings.oi_over_depth * books.depth / worth.sum(axis=0)
    margin = worth.sum(axis=1) / leverage
    # Half of the accounts pledge an asset, which one falls to depth.
    pledges = 2 * settings.pledged * margin * (rng.random(count) < 0.5)
    which = rng.choice(assets, count, p=books.depth / books.depth.sum())
    pledged = np.zeros((count, assets))
    pledged[np.arange(count), which] = np.minimum(pledges, margin)
    coins = settings.in_coin * (margin - pledged.sum(axis=1))
    cash = margin - pledged.sum(axis=1) - coins
    venue = rng.choice(settings.venues, count, p=books.part).astype(np.int64)
    price = np.exp(books.log_price)
    haircut = settings.haircut if settings.haircut > 0 else 1.0
    entry = np.tile(price, (count, 1))
    accounts = Accounts(venue, np.column_stack([cash, coins]), worth / price, entry, pledged / haircut / price)
    return accounts if settings.cross_margin else isolated(accounts, margin)


def isolated(accounts: Accounts, margin: FloatArray) -> Accounts:
    """Each position an account of its own, with its part of the margin, all in cash and coins."""
    worth = accounts.position * accounts.entry
    row, asset = np.nonzero(worth)
    part = worth[row, asset] / worth.sum(axis=1)[row]
    position, one = np.zeros((len(row), worth.shape[1])), np.arange(len(row))
    position[one, asset] = accounts.position[row, asset]
    coins = accounts.purse[row, 1] * part
    purse = np.column_stack([margin[row] * part - coins, coins])
    return Accounts(accounts.venue[row], purse, position, accounts.entry[row], np.zeros_like(position))


def _positions(rng: np.random.Generator, settings: Settings) -> FloatArray:
    """(N, K) money in each asset before scaling; every asset has a holder."""
    count, assets = settings.accounts, settings.assets
    size = np.minimum(1 + rng.pareto(settings.size_tail, count), 100.0)
    legs = 1 + rng.poisson(max(settings.legs - 1, 0.0), count)
    order = rng.random((count, assets)).argsort(axis=1)
    weight = rng.exponential(size=(count, assets))
    held = order < legs[:, None]
    held[np.arange(count), np.arange(count) % assets] = True
    weight *= held
    out: FloatArray = size[:, None] * weight / weight.sum(axis=1, keepdims=True)
    return out
