"""What an event study must always do: ignore the future, units, levels and the order of assets."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError

DAYS = pd.date_range("2020-01-01", periods=260, tz="UTC", name="time")


def study(outcome: pd.DataFrame, row: int, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
        return ds.event_study(outcome, DAYS[row], estimation=(-60, -6), window=(-1, 2), **options)


def market(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.standard_t(5, (260, 6)) + rng.standard_normal((260, 1))
    values[rng.random(values.shape) < 0.03] = np.nan
    return pd.DataFrame(values, DAYS, list("ABCDEF")).assign(index=rng.standard_normal(260))


def assert_same(one, two) -> None:
    pd.testing.assert_frame_equal(one.tests, two.tests, rtol=1e-9)
    pd.testing.assert_frame_equal(one.abnormal, two.abnormal, rtol=1e-9)
    pd.testing.assert_series_equal(one.placebos, two.placebos, rtol=1e-9, check_freq=False)
    pd.testing.assert_frame_equal(one.common_share, two.common_share, rtol=1e-9)
    assert one.notes == two.notes


@pytest.mark.parametrize("options", [{}, {"model": "market", "market": "index"}], ids=["constant mean", "market"])
@given(seed=st.integers(0, 10**6), row=st.integers(160, 250), how=st.sampled_from(["cut", "nan", "scale", "inf"]))
@settings(max_examples=25, deadline=None)
def test_nothing_after_the_event_window_counts(options, seed, row, how):
    y = market(seed)
    changed = y.copy()
    after = slice(row + 3, None)
    if how == "cut":
        changed = y.iloc[: row + 3]
    else:
        changed.iloc[after] = {"nan": np.nan, "scale": 1e6 * y.iloc[after], "inf": np.inf}[how]
    try:
        one = study(y, row, **options)
    except DataError:  # holes left fewer than two assets: then they did so before the future counted
        with pytest.raises(DataError):
            study(changed, row, **options)
        return
    assert_same(one, study(changed, row, **options))


@given(seed=st.integers(0, 10**6), shift=st.floats(-50, 50), factor=st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_units_and_levels_of_an_asset_do_not_count(seed, shift, factor):
    y = market(seed).drop(columns="index")
    scale = pd.Series([factor, 1.0, 2.0, 1.0, 1.0, 1 / factor], y.columns)
    one, two = study(y, 200), study(y * scale + shift, 200)
    pd.testing.assert_series_equal(one.tests["statistic"], two.tests["statistic"], rtol=1e-6)
    pd.testing.assert_series_equal(one.placebos, two.placebos, rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 10**6), order=st.permutations(list("ABCDEF")))
@settings(max_examples=25, deadline=None)
def test_order_of_assets_does_not_count_and_sign_turns_the_statistic(seed, order):
    y = market(seed).drop(columns="index")
    one, two, three = study(y, 200), study(y[order], 200), study(-y, 200)
    pd.testing.assert_series_equal(one.tests["statistic"], two.tests["statistic"], rtol=1e-9)
    pd.testing.assert_series_equal(one.tests["p_value"], two.tests["p_value"], rtol=1e-9)
    pd.testing.assert_series_equal(one.tests["statistic"], -three.tests["statistic"], rtol=1e-9)
    pd.testing.assert_series_equal(one.tests["p_value"], three.tests["p_value"], rtol=1e-9)


@given(seed=st.integers(0, 10**6), factor=st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_a_jump_of_all_abnormal_values_by_one_factor_does_not_count(seed, factor):
    y = market(seed).drop(columns="index")
    one = study(y, 200)
    jumped = y.copy()
    rows = slice(199, 203)
    jumped.iloc[rows, :] = np.nan
    used = list(one.abnormal.columns)
    expected = y.iloc[rows][used] - one.abnormal.to_numpy()
    jumped.loc[DAYS[rows], used] = expected + factor * one.abnormal.to_numpy()
    two = study(jumped, 200)
    pd.testing.assert_series_equal(one.tests["statistic"], two.tests["statistic"], rtol=1e-7)
    pd.testing.assert_series_equal(one.tests["p_value"], two.tests["p_value"], rtol=1e-7)
