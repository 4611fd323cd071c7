"""One run of an endogenous market: its news, its minutes, its states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drainstats.kernels.cascade import FLOW_LOSS, VOLATILITY_LOSS, cascade
from drainstats.simulate.endogenous.accounts import Accounts, Books
from drainstats.simulate.endogenous.settings import Settings
from drainstats.typing import BoolArray, FloatArray

# Of the loss of an asset that never comes back, the share that stays.
LASTING = 0.9


@dataclass(frozen=True, slots=True)
class News:
    """What comes from outside, minute by minute.

    move (T, K), gap (T, K, V) : what it does to log prices and to the venues' gaps; down (T, V) : outages; run (T, V) :
    jumps of the coin; scar (K,) : share of a loss of depth that stays; scale (T,) : factor of volatility.
    """

    move: FloatArray
    gap: FloatArray
    down: BoolArray
    run: FloatArray
    scar: FloatArray
    scale: FloatArray


@dataclass(frozen=True, slots=True)
class States:
    """The noise-free states at the end of each minute; their columns are named in `drainstats.kernels.cascade`.

    asset (T, K, 4) : log price of all venues together, log depth lost to forced flow, to volatility, money closed off
    the book; book (T, K, V, 3) : log price of the venue, units sold, money they brought; coin (T, V, 2) : price of the
    coin, coins sold; line (T, 5) : makers' risk in use, positions called because of the last minute's forced sales,
    money into the coin, insurance fund, what winners lost to deficits; accounts : at the end.
    """

    asset: FloatArray
    book: FloatArray
    coin: FloatArray
    line: FloatArray
    accounts: Accounts
    floor: float

    @property
    def share(self) -> FloatArray:
        """(T, K) share of undisturbed depth that is there."""
        loss = self.asset[:, :, FLOW_LOSS] + self.asset[:, :, VOLATILITY_LOSS]
        out: FloatArray = np.maximum(np.exp(-loss), self.floor)
        return out


def draw_news(rng: np.random.Generator, settings: Settings, source: int) -> News:
    """Draw the news; the random numbers do not depend on the scenario, so that scenarios of a seed are paired."""
    minutes, assets, venues = settings.minutes, settings.assets, settings.venues
    common, own = rng.normal(size=(minutes, 1)), rng.normal(size=(minutes, assets))
    gap = settings.gap * rng.normal(size=(minutes, assets, venues))
    scar = np.where(rng.random(assets) < settings.never_back, LASTING, 0.0)
    after = np.arange(minutes) - settings.begin
    faded = np.exp2(-np.maximum(after, 0) / settings.volatility_half_life)
    scale = np.where(after < 0, 1.0, 1 + (settings.volatility - 1) * faded)
    share = settings.common
    move = settings.sigma * scale[:, None] * (np.sqrt(share) * common + np.sqrt(1 - share) * own)
    falling = (after >= 0) & (after < settings.shock_minutes)
    move[falling, source] += settings.shock / settings.shock_minutes
    run, down = np.zeros((minutes, venues)), np.zeros((minutes, venues), dtype=bool)
    if settings.flight == "suspect":
        run[falling, settings.venue_names.index(settings.suspect_venue)] = settings.coin_jump / settings.shock_minutes
    down[(after >= 0) & (after < settings.outage_minutes), 0] = settings.outage
    return News(move, gap, down, run, scar, scale)


def play(settings: Settings, books: Books, accounts: Accounts, news: News) -> States:
    """Run the market."""
    minutes, assets, venues = news.gap.shape
    end = accounts.copy()
    asset, book = np.zeros((minutes, assets, 4)), np.zeros((minutes, assets, venues, 3))
    coin, line = np.zeros((minutes, venues, 2)), np.zeros((minutes, 5))
    cascade(
        settings.rules(float(books.depth.sum())), news.move, news.gap, news.down, news.run,
        books.depth, books.part, news.scar,
        end.venue, end.purse, end.position, end.entry, end.pledged,
        books.log_price.copy(), np.zeros(assets), np.ones(assets), *np.zeros((3, assets)),
        *np.zeros((4, assets, venues)), np.zeros(venues), *np.zeros((2, len(end.venue)), dtype=bool),
        asset, book, coin, line,
    )  # fmt: skip
    return States(asset, book, coin, line, end, settings.floor)
