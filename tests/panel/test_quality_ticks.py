"""Faults planted among trades, quotes and levels: every rule finds its own; recorded markets keep theirs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.panel.quality.rules import rules
from drainstats.panel.quality.sizes import BENFORD, size_hints
from drainstats.panel.quality.ticks import outlying
from tests.panel.test_quality_bars import fired

ROWS = 4000


def market(seed=0, rows=ROWS, tick=0.01):
    """Quotes that move by ticks, and trades at them: half of the sizes round, taker's side known."""
    rng = np.random.default_rng(seed)
    time = pd.Timestamp("2024-03-01", tz="UTC") + pd.to_timedelta(np.cumsum(rng.exponential(0.5, 2 * rows)), unit="s")
    time = pd.DatetimeIndex(time).round("us")
    mid = 10_000 + np.cumsum(rng.integers(-1, 2, 2 * rows))
    half = rng.integers(1, 4, 2 * rows)
    bid, ask = (mid - half) * tick, (mid + half) * tick
    sizes = np.round(rng.lognormal(0, 1, (2, 2 * rows)), 3) + 0.001
    quotes = pd.DataFrame({"bid": bid, "bid_size": sizes[0], "ask": ask, "ask_size": sizes[1]}, index=time)
    at = np.arange(0, 2 * rows, 2)
    side = rng.choice([-1, 1], rows)
    amount = np.where(
        rng.random(rows) < 0.5,
        rng.choice([0.1, 0.2, 0.25, 0.5, 1.0, 2.0], rows),
        np.round(rng.lognormal(0, 1, rows), 3) + 0.001,
    )
    price = np.where(side > 0, ask[at], bid[at])
    trades = pd.DataFrame(
        {"price": price, "amount": amount, "side": side.astype(np.int8), "id": np.arange(rows) + 17},
        index=time[at] + pd.Timedelta("1us"),
    )
    return trades.rename_axis("time"), quotes.rename_axis("time")


TRADES, QUOTES = market()


def at(table, rows, **values):
    out = table.copy()
    for name, value in values.items():
        place = out.columns.get_loc(name)
        out.iloc[rows, place] = value
    return out


def late(table, row, seconds):
    stamps = table.index.to_series()
    stamps.iloc[row] -= pd.Timedelta(seconds=seconds)
    return table.set_axis(pd.DatetimeIndex(stamps))


def levels(seed=0):
    _, quotes = market(seed, rows=300)
    out = pd.DataFrame(index=quotes.index)
    for k in range(3):
        out[f"bid_{k}"], out[f"bid_size_{k}"] = quotes["bid"] - 0.01 * k, quotes["bid_size"]
        out[f"ask_{k}"], out[f"ask_size_{k}"] = quotes["ask"] + 0.01 * k, quotes["ask_size"]
    return out


def events():
    side = np.tile([1, -1], 100).astype(np.int8)
    table = pd.DataFrame(
        {"side": side, "price": 100 - 0.01 * side * np.arange(1, 201), "amount": 1.0, "snapshot": np.arange(200) < 50},
        index=QUOTES.index[:200],
    )
    table.attrs = {"rules": []}
    return table


def with_gap(table):
    out = table.copy()
    out.attrs = {"rules": ["book-gap"]}
    return out


