"""Wild and calendar-block bootstrap: full enumeration, plain loops, seeds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats as st

from drainstats.episodes.study.commondate import effective_number
from drainstats.episodes.study.testing.bootstrap import SIGN_DRAWS, WINDOW_DRAWS, block_length
from drainstats.episodes.study.testing.registry import TESTS
from tests.episodes.study.battery import draws, sample


def test_wild_bootstrap_counts_every_sign_vector():
    s = sample(draws(1, (40, 7)) + 0.3, 2)
    z = s.event.sum(axis=0) / s.total_error
    t = st.ttest_1samp(z, 0.0).statistic
    others = [st.ttest_1samp(z * np.array(signs), 0.0).statistic for signs in itertools.product([1, -1], repeat=7)]
    found = TESTS["wild_bootstrap"](s)
    assert found.statistic == pytest.approx(t, rel=1e-12)
    assert found.p_value == pytest.approx(np.mean(np.abs(others) >= abs(t) * (1 - 1e-9)), rel=1e-12)
    assert found.smallest_p == 2.0**-6
    assert found.reference == "all 128 sign vectors"


def test_wild_bootstrap_leaves_out_assets_without_part():
    values = draws(2, (40, 9)) + 0.2
    values[-1, [3, 8]] = np.nan
    kept = np.delete(values, [3, 8], axis=1)
    assert TESTS["wild_bootstrap"](sample(values)).p_value == TESTS["wild_bootstrap"](sample(kept)).p_value


def test_drawn_signs_are_near_all_of_them_and_follow_the_seed():
    values = draws(3, (60, 13)) + 0.35
    s = sample(values)
    z = s.event[0] / s.total_error
    vectors = np.array(list(itertools.product([1.0, -1.0], repeat=13)))
    exact = (np.abs(vectors @ z) >= abs(z.sum()) * (1 - 1e-12)).mean()
    first, again, other = (TESTS["wild_bootstrap"](s, seed).p_value for seed in (1, 1, 2))
    assert first == again != other
    # Four standard errors of a share of the draws.
    assert abs(first - exact) < 4 * np.sqrt(exact * (1 - exact) / SIGN_DRAWS) + 1 / SIGN_DRAWS
    assert 0.001 < exact < 0.5


@pytest.mark.parametrize(("m", "missing"), [(1, 0.0), (3, 0.0), (3, 0.1)])
def test_calendar_blocks_by_a_plain_loop(m, missing):
    s = sample(draws(4, (100 + m, 6), rho=0.4, missing=missing) + 0.2, m)
    assert m <= block_length(100) == 5
    z = s.event.sum(axis=0) / s.total_error
    own = st.ttest_1samp(z, 0.0)
    tails = []
    for first in range(100 - m + 1):
        window = (s.estimation[first : first + m] / s.sigma).sum(axis=0)
        there = window[np.isfinite(window)]
        tails.append(st.ttest_1samp(there, 0.0).pvalue if len(there) > 1 else 1.0)
    tails = np.array(tails)
    k = effective_number(tails)
    found = TESTS["calendar_block_bootstrap"](s)
    assert found.statistic == pytest.approx(own.statistic, rel=1e-12)
    assert found.p_value == pytest.approx((1 + k * (tails <= own.pvalue).mean()) / (k + 1), rel=1e-9)
    assert found.smallest_p == pytest.approx(1 / (k + 1), rel=1e-9)


def test_long_windows_are_made_of_drawn_blocks():
    s = sample(draws(5, (110, 8), rho=0.4), 10)
    first, again, other = (TESTS["calendar_block_bootstrap"](s, seed) for seed in (1, 1, 2))
    assert first.p_value == again.p_value
    assert first.p_value != other.p_value
    assert first.smallest_p == 1 / (WINDOW_DRAWS + 1)
    assert first.reference == f"{WINDOW_DRAWS} windows of blocks of 5 rows"
    # Two seeds differ by no more than the drawing does.
    assert abs(first.p_value - other.p_value) < 4 * np.sqrt(0.5 / WINDOW_DRAWS)


def test_a_row_beyond_all_others_has_the_smallest_p():
    values = draws(6, (241, 10), rho=0.5)
    values[-1] = 8.0 + 0.01 * np.arange(10)
    found = TESTS["calendar_block_bootstrap"](sample(values))
    assert found.p_value == pytest.approx(found.smallest_p)
    assert found.p_value < 0.006


def test_blocks_take_a_jump_of_all_variances_out():
    s = sample(draws(7, (150, 10), rho=0.3))
    loud = replace(s, event=3.0 * s.event)
    quiet = TESTS["calendar_block_bootstrap"](s)
    assert TESTS["calendar_block_bootstrap"](loud).p_value == pytest.approx(quiet.p_value, rel=1e-12)
