"""`endogenous`: a market in which a shock may become a drain, by itself.

K assets, V venues, N margin accounts, one sector of makers; a step is a minute. With D⁰_k the money that moves the
price by one per cent in undisturbed books and F_k the forced sales of a minute:

    price        ln p_kv = f_k + m_k + u_kv: lasting part, passing part, gap of the venue
                 Δf_k = σ_t (√c ε + √(1−c) ε_k) + shock_k + π i_k
                 m_k ← m_k 2^(−(1 + |m_k| / d₀) / h_m) + (1 − π) i_k, value buyers: the deeper the faster
                 u_kv closes by arbitrage; a venue that is down shows its last price
    accounts     E_j = cash + coins · peg_v + Σ_k Q_jk (p_kv − entry_jk) + h Σ_k C_jk p_kv, marked on the own venue
                 E_j < maintenance · Σ_k Q_jk p_kv: sells the share θ of positions and collateral each minute
                 E_j ≤ 0: closed off the book; the insurance fund pays the deficit, then the winners do
    impact       i_k = −min(.01 F_k / D_k, cap), venue by venue
    makers       D_k = D⁰_k exp(−x_k − y_k − η w), at least the floor
                 own inventory     x_k ← x_k 2^(−1/h) + g₂ F_k / D⁰_k
                 value at risk     y_k ← y_k 2^(−1/h) + β (2^(1/h) − 1) ln(measured / usual volatility)
                 shared load       w ← w 2^(−1/h) + g Σ F / Σ D⁰
    stablecoin   flow = ± (a Σ F − b Σ D⁰ r_market); peg_v ← ρ peg_v + .01 (flow − coins sold) / D_coin + run_v

Two links carry the loss from one asset to the next and can be cut one by one: accounts (``cross_margin``) and makers
(``shared_makers``). Value buyers and closing off the book keep a cascade finite; without them (``value_buyers``,
``off_book``) it is all or nothing. The outcome scatters widely between seeds: `Truth.outcomes` says what came out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import check_whole
from drainstats.kernels.cascade import COIN, FLOW, FLOW_LOSS, MONEY, PRICE, VOLATILITY_LOSS
from drainstats.simulate.endogenous.accounts import Books, draw_accounts, draw_books
from drainstats.simulate.endogenous.measured import in_bars, measured
from drainstats.simulate.endogenous.path import News, States, draw_news, play
from drainstats.simulate.endogenous.settings import Settings
from drainstats.simulate.observation import LARGEST_SPREAD, lose, observed, panel_of
from drainstats.simulate.observation import States as Seen
from drainstats.simulate.truth import SimulatedMarket
from drainstats.typing import BoolArray, FloatArray, IntArray

# Trading in a minute over depth within one per cent, as in the planted mode; the coin's supply over the same depth.
TURNOVER, SUPPLY = 1e8 / 1.5e6 / 1440, 300.0
COIN_NOISE = 3e-4
SUMMED = ("volume", "dollar_volume", "signed_dollar_volume", "liquidations")


def endogenous(seed: int = 0, *, scenario: str = "drain", **settings: Any) -> SimulatedMarket:
    """Simulate a market of margin accounts, makers and venues; the truth is measured on its noise-free states.

    Parameters
    ----------
    seed : int, default 0
        The same seed gives the same market, bit for bit; scenarios of a seed share every random draw.
    scenario : str, default "drain"
        ``drain``: the shock with every link. What a detector must not call a drain: ``calm``: no shock;
        ``single_asset``: the shock, with isolated margin, makers of one asset each and no common volatility;
        ``common_volatility``: volatility jumps, no shock; ``isolated``: isolated margin, makers and volatility as in
        the drain; ``venue_outage``: the main venue shows nothing for a while. What a scenario fixes goes before the
        settings.
    assets, accounts, venues, rows : int, default 10, 600, 2, 840
        Assets ``A0`` …, accounts at the start, venues ``V1`` …, bars. Asset k is seen on venue k modulo V.
    freq : str, default "min"
        Length of a bar, in whole minutes.
    start : time stamp, default "2025-06-02 06:00"
    onset : int, optional
        Row in which the shock (or what is none) begins; 200 of 840, in proportion, by default.
    source : str, optional
        The asset that is shocked; drawn by default.
    shock : float, default -0.305
        Of its log price, spread over ``shock_minutes`` (30).
    volatility : float, default 4.0
        Factor of all volatility at the onset; what is above 1 halves in ``volatility_half_life`` (90) minutes.
    cross_margin, shared_makers : bool, default True
        Whether one account holds several assets on one margin, and whether all assets draw on one risk limit of makers.
    off_book, value_buyers : bool, default True
        Whether accounts without equity are closed without a sale, and whether 1 − ``permanent`` of the impact comes
        back.
    flight : {"haven", "suspect", "none"}, default "haven"
        Whether money flees into the stablecoin, or out of it: then it falls by ``coin_jump`` (−0.2) on
        ``suspect_venue`` ("V1"), and accounts that trade there hold collateral that is worth that.
    outage, outage_minutes : bool, int, default False, 45
        Whether the main venue goes down at the onset, and for how long.
    oi_over_depth : float, default 26.0
        Open interest over the money that moves the price by 1 %. Outcomes jump where it crosses a threshold.
    leverage : (float, float), default (1.34, 0.58)
        Mean and standard deviation of its logarithm, at most 40.
    size_tail, legs : float, default 1.6, 3.0
        Pareto index of the accounts' sizes; mean number of assets of an account.
    pledged, in_coin : float, default 0.15, 0.1
        Share of all margin that is in other assets (of which ``haircut``, 0.9, counts), and of the rest in the coin.
    insurance : float, default 0.02
        The fund, over all depth.
    theta, maintenance : float, default 0.1, 0.01
        Share of a called account sold in a minute; equity over positions at which it is called.
    sigma, common : float, default 8e-4, 0.4
        Standard deviation of a minute's log return; share of the variance that is common.
    permanent, impact_half_life, discount, cap : float, default 0.37, 10.0, 0.11, 0.1
        π, h_m (minutes), d₀, and the largest impact of a minute.
    arbitrage, gap : float, default 0.3, 2e-4
        Share of a gap between venues closed in a minute; its noise.
    depth_half_life, never_back : float, default 20.0, 0.0
        h (minutes); chance that nine tenths of what forced flow took from an asset's depth never come back.
    var_limit, memory : float, default 0.87, 30.0
        β; half-life in minutes of the variance that makers measure.
    load, tilt, inventory, floor : float, default 0.62, 2.7, 5.0, 0.004
        g, η, g₂ and the least share of depth.
    coin_depth, coin_half_life, flight_of_sales, flight_of_fear : float, default 0.3, 30.0, 0.5, 1.0
        Money that moves the coin by 1 %, over all depth; minutes in which a premium halves; a and b.

    Returns
    -------
    SimulatedMarket
        In ``truth``: an asset is a member when forced flow alone left at most three quarters of its depth, and flow and
        volatility together at most half; it is reached when less than four fifths are there. It is a drain when at
        least half of the assets are members. ``truth.outcomes`` holds liquidated (share of the open interest),
        best_40_minutes (share of that), off_book (share of that), source_left, others_left (depth, the others' median),
        others_loss (of log depth at the trough, parts by volatility, makers and own_sales), source_fall, others_fall,
        branching (what a unit sold adds, largest along the path), forced_sales,
        closed_off_book (an asset), coin_low, coin_high (a venue), fund and haircut (what deficits cost the winners).

    Raises
    ------
    OptionError
        An unknown scenario or setting, a number outside its range.

    References
    ----------
    Thurner, Farmer and Geanakoplos (2012), Quantitative Finance 12(5), 695-707: margin calls and value funds.
    Brunnermeier and Pedersen (2009), Review of Financial Studies 22(6), 2201-2238: makers' limits and margins.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.drain(3, mode="endogenous", source="A7")
    >>> calm = ds.simulate.drain(3, mode="endogenous", source="A7", scenario="calm")
    >>> market.truth.source, market.truth.drained, calm.truth.drained
    ('A7', True, False)
    """
    check_whole("seed", seed, 0)
    chosen = Settings.of(scenario, settings)
    books, accounts, news, source = drawn(seed, chosen)
    states = play(chosen, books, accounts, news)
    truth = measured(chosen, accounts, news, states, source)
    truth.settings["seed"] = seed
    fields = seen_in_bars(chosen, observed(_seen(chosen, books, news, states, seed), seed))
    down: BoolArray = np.any(in_bars(news.down, chosen.per_bar), axis=1)[:, _venues(chosen)]
    nothing = np.zeros_like(down)
    lose(fields, seed, 0.0, 0.0, missing=down, blind=nothing, zero=nothing)
    venues = [chosen.venue_names[v] for v in _venues(chosen)]
    panel = panel_of(fields, chosen.index, chosen.names, venues, truth.settings)
    return SimulatedMarket(panel, _stablecoin(chosen, books, states, seed), truth)


def random_settings(seed: int) -> dict[str, Any]:
    """Draw settings of a drain: source, size and speed of the shock, channels, books, leverage.

    Parameters
    ----------
    seed : int
        Of the market, too: ``drain(seed, mode="endogenous", **random_settings(seed))``.

    Returns
    -------
    dict
        Some of the draws stay below half of the assets: `Truth.drained` says which.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.drain(0, mode="endogenous", **ds.simulate.random_settings(0))
    >>> market.truth.drained, len(market.truth.members)
    (True, 10)
    """
    check_whole("seed", seed, 0)
    rng = np.random.default_rng([seed, 30])
    cross, shared = [(True, True), (True, False), (False, True)][int(rng.integers(3))]
    return {
        "onset": int(rng.integers(400, 560)),
        "shock": -float(rng.uniform(0.25, 0.45)),
        "shock_minutes": int(rng.integers(10, 60)),
        "volatility": float(rng.uniform(1.5, 4.0)),
        "volatility_half_life": float(rng.uniform(30, 120)),
        "cross_margin": cross,
        "shared_makers": shared,
        "flight": str(rng.choice(["haven", "suspect", "none"])),
        "coin_jump": -float(rng.uniform(0.05, 0.35)),
        "oi_over_depth": float(rng.uniform(20, 32)),
        "leverage": (float(rng.uniform(1.3, 1.5)), float(rng.uniform(0.5, 0.65))),
        "legs": float(rng.uniform(2, 5)),
        "pledged": float(rng.uniform(0, 0.3)),
        "theta": float(10 ** rng.uniform(-1.2, -0.5)),
        "common": float(rng.uniform(0.2, 0.6)),
        "load": float(rng.uniform(1, 4)),
        "depth_half_life": float(rng.uniform(10, 60)),
        "never_back": float(rng.choice([0.0, 0.2])),
    }


def drawn(seed: int, settings: Settings) -> tuple[Books, Any, News, int]:
    """Books, accounts, news and the source, each from a random stream of its own."""
    books = draw_books(np.random.default_rng([seed, 40]), settings)
    accounts = draw_accounts(np.random.default_rng([seed, 41]), settings, books)
    source = int(np.random.default_rng([seed, 43]).integers(settings.assets))
    if settings.source is not None:
        source = settings.names.index(settings.source)
    return books, accounts, draw_news(np.random.default_rng([seed, 42]), settings, source), source


def seen_in_bars(settings: Settings, minutes: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Fields of minutes as fields of bars."""
    if settings.per_bar == 1:
        return minutes
    cut = {name: in_bars(values, settings.per_bar) for name, values in minutes.items()}
    out = {name: cut[name].sum(axis=1) for name in SUMMED}
    ends = {"open": cut["open"][:, 0], "close": cut["close"][:, -1], "depth": cut["depth"][:, -1]}
    extremes = {"high": cut["high"].max(axis=1), "low": cut["low"].min(axis=1)}
    return {**ends, **extremes, **out, "spread": cut["spread"].mean(axis=1)}


def _venues(settings: Settings) -> IntArray:
    """The venue on which each asset is seen."""
    return np.arange(settings.assets) % settings.venues


def _seen(settings: Settings, books: Books, news: News, states: States, seed: int) -> Seen:
    """States of the minutes as the observation layer wants them, each asset on its venue."""
    rng = np.random.default_rng([seed, 44])
    columns, venues = np.arange(settings.assets), _venues(settings)
    loss = states.asset[..., FLOW_LOSS] + states.asset[..., VOLATILITY_LOSS]
    shape = loss.shape
    usual = 2 * books.depth * books.part[venues]
    spread = 5e-4 * (books.depth / 1e6) ** -0.25 * np.exp(0.5 * loss + 0.15 * rng.normal(size=shape))
    moves = news.move / settings.sigma
    return Seen(
        mid=np.exp(states.book[:, columns, venues, PRICE]),
        start=np.exp(books.log_price),
        volatility=np.broadcast_to((settings.sigma * news.scale)[:, None], shape),
        spread=np.minimum(spread, LARGEST_SPREAD),
        depth=usual * states.share * np.exp(0.1 * rng.normal(size=shape)),
        volume=TURNOVER * usual * np.exp(0.7 * np.log(news.scale)[:, None] + 0.4 * rng.normal(size=shape)),
        pressure=0.25 * np.clip(moves, -3, 3) + 0.15 * rng.normal(size=shape),
        forced=states.book[:, columns, venues, MONEY],
    )


def _stablecoin(settings: Settings, books: Books, states: States, seed: int) -> pd.DataFrame:
    """Supply and price of the coin at the end of each bar."""
    noise = COIN_NOISE * np.random.default_rng([seed, 45]).normal(size=states.coin.shape[:2])
    last = slice(settings.per_bar - 1, None, settings.per_bar)
    supply = SUPPLY * books.depth.sum() + np.cumsum(states.line[:, FLOW])
    price = states.coin[..., COIN] + noise
    names = ["price", *(f"price_{venue}" for venue in settings.venue_names[1:])]
    out = pd.DataFrame(price[last], index=settings.index, columns=names)
    out.insert(0, "supply", supply[last])
    return out
