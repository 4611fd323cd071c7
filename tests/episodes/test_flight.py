"""Flight: planted havens and runs, the size of the test, what is known when, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes.flight import Flight, _studentised, measure_flight
from drainstats.errors import DataError, OptionError

DAYS = pd.date_range("2020-01-01", periods=300, tz="UTC")
YEAR = pd.Timedelta("365D")


def coin(seed=0, inflow=0.0, discount=0.0, rows=slice(200, 204), scale=1e9):
    rng = np.random.default_rng(seed)
    flow, price = rng.normal(0, 1e-3, len(DAYS)), 1 + rng.normal(0, 2e-4, len(DAYS))
    flow[rows] += inflow
    price[rows] -= discount
    table = {"supply": scale * np.exp(np.cumsum(flow)), "price": price, "price_V2": price - 3 * (1 - price).clip(0.001)}
    return pd.DataFrame(table, index=DAYS)


def flight(stablecoin, **options):
    return ds.episode_flight(ds.Episode.from_dates(DAYS[200], DAYS[210], trough=DAYS[203]), stablecoin, **options)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, "none"),
        ({"inflow": 0.02}, "flight"),
        ({"inflow": 0.02, "discount": 0.05}, "run on the haven"),
        ({"inflow": -0.03, "discount": 0.05}, "run on the haven"),
        ({"discount": 0.0007}, "none"),
        ({"inflow": -0.03}, "none"),
        ({"inflow": 0.02, "discount": -0.004}, "flight"),
    ],
)
def test_the_signs_make_the_pattern(options, pattern):
    assert flight(coin(**options)).pattern == pattern


def test_the_numbers_by_hand():
    table = coin(inflow=0.02, discount=0.01)
    found = flight(table)
    row = found.coins.loc["stablecoin"]
    assert row["flow"] == pytest.approx(table["supply"].iloc[203] / table["supply"].iloc[199] - 1)
    assert row["premium"] == pytest.approx((table["price"].iloc[200:204] - 1).mean())
    assert found.net_flow == pytest.approx(row["flow"])
    assert found.pegs["stablecoin, V2"] == pytest.approx(table["price_V2"].iloc[203] - 1)
    assert found.pegs["stablecoin, main"] == pytest.approx(table["price"].iloc[203] - 1)
    assert row["inflow_p_value"] == pytest.approx(1 / (1 + row["placebos"]))


def test_the_statistic_is_that_of_a_loop():
    x = np.random.default_rng(1).normal(size=120)
    x[[5, 70, 110]] = np.nan
    slow = []
    for first in range(60, 120 - 4 + 1):
        before, inside = x[first - 60 : first], x[first : first + 4]
        slow.append((np.nanmean(inside) - np.nanmedian(before)) / np.nanstd(before))
    assert _studentised(x, 4) == pytest.approx(np.array(slow), abs=1e-12)


def test_several_coins():
    haven, suspect, small = coin(1, 0.03), coin(2, -0.03, 0.05), coin(3, -0.03, 0.05, scale=1e6)
    both = flight({"USDT": haven, "USDC": suspect})
    assert both.coins.loc["USDT", "flow"] > 0 > both.coins.loc["USDC", "flow"]
    assert set(both.pegs.index) == {"USDT, main", "USDT, V2", "USDC, main", "USDC, V2"}
    assert flight({"USDT": haven, "tiny": small}).pattern == "flight"
    assert flight({"tiny": haven * [1e-3, 1, 1], "USDC": suspect}).pattern == "run on the haven"


def test_the_size_is_that_of_the_rank():
    """Flows and pegs with volatility that moves by a factor of three: a flight is called in 5 % or less."""
    called = 0
    for seed in range(150):
        table = coin(seed)
        loud = 1 + 2 * (np.sin(np.arange(len(DAYS)) / 25 + seed) > 0)
        flow = np.log(table["supply"]).diff().fillna(0) * loud
        called += flight(table.assign(supply=1e9 * np.exp(flow.cumsum()))).pattern == "flight"
    assert called / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_later_rows_do_not_matter_and_late_ones_do_not_enter():
    table = coin(4, 0.02)
    whole = measure_flight(table, DAYS[200], DAYS[203], DAYS[204], YEAR)
    cut = measure_flight(table.iloc[:204], DAYS[200], DAYS[203], DAYS[204], YEAR)
    assert cut.to_dict() == whole.to_dict()
    disturbed = table.copy()
    disturbed.iloc[204:] *= 1000
    assert measure_flight(disturbed, DAYS[200], DAYS[203], DAYS[204], YEAR).to_dict() == whole.to_dict()
    late = table.assign(available_at=DAYS + pd.Timedelta("10D"))
    early = measure_flight(late, DAYS[200], DAYS[203], DAYS[204], YEAR)
    assert early.to_dict() != whole.to_dict()


def test_unit_of_supply_and_other_clocks_do_not_matter():
    table = coin(5, 0.02)
    assert flight(table * [1e-6, 1, 1]).to_dict()["coins"] == flight(table).to_dict()["coins"] or (
        flight(table * [1e-6, 1, 1]).coins.to_numpy() == pytest.approx(flight(table).coins.to_numpy(), rel=1e-9)
    )
    assert flight(table.tz_localize(None)).to_dict() == flight(table).to_dict()


def test_what_is_missing_is_not_measured():
    assert Flight().pattern == "not measured"
    assert flight(coin().iloc[190:]).pattern == "not measured"  # no history
    assert flight(coin()[["supply"]]).pattern == "not measured"  # no price
    assert flight(coin().assign(supply=np.nan)).pattern == "not measured"
    assert flight(coin().assign(supply=1e9, price=1.0)).pattern == "not measured"  # nothing ever moves
    assert flight(coin().iloc[:100]).pattern == "not measured"  # ends before the episode
    assert "needs stable coins" in Flight().describe()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (coin().rename(columns={"supply": "units"}), "no column supply"),
        (coin().reset_index(drop=True), "DatetimeIndex"),
        (-coin(), "zero or more"),
        (coin().replace(coin()["price"].iloc[3], np.inf), "finite"),
        ([1, 2], "was expected"),
    ],
)
def test_bad_input_is_a_sentence(table, message):
    with pytest.raises(DataError, match=message):
        flight(table)


def test_simulated_havens_and_suspects():
    """Three markets each; a haven is never called a run, nor a suspect a haven."""
    for kind, wrong in (("haven", "run on the haven"), ("suspect", "flight")):
        patterns = []
        for seed in range(3):
            market = ds.simulate.drain(seed, flight=kind, rows=500)
            truth = ds.Episode.from_dates(market.truth.onset, market.truth.end, trough=market.truth.trough)
            patterns.append(ds.episode_flight(truth, market.stablecoin).pattern)
        assert wrong not in patterns
        assert {"haven": "flight", "suspect": "run on the haven"}[kind] in patterns


@pytest.mark.reference
def test_usdc_in_march_2023_and_november_2022(data_root):
    """DefiLlama: 43.2 to 40.7 bn coins from 9 to 11 March 2023 at a price of .961; with FTX the supply grew."""
    folder = data_root / "data" / "defillama-stablecoins-tvl-202308"
    chains = pd.read_csv(folder / "stablecoins__stablecoin_USDC_circulating_by_chain.csv")
    prices = pd.read_csv(folder / "stablecoins__stablecoin_prices.csv")
    supply = chains.set_index(pd.to_datetime(chains["Date"]).dt.normalize()).select_dtypes("number").sum(axis=1)
    price = prices.set_index(pd.to_datetime(prices["Date"]))["usd-coin"]
    usdc = {"USDC": pd.DataFrame({"supply": supply[~supply.index.duplicated()], "price": price}).dropna()}
    run = ds.episode_flight(ds.Episode.from_dates("2023-03-10", "2023-03-11"), usdc)
    assert run.pattern == "run on the haven"
    assert run.net_flow == pytest.approx(-0.0582, abs=1e-4)
    assert run.pegs["USDC, main"] == pytest.approx(0.961065 - 1, abs=1e-6)
    assert ds.episode_flight(ds.Episode.from_dates("2022-11-08", "2022-11-10"), usdc).pattern == "flight"
    assert ds.episode_flight(ds.Episode.from_dates("2023-05-10", "2023-05-12"), usdc).pattern == "none"


@pytest.mark.parametrize("option", [{"baseline": "a year"}, {"baseline": 365}, {"tolerance": -1}, {"tolerance": True}])
def test_lengths_and_tolerances_that_make_no_sense(option):
    e, coin = ds.Episode.from_dates("2020-03-12"), pd.DataFrame()
    with pytest.raises(OptionError, match=next(iter(option))):
        ds.episode_flight(e, coin, **option)
    with pytest.raises(DataError, match="An episode is needed, a str came"):
        ds.episode_flight("2020-03-12", coin)
