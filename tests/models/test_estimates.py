"""What every result promises of its errors: sandwich, serial dependence, intervals that keep their bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from drainstats.errors import OptionError
from drainstats.models.base import Estimates, Moments, influences, intervals, lag_count, long_run, sandwich


@dataclass(frozen=True, eq=False, repr=False)
class Means(Estimates):
    """Column means: the simplest moment estimates."""

    rows: np.ndarray
    noise: np.ndarray | None = None

    def _moments(self):
        K = self.rows.shape[1]
        return Moments(-np.eye(K), self.rows - self.rows.mean(axis=0), np.eye(K), np.ones(K), self.noise)

    @property
    def _ranges(self):
        return np.array([[-np.inf, np.inf], [0.0, np.inf], [0.0, 1.0]])


def _means(rows, noise=None):
    params = pd.Series(rows.mean(axis=0), index=["free", "positive", "share"])
    return Means(params, 0.0, True, (), len(rows), rows, noise)


@pytest.fixture(scope="module")
def rows():
    e = np.random.default_rng(0).standard_normal((401, 3))
    return 0.5 + 0.3 * (e[1:] + 0.8 * e[:-1])


def _newey_west(x, lags):
    """The formula, one product at a time."""
    x, T = x - x.mean(axis=0), len(x)
    out = sum(np.outer(row, row) for row in x)
    for lag in range(1, lags + 1):
        for t in range(lag, T):
            cross = np.outer(x[t], x[t - lag])
            out = out + (1.0 - lag / (lags + 1.0)) * (cross + cross.T)
    return out / T**2


@pytest.mark.parametrize("lags", [0, 1, 5])
def test_serial_dependence_equals_the_formula_and_is_positive(rows, lags):
    found = _means(rows).covariance_of(hac=lags)
    np.testing.assert_allclose(found, _newey_west(rows, lags), rtol=1e-10, atol=1e-16)
    assert np.linalg.eigvalsh(found)[0] > 0.0


def test_no_lags_are_the_plain_sandwich_and_automatic_lags_follow_the_rule(rows):
    res = _means(rows)
    pd.testing.assert_frame_equal(res.covariance_of(hac=0), res.param_covariance)
    pd.testing.assert_frame_equal(res.covariance_of(hac=None), res.param_covariance)
    assert [lag_count("auto", T) for T in (100, 400, 1000, 2500)] == [4, 5, 6, 8]
    pd.testing.assert_frame_equal(res.covariance_of(hac="auto"), res.covariance_of(hac=5))
    # The rows are a moving average with a positive weight, which the plain errors miss.
    assert (np.diag(res.covariance_of(hac="auto")) > 1.3 * np.diag(res.param_covariance)).all()
    # More lags than rows are what there is.
    assert np.isfinite(_means(rows[:5]).covariance_of(hac=50)).all(axis=None)


def test_a_target_counts_in_three_steps_only(rows):
    res, noisy = _means(rows), _means(rows, np.random.default_rng(1).standard_normal(rows.shape))
    pd.testing.assert_frame_equal(noisy.covariance_of("two_step"), res.param_covariance)
    np.testing.assert_allclose(noisy.param_covariance, _newey_west(rows + noisy.noise, 0), rtol=1e-10)
    pd.testing.assert_frame_equal(res.covariance_of("two_step"), res.param_covariance)


def test_directions_on_a_bound_have_no_error(rows):
    basis = np.eye(3)[:, :2]
    found = sandwich(-np.eye(3), rows, basis)
    np.testing.assert_allclose(found[:2, :2], _newey_west(rows, 0)[:2, :2])
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isnan(influences(np.zeros((3, 3)), rows, basis)).all()
    assert np.isnan(long_run(influences(-np.eye(3), rows, basis), 3)[2, 2])


def test_intervals_keep_their_bounds_and_widen_with_the_level():
    estimates, ranges = np.array([-1.0, 0.01, 0.98]), np.array([[-np.inf, np.inf], [0.0, np.inf], [0.0, 1.0]])
    errors, last = np.array([2.0, 0.5, 0.05]), None
    for level in (0.5, 0.9, 0.99, 0.999999):
        ends = intervals(estimates, errors, ranges, level)
        assert (ends[:, 0] < estimates).all()
        assert (ends[:, 1] > estimates).all()
        assert (ends[1:, 0] >= 0.0).all()
        assert ends[2, 1] <= 1.0
        if last is not None:
            assert (ends[:, 0] < last[:, 0]).all()
            assert (ends[:2, 1] > last[:2, 1]).all()
        last = ends
    half = stats.norm.ppf(0.95) * errors
    ends = intervals(estimates, errors, ranges, 0.9)
    np.testing.assert_allclose(ends[0], [-1.0 - half[0], -1.0 + half[0]])
    np.testing.assert_allclose(np.log(ends[1] / 0.01), [-half[1] / 0.01, half[1] / 0.01])
    logit = np.log(ends[2] / (1.0 - ends[2])) - np.log(0.98 / 0.02)
    np.testing.assert_allclose(logit, np.array([-1.0, 1.0]) * half[2] / (0.98 * 0.02), rtol=1e-6)


def test_narrow_intervals_are_wald_intervals(rows):
    """To first order every scale gives the same."""
    res = _means(rows)
    np.testing.assert_allclose(res.conf_int(0.1), res.conf_int(0.1, "transformed"), rtol=2e-4)
    wald = stats.norm.ppf(0.975) * res.std_errors
    np.testing.assert_allclose(res.conf_int()["upper"] - res.params, wald)
    wide = np.sqrt(np.diag(res.covariance_of(hac=5))) / res.std_errors
    np.testing.assert_allclose(res.conf_int(hac=5)["upper"] - res.params, wald * wide)
    # An estimate outside its range has no transformed interval: the plain one stands.
    np.testing.assert_array_equal(intervals(np.array([-0.1]), np.ones(1), np.array([[0.0, 1.0]]), 0.9)[0] > 0, [0, 1])


def test_bad_choices_are_sentences(rows):
    res = _means(rows)
    for bad in ({"level": 1.0}, {"level": 0.0}, {"method": "bayes"}, {"errors": "four_step"}):
        with pytest.raises(OptionError):
            res.conf_int(**bad)
    for bad in (-1, 1.5, True, "all"):
        with pytest.raises(OptionError, match="lags"):
            res.covariance_of(hac=bad)
    with pytest.raises(OptionError, match="no profile"):
        res.conf_int(method="profile")
    bare = Estimates(res.params, 0.0, True, (), 10)
    with pytest.raises(OptionError, match="param_covariance"):
        bare.covariance_of("two_step")
