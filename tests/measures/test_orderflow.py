"""Order flow imbalance and VPIN: definitions row by row, bars, known markets, chance, ugly input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.kernels.tick_twin import DAY, market, tidy
from tests.sources.test_ticks_quotes import quote_stream

M = ds.measures
SIDES = ("bid", "bid_size", "ask", "ask_size")


def came(price, size, before, size_before):
    gained = (size if price >= before else 0.0) - (size_before if price <= before else 0.0)
    return np.nan if np.isnan([price, before]).any() else gained


def flow_twin(rows, times, level="", crossed="keep"):
    """Flows of one asset, a pair of rows at a time."""
    best = "_0" if level else ""
    top = (rows[f"bid{best}"] > rows[f"ask{best}"]).to_numpy()
    out = [np.nan]
    for j in range(1, len(rows)):
        now, old = rows.iloc[j], rows.iloc[j - 1]
        broken = crossed == "break" and (top[j] or top[j - 1])
        if broken or times[j] // DAY != times[j - 1] // DAY:
            out.append(np.nan)
            continue
        b, bs, a, as_ = (now[f"{n}{level}"] for n in SIDES)
        b1, bs1, a1, as1 = (old[f"{n}{level}"] for n in SIDES)
        out.append(came(b, bs, b1, bs1) - came(-a, as_, -a1, as1))
    return np.array(out)


def ugly_book(seed=0, rows=400, depth=3):
    """Snapshots over two days: levels that go, crossed tops, repeated stamps."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-02 22:00", tz="UTC").as_unit("ns").value
    clock = start + np.sort(rng.integers(0, 4 * 3600, rows)) * 10**9
    mid = 100 + 0.01 * np.cumsum(rng.integers(-1, 2, rows))
    book = {}
    for name, sign in (("bid", -1), ("ask", 1)):
        away = np.cumsum(rng.integers(1, 3, (rows, depth)), axis=1) * 0.01
        gone = rng.random((rows, depth)) < 0.05
        for k in range(depth):
            book[f"{name}_{k}"] = np.where(gone[:, k], np.nan, np.round(mid + sign * away[:, k], 2))
            book[f"{name}_size_{k}"] = np.where(gone[:, k], np.nan, rng.integers(0, 9, rows).astype(float))
    table = pd.DataFrame(book, pd.DatetimeIndex(clock, tz="UTC"))
    table.loc[rng.random(rows) < 0.05, "bid_0"] = 101.0
    return table


