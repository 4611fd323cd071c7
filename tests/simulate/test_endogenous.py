"""Endogenous markets as a user sees them: scenarios, links, what is seen, what is true, bad settings."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.kernels.cascade import COIN, FLOW_LOSS, LOAD, MONEY
from drainstats.simulate.endogenous.measured import half_lives, measured
from drainstats.simulate.endogenous.path import play
from drainstats.simulate.endogenous.run import drawn, endogenous, random_settings
from drainstats.simulate.endogenous.settings import SCENARIOS, Settings

# Volatility as always, makers blind to it: what is left is forced flow.
FLOW_ONLY = {"volatility": 1.0, "var_limit": 0.0}


def run(seed, scenario="drain", **settings):
    chosen = Settings.of(scenario, settings)
    books, accounts, news, source = drawn(seed, chosen)
    states = play(chosen, books, accounts, news)
    return states, measured(chosen, accounts, news, states, source)


@pytest.fixture(scope="module")
def market():
    return endogenous(4, source="A3")


def test_the_same_seed_gives_the_same_bytes(market):
    again = ds.simulate.drain(4, mode="endogenous", source="A3")
    for name in market.panel.fields:
        assert market.panel[name].to_numpy().tobytes() == again.panel[name].to_numpy().tobytes()
    assert market.stablecoin.equals(again.stablecoin)
    assert market.truth.outcomes == again.truth.outcomes
    assert not endogenous(5, source="A3").panel["close"].equals(market.panel["close"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenarios_share_the_draws_until_they_begin(market, scenario):
    other = endogenous(4, scenario=scenario, source="A3")
    for name in ("open", "high", "close", "depth", "spread", "dollar_volume"):
        pd.testing.assert_frame_equal(other.panel[name][:199], market.panel[name][:199])
    assert other.truth.scenario == scenario
    assert not np.isinf(other.panel["close"].to_numpy()).any()
    missing = other.panel["close"].isna()
    assert missing.any(axis=None) == (scenario == "venue_outage")


def test_truth_is_what_the_states_say(market):
    truth = market.truth
    assert truth.drained
    assert truth.source == "A3"
    assert truth.members[0] == "A3"
    assert len(truth.members) >= 5
    assert truth.onset == truth.arrivals.iloc[0]
    assert truth.arrivals.is_monotonic_increasing
    assert truth.onset < truth.trough < truth.end
    for member in truth.members:
        path = truth.liquidity[member]
        assert truth.depth[member] == pytest.approx(path.min(), rel=1e-12)
        after = path[truth.settings["onset"] :]
        assert truth.arrivals[member] == after.index[(after < 0.8).argmax()]
        assert truth.depth[member] <= 0.5
    assert truth.forced.sum().tolist() == pytest.approx(truth.outcomes["forced_sales"])
    assert truth.liquidity.min(axis=None) >= 0.004
    assert (truth.mid > 0).all(axis=None)
    assert truth.settings["seed"] == 4


def test_what_is_seen_surrounds_the_truth(market):
    panel, truth = market.panel, market.truth
    assert panel.asset_table["venue"].tolist() == ["V1", "V2"] * 5
    assert (panel["high"] >= panel["low"]).all(axis=None)
    usual = (panel["depth"] / truth.liquidity).median()
    np.testing.assert_allclose((panel["depth"] / truth.liquidity / usual).median(), 1.0, atol=0.02)
    assert (panel["liquidations"] <= panel["dollar_volume"]).all(axis=None)
    gap = np.log((panel["high"] + panel["low"]) / 2 / truth.mid)
    assert gap.abs().median(axis=None) < 0.002
    at_worst = truth.forced["A3"].idxmax()
    assert panel["signed_dollar_volume"].loc[at_worst, "A3"] < 0


def test_bars_of_five_minutes_are_five_bars_of_one():
    fine, coarse = endogenous(4, rows=840), endogenous(4, rows=168, freq="5min")
    how = {"spread": "mean", "depth": "last", "signed_dollar_volume": "sum", "liquidations": "sum"}
    again = fine.panel.resample("utc_5min", how=how)
    for name in coarse.panel.fields:
        if name != "volume":
            np.testing.assert_allclose(coarse.panel[name], again[name], rtol=1e-10)
    assert coarse.truth.onset == fine.truth.onset.floor("5min")
    np.testing.assert_allclose(coarse.truth.half_life * 5, fine.truth.half_life)
    assert coarse.truth.outcomes == fine.truth.outcomes
    assert coarse.stablecoin["price"].to_numpy().tolist() == fine.stablecoin["price"].to_numpy()[4::5].tolist()


def test_isolated_margin_cuts_the_link_of_accounts():
    _, truth = run(1, "isolated", sigma=1e-6, **FLOW_ONLY)
    sales = truth.forced.sum()
    assert sales[truth.source] > 0
    assert not sales.drop(truth.source).any()
    assert truth.outcomes["others_loss"] == {"volatility": 0.0, "makers": 1.0, "own_sales": 0.0}
    _, linked = run(1, sigma=1e-6, **FLOW_ONLY)
    assert (linked.forced.sum() > 0).all()
    assert linked.outcomes["others_loss"]["own_sales"] > 0.2


def test_makers_of_one_asset_cut_the_link_of_makers():
    states, _ = run(1, "single_asset", sigma=1e-6, **FLOW_ONLY)
    assert not states.line[:, LOAD].any()
    hit = states.book[..., MONEY].sum(axis=(0, 2)) > 0
    assert states.asset[:, ~hit, FLOW_LOSS].max() == 0
    shared, _ = run(1, "isolated", sigma=1e-6, **FLOW_ONLY)
    others = shared.asset[:, ~hit, FLOW_LOSS]
    np.testing.assert_allclose(others, np.broadcast_to(2.7 * shared.line[:, [LOAD]], others.shape), rtol=1e-12)
    assert others.max() > 0.05


def test_common_volatility_alone_thins_books_to_two_fifths():
    left = np.median([run(seed, "common_volatility")[1].outcomes["others_left"] for seed in range(8)])
    assert 0.36 < left < 0.45


def test_half_lives_are_the_makers_own():
    for wanted in (8.0, 20.0):
        fast = {"shock_minutes": 5, "sigma": 1e-6, "theta": 0.3, "load": 8.0, **FLOW_ONLY}
        chosen = Settings.of("isolated", {"depth_half_life": wanted, **fast})
        books, accounts, news, _ = drawn(3, chosen)
        states = play(chosen, books, accounts, news)
        assert states.share.min(axis=0).max() < 0.3
        # A tenth of the sales may still come on the way back.
        np.testing.assert_allclose(half_lives(chosen, news, states), wanted, rtol=0.02)


def test_what_never_comes_back_has_an_infinite_half_life():
    truth = run(4, never_back=1.0, load=3.0)[1]
    assert truth.drained
    assert np.isinf(truth.half_life).all()
    assert pd.isna(truth.end)


def test_a_coin_that_breaks_on_its_own_venue_calls_accounts_there():
    settings = {"shock": 0.0, "volatility": 1.0, "in_coin": 1.0, "pledged": 0.0}
    states, truth = run(6, flight="suspect", suspect_venue="V2", coin_jump=-3.0, **settings)
    price = states.coin[..., COIN]
    assert price[:, 1].min() < 0.2
    assert price[:, 0].min() > 0.7
    sold = states.book[..., MONEY].sum(axis=(0, 1))
    assert sold[1] > 5 * sold[0]
    assert truth.outcomes["coin_low"] == price.min(axis=0).tolist()
    sound = run(6, flight="none", **settings)[0]
    np.testing.assert_allclose(sound.coin[..., COIN], 1.0, atol=0.01)
    assert sound.book[..., MONEY].sum() < 0.01 * sold.sum()


def test_money_flees_into_the_haven_and_out_of_the_suspect():
    haven, suspect = endogenous(7), endogenous(7, flight="suspect")
    for coin, sign in ((haven.stablecoin, 1), (suspect.stablecoin, -1)):
        change = coin["supply"].iloc[280] - coin["supply"].iloc[199]
        assert sign * change > 0
        assert sign * (coin["price"].iloc[200:260].mean() - 1) > 0.0002


def test_a_venue_that_is_down_shows_nothing_and_calls_nobody():
    states, _ = run(3, "venue_outage", volatility=8.0)
    assert not states.book[200:245, :, 0, MONEY].any()
    np.testing.assert_allclose(np.diff(states.book[200:245, :, 0, 0], axis=0), 0, atol=1e-12)
    panel = endogenous(3, scenario="venue_outage").panel
    gone = panel["close"].isna()
    assert gone.sum().tolist() == [45, 0] * 5
    assert gone.index[gone["A0"]][0] == gone.index[200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenario": "flood"}, "scenario='flood' is not one of"),
        ({"leverages": 3}, "is not one of 'accounts'"),
        ({"assets": 1}, "assets=1"),
        ({"accounts": 5}, "accounts=5"),
        ({"onset": 840}, "onset=840 must be a number from 1 to 839"),
        ({"source": "A10"}, "source='A10' is not one of"),
        ({"shock": 0.1}, "shock=0.1 must be a number from -5 to 0"),
        ({"theta": 1.5}, "theta=1.5"),
        ({"oi_over_depth": 0.0}, "oi_over_depth=0.0"),
        ({"sigma": float("nan")}, "sigma=nan"),
        ({"load": -1.0}, "load=-1.0"),
        ({"leverage": (1.0,)}, "leverage"),
        ({"leverage": 3}, "leverage"),
        ({"leverage": ("a", 1.0)}, "leverage[0]='a'"),
        ({"var_limit": 1e9}, "var_limit=1000000000.0 must be a number from 0 to 50"),
        ({"depth_half_life": 1e-6}, "depth_half_life"),
        ({"start": None}, "start=None is not a time stamp"),
        ({"freq": "90s"}, "freq='90s' must be whole minutes"),
        ({"freq": "fortnight"}, "up to a day"),
        ({"flight": "gold"}, "flight='gold' is not one of"),
        ({"suspect_venue": "V3"}, "suspect_venue='V3' is not one of 'V1', 'V2'"),
        ({"off_book": "yes"}, "off_book='yes' is not one of True, False"),
    ],
)
def test_bad_settings_are_sentences(settings, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        endogenous(0, **settings)


def test_extremes_stay_finite():
    for settings in (
        {"shock": -4.0, "off_book": False},
        {"oi_over_depth": 300.0, "value_buyers": False, "cap": 5.0},
        {"coin_jump": -4.0, "flight": "suspect", "in_coin": 1.0},
        {"assets": 2, "accounts": 2, "venues": 4, "rows": 12},
        {"pledged": 1.0, "haircut": 0.0, "insurance": 0.0},
    ):
        states, truth = run(0, **settings)
        for array in (states.asset, states.book, states.coin, states.line):
            assert np.isfinite(array).all()
        assert states.share.min() >= 0.004
        assert len(truth.outcomes) == 15


def test_random_settings_are_settings():
    seen = [random_settings(seed) for seed in range(50)]
    assert all(Settings.of("drain", settings) for settings in seen)
    assert {(one["cross_margin"], one["shared_makers"]) for one in seen} == {(True, True), (True, False), (False, True)}
    assert len({one["shock"] for one in seen}) == 50
