"""The sorted-window kernel against medians computed window by window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainstats.kernels.robust import trailing_median_mad


def twin(values, starts, min_count):
    median, mad = np.full_like(values, np.nan), np.full_like(values, np.nan)
    for t in range(len(values)):
        for j in range(values.shape[1]):
            window = values[starts[t] : t, j]
            window = window[~np.isnan(window)]
            if len(window) >= max(min_count, 1):
                median[t, j] = np.median(window)
                mad[t, j] = np.median(np.abs(window - median[t, j]))
    return median, mad


def kernel(values, starts, min_count):
    median, mad = np.empty_like(values), np.empty_like(values)
    trailing_median_mad(values, starts, min_count, median, mad)
    return median, mad


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 30), st.integers(0, 8), st.booleans())
@settings(max_examples=120, deadline=None)
def test_equals_the_plain_computation(seed, rows, window, min_count, ties):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2))
    values = np.round(values) if ties else values
    values[rng.random(values.shape) < 0.2] = np.nan
    starts = np.maximum(np.arange(rows) - window, 0)
    for ours, theirs in zip(kernel(values, starts, min_count), twin(values, starts, min_count), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-15)


def test_a_row_is_not_part_of_its_own_baseline():
    values = np.array([[1.0], [1.0], [1.0], [99.0]])
    median, _ = kernel(values, np.zeros(4, dtype=np.int64), 1)
    assert median[3, 0] == 1.0
    assert np.isnan(median[0, 0])


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_small_windows(size):
    values = np.arange(size + 1, dtype=float)[:, None]
    median, mad = kernel(values, np.zeros(size + 1, dtype=np.int64), 1)
    assert median[-1, 0] == np.median(values[:-1])
    assert mad[-1, 0] == np.median(np.abs(values[:-1] - np.median(values[:-1])))
