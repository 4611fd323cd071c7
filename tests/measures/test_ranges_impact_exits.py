"""Parkinson, Amihud, dollar volume, square-root cost: hand-worked values, policies, invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures


def test_parkinson_by_hand():
    value = M.parkinson([np.e, np.e**2], [1.0, 1.0], window=2)
    assert value[1] == pytest.approx(np.sqrt((1 + 4) / 2 / (4 * np.log(2))))
    assert np.isnan(value[0])
    assert np.isnan(M.parkinson([1.0], [2.0])[0])


def test_parkinson_recovers_volatility():
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(0, 0.02 / np.sqrt(2000), (400, 2000)), axis=1)
    prices = np.exp(np.c_[np.zeros(400), path])
    estimate = M.parkinson(prices.max(axis=1), prices.min(axis=1), window=400)[-1]
    assert estimate == pytest.approx(
        0.02, rel=0.06
    )  # 400 bars: standard error 2 %; discrete paths miss 2 % of the range


def test_amihud_by_hand():
    close, value = np.array([100.0, 110.0, 99.0]), np.array([1e6, 2e6, 4e6])
    simple = M.amihud(close, value, window=1, returns="simple")
    assert simple[1:] == pytest.approx([0.10 / 2e6, 0.10 / 4e6])
    assert M.amihud(close, value, window=1)[1] == pytest.approx(np.log(1.1) / 2e6)
    assert M.amihud(close, value, window=3)[2] == pytest.approx(np.mean([np.log(1.1) / 2e6, -np.log(0.9) / 4e6]))


def test_amihud_zero_volume_policies():
    close, value = np.array([1.0, 2, 3, 4]), np.array([1.0, 0.0, 1.0, 1.0])
    skip = M.amihud(close, value, window=2)
    assert np.isnan(skip[1])
    assert skip[2] == pytest.approx(np.log(3 / 2))
    strict = M.amihud(close, value, window=2, zero_volume="nan")
    assert np.isnan(strict[:3]).all()
    assert strict[3] == skip[3]
    with pytest.raises(OptionError):
        M.amihud(close, value, zero_volume="inf")


def test_amihud_missing_volume_in_a_window_is_left_out():
    close, value = np.array([1.0, 2, 4, 8]), np.array([1.0, np.nan, 2.0, 1.0])
    assert M.amihud(close, value, window=3)[3] == pytest.approx((np.log(2) / 2 + np.log(2)) / 2)


@given(st.integers(0, 1000), st.floats(1e-6, 1e6))
@settings(max_examples=40, deadline=None)
def test_scaling(seed, scale):
    rng = np.random.default_rng(seed)
    close, value = np.exp(rng.normal(size=(30, 2))), np.exp(rng.normal(size=(30, 2)))
    base = M.amihud(close, value, window=5)
    np.testing.assert_allclose(M.amihud(scale * close, value, window=5), base, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(scale * M.amihud(close, scale * value, window=5), base, rtol=1e-9)
    np.testing.assert_allclose(M.parkinson(scale * close * 2, scale * close), M.parkinson(close * 2, close), rtol=1e-9)


def test_dollar_volume():
    np.testing.assert_array_equal(M.dollar_volume([2.0, np.nan], [3.0, 1.0]), [6.0, np.nan])
    with pytest.raises(DataError, match="negative"):
        M.dollar_volume([2.0], [-1.0])


def test_square_root_cost_worked_values():
    # sigma 4 %, a tenth of the volume: peak and mean in bp, for the exponents 0.5, 0.489 and 0.6; then 50 m of 2 bn.
    peak = M.square_root_cost([0.04], [1e9], 1e8, mean=False)
    assert 1e4 * peak[0] == pytest.approx(126.4911064, abs=2e-7)
    assert 1e4 * M.square_root_cost([0.04], [1e9], 1e8)[0] == pytest.approx(84.3274043, abs=2e-7)
    assert 1e4 * M.square_root_cost([0.04], [1e9], 1e8, exponent=0.489, mean=False)[0] == pytest.approx(
        129.7358468, abs=2e-7
    )
    assert 1e4 * M.square_root_cost([0.04], [1e9], 1e8, exponent=0.6)[0] == pytest.approx(62.7971608, abs=2e-7)
    assert 1e4 * M.square_root_cost([0.04], [2e9], 5e7, mean=False)[0] == pytest.approx(63.2455532, abs=2e-7)
    assert np.isnan(M.square_root_cost([0.04], [0.0], 1e8)[0])
    for bad in ({"notional": 0}, {"notional": np.nan}, {"notional": 1, "exponent": 2}, {"notional": 1, "prefactor": 0}):
        with pytest.raises(OptionError):
            M.square_root_cost([0.04], [1e9], **bad)


def test_the_list_names_what_exists():
    table = ds.list_measures()
    assert set(table.index) < set(M.__all__)
    assert table.notna().all().all()
    assert (table.drop(columns="source") != "").all().all()


def test_a_panel_makes_what_bars_can_give():
    panel = ds.load_dataset("crypto-venues-daily").window("2020-01-01", "2020-03-31")
    table = ds.list_measures()
    made = table.index[
        [
            t == "bars" and set(i.split(", ")) <= set(panel.field_names)
            for t, i in zip(table["table"], table["inputs"], strict=True)
        ]
    ]
    assert {"edge", "amihud", "pastor_stambaugh", "fht", "kyle_obizhaeva"} <= set(made)
    for name in made:
        assert panel.measure(name).shape == panel["close"].shape, name
    with pytest.raises(OptionError, match="'ofi' is made of quotes, not of a panel"):
        panel.measure("ofi")
    with pytest.raises(OptionError, match="There is no measure 'liquidity'"):
        panel.measure("liquidity")
