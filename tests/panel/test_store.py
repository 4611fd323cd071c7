"""A panel in a file: bit for bit, whole or not at all, and nothing else is taken for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import drainstats as ds
from drainstats.errors import DataError, MissingExtraError
from drainstats.panel import store
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.records import dumped, loaded
from tests.panel.test_clocks import bars
from tests.panel.test_joining import COINS, SHARES
from tests.panel.test_symbols import terra


def assert_identical(one, two):
    assert (one.clock, dict(one.units), dict(one.provenance)) == (two.clock, dict(two.units), dict(two.provenance))
    assert list(one.fields) == list(two.fields)
    for field in one.fields:
        a, b = one.fields[field], two.fields[field]
        assert a.index.equals(b.index)
        assert a.columns.equals(b.columns)
        assert a.to_numpy().tobytes() == b.to_numpy().tobytes()
    pd.testing.assert_frame_equal(one.available, two.available)
    pd.testing.assert_frame_equal(one.status, two.status)
    pd.testing.assert_frame_equal(one.asset_table, two.asset_table)
    pd.testing.assert_frame_equal(one.ledger, two.ledger)


def strange():
    """Every bit pattern that a float can have trouble with, and a naive stamp in the ledger."""
    table = bars(pd.date_range("2020-01-01", periods=6)).assign(extra=[np.nan, -0.0, 5e-324, 1.7e308, 0.1 + 0.2, 1 / 3])
    return LiquidityPanel.from_bars({"Ä/ö": table, "B": bars(pd.date_range("2020-01-03", periods=2, tz="UTC"))})


PANELS = {
    "plain": lambda: strange(),
    "joined": lambda: COINS.join(SHARES).carry("48h"),
    "symbols": lambda: terra(),
    "bundled": lambda: ds.load_dataset("us-stocks-daily"),
    "hours": lambda: COINS.join(SHARES, clock="intersection").resample("utc_2day"),
    "one cell": lambda: strange().select("B").cut(1),
    "no rows": lambda: strange().cut(0),
}


@pytest.mark.parametrize("name", PANELS)
def test_a_saved_panel_comes_back_bit_for_bit(tmp_path, name):
    panel = PANELS[name]()
    path = panel.save(tmp_path / "deep" / "panel.parquet")
    again = LiquidityPanel.load(path)
    assert_identical(again, panel)
    assert again.save(tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_several_groups_of_rows_are_one_panel(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "GROUP", 7)
    path = COINS.join(SHARES).save(tmp_path / "p.parquet")
    assert pq.ParquetFile(path).num_row_groups == 2
    assert_identical(LiquidityPanel.load(path), COINS.join(SHARES))


def test_other_programs_read_a_tidy_table(tmp_path):
    panel = COINS.join(SHARES)
    table = pd.read_parquet(panel.save(tmp_path / "p.parquet"))
    assert list(table.columns) == ["time", "asset", *panel.fields, "available_at", "status"]
    tidy = table.dropna(subset=list(panel.fields), how="all")[["time", "asset", *panel.fields]]
    again = LiquidityPanel.from_long(tidy.astype({"asset": str}), clock="utc_day")
    pd.testing.assert_frame_equal(again["close"], panel["close"])
    assert table["available_at"].isna().sum() == panel.available.isna().to_numpy().sum()


def test_a_loaded_panel_goes_on_as_before(tmp_path):
    loaded_ = LiquidityPanel.load(COINS.save(tmp_path / "c.parquet"))
    pd.testing.assert_frame_equal(loaded_.join(SHARES)["close"], COINS.join(SHARES)["close"])


def rewritten(path, change, metadata=None):
    table = pq.read_table(path)
    kept = table.schema.metadata
    pq.write_table(change(table).replace_schema_metadata(metadata(kept) if metadata else kept), path)


def swapped(table, name, row, value):
    column = table[name].to_pylist()
    column[row] = value
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(name), pa.array(column, table.schema.field(name).type))


@pytest.mark.parametrize(
    ("change", "metadata", "message"),
    [
        (lambda t: swapped(t, "close", 3, 99.0), None, "does not agree with its digest"),
        (lambda t: swapped(t, "status", 3, 9), None, "does not agree with its digest"),
        (lambda t: swapped(t, "available_at", 3, None), None, "does not agree with its digest"),
        (lambda t: t.slice(1), None, "other rows than its record says"),
        (lambda t: t.drop_columns("close"), None, "cannot be read"),
        (lambda t: swapped(t, "close", 3, None), None, "cannot be read|digest"),
        (lambda t: t, lambda m: m | {b"drainstats": m[b"drainstats"].replace(b"utc_day", b"utc_hour")}, "digest"),
        (lambda t: t, lambda m: m | {b"drainstats": b"{"}, "record of the panel cannot be read"),
        (lambda t: t, lambda m: m | {b"drainstats": b'{"version": 99}'}, "of version 99"),
        (lambda t: t, lambda m: {}, "not written by LiquidityPanel.save"),
    ],
)
def test_what_was_changed_is_refused(tmp_path, change, metadata, message):
    path = COINS.save(tmp_path / "p.parquet")
    rewritten(path, change, metadata)
    with pytest.raises(DataError, match=message) as caught:
        LiquidityPanel.load(path)
    assert str(path) in str(caught.value)


def test_other_files_are_refused_with_a_sentence(tmp_path):
    path = COINS.save(tmp_path / "p.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        LiquidityPanel.load(path)
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(DataError):
        LiquidityPanel.load(path)
    (tmp_path / "a.csv").write_text("time,close\n")
    with pytest.raises(DataError, match="not a whole Parquet file"):
        LiquidityPanel.load(tmp_path / "a.csv")
    with pytest.raises(DataError, match="no such file"):
        LiquidityPanel.load(tmp_path / "nothing.parquet")


def test_what_cannot_be_saved_is_a_sentence_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = COINS.save(tmp_path / "p.parquet")
    whole = path.read_bytes()
    odd = LiquidityPanel.from_bars({"C": bars(COINS.index)}, provenance={"by": object()})
    with pytest.raises(DataError, match="A object stands in the provenance"):
        odd.save(path)
    named = LiquidityPanel.from_bars({"C": bars(COINS.index).assign(status=1.0)})
    with pytest.raises(DataError, match="A field is called 'status'"):
        named.save(path)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        SHARES.save(path)
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[ticks\]"):
        COINS.save(tmp_path / "p.parquet")


SAVE = """
import sys, numpy as np, pandas as pd
from drainstats.panel.panel import LiquidityPanel
index = pd.date_range("2020-01-01", periods=200_000, freq="min", tz="UTC")
rng = np.random.default_rng(0)
bars = {f"A{i}": pd.DataFrame({"close": rng.random(200_000)}, index=index) for i in range(20)}
panel = LiquidityPanel.from_bars(bars)
print("ready", flush=True)
while True:
    panel.save(sys.argv[1])
