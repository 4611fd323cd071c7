"""Bars with quotes against their definitions, in any pieces."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.sources.ticks import files
from tests.kernels.tick_twin import market, tidy, twin

SECOND = 10**9


def quote_stream(seed, trades, n=600, late=0, ugly=True):
    """Quotes around the trades' prices: stamps that repeat and meet trades, one-sided, locked and crossed ones."""
    rng = np.random.default_rng(seed + 1)
    low, high = trades["time"].min() + late, trades["time"].max() + 400 * SECOND
    mid = np.round(100 + 0.01 * np.cumsum(rng.integers(-2, 3, n)), 4)
    half = rng.choice([0.005, 0.01, 0.02, *([0.0, -0.005] if ugly else [])], n)
    frame = pd.DataFrame(
        {
            "time": low + np.sort(rng.integers(0, (high - low) // SECOND, n)) * SECOND,
            "asset": rng.choice(sorted(trades["asset"].unique()), n),
            "bid": mid - half,
            "bid_size": np.round(rng.exponential(3.0, n), 2),
            "ask": mid + half,
            "ask_size": np.round(rng.exponential(3.0, n), 2),
        }
    )
    if ugly:
        frame.loc[rng.random(n) < 0.03, ["bid", "bid_size"]] = np.nan
    return frame


def both(seed, **options):
    trades = market(seed, n=300)
    return trades, quote_stream(seed, trades, **options)


def assert_same(mine, theirs):
    assert list(mine.index) == list(theirs.index)
    for name in mine.columns.intersection(theirs.columns):
        if pd.api.types.is_float_dtype(mine[name]):
            # A root of a covariance that nearly cancels keeps half its digits.
            atol = 1e-7 if name == "roll" else 1e-12
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-9, atol=atol, err_msg=name)


@pytest.mark.parametrize(("lag", "horizon"), [("0s", "5min"), ("30s", "1h"), ("2h", "0s")])
@pytest.mark.parametrize("seed", range(3))
def test_time_bars_equal_the_definitions(seed, lag, horizon):
    trades, quotes = both(seed)
    mine = ds.tick_bars(tidy(trades), "30min", quotes=tidy(quotes), lag=lag, horizon=horizon)
    spans = {name: pd.Timedelta(v).as_unit("ns").value for name, v in (("lag", lag), ("horizon", horizon))}
    theirs = twin(trades, "time", 1800 * SECOND, quotes=quotes, **spans)
    assert_same(mine, theirs)
    for name in ("ofi", "quoted_spread", "effective_spread", "realised_spread"):
        assert theirs[name].notna().sum() > 20, name
    assert theirs["realised_spread"].isna().any()


@pytest.mark.parametrize("by", ["tick", "volume"])
def test_event_bars_have_the_same_trade_costs(by):
    trades, quotes = both(7)
    mine = ds.tick_bars(tidy(trades), 9, by, quotes=tidy(quotes))
    assert_same(mine, twin(trades, by, 9, quotes=quotes))


def test_quotes_of_event_bars_lie_between_their_ends():
    clock = pd.date_range("2024-01-02", periods=8, freq="s", tz="UTC")
    trades = pd.DataFrame({"price": 10.0, "amount": 1.0, "side": 1}, clock[[1, 3, 5, 7]])
    quotes = pd.DataFrame(
        {"bid": 9.9, "bid_size": [1.0, 2.0, 4.0, 8.0], "ask": [10.1, 10.1, 10.3, 10.3], "ask_size": 1.0},
        clock[[0, 2, 4, 6]],
    )
    bars = ds.tick_bars(trades, 2, "tick", quotes=quotes)
    # Sizes at an unchanged bid grow by 1, 2 and 4; the ask that retreats takes its old size away from the sellers.
    assert bars["ofi"].tolist() == [1.0, 2.0 + 1.0 + 4.0]
    # From the first quote to the third second; from there one second of the old quote and three of the new one.
    np.testing.assert_allclose(bars["quoted_spread"], [0.02, (0.02 + 3 * 0.4 / 10.1) / 4], rtol=1e-12)


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 90), st.sampled_from(["time", "tick"]))
@settings(max_examples=40, deadline=None)
def test_batches_do_not_matter(seed, rows, quote_rows, by):
    trades, quotes = both(seed, late=(seed % 3) * 3600 * SECOND)
    size = "30min" if by == "time" else 7

    def bars(rows, quote_rows):
        # The readings' own batches, cut smaller: trades and quotes by different sizes.
        cut = {"trades": rows, "quotes": quote_rows}
        plain = files.Reading.batches

        def small(self, source, small=False):
            for batch in plain(self, source, small):
                for k in range(0, len(batch.time), cut[self.table]):
                    yield batch.take(slice(k, k + cut[self.table]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.Reading, "batches", small)
            return ds.tick_bars(tidy(trades), size, by, quotes=tidy(quotes), sign="lee_ready", lag="1s")

    pd.testing.assert_frame_equal(bars(10**6, 10**6), bars(rows, quote_rows), check_exact=True)


def test_files_and_tables_give_the_same_bars(tmp_path):
    trades, quotes = both(11, ugly=False)
    frames = {"trades": tidy(trades), "quotes": tidy(quotes)}
    for name, frame in frames.items():
        frame.reset_index().to_parquet(tmp_path / f"{name}.parquet")
    table = ds.tick_bars(frames["trades"], "1h", quotes=frames["quotes"])
    files = ds.tick_bars(tmp_path / "trades.parquet", "1h", quotes=tmp_path / "quotes.parquet")
    pd.testing.assert_frame_equal(table, files, check_exact=True)


def test_late_rows_of_both_streams_are_sorted_in():
    trades, quotes = both(15)
    rng = np.random.default_rng(0)
    mixed = [
        t.iloc[np.argsort(t["time"] + rng.integers(0, 60, len(t)) * SECOND, kind="stable")] for t in (trades, quotes)
    ]
    straight = [t.sort_values("time", kind="stable") for t in mixed]
    late = ds.tick_bars(tidy(mixed[0]), "1h", quotes=tidy(mixed[1]), tolerance="1min")
    pd.testing.assert_frame_equal(
        late, ds.tick_bars(tidy(straight[0]), "1h", quotes=tidy(straight[1])), check_exact=True
    )
    with pytest.raises(DataError, match="time order over all assets"):
        ds.tick_bars(tidy(mixed[0]), "1h", quotes=tidy(mixed[1]))


def test_by_asset_in_a_mapping_gives_the_same_bars():
    trades, quotes = both(12)
    t, q = tidy(trades), tidy(quotes)
    whole = ds.tick_bars(t, "1h", quotes=q)
    names = sorted(trades["asset"].unique())
    parts = ds.tick_bars(
        {n: t[t["asset"] == n] for n in names}, "1h", quotes={n: q[q["asset"] == n] for n in names}, n_jobs=2
    )
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)


