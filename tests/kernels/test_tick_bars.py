"""The tick kernel against bars made from their definitions, and against itself in pieces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainstats.kernels import ticks as kernels
from drainstats.sources.ticks.files import Reading
from drainstats.sources.ticks.rule import BarBuilder, BarRule
from drainstats.sources.ticks.signing import Signer
from drainstats.sources.ticks.table import table_of
from tests.kernels.tick_twin import market, tidy, twin

RULES = {"time": "7min", "tick": 9, "volume": 11.0, "dollar": 900.0, "imbalance": 4.0}
# Sums and moments of a few hundred numbers; the roots of a covariance that nearly cancels lose half the digits.
LOOSE = {"roll": 1e-7}


def ours(trades, by, size, bucket=None, window=50, cuts=()):
    rule = BarRule.of(size, by, bucket, window)
    builder, signer = BarBuilder(rule), Signer("given")
    frame = tidy(trades)
    edges = [0, *cuts, len(frame)]
    for a, b in pairwise(edges):
        if b > a:
            for batch in Reading("trades").batches(frame.iloc[a:b]):
                builder.feed(batch, signer.sign(batch))
    return table_of(builder.finish(), rule, quotes=False)


def assert_same_bars(mine, theirs, rtol=1e-9, atol=1e-12):
    assert list(mine.index) == list(theirs.index)
    for name in mine.columns:
        a, b = mine[name], theirs[name]
        if pd.api.types.is_float_dtype(a):
            loose = LOOSE.get(name, 0.0)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=max(atol, loose), err_msg=name)
        else:
            assert list(a) == list(b), name


def size_ns(by):
    return int(pd.Timedelta(RULES[by]).as_unit("ns").value) if by == "time" else RULES[by]


@pytest.mark.parametrize("by", RULES)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_plain_definitions(by, seed):
    trades = market(seed)
    mine = ours(trades, by, RULES[by], bucket=5.0, window=7)
    assert_same_bars(mine, twin(trades, by, size_ns(by), bucket=5.0, window=7))
    assert mine["vpin"].notna().any()


@pytest.mark.parametrize("by", ["time", "tick"])
def test_amounts_of_seventeen_magnitudes(by):
    trades = market(5, sizes="wild")
    mine, theirs = ours(trades, by, RULES[by]), twin(trades, by, size_ns(by))
    for name in ("volume", "buy_volume", "signed_volume", "dollar_volume"):
        # The sums carry their error along: the bought and the sold may cancel to the last digit of the larger.
        scale = theirs["volume"].abs() * (100.0 if name == "dollar_volume" else 1.0)
        assert ((mine[name] - theirs[name]).abs() <= 2.3e-16 * scale + 1e-300).all(), name


@given(st.integers(0, 10_000), st.sampled_from(list(RULES)), st.lists(st.integers(0, 300), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_bits(seed, by, cuts):
    trades = market(seed, n=300, sizes="wild" if seed % 2 else "plain")
    whole = ours(trades, by, RULES[by], bucket=5.0, window=3)
    pieces = ours(trades, by, RULES[by], bucket=5.0, window=3, cuts=sorted(cuts))
    pd.testing.assert_frame_equal(whole, pieces, check_exact=True)


def test_a_full_output_is_taken_and_the_pass_goes_on(monkeypatch):
    from drainstats.sources.ticks import rule

    trades = market(3)
    whole = ours(trades, "tick", 1, bucket=0.5, window=3)
    monkeypatch.setattr(rule, "_ROOM", 3)
    pd.testing.assert_frame_equal(whole, ours(trades, "tick", 1, bucket=0.5, window=3), check_exact=True)


@given(st.floats(1e-8, 1e9), st.floats(-0.5, 0.5))
@settings(max_examples=200, deadline=None)
def test_log_return_to_the_last_digits(price, move):
    other = price * (1 + move * move * np.sign(move))
    exact = np.log1p((np.longdouble(other) - np.longdouble(price)) / np.longdouble(price))
    # Far apart the ratio is rounded before its log is taken.
    bound = 4e-16 * abs(float(exact)) if abs(move) < 0.1 else 4e-16
    assert abs(kernels.log_return(other, price) - float(exact)) <= bound


def test_log_return_of_no_price():
    assert np.isnan(kernels.log_return(1.0, 0.0))
    assert np.isnan(kernels.log_return(-1.0, -2.0))
    assert kernels.log_return(3.0, 3.0) == 0.0
