"""Tickers that changed hands: one series, two assets."""

from __future__ import annotations

import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.symbols import checked
from tests.panel.test_clocks import bars, rules

DAYS = pd.date_range("2022-05-01", "2022-06-10", tz="UTC")
TERRA = pd.DataFrame(
    {
        "raw": ["LUNAUSDT", "LUNAUSDT"],
        "asset": ["LUNC", "LUNA2"],
        "base": ["LUNC", "LUNA"],
        "quote": "USDT",
        "valid_from": [None, "2022-05-31"],
        "valid_to": ["2022-05-13", None],
    }
)


def terra(**options):
    return LiquidityPanel.from_bars({"LUNAUSDT": bars(DAYS), "BTCUSDT": bars(DAYS)}, symbols=TERRA, **options)


def test_a_reused_ticker_becomes_two_assets():
    panel = terra()
    assert panel.assets == ["LUNC", "LUNA2", "BTCUSDT"]
    raw = bars(DAYS)["close"]
    assert panel["close"]["LUNC"].dropna().tolist() == raw.loc[:"2022-05-12"].tolist()
    assert panel["close"]["LUNA2"].dropna().tolist() == raw.loc["2022-05-31":].tolist()
    states = panel.states()
    assert states.loc["LUNC"].to_dict() == {"traded": 12, "delisted": 29, "not yet listed": 0}
    assert states.loc["LUNA2"].to_dict() == {"traded": 11, "delisted": 0, "not yet listed": 30}
    assert panel.asset_table.loc["LUNA2", ["base", "quote"]].tolist() == ["LUNA", "USDT"]
    assert panel.asset_table.loc["BTCUSDT", "base"] == "BTCUSDT"


def test_rows_that_belong_to_nobody_are_in_the_ledger():
    entry = terra().ledger.set_index("rule").loc["outside-validity"]
    assert (entry["asset"], entry["rows"], entry["first"]) == ("LUNAUSDT", 18, DAYS[12])


def test_a_renamed_asset_is_one_series():
    table = pd.DataFrame(
        {"raw": ["FB", "META"], "asset": "META", "valid_from": [None, "2022-05-20"], "valid_to": ["2022-05-20", None]}
    )
    old, new = bars(DAYS), bars(DAYS, start=1000.0).assign(trades=3.0)
    panel = LiquidityPanel.from_bars({"FB": old, "META": new}, symbols=table)
    assert panel.assets == ["META"]
    assert panel["close"]["META"].tolist() == [*old["close"].iloc[:19], *new["close"].iloc[19:]]
    assert panel["trades"]["META"].isna().sum() == 19
    assert panel.states().loc["META"].to_dict() == {"traded": 41}


def test_from_long_and_venues():
    table = pd.concat([TERRA.assign(venue="binance"), TERRA.assign(venue="kraken", asset=["old", "new"])])
    with pytest.raises(DataError, match="Several venues use the ticker 'LUNAUSDT' \\(binance, kraken\\)"):
        LiquidityPanel.from_bars({"LUNAUSDT": bars(DAYS)}, symbols=table)
    tidy = bars(DAYS).reset_index(names="time").assign(asset="kraken:LUNAUSDT")
    panel = LiquidityPanel.from_long(tidy, symbols=table)
    assert panel.assets == ["old", "new"]
    assert set(panel.asset_table["venue"]) == {"kraken"}
    assert panel.select(venue="kraken").assets == ["old", "new"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="raw"), "lacks the column 'raw'"),
        (lambda t: t.assign(valid_to=["2022-06-01", None]), "to 'LUNC' and 'LUNA2' at the same time"),
        (lambda t: t.assign(valid_to=None), "at the same time"),
        (lambda t: t.assign(asset="LUNA"), "two stretches of 'LUNA' that do not meet \\(2022-05-13 and 2022-05-31\\)"),
        (lambda t: t.assign(valid_to=["2022-05-13", "2022-05-30"]), "ends 'LUNA2'"),
        (
            lambda t: t.assign(valid_from=["2030-01-01", "2040-01-01"], valid_to=["2031-01-01", None]),
            "no row of the data",
        ),
    ],
)
def test_tables_that_contradict_themselves_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        LiquidityPanel.from_bars({"LUNAUSDT": bars(DAYS)}, symbols=change(TERRA))


def test_pieces_of_an_asset_may_come_from_two_venues():
    table = pd.DataFrame({"raw": ["A", "B"], "venue": ["x", "y"], "asset": "Z"})
    table = table.assign(valid_from=[None, "2022-05-20"], valid_to=["2022-05-20", None])
    panel = LiquidityPanel.from_bars({"A": bars(DAYS), "B": bars(DAYS)}, symbols=table)
    assert panel.shape == (41, 1)
    assert panel.asset_table.at["Z", "venue"] == "y", "the last row of the table describes it"


def test_a_series_that_bears_the_name_of_an_asset_must_not_overlap_it():
    with pytest.raises(DataError, match="Two series claim rows of 'LUNC'"):
        LiquidityPanel.from_bars({"LUNAUSDT": bars(DAYS), "LUNC": bars(DAYS)}, symbols=TERRA)


def test_the_multiplier_is_recorded_and_not_applied():
    table = pd.DataFrame({"raw": ["1000PEPE"], "asset": ["PEPE"], "multiplier": [1000]})
    panel = LiquidityPanel.from_bars({"1000PEPE": bars(DAYS)}, symbols=table)
    assert panel.asset_table.at["PEPE", "multiplier"] == 1000.0
    assert panel["close"]["PEPE"].iloc[0] == 10.0


def test_the_bundled_list_is_sound_and_every_row_has_a_source():
    table = ds.reused_symbols()
    pd.testing.assert_frame_equal(checked(table), table)
    assert table["source"].str.len().gt(20).all()
    assert (table.groupby(["venue", "raw"])["asset"].nunique() > 1).all()


def test_states_of_the_symbol_table_are_not_lost_by_other_rules():
    assert "traded-outside-listing" not in rules(terra())
