"""What stands in a book and where money goes: worked numbers, brute force, real files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures
BIDS = [(99.99, 5.0), (99.95, 10.0), (99.90, 20.0), (99.50, 40.0), (98.0, 100.0)]
ASKS = [(100.01, 5.0), (100.05, 10.0), (100.10, 20.0), (100.50, 40.0), (102.0, 100.0)]


def snapshot(bids, asks, depth=5):
    row = {}
    for name, side in (("bid", bids), ("ask", asks)):
        for i in range(depth):
            row[f"{name}_{i}"], row[f"{name}_size_{i}"] = side[i] if i < len(side) else (np.nan, np.nan)
    return row


def table(*rows):
    index = pd.date_range("2024-01-01", periods=len(rows), freq="s", tz="UTC", name="time")
    return pd.DataFrame(list(rows), index=index)


BOOK = table(
    snapshot(BIDS, ASKS),
    snapshot(BIDS[:2], ASKS[:1]),
    snapshot([], ASKS),
    snapshot([(101.0, 1.0)], [(100.0, 1.0)]),
    snapshot([(100.0, 2.0)], [(100.0, 1.0)]),
)


def random_book(rng, rows=40, depth=8):
    steps = rng.exponential(0.02, (rows, 2, depth)) + 1e-3
    away = np.cumsum(steps, axis=2)
    out = []
    for t in range(rows):
        last = rng.integers(1, depth + 1, 2)
        sides = [
            [(100 + sign * away[t, k, i], rng.exponential(10) + 1.5) for i in range(last[k])]
            for k, sign in ((0, -1), (1, 1))
        ]
        out.append(snapshot(*sides, depth=depth))
    return table(*out)


def test_the_series_and_the_single_book_agree():
    book = random_book(np.random.default_rng(0))
    for by, size in (("money", 700.0), ("shares", 7.0)):
        for side in ("sell", "buy", "both"):
            slow = []
            for _, row in book.iterrows():
                one = M.OrderBook.from_row(row)
                units = {s: one.units_for(size, s) if by == "money" else size for s in ("sell", "buy")}
                wanted = ("sell", "buy") if side == "both" else (side,)
                if any(np.isnan(units[s]) for s in wanted):
                    slow.append(np.nan)
                    continue
                fills = [getattr(one, s)(units[s]) for s in wanted]
                slow.append(np.nan if any(f.unfilled for f in fills) else sum(f.cost_bp for f in fills))
            np.testing.assert_allclose(M.book_cost(book, size, side, by), slow, rtol=1e-9, atol=1e-9)
    assert np.isnan(slow).any()
    assert not np.isnan(slow).all()


def test_worked_numbers_of_the_round_trip():
    assert M.book_cost(BOOK, 5000.0, "both").iloc[0] == pytest.approx(40.2003594, abs=1e-7)
    assert M.book_cost(BOOK, 50.0, "both", by="shares").iloc[0] == pytest.approx(40.2, abs=1e-9)
    assert M.book_cost(BOOK, 60.0, "sell", by="shares").iloc[0] == pytest.approx(25.0833333, abs=1e-7)
    assert M.book_cost(BOOK, 5000.0).isna().tolist() == [False, True, True, True, True]


def test_depth_counts_the_bound():
    assert M.depth_within(BOOK, 10).tolist()[:2] == [70.0, 20.0]
    assert M.depth_within(BOOK, 10, "bid").iloc[0] == 35.0
    assert M.depth_within(BOOK, 5, "ask", unit="quote").iloc[0] == pytest.approx(5 * 100.01 + 10 * 100.05)
    assert M.depth_within(BOOK, 10).isna().tolist() == [False, False, True, True, False]
    # A locked book has a mid, on which both sides stand.
    assert M.depth_within(BOOK, 0).iloc[4] == 3.0
    reach = M.depth_reach(BOOK)
    assert reach.iloc[0] == pytest.approx(200.0)
    assert reach.iloc[1] == pytest.approx(1.0)


def test_imbalance():
    assert M.book_imbalance(BOOK).tolist() == pytest.approx([0.0, 0.0, -1.0, 0.0, 1 / 3])
    assert M.book_imbalance(BOOK, 5).iloc[1] == pytest.approx((15 - 5) / 20)
    with pytest.raises(OptionError, match="from 1 to 5"):
        M.book_imbalance(BOOK, 6)


def slope_by_hand(levels, mid):
    total, before, terms = 0.0, None, []
    prices = [mid, *[p for p, _ in levels]]
    for k, (price, size) in enumerate(levels):
        total += size
        v = np.log(total)
        terms.append((v if before is None else v / before - 1) / abs(price / prices[k] - 1))
        before = v
    return float(np.mean(terms))


def test_slope():
    hand = [slope_by_hand(BIDS, 100.0), slope_by_hand(ASKS, 100.0)]
    assert M.book_slope(BOOK, "bid").iloc[0] == pytest.approx(hand[0])
    assert M.book_slope(BOOK).iloc[0] == pytest.approx(np.mean(hand))
    assert M.book_slope(BOOK).isna().tolist() == [False, False, True, True, True]
    thin = table(snapshot([(99.0, 0.5)], [(101.0, 0.5)]))
    assert np.isnan(M.book_slope(thin).iloc[0])


def test_slope_of_all_that_stands():
    """175 units within 2 % on either side; thin, gapped and empty books need no logs."""
    assert M.book_slope(BOOK, "bid", "depth").iloc[0] == pytest.approx(175 / 0.02)
    assert M.book_slope(BOOK, "ask", "depth").iloc[0] == pytest.approx(175 / 0.02)
    assert M.book_slope(BOOK, method="depth").isna().tolist() == [False, False, True, True, True]
    thin = table(snapshot([(99.0, 0.5), (np.nan, np.nan), (98.0, 0.5)], [(101.0, 0.5)]))
    assert M.book_slope(thin, "bid", "depth").iloc[0] == pytest.approx(1.0 / 0.02)
    with pytest.raises(OptionError):
        M.book_slope(BOOK, method="area")


def test_tables_that_are_no_snapshots():
    with pytest.raises(DataError, match="updates must be applied"):
        M.depth_within(pd.DataFrame({"side": [1], "price": [1.0], "amount": [1.0]}))
    bad = BOOK.copy()
    bad.loc[bad.index[1], "bid_0"] = -1.0
    with pytest.raises(DataError, match="below its least"):
        M.book_imbalance(bad)
    for call in (
        lambda: M.depth_within(BOOK, -1),
        lambda: M.depth_within(BOOK, side="left"),
        lambda: M.book_cost(BOOK, 0),
    ):
        with pytest.raises(OptionError):
            call()


def test_flow_and_revaluation_sum_to_the_change():
    rng = np.random.default_rng(1)
    q, p = rng.exponential(10, (50, 4)), rng.exponential(1, (50, 4))
    split = M.flow_split(q, p)
    np.testing.assert_allclose(split.change[1:], np.diff(q * p, axis=0), rtol=1e-10, atol=1e-9)
    assert np.nansum(M.flow_split(q, np.ones_like(p)).revaluation) == 0
    assert np.nansum(M.flow_split(np.ones_like(q), p).flow) == 0
    # Redenominating a coin changes neither.
    again = M.flow_split(q * 1000, p / 1000)
    np.testing.assert_allclose(again.flow, split.flow, rtol=1e-9, equal_nan=True)


def test_a_coin_that_vanishes_moves_no_money():
    split = M.flow_split([[10.0, 5.0], [10.0, np.nan], [11.0, np.nan]], np.ones((3, 2)))
    assert np.nansum(split.flow) == 1.0
    assert np.isnan(split.flow[1:, 1]).all()


def test_the_toy_of_two_stable_coins():
    stable = np.array([[80.0, 18.0], [83.0, 11.0]]), np.array([[1.0, 0.995], [1.002, 0.37]])
    other = np.array([1.0, 1.0]), np.array([1000.0, 750.0])
    split = M.flow_split(*stable)
    np.testing.assert_allclose(split.flow[1], [3.003, -4.7775], rtol=1e-12)
    np.testing.assert_allclose(split.revaluation[1], [0.163, -9.0625], rtol=1e-12)
    assert split.change[1].sum() == pytest.approx(-10.674)
    shares = {b: M.stable_share(*stable, *other, basis=b) for b in ("current", "first", "unmoved")}
    assert shares["current"] == pytest.approx([0.0891785301, 0.1041952329], abs=1e-10)
    assert shares["unmoved"][1] == pytest.approx(0.1154721610, abs=1e-10)
    assert shares["current"][1] - shares["unmoved"][1] == pytest.approx(-0.0112769281, abs=1e-10)
    # The other coins' prices are held, too.
    assert shares["first"][1] == pytest.approx(0.0858772607, abs=1e-10)


def test_shares_keep_their_labels_and_refuse_other_rows():
    index = pd.date_range("2024-01-01", periods=2, tz="UTC")
    ones = pd.DataFrame({"a": [1.0, 2.0]}, index=index)
    assert M.stable_share(ones, ones, ones, ones).index.equals(index)
    with pytest.raises(DataError, match="align"):
        M.stable_share(ones, ones, ones.shift(freq="D"), ones.shift(freq="D"))
    with pytest.raises(OptionError, match="basis"):
        M.stable_share(ones, ones, ones, ones, basis="last")


def test_fund_flow_is_the_split_when_prices_are_known():
    value, growth = [100.0, 130.0, 90.0], [0.0, 0.2, -0.5]
    assert M.fund_flow(value, growth)[1:].tolist() == pytest.approx([10.0, 25.0])
    with pytest.raises(DataError):
        M.fund_flow([-1.0, 1.0], [0.0, 0.0])


def test_pegs():
    assert M.peg_deviation([2.0, 1.0], peg=2.0).tolist() == [0.0, -0.5]
    assert np.isnan(M.peg_deviation([1.0, 1.0], peg=[1.0, 0.0])).tolist() == [False, True]
    with pytest.raises(OptionError):
        M.peg_deviation([1.0], peg=0.0)


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32])
def test_any_kind_of_number_serves_for_all(kind):
    assert M.peg_deviation([2.0, 1.0], peg=kind(2)).tolist() == [0.0, -0.5]
    assert M.turnover(pd.Series([2.0, 0.0]), kind(4)).tolist() == [0.5, 0.0]
    for wrong in (True, 0, -1, np.nan, np.inf):
        with pytest.raises(OptionError, match="finite number above 0"):
            M.peg_deviation([1.0], peg=wrong)


def test_infinite_returns_and_tables_without_rows():
    with pytest.raises(DataError, match="growth=inf is infinite"):
        M.fund_flow([0.0, 0.0], [0.0, np.inf])
    nothing = np.empty((0, 2))
    assert len(M.stable_share(nothing, nothing, nothing, nothing, basis="unmoved")) == 0


@pytest.mark.reference
def test_the_dollars_of_march_2023_were_a_price_not_an_outflow(data_root):
    path = data_root / "data/defillama-stablecoins-tvl-202308/stablecoins__total_stablecoins_all_chains.csv"
    frame = pd.read_csv(path, parse_dates=["Date"], index_col="Date")
    dollars, units = frame.iloc[:, 0], frame.iloc[:, 1]
    split = M.flow_split(units, dollars / units)

    def totals(start, end):
        days = slice(pd.Timestamp(start) + pd.Timedelta(days=1), pd.Timestamp(end))
        return [float(s.loc[days].sum()) for s in (split.change, split.flow, split.revaluation)]

    # shared/methods/collateral-flight-exit.md, section 3.4; cents of billions.
    terra = [-25_704_655_697.48, -15_602_248_311.93, -10_102_407_385.55]
    assert totals("2022-05-07", "2022-05-13") == pytest.approx(terra, abs=0.02)
    usdc = [-2_834_077_563.24, -571_145_689.00, -2_262_931_874.24]
    assert totals("2023-03-10", "2023-03-11") == pytest.approx(usdc, abs=0.02)
    ends = M.flow_split(*(s.loc[["2022-05-07", "2022-05-13"]] for s in (units, dollars / units)))
    assert ends.flow.iloc[1] == pytest.approx(-15_488_433_108.57, abs=0.02)
