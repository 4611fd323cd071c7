"""pyarrow's parser and the careful one give the same table or the same error, on any text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError
from drainstats.sources import cells
from drainstats.sources.fastcsv import parsed
from tests.sources.samples import MS, NS, rows

pytest.importorskip("pyarrow")
NUMBERS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.floats(allow_nan=False, width=32).map(lambda x: f"{x:.8g}"),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(
        ["", " ", "NaN", "nan", "NAN", "NULL", "null", "N/A", "NA", "None", "inf", "-Infinity", "1e400", "-1e999",
         "1e-400", "1_000", "0x10", "1,5", "1 5", "+1.5", ".5", "5.", "5e", "1e5", "1E+05", "nan(1)", "true", "١",
         "1d5", "--1", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", " 2.5 ", "\t3", "4\u00a0", "0.1",
         "1/2", "$5"]
    ),
)  # fmt: skip
STAMPS = st.one_of(
    st.integers(MS, MS + 10**9).map(str),
    st.integers(NS, NS + 10**18).map(str),
    st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2199-12-31")).map(str),
    st.datetimes(pd.Timestamp("1960-01-01"), pd.Timestamp("2050-12-31")).map(lambda d: f"{d:%Y-%m-%dT%H:%M:%S}Z"),
    st.sampled_from(
        ["2024-01-01", "20240131", "2024-01-01T00:00+01:00", "2024-01-01 00:00:00-05", "2024-02-30", "2024-01-01T24:00",
         "0001-01-01", "9999-12-31", "2024-01-01T00:00:00.123456789Z", "2024-01-01 UTC", "March 1, 2024", "now", "",
         " ", "1700000000.5", "9223372036854775808", "2024-01-01T00:00:60", "2024-01-01T00:00:00.1234567891"]
    ),
)  # fmt: skip
SIDES = st.sampled_from(["buy", "sell", "BUY", " sell", "", "unknown", "bid", "1", "-1", "x", "b uy"])


def both(monkeypatch, read, path):
    """The answers of the two ways: a table, or an error's text."""
    fast = answer(read, path)
    with monkeypatch.context() as patched:
        patched.setattr(cells, "parsed", lambda *_: None)
        return fast, answer(read, path)


def answer(read, path):
    try:
        return read(path)
    except DataError as error:
        return str(error)


def assert_same(fast, careful):
    if isinstance(careful, str) or isinstance(fast, str):
        assert fast == careful
        return
    pd.testing.assert_frame_equal(fast, careful, check_exact=True)
    assert fast.attrs == careful.attrs


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(STAMPS, NUMBERS, NUMBERS, SIDES), min_size=1, max_size=6), st.data())
@example([("2024-01-01", "1", "1", "buy"), ("", "", "", "")], None)
def test_trades_of_any_cells(tmp_path_factory, drawn, data):
    monkeypatch = pytest.MonkeyPatch()
    if data is not None and data.draw(st.booleans()):
        # One kind of stamp throughout, so that more than the first row is read.
        stamps = [row[0] for row in drawn[:1]] * len(drawn)
        drawn = [(stamp, *row[1:]) for stamp, row in zip(stamps, drawn, strict=True)]
    path = tmp_path_factory.mktemp("two") / "x.csv"
    path.write_text("".join(f"{';'.join(row)}\n" for row in [("time", "price", "size", "side"), *drawn]), "utf-8")
    assert_same(*both(monkeypatch, ds.read_trades, path))
    bars = path.with_name("bars.csv")
    bars.write_text("".join(f"{';'.join(row[:3])}\n" for row in [("time", "close", "volume"), *drawn]), "utf-8")
    assert_same(*both(monkeypatch, ds.read_bars, bars))


def test_the_fast_way_is_taken(tmp_path):
    """Else these comparisons would compare one way with itself."""
    data = rows("0,1.5,buy", "1,2.5, sell")
    places, kinds = {"t": 0, "p": 1, "s": 2}, {"t": "time", "p": "number", "s": "label"}
    columns = parsed(data, 0, ",", 3, places, kinds, cells.BLANKS)
    assert columns is not None
    assert columns["t"].tolist() == [0, 1]
    assert columns["p"].tolist() == [1.5, 2.5]
    assert list(columns["s"]) == ["buy", "sell"]
    iso = parsed(rows("2024-01-01T00:00:00Z,1.5,buy"), 0, ",", 3, places, kinds, cells.BLANKS)
    assert str(iso["t"].dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize("bad", ["nan(1)", "1e999", "1;2;3", "x", '"1"'])
def test_the_fast_way_declines(bad):
    data = rows("0;1.5", f"1;{bad}")
    assert parsed(data, 0, ";", 2, {"t": 0, "p": 1}, {"t": "time", "p": "number"}, cells.BLANKS) is None


def test_blocks_of_the_careful_way_join(tmp_path, monkeypatch):
    text = [f"{MS + k};{k / 7!r};{k % 5};{'buy' if k % 3 else 'sell'}" for k in range(1000)]
    path = tmp_path / "x.csv"
    path.write_bytes(rows("time;price;size;side", *text))
    monkeypatch.setattr(cells, "_ROWS", 64)
    fast, careful = both(monkeypatch, ds.read_trades, path)
    assert_same(fast, careful)
    assert np.array_equal(fast["price"], np.arange(1000) / 7)
    path.write_bytes(rows("time;price;size;side", *text, f"{MS};1;two;buy"))
    with pytest.raises(DataError, match="'two' is not a number") as caught:
        ds.read_trades(path)
    assert caught.value.row == 1002
