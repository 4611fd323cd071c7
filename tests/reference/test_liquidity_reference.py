"""Spreads against numbers computed by R bidask 2.1.4 and Python bidask 2.1.0.

Tolerances: 1e-12 relative on full samples (double precision), 1e-10 on rolling windows (R's running sums drift).
With missing cells R averages each product over its own rows in rolling windows; ours is the one-window rule, so only
the full-sample Python value is a target there.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference
M = ds.measures
METHODS = {
    "EDGE": (M.edge, "OHLC"),
    "CS": (M.corwin_schultz, "HLC"),
    "AR": (M.abdi_ranaldo, "HLC"),
    "ROLL": (M.roll, "C"),
}
NAMES = {"O": "Open", "H": "High", "L": "Low", "C": "Close"}


@pytest.fixture(scope="module")
def folder(data_root):
    return data_root / "reference" / "liquidity"


def fields(folder, file, letters):
    data = pd.read_csv(folder / "data" / "bidask" / file)
    data.columns = data.columns.str.removeprefix("MSFT.")
    return [data[NAMES[letter]].to_numpy(dtype=float) for letter in letters]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", ["ohlc", "msft"])
def test_full_sample(folder, method, key):
    expected = json.loads((folder / "expected" / "bidask" / "expected-R-bidask.json").read_text())
    function, letters = METHODS[method]
    tables = fields(folder, f"{key}.csv", letters)
    ours = function(*tables, window=len(tables[0]))[-1]
    assert ours == pytest.approx(expected[f"{key}|full|signed|keepna"][method], rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_rolling(folder, method):
    expected = pd.read_csv(folder / "expected" / "bidask" / "ohlc-R-rolling21-signed.csv.gz")[method].to_numpy()
    function, letters = METHODS[method]
    ours = function(*fields(folder, "ohlc.csv", letters), window=21)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_full_sample_of_simulated_bars(folder, method):
    """R prints this file's estimates as absolute values."""
    expected = json.loads((folder / "expected" / "bidask" / "expected-R-bidask.json").read_text())
    function, letters = METHODS[method]
    tables = fields(folder, "sim-seed123-prob0.01.csv.gz", letters)
    ours = function(*tables, window=len(tables[0]), negative="abs")[-1]
    assert ours == pytest.approx(expected["sim-seed123-prob0.01|full|abs"][method], rel=1e-12)


@pytest.mark.parametrize("method", ["CS", "AR"])
def test_rolling_with_missing_cells(folder, method):
    """These two average one product, so that R's rule and ours are the same."""
    expected = pd.read_csv(folder / "expected" / "bidask" / "ohlc-miss-R-rolling21-signed.csv.gz")[method].to_numpy()
    function, letters = METHODS[method]
    ours = function(*fields(folder, "ohlc-miss.csv", letters), window=21)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10)


def test_amihud_of_dollar_bars(folder):
    """mlfinlab's old asserted numbers, recomputed: log returns, no scaling, windows of 20 returns."""
    expected = json.loads((folder / "expected" / "mlfinlab" / "expected.json").read_text())["values"]["amihud"]
    bars = pd.read_csv(folder / "data" / "mlfinlab" / "dollar_bar_sample.csv")
    ours = M.amihud(bars["close"], bars["cum_dollar"], window=20).iloc[20:]  # the first bar has no return
    found = [ours.max(), ours.mean(), ours.loc[25]]
    np.testing.assert_allclose(found, expected["computed_max_mean_at25"], rtol=1e-12)


def test_missing_data_follow_the_one_window_rule(folder):
    expected = json.loads((folder / "expected" / "bidask" / "expected-python.json").read_text())
    tables = fields(folder, "ohlc-miss.csv", "OHLC")
    ours = M.edge(*tables, window=len(tables[0]))[-1]
    assert ours == pytest.approx(expected["known_divergence_missing_data"]["edge()"], rel=1e-12)


def test_first_ten_bars(folder):
    expected = json.loads((folder / "expected" / "bidask" / "expected-python.json").read_text())
    tables = [a[:10] for a in fields(folder, "ohlc.csv", "OHLC")]
    assert M.edge(*tables, window=10)[-1] == pytest.approx(expected["edge"]["ohlc.csv[0:10] sign=True"], rel=1e-12)
