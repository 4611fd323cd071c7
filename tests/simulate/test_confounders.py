"""What is no drain: the facts of each scenario, and that it shares everything else with the drain of its seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

SEEDS = (0, 1, 2)
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def market():
    made = {}

    def make(scenario, seed=0, **options):
        key = (scenario, seed, *sorted(options.items()))
        if key not in made:
            made[key] = ds.simulate.drain(seed, scenario=scenario, **options)
        return made[key]

    return make


@pytest.mark.parametrize("scenario", ds.simulate.SCENARIOS[1:])
def test_no_scenario_but_the_drain_is_one(market, scenario):
    truth, drain = market(scenario).truth, market("drain").truth
    assert drain.drained
    assert not truth.drained
    assert truth.scenario == scenario
    assert pd.isna(truth.trough)
    assert pd.isna(truth.onset) if scenario == "calm" else truth.onset == drain.onset
    assert truth.source == (drain.source if scenario == "single_asset" else "")
    stressed = {"single_asset", "two_shocks"}
    assert (truth.forced.to_numpy().sum() > 0) == (scenario in stressed)
    assert bool(len(truth.members)) == (scenario in stressed)


@pytest.mark.parametrize("scenario", [s for s in ds.simulate.SCENARIOS[1:] if s != "clock"])
def test_what_comes_before_the_onset_is_paired(market, scenario):
    calm, other = market("calm"), market(scenario)
    rows = calm.panel.index.get_loc(market("drain").truth.onset)
    for field in ("open", "high", "close", "spread", "depth", "signed_dollar_volume", "liquidations"):
        pd.testing.assert_frame_equal(calm.panel[field][:rows], other.panel[field][:rows])
    pd.testing.assert_frame_equal(calm.stablecoin[:rows], other.stablecoin[:rows])


@pytest.mark.parametrize("seed", SEEDS)
def test_one_asset_with_makers_of_its_own(market, seed):
    alone, drain, calm = (market(s, seed) for s in ("single_asset", "drain", "calm"))
    source = drain.truth.source
    assert alone.truth.members == (source,)
    assert alone.truth.depth[source] == drain.truth.depth[source]
    for field in ("close", "depth", "dollar_volume", "liquidations"):
        pd.testing.assert_series_equal(alone.panel[field][source], drain.panel[field][source])
        rest = [a for a in alone.panel.assets if a != source]
        pd.testing.assert_frame_equal(alone.panel[field][rest], calm.panel[field][rest])
    pd.testing.assert_frame_equal(alone.stablecoin, calm.stablecoin)


def test_two_shocks_within_days_that_have_nothing_to_do_with_each_other(market):
    for seed in SEEDS:
        truth = market("two_shocks", seed).truth
        assert len(truth.members) == 2
        assert truth.members[0] == market("drain", seed).truth.source
        assert 2 * DAY <= truth.arrivals.iloc[1] - truth.onset <= 5 * DAY
        assert truth.depth.nunique() == 1
        assert ((truth.liquidity < 1).any() == truth.liquidity.columns.isin(truth.members)).all()


@pytest.mark.parametrize("family", ds.simulate.FAMILIES)
def test_common_volatility_thins_every_book_to_about_forty_per_cent(market, family):
    shaken, calm = (market(s, family=family) for s in ("common_volatility", "calm"))
    least = shaken.truth.liquidity.min()
    assert least.between(0.36, 0.44).all()
    assert least.nunique() == 1
    returns = np.log(shaken.truth.mid).diff(), np.log(calm.truth.mid).diff()
    at = shaken.truth.onset
    np.testing.assert_allclose(returns[0].loc[at] / returns[1].loc[at], 4.0, rtol=1e-6)
    assert not shaken.truth.forced.to_numpy().any()
    pd.testing.assert_frame_equal(shaken.stablecoin, calm.stablecoin)
    assert (shaken.panel["dollar_volume"].loc[at] / calm.panel["dollar_volume"].loc[at]).round(6).nunique() == 1


def test_prices_alone_show_common_volatility_as_they_show_a_drain(market):
    """The jump of volatility is the same: only depth, flows and forced sales tell the two apart."""
    options = {"fall": (1e-9, 1e-9), "lag": 0, "breadth": 1.0, "flight": "none"}
    drain, shaken = (market(s, **options) for s in ("drain", "common_volatility"))
    np.testing.assert_allclose(drain.truth.mid, shaken.truth.mid, rtol=1e-7)
    assert drain.truth.depth.median() < 0.3 < shaken.truth.liquidity.min().median()


def test_a_slow_bear(market):
    bear, calm = market("slow_bear"), market("calm")
    fall = bear.truth.mid.iloc[-1] / calm.truth.mid.iloc[-1]
    rows = bear.panel.index.get_loc(bear.truth.onset)
    drift = (
        np.log(bear.truth.mid).diff()[rows : rows + 100].mean()
        - np.log(calm.truth.mid).diff()[rows : rows + 100].mean()
    )
    assert len(bear.panel.index) - rows > 100
    assert fall.median() < 1
    # Volatility scales the noise too, so the drift is compared within its error.
    error = np.log(bear.truth.mid).diff()[rows : rows + 100].std() / 10
    assert ((drift - np.log(0.65) / 100).abs() < 4 * error).all()
    least = bear.truth.liquidity.min()
    assert least.between(0.42, 0.5).all()
    assert bear.truth.liquidity.idxmin().median() > bear.truth.onset + 60 * DAY


def test_a_repricing_at_full_depth(market):
    for seed in SEEDS:
        news, drain, calm = (market(s, seed) for s in ("repricing", "drain", "calm"))
        assert (news.truth.liquidity == 1).all(axis=None)
        pd.testing.assert_frame_equal(news.panel["depth"], calm.panel["depth"])
        jump = (news.truth.mid / calm.truth.mid).loc[news.truth.onset]
        assert jump[drain.truth.source] == pytest.approx(0.65)
        assert (jump[list(drain.truth.members)] < 1).all()
        lasting = (news.truth.mid / calm.truth.mid).iloc[-1]
        np.testing.assert_allclose(lasting, jump, rtol=1e-9)


def test_depth_pulled_before_an_announcement(market):
    quiet, drain, calm = (market(s) for s in ("announcement", "drain", "calm"))
    members = list(drain.truth.members)
    at = quiet.panel.index.get_loc(quiet.truth.onset)
    left = quiet.truth.liquidity[members]
    np.testing.assert_allclose(left.iloc[at + 2], drain.truth.depth, rtol=1e-12)
    assert (left.iloc[at + 3 :] == 1).all(axis=None)
    assert (left.iloc[at : at + 3].diff().iloc[1:] < 0).all(axis=None)
    moves = [np.log(m.truth.mid).diff().iloc[at : at + 3].abs() for m in (quiet, calm)]
    assert (moves[0] < moves[1]).all(axis=None)


@pytest.mark.parametrize("freq", ["D", "h"])
def test_clocks_and_holidays(market, freq):
    thin, calm = (market(s, freq=freq) for s in ("clock", "calm"))
    left, onset = thin.truth.liquidity, thin.truth.onset
    rest = left[:onset].iloc[:-1]
    weekend = rest.index.day_of_week >= 5
    assert rest[weekend].mean().max() < rest[~weekend].mean().min()
    assert (left.nunique(axis=1) == 1).all()
    if freq == "h":
        working = rest[~weekend]
        by_hour = working.groupby(working.index.hour).mean().iloc[:, 0]
        assert by_hour.idxmin() in range(3, 6)
    holiday = left[onset : onset + DAY - pd.Timedelta("1s")]
    assert holiday.max().max() < 0.6
    assert left[onset + DAY :].mean().mean() > 0.8
    assert (thin.panel["dollar_volume"].loc[onset] < 0.6 * calm.panel["dollar_volume"].loc[onset]).all()


def test_a_venue_outage(market):
    out, calm = market("venue_outage"), market("calm")
    source = market("drain").truth.source
    venue = out.panel.asset_table["venue"]
    here = list(venue.index[venue == venue[source]])
    assert len(here) == 5
    at = out.panel.index.get_loc(out.truth.onset)
    gone = out.panel["close"].isna()
    assert gone[here].iloc[at : at + 3].all(axis=None)
    assert int(gone.to_numpy().sum()) == 15
    filled = slice(at + 3, at + 5)
    pd.testing.assert_frame_equal(out.panel["close"].iloc[filled], calm.panel["close"].iloc[filled])
    assert (out.panel["depth"][here].iloc[filled] == 0).all(axis=None)
    assert out.panel["spread"][here].iloc[filled].isna().all(axis=None)
    assert (out.truth.liquidity == 1).all(axis=None)
    pd.testing.assert_frame_equal(out.panel["depth"].iloc[at + 5 :], calm.panel["depth"].iloc[at + 5 :])
    marked = out.panel.mark(infer_outages=True)
    assert marked.where("outage")[here].sum().eq(3).all()


def test_a_lost_feed_reads_zero(market):
    lost, calm = market("feed_loss"), market("calm")
    at = lost.panel.index.get_loc(lost.truth.onset)
    zero = lost.panel["depth"] == 0
    assert zero.iloc[at : at + 5].all(axis=None)
    assert int(zero.to_numpy().sum()) == 50
    for field in ("close", "spread", "dollar_volume"):
        pd.testing.assert_frame_equal(lost.panel[field], calm.panel[field])


def test_a_peg_lost_on_one_venue_only(market):
    own, calm = market("depeg"), market("calm")
    at = own.truth.onset
    assert own.stablecoin.loc[at, "price_V2"] == pytest.approx(0.8, abs=0.003)
    pd.testing.assert_frame_equal(own.stablecoin[["supply", "price"]], calm.stablecoin[["supply", "price"]])
    pd.testing.assert_frame_equal(own.panel["depth"], calm.panel["depth"])


def test_makers_who_quote_less_for_good(market):
    less, calm = market("fee_change"), market("calm")
    left = less.truth.liquidity
    np.testing.assert_allclose(left[less.truth.onset :], 0.6, rtol=1e-12)
    assert (left[: less.truth.onset].iloc[:-1] == 1).all(axis=None)
    assert (less.panel["spread"].loc[less.truth.onset :] > calm.panel["spread"].loc[less.truth.onset :]).all(axis=None)
    pd.testing.assert_frame_equal(less.truth.mid, calm.truth.mid)


def test_volume_that_was_not_traded_stops(market):
    clean, calm = market("wash_stop"), market("calm")
    ratio = (clean.panel["dollar_volume"] / calm.panel["dollar_volume"]).loc[clean.truth.onset :]
    assert sorted(ratio.round(9).stack().unique()) == [0.3, 1.0]
    assert (ratio.iloc[0] < 1).sum() == 5
    for field in ("open", "close", "depth"):
        pd.testing.assert_frame_equal(clean.panel[field], calm.panel[field])


def test_an_asset_that_dies_out(market):
    dying, source = market("delisting"), market("drain").truth.source
    at = dying.panel.index.get_loc(dying.truth.onset)
    close = dying.panel["close"]
    assert close[source].iloc[at + 50 :].isna().all()
    assert close.drop(columns=source).notna().all(axis=None)
    left = dying.truth.liquidity[source]
    assert left.iloc[at : at + 50].is_monotonic_decreasing
    assert left.iloc[at + 49] == pytest.approx(0.05)
    assert (dying.truth.liquidity.drop(columns=source) == 1).all(axis=None)
