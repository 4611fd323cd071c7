"""Reading bars: usual layouts, and every bad cell named by file, line and column."""

from __future__ import annotations

import gzip

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
    assert table.attrs["rules"] == []


def test_parquet(tmp_path):
    frame = pd.DataFrame({"close": [1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=2, tz="UTC", name="time"))
    frame.to_parquet(tmp_path / "x.parquet")
    assert ds.read_bars(tmp_path / "x.parquet")["close"].tolist() == [1.0, 2.0]
    with pytest.raises(DataError, match="not Parquet"):
        ds.read_bars(write(tmp_path, b"nonsense", "y.parquet"))


def test_parquet_needs_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
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
        ("Date,Close\n2024-01-01T00:00Z,1\n2024-01-02T00:00,2\n", "Some stamps name a time zone", 3, "Date"),
        ("unix,close\n1583971200,1\n1584057600000,2\n", "is in ms, the first row in s", 3, "unix"),
        ("unix,close\n12,1\n", "no time since 1970", 2, "unix"),
        ("Date,Close\n2024-01-01,1,2,3\n2024-01-02,1\n", "not a table|not an ISO|not a number", None, None),
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
    with pytest.raises(OptionError, match="'csv', 'parquet'"):
        ds.read_bars(write(tmp_path, GOOD), format="xml")
