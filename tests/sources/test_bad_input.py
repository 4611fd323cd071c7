"""Bad files of every kind: an error that names file, line and column, or a recorded rule; and both parsers agree."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError
from tests.sources.samples import BINARY, parquet, sample

HEAD, GOOD = "time,price,amount,side\n", "1722816000000,1.5,2,buy\n"


def write(folder, data, name="x.csv"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.fixture(params=["pyarrow", "pandas"])
def parser(request, monkeypatch):
    """The fast parse where it can, or the careful one only."""
    if request.param == "pandas":
        monkeypatch.setattr("drainstats.sources.cells.parsed", lambda *_: None)
    else:
        pytest.importorskip("pyarrow")
    return request.param


def refusal(read, path, row=None, column=None):
    """The sentence with which a file is refused; it names the file, the row and the column."""
    with pytest.raises(DataError) as caught:
        read(path)
    error = caught.value
    assert (error.file, error.row, error.column) == (path, row, column)
    assert len(str(error)) < 1000, "a giant cell is not repeated whole"
    return str(error)


NO_NUMBER = (
    "1_000", "0x10", "0b1", "1L", "1d5", "1f", "1e", ".", "-", "--1", "1.5.2", "1/2", "5%", "$5", "(5)", "1 000", "−5",
    "١", "True", "one", "NAN", "-nan", "nan(1)", "1;5", "#N/A", "=A1", "1'000",
)  # fmt: skip


@pytest.mark.parametrize("cell", NO_NUMBER)
def test_what_is_no_number(tmp_path, parser, cell):
    assert re.search(
        "not a number",
        refusal(ds.read_trades, write(tmp_path, HEAD + GOOD + f"1722816000001,{cell},2,buy\n"), 3, "price"),
    )


@pytest.mark.parametrize("cell", ["1e400", "-1e400", "9" * 400, "1e999999999999"])
def test_what_is_larger_than_a_float(tmp_path, parser, cell):
    assert re.search(
        "larger than any number", refusal(ds.read_bars, write(tmp_path, f"time,close\n2024-01-01,{cell}\n"), 2, "close")
    )


@pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "", "nan", "NULL", "N/A", " "])
def test_a_trade_needs_a_finite_price(tmp_path, parser, cell):
    text = HEAD + GOOD + f"1722816000001,{cell},2,buy\n"
    assert re.search("no finite number", refusal(ds.read_trades, write(tmp_path, text), 3, "price"))


def test_infinite_and_missing_bars_are_left_to_the_ledger(tmp_path, parser):
    rows = ["2024-01-01,1,5", "2024-01-02,-Infinity,", "2024-01-03,,NULL", "2024-01-04,+1.5e0,0"]
    table = ds.read_bars(write(tmp_path, "\n".join(["time,close,volume", *rows])))
    np.testing.assert_array_equal(table["close"], [1.0, -np.inf, np.nan, 1.5])
    np.testing.assert_array_equal(table["volume"], [5.0, np.nan, np.nan, 0.0])
    assert "infinite-to-missing" in set(ds.LiquidityPanel.from_bars({"X": table}).ledger["rule"])


@pytest.mark.parametrize(
    ("text", "message", "row", "column"),
    [
        ("time;price;amount\n1722816000000;1,5;2\n", "a decimal point and no marks between thousands", 2, "price"),
        ("time;price;amount\n1722816000000;1.234,5;2\n", "a decimal point and no marks", 2, "price"),
        (HEAD + '1722816000000,"1,234.5",2,buy\n', "a decimal point and no marks", 2, "price"),
        (HEAD + "1722816000000,1,234.5,2,buy\n", "has 5 cells where 4", 2, None),
        (HEAD + GOOD + "1722816000001,1,-2,buy\n", "negative amount", 3, "amount"),
        (HEAD + GOOD + "1722816000001,1,2,hold\n", "'hold' is none of 'buy'", 3, "side"),
        (HEAD + GOOD + '1722816000001,1,2,"bu\ny"\n', "is none of 'buy'", 3, "side"),
        ("time,price,price,amount\n1,1,1,1\n", "'price' twice", 1, "price"),
        ("time,price, Price ,amount\n1,1,1,1\n", "'Price' twice", 1, "Price"),
        (HEAD, "header and no rows", None, None),
        ("", "is empty", None, None),
        ("\ufeff", "is empty", None, None),
        ("\r\n\r\n \n", "is empty", None, None),
        (HEAD + GOOD + "\n" + GOOD, "line in the middle of the file is empty", 3, None),
        (HEAD + GOOD + " \n" + GOOD, "has 1 cells where 4", 3, None),
        (HEAD + GOOD + ",,,\n", "'' is not a number, as the stamps", 3, "time"),
        (HEAD + GOOD + "1722816000001,1\n", "has 2 cells where 4", 3, None),
        (HEAD + GOOD + "1722816000001,1,2,buy,\n", "has 5 cells where 4", 3, None),
        (HEAD + GOOD + HEAD + GOOD, "'price' is not a number", 3, "price"),
        (HEAD + GOOD + '1722816000001,"1.6,2,buy\n' + GOOD, "not a table", 3, None),
        (HEAD + '"1722816000001","1.6","2","buy"\n"1722816000001","x","2","buy"\n', "'x' is not a number", 3, "price"),
        ("time,price,amount,note\n1722816000000,1,2,\"a\nb\"\n1722816000001,x,2,c\n", "'x' is not", 4, "price"),
        ((HEAD + GOOD).encode("utf-16"), "UTF-16", 1, None),
        ((HEAD + GOOD).encode("utf-16-le"), "null byte", 1, None),
        (HEAD + GOOD + "1722816000001,1\0,2,buy\n", "null byte", 3, None),
        ((HEAD + GOOD + "1722816000001,1,2,b\xe9\n").encode("latin-1"), "UTF-8 .byte 0xe9", 3, None),
        ("tim\xe9,price,amount\n1,1,1\n".encode("latin-1"), "header cannot be read", 1, None),
        (HEAD + GOOD + f"1722816000001,{'x' * 3_000_000},2,buy\n", "is not a number", 3, "price"),
        (f"time,price,amount\n{'x' * 3_000_000},1,1\n", "is not an ISO date", 2, "time"),
    ],
)  # fmt: skip
def test_bad_texts(tmp_path, parser, text, message, row, column):
    assert re.search(message, refusal(ds.read_trades, write(tmp_path, text), row, column))


def test_a_hundred_thousand_columns(tmp_path, parser):
    others = ",".join(f"c{k}" for k in range(100_000))
    path = write(tmp_path, f"time,price,amount,{others}\n1722816000000,1,2{',0' * 100_000}\n")
    table = ds.read_trades(path)
    assert table.shape == (1, 2)
    assert len(table.attrs["ignored"]) == 100_000
    assert re.search(
        "No time column", refusal(ds.read_trades, write(tmp_path, others + "\n" + ",".join("0" * 100_000)), 1)
    )


@pytest.mark.parametrize("text", ["\ufeff" + HEAD + GOOD, (HEAD + GOOD).replace("\n", "\r"), (HEAD + GOOD).rstrip()])
def test_marks_and_line_ends_do_not_matter(tmp_path, parser, text):
    table = ds.read_trades(write(tmp_path, text.replace("1.5", " 1.5 ")))
    assert table.iloc[0].tolist() == [1.5, 2.0, 1.0]


DATES = {
    "0001-01-01": "outside the years", "9999-12-31": "outside the years", "1677-09-20": "outside the years",
    "2262-04-12": "outside the years", "-2024-01-02": "outside the years", "NaT": "not an ISO date",
    "": "not an ISO date", "now": "not an ISO date", "today": "not an ISO date", "2024-02-30": "not an ISO date",
    "2024-13-01": "not an ISO date", "24-01-01": "not an ISO date", "01/02/2024": "not an ISO date",
    "2024-01-02 25:00": "not an ISO date", "2024-01-02 00:00:60": "not an ISO date", "2024-W01-1": "not an ISO date",
    "2024-01-02 00:00 EST": "not an ISO date", "2024-01-02T00:00+99:00": "not an ISO date",
    "2024-01-02T00:00Z": "names a time zone, the first row does not", "1722816000": "not an ISO date",
}  # fmt: skip


@pytest.mark.parametrize("cell", DATES)
def test_bad_dates(tmp_path, parser, cell):
    assert re.search(
        DATES[cell], refusal(ds.read_bars, write(tmp_path, f"time,close\n2024-01-01,1\n{cell},1\n"), 3, "time")
    )


NUMBERS = {
    "0": "no time since", "-1722816000": "no time since", "12": "no time since", "9" * 20: "no time since",
    "1e30": "no time since", "9223372036854775807": "after the year 2200", "9223372036854775808": "after the year 2200",
    "99999999999": "after the year 2200",
}  # fmt: skip


@pytest.mark.parametrize("cell", NUMBERS)
def test_numbers_that_are_no_times(tmp_path, parser, cell):
    assert re.search(NUMBERS[cell], refusal(ds.read_bars, write(tmp_path, f"time,close\n{cell},1\n"), 2, "time"))


@pytest.mark.parametrize(
    "second", ["1722816000000", "1722816000000000", "1722816000000000000", "2024-08-05", "", "inf"]
)
def test_a_second_unit_in_a_column_is_named(tmp_path, parser, second):
    text = f"time,close\n1722816000,1\n{second},1\n"
    assert re.search(
        "as the first row is|as the stamps before it are", refusal(ds.read_bars, write(tmp_path, text), 3, "time")
    )


def test_units_may_mix_where_the_vendor_mixes_them_and_the_rules_say_so(tmp_path, parser):
    name, data = sample(("cryptodatadownload", "bars"))
    assert ds.read_bars(write(tmp_path, data, name)).attrs["rules"] == ["epoch-s", "epoch-ms"]


@pytest.mark.parametrize(("clock", "why"), [("20240310 02:30", "skipped"), ("20241103 01:30", "twice")])
def test_local_times_that_name_no_one_moment(tmp_path, parser, clock, why):
    text = f"20240308 10:00,1,1,1,1,1\n{clock},1,1,1,1,1\n"
    assert re.search(
        "does not name one moment in America/New_York",
        refusal(ds.read_bars, write(tmp_path, text, "spy.csv"), 2, "time"),
    )


# Floats of all sizes as programs print them, and cells that stand for none.
CELL = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: f"{x:.6g}"),
    st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(1e-320, 1e-300).map(repr),
    st.sampled_from(
        ["", "nan", "NULL", "N/A", " 1.5", "2 ", "+3", ".5", "7.", "1E+05", "-0", "0.1", "inf", "-Infinity"]
    ),
)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", list(",;\t|"))
@settings(max_examples=40, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(CELL, CELL, st.sampled_from(["A", "B b", "é", ""])), min_size=1, max_size=6))
def test_both_parsers_give_the_same_table(tmp_path_factory, mark, ends, rows):
    pytest.importorskip("pyarrow")
    lines = [mark.join((f"{1722816000000 + k}", bid, ask, name)) for k, (bid, ask, name) in enumerate(rows)]
    path = write(tmp_path_factory.mktemp("x"), ends.join([mark.join(("time", "bid", "ask", "symbol")), *lines]))
    fast = ds.read_quotes(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drainstats.sources.cells.parsed", lambda *_: None)
        slow = ds.read_quotes(path)
    pd.testing.assert_frame_equal(fast, slow, check_exact=True)
    assert fast.attrs == slow.attrs
    for name, place in (("bid", 0), ("ask", 1)):
        # Python's own float is correctly rounded: what any parser must give.
        expected = [
            float(row[place]) if row[place].strip() not in ("", "nan", "NULL", "N/A") else np.nan for row in rows
        ]
        np.testing.assert_array_equal(fast[name], expected)


def test_texts_are_read_without_pyarrow(tmp_path):
    """In a process of its own, in which nothing, pandas neither, finds pyarrow."""
    write(tmp_path, HEAD + GOOD)
    code = """
        import sys
        for name in ("pyarrow", "pyarrow.csv", "pyarrow.parquet", "pyarrow.compute"):
            sys.modules[name] = None
        import drainstats as ds
        table = ds.read_trades("x.csv")
        assert table.iloc[0].tolist() == [1.5, 2.0, 1.0], table
        try:
            ds.read_bars("x.parquet")
        except ds.errors.MissingExtraError as error:
            print(error)
    """
    write(tmp_path, b"PAR1", "x.parquet")
    code = textwrap.dedent(code).replace("ds.errors.", "").replace("import drainstats as ds", _IMPORTS)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "drainstats[ticks]" in run.stdout


_IMPORTS = "import drainstats as ds\nfrom drainstats.errors import MissingExtraError"


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return stream.getvalue()


PACK = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zip": lambda data: zipped(x=data)}


def packed(kind, data):
    if kind == "zst":
        return pytest.importorskip("pyarrow").Codec("zstd").compress(data, asbytes=True)
    return PACK[kind](data)


@pytest.mark.parametrize("kind", [*PACK, "zst"])
def test_archives_are_told_by_their_bytes_not_their_names(tmp_path, kind):
    assert len(ds.read_trades(write(tmp_path, packed(kind, (HEAD + GOOD).encode()), "x.txt"))) == 1


@pytest.mark.parametrize("kind", [*PACK, "zst"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_archives_that_are_cut_off(tmp_path, kind, share):
    rng = np.random.default_rng(0)
    data = (HEAD + "".join(f"{1722816000000 + k},{rng.random()},1,buy\n" for k in range(300))).encode()
    whole = packed(kind, data)
    with pytest.raises(DataError, match=r"cannot be read|not a zip") as caught:
        ds.read_trades(write(tmp_path, whole[: int(len(whole) * share)]))
    assert caught.value.file == tmp_path / "x.csv"


@pytest.mark.parametrize("kind", [*PACK, "zst"])
def test_bombs_are_refused_before_they_fill_memory(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("drainstats.sources.opening._SMALL", 2**16)
    bomb = packed(kind, (HEAD + GOOD).encode() + b" " * 2**24)
    assert re.search("grows to more than 300 times its size", refusal(ds.read_trades, write(tmp_path, bomb)))


def test_zips_of_another_kind(tmp_path):
    data = HEAD + GOOD
    assert re.search(
        "holds a, b; one file is expected", refusal(ds.read_trades, write(tmp_path, zipped(a=data, b=data)))
    )
    assert re.search("holds nothing; one file is expected", refusal(ds.read_trades, write(tmp_path, zipped())))
    assert re.search("is empty", refusal(ds.read_trades, write(tmp_path, zipped(x=""))))
    one = bytearray(zipped(x=data))
    one[6] |= 1  # the flag of an encrypted member, in its own header and in the directory
    one[one.index(b"PK\x01\x02") + 8] |= 1
    assert re.search("encrypted", refusal(ds.read_trades, write(tmp_path, bytes(one))))
    names = zipped(a=data).replace(b"PK\x01\x02", b"PK\x01\x03")
    assert re.search("not a zip archive", refusal(ds.read_trades, write(tmp_path, names)))


def test_a_name_that_leads_out_of_its_folder_writes_nothing(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    table = ds.read_trades(write(inner, zipped(**{"..__..__x.csv": HEAD + GOOD}), "x.zip"))
    assert len(table) == 1, "members are read in memory only"
    assert [p.name for p in tmp_path.rglob("*")] == ["inner", "x.zip"]


def test_a_zip_inside_a_gz_is_no_table(tmp_path):
    path = write(tmp_path, gzip.compress(zipped(x=HEAD + GOOD)))
    with pytest.raises(DataError):
        ds.read_trades(path)


def columns_of(pa):
    from datetime import date, datetime, timedelta
    from decimal import Decimal

    good = {
        "decimal": pa.array([Decimal("1.5"), None]), "dictionary": pa.array(["1.5", None]).dictionary_encode(),
        "string": pa.array(["1.5", "NULL"]), "large string": pa.array([" 1.5", None], pa.large_string()),
        "float16": pa.array([1.5, None], pa.float32()).cast(pa.float16()), "null": pa.nulls(2),
    }  # fmt: skip
    bad = {
        "list": pa.array([[1.0], [2.0]]), "struct": pa.array([{"a": 1.0}] * 2), "bool": pa.array([True, False]),
        "binary": pa.array([b"1.5", b"2"]), "time": pa.array([datetime(2024, 1, 1)] * 2),
        "date": pa.array([date(2024, 1, 1)] * 2), "span": pa.array([timedelta(1)] * 2),
        "map": pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int64())),
    }  # fmt: skip
    return good, bad


def test_parquet_columns_of_other_types(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    stamps, path = pa.array([1722816000000, 1722816000001]), tmp_path / "x.parquet"
    good, bad = columns_of(pa)
    for kind, column in good.items():
        pq.write_table(pa.table({"time": stamps, "close": column}), path)
        expected = [np.nan if kind == "null" else 1.5, np.nan]
        np.testing.assert_array_equal(ds.read_bars(path)["close"], expected, err_msg=kind)
    for column in bad.values():
        pq.write_table(pa.table({"time": stamps, "close": column}), path)
        assert re.search("is not a number", refusal(ds.read_bars, path, 1, "close"))
    for column in (bad["list"], bad["struct"], bad["binary"]):
        pq.write_table(pa.table({"time": stamps, "price": [1.0, 2.0], "amount": [1.0, 2.0], "side": column}), path)
        assert re.search("is none of", refusal(ds.read_trades, path, 1, "side"))
    for column in (bad["bool"], bad["list"], bad["span"], pa.nulls(2)):
        pq.write_table(pa.table({"time": column, "close": [1.0, 2.0]}), path)
        assert re.search("is not an ISO date", refusal(ds.read_bars, path, 1, "time"))
    for column, why in (
        ([1722816000, None], "as the first row is"),
        (pa.array([2**64 - 1] * 2, pa.uint64()), "after the year 2200"),
    ):
        pq.write_table(pa.table({"time": column, "close": [1.0, 2.0]}), path)
        assert re.search(why, refusal(ds.read_bars, path, 2 if isinstance(column, list) else 1, "time"))


def test_parquet_years(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from datetime import datetime

    for year in (1, 1677, 2262, 9999):
        for unit in ("ms", "us"):
            stamps = pa.array([datetime(year, 1, 1)], pa.timestamp(unit))
            pytest.importorskip("pyarrow.parquet").write_table(
                pa.table({"time": stamps, "close": [1.0]}), tmp_path / "x.parquet"
            )
            assert re.search("outside the years 1700 to 2200", refusal(ds.read_bars, tmp_path / "x.parquet", 1, "time"))


def test_parquet_that_is_cut_off_or_empty(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    data = parquet()
    for length in (4, 8, len(data) // 2, len(data) - 1):
        assert re.search("not Parquet", refusal(ds.read_bars, write(tmp_path, data[:length], "x.parquet")))
    pq.write_table(pa.table({"time": pa.array([], pa.int64()), "close": pa.array([], pa.float64())}), tmp_path / "x")
    assert re.search("columns and no rows", refusal(ds.read_bars, tmp_path / "x"))
    twins = pa.Table.from_arrays([pa.array([1]), pa.array([1.0]), pa.array([2.0])], names=["time", "close", "Close"])
    pq.write_table(twins, tmp_path / "x")
    assert re.search("'Close' twice", refusal(ds.read_bars, tmp_path / "x", None, "Close"))


@pytest.mark.parametrize("key", BINARY)
def test_dbn_that_is_cut_off(tmp_path, key):
    pytest.importorskip("databento")
    name, data = sample(key)
    read = getattr(ds, f"read_{key[1]}")
    assert len(read(write(tmp_path, data, name))) == 2
    for length in (3, 8, 60, len(data) - 1):
        path = write(tmp_path, data[:length], name)
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.file == path
