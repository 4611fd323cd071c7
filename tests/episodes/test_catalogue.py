"""The catalogue: its records against a schema, every mark kept, and numbers that market files confirm."""

from __future__ import annotations

import json
import time
from importlib.resources import files

import pandas as pd
import pytest

import drainstats as ds
from drainstats.episodes import catalogue
from drainstats.episodes.catalogue import MARKETS, PRECISIONS, DocumentedEpisode
from drainstats.episodes.matching import UNITS
from drainstats.errors import OptionError

CONTROLS = {"ap-tweet-2013", "archegos-2021", "gdax-ether-2017", "shanghai-sneeze-2007"}
FIELDS = {
    *("key", "name", "classes", "control", "source_rises", "markets", "stamps", "source", "source_assets"),
    *("mechanism", "pages", "references", "claims"),
}
MARKS = {"pages", "data", "memory"}
ABOUT = {"stamp", "recovery", "source", "hit", "measure"}


@pytest.fixture(scope="module")
def records():
    folder = files("drainstats.episodes").joinpath("catalogue_data")
    return [r for p in folder.iterdir() for r in json.loads(p.read_text(encoding="utf-8"))]


def _marked(record):
    return [*record["claims"], *record["references"], *record["stamps"].values()]


def _stamp(stamp):
    start = pd.Timestamp(stamp["at"])
    start = start.tz_localize("UTC") if start.tz is None else start
    return start, start + UNITS[stamp["precision"]]


def test_there_are_46_in_time_order_and_four_controls():
    episodes = ds.episode_catalogue()
    assert len(episodes) == len({e.key for e in episodes}) == len({e.name for e in episodes}) == 46
    assert [e.onset for e in episodes] == sorted(e.onset for e in episodes)
    assert {e.key for e in episodes if e.control} == CONTROLS
    assert len(ds.episode_catalogue(controls=False)) == 42


def test_records_have_the_fields_of_the_schema(records):
    for r in records:
        assert set(r) == FIELDS, r["key"]
        assert set(r["classes"]) <= {"flash", "bleed", "regime"}
        assert r["classes"]
        assert set(r["markets"]) <= set(MARKETS)
        assert r["markets"]
        assert all(isinstance(r[name], bool) for name in ("control", "source_rises"))
        assert all(isinstance(r[name], str) and r[name] for name in ("key", "name", "source", "mechanism"))
        assert r["references"]
        assert all(reference["text"] for reference in r["references"])
        assert len(r["claims"]) >= 5


def test_stamps_are_ordered_and_have_an_allowed_precision(records):
    for r in records:
        stamps = r["stamps"]
        assert "onset" in stamps
        assert set(stamps) <= {"onset", "trough", "price_recovery", "liquidity_recovery", "last"}
        assert {s["precision"] for s in stamps.values()} <= set(PRECISIONS)
        onset = _stamp(stamps["onset"])
        trough = _stamp(stamps["trough"]) if "trough" in stamps else onset
        for name, stamp in stamps.items():
            # A later stamp may be known less finely: its span must not end before the earlier one begins.
            assert _stamp(stamp)[1] > onset[0], (r["key"], name)
            assert name in ("onset", "trough") or _stamp(stamp)[1] > trough[0], (r["key"], name)
            if stamp["precision"] == "day":
                assert "T" not in stamp["at"], (r["key"], name)


def test_every_claim_bears_a_mark_and_resolves_its_pages(records):
    for r in records:
        used = set()
        for claim in _marked(r):
            assert MARKS & set(claim), (r["key"], claim)
            assert claim.get("memory", True) is True
            assert claim.get("data", "daily") in ("daily", "hourly", "minute", "totals", "daily and hourly")
            used |= set(claim.get("pages", ""))
        assert used == set(r["pages"]), r["key"]


def test_claims_are_short_and_about_something(records):
    for r in records:
        for claim in r["claims"]:
            assert claim["about"] in ABOUT
            assert 3 <= len(claim["text"]) <= 160
            assert ("value" in claim) == ("unit" in claim)
            assert "value" not in claim or claim["unit"]
    text = json.dumps(records)
    assert not [word for word in (".csv", "http", "[data", "[page", "PERP", "LEAN") if word in text]