PLANTED = [
    ("no-rows", lambda: TRADES.iloc[:0], "empty", None, None),
    ("event-stamps", lambda: TRADES.set_axis(pd.DatetimeIndex([pd.NaT, *TRADES.index[1:]])), "usable",
     "missing_stamps", 1),
    ("events-1970", lambda: QUOTES.set_axis(pd.to_datetime(QUOTES.index.as_unit("ms").asi8, unit="us", utc=True)),
     "poor", "stamps_1970", 1),
    ("events-future", lambda: QUOTES.set_axis(QUOTES.index + pd.Timedelta(days=365 * 100)), "poor", "stamps_future", 1),
    ("steps-back", lambda: late(QUOTES, 100, 60), "usable", "largest_step_back", None),
    ("steps-back", lambda: QUOTES.sample(frac=1, random_state=0), "poor", None, None),
    ("clock-ahead", lambda: QUOTES.assign(received=QUOTES.index - pd.Timedelta("5ms")), "usable", "clock_ahead", 1),
    ("repeated-ids", lambda: pd.concat([TRADES, TRADES.iloc[[9]]]).sort_index(kind="stable"), "usable", None, None),
    ("missing-ids", lambda: TRADES.drop(TRADES.index[100:104]), "usable", "id_gaps", 4 / ROWS),
    ("event-prices", lambda: at(TRADES, [3], price=0.0), "usable", "bad_prices", 1 / ROWS),
    ("event-prices", lambda: at(QUOTES, [3], bid=-1.0), "usable", None, None),
    ("event-amounts", lambda: at(TRADES, [3, 4], amount=0.0), "usable", "bad_amounts", 2 / ROWS),
    ("event-amounts", lambda: at(QUOTES, slice(0, 900), ask_size=0.0), "poor", None, None),
    ("outliers", lambda: at(TRADES, slice(0, None, 50), price=150.0), "usable", None, 80 / ROWS),
    ("crossed", lambda: at(QUOTES, [7], bid=QUOTES["ask"].iloc[7] + 0.01), "usable", "crossed", 0.5 / ROWS),
    ("locked", lambda: QUOTES.assign(ask=np.where(np.arange(2 * ROWS) % 10, QUOTES["ask"], QUOTES["bid"])), "usable",
     "locked", 0.1),
    ("one-sided", lambda: at(QUOTES, slice(0, 800), ask=np.nan), "usable", "one_sided", 0.1),
    ("level-disorder", lambda: at(levels(), [5], bid_2=levels()["bid_0"].iloc[5]), "poor", "level_disorder", 1 / 600),
    ("book-gap", lambda: with_gap(events()), "poor", "book_gap", 1),
    ("sides-against-ticks", lambda: TRADES.assign(side=-TRADES["side"]), "usable", None, None),
    ("sides-unknown", lambda: at(TRADES, slice(0, 3000), side=0), "usable", "unknown_side", 0.75),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "plant", "verdict", "column", "value"), PLANTED)
def test_a_planted_fault_is_found_and_no_other(rule, plant, verdict, column, value):
    row = ds.quality(plant()).iloc[0]
    assert row["verdict"] == verdict
    assert fired(row["why"]) == {rule}
    if column is not None and value is not None:
        assert row[column] == pytest.approx(value)


@pytest.mark.parametrize(
    ("rule", "plant"),
    [
        ("newest-first", lambda: QUOTES.iloc[::-1]),
        ("silence", lambda: QUOTES.drop(QUOTES.index[100:500])),
        ("repeated-rows", lambda: pd.concat([QUOTES, QUOTES.iloc[[9]]]).sort_index(kind="stable")),
        ("outliers", lambda: at(TRADES, [200], price=150.0)),
        ("wide-spreads", lambda: at(QUOTES, [7], bid=40.0)),
        ("locked", lambda: at(QUOTES, [7], bid=QUOTES["ask"].iloc[7])),
        ("one-sided", lambda: at(QUOTES, [7], ask=np.nan)),
        ("no-snapshot", lambda: events().assign(snapshot=False)),
        ("sides-unknown", lambda: at(TRADES, [7], side=0)),
        ("one-size", lambda: at(TRADES, slice(0, 3000), amount=0.777)),
        ("no-round-sizes", lambda: TRADES.assign(amount=np.random.default_rng(1).integers(20, 5000, ROWS) / 1000)),
    ],
)
def test_hints_change_no_verdict(rule, plant):
    row = ds.quality(plant()).iloc[0]
    assert row["verdict"] == "clean"
    # A price far from its neighbours is far below its bid too.
    assert fired(row["hints"]) <= {rule, "outliers"}
    assert rule in fired(row["hints"])


def test_clean_markets_stay_clean():
    for seed in range(20):
        trades, quotes = market(seed)
        for table, beside in ((trades, quotes), (quotes, None)):
            row = ds.quality(table, beside).iloc[0]
            assert (row["verdict"], row["hints"]) == ("clean", "")
    book = ds.quality({"levels": levels(), "events": events()})
    assert book["verdict"].tolist() == ["clean", "clean"]
    assert book.loc["levels", "levels"] == 3