"""


def test_a_save_that_is_killed_leaves_the_last_good_file(tmp_path):
    path = COINS.save(tmp_path / "p.parquet")
    whole, spared = path.read_bytes(), 0
    for pause in (0.02, 0.1, 0.2, 0.3, 0.4):
        with subprocess.Popen([sys.executable, "-c", SAVE, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(pause)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        if path.read_bytes() == whole:
            spared += 1
            assert_identical(LiquidityPanel.load(path), COINS)
        else:
            assert LiquidityPanel.load(path).shape == (200_000, 20)
            path.write_bytes(whole)
    assert spared, "no child was killed before its first save was done"


def test_records_keep_types():
    value = {
        "at": pd.Timestamp("2020-01-01T00:00:00.000000001", tz="UTC"),
        "day": pd.Timestamp("2020-01-01"),
        "long": pd.Timedelta("90s"),
        "none": None,
        "nat": pd.NaT,
        "list": [1, 2.5, "ä", True],
        "numpy": np.float64(0.1),
    }
    assert loaded(dumped(value)) == value | {"nat": loaded(dumped(pd.NaT))}
    assert loaded(dumped(pd.NaT)) is pd.NaT
    assert loaded(dumped(pd.Timestamp("2020-01-01").as_unit("s"))).unit == "s"
