"""The panel: assembly, cleaning ledger, clocks, joins, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from drainstats.causal import CAUSAL, NOT_CAUSAL
from drainstats.errors import DataError, MissingExtraError, OptionError
from drainstats.panel.align import Clock
from drainstats.panel.panel import LiquidityPanel

DAYS = pd.date_range("2020-03-06", periods=6, tz="UTC")


def bars(index=DAYS, start=10.0):
    close = start + np.arange(len(index), dtype=float)
    return pd.DataFrame(
        {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0}, index=index
    )


def rules(panel):
    return panel.ledger.set_index("rule")["rows"].to_dict()


def test_fields_are_time_by_asset_and_copies():
    panel = LiquidityPanel.from_bars({"A": bars(), "B": bars(DAYS[2:])})
    assert panel["close"].shape == (6, 2)
    assert panel["close"]["B"].isna().sum() == 2
    table = panel["close"]
    table.iloc[0, 0] = -1
    assert panel["close"].iloc[0, 0] == 10.0
    assert panel["dollar_volume"].loc[DAYS[3], "A"] == 65.0
    assert panel.clock.name == "utc_day"
    assert "2 assets × 6 rows" in repr(panel)
    with pytest.raises(OptionError, match="no field 'spread'"):
        panel["spread"]


def test_from_long_equals_from_bars_and_takes_polars():
    panel = LiquidityPanel.from_bars({"A": bars(), "B": bars(DAYS[2:], 20)})
    tidy = panel.to_long().assign(venue="x")
    for frame in (tidy, pl.from_pandas(tidy), tidy.set_index("time")):
        again = LiquidityPanel.from_long(frame)
        pd.testing.assert_frame_equal(again["close"], panel["close"], check_freq=False, check_index_type=False)
        assert list(again.asset_table["venue"]) == ["x", "x"]


def test_to_xarray_keeps_numbers_states_and_what_is_known_of_the_assets():
    table = bars()
    table.iloc[1, table.columns.get_loc("volume")] = 0.0
    about = pd.DataFrame({"venue": ["x", "y"]}, index=["A", "B"])
    panel = LiquidityPanel.from_bars({"A": bars(DAYS[2:]), "B": table}, assets=about, provenance={"from": "test"})
    data = panel.to_xarray()
    assert data["close"].sel(asset="B").values.tolist() == panel["close"]["B"].tolist()
    assert data["volume"].attrs["units"] == "base units"
    assert data["status"].sel(asset="B").values.tolist() == [1, 2, 1, 1, 1, 1]
    assert data["status"].attrs["flag_meanings"].split()[:3] == ["traded", "no_trade", "stale"]
    assert data["status"].attrs["flag_values"].tolist() == list(range(1, 11))
    known = data["available_at"]
    assert np.isnat(known.sel(asset="A").values).tolist() == [True, True, False, False, False, False]
    assert known.sel(asset="B").values[0] == np.datetime64("2020-03-07")
    assert data["venue"].values.tolist() == ["x", "y"]
    assert data["end"].values[0] == np.datetime64("2020-03-07")
    assert data.attrs["clock"] == "utc_day"
    assert '"from": "test"' in data.attrs["provenance"]
    assert data.sel(asset=data["venue"] == "y")["close"].shape == (6, 1)


def test_to_xarray_takes_the_dates_of_a_symbol_table():
    symbols = pd.DataFrame({"raw": ["A"], "asset": ["Z"], "valid_from": ["2020-03-07"], "multiplier": [10]})
    data = LiquidityPanel.from_bars({"A": bars()}, symbols=symbols).to_xarray()
    assert data["valid_from"].values[0] == np.datetime64("2020-03-07")
    assert data["multiplier"].values[0] == 10.0


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(MissingExtraError, match=r"drainstats\[arrays\]"):
        LiquidityPanel.from_bars({"A": bars(), "B": bars()}).to_xarray()


def test_a_day_is_known_when_it_ends():
    panel = LiquidityPanel.from_bars({"A": bars()}, delay="2h")
    assert panel.available_at.loc["2020-03-06"] == pd.Timestamp("2020-03-07T02:00Z")
    assert panel.known_at(0) == pd.Timestamp("2020-03-07T02:00Z")


def test_a_session_is_known_at_its_close_in_summer_and_winter():
    panel = LiquidityPanel.from_bars({"S": bars(DAYS[[0, 3]])}, clock="session:XNYS")
    assert list(panel.available_at.dt.hour) == [21, 20]  # clocks went forward on Sunday 8 March 2020


def test_a_session_clock_reads_intraday_stamps_as_their_new_york_date():
    opens = pd.DatetimeIndex(["2020-03-06T14:30Z", "2020-03-09T13:30Z"])
    panel = LiquidityPanel.from_bars({"S": bars(opens)}, clock="session:XNYS")
    assert [f"{d:%Y-%m-%d}" for d in panel.index] == ["2020-03-06", "2020-03-09"]


@pytest.mark.parametrize(
    ("freq", "name"),
    [("h", "utc_hour"), ("15min", "utc_15min"), ("D", "utc_day"), ("min", "utc_min"), ("5s", "utc_5s")],
)
def test_the_clock_is_inferred(freq, name):
    index = pd.date_range("2024-01-01", periods=50, freq=freq, tz="UTC")
    panel = LiquidityPanel.from_bars({"A": bars(index)})
    assert panel.clock.name == name
    assert panel.available_at.iloc[0] == index[1]


def test_unknown_clocks_list_the_known():
    with pytest.raises(OptionError, match="session:XNYS"):
        Clock.named("lunar")


def test_join_on_the_day_puts_a_session_in_its_day():
    crypto = LiquidityPanel.from_bars({"C": bars()})
    shares = LiquidityPanel.from_bars({"S": bars(DAYS[[0, 3, 4, 5]])}, clock="session:XNYS")
    both = crypto.join(shares)
    assert list(both["close"]["S"].dropna().index) == list(DAYS[[0, 3, 4, 5]])
    assert both.available.loc[DAYS[0], "S"] < both.available.loc[DAYS[0], "C"]
    assert both.available_at.loc[DAYS[0]] == DAYS[1]
    assert list(both.asset_table["clock"]) == ["utc_day", "session:XNYS"]


def test_join_on_the_session_takes_only_what_was_known_at_the_close():
    crypto = LiquidityPanel.from_bars({"C": bars()})
    shares = LiquidityPanel.from_bars({"S": bars(DAYS[[0, 3, 4, 5]])}, clock="session:XNYS")
    both = shares.join(crypto)
    monday = both["high"].loc[DAYS[3], "C"]
    assert (
        monday == crypto["high"].loc[DAYS[0:3], "C"].max()
    )  # Friday's bar ends after Friday's close, Monday's after Monday's
    assert both["volume"].loc[DAYS[3], "C"] == 15.0
    assert np.isnan(both["close"].loc[DAYS[0], "C"])
    assert {"several-bars-in-row", "after-last-row"} <= set(both.ledger["rule"])
    ends = shares.available_at
    assert (both.available["C"].dropna() <= ends.reindex(both.available["C"].dropna().index)).all()


def test_join_does_not_accumulate_what_came_before_the_first_row():
    crypto = LiquidityPanel.from_bars({"C": bars(pd.date_range("2020-01-01", "2020-03-11", tz="UTC"))})
    shares = LiquidityPanel.from_bars({"S": bars(DAYS[[0, 3]])}, clock="session:XNYS")
    both = shares.join(crypto)
    assert both["volume"].loc[DAYS[0], "C"] == 5.0
    assert rules(both)["before-first-row"] == 64


def test_join_refuses_twins_and_unknown_sessions():
    crypto = LiquidityPanel.from_bars({"C": bars()})
    with pytest.raises(DataError, match="'C' stands in both"):
        crypto.join(crypto)
    with pytest.raises(OptionError, match="no calendar 'XMOON'"):
        crypto.join(LiquidityPanel.from_bars({"D": bars()}), clock="session:XMOON")


def test_window_select_and_cut():
    panel = LiquidityPanel.from_bars(
        {"A": bars(), "B": bars()}, assets=pd.DataFrame({"venue": ["x", "y"]}, index=["A", "B"])
    )
    assert len(panel.window("2020-03-07", "2020-03-08").index) == 2
    assert panel.select(venue="y").assets == ["B"]
    assert panel.select("A").assets == ["A"]
    assert len(panel.cut(2).index) == 2
    for bad in ({"assets": "Z"}, {"colour": "red"}, {"venue": "nowhere"}):
        with pytest.raises(OptionError):
            panel.select(**bad)


def test_disturbing_the_future_keeps_the_past():
    panel = LiquidityPanel.from_bars({"A": bars(), "B": bars()})
    for how in ("nan", "permute", "scale"):
        changed = panel.disturbed(3, how, seed=0)
        assert changed["close"].iloc[:3].equals(panel["close"].iloc[:3])
        assert not changed["close"].iloc[3:].equals(panel["close"].iloc[3:])


@pytest.mark.parametrize(
    ("spoil", "rule", "rows"),
    [
        (lambda f: f.iloc[[2, 0, 1]], "sorted", 1),
        (lambda f: pd.concat([f, f.iloc[[1]]]).sort_index(), "duplicate-identical", 1),
        (lambda f: pd.concat([f, f.iloc[[1]] * 2]).sort_index(kind="stable"), "duplicate-last", 1),
        (lambda f: f.tz_localize(None), "naive-as-utc", 6),
        (lambda f: f.replace(12.0, -12.0), "price-not-positive", 3),
        (lambda f: f.replace(12.0, np.inf), "infinite-to-missing", 3),
        (lambda f: f.assign(high=f["low"] - 1), "high-below-low", 6),
        (lambda f: f.assign(volume=[-1.0, 1, 1, 1, 1, 1]), "negative-volume", 1),
        (lambda f: f.set_axis([*f.index[:5], pd.NaT]), "missing-stamp", 1),
    ],
)
def test_repairs_are_rows_of_the_ledger(spoil, rule, rows):
    panel = LiquidityPanel.from_bars({"A": spoil(bars()), "B": bars()}, clock="utc_day")
    entry = panel.ledger[(panel.ledger["asset"] == "A") & (panel.ledger["rule"] == rule)]
    assert entry["rows"].tolist() == [rows]
    quality = panel.quality()
    assert quality.loc["A", f"rule:{rule}"] == rows
    assert quality.loc["B", f"rule:{rule}"] == 0


def test_duplicates_keep_the_later_row():
    twice = pd.concat([bars().iloc[[0]], bars().iloc[[0]] * 3, bars().iloc[1:]])
    assert LiquidityPanel.from_bars({"A": twice})["close"].iloc[0, 0] == 30.0


def test_inputs_are_not_changed():
    frame = bars().replace(12.0, -12.0)
    before = frame.copy()
    LiquidityPanel.from_bars({"A": frame})
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (bars().iloc[:0], "no rows"),
        (pd.DataFrame(index=DAYS), "no columns"),
        (bars().astype(object).replace(12.0, "twelve"), "'twelve' is not a number"),
        (bars().set_axis(range(6)), "plain numbers"),
        (
            bars().set_axis(["2020-01-01T00:00+01:00", "2020-01-02T00:00Z", *(f"2020-01-0{d}" for d in range(3, 7))]),
            "time zone",
        ),
        (3.0, "A table or array was expected"),
    ],
)
def test_bad_tables_are_sentences(table, message):
    with pytest.raises(DataError, match=message):
        LiquidityPanel.from_bars({"A": table})


def test_text_names_row_and_column():
    with pytest.raises(DataError) as caught:
        LiquidityPanel.from_bars({"A": bars().astype(object).replace(12.0, "twelve")})
    assert caught.value.column == "open"
    assert caught.value.row == DAYS[2]


def test_no_assets_and_missing_columns():
    with pytest.raises(DataError, match="No assets"):
        LiquidityPanel.from_bars({})
    with pytest.raises(DataError, match="lacks the column 'asset'"):
        LiquidityPanel.from_long(bars().reset_index(names="time"))
    with pytest.raises(DataError, match="no rows"):
        LiquidityPanel.from_long(pd.DataFrame({"time": [], "asset": [], "close": []}))


def test_an_asset_without_a_value_is_reported_not_dropped():
    empty = bars() * np.nan
    panel = LiquidityPanel.from_bars({"A": bars(), "N": empty})
    assert panel.assets == ["A", "N"]
    assert panel.quality().loc["N", "verdict"] == "empty"


def test_quality_counts_faults():
    frame = bars(pd.date_range("2020-01-01", periods=40, tz="UTC"))
    frame.iloc[10, frame.columns.get_loc("close")] = 500.0
    frame.iloc[20, frame.columns.get_loc("volume")] = 0.0
    quality = LiquidityPanel.from_bars({"A": frame.drop(frame.index[[5, 6]]), "B": frame.iloc[:20:4]}).quality()
    row = quality.loc["A"]
    assert (row["missing"], row["longest_gap"], row["ohlc_violations"], row["zero_volume"]) == (2, 3, 1, 1)
    assert row["verdict"] == "usable"
    assert quality.loc["B", "verdict"] == "poor"
    assert "coverage" in quality.loc["B", "why"]


def test_nothing_that_makes_a_new_panel_changes_the_old_one(tmp_path):
    about = pd.DataFrame({"base": ["X", "E"], "quote": ["E", "USD"]}, index=["A", "B"])
    panel = LiquidityPanel.from_bars({"A": bars(DAYS.delete(2)), "B": bars()}, assets=about)
    other = LiquidityPanel.from_bars({"C": bars(DAYS[[0, 3, 4, 5]])}, clock="session:XNYS")
    tables = {**panel.fields, "available": panel.available, "status": panel.status, "assets": panel.asset_table}
    before = {name: table.copy(deep=True) for name, table in tables.items()}
    split = pd.DataFrame({"asset": ["A"], "ex_date": ["2020-03-09"], "kind": ["split"], "value": [2.0]})
    for change in (
        lambda p: p.join(other, clock="union"),
        lambda p: p.join(other, clock="session:XNYS"),
        lambda p: p.resample("utc_2day", incomplete="drop"),
        lambda p: p.carry("3D"),
        lambda p: p.mark(listed=pd.DataFrame({"asset": ["A"], "valid_from": [DAYS[3]], "valid_to": [None]})),
        lambda p: p.adjust(split),
        lambda p: p.convert("USD", {"E": "B"}),
        lambda p: p.save(tmp_path / "p.parquet"),
    ):
        change(panel)
        for name, table in tables.items():
            pd.testing.assert_frame_equal(table, before[name])


def test_every_method_that_changes_rows_or_values_is_listed_as_causal_or_not():
    listed = {name.removeprefix("LiquidityPanel.") for name in (*CAUSAL, *NOT_CAUSAL)}
    views = {
        "from_bars", "from_long", "load", "save", "window", "select", "cut", "known_at", "disturbed", "states", "where",
        "to_long", "to_xarray",
    }  # fmt: skip
    methods = {n for n in dir(LiquidityPanel) if not n.startswith("_") and callable(getattr(LiquidityPanel, n))}
    assert methods - listed - views == set()
