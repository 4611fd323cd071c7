"""The proof kit: planted cheats are caught with the right stamp, honest functions pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import drainstats as ds
from drainstats.errors import DataError, LookAheadError, OptionError
from tests.markets import illiquidity_frame, panel_from_ranges

DAYS = pd.date_range("2020-01-01", periods=300, tz="UTC")
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(300, 4)).cumsum(axis=0), index=DAYS, columns=list("abcd"))

CHEATS = {
    "full-sample z-score": lambda x: (x - x.mean()) / x.std(),
    "quantile threshold": lambda x: (x > x.quantile(0.9)).astype(float),
    "full-sample PCA": lambda x: pd.DataFrame(PCA(1).fit_transform(x), index=x.index),
    "PCA sign fixed by the last value": lambda x: x["a"] * np.sign(x["a"].iloc[-1]),
    "centred window": lambda x: x.rolling(5, center=True).mean(),
    "two-sided filter": lambda x: x.ewm(span=5).mean().iloc[::-1].ewm(span=5).mean().iloc[::-1],
    "scaler fitted on all": lambda x: pd.DataFrame(StandardScaler().fit_transform(x), index=x.index),
    "shift by minus one": lambda x: x.shift(-1),
    "backfill": lambda x: x["a"].where(x.index.day_of_year % 7 != 0).bfill(),
    "window that grows with the sample": lambda x: x.rolling(max(2, len(x) // 10)).mean(),
    "maximum of the full sample": lambda x: x / x.abs().max(),
    "lag chosen on the full sample": lambda x: x.shift(1 + int(x["a"].iloc[-1] > x["a"].mean())),
    "detrended on the full sample": lambda x: (
        x["a"] - np.polyval(np.polyfit(np.arange(len(x)), x["a"], 1), np.arange(len(x)))
    ),
}
HONEST = {
    "rolling mean": lambda x: x.rolling(5).mean(),
    "expanding z-score": lambda x: (x - x.expanding().mean()) / x.expanding().std(),
    "array out": lambda x: np.cumsum(x.to_numpy(), axis=0),
    "alarms of their own stamps": lambda x: x[x["a"] > x["a"].shift().expanding().quantile(0.9)],
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_caught(name):
    with pytest.raises(LookAheadError) as caught:
        ds.causal.assert_causal(CHEATS[name], X, cuts=50, min_rows=20)
    assert caught.value.first in DAYS
    assert "uses the future" in str(caught.value)


@pytest.mark.parametrize("name", HONEST)
def test_honest_functions_pass(name):
    ds.causal.assert_causal(HONEST[name], X, cuts=50, min_rows=3)


def test_the_first_stamp_that_moved_is_named():
    def leaks_from_row_200(x):
        out = x["a"].copy()
        out.iloc[200:] += x["a"].iloc[-1]
        return out

    with pytest.raises(LookAheadError) as caught:
        ds.causal.assert_causal(leaks_from_row_200, X)
    assert caught.value.first == DAYS[200]


def test_a_peek_of_one_row_anywhere_is_caught():
    def peeks_once(x):
        out = x["a"].copy()
        if len(out) > 137:
            out.iloc[136] = x["a"].iloc[137]
        return out

    with pytest.raises(LookAheadError) as caught:
        ds.causal.assert_causal(peeks_once, X, cuts=300)
    assert caught.value.first == DAYS[136]


def test_tuples_arrays_series_and_panels():
    ds.causal.assert_causal(lambda a, b: a - b.shift(), (X["a"], X["b"]))
    with pytest.raises(LookAheadError):
        ds.causal.assert_causal(lambda a, b: a - b.mean(), (X["a"], X["b"]))
    with pytest.raises(LookAheadError) as caught:
        ds.causal.assert_causal(lambda a: a - a.mean(), X.to_numpy())
    assert caught.value.first == 0
    panel = panel_from_ranges(illiquidity_frame(RNG.normal(size=(120, 3))), RNG)
    ds.causal.assert_causal(lambda p: p.measure("parkinson"), panel)
    with pytest.raises(LookAheadError):
        ds.causal.assert_causal(lambda p: p["close"] / p["close"].iloc[-1], panel)


def test_text_and_stamps_are_compared_exactly():
    """A word that differs in its last letter, and a stamp that moves by one second, are leaks too."""
    for answer in (
        lambda x: pd.Series(np.where(x["a"] > x["a"].mean(), "in a long regime", "in a long regimf"), x.index),
        lambda x: pd.Series(x.index + pd.Timedelta("1s") * (len(x) % 2), x.index),
        lambda x: pd.Series(x.index + pd.Timedelta("1ns") * (len(x) % 2), x.index),
    ):
        with pytest.raises(LookAheadError):
            ds.causal.assert_causal(answer, X, min_rows=20)
    ds.causal.assert_causal(lambda x: pd.DataFrame({"t": x.index, "w": np.where(x["a"] > 0, "up", None)}, x.index), X)


def test_missing_alarms_are_caught():
    def best_ten(x):
        return x["a"].nlargest(10).sort_index()

    with pytest.raises(LookAheadError):
        ds.causal.assert_causal(best_ten, X, min_rows=30)


def test_bad_use_is_a_sentence():
    with pytest.raises(DataError, match="needs more than min_rows"):
        ds.causal.assert_causal(lambda x: x, X.iloc[:2])
    with pytest.raises(OptionError):
        ds.causal.assert_causal(lambda x: x, X, cuts=0)
