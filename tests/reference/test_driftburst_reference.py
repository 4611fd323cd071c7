"""Drift bursts against the numbers of the authors' program (R, version 0.4.0.1)."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def folder(data_root):
    return data_root / "reference" / "events" / "driftburst"


@pytest.fixture(scope="module")
def both(folder):
    """Ours and theirs on 23 401 seconds, 390 tests, no pre-averaging, automatic lag, bandwidths 300 and 1500."""
    path = pd.read_csv(folder / "data" / "sim1_path.csv.gz")
    theirs = pd.read_csv(folder / "expected" / "sim1_expected.csv")
    ours = ds.drift_burst(pd.Series(path["logp"].to_numpy(), path["t"]), theirs["testtime"], 300, 1500, 1)
    return ours.reset_index(drop=True), theirs


def test_statistics_to_1e_8(both):
    ours, theirs = both
    np.testing.assert_allclose(ours["statistic"], theirs["db"], rtol=0, atol=1e-8)


def test_mean_and_sigma_to_1e_8_in_their_units(both):
    # Theirs: sigma per root of the 23 400 seconds of the path; the mean times half its bandwidth and n / (n + 1).
    ours, theirs = both
    np.testing.assert_allclose(ours["sigma"] * np.sqrt(23400.0), theirs["sigma"], rtol=1e-8)
    np.testing.assert_allclose(ours["mean"] * 150.0 * 23400.0 / 23401.0, theirs["mu"], rtol=1e-8)


def test_the_means_that_their_own_tests_assert(both, folder):
    ours, _ = both
    asserted = json.loads((folder / "expected" / "expected.json").read_text())
    # Seven figures are printed.
    assert ours["sigma"].mean() * np.sqrt(23400.0) == pytest.approx(asserted["sim1_mean_sigma"], rel=1e-6)
    assert ours["mean"].mean() * 150.0 * 23400.0 / 23401.0 == pytest.approx(asserted["sim1_mean_mu"], rel=1e-6)


def test_both_planted_bursts_of_their_second_path_are_found(folder):
    path = pd.read_csv(folder / "data" / "flashcrash_path.csv.gz")
    bursts = ds.drift_burst(pd.Series(np.log(path["p"]).to_numpy(), path["t"]), start="scaled")
    # A test at the first price, which has nothing to say, and at the end of each minute.
    assert len(bursts) == 391
    found = ds.drift_burst_test(bursts)
    large = bursts["statistic"][bursts["statistic"].abs() > found["critical"].iloc[0]]
    assert large.min() < 0 < large.max()
