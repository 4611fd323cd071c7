"""Faults planted at known rows: every rule finds its own and no other, and clean markets stay clean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.panel.panel import LiquidityPanel
from drainstats.panel.quality.rules import judge, rules
from drainstats.panel.quality.stack import Stack

PRICES = ["open", "high", "low", "close"]


def clean_bars(rng, rows=500, start="2018-01-01", price=100.0, tick=0.01, freq="D", steps=24, volatility=0.02):
    """Bars of a market with volatility that clusters, fat tails, a tick, and volume that rises with the range."""
    log_vol = np.empty(rows)
    log_vol[0] = 0.0
    for t in range(1, rows):
        log_vol[t] = 0.95 * log_vol[t - 1] + rng.normal(0, 0.15)
    moves = rng.standard_t(5, (rows, steps)) * np.sqrt(3 / 5) * volatility * np.exp(log_vol)[:, None] / np.sqrt(steps)
    path = price * np.exp(np.cumsum(moves.ravel())).reshape(rows, steps)
    path = np.maximum(np.round(path / tick), 1) * tick
    opened = np.concatenate([[price], path[:-1, -1]])
    inside = np.column_stack([opened, path])
    high, low, close = inside.max(axis=1), inside.min(axis=1), path[:, -1]
    # A market prints at least one tick of range.
    high = np.where(high == low, high + tick, high)
    volume = np.round(1e5 * np.exp(log_vol + rng.normal(0, 0.4, rows)) * (high / low - 1) / 0.02, 2) + 0.01
    frame = pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": volume})
    frame[PRICES] = frame[PRICES].round(10)
    frame.index = pd.date_range(start, periods=rows, freq=freq, tz="UTC")
    return frame.assign(dollar_volume=volume * (high + low) / 2)


def edit(frame, rows, **values):
    out = frame.copy()
    for name, value in values.items():
        at = out.columns.get_loc(name)
        out.iloc[rows, at] = value(out.iloc[rows, at]) if callable(value) else value
    return out


def scaled(frame, rows, prices=1.0, volume=1.0):
    out = frame.copy()
    out.iloc[rows, [out.columns.get_loc(c) for c in PRICES]] *= prices
    out.iloc[rows, out.columns.get_loc("volume")] *= volume
    return out


def filled(frame, rows):
    out = frame.copy()
    for row in rows:
        close = out["close"].iloc[row - 1]
        out.iloc[row, :4] = close
    return out


def cut_and_moved(frame, first, last, factor):
    out = scaled(frame, slice(last, None), factor)
    return out.drop(out.index[first:last])


def spiked(frame, row, factor):
    """One close that nobody paid, inside a bar that holds it."""
    out = frame.copy()
    out.iloc[row, out.columns.get_loc("close")] *= factor
    out.iloc[row, out.columns.get_loc("high" if factor > 1 else "low")] = out["close"].iloc[row]
    return out


def copied(frame, rows):
    out = frame.copy()
    for row in rows:
        out.iloc[row] = out.iloc[row - 1]
    return out


def unadjusted(frame, row, ratio):
    """Before the split prices stand higher and volumes lower."""
    out = frame.copy()
    out.iloc[:row, :4] *= ratio
    out.iloc[:row, 4] /= ratio
    # The first bar after it opens near the new price, as no bar before it trades there.
    out.iloc[row, 0] = np.round(out["open"].iloc[row], 2)
    return out


def dead(frame, row):
    out = frame.copy()
    out.iloc[row:, :4] = out["close"].iloc[row - 1]
    out.iloc[row:, 4:] = 0.0
    return out


# rule, what is planted, verdict, column of the table and what it must hold.
PLANTED = [
    ("stamps-1970", lambda f: f.set_axis(pd.to_datetime(f.index.as_unit("s").asi8, unit="ms", utc=True)), "poor",
     None, None),
    ("stamps-future", lambda f: f.set_axis(f.index + pd.Timedelta(days=365 * 100)), "poor", "stamps_future", 1.0),
    ("no-stamp", lambda f: f.set_axis(pd.DatetimeIndex([*f.index[:-1], pd.NaT])), "usable", "missing_stamp", 1),
    ("coverage", lambda f: f.drop(f.index[5:495:3]), "poor", "missing", 164),
    ("gaps", lambda f: f.drop(f.index[[50, 51, 200]]), "usable", "missing", 3),
    ("long-gap", lambda f: f.drop(f.index[100:130]), "usable", "longest_gap", 31),
    ("duplicates", lambda f: pd.concat([f, f.iloc[[7, 9]]]).sort_index(), "usable", "duplicates", 2),
    ("duplicates", lambda f: pd.concat([f, f.iloc[:100] * 1.01]).sort_index(kind="stable"), "poor", "duplicates", 100),
    ("not-positive", lambda f: edit(f, [3, 4], open=0.0), "usable", "not_positive", 2),
    ("not-positive", lambda f: edit(f, slice(0, 60), open=0.0), "poor", "not_positive", 60),
    ("high-below-low", lambda f: edit(f, [30], high=1e-3), "usable", "high_below_low", 1),
    ("infinite", lambda f: edit(f, [30], volume=np.inf), "usable", "infinite", 1),
    ("negative-volume", lambda f: edit(f, [30], volume=-5.0), "usable", "negative_volume", 1),
    ("ohlc", lambda f: edit(f, [10, 11], open=f["high"].iloc[10:12] * 1.02), "usable", "ohlc_violations", 2),
    ("stale", lambda f: filled(f, range(100, 150)), "usable", None, None),
    ("copied", lambda f: copied(f, [100, 101]), "usable", "copied_bars", 2),
    ("spike", lambda f: spiked(f, 250, 10.0), "usable", "spikes", 1),
    ("spike", lambda f: spiked(f, 250, 0.1), "usable", "spikes", 1),
    ("spike", lambda f: edit(f, [250], open=2 * f["close"].iloc[249], high=2 * f["close"].iloc[249]), "usable",
     "spikes", 1),
    ("reused-ticker", lambda f: cut_and_moved(f, 200, 260, 20.0), "poor", "reused", 1),
    ("price-break", lambda f: scaled(f, slice(300, None), 1000.0), "poor", "price_breaks", 1),
    ("price-break", lambda f: scaled(f, slice(300, None), 0.001), "poor", "price_breaks", 1),
    ("split", lambda f: unadjusted(f, 300, 4.0), "usable", "splits", 1),
    ("dead", lambda f: dead(f, 300), "dead", "dead_rows", 200),
    ("silent-start", lambda f: edit(f, slice(0, 100), volume=0.0, dollar_volume=0.0), "usable", "silent_start", 100),
    ("no-volume", lambda f: f.assign(volume=0.0, dollar_volume=0.0), "usable", "no_volume", 1),
    ("zero-volume", lambda f: edit(f, [20, 40, 60], volume=0.0, dollar_volume=0.0), "usable", "zero_volume", 3),
    ("volume-missing", lambda f: edit(f, [20, 40], volume=np.nan, dollar_volume=np.nan), "usable", None, None),
    ("volume-break", lambda f: scaled(f, slice(300, None), volume=1000.0), "usable", None, None),
    ("dollars-equal-base", lambda f: f.assign(dollar_volume=f["volume"]), "poor", "dollars_equal_base", 1.0),
    ("dollars-swapped", lambda f: f.assign(volume=f["dollar_volume"], dollar_volume=f["volume"]), "poor",
     "dollars_base_swapped", 1.0),
    ("dollars-outside", lambda f: f.assign(dollar_volume=1000 * f["dollar_volume"]), "poor", "dollars_outside", 1.0),
]  # fmt: skip
# What follows from the fault itself: lost prices leave rows without them, a lost volume a row without it.
COMPANIONS = {
    "not-positive": {"price-missing"}, "high-below-low": {"price-missing"}, "infinite": {"volume-missing"},
    "negative-volume": {"volume-missing"}, "coverage": {"gaps"}, "long-gap": {"gaps"}, "reused-ticker": {"gaps",
     "long-gap"},
    "stamps-1970": {"coverage", "gaps"},
}  # fmt: skip


def fired(text):
    return {part.partition(":")[0] for part in text.split("; ") if part}


@pytest.mark.parametrize(("rule", "plant", "verdict", "column", "value"), PLANTED)
def test_a_planted_fault_is_found_and_no_other(rule, plant, verdict, column, value):
    if rule == "stamps-1970":
        frame, clock = clean_bars(np.random.default_rng(3), freq="h"), "utc_s"
    else:
        frame, clock = clean_bars(np.random.default_rng(3)), "utc_day"
    if not rule.startswith(("dollars", "silent", "no-volume", "volume-missing", "zero")):
        frame = frame.drop(columns="dollar_volume")  # a changed price no longer fits it
    row = LiquidityPanel.from_bars({"A": plant(frame)}, clock).quality().loc["A"]
    assert row["verdict"] == verdict
    assert rule in fired(row["why"])
    assert fired(row["why"]) <= {rule} | COMPANIONS.get(rule, set())
    if column is not None:
        assert row[column] == value


def test_places_are_named():
    frame = clean_bars(np.random.default_rng(3))
    quality = LiquidityPanel.from_bars(
        {
            "gap": frame.drop(frame.index[100:130]),
            "spike": spiked(frame, 250, 10.0),
            "break": scaled(frame, slice(300, None), 1000.0),
            "split": unadjusted(frame, 310, 4.0),
            "dead": dead(frame, 320),
            "late": edit(frame, slice(0, 100), volume=0.0),
            "units": scaled(frame, slice(330, None), volume=1000.0),
        },
        "utc_day",
    ).quality()
    found = {
        "gap": ("longest_gap_from", 99), "spike": ("spike_at", 250), "break": ("break_at", 300), "split": ("split_at",
         310),
        "dead": ("dead_since", 320), "late": ("volume_since", 100), "units": ("volume_break_at", 330),
    }  # fmt: skip
    for asset, (column, row) in found.items():
        assert quality.loc[asset, column] == frame.index[row], asset
        assert f"{frame.index[row]:%Y-%m-%d}" in quality.loc[asset, "why"]


@pytest.mark.parametrize(
    ("rule", "plant"),
    [
        ("jumps", lambda f: scaled(f, slice(250, None), 2.5)),
        ("wicks", lambda f: edit(f, [250], high=lambda x: 20 * x)),
        ("off-grid", lambda f: scaled(f, slice(None), np.pi)),
        ("coarse-tick", lambda f: f),
        ("tick-change", lambda f: f.assign(**{c: np.where(np.arange(len(f)) < 400, f[c].round(0),
         f[c]) for c in PRICES})),
        ("volume-detached", lambda f: f.assign(volume=np.random.default_rng(9).lognormal(10, 1, len(f)))),
        ("disorder", lambda f: f.iloc[::-1]),
        ("merged", lambda f: pd.concat([f, f.iloc[[5]].set_axis(f.index[[5]] + pd.Timedelta("1h"))]).sort_index()),
    ],
)  # fmt: skip
def test_hints_change_no_verdict(rule, plant):
    rows = 800 if rule == "tick-change" else 500
    options = {"rows": rows} | ({"price": 1.0, "tick": 0.01} if rule == "coarse-tick" else {})
    frame = plant(clean_bars(np.random.default_rng(3), **options).drop(columns="dollar_volume"))
    row = (
        LiquidityPanel.from_bars({"A": frame.drop(columns="dollar_volume", errors="ignore")}, "utc_day")
        .quality()
        .loc["A"]
    )
    assert rule in fired(row["hints"])
    assert rule not in fired(row["why"])
    if rule not in ("jumps", "wicks"):
        assert row["verdict"] == "clean"


def test_a_crash_that_markets_trade_through_is_no_fault():
    # A third lost in a day, traded all the way down, and a death spiral by 99 % within a bar: open at the last close.
    frame = clean_bars(np.random.default_rng(3)).drop(columns="dollar_volume")
    for factor in (0.6, 0.01):
        fallen = scaled(frame, slice(300, None), factor)
        fallen.iloc[300, 0] = frame["close"].iloc[299]
        fallen.iloc[300, 1] = max(frame["close"].iloc[299], fallen["high"].iloc[300])
        row = LiquidityPanel.from_bars({"A": fallen}, "utc_day").quality().loc["A"]
        assert row["verdict"] == "clean", row["why"]
        assert "jumps" in fired(row["hints"])


@pytest.mark.slow
def test_clean_markets_stay_clean():
    rng = np.random.default_rng(0)
    bars = {}
    for number in range(300):
        bars[f"D{number}"] = clean_bars(
            rng, rows=1500, price=10 ** rng.uniform(-1, 4), tick=10.0 ** -rng.integers(2, 6)
        )
    quality = LiquidityPanel.from_bars(bars, "utc_day").quality()
    # 300 markets of six years: a verdict other than clean in at most 1 % of them. Coarse ticks make bars without range.
    assert (quality["verdict"] != "clean").mean() <= 0.01, quality.loc[quality["verdict"] != "clean", "why"].tolist()


def test_every_rule_reads_a_column_and_says_what_to_do():
    frame = clean_bars(np.random.default_rng(3))
    panel = LiquidityPanel.from_bars({"A": frame, "B": frame.iloc[:300]}, "utc_day")
    table = panel.quality()
    names = [r.name for r in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule.finds
        assert rule.reason
        assert rule.remedy
        assert rule.threshold
        if "bars" in rule.tables:
            assert rule.column in table, rule.name
    shown = ds.quality_rules("bars")
    assert shown.loc["dead", "threshold"] == "dead above 0"
    with pytest.raises(ds.errors.OptionError, match="'bars', 'trades'"):
        ds.quality_rules("flows")


def test_judging_orders_levels_and_keeps_hints_apart():
    table = pd.DataFrame(
        {
            "bars": [0, 9, 9, 9],
            "coverage": [0.0, 0.5, 1, 1],
            "missing": [0, 4, 0, 0],
            "gaps": 2,
            "dead_rows": [0, 0, 40, 0],
        }
        | {
            "dead_since": pd.Timestamp("2022-11-15", tz="UTC"),
            "jumps": [0, 0, 0, 3],
            "negative_edge": [np.nan, 0.3, 0.4, 0.5],
        }
    )
    judged = judge(table, "bars")
    assert judged["verdict"].tolist() == ["empty", "poor", "dead", "clean"]
    assert judged["why"].iloc[1].startswith("coverage: 50%")
    assert "gaps: 4 rows missing in 2 gaps" in judged["why"].iloc[1]
    assert "since 2022-11-15" in judged["why"].iloc[2]
    assert judged["hints"].iloc[3].startswith("jumps: 3")
    assert [("negative-spreads" in hints) for hints in judged["hints"]] == [False, False, False, True]
    assert judged["why"].iloc[0].startswith("empty")
    assert "coverage" not in judged["why"].iloc[0]


def test_one_market_twice_must_agree_and_a_small_venue_is_named():
    frame = clean_bars(np.random.default_rng(3))
    described = pd.DataFrame(
        {
            "base": "BTC",
            "quote": "USDT",
            "venue": ["binance", "binance", "kraken", "binance"],
            "class": ["perp", "perp", "perp", "spot"],
        },
        index=["a", "b", "small", "spot"],
    )
    bars = {
        "a": frame,
        "b": scaled(frame, slice(None), volume=0.4),
        "small": scaled(frame, slice(None), volume=0.01),
        "spot": frame,
    }
    quality = LiquidityPanel.from_bars(bars, "utc_day", assets=described).quality()
    assert "twins" in fired(quality.loc["b", "why"])
    assert quality.loc["b", "twin_gap"] == pytest.approx(-np.log(0.4))
    assert "small-venue" in fired(quality.loc["small", "hints"])
    assert np.isnan(quality.loc["spot", "twin_gap"])
    assert quality.loc["a", "volume_of_largest"] == 1


@pytest.mark.parametrize("fields", [["close"], ["close", "volume"], ["high", "low", "close"], ["volume"], PRICES])
def test_few_fields_are_enough(fields):
    frame = clean_bars(np.random.default_rng(3))[fields]
    row = LiquidityPanel.from_bars({"A": frame, "N": frame.iloc[:5] * np.nan}, "utc_day").quality()
    assert row.loc["A", "verdict"] == "clean"
    assert row.loc["N", "verdict"] == "empty"
    assert row.loc["N", "why"].startswith("empty")


def test_an_asset_that_only_repeats_its_close_is_dead_without_a_volume():
    frame = dead(clean_bars(np.random.default_rng(3)), 300)
    for part in (frame[PRICES], frame[["close"]]):
        row = LiquidityPanel.from_bars({"A": part}, "utc_day").quality().loc["A"]
        assert row["verdict"] in ("dead", "poor")
        assert row["dead_since"] == frame.index[300]


def test_the_report_does_not_depend_on_who_stands_beside():
    rng = np.random.default_rng(8)
    bars = {f"A{i}": clean_bars(rng, rows=int(rng.integers(30, 700))) for i in range(60)}
    bars["A7"], bars["A55"] = spiked(bars["A7"], 12, 10.0), dead(bars["A55"], 25)
    together = LiquidityPanel.from_bars(bars, "utc_day").quality()
    for asset in ("A0", "A7", "A49", "A50", "A55", "A59"):
        alone = LiquidityPanel.from_bars({asset: bars[asset]}, "utc_day").quality().loc[asset]
        # Windows of spreads start at the first row of the panel, and a window holds what it holds.
        both = [c for c in alone.index if not c.startswith(("negative_edge", "negative_corwin", "hints"))]
        pd.testing.assert_series_equal(alone[both], together.loc[asset, both])


def test_run_lengths_and_scales_equal_a_slow_twin():
    rng = np.random.default_rng(2)
    seen = rng.random((300, 5)) < 0.7
    seen[:, 2] = False
    values = rng.standard_t(3, (300, 5))
    stack = Stack.of({"x": values}, seen)
    flags = stack.values["x"] > 0
    for asset in range(5):
        mine = values[seen[:, asset], asset]
        part = slice(stack.starts[asset], stack.ends[asset])
        assert np.array_equal(stack.values["x"][part], mine)
        run, expected = 0, []
        for x in mine:
            run = run + 1 if x > 0 else 0
            expected.append(run)
        assert stack.runs(flags)[part].tolist() == expected
        assert stack.count(flags)[asset] == (mine > 0).sum()
        blocks = max(len(mine) // 50, 1)
        parts = [mine[50 * b : 50 * (b + 1) if b < blocks - 1 else None] for b in range(blocks)]
        own = [np.sort(np.abs(p))[(len(p) - 1) // 2] if len(p) else np.nan for p in parts]
        for b in range(blocks):
            three = [own[max(b - 1, 0)], own[b], own[min(b + 1, blocks - 1)]]
            if len(mine):
                got = stack.scale(stack.values["x"])[part][50 * b]
                assert got == pytest.approx(1.4826 * np.median(three))


@pytest.mark.parametrize(
    ("tick", "decimals"),
    [(0.01, 2), (0.05, 2), (0.25, 2), (0.125, 3), (0.0625, 4), (1.0, 0), (0.5, 1), (1e-7, 7), (100.0, 0)],
)
@pytest.mark.parametrize("noise", ["none", "float32", "misprints"])
def test_the_tick_is_found_through_noise(tick, decimals, noise):
    rng = np.random.default_rng(4)
    prices = np.maximum(np.round(rng.uniform(500, 5000, 1000)), 1) * tick
    if noise == "float32":
        prices = prices.astype(np.float32).astype(float)
    if noise == "misprints":
        prices[:5] += tick / 3
    from drainstats.panel.quality.grid import grid

    got = grid(prices, np.zeros(1000, dtype=np.int64), 1)
    assert got[0][0] == decimals
    assert got[1][0] == pytest.approx(tick)
    assert np.isnan(grid(prices * np.pi, np.zeros(1000, dtype=np.int64), 1)[1][0])
    assert np.isnan(grid(np.full(1000, 7 * tick), np.zeros(1000, dtype=np.int64), 1)[1][0])
    assert np.isnan(grid(prices[:10], np.zeros(10, dtype=np.int64), 1)[1][0])