@pytest.mark.parametrize("crossed", ["keep", "break"])
def test_each_quote_equals_the_definition(crossed):
    trades = market(2, n=100)
    quotes = quote_stream(2, trades, n=500)
    mine = M.ofi(tidy(quotes), crossed=crossed).to_numpy()
    for _, rows in quotes.reset_index(drop=True).groupby("asset"):
        theirs = flow_twin(rows, rows["time"].to_numpy(), "", crossed)
        np.testing.assert_allclose(mine[rows.index], theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("crossed", ["keep", "break"])
def test_each_level_equals_the_definition(crossed):
    book = ugly_book()
    mine = M.multilevel_ofi(book, crossed=crossed)
    assert list(mine.columns) == ["ofi_0", "ofi_1", "ofi_2"]
    times = book.index.as_unit("ns").asi8
    for k in range(3):
        theirs = flow_twin(book, times, f"_{k}", crossed)
        np.testing.assert_allclose(mine[f"ofi_{k}"], theirs, rtol=0, atol=1e-12)


def test_sums_of_an_interval_are_the_bars_of_tick_bars():
    trades = market(3, n=400)
    quotes = quote_stream(3, trades, n=800)
    bars = ds.tick_bars(tidy(trades), "30min", quotes=tidy(quotes))
    mine = M.ofi(tidy(quotes), "30min")
    checked = 0
    for asset, own in bars.groupby("asset"):
        found = mine[asset].reindex(own.index)
        np.testing.assert_allclose(found, own["ofi"], rtol=1e-9, atol=1e-9)
        checked += found.notna().sum()
    assert checked > 20


def test_sums_of_levels_and_their_mean_size():
    book = ugly_book(1)
    each, sums = M.multilevel_ofi(book), M.multilevel_ofi(book, every="10min")
    start = book.index.floor("10min")
    theirs = each.groupby(start).sum(min_count=1)
    np.testing.assert_allclose(sums, theirs, atol=1e-12)
    assert sums.index.equals(theirs.index.as_unit("ns"))
    sizes = book[[c for c in book if "size" in c]].groupby(start).mean().mean(axis=1)
    scaled = M.multilevel_ofi(book, every="10min", normalise="depth")
    np.testing.assert_allclose(scaled, theirs.div(sizes.to_numpy(), axis=0), atol=1e-12)
    first = M.multilevel_ofi(book, depth=1, every="10min")["ofi_0"]
    best = M.ofi(book[[f"{n}_0" for n in SIDES]].set_axis(SIDES, axis=1), "10min")
    np.testing.assert_allclose(first, best, atol=1e-12)


def test_levels_of_the_book_in_money_or_coins():
    """Flows are sizes, and shares of a mean size have no unit."""
    book = ugly_book(2)
    sizes = [c for c in book if "size" in c]
    tenfold = book.assign(**{c: 10 * book[c] for c in sizes})
    pd.testing.assert_frame_equal(M.multilevel_ofi(tenfold), 10 * M.multilevel_ofi(book))
    a, b = (M.multilevel_ofi(x, every="1h", normalise="depth") for x in (book, tenfold))
    pd.testing.assert_frame_equal(a, b)
    dearer = book.assign(**{c: 7 * book[c] for c in book if c not in sizes})
    pd.testing.assert_frame_equal(M.multilevel_ofi(dearer), M.multilevel_ofi(book))


def test_a_level_that_goes_breaks_its_chain_only():
    clock = pd.date_range("2024-01-02", periods=3, freq="1s", tz="UTC")
    book = pd.DataFrame({"bid_0": 99.0, "bid_size_0": [1.0, 2.0, 4.0], "ask_0": 101.0, "ask_size_0": 1.0}, clock)
    book = book.assign(bid_1=[98.0, np.nan, 98.0], bid_size_1=5.0, ask_1=102.0, ask_size_1=5.0)
    found = M.multilevel_ofi(book)
    assert found["ofi_0"].tolist()[1:] == [1.0, 2.0]
    assert found["ofi_1"].isna().all()
    assert np.isnan(M.multilevel_ofi(book, every="1min")["ofi_1"].iloc[0])


def test_midnight_begins_a_chain_unless_told_otherwise():
    clock = pd.DatetimeIndex(["2024-01-02 23:59:59", "2024-01-03"], tz="UTC")
    quotes = pd.DataFrame({"bid": 99.0, "bid_size": [1.0, 3.0], "ask": 101.0, "ask_size": 1.0}, clock)
    assert M.ofi(quotes).isna().all()
    assert M.ofi(quotes, by_day=False).tolist()[1] == 2.0


def test_order_flow_moves_the_mid_as_in_cont_kukanov_stoikov():
    """Their stylised book, D units at a level and orders of one unit: the mid moves OFI / (2 D) ticks, up to one."""
    rng = np.random.default_rng(0)
    depth, n = 10, 50_000
    which = rng.random(n) < 0.5
    change = rng.choice([-1, 1], n)
    came_to = [1000 * depth + np.cumsum(np.where(which == k, change, 0)) for k in (True, False)]
    level = [(x - 1) // depth for x in came_to]
    size = [x - depth * k for x, k in zip(came_to, level, strict=True)]
    clock = pd.date_range("2024-01-02", periods=n, freq="1s", tz="UTC")
    quotes = pd.DataFrame(
        {"bid": 1.0 * level[0], "bid_size": 1.0 * size[0], "ask": 5000.0 - level[1], "ask_size": 1.0 * size[1]}, clock
    )
    flow = M.ofi(quotes, "10min")
    net = pd.Series(came_to[0] - came_to[1], clock)
    ends = net.groupby(clock.floor("10min")).last()
    assert (flow.iloc[1:].to_numpy() == ends.diff().iloc[1:].to_numpy()).all()
    mid = ((quotes["bid"] + quotes["ask"]) / 2).groupby(clock.floor("10min")).last()
    moved = mid.diff().iloc[1:].to_numpy()
    assert np.abs(moved - flow.iloc[1:].to_numpy() / (2 * depth)).max() <= 1
    assert np.polyfit(flow.iloc[1:], moved, 1)[0] == pytest.approx(1 / (2 * depth), rel=0.02)


def test_integrated_weights_equal_the_eigenvector_of_each_window():
    rng = np.random.default_rng(4)
    common = rng.normal(size=(120, 1))
    levels = pd.DataFrame(common * [1.0, 0.8, 0.5] + 0.5 * rng.normal(size=(120, 3)))
    levels.iloc[40, 1] = np.nan
    mine = M.integrated_ofi(levels, window=30)
    for t in (29, 39, 45, 69, 70, 119):
        rows = levels.iloc[t - 29 : t + 1].dropna()
        vector = np.linalg.eigh(rows.cov().to_numpy())[1][:, -1]
        weights = vector * np.sign(vector.sum()) / np.abs(vector).sum()
        assert mine[t] == pytest.approx(levels.iloc[t] @ weights, rel=1e-10)
    assert mine[:29].isna().all()
    assert np.isnan(mine[40])
    assert np.corrcoef(mine[41:], common[41:, 0])[0, 1] > 0.9
    pd.testing.assert_series_equal(M.integrated_ofi(levels.iloc[:, ::-1], window=30), mine)
    pd.testing.assert_series_equal(M.integrated_ofi(3 * levels, window=30), 3 * mine)


def test_constant_levels_have_no_component():
    assert M.integrated_ofi(pd.DataFrame(np.ones((40, 3))), window=10).isna().all()
    gaps = pd.DataFrame(np.full((40, 2), np.nan))
    gaps.iloc[39] = 1.0
    assert M.integrated_ofi(gaps, window=10).isna().all()


def test_what_varies_by_rounding_or_has_no_sign_has_no_component():
    """A tenth is not binary: the mean of ten of them differs from each."""
    assert M.integrated_ofi(pd.DataFrame(np.full((40, 3), 0.1)), window=10).isna().all()
    against = np.random.default_rng(0).normal(size=(40, 1)) * [1.0, -1.0]
    assert M.integrated_ofi(pd.DataFrame(against), window=10).isna().all()


def test_components_of_long_windows_come_in_chunks():
    """Each chunk holds a bounded number of cells, whatever the window."""
    rng = np.random.default_rng(0)
    levels = pd.DataFrame(rng.normal(size=(3000, 10)) + rng.normal(size=(3000, 1)))
    whole = M.integrated_ofi(levels, window=1500)  # 70 rows a chunk
    pd.testing.assert_series_equal(M.integrated_ofi(levels.iloc[500:2100], 1500).iloc[1499:], whole.iloc[1999:2100])


def test_what_is_no_book_is_one_sentence():
    book = ugly_book()
    with pytest.raises(OptionError, match="the book has 3"):
        M.multilevel_ofi(book, depth=4)
    with pytest.raises(OptionError, match="every="):
        M.multilevel_ofi(book, normalise="depth")
    with pytest.raises(DataError, match="table of snapshots"):
        M.multilevel_ofi(pd.DataFrame({"price": [1.0]}, book.index[:1]))
    with pytest.raises(DataError, match="several assets"):
        M.multilevel_ofi(book.assign(asset=["A", "B"] * 200))
    with pytest.raises(DataError, match="not in time order"):
        M.multilevel_ofi(book[::-1])
    with pytest.raises(DataError, match="No column 'bid_size'"):
        M.ofi(pd.DataFrame({"bid": [1.0]}, book.index[:1]))
    for size, what in ((-1.0, "is negative"), (np.inf, "is infinite")):
        with pytest.raises(DataError, match=what):
            M.multilevel_ofi(book.assign(ask_size_2=size))
        with pytest.raises(DataError, match=what):
            M.ofi(pd.DataFrame({"bid": 1.0, "bid_size": size, "ask": 2.0, "ask_size": 1.0}, book.index))
    for wrong in ({"crossed": "drop"}, {"every": "2D"}, {"every": "0s"}):
        with pytest.raises(OptionError):
            M.multilevel_ofi(book, **wrong)
    with pytest.raises(OptionError):
        M.integrated_ofi(book, window=1)


def volumes(rng, rows=300, assets=3):
    volume = rng.exponential(100.0, (rows, assets))
    return rng.beta(2, 2, (rows, assets)) * volume, volume


def test_vpin_equals_the_definition_and_stays_a_share():
    rng = np.random.default_rng(0)
    bought, volume = volumes(rng)
    bought[50, 0] = np.nan
    volume[100:130, 1] = bought[100:130, 1] = 0.0
    bought[200:230, 2] = volume[200:230, 2]
    mine = M.vpin(bought, volume, window=20)
    for j in range(3):
        for t in (19, 55, 110, 121, 225, 299):
            b, v = bought[t - 19 : t + 1, j], volume[t - 19 : t + 1, j]
            there = ~np.isnan(b)
            whole = v[there].sum()
            slow = np.abs(2 * b - v)[there].sum() / whole if whole > 0 else np.nan
            np.testing.assert_allclose(mine[t, j], slow, rtol=1e-12)
    assert np.isnan(mine[:19]).all()
    assert np.isnan(mine[121, 1])
    assert mine[225, 2] == 1.0
    assert np.nanmin(mine) >= 0
    assert np.nanmax(mine) <= 1


def test_vpin_of_buckets_is_that_of_tick_bars():
    """Trades of one size fill buckets of ten: buckets are rows."""
    rng = np.random.default_rng(1)
    side = rng.choice(np.array([-1, 1], dtype=np.int8), 3000)
    clock = pd.date_range("2024-01-02", periods=3000, freq="10s", tz="UTC")
    trades = pd.DataFrame({"price": 100.0, "amount": 1.0, "side": side}, clock)
    bars = ds.tick_bars(trades, 10, "tick", vpin_bucket=10.0, vpin_window=20)
    np.testing.assert_allclose(M.vpin(bars["buy_volume"], bars["volume"], 20), bars["vpin"], rtol=1e-12)


def test_vpin_is_equivariant():
    bought, volume = volumes(np.random.default_rng(2))
    mine = M.vpin(bought, volume, 20)
    np.testing.assert_allclose(M.vpin(1e6 * bought, 1e6 * volume, 20), mine, rtol=1e-12)
    np.testing.assert_allclose(M.vpin(volume - bought, volume, 20), mine, rtol=1e-9)
    np.testing.assert_array_equal(M.vpin(bought[:, ::-1], volume[:, ::-1], 20), mine[:, ::-1])


@pytest.mark.parametrize("divide_by", ["window", "last"])
def test_errors_of_vpin_cover(divide_by):
    """Buckets whose imbalances depend on one another and, by "window", on their volume; one window an asset."""
    rng = np.random.default_rng(3)
    rows, assets = 400, 500
    state = np.empty((rows, assets))
    state[0] = rng.normal(size=assets)
    for t in range(1, rows):
        state[t] = 0.3 * state[t - 1] + np.sqrt(0.91) * rng.normal(size=assets)
    share = 1 / (1 + np.exp(-(state - 1)))
    volume = 50 + (100 * share if divide_by == "window" else 0.0) + rng.exponential(20, (rows, assets))
    volume = volume if divide_by == "window" else np.full((rows, assets), 50.0)
    sign = rng.choice([-1, 1], (rows, assets))
    found = M.vpin(volume * (1 + sign * share) / 2, volume, rows, divide_by, with_se=True)
    many = rng.normal(size=2_000_000)
    shares = 1 / (1 + np.exp(-(many - 1)))
    truth = (
        ((70 + 100 * shares) * shares).mean() / (70 + 100 * shares).mean() if divide_by == "window" else shares.mean()
    )
    ends = found.interval(0.95)
    covered = ((ends.lower[-1] <= truth) & (truth <= ends.upper[-1])).mean()
    assert 0.88 <= covered <= 0.98
    assert abs(found.estimate[-1].mean() - truth) < 4 * found.estimate[-1].std() / np.sqrt(assets)


def test_vpin_refuses_what_is_no_share():
    with pytest.raises(DataError, match="more than the volume"):
        M.vpin([2.0, 1.0], [1.0, 1.0], 2)
    with pytest.raises(DataError, match="is negative"):
        M.vpin([-1.0, 1.0], [1.0, 1.0], 2)
    with pytest.raises(DataError, match="fewer than the window"):
        M.vpin([1.0, 1.0], [1.0, 1.0], 3)
    with pytest.raises(OptionError):
        M.vpin([1.0, 1.0], [1.0, 1.0], 2, divide_by="bar")
    # Compensated sums of trades may exceed one another by rounding.
    assert M.vpin([1.0 + 1e-13, 1.0], [1.0, 1.0], 2)[-1] == 1.0


def test_excess_vpin_equals_least_squares_of_each_window():
    rng = np.random.default_rng(5)
    volume, sigma = rng.normal(size=(2, 200, 2))
    share = 0.3 + 0.05 * volume + 0.02 * sigma + 0.01 * rng.normal(size=(200, 2))
    sigma[60, 0] = np.nan
    mine = M.excess_vpin(share, volume, sigma, window=50)
    for j in range(2):
        for t in (49, 61, 109, 110, 199):
            rows = slice(t - 49, t + 1)
            x = np.column_stack([np.ones(50), volume[rows, j], sigma[rows, j]])
            there = ~np.isnan(x).any(axis=1)
            beta = np.linalg.lstsq(x[there], share[rows, j][there], rcond=None)[0]
            assert mine[t, j] == pytest.approx(share[t, j] - x[-1] @ beta, rel=1e-9, abs=1e-14)
    assert np.isnan(mine[:49]).all()
    assert np.isnan(mine[60, 0])
    assert np.isnan(M.excess_vpin(share, volume, volume, window=50)).all()
    assert np.isnan(M.excess_vpin(share, 0 * volume, sigma, window=50)).all()


def test_vpin_that_only_mirrors_volatility_has_no_excess():
    """The critique of Andersen and Bondarenko: it follows volatility, and the residual does not."""
    rng = np.random.default_rng(6)
    rows = 3000
    sigma = np.empty(rows)
    sigma[0] = 0.0
    for t in range(1, rows):
        sigma[t] = 0.98 * sigma[t - 1] + 0.1 * rng.normal()
    pace = rng.normal(size=rows)
    share = 0.3 + 0.1 * sigma + 0.02 * pace + 0.02 * rng.normal(size=rows)
    left = M.excess_vpin(share, pace, sigma, window=500)[500:]
    assert np.corrcoef(share[500:], sigma[500:])[0, 1] > 0.8
    assert abs(np.corrcoef(left, sigma[500:])[0, 1]) < 0.1


def test_chance_equals_the_count_of_draws():
    rng = np.random.default_rng(7)
    bought, volume = volumes(rng, 80, 2)
    mine = M.vpin_chance(bought, volume, window=8, history=60, draws=50, seed=3)
    again = np.random.default_rng(3)
    places = [again.choice(60, 8, replace=False) for _ in range(50)]
    moved = np.abs(2 * bought - volume)
    for j in range(2):
        for t in (59, 66, 79):
            now = moved[t - 7 : t + 1, j].sum() / volume[t - 7 : t + 1, j].sum()
            drawn = [moved[t - 59 + p, j].sum() / volume[t - 59 + p, j].sum() for p in places]
            assert mine[t, j] == pytest.approx((1 + np.sum(np.array(drawn) >= now)) / 51)
    assert np.isnan(mine[:59]).all()


def test_chance_is_uniform_without_order_and_small_in_a_cluster():
    """Under the null the p-value lies below 5 % in 5 % of assets: within 3 to 7 %, as for 2000 independent ones."""
    bought, volume = volumes(np.random.default_rng(8), 200, 2000)
    null = M.vpin_chance(bought, volume, window=20, history=200, draws=399)[-1]
    assert 0.03 <= (null <= 0.05).mean() <= 0.07
    assert 0.45 <= null.mean() <= 0.55
    bought[-20:] = 0.95 * volume[-20:]
    assert (M.vpin_chance(bought, volume, window=20, history=200, draws=399)[-1] <= 0.01).mean() > 0.99


def test_chance_of_equal_imbalances_is_one():
    """Ties count for the draws, whatever order they are summed in; rows of no volume have no VPIN."""
    volume = np.full(100, 0.1)
    assert M.vpin_chance(0.07 + 0 * volume, volume, window=10, history=50, draws=99)[-1] == 1.0
    assert np.isnan(M.vpin_chance(0 * volume, 0 * volume, window=10, history=50, draws=9)).all()
    gap = volume.copy()
    gap[70] = np.nan
    found = M.vpin_chance(0.07 + 0 * volume, gap, window=10, history=25, draws=9)
    assert np.isnan(found[70:95]).all()
    assert found[95] == 1.0
    with pytest.raises(OptionError):
        M.vpin_chance(volume / 2, volume, window=50, history=50)


def test_order_flow_explains_the_mid_of_a_real_book(data_root):
    """Amazon, 21 June 2012, ten-second intervals: order flow goes with about half of the variance of the mid."""
    (file,) = (data_root / "data" / "lobster-amzn-20120621-l1").glob("*orderbook_1.csv")
    book = ds.read_book(file)
    flow = M.multilevel_ofi(book, every="10s")["ofi_0"]
    best = M.ofi(book.rename(columns=lambda name: name.removesuffix("_0")), "10s")
    assert (flow == best).all()
    mid = ((book["bid_0"] + book["ask_0"]) / 2).groupby(book.index.floor("10s")).last()
    both = np.array([flow.iloc[1:], mid.diff().iloc[1:]])
    assert both.shape[1] > 2000
    correlation = np.corrcoef(both)[0, 1]
    assert correlation > 0
    assert 0.4 < correlation**2 < 0.6