def test_a_dispute_has_its_accounts(records):
    for r in records:
        questions = [c["dispute"] for c in r["claims"] if "dispute" in c]
        assert all(questions.count(q) >= 2 for q in questions), r["key"]
    table = ds.catalogue_table()
    blocks = table[table["dispute"] == "block sales"]
    assert blocks["value"].tolist() == [20.0, 35.0, 33.0]
    archegos = next(e for e in ds.episode_catalogue() if e.key == "archegos-2021")
    assert any("20 bn USD" in d and "35 bn USD" in d and "33 bn USD" in d for d in archegos.disputes)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("us-equity-crash-1987", "13:30 to 20:00"),
        ("flash-crash-2010", "18:45:28"),
        ("flash-crash-2010", "buy depth"),
        ("china-breaker-2016", "second day"),
        ("negative-wti-2020", "18:28"),
        ("lme-nickel-2022", "peak 06:08"),
        ("terra-2022", "21:44"),
        ("meme-squeeze-2021", "how much funds cut"),
        ("yen-carry-2024", "effect of quotes"),
        ("steth-celsius-3ac-2022", "on the 27th"),
    ],
)
def test_what_nobody_looked_up_stays_marked(key, words):
    table = ds.catalogue_table()
    rows = table[(table["key"] == key) & table["text"].str.contains(words)]
    assert rows["checked"].tolist() == ["memory"]
    assert rows["reference"].tolist() == ["remembered, not looked up"]


def test_the_table_keeps_every_mark(records):
    table = ds.catalogue_table()
    claims = table[table["about"] != "mechanism"]
    assert len(claims) == sum(len(_marked(r)) for r in records)
    for degree, field in (("page", "pages"), ("data", "data"), ("memory", "memory")):
        marked = sum(field in claim for r in records for claim in _marked(r))
        assert claims["checked"].str.contains(degree).sum() == marked
    assert (table["reference"].str.len() > 0).all()
    assert table["time"].notna().sum() == sum(len(r["stamps"]) for r in records)
    assert str(table["time"].dt.tz) == "UTC"


def test_two_recoveries_where_they_differ():
    ftx = next(e for e in ds.episode_catalogue() if e.key == "ftx-2022")
    assert (ftx.end, ftx.end_precision) == (pd.Timestamp("2023-01-12", tz="UTC"), "day")
    assert (ftx.liquidity_end, ftx.liquidity_precision) == (pd.Timestamp("2024-03-01", tz="UTC"), "month")
    assert ftx.recovered
    terra = next(e for e in ds.episode_catalogue() if e.key == "terra-2022")
    assert not terra.recovered
    assert not terra.is_open
    assert any("nobody dated the recovery" in note for note in terra.notes)


def test_episodes_are_ordered_and_documented():
    for e in ds.episode_catalogue():
        assert e.onset <= e.end
        assert pd.isna(e.trough) or e.onset <= e.trough <= e.end
        assert e.kind == e.evidence == "documented"
        assert e.reference
        assert e.source_told
        assert e.onset_checked


def test_markets_select_and_unknown_ones_are_refused():
    crypto = ds.episode_catalogue("crypto")
    assert all("crypto" in e.members for e in crypto)
    assert {"ftx-2022", "volmageddon-2018"} <= {e.key for e in crypto}
    assert set(ds.catalogue_table("crypto", controls=False)["key"]) == {e.key for e in crypto} - CONTROLS
    assert {m for e in ds.episode_catalogue() for m in e.members} == set(MARKETS)
    for function in (ds.episode_catalogue, ds.catalogue_table):
        with pytest.raises(OptionError, match="'equity'"):
            function("moon")


def test_a_documented_episode_survives_json_and_prints_a_card():
    for e in ds.episode_catalogue():
        again = DocumentedEpisode.from_json(e.to_json())
        assert again == e
        assert repr(again) == repr(e)
    card = repr(next(e for e in ds.episode_catalogue() if e.key == "ftx-2022"))
    assert "liquidity  2024-03 (to the month)" in card
    assert "onset      2022-11-06 (to the day), from data" in card
    assert "size of the run: withdrawn over days: 6 bn USD (page); or" in card
    assert "nan" not in card.lower()


def test_lists_are_independent_of_each_other():
    first = ds.episode_catalogue()
    first.clear()
    assert len(ds.episode_catalogue()) == 46


def test_the_files_load_within_50_milliseconds():
    def seconds():
        catalogue._records.cache_clear()
        start = time.process_time()
        catalogue._records()
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < 0.05


DAILY = "yfinance-cross-asset-daily-2026"


@pytest.fixture(scope="module")
def closes(data_root):
    return {n: ds.read_bars(data_root / "data" / DAILY / f"{n}.csv") for n in ("GSPC", "VIX", "SLV", "GLD", "TLT")}