def test_blocks_of_assets_one_after_the_other_are_refused():
    trades, quotes = both(13)
    blocks = tidy(trades.sort_values(["asset", "time"], kind="stable"))
    with pytest.raises(DataError, match="in time order over all assets"):
        ds.tick_bars(blocks, "1h", quotes=tidy(quotes))
    assert len(ds.tick_bars(blocks, "1h"))
    with pytest.raises(OptionError, match="quotes must be one with the same assets"):
        ds.tick_bars({"A0": blocks}, "1h", quotes=tidy(quotes))


def test_quotes_that_start_late_or_never_leave_no_answer():
    trades, quotes = both(14, late=20 * 3600 * SECOND)
    bars = ds.tick_bars(tidy(trades), "1h", quotes=tidy(quotes))
    early = bars.index < bars.index.min() + pd.Timedelta("19h")
    assert bars.loc[early, ["ofi", "quoted_spread", "effective_spread", "realised_spread"]].isna().all(axis=None)
    other = tidy(quotes.assign(asset="Z"))
    assert ds.tick_bars(tidy(trades), "1h", quotes=other)[["ofi", "quoted_spread"]].isna().all(axis=None)


def test_a_realised_spread_needs_quotes_up_to_its_horizon():
    clock = pd.date_range("2024-01-02 10:00", periods=3, freq="min", tz="UTC")
    trades = pd.DataFrame({"price": [100.1], "amount": [1.0], "side": [1]}, clock[1:2])
    quotes = pd.DataFrame({"bid": [99.9, 100.1], "ask": [100.1, 100.3]}, clock[[0, 2]])
    bars = ds.tick_bars(trades, "1min", quotes=quotes, horizon="1min")
    np.testing.assert_allclose(bars["effective_spread"], 2 * 0.1 / 100)
    np.testing.assert_allclose(bars["realised_spread"], 2 * (100.1 - 100.2) / 100)
    np.testing.assert_allclose(bars["price_impact"], 2 * 0.2 / 100)
    later = ds.tick_bars(trades, "1min", quotes=quotes, horizon="61s")
    assert later["realised_spread"].isna().all()
    assert later["effective_spread"].notna().all()
