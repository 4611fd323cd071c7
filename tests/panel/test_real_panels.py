"""Panels of real market files: minutes without trades, hours inside sessions, a dead perpetual, funds beside a coin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_clocks import rules

pytestmark = pytest.mark.reference

LEAN = "lean-us-equity-hour-daily"
PEG = "stablecoin-depeg-202303-1m"
PERPS = "binance-usdm-perp-klines-mutbug"
DAILY = "yfinance-cross-asset-daily-2026"


@pytest.fixture(scope="module")
def read(data_root):
    return lambda *parts: ds.read_bars(data_root.joinpath("data", *parts))


@pytest.fixture(scope="module")
def stablecoins(read):
    markets = ["binance_btcusdt", "binance_usdcusdt", "coinbase_btcusdt", "kraken_btcusdc", "kraken_usdcusd"]
    assets = pd.DataFrame(
        {
            "venue": [m.partition("_")[0] for m in markets],
            "base": ["BTC", "USDC", "BTC", "BTC", "USDC"],
            "quote": ["USDT", "USDT", "USDT", "USDC", "USD"],
        },
        index=markets,
    )
    return LiquidityPanel.from_bars({m: read(PEG, f"{m}.parquet") for m in markets}, "utc_min", assets=assets)


SPAN = {"start": ["2023-03-01"], "end": ["2023-03-22"]}


def test_absent_and_empty_minutes_are_both_no_trade(stablecoins):
    fetched = pd.concat([pd.DataFrame({"venue": [v], **SPAN}) for v in ("binance", "coinbase", "kraken")])
    states = stablecoins.mark(fetched=fetched).states()
    assert states.columns.tolist() == ["traded", "no trade"]
    # Rows in the files, counted by their provenance; Binance writes a row of volume zero instead of none.
    assert states.loc[["coinbase_btcusdt", "kraken_btcusdc", "kraken_usdcusd"], "traded"].tolist() == [
        24478,
        15719,
        20934,
    ]
    assert states.loc["binance_btcusdt"].tolist() == [30240 - 658, 658]
    assert states.sum(axis=1).eq(30240).all()
    before = stablecoins.states()
    assert before.loc["kraken_btcusdc"].to_dict() == {"traded": 15719, "no trade": 0, "missing": 30240 - 15719}


def test_the_dip_of_usdc_survives_coarser_rows_and_the_file(stablecoins, tmp_path):
    hours = stablecoins.resample("utc_hour")
    dip = pd.Timestamp("2023-03-11T07:00Z")
    assert hours["low"]["kraken_usdcusd"].idxmin() == dip
    raw = stablecoins["volume"]["kraken_usdcusd"].loc["2023-03-11T07:00Z":"2023-03-11T07:59Z"]
    assert hours["volume"].at[dip, "kraken_usdcusd"] == pytest.approx(raw.sum(), rel=1e-12)
    again = LiquidityPanel.load(stablecoins.save(tmp_path / "peg.parquet"))
    assert again["close"].equals(stablecoins["close"])
    assert again.status.equals(stablecoins.status)


def test_bitcoin_in_usdc_costs_what_it_costs_in_dollars(stablecoins):
    """At 07:15 on 11 March a BTC/USDC price of Kraken stood an eighth above the dollar price: the coin was down."""
    dollars = stablecoins.select(["kraken_btcusdc", "kraken_usdcusd"]).convert(
        "USD", {"USDC": "kraken_usdcusd"}, max_age="5min"
    )
    morning = slice("2023-03-11T07:00Z", "2023-03-11T07:30Z")
    raw, done = (p["close"]["kraken_btcusdc"].loc[morning].dropna() for p in (stablecoins, dollars))
    assert raw.max() > 23_000
    assert done.between(19_500, 21_500).all()
    assert len(done) >= 20


def test_venue_outages_may_be_inferred_from_silence(stablecoins):
    # Thin markets are silent together without an outage: that the rule fits is for the user to say.
    marked = stablecoins.mark(infer_outages=True)
    kraken = marked.where("outage")[["kraken_btcusdc", "kraken_usdcusd"]]
    traded = stablecoins.where("traded")
    both_absent = ~traded[kraken.columns].any(axis=1) & traded.drop(columns=kraken.columns).any(axis=1)
    assert kraken.sum().tolist() == [both_absent.loc[:"2023-03-21T23:58Z"].sum()] * 2, "inside the venue's history"


@pytest.fixture(scope="module")
def spy(read):
    return read(LEAN, "hour", "spy.zip")


def test_hours_of_the_exchange_lie_in_its_sessions(spy):
    panel = LiquidityPanel.from_bars({"SPY": spy}, "session:XNYS:hour")
    late = panel.window("2006-07-04")
    per_day = pd.Series(1, index=late.index).groupby(late.index.date).sum()
    assert per_day.isin([4, 7]).all()
    assert per_day[per_day == 4].index.astype(str).tolist()[-3:] == ["2019-12-24", "2020-11-27", "2020-12-24"]
    # Up to 2008 the file has prints after the close of half days: noted, 47 of them.
    assert rules(panel)["outside-accumulated"] == 47
    since = LiquidityPanel.from_bars({"SPY": spy.loc["2009-01-01":]}, "session:XNYS:hour")
    assert "outside-accumulated" not in rules(since)


def test_hours_become_the_sessions_that_the_daily_file_has(spy, read):
    hours = LiquidityPanel.from_bars({"SPY": spy}, "session:XNYS:hour", outside="drop")
    days = LiquidityPanel.from_bars({"SPY": read(LEAN, "daily", "spy.zip")}, "session:XNYS")
    made = hours.resample("session:XNYS")
    assert made.index.equals(days.index)
    for field in ("high", "low", "close"):
        agree = np.isclose(made[field]["SPY"], days[field]["SPY"], rtol=1e-6)
        assert agree.mean() > 0.97, field
    straight = LiquidityPanel.from_bars({"SPY": spy}, "session:XNYS", outside="drop")
    for field in made.fields:
        pd.testing.assert_frame_equal(made[field], straight[field])
    pd.testing.assert_frame_equal(made.available, straight.available)
    assert made.available_at.loc["2020-11-27"] == pd.Timestamp("2020-11-27T18:00Z")


def test_a_coin_beside_the_exchange_hour_by_hour(spy, read):
    coin = LiquidityPanel.from_bars({"LTC": read(PERPS, "1h", "LTC_USDT_1h.csv").loc["2020-01-09":"2021-03-31"]})
    shares = LiquidityPanel.from_bars({"SPY": spy.loc["2020-01-09":"2021-03-31"]}, "session:XNYS:hour")
    both = shares.join(coin, outside="drop").window("2020-01-10")
    per_day = pd.Series(1, index=both.index).groupby(both.index.date).sum()
    assert per_day.value_counts().to_dict() == {7: len(per_day) - 2, 4: 2}
    assert (both["close"]["LTC"].dropna() == coin["close"]["LTC"].reindex(both.index).dropna()).all()
    whole = shares.join(coin)
    known = coin.available_at.between(
        whole.available_at.iloc[0] - pd.Timedelta("1h"), whole.available_at.iloc[-1], "right"
    )
    assert whole["volume"]["LTC"].sum() == pytest.approx(coin["volume"]["LTC"][known].sum(), rel=1e-12)
    sessions = coin.join(shares.resample("session:XNYS"), clock="session:XNYS")
    half = sessions["close"]["LTC"].loc["2020-11-27"]
    assert half == coin["close"]["LTC"].loc["2020-11-27T17:00Z"], "the last hour known when New York closed at 13:00"


def test_a_perpetual_after_its_death(read):
    table = pd.DataFrame(
        {"raw": ["FTTUSDT"], "asset": ["FTT-PERP"], "valid_from": ["2022-04-15"], "valid_to": ["2022-11-15"]}
    )
    other = read(PERPS, "1d", "LTC_USDT_1d.csv").loc["2022-01-01":]
    bars = {"FTTUSDT": read(PERPS, "1d", "FTT_USDT_1d.csv"), "LTC": other}
    panel = LiquidityPanel.from_bars(bars, symbols=table)
    states = panel.states().loc["FTT-PERP"]
    assert states.to_dict() == {"traded": 214, "delisted": 1301, "not yet listed": 104}
    # Without the table nothing is said but what the file says: rows of volume zero.
    plain = LiquidityPanel.from_bars(bars).states().loc["FTTUSDT"]
    assert plain.to_dict() == {"traded": 214, "no trade": 1301, "missing": 104}
    assert panel["close"]["FTT-PERP"].notna().sum() == 214, "rows after the last day belong to no asset"
    assert rules(panel)["outside-validity"] == 1301


def test_funds_beside_a_coin_by_intersection_and_union(read):
    funds = {name: read(DAILY, f"{name}.csv").loc["2019-06-01":"2020-12-31"] for name in ("SPY", "TLT", "HYG")}
    coin = {"BTC": read(DAILY, "BTC_USD.csv").loc["2019-06-01":"2020-12-31"]}
    shares, coins = LiquidityPanel.from_bars(funds, "session:XNYS"), LiquidityPanel.from_bars(coin, "utc_day")
    union, both = (shares.join(coins, clock=clock) for clock in ("union", "intersection"))
    assert union.shape == (580, 4)
    assert both.index.equals(shares.index)
    assert union.states().loc["SPY"].to_dict() == {"traded": 401, "closed": 179}
    monday = both["volume"]["BTC"].loc["2020-03-16"]
    assert monday == pytest.approx(coins["volume"]["BTC"].loc["2020-03-14":"2020-03-16"].sum(), rel=1e-12)
    held = union.carry("4D")
    weekend = pd.Timestamp("2020-03-14", tz="UTC")
    assert held["close"].at[weekend, "SPY"] == shares["close"]["SPY"].loc["2020-03-13"]
    assert held.where("stale")["SPY"].sum() == 177, "all but the two days before the first session"


@pytest.mark.parametrize("ticker", ["BNO", "USO", "EEM", "WM"])
def test_reused_tickers_of_the_list_are_two_assets(read, ticker):
    table = ds.reused_symbols()
    panel = LiquidityPanel.from_bars(
        {ticker: read(LEAN, "daily", f"{ticker.lower()}.zip")}, "session:XNYS", symbols=table
    )
    assert len(panel.assets) == 2
    assert "outside-validity" not in rules(panel)
    old, new = (panel["close"][a].dropna() for a in panel.assets)
    assert old.index[-1] < new.index[0]
    assert (new.index[0] - old.index[-1]).days > 100
    assert new.iloc[0] / old.iloc[-1] > 9
