"""Funding, liquidations, and flows that are no prices: hand sums, brute force, coverage, real files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures
STAMPS = pd.date_range("2025-10-10", periods=60, freq="8h", tz="UTC")
RNG = np.random.default_rng(0)
RATE = pd.DataFrame(1e-4 + 3e-4 * RNG.normal(size=(60, 3)), STAMPS, ["BTC", "ETH", "SOL"])
RATE.iloc[[4, 17], 1] = np.nan


def test_annualised_funding_weighs_by_hours():
    hours = pd.DataFrame(8.0, RATE.index, RATE.columns)
    hours.iloc[30:, 2] = 4.0
    found = M.annualised_funding(RATE, hours, window=9)
    for t, column in ((8, "BTC"), (20, "ETH"), (33, "SOL")):
        rows = slice(t - 8, t + 1)
        there = RATE[column].iloc[rows].notna()
        hand = RATE[column].iloc[rows].sum() / hours[column].iloc[rows][there].sum() * 8760
        assert found[column].iloc[t] == pytest.approx(hand)
    assert found.iloc[:8].isna().all().all()
    # The same carry, settled twice as often at half the rate, costs the same.
    np.testing.assert_allclose(M.annualised_funding(RATE / 2, 4.0, 5), M.annualised_funding(RATE, 8.0, 5), rtol=1e-12)
    assert M.annualised_funding([0.0001])[0] == pytest.approx(0.1095)


def test_the_error_of_mean_funding_is_that_of_a_mean():
    found = M.annualised_funding(RATE, window=30, with_se=True)
    # With equal hours: Newey-West by hand, one window, Bartlett weights over floor(√30) = 5 rows.
    x = RATE["BTC"].iloc[-30:].to_numpy()
    away = x - x.mean()
    long_run = away @ away + sum(2 * (1 - k / 6) * (away[k:] @ away[:-k]) for k in range(1, 6))
    assert "5 rows" in found.method
    assert found.estimate["BTC"].iloc[-1] == pytest.approx(1095 * x.mean())
    # The small-sample factor is the house's; it goes to one.
    assert found.std_error["BTC"].iloc[-1] == pytest.approx(1095 * np.sqrt(long_run) / 30, rel=0.15)
    one = M.annualised_funding(RATE, with_se=True)
    assert one.std_error.isna().all().all()
    assert "observed" in one.method


@pytest.mark.slow
def test_the_error_of_mean_funding_covers():
    """AR(1) funding of memory 0.5, windows of 90 settlements, hours that change in the middle."""
    rng, rows, n = np.random.default_rng(1), 90, 4000
    rate = np.zeros((rows + 50, n))
    noise = 1e-4 * rng.normal(size=rate.shape)
    for t in range(1, len(rate)):
        rate[t] = 0.5 * rate[t - 1] + noise[t]
    hours = np.where(np.arange(rows)[:, None] < 45, 8.0, 4.0) * np.ones((1, n))
    rate = (rate[50:] + 1e-4) * hours / 8
    found = M.annualised_funding(rate, hours, window=rows, with_se=True)
    ends = found.interval(0.95)
    truth = 1e-4 / 8 * 8760
    share = ((ends.lower[-1] < truth) & (truth < ends.upper[-1])).mean()
    assert 0.88 <= share <= 0.98


def test_funding_paid():
    mark = 100 + RATE * 1e4
    found = M.funding_paid(RATE, 3, mark)
    hand = (RATE * mark).rolling(3).sum()
    pd.testing.assert_frame_equal(found, hand)
    assert found["ETH"].iloc[4:7].isna().all()
    np.testing.assert_allclose(M.funding_paid(RATE["BTC"], 60).iloc[-1], RATE["BTC"].sum())


@pytest.mark.parametrize("scale", ["deviation", "mad"])
def test_funding_stress_by_brute_force(scale):
    found = M.funding_stress(RATE, 12, scale)
    for t in range(60):
        for column in RATE:
            before = RATE[column].iloc[max(t - 12, 0) : t].dropna()
            if t < 12:
                assert np.isnan(found[column].iloc[t])
                continue
            centre = before.mean() if scale == "deviation" else before.median()
            spread = before.std() if scale == "deviation" else 1.4826 * (before - centre).abs().median()
            hand = (RATE[column].iloc[t] - centre) / spread
            np.testing.assert_allclose(found[column].iloc[t], hand, rtol=1e-9)
    np.testing.assert_allclose(M.funding_stress(7 * RATE + 1, 12, scale), found, rtol=1e-6)


def test_clamped_funding_has_no_scale():
    clamped = np.full(50, 0.0001)
    clamped[49] = 0.003
    for scale in ("deviation", "mad"):
        assert np.isnan(M.funding_stress(clamped, 40, scale)).all()


EVENTS = pd.DataFrame(
    {
        "asset": ["BTC", "ETH", "BTC", "BTC", "ETH"],
        "price": [1e5, 4e3, 9e4, 8e4, 3e3],
        "amount": [1.0, 10.0, 2.0, 0.5, 1.0],
        "side": ["SELL", "sell", -1, 1, "Buy"],
    },
    pd.to_datetime(["21:15:00", "21:15:59", "21:16:00", "21:18:30", "21:18:31"], format="%H:%M:%S", utc=True)
    + pd.Timedelta(days=45938),
)


def test_a_sale_closes_a_long():
    found = M.liquidations(EVENTS, "1min", feed="census")
    assert found.long["BTC"].tolist() == [1e5, 1.8e5, 0.0, 0.0]
    assert found.short["BTC"].tolist() == [0.0, 0.0, 0.0, 4e4]
    assert found.long["ETH"].tolist() == [4e4, 0.0, 0.0, 0.0]
    assert found.orders["ETH"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert found.imbalance["BTC"].tolist()[:2] == [1.0, 1.0]
    assert np.isnan(found.imbalance["BTC"].iloc[2])
    assert found.total.to_numpy().sum() == pytest.approx((EVENTS["price"] * EVENTS["amount"]).sum())
    assert "Census" in repr(found)
    # Order of the rows and of the assets does not matter.
    again = M.liquidations(EVENTS.iloc[::-1], "1min", feed="census")
    pd.testing.assert_frame_equal(again.total, found.total)
    hour = M.liquidations(EVENTS, "1h", feed="census")
    assert hour.long.to_numpy().sum() == found.long.to_numpy().sum()
    assert hour.long.index[0].minute == 0


def test_a_feed_must_be_named_and_a_correction_too():
    with pytest.raises(TypeError):
        M.liquidations(EVENTS, "1min")
    with pytest.raises(OptionError, match="'census', 'latest_per_second'"):
        M.liquidations(EVENTS, "1min", feed="binance")
    sample = M.liquidations(EVENTS, "1min", feed="latest_per_second")
    assert "lower bounds" in sample.statement
    with pytest.raises(OptionError, match="'poisson'"):
        sample.corrected("linear")
    fixed = sample.corrected("poisson")
    assert "Poisson" in fixed.statement
    n = 1 / 60
    assert fixed.long["BTC"].iloc[0] == pytest.approx(1e5 * -np.log(1 - n) / n)
    assert fixed.long["BTC"].iloc[2] == 0.0
    for census in (fixed, M.liquidations(EVENTS, "1min", feed="census")):
        with pytest.raises(OptionError, match="nothing to correct"):
            census.corrected("poisson")


def thinned(rng, rate, seconds=3600):
    """Poisson liquidations of an hour, and what a feed of one per second shows of them."""
    counts = rng.poisson(rate, seconds)
    second = np.repeat(np.arange(seconds), counts)
    table = pd.DataFrame({"asset": "A", "price": 1.0, "amount": rng.pareto(3, len(second)) + 1, "side": -1})
    table.index = pd.Timestamp("2025-10-10 21:00", tz="UTC") + pd.to_timedelta(second, unit="s")
    return table, table[~table.index.duplicated(keep="last")]


def test_the_correction_recovers_thinned_poisson_orders_and_is_low_in_bursts():
    rng, calm, burst = np.random.default_rng(2), [], []
    for _ in range(40):
        whole, shown = thinned(rng, 1.0)
        found = M.liquidations(shown, "1h", feed="latest_per_second")
        assert found.total.iloc[0, 0] < 0.75 * whole["amount"].sum()
        calm.append(found.corrected("poisson").total.iloc[0, 0] / whole["amount"].sum())
        # The same number of orders, nine tenths of them in a tenth of the hour.
        whole, shown = thinned(rng, np.where(np.arange(3600) < 360, 9.0, 1 / 9))
        fixed = M.liquidations(shown, "1h", feed="latest_per_second").corrected("poisson")
        burst.append(fixed.total.iloc[0, 0] / whole["amount"].sum())
    assert np.mean(calm) == pytest.approx(1.0, abs=4 * np.std(calm) / np.sqrt(40))
    assert max(burst) < 0.5


def test_a_bar_with_an_order_in_every_second_is_unknown():
    rng = np.random.default_rng(3)
    _, shown = thinned(rng, 20.0, 60)
    found = M.liquidations(shown, "1min", feed="latest_per_second")
    assert found.orders.iloc[0, 0] == 60
    assert np.isnan(found.corrected("poisson").total.iloc[0, 0])


def test_intensity():
    forced = pd.DataFrame({"A": [0.0, 30.0, 10.0, np.nan, 5.0], "B": [1.0, 1.0, 1.0, 1.0, 1.0]})
    interest = pd.DataFrame({"A": [200.0, 160.0, 150.0, 150.0, 150.0], "B": [10.0, 0.0, 10.0, 10.0, 10.0]})
    found = M.liquidation_intensity(forced, interest, 2)
    np.testing.assert_allclose(found["A"], [np.nan, np.nan, 40 / 200, np.nan, np.nan])
    np.testing.assert_allclose(found["B"], [np.nan, np.nan, 0.2, np.nan, 0.2])
    volume = M.liquidation_intensity(forced, interest, 2, scale="volume")
    np.testing.assert_allclose(volume["A"], [np.nan, 30 / 360, 40 / 310, np.nan, np.nan])


def test_open_interest_free_of_price_is_the_flow_split():
    contracts, price = [100.0, 100.0, 80.0], [50.0, 40.0, 40.0]
    split = M.flow_split(contracts, price)
    # The value of open interest fell by a fifth twice; positions were closed once.
    np.testing.assert_allclose(split.flow, [np.nan, 0.0, -800.0])
    np.testing.assert_allclose(split.revaluation, [np.nan, -1000.0, 0.0])


def test_protocol_outflow_sums_tokens():
    rng = np.random.default_rng(4)
    units = pd.DataFrame(rng.exponential(10, (40, 3)), STAMPS[:40], list("xyz"))
    price = pd.DataFrame(rng.exponential(1, (40, 3)), STAMPS[:40], list("xyz"))
    found = M.protocol_outflow(units, price)
    split = M.flow_split(units, price)
    np.testing.assert_allclose(found["flow"].iloc[1:], split.flow.iloc[1:].sum(axis=1))
    total = (units * price).sum(axis=1)
    np.testing.assert_allclose((found["flow"] + found["revaluation"]).iloc[1:], total.diff().iloc[1:], rtol=1e-9)
    np.testing.assert_allclose(found["outflow"].iloc[1:], (-found["flow"] / total.shift()).iloc[1:])
    assert (found["covered"].iloc[1:] == 1.0).all()
    # A fall of all prices with units that stay is no outflow.
    falling = M.protocol_outflow([[1.0, 2.0]] * 3, [[8.0, 8.0], [4.0, 4.0], [2.0, 2.0]])
    assert falling["outflow"].iloc[1:].tolist() == [0.0, 0.0]


def test_tokens_that_come_and_go():
    units = [[10.0, np.nan], [9.0, np.nan], [9.0, 5.0], [8.0, 6.0], [8.0, np.nan]]
    price = [[1.0, 1.0]] * 5
    strict, lenient = (M.protocol_outflow(units, price, missing=m) for m in ("nan", "skip"))
    assert strict["flow"].isna().tolist() == [True, False, True, False, True]
    assert lenient["flow"].iloc[1:].tolist() == [-1.0, 0.0, 0.0, 0.0]
    assert lenient["covered"].iloc[1:].tolist() == pytest.approx([1.0, 1.0, 1.0, 8 / 14])
    assert lenient["outflow"].iloc[4] == 0.0
    with pytest.raises(OptionError, match="missing"):
        M.protocol_outflow(units, price, missing="zero")


def test_a_dead_coin_is_a_break_and_a_price_is_none():
    # Eighty good coins and twenty worthless ones, which drop out and come back.
    units = [100.0, 100.0, 80.0, 100.0, 95.0, 95.0]
    value = [80.0, 80.0, 80.0, 80.0, 76.0, 70.0]
    flags = M.composition_break(units, np.array(value) / units)
    np.testing.assert_array_equal(flags, [np.nan, 0.0, 1.0, 1.0, 0.0, 0.0])
    assert np.isnan(M.composition_break([1.0, np.nan, 1.0], [1.0, 1.0, 1.0])).all()
    with pytest.raises(OptionError, match="least"):
        M.composition_break(units, value, least=0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: M.annualised_funding(RATE * np.inf), "rate=inf is infinite"),
        (lambda: M.annualised_funding(RATE, 0 * RATE), "not above zero"),
        (lambda: M.annualised_funding(RATE, window=61), "60 rows came"),
        (lambda: M.funding_paid(RATE, 3, -1 + 0 * RATE), "mark=-1"),
        (lambda: M.funding_stress(RATE, 60), "fewer than the window"),
        (lambda: M.liquidations(EVENTS.drop(columns="side"), feed="census"), "lack the columns side"),
        (lambda: M.liquidations(EVENTS.reset_index(drop=True), feed="census"), "not indexed by time"),
        (lambda: M.liquidations(EVENTS.iloc[:0], feed="census"), "no liquidation"),
        (lambda: M.liquidations(EVENTS.assign(side="long"), feed="census"), "none of −1, 1"),
        (lambda: M.liquidations(EVENTS.assign(amount=0.0), feed="census"), "not above zero"),
        (lambda: M.liquidations(EVENTS.assign(asset=None), feed="census"), "asset is missing"),
        (lambda: M.liquidation_intensity([-1.0], [1.0]), "negative"),
        (lambda: M.liquidation_intensity([1.0], [1.0, 2.0]), "shapes must agree"),
        (lambda: M.protocol_outflow([[1.0]], [[-1.0]]), "negative"),
    ],
)
def test_tables_that_are_none(call, message):
    with np.errstate(invalid="ignore"), pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: M.annualised_funding(RATE, 0.0),
        lambda: M.annualised_funding(RATE, window=0),
        lambda: M.annualised_funding(RATE, window=5, with_se=True, hac_lags=-1),
        lambda: M.funding_stress(RATE, 12, "iqr"),
        lambda: M.liquidations(EVENTS, "weekly", feed="census"),
        lambda: M.liquidations(EVENTS, "-1h", feed="census"),
        lambda: M.liquidation_intensity([1.0], [1.0], scale="depth"),
    ],
)
def test_options_that_are_none(call):
    with pytest.raises(OptionError):
        call()


def test_one_bar_before_the_window_is_needed():
    assert np.isnan(M.liquidation_intensity([1.0, 1.0], [1.0, 1.0], 2)).all()


@pytest.mark.reference
def test_the_dead_coin_of_march_2023_is_flagged(data_root):
    path = data_root / "data/defillama-stablecoins-tvl-202308/stablecoins__total_stablecoins_all_chains.csv"
    frame = pd.read_csv(path, parse_dates=["Date"], index_col="Date")
    dollars, units = frame.iloc[:, 0], frame.iloc[:, 1]
    price = dollars / units
    flags = M.composition_break(units, price)
    # shared/methods/collateral-flight-exit.md, section 3.4: the price of the aggregate, and one day without the coin.
    assert price.loc["2023-03-10"] == pytest.approx(0.9315, abs=5e-5)
    assert price.loc["2023-03-13"] == pytest.approx(0.9984, abs=5e-5)
    assert units.diff().loc["2023-03-13"] == pytest.approx(-10.97e9, abs=5e6)
    assert flags.loc["2023-03-12":"2023-03-15"].tolist() == [0.0, 1.0, 1.0, 0.0]
    # The outflows of May 2022 and the depeg of USDC are none.
    assert flags.loc["2023-03-10":"2023-03-12"].sum() == 0
    assert flags.sum() == 2


@pytest.mark.reference
def test_what_left_usdc_in_march_2023(data_root):
    folder = data_root / "data/defillama-stablecoins-tvl-202308"
    units = pd.read_csv(folder / "stablecoins__stablecoin_USDC_circulating_by_chain.csv", index_col=0, parse_dates=True)
    # Stamped at 20:00 in New York, the midnight of the next UTC day.
    units.index = (units.index + pd.Timedelta("12h")).normalize()
    price = pd.read_csv(folder / "stablecoins__stablecoin_prices.csv", index_col=0, parse_dates=True)["usd-coin"]
    price = price.reindex(units.index)
    found = M.protocol_outflow(units, pd.DataFrame(dict.fromkeys(units.columns, price)))
    value = units.sum(axis=1) * price
    both = (found["flow"] + found["revaluation"]).dropna()
    np.testing.assert_allclose(both, value.diff().loc[both.index], atol=1e-2)
    # On the 11th three fifths of the dollars lost were the price; the money left in the days after, at par.
    assert found.loc["2023-03-11", "revaluation"] / value.diff().loc["2023-03-11"] == pytest.approx(0.62, abs=0.01)
    assert found.loc["2023-03-11", "outflow"] == pytest.approx(0.0222, abs=1e-4)
    assert found["outflow"].idxmax() == pd.Timestamp("2023-03-12")
    assert found.loc["2023-03-12":"2023-03-16", "flow"].sum() == pytest.approx(-4.961e9, abs=1e6)
    # The one false flag that the docs speak of: units left while the peg came back.
    flags = M.composition_break(units.sum(axis=1), price)
    assert flags[flags == 1].index.tolist() == [pd.Timestamp("2023-03-12")]


@pytest.mark.reference
def test_the_deleveraging_of_october_2025(data_root):
    closed = pd.read_csv(data_root / "data/hyperliquid-adl-20251010/adl_by_coin_REALTIME.csv", index_col="coin")
    notional, coins = closed["adl_notional"], ["BTC", "ETH", "SOL"]
    # shared/methods/collateral-flight-exit.md, section 1.2.
    assert (notional.sum(), closed["num_events"].sum()) == (pytest.approx(2_103_111_430.86, abs=0.01), 34_983)
    assert notional[coins].sum() / notional.sum() == pytest.approx(0.644331, abs=1e-6)
    folder = data_root / "data/binance-usdm-perp-klines-mutbug/1d"
    bars = {coin: ds.read_bars(folder / f"{coin}_USDT_1d.csv").loc[["2025-10-10"]] for coin in coins}
    traded = pd.DataFrame({c: b["close"] * b["volume"] for c, b in bars.items()})
    forced = pd.DataFrame([notional[coins]], index=traded.index)
    share = M.liquidation_intensity(forced, traded, scale="volume").iloc[0]
    # Twelve minutes of one venue against a day of another, the largest.
    hand = [620_890_947.7 / 44.180e9, 458_008_925.0 / 45.905e9, 276.201e6 / 11.697e9]
    assert share.tolist() == pytest.approx(hand, rel=1e-4)


def test_numbers_whose_products_overflow_are_one_sentence():
    with pytest.raises(DataError, match="too far from one"):
        M.annualised_funding(np.full((9, 1), 1e300), window=3)
    events = pd.DataFrame({"asset": "BTC", "price": 1e300, "amount": 1e9, "side": -1}, STAMPS[:1])
    with pytest.raises(DataError, match="outside 1e-100 to"):
        M.liquidations(events, feed="census")
