"""Kaplan-Meier with clustered errors and the log-rank test: by hand, against statsmodels, invariants, size."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from drainstats.episodes.recovery.survival import band, kaplan_meier, log_rank, quantile_time


def sample(seed, members=200, censored=0.3):
    rng = np.random.default_rng(seed)
    return np.ceil(rng.exponential(5, members)), rng.random(members) >= censored, rng.integers(0, 20, members)


def test_a_curve_by_hand():
    curve = kaplan_meier(np.array([1.0, 2, 2, 3, 4]), np.array([True, True, False, True, False]), np.arange(5))
    assert curve.time.tolist() == [1, 2, 3]
    assert curve.at_risk.tolist() == [5, 4, 2]
    assert curve.survival == pytest.approx([4 / 5, 4 / 5 * 3 / 4, 4 / 5 * 3 / 4 / 2])
    assert curve.log_se_greenwood[1] ** 2 == pytest.approx(1 / (5 * 4) + 1 / (4 * 3))


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_and_greenwood_are_those_of_statsmodels(seed):
    duration, observed, cluster = sample(seed)
    ours, theirs = kaplan_meier(duration, observed, cluster), SurvfuncRight(duration, observed)
    assert ours.survival == pytest.approx(theirs.surv_prob, abs=1e-10)
    positive = ours.survival > 0
    error = ours.survival[positive] * ours.log_se_greenwood[positive]
    assert error == pytest.approx(theirs.surv_prob_se[positive], abs=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_log_rank_test_is_that_of_statsmodels(seed):
    duration, observed, cluster = sample(seed)
    group = np.random.default_rng(seed).integers(0, 3, len(duration))
    statistic, p_value = survdiff(duration, observed, group)
    ours = log_rank(duration, observed, cluster, group)
    assert (ours.naive_statistic, ours.naive_p_value) == pytest.approx((statistic, p_value), abs=1e-10)


def test_a_member_an_episode_gives_greenwood():
    duration, observed, _ = sample(0)
    curve = kaplan_meier(duration, observed, np.arange(200))
    assert curve.log_se[:-1] * np.sqrt(199 / 200) == pytest.approx(curve.log_se_greenwood[:-1], rel=1e-10)


def test_copies_of_a_member_add_nothing():
    """Each episode five times the same member: the clustered error is that of one member an episode."""
    duration, observed, _ = sample(1, 60)
    once = kaplan_meier(duration, observed, np.arange(60))
    copies = kaplan_meier(np.repeat(duration, 5), np.repeat(observed, 5), np.repeat(np.arange(60), 5))
    finite = np.isfinite(once.log_se)
    assert copies.log_se[finite] == pytest.approx(once.log_se[finite], rel=1e-10)
    assert (copies.log_se_greenwood[finite] < 0.5 * once.log_se_greenwood[finite]).all()


def test_order_and_unit_do_not_matter():
    duration, observed, cluster = sample(2)
    order = np.random.default_rng(0).permutation(len(duration))
    a, b = (
        kaplan_meier(duration, observed, cluster),
        kaplan_meier(60 * duration[order], observed[order], cluster[order]),
    )
    assert b.survival == pytest.approx(a.survival, abs=1e-12)
    assert b.time == pytest.approx(60 * a.time)
    assert b.log_se[:-1] == pytest.approx(a.log_se[:-1], abs=1e-12)


def test_one_cluster_has_no_clustered_error():
    duration, observed, _ = sample(3, 30)
    assert np.isnan(kaplan_meier(duration, observed, np.zeros(30, dtype=int)).log_se).all()


def test_all_back_and_none_back():
    all_back = kaplan_meier(np.array([1.0, 2.0]), np.array([True, True]), np.arange(2))
    assert all_back.survival[-1] == 0.0
    low, high = band(all_back, all_back.log_se, 2.0)
    assert (low[-1], high[-1]) == (0.0, 0.0)
    none = kaplan_meier(np.array([3.0, 4.0]), np.array([False, False]), np.arange(2))
    assert len(none.time) == 0
    assert quantile_time(none.time, none.survival) == np.inf


def test_a_quantile_is_read_within_its_bar():
    assert quantile_time(np.array([1.0, 2, 3]), np.array([0.9, 0.6, 0.4])) == pytest.approx(2.5)
    assert quantile_time(np.array([1.0, 9.0]), np.array([0.9, 0.1])) == pytest.approx(8.5)
    assert quantile_time(np.array([1.0, 2.0]), np.array([0.8, 0.5])) == 2.0


def test_groups_without_any_difference_have_no_statistic():
    duration, observed = np.full(8, 3.0), np.ones(8, dtype=bool)
    found = log_rank(duration, observed, np.arange(8), np.arange(8) % 2)
    assert np.isnan(found.naive_p_value) or found.naive_p_value == pytest.approx(1.0)


def test_the_clustered_test_keeps_its_size_where_the_naive_one_does_not():
    """Two groups of 15 episodes with 8 members each whose pace is shared by the episode (a log-normal factor)."""
    rng, draws = np.random.default_rng(0), 400
    rejected = np.zeros(2)
    cluster = np.repeat(np.arange(30), 8)
    for _ in range(draws):
        pace = np.exp(rng.normal(0, 0.7, 30))[cluster]
        duration = np.ceil(5 * pace * rng.exponential(1.0, 240))
        found = log_rank(np.minimum(duration, 20), duration <= 20, cluster, (cluster >= 15).astype(int))
        rejected += [found.p_value <= 0.05, found.naive_p_value <= 0.05]
    size, naive = rejected / draws
    assert size == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / draws))
    assert naive > 0.2
