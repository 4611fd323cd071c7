"""Reading bars: usual layouts, and every bad cell named by file, line and column."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, MissingExtraError, OptionError

GOOD = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-01,1,2,0.5,1.5,1.4,10\n2024-01-02,1.5,2,1,1.8,1.7,\n"


def write(folder, text, name="x.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_usual_file(tmp_path):
    table = ds.read_bars(write(tmp_path, GOOD), asset="X")
    assert list(table.columns) == ["asset", "open", "high", "low", "close", "volume", "adjusted"]
    assert table.index.tz is not None
    assert table["volume"].isna().tolist() == [False, True]
    assert table.attrs["rules"] == ["naive-as-utc"]
    panel = ds.LiquidityPanel.from_bars({"X": table.drop(columns="asset"), "Y": ds.read_bars(write(tmp_path, GOOD))})
    assert panel["close"].shape == (2, 2)


def test_gz_crlf_and_ignored_columns(tmp_path):
    text = GOOD.replace("\n", "\r\n").replace("Volume", "Mood")
    table = ds.read_bars(write(tmp_path, gzip.compress(text.encode()), "x.csv.gz"))
    assert table["close"].tolist() == [1.5, 1.8]
    assert table.attrs["ignored"] == ["Mood"]


@pytest.mark.parametrize(("factor", "unit"), [(1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")])
def test_epochs_are_told_apart_by_size(tmp_path, factor, unit):
    table = ds.read_bars(write(tmp_path, f"unix,close\n{1583971200 * factor},1\n{1584057600 * factor},2\n"))
    assert [f"{t:%Y-%m-%d}" for t in table.index] == ["2020-03-12", "2020-03-13"]
    assert table.attrs["rules"] == [f"epoch-{unit}"]


def test_zones_are_converted(tmp_path):
    table = ds.read_bars(write(tmp_path, "time,close\n2020-03-12T01:00+01:00,1\n2020-03-12T02:00Z,2\n"))
    assert list(table.index.hour) == [0, 2]
    assert table.attrs["rules"] == ["offsets-to-utc"]
    table = ds.read_bars(write(tmp_path, "time,close\n2020-03-12T01+01,1\n2020-03-12T02:30:00.5+01,2\n"))
    assert [str(t) for t in table.index] == ["2020-03-12 00:00:00+00:00", "2020-03-12 01:30:00.500000+00:00"]
    assert table.attrs["rules"] == []


def test_fractions_of_an_epoch_second_stay(tmp_path):
    table = ds.read_bars(write(tmp_path, "unix,close\n1583971200.25,1\n1583971201,2\n"))
    assert [t.microsecond for t in table.index] == [250000, 0]


def test_compact_dates_are_dates(tmp_path):
    table = ds.read_bars(write(tmp_path, "date,close\n20200312,1\n20200313,2\n"))
    assert [f"{t:%Y-%m-%d}" for t in table.index] == ["2020-03-12", "2020-03-13"]


def test_the_preferred_spelling_wins_and_the_other_is_listed(tmp_path):
    table = ds.read_bars(write(tmp_path, "Date,Last,Close\n2024-01-01,1,2\n"))
    assert table["close"].tolist() == [2.0]
    assert table.attrs["ignored"] == ["Last"]


def test_what_a_panel_repairs_is_left_to_it(tmp_path):
    rows = ["2024-01-04,3,1,-1", "2024-01-03,1,2,1", "2024-01-02,inf,1,1", "2024-01-01,2,1,1", "2024-01-01,2,1,2"]
    table = ds.read_bars(write(tmp_path, "\n".join(["Date,High,Low,Close", *rows, "", ""])))
    assert table["close"].tolist() == [-1.0, 1.0, 1.0, 1.0, 2.0]
    ledger = ds.LiquidityPanel.from_bars({"X": table}).ledger
    assert {"sorted", "duplicate-last", "infinite-to-missing", "price-not-positive", "high-below-low"} <= set(
        ledger["rule"]
    )


def test_size_is_capped(tmp_path, monkeypatch):
    bomb = gzip.compress(b"Date,Close\n" + b"2024-01-01,1\n" * 10_000)
    frame = pd.DataFrame({"close": np.arange(2000.0)}, index=pd.date_range("2024-01-01", periods=2000, name="time"))
    frame.to_parquet(tmp_path / "x.parquet")
    plain = write(tmp_path, b"Date,Close\n" + b"2024-01-01,1\n" * 1000)
    for module in ("opening", "cells"):
        monkeypatch.setattr(f"drainstats.sources.{module}.MAX_BYTES", 10_000)
    for path in (write(tmp_path, bomb, "x.csv.GZ"), plain, tmp_path / "x.parquet"):
        with pytest.raises(DataError, match="more than 10,000 bytes"):
            ds.read_bars(path)


def test_parquet_stamps(tmp_path):
    frame = pd.DataFrame({"time": pd.to_datetime(["2024-01-01", None]), "close": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="'NaT' is no time") as caught:
        ds.read_bars(tmp_path / "x.parquet")
    assert caught.value.row == 2, "Parquet has no lines: its second row"
    frame[:1].to_parquet(tmp_path / "x.parquet")
    assert ds.read_bars(tmp_path / "x.parquet").attrs["rules"] == ["naive-as-utc"]


def test_parquet(tmp_path):
    frame = pd.DataFrame({"close": [1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=2, tz="UTC", name="time"))
    frame.to_parquet(tmp_path / "x.parquet")
    assert ds.read_bars(tmp_path / "x.parquet")["close"].tolist() == [1.0, 2.0]
    with pytest.raises(DataError, match="not Parquet"):
        ds.read_bars(write(tmp_path, b"nonsense", "y.parquet"))


def test_parquet_needs_its_extra(tmp_path, monkeypatch):
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[ticks\]"):
        ds.read_bars(write(tmp_path, b"", "x.parquet"))


@pytest.mark.parametrize(
    ("text", "message", "row", "column"),
    [
        ("", "empty", None, None),
        ("\n \n", "empty", None, None),
        ("Date,Open\n2024-01-01,1\n", "No close column", 1, None),
        ("when,close\n2024-01-01,1\n", "No time column", 1, None),
        ("Date,Close\n", "no rows", None, None),
        ("Date,Close\n2024-01-01,1\n2024-01-02,one\n", "'one' is not a number", 3, "Close"),
        ("Date,Close\n2024-01-01,1\nsoon,2\n", "'soon' is not an ISO date", 3, "Date"),
        ("Date,Close\n2024-01-01,1\n,2\n", "not an ISO date", 3, "Date"),
        ("Date,Close\n2024-01-01T00:00Z,1\n2024-01-02T00:00,2\n", "names no time zone, the first row does", 3, "Date"),
        (
            "Date,Close\n2024-01-01T00:00,1\n2024-01-02T00:00Z,2\n",
            "names a time zone, the first row does not",
            3,
            "Date",
        ),
        ("Date,Close\n2024-01-01,1\n9999-12-31,2\n", "outside the years", 3, "Date"),
        ("Date,Close\n01/02/2024,1\n", "'01/02/2024' is not an ISO date", 2, "Date"),
        ("unix,close\n1583971200,1\n1584057600000,2\n", "'1584057600000' is not in s since 1970", 3, "unix"),
        ("unix,close\n1583971200,1\n,2\n", "'' is not a number, as the stamps before it are", 3, "unix"),
        ("unix,close\n12,1\n", "no time since 1970", 2, "unix"),
        ("Date,Close,close\n2024-01-01,1,2\n", "'close' twice", 1, "close"),
        ("Date,Open,Close\n2024-01-01,1,2\n2024-01-02,1\n", "has 2 cells where 3 are expected", 3, None),
        ("Date,Close\n2024-01-01,1,2\n2024-01-02,1,2\n", "has 3 cells where 2 are expected", 2, None),
        ("Date,Close\n2024-01-01,1\n\n2024-01-02,1\n", "A line in the middle of the file is empty", 3, None),
        ('Date,Close\n2024-01-01,"1\n', "not a table", 2, None),
        (b"Date,Close\n2024-01-01,\xe9\n", "not a table in UTF-8 .byte 0xe9", 2, None),
    ],
)
def test_bad_files_are_sentences(tmp_path, text, message, row, column):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        ds.read_bars(path)
    assert caught.value.file == path
    if row is not None:
        assert caught.value.row == row
    if column is not None:
        assert caught.value.column == column


def test_missing_files_broken_gz_and_formats(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ds.read_bars(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="cannot be read"):
        ds.read_bars(write(tmp_path, gzip.compress(GOOD.encode())[:-12], "x.csv.gz"))
    with pytest.raises(OptionError, match=r"format='xml' is not one of 'binance-klines', .*'generic'"):
        ds.read_bars(write(tmp_path, GOOD), format="xml")


def test_what_the_reader_assumed_reaches_the_ledger(tmp_path):
    table = ds.read_bars(write(tmp_path, GOOD))
    ledger = ds.LiquidityPanel.from_bars({"X": table, "Y": table}).ledger
    assert set(ledger["rule"]) == {"naive-as-utc"}
    assert ledger["rows"].tolist() == [2, 2]