def test_what_is_measured_is_what_was_planted():
    row = ds.quality(TRADES).loc["trades"]
    assert row[["rows", "decimals", "tick_size", "lot_size"]].tolist() == [ROWS, 2, 0.01, 0.001]
    assert row["resolution"] == pytest.approx(1e-6)
    assert (row["first"], row["last"]) == (TRADES.index[0], TRADES.index[-1])
    row = ds.quality(QUOTES.drop(QUOTES.index[100:500])).loc["quotes"]
    gap = (QUOTES.index[500] - QUOTES.index[99]).total_seconds()
    assert row["longest_gap"] == pytest.approx(gap)
    assert row["longest_gap_from"] == QUOTES.index[99]
    assert ds.quality(late(QUOTES, 100, 60)).iloc[0]["largest_step_back"] == pytest.approx(60, abs=5)


def test_trades_are_held_against_the_quotes_of_their_moment():
    row = ds.quality(TRADES, QUOTES).iloc[0]
    assert (row["verdict"], row["outside_quotes"], row["side_against_quotes"], row["quoted"]) == ("clean", 0, 0, 1)
    inverted = ds.quality(TRADES.assign(side=-TRADES["side"]), QUOTES).iloc[0]
    assert inverted["side_against_quotes"] == 1
    assert "sides-inverted" in fired(inverted["why"])
    elsewhere = ds.quality(TRADES.assign(price=TRADES["price"] * 1.02), QUOTES).iloc[0]
    assert elsewhere["outside_quotes"] == 1
    assert "outside-quotes" in fired(elsewhere["why"])
    assert np.isnan(elsewhere["side_against_quotes"])


def test_a_trade_and_a_quote_of_one_stamp_may_stand_in_either_order():
    # Each trade bears the stamp of the quote that follows from it.
    stamped = TRADES.set_axis(QUOTES.index[1::2])
    row = ds.quality(
        stamped.assign(price=np.where(TRADES["side"] > 0, QUOTES["ask"].iloc[::2], QUOTES["bid"].iloc[::2])), QUOTES
    ).iloc[0]
    assert row["outside_quotes"] == 0


def test_outlying_equals_a_slow_twin():
    rng = np.random.default_rng(6)
    price = 100 + np.cumsum(rng.normal(0, 0.05, 400))
    price[[60, 200]] += [5, -3]
    slow = []
    for i in range(400):
        window = list(range(max(i - 25, 0), min(i + 26, 400)))
        centre = {k: np.median(price[max(k - 25, 0) : k + 26]) for k in window}
        others = np.mean([abs(price[k] - centre[k]) for k in window if k != i])
        slow.append(abs(price[i] - centre[i]) > 10 * max(others, 1e-9 * centre[i]))
    fast = outlying(price, np.nan)
    assert np.array_equal(fast, np.array(slow))
    assert set(np.flatnonzero(fast)) == {60, 200}


def test_sizes_of_a_thousand_trades_or_more():
    rng = np.random.default_rng(0)
    # Amounts spread evenly over five decades on a log scale have Benford's digits; evenly spread amounts do not.
    even = size_hints(10 ** rng.uniform(-2, 3, 50_000), np.nan)
    assert even["benford_mad"] < 0.003
    pareto = size_hints(rng.pareto(1.5, 50_000) + 1, np.nan)
    assert pareto["pareto_tail"] == pytest.approx(1.5, abs=4 * 1.5 / np.sqrt(2500))
    assert size_hints(rng.integers(20, 10_000, 50_000) * 1.0, 1.0)["round_sizes"] == pytest.approx(1, abs=0.06)
    assert np.isnan(size_hints(rng.uniform(1, 9, 999), 1.0)["commonest_size"])
    assert np.isnan(size_hints(rng.uniform(1, 9, 9999), 1.0)["benford_mad"])  # no two decades
    exact = size_hints(np.tile([0.3, 0.6, 0.7, 30.0, 60.0, 70.0, 0.01], 1000), np.nan)
    assert exact["benford_mad"] == pytest.approx(np.abs(np.array([1, 0, 2, 0, 0, 2, 2, 0, 0]) / 7 - BENFORD).mean())