@pytest.mark.reference
@pytest.mark.parametrize(
    ("key", "words", "asset", "first", "last", "field"),
    [
        ("us-equity-crash-1987", "S&P 500 on 19 October", "GSPC", "1987-10-16", "1987-10-19", "close"),
        ("us-equity-crash-1987", "low of 20 October", "GSPC", "1987-10-16", "1987-10-20", "low"),
        ("lehman-2008", "close of 12 September", "GSPC", "2008-09-12", "2008-11-20", "close"),
        ("flash-crash-2010", "S&P 500 low", "GSPC", "2010-05-05", "2010-05-06", "low"),
        ("silver-break-2011", "close of 29 April", "SLV", "2011-04-29", "2011-05-12", "low"),
        ("bear-stearns-2008", "close of 12 March", "GSPC", "2008-03-12", "2008-03-17", "low"),
        ("volmageddon-2018", "VIX, 20 points", "VIX", "2018-02-02", "2018-02-05", "close"),
        ("dash-for-cash-2020", "S&P 500 from 19 February", "GSPC", "2020-02-19", "2020-03-23", "close"),
        ("dash-for-cash-2020", "long Treasuries from 9 March", "TLT", "2020-03-09", "2020-03-18", "close"),
        ("tariff-shock-2025-04", "S&P 500 on the 9th", "GSPC", "2025-04-08", "2025-04-09", "close"),
        ("precious-metals-2026-01", "silver fund on the day", "SLV", "2026-01-29", "2026-01-30", "close"),
    ],
)
def test_claims_of_data_are_what_the_files_give(closes, key, words, asset, first, last, field):
    table = ds.catalogue_table()
    claim = table[(table["key"] == key) & table["text"].str.contains(words, regex=False)].iloc[0]
    assert claim["checked"] == "data"
    change = 100 * (closes[asset][field].loc[last] / closes[asset]["close"].loc[first] - 1)
    digits = len(str(claim["value"]).partition(".")[2])
    assert change == pytest.approx(claim["value"], abs=0.51 * 10**-digits)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("key", "asset", "before"),
    [
        ("us-equity-crash-1987", "GSPC", "1987-10-16"),
        ("mini-crash-1989", "GSPC", "1989-10-12"),
        ("shanghai-sneeze-2007", "GSPC", "2007-02-26"),
        ("us-downgrade-2011", "GSPC", "2011-08-03"),
        ("gold-break-2013", "GLD", "2013-04-11"),
        ("taper-shibor-2013", "GSPC", "2013-06-18"),
        ("volmageddon-2018", "GSPC", "2018-02-02"),
        ("q4-selloff-2018", "GSPC", "2018-12-03"),
        ("dash-for-cash-2020", "GSPC", "2020-02-19"),
        ("meme-squeeze-2021", "GSPC", "2021-01-26"),
        ("tariff-shock-2025-04", "GSPC", "2025-04-02"),
        ("precious-metals-2026-01", "GLD", "2026-01-29"),
    ],
)
def test_troughs_and_half_backs_by_closes_are_what_the_files_give(closes, key, asset, before):
    e = next(e for e in ds.episode_catalogue() if e.key == key)
    close = closes[asset]["close"]
    fall = close.loc[pd.Timestamp(before, tz="UTC") : e.end]
    assert fall.idxmin().date() == e.trough.date()
    regained = fall.loc[e.trough.normalize() :] >= (fall.iloc[0] + fall.min()) / 2
    assert regained.idxmax().date() == e.end.date()
    assert regained.iloc[-1]


@pytest.mark.reference
@pytest.mark.parametrize(
    ("key", "coin", "before"),
    [
        ("crypto-black-thursday-2020", "LTC", "2020-03-12T09:00Z"),
        ("crypto-cascade-2021-05", "BCH", "2021-05-19T10:00Z"),
        ("crypto-flash-2021-12", "AAVE", "2021-12-03T12:00Z"),
        ("steth-celsius-3ac-2022", "ETH", "2022-06-12T12:00Z"),
        ("ftx-2022", "BTC", "2022-11-06T00:00Z"),
        ("crypto-flash-2023-08", "LTC", "2023-08-17T12:00Z"),
        ("crypto-tariff-2025-02", "XRP", "2025-02-02T12:00Z"),
        ("bitcoin-deleveraging-2026-02", "BTC", "2026-02-04T12:00Z"),
    ],
)
def test_trough_hours_are_what_the_files_give(data_root, key, coin, before):
    e = next(e for e in ds.episode_catalogue() if e.key == key)
    bars = ds.read_bars(data_root / "data" / "binance-usdm-perp-klines-mutbug" / "1h" / f"{coin}_USDT_1h.csv")
    lowest = bars["low"].loc[before : e.trough + pd.Timedelta("2D")].idxmin()
    assert lowest == e.trough.floor("h")
