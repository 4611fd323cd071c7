"""Innovations of log illiquidity: definitions, the rule for zeros, what is causal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError


@pytest.fixture
def illiquidity():
    logs = np.cumsum(np.random.default_rng(0).standard_normal((300, 2)), axis=0) * 0.1
    return pd.DataFrame(np.exp(logs), columns=["A", "B"], index=pd.date_range("2020-01-01", periods=300))


def test_log_difference(illiquidity):
    out = ds.innovations(illiquidity)
    np.testing.assert_allclose(out.iloc[1:], np.diff(np.log(illiquidity), axis=0), rtol=1e-12)
    assert out.iloc[0].isna().all()
    assert out.attrs["causal"]
    pd.testing.assert_frame_equal(ds.innovations(illiquidity.iloc[:100]), out.iloc[:100])


def test_zeros_and_negatives_become_missing_and_are_counted(illiquidity):
    before = illiquidity.copy()
    broken = illiquidity.copy()
    broken.iloc[10, 0], broken.iloc[20, 0] = 0.0, -1.0
    out = ds.innovations(broken)
    assert out.attrs["nonpositive"] == {"A": 2, "B": 0}
    assert out["A"].isna().sum() == 5
    assert out["B"].isna().sum() == 1
    pd.testing.assert_frame_equal(illiquidity, before)
    with pytest.raises(DataError, match="missing"):
        ds.DECO().fit(out)


def test_ar_residuals_are_those_of_least_squares(illiquidity):
    out = ds.innovations(illiquidity, method="ar_residual", lags=2)
    x = np.log(illiquidity["B"].to_numpy())
    design = np.column_stack([np.ones(298), x[1:-1], x[:-2]])
    expected = x[2:] - design @ np.linalg.lstsq(design, x[2:], rcond=None)[0]
    np.testing.assert_allclose(out["B"].iloc[2:], expected, atol=1e-12)
    assert not out.attrs["causal"]


def test_kinds_come_back(illiquidity):
    assert isinstance(ds.innovations(illiquidity["A"]), pd.Series)
    assert ds.innovations(illiquidity.to_numpy()).shape == (300, 2)
    pd.testing.assert_frame_equal(ds.innovations(illiquidity, method="none"), illiquidity)


def test_bad_input_is_a_sentence(illiquidity):
    with pytest.raises(OptionError, match="log_difference"):
        ds.innovations(illiquidity, method="garch")
    with pytest.raises(OptionError, match="lags"):
        ds.innovations(illiquidity, method="ar_residual", lags=0)
    with pytest.raises(DataError, match="infinite"):
        ds.innovations(illiquidity.replace(illiquidity.iloc[3, 1], np.inf))
    with pytest.raises(DataError, match=r"complete rows.*column A"):
        ds.innovations(illiquidity.assign(A=0.0), method="ar_residual")
    for rows in (0, 1, 3):
        with pytest.raises(DataError, match="complete rows, 0 are there"):
            ds.innovations(illiquidity.iloc[:rows], method="ar_residual")