def test_tables_are_told_by_their_columns_and_named():
    both = pd.concat([TRADES.assign(asset="A"), TRADES.assign(asset="B")])
    assert ds.quality(both).index.tolist() == ["A", "B"]
    assert ds.quality(pl.from_pandas(QUOTES.reset_index())).index.tolist() == ["quotes"]
    bars = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=pd.date_range("2024-01-01", periods=3, tz="UTC"))
    assert ds.quality({"X": bars, "Y": bars}).index.tolist() == ["X", "Y"]
    assert ds.quality(ds.LiquidityPanel.from_bars({"X": bars})).index.tolist() == ["X"]
    as_book = ds.quality(TRADES.drop(columns="id"), kind="book")
    assert "outliers" not in as_book
    bands = pd.DataFrame(
        {f"{s}_depth_{k}": [1.0 * k, 2.0 * k] for s in ("bid", "ask") for k in (1, 2, 5)}, index=QUOTES.index[:2]
    )
    assert ds.quality(bands).iloc[0]["verdict"] == "clean"
    assert ds.quality(bands.assign(bid_depth_5=0.5)).iloc[0]["verdict"] == "poor"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ds.quality(3.0), DataError, "a float came|A table or array"),
        (lambda: ds.quality({}), DataError, "No table came"),
        (lambda: ds.quality({"t": TRADES, "q": QUOTES}), DataError, "several kinds came .t: trades, q: quotes"),
        (lambda: ds.quality(pd.DataFrame({"mood": [1.0]})), DataError, "has the columns mood"),
        (lambda: ds.quality(QUOTES, QUOTES), DataError, "Quotes are for trades"),
        (lambda: ds.quality({"A": TRADES, "B": TRADES}, {"A": QUOTES}), DataError, "no quotes of B"),
        (lambda: ds.quality(TRADES, TRADES), DataError, "lack bid or ask"),
        (lambda: ds.quality(TRADES, kind="flows"), OptionError, "'bars', 'trades', 'quotes', 'book'"),
    ],
)
def test_bad_input_is_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_inputs_are_not_changed():
    before = TRADES.copy()
    ds.quality(TRADES, QUOTES)
    pd.testing.assert_frame_equal(TRADES, before)


def test_every_rule_for_events_reads_a_column():
    trades = ds.quality(TRADES.assign(received=TRADES.index), QUOTES)
    quotes, book = ds.quality(QUOTES), ds.quality({"levels": levels(), "events": events()})
    for rule in rules():
        for kind, table in (("trades", trades), ("quotes", quotes), ("book", book)):
            if rule.tables == (kind,) or (kind in rule.tables and kind == "trades"):
                assert rule.column in table, (rule.name, kind)


@pytest.mark.reference
def test_recorded_markets(data_root):
    folder = data_root / "data" / "binance-l2-stream-202408"
    for name, against in (("usdm__btcusdt", 0.002), ("usdm__ethusdt", 0.001)):
        path = folder / f"{name}_20240808.gz"
        row = ds.quality(ds.read_trades(path), ds.read_quotes(path)).iloc[0]
        # The recorder's clock was 1.27 s behind the exchange's; its sides are right.
        assert fired(row["why"]) == {"clock-ahead"}
        assert row["delay_median"] == pytest.approx(-1.268, abs=0.002)
        assert row["side_against_quotes"] < against
        assert row["side_tick_agreement"] > 0.9
    path = folder / "spot__ethusdt_20240808.gz"
    spot = ds.quality(ds.read_trades(path), ds.read_quotes(path)).iloc[0]
    # Trades bear the exchange's stamp, quotes the recorder's: they cannot be joined.
    assert {"clock-ahead", "outside-quotes"} <= fired(spot["why"])
    assert "sides-inverted" not in fired(spot["why"])
    folder = data_root / "data" / "lobster-amzn-20120621-l1"
    name = "AMZN_2012-06-21_34200000_57600000_"
    trades, book = ds.read_trades(folder / f"{name}message_1.csv"), ds.read_book(folder / f"{name}orderbook_1.csv")
    row = ds.quality(trades, book.rename(columns={"bid_0": "bid", "ask_0": "ask"})).iloc[0]
    assert row["verdict"] == "clean"
    assert row[["tick_size", "lot_size"]].tolist() == [0.01, 1.0]
    assert row["side_against_quotes"] == 0
    assert ds.quality(book).iloc[0]["verdict"] == "clean"
