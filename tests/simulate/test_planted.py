"""The planted drain: the truth is what the noise-free states say, seeds pair, nonsense is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.simulate.planted import draw_plan

FIELDS = (
    "open high low close volume dollar_volume signed_dollar_volume spread depth liquidations".split()  # noqa: SIM905
)


def log_loss(market, asset):
    """−ln of the share of undisturbed depth, from the arrival on."""
    path = -np.log(market.truth.liquidity[asset])
    return path[market.truth.arrivals[asset] :].to_numpy()


def plan(seed, **options):
    """What is drawn for a market of ten assets and a hundred bars."""
    usual = {
        **{"onset": None, "source": None, "members": 8, "lag": 2, "rise": 1, "depth": (0.05, 0.25)},
        **{"half_life": (5.0, 5.0), "recovers": 1.0, "fall": (0.35, 0.1), "volatility": 4.0},
    }
    return draw_plan(seed, 100, 10, **(usual | options))


def test_the_share_of_depth_left_is_the_drains_depth_over_the_calm_one():
    drain, calm = (ds.simulate.drain(3, scenario=s) for s in ("drain", "calm"))
    ratio = drain.panel["depth"] / calm.panel["depth"]
    np.testing.assert_allclose(ratio, drain.truth.liquidity, rtol=1e-12)
    assert drain.truth.liquidity.min().gt(0).all()


@pytest.mark.parametrize("rise", [1, 4])
@pytest.mark.parametrize("half_life", [3.0, (2.0, 9.0)])
def test_half_lives_arrivals_and_depths_are_those_of_the_states(rise, half_life):
    market = ds.simulate.drain(5, rise=rise, half_life=half_life)
    truth = market.truth
    for asset in truth.members:
        path = log_loss(market, asset)
        before = truth.liquidity[asset][: truth.arrivals[asset]].iloc[:-1]
        assert (before == 1.0).all()
        assert path[0] > 0
        assert np.argmax(path) == rise - 1
        assert np.exp(-path.max()) == pytest.approx(truth.depth[asset], rel=1e-12)
        decay = np.polyfit(np.arange(60), np.log2(path[rise - 1 :][:60]), 1)[0]
        assert -1 / decay == pytest.approx(truth.half_life[asset], rel=1e-9)
    outside = [a for a in market.panel.assets if a not in truth.members]
    assert len(outside) == 2
    assert (truth.liquidity[outside] == 1.0).all(axis=None)


def test_arrivals_are_spread_evenly_over_the_lag():
    late = np.concatenate([plan(seed, lag=3, members=4).arrival[1:] - plan(seed).onset - 3 for seed in range(300)])
    counts = np.bincount(late)
    assert len(counts) == 4
    assert np.abs(counts - 225).max() < 4 * np.sqrt(900 * 0.25 * 0.75)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_the_source_leads_by_the_lag(lag):
    for seed in range(10):
        truth = ds.simulate.drain(seed, lag=lag, rows=100).truth
        bars = ((truth.arrivals - truth.onset) / pd.Timedelta(days=1)).astype(int)
        assert truth.members[0] == truth.source
        assert bars.iloc[0] == 0
        assert bars.iloc[1:].between(lag, 2 * lag).all()
        assert bars.is_monotonic_increasing


def test_trough_end_and_reach_follow_from_the_states():
    truth = ds.simulate.drain(2, lag=2, half_life=4.0).truth
    middle = truth.liquidity[list(truth.members)].median(axis=1)
    assert truth.trough == middle.idxmin()
    assert truth.end == middle[middle < 0.9].index[-1]
    assert truth.onset < truth.reached() <= truth.arrivals.max() < truth.end
    assert truth.reached(0.0) == truth.onset
    assert truth.reached(1.0) == truth.arrivals.max()
    assert truth.reached(0.5) == truth.arrivals.sort_values().iloc[3]


def test_members_that_never_come_back():
    truth = ds.simulate.drain(1, recovers=0.0).truth
    assert np.isinf(truth.half_life).all()
    assert pd.isna(truth.end)
    np.testing.assert_allclose(truth.liquidity.iloc[-1][list(truth.members)], truth.depth)
    plans = [plan(seed, recovers=0.7) for seed in range(300)]
    assert np.mean([np.isinf(p.half_life) for p in plans]) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 2400))


def test_a_market_that_is_not_back_in_time_is_open():
    truth = ds.simulate.drain(1, rows=100, onset=90, half_life=20.0).truth
    assert pd.isna(truth.end)
    assert np.isfinite(truth.half_life).all()


def test_a_shallow_drain_ends_at_its_trough():
    truth = ds.simulate.drain(1, rows=100, depth=(0.97, 0.98), rise=3).truth
    assert truth.trough == truth.end
    assert truth.liquidity.min().min() == pytest.approx(0.97)


@pytest.mark.parametrize("scenario", ds.simulate.SCENARIOS)
def test_whatever_begins_in_the_last_bar(scenario):
    market = ds.simulate.drain(1, scenario=scenario, rows=60, onset=59, lag=0, assets=3)
    assert market.panel.shape == (60, 3)
    assert pd.isna(market.truth.end)


def test_the_source_is_thinnest_and_falls_most():
    """Depth left: the source its number, the others around theirs; impact: states with the drain less those without."""
    left, falls = [], []
    for seed in range(12):
        drain, calm = (ds.simulate.drain(seed, scenario=s, volatility=1.0) for s in ("drain", "calm"))
        truth = drain.truth
        left.append(truth.depth.iloc[1:].median())
        assert truth.depth[truth.source] == pytest.approx(0.05)
        impact = np.log(truth.mid / calm.truth.mid)
        # The lasting 37 % are all that is left when the discount has closed.
        lasting = 1 - np.exp(impact.iloc[-1] / 0.37)
        assert lasting[truth.source] == pytest.approx(0.35, abs=1e-6)
        assert lasting.drop(truth.source).max() < 0.35
        assert (impact.min()[list(truth.members)] < impact.iloc[-1][list(truth.members)]).all()
        falls.append(lasting[list(truth.members[1:])].mean())
    assert np.median(left) == pytest.approx(0.25, abs=0.03)
    assert np.mean(falls) == pytest.approx(0.1, abs=4 * 0.1 / np.sqrt(12 * 12 * 7))


def test_forced_sales_buy_their_impact():
    """A sale of the bid side's depth within one per cent moves the price by one per cent; 144 books a day."""
    drain, calm = (ds.simulate.drain(4, scenario=s, volatility=1.0) for s in ("drain", "calm"))
    truth = drain.truth
    k = truth.source
    sold = truth.forced[k]
    impact = np.log(truth.mid[k] / calm.truth.mid[k]).loc[truth.onset]
    undisturbed = 1.5e6 * drain.panel["dollar_volume"][k].median() / 1e8  # depth is 1.5 % of a day's volume
    books = sold.loc[truth.onset] / (0.5 * undisturbed * truth.depth[k] * 144)
    assert 100 * -impact == pytest.approx(books, rel=0.2)  # the median volume of a sample stands for its scale
    assert (sold[: truth.onset].iloc[:-1] == 0).all()
    seen = drain.panel["liquidations"][k].loc[truth.onset]
    assert 0.5 * sold.loc[truth.onset] <= seen <= 0.95 * sold.loc[truth.onset]


