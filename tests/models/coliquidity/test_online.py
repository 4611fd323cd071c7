"""Row by row: every step equals the row of a filter over all data, whatever margins and recursion."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(640, 3, seed=7)
    return pd.DataFrame(y, columns=list("ABC"), index=pd.date_range("2019-01-01", periods=640))


SPECS = [
    ds.DCC(order=(2, 1), margins=ds.GARCH(p=1, o=1, q=2, mean="ar", lags=(1, 3))),
    ds.ADCC(margins=ds.EGARCH(mean="har", lags=(1, 5), dist="t")),
    ds.CDCC(margins=ds.GARCH(mean="zero")),
    ds.DCC(dist="t", convention="rmgarch"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{type(s).__name__}{s.order}, {s.margins.mean}")
def test_steps_equal_the_filter(panel, spec):
    res = spec.fit(panel.iloc[:600])
    state, whole = ds.online(res), res.filter(panel)
    means = whole.margins.conditional_mean
    first = 640 - len(whole.index)
    path = whole.correlation
    for t in range(600, 640):
        np.testing.assert_allclose(state.correlation, path[t - first], atol=1e-10)
        np.testing.assert_allclose(state.volatility, whole.conditional_volatility.iloc[t - first], rtol=1e-9)
        np.testing.assert_allclose(state.mean, means.iloc[t - first], atol=1e-9)
        np.testing.assert_allclose(state.covariance, whole.covariance[t - first], rtol=1e-8, atol=1e-12)
        state = state.update(panel.iloc[t])
    ahead = whole.forecast(1)
    np.testing.assert_allclose(state.correlation, ahead.correlation[0], atol=1e-10)
    np.testing.assert_allclose(state.volatility**2, ahead.variance.iloc[0], rtol=1e-9)
    assert state.rows == 40
    assert "40 new rows" in repr(state)


def test_a_state_stays_as_it_is_and_rows_go_by_name(panel):
    state = ds.online(SPECS[2].fit(panel.iloc[:600]))
    before = state.correlation.copy()
    by_name = state.update(panel.iloc[600][["C", "A", "B"]])
    by_place = state.update(panel.iloc[600].to_numpy())
    pd.testing.assert_frame_equal(by_name.correlation, by_place.correlation)
    pd.testing.assert_frame_equal(state.correlation, before)


def test_bad_input(panel):
    state = ds.online(SPECS[2].fit(panel.iloc[:600]))
    with pytest.raises(DataError, match="missing or infinite"):
        state.update([1.0, np.nan, 0.0])
    with pytest.raises(DataError, match="has 3 assets"):
        state.update([1.0, 0.0])
    with pytest.raises(DataError, match="the model"):
        state.update(pd.Series({"A": 1.0, "B": 1.0, "Z": 1.0}))
    with pytest.raises(OptionError, match="online takes"):
        ds.online(ds.CCC().fit(panel.iloc[:300]))
    with pytest.raises(OptionError, match="online takes"):
        ds.online(ds.DCC(margins=None).fit(panel.iloc[:300]))
    holes = panel.iloc[:600].copy()
    holes.iloc[-1, 0] = np.nan
    with pytest.raises(DataError, match="complete ones"):
        ds.online(ds.DCC().fit(holes))
