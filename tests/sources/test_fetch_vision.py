"""The Binance archive, played by a server on this machine."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, FetchError, OptionError
from drainstats.sources.transport import Terms
from drainstats.sources.vision import fetch_binance
from tests.sources.loopback import QUICK, cut, sha, status, whole

pytest.importorskip("pooch")
TERMS = Terms(timeout=0.5, patience=QUICK)


def _zip(text, *names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, text)
    return buffer.getvalue()


def _klines(day, rows=3):
    start = int(pd.Timestamp(day, tz="UTC").timestamp() * 1000)
    return "".join(
        f"{start + i * 60_000},1.0,2.0,0.5,1.5,10,{start + i * 60_000 + 59_999},15,4,5,7.5,0\n" for i in range(rows)
    )


class Archive:
    def __init__(self, server):
        self.server = server

    def put(self, address, body=None, checksum=None, answers=None):
        name = address.rpartition("/")[2]
        body = body or _zip(_klines("2024-05-01"), name.replace(".zip", ".csv"))
        note = f"{checksum or sha(body)}  {name}\n".encode()
        self.server.on(f"/data/{address}.CHECKSUM", whole(note))
        self.server.on(f"/data/{address}", *(answers or [whole(body)]))
        return body


@pytest.fixture
def archive(server):
    return Archive(server)


@pytest.fixture
def fetch(server, tmp_path):
    def call(symbols="BTCUSDT", kind="klines", **options):
        given = {"base": f"{server.url}/data", "cache": tmp_path, "terms": TERMS, "interval": "1m"}
        return fetch_binance(symbols, kind, **given | options)

    return call


DAILY = "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-"
MONTHLY = "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-"
DAY = {"start": "2024-05-01", "end": "2024-05-01"}


def test_whole_months_come_monthly_and_the_rest_daily(archive, fetch, server):
    dates = ["2024-04-29", "2024-04-30", "2024-06-01", "2024-06-02"]
    for day in dates:
        archive.put(f"{DAILY}{day}.zip")
    archive.put(f"{MONTHLY}2024-05.zip")
    table = fetch(start="2024-04-29", end=pd.Timestamp("2024-06-02 13:00", tz="UTC"))
    assert list(table.columns) == ["symbol", "kind", "date", "path", "sha256", "status"]
    assert table["date"].tolist() == [*dates[:2], "2024-05", *dates[2:]]
    assert (table["status"] == "ok").all()
    assert len(server.requests) == 10
    assert all(sha(Path(row.path).read_bytes()) == row.sha256 for row in table.itertuples())


def test_a_fetched_file_is_read(archive, fetch):
    archive.put(f"{DAILY}2024-05-01.zip")
    path = fetch(**DAY)["path"].iloc[0]
    assert Path(path).name == "BTCUSDT-1m-2024-05-01.zip"
    bars = ds.read_bars(path)
    assert bars.index[0] == pd.Timestamp("2024-05-01", tz="UTC")
    assert bars["dollar_volume"].tolist() == [15.0, 15.0, 15.0]


def test_a_month_without_a_file_yet_comes_daily(archive, fetch):
    archive.put(f"{DAILY}2024-02-01.zip")
    archive.put(f"{DAILY}2024-02-02.zip")
    table = fetch(start="2024-02-01", end="2024-02-29").set_index("date")
    assert len(table) == 29
    assert table["status"].value_counts().to_dict() == {"ok": 2, "404: no archive for that day": 27}
    assert pd.isna(table.at["2024-02-03", "path"])
    offline = fetch(start="2024-02-01", end="2024-02-29", offline=True).set_index("date")
    assert offline["path"].dropna().to_dict() == table["path"].dropna().to_dict()
    assert "not in the cache" in offline.at["2024-02-03", "status"]


@pytest.mark.parametrize(
    ("kind", "market", "address"),
    [
        ("aggTrades", "spot", "spot/daily/aggTrades/X/X-aggTrades-2024-05-01.zip"),
        ("trades", "um", "futures/um/daily/trades/X/X-trades-2024-05-01.zip"),
        ("bookTicker", "um", "futures/um/daily/bookTicker/X/X-bookTicker-2024-05-01.zip"),
        ("bookDepth", "um", "futures/um/daily/bookDepth/X/X-bookDepth-2024-05-01.zip"),
        ("metrics", "um", "futures/um/daily/metrics/X/X-metrics-2024-05-01.zip"),
        ("fundingRate", "um", "futures/um/monthly/fundingRate/X/X-fundingRate-2024-05.zip"),
        ("liquidationSnapshot", "cm", "futures/cm/daily/liquidationSnapshot/X/X-liquidationSnapshot-2024-05-01.zip"),
        ("markPriceKlines", "um", "futures/um/daily/markPriceKlines/X/1m/X-1m-2024-05-01.zip"),
        ("indexPriceKlines", "cm", "futures/cm/daily/indexPriceKlines/X/1m/X-1m-2024-05-01.zip"),
        ("klines", "cm", "futures/cm/daily/klines/X/1m/X-1m-2024-05-01.zip"),
    ],
)
def test_addresses(archive, fetch, server, kind, market, address):
    archive.put(address)
    assert fetch("X", kind, market=market, **DAY)["status"].tolist() == ["ok"]
    assert [path for path, _ in server.requests] == [f"/data/{address}.CHECKSUM", f"/data/{address}"]


@pytest.mark.parametrize("kind", ["bookDepth", "metrics", "bookTicker"])
def test_some_kinds_come_daily_only(archive, fetch, kind):
    archive.put(f"futures/um/daily/{kind}/X/X-{kind}-2024-05-31.zip")
    table = fetch("X", kind, market="um", start="2024-05-01", end="2024-05-31")
    assert len(table) == 31
    assert table["status"].iloc[-1] == "ok"


def test_a_second_run_verifies_and_fetches_nothing(archive, fetch, server):
    archive.put(f"{DAILY}2024-05-01.zip")
    first = fetch(**DAY)
    asked = len(server.requests)
    pd.testing.assert_frame_equal(fetch(**DAY), first)
    pd.testing.assert_frame_equal(fetch(**DAY, offline=True), first)
    assert len(server.requests) == asked


def test_a_rotten_file_in_the_cache_is_fetched_again(archive, fetch):
    body = archive.put(f"{DAILY}2024-05-01.zip")
    path = Path(fetch(**DAY)["path"].iloc[0])
    path.write_bytes(b"rotten")
    with pytest.raises(DataError, match="another sha256"):
        fetch(**DAY, offline=True)
    assert fetch(**DAY)["status"].tolist() == ["ok"]
    assert path.read_bytes() == body


def test_a_replaced_archive_is_taken_with_its_new_checksum(archive, fetch):
    archive.put(f"{DAILY}2024-05-01.zip")
    path = Path(fetch(**DAY)["path"].iloc[0])
    path.unlink()
    body = archive.put(f"{DAILY}2024-05-01.zip", _zip(_klines("2024-05-01", 9), "x.csv"))
    assert fetch(**DAY)["sha256"].tolist() == [sha(body)]


def test_failures_are_rows_with_reasons(archive, fetch, tmp_path):
    body = archive.put(f"{DAILY}2024-05-01.zip")
    archive.put(f"{DAILY}2024-05-02.zip", checksum="0" * 64)
    archive.put(f"{DAILY}2024-05-03.zip", answers=[status(500)])
    archive.put(f"{DAILY}2024-05-04.zip", body, answers=[status(429, Retry_After="0"), cut(body, 50), whole(body)])
    archive.put(f"{DAILY}2024-05-05.zip", _zip("1", "a.csv", "b.csv"))
    archive.put(f"{DAILY}2024-05-06.zip", b"no zip at all")
    archive.put(f"{DAILY}2024-05-07.zip", _zip("1", "../a.csv"))
    archive.server.on(f"/data/{DAILY}2024-05-08.zip.CHECKSUM", whole(b"nonsense"))
    table = fetch(start="2024-05-01", end="2024-05-09").set_index("date")
    expected = {
        "2024-05-01": "ok",
        "2024-05-02": "sha256",
        "2024-05-03": "answered 500",
        "2024-05-04": "ok",
        "2024-05-05": "one file is expected",
        "2024-05-06": "not a zip",
        "2024-05-07": "leads out",
        "2024-05-08": "states no sha256",
        "2024-05-09": "404: no archive for that day",
    }
    for day, reason in expected.items():
        assert reason in table.at[day, "status"], day
    assert table["path"].notna().tolist() == [r == "ok" for r in expected.values()]
    zips = sorted(p.name for p in tmp_path.rglob("*.zip"))
    assert zips == ["BTCUSDT-1m-2024-05-01.zip", "BTCUSDT-1m-2024-05-04.zip"]


def test_nothing_at_all_is_an_error(fetch):
    with pytest.raises(FetchError, match="Not one of the 1 files is there; BTCUSDT 2024-05-01: 404"):
        fetch(**DAY)
    with pytest.raises(DataError, match="offline=True forbids"):
        fetch(**DAY, offline=True)


def test_several_symbols_at_once_keep_their_order(archive, fetch):
    names = [f"S{i}" for i in range(12)]
    for name in names:
        archive.put(f"spot/daily/klines/{name}/1m/{name}-1m-2024-05-01.zip")
    table = fetch(names, **DAY, n_jobs=6)
    assert table["symbol"].tolist() == names
    assert table.equals(fetch(names, **DAY, n_jobs=1))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kind": "ticks"}, "kind='ticks' is not one of 'klines'"),
        ({"market": "options"}, "market='options' is not one of 'spot'"),
        ({"interval": "7m"}, "interval='7m' is not one of"),
        ({"kind": "metrics"}, "not in the archive of market='spot'; it is in um, cm"),
        ({"symbols": "../BTCUSDT"}, "is no symbol"),
        ({"symbols": []}, "No symbols came"),
        ({"end": "2024-04-30"}, "lies before start=2024-05-01"),
    ],
)
def test_options_are_checked(fetch, options, reason):
    with pytest.raises(OptionError, match=reason):
        fetch(**DAY | options)


def test_the_base_obeys_the_rule_of_addresses():
    with pytest.raises(FetchError, match="Only https"):
        fetch_binance("BTCUSDT", **DAY, base="http://example.org/data", offline=True)