def test_volume_spread_and_taker_flow_follow():
    drain, calm = (ds.simulate.drain(6, scenario=s) for s in ("drain", "calm"))
    truth, at = drain.truth, drain.truth.arrivals.max()
    members, others = list(truth.members), [a for a in drain.panel.assets if a not in truth.members]
    for field in ("dollar_volume", "spread", "liquidations"):
        assert (drain.panel[field].loc[at, members] > 1.5 * calm.panel[field].loc[at, members]).all()
    flow = drain.panel["signed_dollar_volume"] - calm.panel["signed_dollar_volume"]
    assert (flow.loc[truth.onset :, members].iloc[:8].sum() < 0).all()
    for field in FIELDS:
        pd.testing.assert_frame_equal(drain.panel[field][others], calm.panel[field][others])
    jump = np.log(truth.mid).diff().loc[at:].iloc[:5].std() / np.log(calm.truth.mid).diff().loc[at:].iloc[:5].std()
    assert jump[members].median() > 2


def test_flight_to_the_coin_and_from_it():
    coins = {f: ds.simulate.drain(8, flight=f).stablecoin for f in ("none", "haven", "suspect")}
    onset = ds.simulate.drain(8).truth.onset
    grown = {f: np.log(c["supply"].iloc[-1] / coins["none"]["supply"].iloc[-1]) for f, c in coins.items()}
    assert np.exp(grown["haven"]) == pytest.approx(1.02, abs=1e-3)
    assert np.exp(grown["suspect"]) == pytest.approx(0.94, abs=2e-3)
    assert coins["haven"].loc[onset, "price"] > 1.002
    assert coins["suspect"].loc[onset, "price"] == pytest.approx(0.97, abs=0.003)
    assert coins["suspect"].loc[onset, "price_V2"] == pytest.approx(0.80, abs=0.003)
    pd.testing.assert_frame_equal(
        coins["haven"][: onset - pd.Timedelta("1D")], coins["none"][: onset - pd.Timedelta("1D")]
    )


def test_the_same_seed_gives_the_same_market_and_another_seed_another():
    first, again, other = (ds.simulate.drain(s, family="heavy", gaps=0.02) for s in (11, 11, 12))
    for field in FIELDS:
        assert first.panel[field].to_numpy().tobytes() == again.panel[field].to_numpy().tobytes()
        assert not first.panel[field].equals(other.panel[field])
    assert first.stablecoin.to_numpy().tobytes() == again.stablecoin.to_numpy().tobytes()
    pd.testing.assert_frame_equal(first.truth.forced, again.truth.forced)
    assert first.truth.settings == again.truth.settings


