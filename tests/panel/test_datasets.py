"""Bundled data: hashes, provenance, rules, and facts that a reader can check elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import subprocess
import sys

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


def test_the_list_agrees_with_what_is_loaded():
    table = ds.list_datasets()
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
    for source in record["sources"]:
        assert len(source["sha256"]) == 64


@pytest.mark.parametrize("name", FILES)
def test_build_makes_the_same_content(name, tmp_path):
    wheels = os.environ.get("DRAINSTATS_WHEELS")
    if not wheels:
        pytest.skip("DRAINSTATS_WHEELS does not name a folder with the wheels that the data come from")
    script = registry.folders()[0].parent / name / "build.py"
    given = [part for wheel in sorted(pathlib.Path(wheels).glob("*.whl")) for part in ("--wheel", str(wheel))]
    subprocess.run([sys.executable, str(script), *given, "--out", str(tmp_path)], check=True)
    assert (tmp_path / "data.csv.gz").read_bytes() == (script.parent / "data.csv.gz").read_bytes()


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


def test_every_kept_raw_value_is_there(crypto):
    raw = pd.read_csv(__import__("io").BytesIO(registry.content("crypto-venues-daily")))
    assert set(raw["exchange"]) == {
        "coinbase-pro", "bitstamp", "poloniex", "okex", "bittrex", "huobi", "bitfinex", "kraken", "cexio",
    }  # fmt: skip
    rules = crypto.ledger.groupby("rule")["rows"].sum()
    kept = int(crypto["volume"].notna().to_numpy().sum())
    assert kept == len(raw) - rules["duplicate-last"] - rules["duplicate-identical"]


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


def test_quality_finds_the_faults(crypto):
    quality = crypto.quality()
    assert quality.loc["poloniex:LTC", "verdict"] == "poor"
    assert quality.loc["poloniex:LTC", "ohlc_violations"] == 177
    assert quality["zero_volume"].sum() > 0


def test_adjusted_prices_have_no_jump_at_the_splice():
    panel = ds.load_dataset("us-stocks-daily")
    for asset in ("AAPL", "GOOG", "META"):
        moves = np.log(panel["close"][asset]).diff().loc["2012-12-28":"2013-01-04"].abs()
        assert moves.max() < 0.06, asset
    assert panel["close"]["AAPL"].pct_change(fill_method=None).abs().max() < 0.6  # no split shows
    value = panel["dollar_volume"]["AAPL"]
    assert 0.5 < value.loc["2013-01-03":"2013-02-28"].median() / value.loc["2012-11-01":"2012-12-31"].median() < 2


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
    from drainstats.episodes.stress import measure_stress

    kwargs = {"baseline": pd.Timedelta("365D"), "min_baseline": 60, "line": 3.0, "min_assets": 2}
    row = crypto.index.get_loc("2020-03-12")
    assert measure_stress(crypto.measure("parkinson"), **kwargs).breadth[row] >= 0.95
    assert measure_stress(crypto.measure("amihud", window=1), **kwargs).breadth[row] <= 0.10
