"""Spreads against numbers computed by R bidask 2.1.4 and Python bidask 2.1.0.

Tolerances: 1e-12 relative on full samples (double precision), 1e-10 on rolling windows (R's running sums drift).
With missing cells R averages each product over its own rows (``missing="separate"``); ours averages rows that are
complete, which is the rule of ``bidask.edge``. Corwin-Schultz and Abdi-Ranaldo average one product: no difference.
"""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference
M = ds.measures
METHODS = {
    "EDGE": (M.edge, "OHLC"),
    **{
        name: (partial(M.ohlc_spread, method=name), "OHLC")
        for name in ("OHL", "OHLC", "CHL", "CHLO", "OHL.CHL", "OHLC.CHLO")
    },
    "AR": (M.abdi_ranaldo, "HLC"),
    "AR2": (partial(M.abdi_ranaldo, average="two_day"), "HLC"),
    "CS": (M.corwin_schultz, "HLC"),
    "CS2": (partial(M.corwin_schultz, two_day="zero"), "HLC"),
    "ROLL": (M.roll, "C"),
}
ONE_PRODUCT = ("AR", "AR2", "CS", "CS2")
NAMES = {"O": "Open", "H": "High", "L": "Low", "C": "Close"}


def as_in_r(method):
    """The method under R's rule for missing cells."""
    function, letters = METHODS[method]
    return (function if method in ONE_PRODUCT else partial(function, missing="separate")), letters


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


@pytest.mark.parametrize("method", METHODS)
def test_missing_cells_full_sample(folder, method):
    expected = json.loads((folder / "expected" / "bidask" / "expected-R-bidask.json").read_text())
    function, letters = as_in_r(method)
    tables = fields(folder, "ohlc-miss.csv", letters)
    ours = function(*tables, window=len(tables[0]))[-1]
    assert ours == pytest.approx(expected["ohlc-miss|full|signed|narm"][method], rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_missing_cells_rolling(folder, method):
    expected = pd.read_csv(folder / "expected" / "bidask" / "ohlc-miss-R-rolling21-signed.csv.gz")[method].to_numpy()
    function, letters = as_in_r(method)
    ours = function(*fields(folder, "ohlc-miss.csv", letters), window=21)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_the_two_rules_are_one_where_nothing_is_missing(folder, method):
    function, letters = METHODS[method]
    tables = [a[:3000] for a in fields(folder, "ohlc.csv", letters)]
    np.testing.assert_allclose(as_in_r(method)[0](*tables), function(*tables), rtol=0, atol=1e-12)


def test_rolling_bidask_differs_from_its_own_one_window_function(folder):
    """bidask.edge_rolling over the whole sample is not bidask.edge: 0.01023 against 0.01013; ours names both."""
    expected = json.loads((folder / "expected" / "bidask" / "expected-python.json").read_text())
    known = expected["known_divergence_missing_data"]
    tables = fields(folder, "ohlc-miss.csv", "OHLC")
    rows = len(tables[0])
    separate = M.edge(*tables, window=rows, missing="separate")[-1]
    assert separate == pytest.approx(0.0102300731527283, rel=1e-12)
    assert M.edge(*tables, window=rows)[-1] == pytest.approx(known["edge()"], rel=1e-12)


SIX_NUMBERS = {
    "adjusted, signed": ({}, -0.00315),
    "adjusted, absolute": ({"negative": "abs"}, 0.00315),
    "adjusted, two-day values clipped": ({"two_day": "zero"}, 0.00393),
    "not adjusted, clipped": ({"two_day": "zero", "overnight": False}, 0.00250),
    "not adjusted, signed": ({"overnight": False}, -0.0238),
    "adjusted, negatives dropped": ({"two_day": "nan"}, 0.00626),
}


@pytest.mark.parametrize("treatment", SIX_NUMBERS)
def test_six_numbers_from_one_formula(folder, treatment):
    """Corwin and Schultz on bars with a true spread of 1 %: every published treatment of nights and negatives."""
    options, printed = SIX_NUMBERS[treatment]
    tables = fields(folder, "ohlc.csv", "HLC")
    ours = M.corwin_schultz(*tables, window=len(tables[0]), **options)[-1]
    assert ours == pytest.approx(printed, abs=6e-6 if abs(printed) < 0.01 else 6e-5)  # the printed digits


def test_roll_of_dollar_bars_in_price_units(folder):
    """mlfinlab: 2 sqrt(|cov|) of price changes, windows of 20 pairs; its impact divides by the bar's traded value."""
    expected = json.loads((folder / "expected" / "mlfinlab" / "expected.json").read_text())["values"]
    bars = pd.read_csv(folder / "data" / "mlfinlab" / "dollar_bar_sample.csv")
    ours = M.roll(bars["close"], window=22, returns="difference", negative="abs")  # 20 pairs
    for name, values in {"roll": ours, "roll_impact": ours / bars["cum_dollar"]}.items():
        found = [values.max(), values.mean(), values.loc[25]]
        np.testing.assert_allclose(found, expected[name]["computed_max_mean_at25"], rtol=1e-10)


def test_corwin_schultz_of_dollar_bars_mixes_windows_in_mlfinlab(folder):
    """Its beta is a mean over 20 bars beside the gamma of one pair; the paper takes both from the same two days."""
    expected = json.loads((folder / "expected" / "mlfinlab" / "expected.json").read_text())["values"]["corwin_schultz"]
    bars = pd.read_csv(folder / "data" / "mlfinlab" / "dollar_bar_sample.csv")
    high, low = bars["high"], bars["low"]
    square = np.log(high / low) ** 2
    gamma = np.log(high.rolling(2).max() / low.rolling(2).min()) ** 2
    k = 3 - 2 * np.sqrt(2)

    def spread(beta):
        alpha = (np.sqrt(2) - 1) / k * np.sqrt(beta) - np.sqrt(gamma / k)
        return 2 * np.tanh(alpha.clip(lower=0) / 2)

    pair = square + square.shift()
    theirs = spread(pair.rolling(20).mean())
    found = [theirs.max(), theirs.mean(), theirs.loc[25]]
    np.testing.assert_allclose(found, expected["computed_max_mean_at25"], rtol=1e-10)
    ours = M.corwin_schultz(high, low, bars["close"], window=21, overnight=False, two_day="zero")
    np.testing.assert_allclose(ours, spread(pair).rolling(20).mean(), rtol=0, atol=1e-15)
    assert theirs.mean() > 2 * ours.mean()


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