@pytest.mark.parametrize("family", ds.simulate.FAMILIES)
def test_before_the_onset_a_drain_is_the_calm_market(family):
    drain, calm = (ds.simulate.drain(7, scenario=s, family=family) for s in ("drain", "calm"))
    rows = drain.panel.index.get_loc(drain.truth.onset)
    for field in FIELDS:
        pd.testing.assert_frame_equal(drain.panel[field][:rows], calm.panel[field][:rows])


def test_the_truth_as_an_episode():
    truth = ds.simulate.drain(3).truth
    episode = truth.episode()
    assert (episode.onset, episode.trough, episode.end) == (truth.onset, truth.trough, truth.end)
    assert episode.members == truth.members
    assert ds.simulate.drain(3, recovers=0.0).truth.episode().is_open
    with pytest.raises(DataError, match="'calm' nothing drained"):
        ds.simulate.drain(3, scenario="calm").truth.episode()


def test_settings_tell_how_it_was_made(tmp_path):
    market = ds.simulate.drain(9, family="heavy", half_life=(2.0, 8.0), scenario="single_asset")
    again = ds.simulate.drain(mode="planted", **market.truth.settings)
    pd.testing.assert_frame_equal(again.panel["depth"], market.panel["depth"])
    assert market.panel.provenance["seed"] == 9
    late = ds.simulate.drain(9, rows=60, start=pd.Timestamp("2024-01-05", tz="Asia/Tokyo"))
    pytest.importorskip("pyarrow")
    assert (
        ds.LiquidityPanel.load(late.panel.save(tmp_path / "late.parquet")).provenance["start"]
        == "2024-01-04T15:00:00+00:00"
    )
    assert market.truth.half_life.between(2, 8).all()


def test_source_and_onset_can_be_chosen_and_are_drawn_otherwise():
    chosen = ds.simulate.drain(0, source="A6", onset=500).truth
    assert (chosen.source, chosen.liquidity.index.get_loc(chosen.onset)) == ("A6", 500)
    drawn = [plan(seed) for seed in range(300)]
    assert np.bincount([p.source for p in drawn]).min() > 300 * 0.1 - 4 * np.sqrt(300 * 0.09)
    assert {p.onset for p in drawn} == set(range(60, 81))


def test_cards():
    assert repr(ds.simulate.drain(0, scenario="calm")) == "SimulatedMarket: calm, 10 assets × 1000 rows on utc_day"
    assert "members  8:" in repr(ds.simulate.drain(0))
    assert "onset" in repr(ds.simulate.drain(0, scenario="clock"))


BAD = {
    "mode": ({"mode": "live"}, "'planted', 'endogenous'"),
    "name": ({"halflife": 3}, "'half_life'"),
    "scenario": ({"scenario": "war"}, "'common_volatility'"),
    "family": ({"family": "cauchy"}, "'gaussian'"),
    "flight": ({"flight": "gold"}, "'haven'"),
    "source": ({"source": "A10"}, "'A9'"),
    "assets": ({"assets": 1}, "at least 2"),
    "rows": ({"rows": 10}, "at least 50"),
    "seed": ({"seed": -1}, "at least 0"),
    "depth": ({"depth": (0.0, 0.5)}, "above 0"),
    "pair": ({"depth": 0.3}, "pair of numbers"),
    "fall": ({"fall": (1.0, 0.5)}, "below 1"),
    "half_life": ({"half_life": 0.0}, "above 0"),
    "range": ({"half_life": (5.0, 2.0)}, "from the smaller number"),
    "breadth": ({"breadth": 1.2}, "from 0 to 1"),
    "bool": ({"recovers": True}, "from 0 to 1"),
    "volatility": ({"volatility": 1e6}, "below 100"),
    "onset": ({"onset": 999}, "leaves no room"),
    "rise": ({"onset": 990, "rise": 20}, "leaves no room"),
    "freq": ({"freq": "fortnight"}, "up to a day"),
    "no freq": ({"freq": None}, "up to a day"),
    "long bars": ({"freq": "7D"}, "up to a day"),
    "start": ({"start": "yesterdayish"}, "not a time stamp"),
    "no start": ({"start": None}, "not a time stamp"),
    "early": ({"start": "1600-01-01"}, "1677 to 2262"),
    "late": ({"start": "2261-01-01"}, "1677 to 2262"),
    "gaps": ({"gaps": -0.1}, "from 0 to 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_nonsense_is_answered_by_a_sentence(name):
    options, words = BAD[name]
    with pytest.raises(OptionError, match=words):
        ds.simulate.drain(**options)
