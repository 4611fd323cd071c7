"""Amihud's variants, range impact, invariance, Amivest, Garman-Klass, turnover: twins, worked values, policies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError

M = ds.measures


def market(seed=0, rows=90, assets=3, holes=0.08):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, assets)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high, low = np.maximum(open_, close) * 1.004, np.minimum(open_, close) * 0.995
    value = rng.lognormal(13, 1, close.shape)
    value[rng.random(close.shape) < 0.05] = 0.0
    out = [open_, high, low, close, value]
    for table in out:
        table[rng.random(close.shape) < holes] = np.nan
    return out


def rolled(function, tables, window):
    """A one-asset, one-window function over all windows; NaN before the first full one."""
    out = np.full_like(tables[0], np.nan)
    for t in range(window - 1, len(out)):
        for j in range(out.shape[1]):
            out[t, j] = function(*(a[: t + 1, j] for a in tables))
    return out


def last_moves(close, window):
    """Log returns of the last ``window`` rows; the first of a series has none."""
    moves = np.concatenate([[np.nan], np.diff(np.log(close))])
    return moves[-window:]


def mean(values):
    values = values[~np.isnan(values)]
    return values.mean() if len(values) else np.nan


def amihud_twin(window, side, root):
    def one(close, value):
        moves, value = last_moves(close, window), value[-window:]
        parts = {"both": np.abs(moves), "down": np.maximum(-moves, 0), "up": np.maximum(moves, 0)}
        moves = np.where(np.isnan(moves), np.nan, parts[side])
        with np.errstate(all="ignore"):
            ratio = np.where(value == 0, np.nan, moves / value)
        return mean(np.sqrt(ratio) if root else ratio)

    return one


@pytest.mark.parametrize("side", ["both", "down", "up"])
@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("window", [1, 5, 21])
def test_amihud_variants(side, root, window):
    *_, close, value = market()
    ours = M.amihud(close, value, window, side=side, root=root)
    np.testing.assert_allclose(ours, rolled(amihud_twin(window, side, root), [close, value], window), rtol=1e-10)


def test_the_two_halves_add_up():
    *_, close, value = market(1)
    whole = M.amihud(close, value)
    np.testing.assert_allclose(
        M.amihud(close, value, side="down") + M.amihud(close, value, side="up"), whole, rtol=1e-12
    )


def test_amihud_from_open_to_close_leaves_the_night_out():
    open_, _, _, close, value = market(2, holes=0.0)
    value = value + 1.0
    found = M.amihud(close, value, 1, open=open_)
    np.testing.assert_allclose(found, np.abs(np.log(close / open_)) / value, rtol=1e-9)
    assert np.isfinite(found[0]).all()  # the first bar needs no bar before it


def test_amihud_asks_for_enough_bars():
    close, value = np.exp(np.linspace(0, 1, 40)), np.ones(40)
    value[10:20] = 0
    found = M.amihud(close, value, 10, min_bars=8)
    assert np.isnan(found[12:27]).all()
    assert np.isfinite(found[28:]).all()
    with pytest.raises(OptionError, match="min_bars=11 is more than the 10 bars of a window"):
        M.amihud(close, value, 10, min_bars=11)


def test_amihud_per_turnover_does_not_depend_on_the_size_of_the_asset():
    *_, close, value = market(3, holes=0)
    shares = 1e6
    turnover = M.turnover(value / close, shares)
    split = M.turnover(2 * value / close, 2 * shares)  # the same asset after a split in two
    np.testing.assert_allclose(M.amihud(close, turnover), M.amihud(close / 2, split), rtol=1e-9)


def test_high_low_impact():
    _, high, low, _, value = market(4)
    with np.errstate(all="ignore"):
        ratio = np.where(value == 0, np.nan, np.log(high / low) / value)
    want = rolled(lambda x: mean(x[-21:]), [ratio], 21)
    np.testing.assert_allclose(M.high_low_impact(high, low, value), want, rtol=1e-10)
    crossed = M.high_low_impact([1.0, 1.0], [2.0, 0.5], [1.0, 1.0], window=2)
    assert crossed[1] == pytest.approx(np.log(2))  # the first bar contradicts itself


def test_a_flash_crash_has_a_range_but_no_return():
    close, high, low, value = np.full(30, 100.0), np.full(30, 100.1), np.full(30, 99.9), np.full(30, 1e6)
    low[20], value[20] = 60.0, 3e6
    assert M.amihud(close, value, 1)[20] == 0
    assert M.high_low_impact(high, low, value, 1)[20] > 50 * M.high_low_impact(high, low, value, 1)[19]


def kyle_obizhaeva_twin(close, value, window=21):
    moves, value = last_moves(close, window), value[-window:]
    both = ~np.isnan(moves + value)
    if both.sum() < 2 or value[both].mean() == 0:
        return np.nan
    return np.cbrt(np.var(moves[both], ddof=1) / value[both].mean())


def amivest_twin(close, value, window=21):
    moves, value = np.abs(last_moves(close, window)), value[-window:]
    both = ~np.isnan(moves + value)
    return value[both].sum() / moves[both].sum() if moves[both].sum() > 0 else np.nan


@pytest.mark.parametrize(
    ("ours", "twin"), [(M.kyle_obizhaeva, kyle_obizhaeva_twin), (M.amivest, amivest_twin)], ids=["KO", "amivest"]
)
def test_twins(ours, twin):
    *_, close, value = market(5)
    np.testing.assert_allclose(ours(close, value), rolled(twin, [close, value], 21), rtol=1e-9)


def test_invariance_scales_with_the_cube_root():
    *_, close, value = market(6, holes=0)
    base = M.kyle_obizhaeva(close, value)
    np.testing.assert_allclose(M.kyle_obizhaeva(close, 8 * value), base / 2, rtol=1e-12)
    np.testing.assert_allclose(M.kyle_obizhaeva(close, value, bet_cost=27.0), 3 * base, rtol=1e-12)
    # The same business time at another pace: twice the variance and twice the volume a bar.
    np.testing.assert_allclose(M.kyle_obizhaeva(close ** np.sqrt(2), 2 * value), base, rtol=1e-9)
    with pytest.raises(OptionError, match="bet_cost"):
        M.kyle_obizhaeva(close, value, bet_cost=0)


def test_prices_that_stand_still():
    close, value = np.full(30, 5.0), np.full(30, 10.0)
    assert (M.kyle_obizhaeva(close, value)[20:] == 0).all()
    assert np.isnan(M.amivest(close, value)).all()
    assert (M.amihud(close, value)[20:] == 0).all()
    for function in (M.kyle_obizhaeva, M.amivest, M.amihud):
        found = function(close, value, with_se=True)
        assert not (np.asarray(found.std_error) > 0).any()
        assert np.isnan(function(close, 0 * value)).all()


def test_garman_klass_by_hand_and_by_recovery():
    u, d, c = np.log(1.1), np.log(0.95), np.log(1.02)
    short = M.garman_klass([100.0], [110.0], [95.0], [102.0])[0]
    assert short**2 == pytest.approx(0.5 * (u - d) ** 2 - (2 * np.log(2) - 1) * c**2)
    full = M.garman_klass([100.0], [110.0], [95.0], [102.0], formula="full")[0]
    assert full**2 == pytest.approx(0.511 * (u - d) ** 2 - 0.019 * (c * (u + d) - 2 * u * d) - 0.383 * c**2)
    bars = ds.simulate.bars(400, 1, spread=0.0, volatility=0.02, trades=2000, seed=1)
    tables = bars.open, bars.high, bars.low, bars.close
    for formula in ("short", "full"):
        found = M.garman_klass(*tables, window=400, formula=formula).iloc[-1, 0]
        # 400 bars: standard error 1.3 %; 2000 steps miss 2 % of the range and of the volatility.
        assert found == pytest.approx(0.02, rel=0.06)
    assert np.isnan(M.garman_klass([100.0], [110.0], [95.0], [111.0])[0])  # a close above its high


def test_turnover():
    np.testing.assert_array_equal(M.turnover([1.0, np.nan, 2.0], [10.0, 10.0, 0.0]), [0.1, np.nan, np.nan])
    frame = pd.DataFrame({"A": [1.0], "B": [2.0]})
    pd.testing.assert_frame_equal(M.turnover(frame, 4), frame / 4)
    with pytest.raises(OptionError, match="shares=0"):
        M.turnover([1.0], 0)
    with pytest.raises(DataError, match="negative"):
        M.turnover([-1.0], 5)


CASES = {
    "amihud": lambda o, h, l, c, v, **k: M.amihud(c, v, 10, **k),
    "half": lambda o, h, l, c, v, **k: M.amihud(c, v, 10, side="down", **k),
    "root": lambda o, h, l, c, v, **k: M.amihud(c, v, 10, root=True, **k),
    "high_low_impact": lambda o, h, l, c, v, **k: M.high_low_impact(h, l, v, 10, **k),
    "kyle_obizhaeva": lambda o, h, l, c, v, **k: M.kyle_obizhaeva(c, v, 10, **k),
    "amivest": lambda o, h, l, c, v, **k: M.amivest(c, v, 10, **k),
    "garman_klass": lambda o, h, l, c, v, **k: M.garman_klass(o, h, l, c, 10, **k),
    "parkinson": lambda o, h, l, c, v, **k: M.parkinson(h, l, 10, **k),
}


@pytest.mark.parametrize("name", CASES)
def test_invariants(name):
    tables = market(7, assets=4)
    for part in ("bare", "estimate", "std_error"):

        def run(*t, part=part):
            return CASES[name](*t) if part == "bare" else getattr(CASES[name](*t, with_se=True), part)

        base = run(*tables)
        assert np.isfinite(base[9:]).any()
        assert np.isnan(base[:9]).all()
        order = [3, 0, 2, 1]
        np.testing.assert_array_equal(run(*(a[:, order] for a in tables)), base[:, order])
        np.testing.assert_array_equal(run(*(a[:50] for a in tables)), base[:50])
        assert_causal(run, tuple(tables), cuts=8, min_rows=12)
        # A price scale leaves all of them alone.
        scaled = [*(1e3 * a for a in tables[:4]), tables[4]]
        np.testing.assert_allclose(run(*scaled), base, rtol=1e-6, atol=1e-12 * np.nanmax(np.abs(base)))


def test_bad_input_is_a_sentence():
    *_, close, value = market(8, holes=0)
    for function in (M.amihud, M.kyle_obizhaeva, M.amivest):
        with pytest.raises(DataError, match=r"dollar_volume=-1\.0 is negative"):
            function(close, np.where(np.arange(len(value))[:, None] == 3, -1.0, value))
        with pytest.raises(DataError, match=r"close=0\.0 is not above zero"):
            function(np.where(np.arange(len(value))[:, None] == 3, 0.0, close), value)
        with pytest.raises(DataError, match="fewer than the window"):
            function(close[:5], value[:5])
    with pytest.raises(OptionError, match="'both', 'down', 'up'"):
        M.amihud(close, value, side="left")
    with pytest.raises(OptionError, match="'short', 'full'"):
        M.garman_klass(close, close, close, close, formula="long")
