"""Market files with known faults: the report finds those that their notes name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.panel.panel import LiquidityPanel
from tests.panel.test_quality_bars import fired

pytestmark = pytest.mark.reference
SPLITS = [3, 1, 1, 0]


def report(data_root, folder, pattern, clock):
    paths = sorted((data_root / "data" / folder).glob(pattern))
    assert paths, "no such files"
    bars = {p.name.split(".")[0]: ds.read_bars(p).drop(columns="asset", errors="ignore") for p in paths}
    return LiquidityPanel.from_bars(bars, clock).quality()


def test_opens_of_zero_and_days_without_volume(data_root):
    quality = report(data_root, "yfinance-us-stocks-1981-2021", "*.csv", "session:XNYS")
    found = quality["not_positive"]
    assert found[found > 0].to_dict() == {"BAC": 1364, "JPM": 758}
    assert quality.loc[["BAC", "JPM"], "verdict"].tolist() == ["poor", "poor"]
    assert quality.loc["BRK-A", "zero_volume"] == 320
    assert {"zero-volume", "copied"} <= fired(quality.loc["BRK-A", "why"])
    assert quality.loc["BRK-A", "verdict"] == "usable"


def test_one_bar_of_hyg_contradicts_itself_and_indices_lack_volume(data_root):
    quality = report(data_root, "yfinance-cross-asset-daily-2026", "*.csv", "session:XNYS")
    # 17 more bars differ by the rounding of adjusted prices alone.
    violations = quality["ohlc_violations"]
    assert violations["HYG"] == 1
    assert "no-volume" in fired(quality.loc["VIX", "why"])
    assert "silent-start" in fired(quality.loc["GSPC", "why"])
    assert quality.loc["GSPC", "volume_since"] > pd.Timestamp("1949", tz="UTC")


def test_coins_on_a_session_clock_stand_on_days_without_a_session(data_root):
    pytest.importorskip("exchange_calendars")
    quality = report(data_root, "yfinance-cross-asset-daily-2026", "*.csv", "session:XNYS")
    assert (quality["off_calendar"] > 0)[["BTC_USD", "ETH_USD"]].all()
    assert (quality["off_calendar"] == 0)[["SPY", "QQQ", "GLD"]].all()


def test_the_perpetual_that_died_is_dead_and_its_like_too(data_root):
    quality = report(data_root, "binance-usdm-perp-klines-mutbug", "1d/*.csv", "utc_day")
    ftt = quality.loc["FTT_USDT_1d"]
    assert (ftt["verdict"], ftt["dead_rows"], ftt["bars"]) == ("dead", 1301, 1515)
    assert ftt["dead_since"] == pd.Timestamp("2022-11-15", tz="UTC")
    assert set(quality.index[quality["verdict"] == "dead"]) == {"FTT_USDT_1d", "RAY_USDT_1d", "WAVES_USDT_1d"}
    # 156 files, checked by their notes to have no duplicates and no contradictions: one more is named, for its spikes.
    assert quality.index[quality["verdict"].isin(["poor", "usable"])].size <= 2
    assert quality["negative_edge"].median() == pytest.approx(0.5, abs=0.05)
    hourly = report(data_root, "binance-usdm-perp-klines-mutbug", "1h/*.csv", "utc_hour")
    assert hourly.loc["FTT_USDT_1h", ["dead_rows", "bars"]].tolist() == [31230, 36344]
    assert hourly.loc["BTC_USDT_1h", ["missing", "zero_volume"]].tolist() == [1, 1]


def test_hourly_files_that_are_spot_contradict_the_daily_files_of_the_perpetual(data_root):
    folder = data_root / "data" / "binance-usdm-perp-klines-mutbug"
    bars, described = {}, {}
    for coin in ("BTC", "ETH", "SOL", "LTC", "BCH", "ATOM"):
        for kind in ("1h", "1d"):
            table = ds.read_bars(folder / kind / f"{coin}_USDT_{kind}.csv")
            bars[f"{coin} {kind}"] = table
            described[f"{coin} {kind}"] = {"base": coin, "quote": "USDT", "venue": "Binance", "class": "perpetual"}
    quality = LiquidityPanel.from_bars(bars, "utc_day", assets=pd.DataFrame(described).T).quality()
    twins = {
        coin
        for coin in ("BTC", "ETH", "SOL", "LTC", "BCH", "ATOM")
        if max(quality.loc[[f"{coin} 1h", f"{coin} 1d"], "twin_gap"].fillna(0)) > 0.05
    }
    assert twins == {"BTC", "ETH", "SOL"}


def test_tickers_that_two_assets_bore(data_root):
    quality = report(data_root, "lean-us-equity-hour-daily", "daily/*.zip", "session:XNYS")
    reused = quality.index[quality["reused"] > 0]
    assert set(reused) == {"bno", "uso", "eem", "wm"}
    assert f"{quality.loc['bno', 'break_at']:%Y-%m-%d}" == "2010-06-02"
    assert f"{quality.loc['uso', 'break_at']:%Y-%m-%d}" == "2006-04-10"
    assert quality.loc["qqq", "missing"] > 1500
    assert "long-gap" in fired(quality.loc["qqq", "why"])
    # AAPL split 2:1 in 2000 and 2005, 7:1 in 2014 (no ratio of the list), 4:1 in 2020; IBM in 1999; GOOG in 2014.
    assert quality["splits"][["aapl", "ibm", "goog", "spy"]].tolist() == SPLITS
    # An open of 159.58 between closes of 79.82 and 80.46.
    assert f"{quality.loc['ibm', 'spike_at']:%Y-%m-%d}" == "2002-12-23"
    assert f"{quality.loc['aapl', 'split_at']:%Y-%m-%d}" == "2000-06-21"


def test_stamps_that_stand_twice(data_root):
    quality = report(data_root, "cryptodatadownload-old-format", "Binance_BTCUSDT_1h.csv", "utc_hour")
    row = quality.iloc[0]
    assert row["duplicates"] == 2646
    assert row["verdict"] == "poor"
    assert "duplicates" in fired(row["why"])
    assert row["dollars_outside"] < 0.01


def test_minutes_without_trades_are_rows_on_one_venue_and_holes_on_another(data_root):
    pytest.importorskip("pyarrow")
    quality = report(data_root, "stablecoin-depeg-202303-1m", "*.parquet", "utc_min")
    assert quality.loc["binance_usdcusdt", ["missing", "verdict"]].tolist() == [0, "poor"]
    assert quality.loc["binance_usdcusdt", "zero_share"] > 0.8
    assert quality.loc["coinbase_btcusdt", "missing"] > 5000
    assert quality.loc["coinbase_btcusdt", "zero_volume"] == 0


def test_files_without_known_faults_are_clean_or_miss_days(data_root):
    quality = report(data_root, "cryptodatadownload-binance-daily", "*.csv", "utc_day")
    assert all(fired(why) <= {"gaps"} for why in quality["why"])
    assert (quality["missing"] == 8).all()  # the gaps of 2026 that its notes name
    assert (quality["volume_range_agreement"] > 0.3).all()


def test_the_bundled_venues_have_the_faults_that_their_notes_name():
    quality = ds.load_dataset("crypto-venues-daily").quality()
    assert quality["duplicates"].sum() == 25
    assert quality.loc[quality["duplicates"] > 0].index.str.startswith(("coinbase-pro", "poloniex")).all()
    assert quality["not_positive"].sum() == 10
    poloniex = quality[quality.index.str.startswith("poloniex")]
    assert poloniex["ohlc_violations"].sum() == 351
    assert poloniex["verdict"].tolist() == ["usable", "usable", "poor"]
    thin = quality.index[quality["volume_of_largest"] < 0.05].str.partition(":")
    assert {"bitfinex", "kraken", "cexio"} & {
        name.partition(":")[0] for name in quality.index[quality["volume_of_largest"] < 0.05]
    }
    assert len(thin)
    assert not quality["verdict"].isin(["empty", "dead"]).any()


def test_adjusted_shares_beside_raw_dollar_volumes_are_not_called_a_unit_mistake():
    quality = ds.load_dataset("us-stocks-daily").quality()
    assert "dollars_outside" not in quality
    assert (quality["verdict"] == "clean").all()
    assert np.isnan(quality.loc["IBM", "tick_size"])
    assert "off-grid" in fired(quality.loc["IBM", "hints"])
