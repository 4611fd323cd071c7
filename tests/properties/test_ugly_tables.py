"""Any table, however ugly: an answer or one sentence; no other exception, no warning, no change of the input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DrainstatsError, DrainstatsWarning


@st.composite
def tables(draw, rows=(0, 90)):
    """Positive random walks with a spoiled part: holes, zeros, negatives, infinities, flat, equal and huge series."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    shape = draw(st.integers(*rows)), draw(st.integers(0, 5))
    values = np.exp(0.1 * rng.standard_normal(shape).cumsum(axis=0))
    spoils = draw(st.lists(st.sampled_from(sorted(SPOIL)), max_size=3, unique=True))
    if values.size:
        for name in spoils:
            SPOIL[name](values, rng)
    start = draw(st.sampled_from(["2019-12-20", "2019-12-20T00:00Z"]))
    index = pd.date_range(start, periods=shape[0], freq=draw(st.sampled_from(["D", "h", "7min"])))
    return pd.DataFrame(values, index, [f"A{i}" for i in range(shape[1])])


def _cells(values, rng, what, share=0.2):
    values[rng.random(values.shape) < share] = what


SPOIL = {
    "holes": lambda v, r: _cells(v, r, np.nan),
    "mostly holes": lambda v, r: _cells(v, r, np.nan, 0.9),
    "all missing": lambda v, r: v.fill(np.nan),
    "zeros": lambda v, r: _cells(v, r, 0.0),
    "negatives": lambda v, r: _cells(v, r, -1.0),
    "infinities": lambda v, r: _cells(v, r, np.inf, 0.02),
    "flat asset": lambda v, r: v[:, 0].fill(1.0),
    "flat": lambda v, r: v.fill(3.0),
    "empty asset": lambda v, r: v[:, -1].fill(np.nan),
    "twins": lambda v, r: v.__setitem__((slice(None), -1), v[:, 0]),
    "huge": lambda v, r: v.__imul__(1e150),
    "tiny": lambda v, r: v.__imul__(1e-150),
    "one jump": lambda v, r: v.__setitem__(len(v) // 2, 1e9),
    "ties": lambda v, r: np.round(v, 1, out=v),
}


def level(x):
    return ds.signals.CoLiquidityLevel(min_rows=50, max_rows=60, refit_every=20).transform(x)


def studied(x):
    event = x.index[-3] if len(x) > 3 else "2020-01-01"
    return ds.event_study(x, event, estimation=(-30, -3), window=(0, 1))


def backtested(x):
    known = [ds.Episode.from_dates(t, t) for t in x.index[30:60:15]]
    return ds.backtest_signals(x, known, min_history=10, horizon=5)


def with_errors(spec):
    return lambda x: spec.fit(x).summary()


FUNCTIONS = {
    "detect_episodes": lambda x: [repr(e) for e in ds.detect_episodes(x, min_baseline=10)],
    "detect a pair": lambda x: [
        repr(e) for e in ds.detect_episodes(x, min_baseline=5, line=0.5, min_breadth=0.1, quiet=1)
    ],
    "event_study": lambda x: repr(studied(x)),
    "backtest_signals": lambda x: repr(backtested(x)),
    "CoLiquidityLevel": level,
    "innovations": ds.innovations,
    "AR innovations": lambda x: ds.innovations(x, method="ar_residual", lags=3),
    "GARCH": with_errors(ds.GARCH()),
    "GJR": with_errors(ds.GARCH(o=1, start="arch")),
    "CCC": with_errors(ds.CCC()),
    "DCC": with_errors(ds.DCC()),
    "DCC of rmgarch": with_errors(ds.DCC(convention="rmgarch", margins=ds.GARCH(mean="zero"))),
    "breadth_null": lambda x: ds.breadth_null(x.iloc[:, :1], min_rows=5),
    "co_movement_test": lambda x: ds.co_movement_test(x, draws=9),
    "edge": lambda x: ds.measures.edge(x, 1.1 * x, 0.9 * x, x, window=5),
    "corwin_schultz": lambda x: ds.measures.corwin_schultz(1.1 * x, 0.9 * x, x, window=5),
    "abdi_ranaldo": lambda x: ds.measures.abdi_ranaldo(1.1 * x, 0.9 * x, x, window=5),
    "roll": lambda x: ds.measures.roll(x, window=5),
    "parkinson": lambda x: ds.measures.parkinson(1.1 * x, x, window=5),
    "amihud": lambda x: ds.measures.amihud(x, x, window=5),
    "threshold_alarms": lambda x: ds.signals.threshold_alarms(x.iloc[:, :1], min_history=5),
    "assert_causal": lambda x: ds.causal.assert_causal(lambda y: y.rolling(3).max(), x, cuts=10),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=tables())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_an_answer_or_one_sentence(name, x):
    before = x.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DrainstatsWarning)
        message = None
        try:
            FUNCTIONS[name](x)
        except DrainstatsError as error:
            message = str(error)
    assert message is None or (len(message) > 20 and "\n" not in message)
    pd.testing.assert_frame_equal(x, before)
