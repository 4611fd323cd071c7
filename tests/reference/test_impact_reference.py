"""Kyle's and Hasbrouck's lambda against the numbers asserted by mlfinlab's old tests, and what those numbers are.

Tolerance 1e-9 relative against the recomputed numbers (ours sums a window anew, a running sum drifts). The folder
holds no Kyle number of frds; its convention, no intercept, is tested in tests/measures/test_lambdas.py.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds

pytestmark = pytest.mark.reference
M = ds.measures


@pytest.fixture(scope="module")
def expected(data_root):
    path = data_root / "reference" / "liquidity" / "expected" / "mlfinlab" / "expected.json"
    return json.loads(path.read_text())["values"]


@pytest.fixture(scope="module")
def bars(data_root):
    """Dollar bars with the side that mlfinlab gives them: the sign of the last price change that is not zero."""
    bars = pd.read_csv(data_root / "reference" / "liquidity" / "data" / "mlfinlab" / "dollar_bar_sample.csv")
    change = bars["close"].diff()
    return bars.assign(side=np.sign(change.where(change != 0)).ffill())


def max_mean_at25(values):
    return [values.max(), values.mean(), values.loc[25]]


def test_kyle_is_the_mean_of_ratios(bars, expected):
    flow = bars["side"] * bars["cum_vol"]
    ours = M.kyle_lambda(bars["close"], flow, window=21, method="mean_ratio")
    np.testing.assert_allclose(max_mean_at25(ours), expected["kyle"]["computed_max_mean_at25"], rtol=1e-9)
    np.testing.assert_allclose(max_mean_at25(ours), expected["kyle"]["test_max_mean_at25"], rtol=5e-3)


def test_hasbrouck_of_bars_is_the_mean_of_ratios(bars, expected):
    """The printed number is a different reading: the mean of return over signed root, not a slope."""
    value = bars["side"] * bars["cum_dollar"]
    ours = M.hasbrouck_lambda(bars["close"], value, window=21, method="mean_ratio")
    np.testing.assert_allclose(max_mean_at25(ours), expected["hasbrouck"]["computed_max_mean_at25"], rtol=1e-9)
    np.testing.assert_allclose(max_mean_at25(ours), expected["hasbrouck"]["test_max_mean_at25"], rtol=1e-4)


def test_bars_of_one_size_make_the_slope_and_the_mean_of_ratios_alike(bars, expected):
    """Dollar bars trade nearly the same value each: here both readings agree to 1 %, elsewhere they need not."""
    value = bars["side"] * bars["cum_dollar"]
    slope = M.hasbrouck_lambda(bars["close"], value, window=21)
    np.testing.assert_allclose(max_mean_at25(slope), expected["hasbrouck"]["computed_max_mean_at25"], rtol=1e-2)


def test_absolute_returns_on_signed_flow_give_nothing(bars):
    """mlfinlab's lambda of trades regresses |return| on the signed root of value (also Open-Quant/openquant #105).

    Buys and sells then cancel: its slope is near zero whatever the impact. Ours keeps the sign of the return.
    """
    value = bars["side"] * bars["cum_dollar"]
    right = M.hasbrouck_lambda(bars["close"], value, window=len(bars)).iloc[-1]
    r, root = np.log(bars["close"]).diff(), bars["side"] * np.sqrt(bars["cum_dollar"])
    used = r.notna() & root.notna()
    wrong = (r.abs() * root)[used].sum() / (root**2)[used].sum()
    assert right == pytest.approx((r * root)[used].sum() / (root**2)[used].sum(), rel=1e-9)
    assert right == pytest.approx(1.445e-7, rel=1e-3)
    assert abs(wrong) < 0.05 * right
