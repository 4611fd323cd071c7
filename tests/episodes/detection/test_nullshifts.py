"""The test of any co-movement: size under persistence, power, what it ignores, and ugly input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.markets import calm_log_illiquidity


def independent(seed, rows=200, assets=5, persistence=0.9):
    return np.exp(
        0.3 * calm_log_illiquidity(np.random.default_rng(seed), rows, assets, common=0, persistence=persistence)
    )


@pytest.mark.parametrize("scores", ["rank", "upper_tail"])
def test_size_under_persistence(scores):
    rejected = [
        ds.co_movement_test(independent(s, rows=120, assets=4), scores, draws=39, seed=s).p_value <= 0.05
        for s in range(150)
    ]
    # Three binomial standard errors of 150 markets at 5 %; docs/detection_tables.md has more of them.
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.053)


def test_ordinary_commonality_rejects_without_a_drain():
    calm = np.exp(0.3 * calm_log_illiquidity(np.random.default_rng(0), 300, 6, common=0.4))
    found = ds.co_movement_test(calm)
    assert found.p_value == 0.001
    assert "no test of a drain" in repr(found)
    assert ds.detect_episodes(pd.DataFrame(calm, pd.date_range("2020-01-01", periods=300, tz="UTC"))) == []


def test_the_statistic_is_the_average_rank_correlation():
    x = independent(3)
    ranks = np.apply_along_axis(rankdata, 0, x)
    correlation = np.corrcoef(ranks.T)
    expected = correlation[np.triu_indices(5, 1)].mean()
    assert ds.co_movement_test(x, draws=9).statistic == pytest.approx(expected, abs=1e-12)


def test_unit_order_and_constants_do_not_matter():
    x = independent(4)
    plain = ds.co_movement_test(x, draws=99)
    assert ds.co_movement_test(np.log(x) + 7, draws=99).p_value == plain.p_value
    assert ds.co_movement_test(np.column_stack([x, np.full(200, 2.0)]), draws=99).p_value == plain.p_value
    assert ds.co_movement_test(x, draws=99).p_value == plain.p_value
    assert ds.co_movement_test(x[:, ::-1], draws=99).statistic == pytest.approx(plain.statistic, abs=1e-12)


def test_gaps_stay_where_they_are():
    """A late listing and an outage of all assets are no co-movement."""
    rejected = 0
    for seed in range(40):
        x = independent(seed)
        x[:100, 0] = np.nan
        x[150:160] = np.nan
        rejected += ds.co_movement_test(x, draws=39, seed=seed).p_value <= 0.05
    assert rejected <= 6  # of 40; 99 % binomial limit at 5 %


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (np.ones((100, 3)), {}, DataError, "0 asset"),
        (independent(0)[:, :1], {}, DataError, "1 asset"),
        (independent(0)[:15], {}, DataError, "0 asset"),
        (independent(0), {"scores": "mean"}, OptionError, "scores"),
        (independent(0), {"draws": 0}, OptionError, "draws"),
        (independent(0), {"seed": -1}, OptionError, "seed"),
        (independent(0), {"share": 0.6}, OptionError, "share"),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence(data, options, error, message):
    with pytest.raises(error, match=message):
        ds.co_movement_test(data, **options)


def test_assets_without_a_shared_row():
    x = independent(0)[:, :2]
    x[:100, 0], x[100:, 1] = np.nan, np.nan
    with pytest.raises(DataError, match="no time in common"):
        ds.co_movement_test(x)
