"""What holds for every test of the battery: units, order, sign, many at once, levels under independence, pooling."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import scipy.stats as st

from drainstats.episodes.study.sample import EventSample
from drainstats.episodes.study.testing.registry import BAR, MEASURED, TESTS, run_test
from drainstats.errors import DataError, OptionError
from tests.episodes.study.battery import draws, sample

NAMES = list(TESTS)
RAW = {"t", "skewness_adjusted_t", "brown_warner_1980", "brown_warner_1985", "lamb", "wilcoxon"}
"""Tests that see the units of each asset."""


@pytest.fixture(scope="module")
def values():
    return draws(11, (123, 9), rho=0.4, missing=0.05) + np.linspace(-0.2, 0.4, 9)


def _both(name, a, b, m=3):
    return TESTS[name](sample(a, m), 5), TESTS[name](sample(b, m), 5)


@pytest.mark.parametrize("name", NAMES)
def test_units_added_constants_order_and_sign(name, values):
    base = TESTS[name](sample(values, 3), 5)
    order = np.random.default_rng(0).permutation(9)
    for other, sign in ((1e-7 * values, 1), (values + 1e3, 1), (-values, -1)):
        found = TESTS[name](sample(other, 3), 5)
        np.testing.assert_allclose(found.statistic, sign * base.statistic, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.p_value, base.p_value, rtol=1e-7, atol=1e-9)
    moved = TESTS[name](sample(values[:, order], 3), 5)
    np.testing.assert_allclose(moved.statistic, base.statistic, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moved.p_value, base.p_value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in RAW])
def test_the_unit_of_one_asset_does_not_matter(name, values):
    base, found = _both(name, values, values * 10.0 ** np.arange(-4, 5))
    np.testing.assert_allclose(found.statistic, base.statistic, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_many_markets_at_once_are_each_by_itself(name):
    many = draws(12, (4, 2, 83, 6), rho=0.3, missing=0.1)
    many[1, 0, -1, 2] = np.nan
    s = sample(many, 2)
    found = TESTS[name](s, 3)
    for i, j in np.ndindex(4, 2):
        one = TESTS[name](EventSample(*(getattr(s, f.name)[i, j] for f in fields(s))), 3)
        np.testing.assert_allclose(found.statistic[i, j], one.statistic, rtol=1e-10)
        np.testing.assert_allclose(found.p_value[i, j], one.p_value, rtol=1e-9)
        np.testing.assert_allclose(found.smallest_p[i, j], one.smallest_p, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_an_asset_that_takes_no_part_changes_nothing(name, values):
    more = np.insert(values, 4, 1e6 * draws(1, (123, 1))[:, 0], axis=1)
    more[-2, 4] = np.nan
    base, found = _both(name, values, more)
    np.testing.assert_allclose(found.statistic, base.statistic, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, base.p_value, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_pulls_the_statistic_its_way(name):
    values = draws(13, (121, 12))
    at = []
    for shift in (-1.5, 0.0, 1.5):
        values[-1] = values[-1] - values[-1].mean() + shift
        at.append(float(TESTS[name](sample(values), 1).statistic))
    assert at[0] < at[1] < at[2]
    assert TESTS[name](sample(values), 1).p_value < 0.05


CONTINUOUS = [n for n in NAMES if n not in ("sign", "generalized_sign", "wilcoxon", "corrado_sign")]


@pytest.fixture(scope="module")
def independent():
    return sample(draws(14, (1200, 121, 20))), sample(draws(15, (500, 125, 20)), 5)


@pytest.mark.parametrize("name", NAMES)
def test_p_values_are_uniform_under_independence(name, independent):
    for s in independent:
        p = TESTS[name](s, 8).p_value
        rate, error = (p <= 0.05).mean(), np.sqrt(0.05 * 0.95 / len(p))
        # Four standard errors; a normal law for t(19) adds a point and a half, a discrete law takes two away.
        assert 0.03 - 4 * error < rate < 0.066 + 4 * error
        pooled = np.abs(TESTS[name](s, 8).normal_score.reshape(-1, 4).sum(axis=1) / 2.0) > 1.96
        assert pooled.mean() < 0.066 + 4 * np.sqrt(0.05 * 0.95 / len(pooled))
        if name in CONTINUOUS:
            # Kolmogorov-Smirnov at one in ten thousand: some of these laws are approximations.
            assert st.kstest(p, "uniform").pvalue > 1e-4


def test_entries_say_what_was_measured():
    assert set(MEASURED) == set(TESTS)
    for name, test in TESTS.items():
        low, high = MEASURED[name]
        assert 0.0 <= low <= high <= 1.0
        assert test.holds_on_common_date == (BAR[0] <= low and high <= BAR[1])
        assert (test.note == "") == test.holds_on_common_date
        assert test.null
        assert test.source[-4:].isdigit()
    assert TESTS["kp_bmp"].holds_on_common_date
    assert "patell does not hold" in TESTS["patell"].note


@pytest.mark.parametrize("name", NAMES)
def test_run_test_on_one_event_and_across_events(name):
    samples = [sample(draws(seed, (81, 10)) + 0.15) for seed in range(20, 24)]
    single = [run_test(name, [s], seed=number) for number, s in enumerate(samples)]
    pooled = run_test(name, samples)
    keys = {"statistic", "p_value", "reference", "null", "alternative", "smallest_p", "n_events"}
    assert all(set(found) == keys for found in (*single, pooled))
    assert all(isinstance(found["p_value"], float) and "{" not in found["reference"] for found in single)
    scores = [np.sign(f["statistic"]) * st.norm.isf(f["p_value"] / 2) for f in single]
    assert pooled["statistic"] == pytest.approx(sum(scores) / 2.0, rel=1e-6)
    assert pooled["p_value"] == pytest.approx(2 * st.norm.sf(abs(pooled["statistic"])), rel=1e-9)
    assert pooled["n_events"] == 4
    assert pooled["smallest_p"] <= min(found["smallest_p"] for found in single)


def test_events_without_a_statistic_are_counted_out():
    good, flat = sample(draws(1, (60, 5))), draws(2, (60, 5))
    flat[-1, 1:] = np.nan  # one asset is left, which has no dispersion
    found = run_test("t", [good, sample(flat)])
    assert found["n_events"] == 1
    assert found["p_value"] == pytest.approx(run_test("t", [good])["p_value"], rel=1e-9)
    nothing = run_test("t", [sample(flat)])
    assert np.isnan([nothing["statistic"], nothing["p_value"]]).all()
    assert np.isnan(run_test("t", [sample(flat)] * 2)["p_value"])


def test_wrong_calls():
    s = sample(draws(1, (2, 60, 5)))
    with pytest.raises(OptionError, match="patel"):
        run_test("patel", [s])
    with pytest.raises(DataError, match="holds 2 events"):
        run_test("patell", [s])
    with pytest.raises(DataError, match="at least one event"):
        run_test("patell", [])
