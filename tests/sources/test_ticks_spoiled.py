"""Files of trades with a bad cell, changing units, rows out of order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.sources.ticks import parquet as parquet_batches
from drainstats.sources.ticks import streams
from tests.kernels.tick_twin import market, tidy
from tests.sources.test_ticks_files import assert_same, binance_trades, generic, one, parquet, sided


def spoiled(path, line, old, new):
    lines = path.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[old] = new
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("cell", "text", "column", "words"),
    [
        (1, "abc", "price", "is not a number"),
        (1, "", "price", "is no finite number"),
        (2, "-1", "qty", "is a negative amount"),
        (2, "inf", "qty", "is no finite number"),
        (4, "12", "time", "is no time since 1970"),
        (5, "maybe", "is_buyer_maker", "is none of"),
        (4, "1704067100000", "time", "lies before that of an earlier row"),
    ],
)
@pytest.mark.parametrize("block", [300, 2**20])
@pytest.mark.parametrize("header", [True, False])
def test_a_bad_cell_is_named_by_its_line(tmp_path, monkeypatch, cell, text, column, words, block, header):
    path = tmp_path / "trades.csv"
    path.write_text(binance_trades(sided(one()), header))
    spoiled(path, 400, cell, text)
    monkeypatch.setattr(streams, "BLOCK", block)
    with pytest.raises(DataError, match=words) as caught:
        ds.tick_bars(path)
    assert (caught.value.row, caught.value.column if header else column) == (400, column)
    assert caught.value.file == path


@pytest.mark.parametrize("spoil", ["nan price", "negative amount", "disorder", "side", "null"])
def test_a_bad_row_of_parquet_is_named(tmp_path, monkeypatch, spoil):
    trades = sided(one())
    row = 333
    columns = {}
    if spoil == "nan price":
        trades.loc[row, "price"] = np.nan
    elif spoil == "negative amount":
        trades.loc[row, "amount"] = -1.0
    elif spoil == "disorder":
        trades.loc[row, "time"] = trades["time"].min() - 1
    elif spoil == "side":
        trades.loc[row, "side"] = 5
    else:
        columns["amount"] = pa.array([None if k == row else a for k, a in enumerate(trades["amount"])])
    parquet(tmp_path / "t.parquet", trades, **columns)
    monkeypatch.setattr(parquet_batches, "ROWS", 100)
    with pytest.raises(DataError) as caught:
        ds.tick_bars(tmp_path / "t.parquet")
    assert caught.value.row == row + 1
    assert caught.value.column in ("price", "amount", "time", "side")


def test_stamps_that_change_their_unit(tmp_path, monkeypatch):
    trades = sided(one())
    text = binance_trades(trades, True).splitlines()
    micro = [",".join((*c[:4], c[4] + "000", c[5])) for c in (line.split(",") for line in text[251:])]
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("\n".join([*text[:251], *micro]))
    monkeypatch.setattr(streams, "BLOCK", 700)
    assert_same(ds.tick_bars(path, "1h"), ds.tick_bars(tidy(trades), "1h"))
    other = generic(10**6)(trades).splitlines()
    micro = [",".join((c[0] + "000", *c[1:])) for c in (line.split(",") for line in other[251:])]
    path.write_text("\n".join([*other[:251], *micro]))
    for block in (700, 2**20):
        monkeypatch.setattr(streams, "BLOCK", block)
        with pytest.raises(DataError, match="one unit"):
            ds.tick_bars(path, "1h")


def test_late_rows_within_the_tolerance_are_sorted_in(tmp_path, monkeypatch):
    trades = market(6, n=500, days=1)
    rng = np.random.default_rng(0)
    shuffled = trades.iloc[np.argsort(trades["time"] + rng.integers(0, 600, len(trades)) * 10**9, kind="stable")]
    parquet(tmp_path / "t.parquet", shuffled)
    expected = ds.tick_bars(tidy(shuffled.sort_values("time", kind="stable")), "1h")
    for rows in (7, 10_000):
        monkeypatch.setattr(parquet_batches, "ROWS", rows)
        assert_same(ds.tick_bars(tmp_path / "t.parquet", "1h", tolerance="10min"), expected)
        with pytest.raises(DataError, match="late by more than the tolerance"):
            ds.tick_bars(tmp_path / "t.parquet", "1h", tolerance="1min")
        with pytest.raises(DataError, match="sort the rows"):
            ds.tick_bars(tmp_path / "t.parquet", "1h")
