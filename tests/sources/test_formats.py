"""Each format from a small file: what it is taken for, units, sides, stamps, what is recorded and what left aside."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.sources.tables import FORMATS
from tests.sources.expected import EXPECTED, NAN, ms, needs, put, read, same
from tests.sources.samples import BINARY, MS, SAMPLES, US, parquet, rows, sample, write


def test_every_format_has_a_sample():
    assert {(f.name, f.table) for f in FORMATS} == set(EXPECTED) == {*SAMPLES, *BINARY}
    listed = ds.list_formats()
    assert len(listed) == len(FORMATS)
    assert listed.index.name == "format"
    assert (listed["title"].str.len() > 0).all()
    assert (listed["traps"].str.len() > 0).all()


@pytest.mark.parametrize("key", EXPECTED, ids="-".join)
def test_a_format(key, tmp_path):
    needs(key)
    stamps, columns, rules, symbol = EXPECTED[key]
    table = read(key[1], write(tmp_path, key))
    assert table.attrs["format"] == key[0]
    assert list(table.index) == stamps
    assert table.attrs["rules"] == rules
    assert table.attrs.get("symbol") == symbol
    assert set(table.columns) == set(columns)
    for name, values in columns.items():
        same(table[name], values)
    pd.testing.assert_frame_equal(read(key[1], write(tmp_path, key), format=key[0]), table)


@pytest.mark.parametrize("key", EXPECTED, ids="-".join)
def test_an_asset_is_named_or_taken(key, tmp_path):
    needs(key)
    path = write(tmp_path, key)
    table = read(key[1], path)
    several = key[1] == "flows" or key[0] == "yfinance"
    if "asset" in table and several:
        name = table["asset"].iloc[0]
        only = read(key[1], path, asset=name)
        assert set(only["asset"]) == {name}
        if table["asset"].nunique() > 1:
            with pytest.raises(DataError, match="There is no asset 'NOPE' in the file; it has"):
                read(key[1], path, asset="NOPE")
    else:
        assert (read(key[1], path, asset="X")["asset"] == "X").all()


@pytest.mark.parametrize("key", [k for k in EXPECTED if k[0] != "lobster"], ids="-".join)
def test_compressed_files_are_the_same(key, tmp_path):
    needs(key)
    name, data = sample(key)
    plain = read(key[1], put(tmp_path, name, data))
    packed = [put(tmp_path, f"{name}.gz", gzip.compress(data)), tmp_path / f"{name}.zip"]
    with zipfile.ZipFile(packed[1], "w") as archive:
        archive.writestr(f"folder/{name}", data)
    for path in packed:
        pd.testing.assert_frame_equal(read(key[1], path), plain)


def test_parquet_of_bars(tmp_path):
    pytest.importorskip("pyarrow")
    table = ds.read_bars(put(tmp_path, "x.parquet", parquet()))
    assert table["close"].tolist() == [1.5, 1.25, 1.0]
    np.testing.assert_array_equal(table["volume"], [10, NAN, 20])
    assert table.attrs["rules"] == []


def test_columns_are_mapped(tmp_path):
    path = put(tmp_path, "x.csv", rows("T,px_last,VOLM,junk", "2024-01-01,1.5,10,z"))
    table = ds.read_bars(path, columns={"time": "T", "close": "px_last", "volume": "VOLM"})
    assert table.iloc[0].to_dict() == {"close": 1.5, "volume": 10}
    assert table.attrs["ignored"] == ["junk"]
    flows = ds.read_flows(path, columns={"time": "T", "outflow": "VOLM"}, asset="SPY")
    assert flows[["asset", "outflow"]].iloc[0].tolist() == ["SPY", 10]


@pytest.mark.parametrize("mark", list(";\t|"))
def test_columns_between_other_marks_are_mapped(tmp_path, mark):
    text = rows("T,px_last,lots,who", f"{MS},1.5,2,sell", f"{MS + 1},1.25,3,buy").replace(b",", mark.encode())
    names = {"time": "T", "price": "px_last", "amount": "lots", "side": "who"}
    table = ds.read_trades(put(tmp_path, "x.txt", text), columns=names)
    assert list(table.index) == ms(0, 1)
    assert table.to_dict("list") == {"price": [1.5, 1.25], "amount": [2, 3], "side": [-1, 1]}


@pytest.mark.parametrize("header", ["asset", "Symbol", "ticker"])
def test_several_assets_in_one_file_are_kept_apart(tmp_path, header):
    path = put(tmp_path, "x.csv", rows(f"time,{header},close", "2024-01-01,A,1", "2024-01-01,B,2", "2024-01-02,A,3"))
    table = ds.read_bars(path)
    assert table["asset"].tolist() == ["A", "B", "A"]
    assert ds.read_bars(path, asset="A")["close"].tolist() == [1, 3]
    assert ds.LiquidityPanel.from_long(table.reset_index(), clock="utc_day")["close"]["A"].tolist() == [1, 3]
    one = put(tmp_path, "y.csv", rows(f"time,{header},close", "2024-01-01,A,1"))
    assert ds.read_bars(one).attrs["symbol"] == "A"
    mapped = put(tmp_path, "z.csv", rows("time,who,close", "2024-01-01,A,1", "2024-01-01,B,2"))
    assert ds.read_bars(mapped, columns={"asset": "who"})["asset"].tolist() == ["A", "B"]
    assert ds.read_flows(mapped, columns={"asset": "who"})["asset"].tolist() == ["A", "B"]


def test_maps_that_do_not_fit(tmp_path):
    path = put(tmp_path, "x.csv", rows("T,px_last", "2024-01-01,1.5"))
    with pytest.raises(DataError, match="There is no column 'nope'; the file has T, px_last"):
        ds.read_bars(path, columns={"time": "T", "close": "nope"})
    with pytest.raises(OptionError, match="columns= names 'last', which bars do not have; they have time, open"):
        ds.read_bars(path, columns={"time": "T", "last": "px_last"})
    with pytest.raises(OptionError, match="columns= is for the generic format, not for format='lean'"):
        ds.read_bars(path, format="lean", columns={"time": "T"})


def test_a_maker_column_by_another_name(tmp_path):
    path = put(tmp_path, "x.csv", rows("time,price,size,flag", f"{MS},1,2,true"))
    with pytest.raises(DataError, match="'true' is none of 'buy'"):
        ds.read_trades(path, columns={"side": "flag"})


@pytest.mark.parametrize("key", [k for k in EXPECTED if k[0] != "generic"], ids="-".join)
def test_every_other_reader_names_the_one_that_fits(key, tmp_path):
    needs(key)
    path = write(tmp_path, key)
    # A recording of streams holds three tables.
    own = {"trades", "quotes", "book"} if key[0] == "binance-stream" else {key[1]}
    for table in {"bars", "trades", "quotes", "book", "flows"} - own:
        # Databento's mbp-1 comes with trades, but this file has none.
        none = key in (("databento-csv", "quotes"), ("dbn", "quotes")) and table == "trades"
        with pytest.raises(DataError, match="holds no trades" if none else rf"read it with .*\bread_{key[1]}\b"):
            read(table, path)


def test_a_file_of_another_table_names_its_reader(tmp_path):
    path = write(tmp_path, ("tardis-quotes", "quotes"))
    with pytest.raises(DataError, match=r"This is a file of quotes \(Tardis quotes\): read it with read_quotes\."):
        ds.read_trades(path)
    with pytest.raises(DataError, match="This is a file of bars: read it with read_bars"):
        ds.read_flows(write(tmp_path, ("generic", "bars")))
    with pytest.raises(DataError, match="There is no column for ask, bid in this file; is it of the format 'tardis"):
        ds.read_quotes(put(tmp_path, "y.csv", rows("timestamp,x", f"{US},1")), format="tardis-quotes")
