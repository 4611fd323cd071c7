"""AUROC and its circular-shift null: brute force, calibration, bad input."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.signals.inference import detectable_auroc

S = ds.signals


def persistent(rng, rows, phi=0.98):
    x = rng.normal(size=rows + 300)
    for t in range(1, len(x)):
        x[t] += phi * x[t - 1]
    return x[300:]


def events(rng, rows, count=4, horizon=20):
    labels = np.zeros(rows, dtype=bool)
    for start in rng.choice(rows - horizon, count, replace=False):
        labels[start : start + horizon] = True
    return labels


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("ties", [False, True])
def test_every_shift_equals_scikit_learn(count, ties):
    rng = np.random.default_rng(count)
    x, y = persistent(rng, 301), events(rng, 301, count)
    x = np.round(x) if ties else x
    brute = np.array([roc_auc_score(np.roll(y, s), x) for s in range(len(x))])
    assert S.auroc(x, y) == pytest.approx(brute[0], abs=1e-12)
    assert S.circular_shift_pvalue(x, y) == pytest.approx(np.mean(brute >= brute[0] - 1e-9), abs=1e-12)


def reject(replications, phi, seed=0):
    rng = np.random.default_rng(seed)
    rows = 2520
    return np.mean(
        [S.circular_shift_pvalue(persistent(rng, rows, phi), events(rng, rows)) <= 0.05 for _ in range(replications)]
    )


def test_null_calibration_sample():
    # 200 replications: three binomial standard errors around 5 % are 0.4 to 9.6 %; a naive test rejects a third.
    assert 0.004 <= reject(200, 0.98) <= 0.096


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.98, 0.995])
def test_null_calibration(phi):
    # 2000 replications: one standard error is 0.5 points.
    assert 0.035 <= reject(2000, phi, seed=1) <= 0.065


def test_a_signal_that_knows_is_found():
    rng = np.random.default_rng(3)
    y = events(rng, 2520)
    assert S.circular_shift_pvalue(persistent(rng, 2520) / 5 + 2 * y, y) < 0.01


def test_smallest_attainable_and_detectable():
    y = np.zeros(400, dtype=bool)
    y[100:120] = True
    assert S.circular_shift_pvalue(y + 0.0, y) == pytest.approx(1 / 400)
    x = persistent(np.random.default_rng(0), 400)
    needed = detectable_auroc(x, y)
    assert 0.5 < needed < 1.0
    assert np.mean([S.auroc(x, np.roll(y, s)) >= needed - 1e-8 for s in range(400)]) <= 0.05


def test_all_shifts_are_cheap():
    rng = np.random.default_rng(0)
    x, y = persistent(rng, 2520), events(rng, 2520)
    S.circular_shift_pvalue(x, y)
    began = time.process_time()
    for _ in range(20):
        S.circular_shift_pvalue(x, y)
    assert (time.process_time() - began) / 20 < 0.02  # milliseconds, with a margin for a busy machine


@pytest.mark.parametrize(
    ("score", "labels", "message"),
    [
        ([1.0, 2.0], [True], "same length"),
        ([1.0, np.nan], [True, False], "1 values of the score are missing"),
        ([1.0, 2.0], [True, True], "same label"),
        ([1.0, 2.0], [False, False], "same label"),
        ([1.0, 2.0], [0, 2], "other values"),
        (["a", "b"], [False, True], "must be numbers"),
        ([1.0, 2.0], ["no", "yes"], "must be numbers"),
        ([1.0, 2.0], pd.array([False, None], "boolean"), "other values"),
    ],
)
def test_bad_input_is_a_sentence(score, labels, message):
    for function in (S.auroc, S.circular_shift_pvalue):
        with pytest.raises(DataError, match=message):
            function(pd.Series(score), pd.Series(labels))


def test_labels_of_other_rows_are_refused():
    x, y = pd.Series([1.0, 2.0, 3.0]), pd.Series([False, False, True])
    assert S.auroc(x, y.to_numpy()[::-1]) == 0.0
    with pytest.raises(DataError, match="different row labels"):
        S.auroc(x, y.iloc[::-1])


def test_unknown_metric():
    with pytest.raises(OptionError, match="'auroc'"):
        S.circular_shift_pvalue([1.0, 2.0], [True, False], metric="luck")
