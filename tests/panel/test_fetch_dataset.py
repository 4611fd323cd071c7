"""Data sets with a public address: the registry, where files are found, and what comes out."""

from __future__ import annotations

import re
import socket
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, FetchError, OptionError
from drainstats.panel.datasets import Tables, fetch_dataset
from drainstats.sources import registry
from tests.sources.loopback import serving, sha, whole

pytest.importorskip("pooch")
KINDS = {"bars", "trades", "quotes", "book", "flows", "table", "file"}
NAMES = sorted(registry.entries())


def _bars(first, scale):
    days = pd.date_range(first, periods=3, tz="UTC")
    return pd.DataFrame({"close": [1.0 * scale, 2.0 * scale, 3.0 * scale]}, index=days.rename("time")).to_csv().encode()


FILES = {
    "A.csv": _bars("2024-01-01", 1),
    "B.csv": _bars("2024-01-01", 10),
    "B more.csv": _bars("2024-01-04", 10),
    "hour/A.csv": _bars("2024-01-01", 100),
    "A_trades.csv": b"time,price,amount,side\n2024-01-01T00:00:00Z,1.5,2,buy\n",
    "raw.csv": b"x,y\n1,2\n",
    "notes.txt": b"free text",
}


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """A data set of the files above, its server and an empty cache."""
    listed = [[f"in repo/{name}", name, len(body), sha(body), name[name.find("/") + 1]] for name, body in FILES.items()]
    entry = {
        "title": "A demonstration",
        "folder": "data/demo",
        "licence": "none",
        "clock": {"hour/*": "utc_hour", "*": "utc_day"},
        "default": ["?.csv", "B more.csv"],
        "readers": [["notes*", "file", {}], ["*_trades*", "trades", {}], ["raw*", "table", {}], ["*", "bars", {}]],
        "described": {"*": {"quote": "USD", "class": "equity"}, "B": {"class": "fund"}},
        "sources": [{"repo": "owner/repo", "commit": "c" * 40, "files": listed}],
    }
    monkeypatch.setattr(registry, "entries", lambda: {"demo": entry})
    monkeypatch.delenv("DRAINSTATS_DATA", raising=False)
    monkeypatch.setenv("DRAINSTATS_CACHE", str(tmp_path / "cache"))
    with serving() as server:
        monkeypatch.setattr(registry, "HOST", server.url)
        for name, body in FILES.items():
            server.on(f"/owner/repo/{'c' * 40}/in%20repo/{name.replace(' ', '%20')}", whole(body))
        server.entry = entry
        yield server


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Write files into a folder that DRAINSTATS_DATA names."""
    monkeypatch.setenv("DRAINSTATS_DATA", str(tmp_path / "own"))

    def write(name, body):
        path = tmp_path / "own" / "data" / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path

    return write


@pytest.fixture
def unplugged(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was touched")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def _sources(provenance):
    return {f["file"]: f["source"] for f in provenance["files"]}


# What comes out --------------------------------------------------------------------------------------------------


def test_bars_become_a_panel_with_provenance(demo):
    panel = fetch_dataset("demo")
    assert panel.assets == ["A", "B"]
    assert panel.clock.name == "utc_day"
    assert panel["close"]["B"].tolist() == [10, 20, 30, 10, 20, 30], "two files of one asset stand one after the other"
    assert panel["close"]["A"].notna().sum() == 3
    assert panel.asset_table["class"].to_dict() == {"A": "equity", "B": "fund"}
    assert panel.provenance["licence"] == "none"
    assert panel.provenance["files"][0] == {
        "file": "A.csv",
        "source": "download",
        "url": f"{demo.url}/owner/repo/{'c' * 40}/in%20repo/A.csv",
        "commit": "c" * 40,
        "sha256": sha(FILES["A.csv"]),
        "bytes": len(FILES["A.csv"]),
    }


def test_a_part_is_taken_by_pattern(demo):
    panel = fetch_dataset("demo", files="hour/*")
    assert panel.clock.name == "utc_hour"
    assert panel["close"]["A"].dropna().tolist() == [100, 200, 300]
    assert fetch_dataset("demo", files=["A.csv", "B.csv"]).assets == ["A", "B"]


def test_another_table_carries_its_provenance(demo):
    trades = fetch_dataset("demo", files="*_trades.csv")
    assert trades["side"].tolist() == [1]
    assert trades.attrs["provenance"]["files"][0]["source"] == "download"
    raw = fetch_dataset("demo", files="raw*")
    assert raw.to_dict("list") == {"x": [1], "y": [2]}


def test_several_tables_come_by_name(demo):
    tables = fetch_dataset("demo", files=["raw.csv", "notes.txt", "A_trades.csv"])
    assert isinstance(tables, Tables)
    assert set(tables) == {"raw.csv", "notes.txt", "A_trades.csv"}
    assert tables["notes.txt"].read_bytes() == b"free text"
    assert tables.provenance["dataset"] == "demo"
    assert repr(tables) == "Tables of demo: A_trades.csv (1 × 3), raw.csv (1 × 2), notes.txt (file)"


def test_frequencies_are_not_mixed(demo):
    with pytest.raises(OptionError, match=r"several frequencies \(utc_day, utc_hour\); choose .* files="):
        fetch_dataset("demo", files=["A.csv", "hour/A.csv"])


def test_unknown_names_and_patterns_say_what_there_is(demo):
    with pytest.raises(OptionError, match="no dataset 'demmo' to fetch; there are demo"):
        fetch_dataset("demmo")
    with pytest.raises(OptionError, match=r"matches no file of demo; it has 7, such as A\.csv"):
        fetch_dataset("demo", files="*.parquet")
    with pytest.raises(OptionError, match=r"This one is fetched: fetch_dataset\."):
        ds.load_dataset("demo")


# Where it is found -----------------------------------------------------------------------------------------------


def test_the_cache_serves_the_second_call(demo):
    fetch_dataset("demo")
    asked = len(demo.requests)
    assert set(_sources(fetch_dataset("demo").provenance).values()) == {"cache"}
    assert set(_sources(fetch_dataset("demo", offline=True).provenance).values()) == {"cache"}
    assert len(demo.requests) == asked


def test_own_copies_come_first_and_are_verified(demo, own):
    own("A.csv", FILES["A.csv"])
    assert _sources(fetch_dataset("demo").provenance) == {
        "A.csv": "DRAINSTATS_DATA, verified",
        "B.csv": "download",
        "B more.csv": "download",
    }


def test_a_copy_with_other_bytes_is_passed_over(demo, own):
    own("A.csv", FILES["A.csv"].replace(b"1.0", b"9.0"))
    panel = fetch_dataset("demo", files="A.csv")
    assert _sources(panel.provenance) == {"A.csv": "download"}
    assert panel["close"]["A"].iloc[0] == 1.0
    assert _sources(fetch_dataset("demo", True, files="A.csv").provenance) == {"A.csv": "cache"}


def test_offline_a_copy_with_other_bytes_is_an_error(demo, own, unplugged):
    path = own("A.csv", b"time,close\n2024-01-01,9\n")
    with pytest.raises(DataError, match=f"has the sha256 {sha(path.read_bytes())}, {sha(FILES['A.csv'])} was expected"):
        fetch_dataset("demo", offline=True, files="A.csv")


def test_a_copy_whose_hash_nobody_knows_is_unverified(demo, own):
    own("A.csv", b"time,close\n2024-01-01,9\n")
    demo.entry["sources"][0]["files"][0][3] = None
    assert _sources(fetch_dataset("demo", files="A.csv").provenance) == {"A.csv": "local, unverified"}


def test_offline_never_touches_the_network(demo, unplugged):
    with pytest.raises(DataError, match=r"is not in the cache and offline=True forbids fetching it: call once"):
        fetch_dataset("demo", offline=True)
    assert demo.requests == []


def test_a_changed_source_is_an_error_and_leaves_nothing(demo, tmp_path):
    demo.on(f"/owner/repo/{'c' * 40}/in%20repo/A.csv", whole(FILES["A.csv"].replace(b"1.0", b"9.0")))
    with pytest.raises(FetchError, match=sha(FILES["A.csv"])):
        fetch_dataset("demo", files="A.csv")
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


# The registry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete(name):
    entry = registry.entry(name)
    files = registry.remote_files(name, ["*"])
    assert len({f.name for f in files}) == len(files)
    assert entry["title"]
    assert entry["licence"]
    assert {kind for _, kind, _ in entry["readers"]} <= KINDS
    assert entry["readers"][-1][0] == "*", "every file has a reader"
    for f in files:
        assert re.fullmatch(r"[0-9a-f]{64}", f.sha256)
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[!-~]+", f.url)
        assert f.bytes > 0
        assert ".." not in Path(f.name).parts
    assert registry.remote_files(name), "the default takes something"
    if "clock" in entry:
        bars = [f.name for f in files if next(r for r in entry["readers"] if fnmatchcase(f.name, r[0]))[1] == "bars"]
        assert all(any(fnmatchcase(b, pattern) for pattern in entry["clock"]) for b in bars)


def test_the_list_has_both_kinds():
    table = ds.list_datasets()
    assert table["kind"].value_counts().to_dict() == {"bundled": 4, "fetch": len(NAMES)}
    assert table.index.is_unique
    assert (table.loc[NAMES, "bytes"] > 0).all()
    assert table["licence"].str.len().gt(0).all()
    assert "read the licence first" in table.at["hyperliquid-adl-20251010", "licence"]


@pytest.mark.reference
def test_every_folder_with_a_public_address_has_an_entry(data_root):
    known = {registry.entry(name)["folder"] for name in NAMES}
    for page in [*data_root.glob("data/*/PROVENANCE.md"), *data_root.glob("reproductions/*/PROVENANCE.md")]:
        rows = [
            line for line in page.read_text(encoding="utf-8").splitlines() if re.search(r"\| [0-9a-f]{64} \|", line)
        ]
        original = [row for row in rows if "| converted from " not in row]
        folder = str(page.parent.relative_to(data_root))
        assert (folder in known) == bool(original), folder
        if original:
            assert len(registry.remote_files(page.parent.name, ["*"])) == len(original)


@pytest.mark.reference
@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_file_is_found_and_verified(name, data_root, tmp_path, monkeypatch):
    monkeypatch.setenv("DRAINSTATS_DATA", str(data_root))
    for file in registry.remote_files(name, ["*"]):
        found = registry.find(file, cache=tmp_path, offline=True)
        assert found.source == "DRAINSTATS_DATA, verified"
        assert found.path.stat().st_size == file.bytes


@pytest.mark.reference
@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_is_read_offline(name, data_root, tmp_path, monkeypatch, unplugged):
    if name in ("databento-dbn-samples", "vendor-format-samples-nautilus"):
        pytest.importorskip("databento")
    monkeypatch.setenv("DRAINSTATS_DATA", str(data_root))
    result, row = fetch_dataset(name, offline=True, cache=tmp_path), ds.list_datasets().loc[name]
    if isinstance(result, ds.LiquidityPanel):
        assert len(result.assets) == row["assets"]
        assert f"{result.index[0]:%Y-%m-%d}" == row["start"]
        assert f"{result.index[-1]:%Y-%m-%d}" == row["end"]
        assert set(_sources(result.provenance).values()) == {"DRAINSTATS_DATA, verified"}
    else:
        tables = result.values() if isinstance(result, Tables) else [result]
        assert all(len(t) > 0 if isinstance(t, pd.DataFrame) else t.is_file() for t in tables)


@pytest.mark.reference
def test_facts_of_the_fetched_panels(data_root, tmp_path, monkeypatch):
    monkeypatch.setenv("DRAINSTATS_DATA", str(data_root))
    hourly = fetch_dataset("lean-us-equity-hour-daily", offline=True, cache=tmp_path, files="hour/*")
    flash = hourly["low"]["SPY"].loc["2010-05-06 18:00"]
    assert flash == pytest.approx(106.13), "New York's 14:00 is 18:00 UTC in May; the low of the flash crash"
    assert hourly.clock.name == "utc_hour"
    depeg = fetch_dataset("stablecoin-depeg-202303-1m", offline=True, cache=tmp_path)
    assert depeg["close"]["kraken:USDCUSD"].min() == pytest.approx(0.874)
    assert depeg.asset_table.loc["kraken:USDCUSD", ["quote", "venue"]].tolist() == ["USD", "Kraken"]
    dead = fetch_dataset("binance-usdm-perp-klines-mutbug", offline=True, cache=tmp_path, files="1d/FTT_*")
    assert (dead["volume"]["FTT_USDT"] == 0).sum() == 1301
