"""Refits along time: each equals a fit by hand, failures are rows, nothing looks ahead, workers do not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins

SPEC = ds.DCC(margins=ds.GARCH(mean="zero"))


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(760, 3, seed=5)
    return pd.DataFrame(y, columns=list("ABC"), index=pd.date_range("2019-01-01", periods=760, tz="UTC"))


@pytest.fixture(scope="module")
def rolled(panel):
    return ds.rolling_fits(SPEC, panel, window=500, every=100)


def test_every_refit_equals_a_fit_by_hand(panel, rolled):
    assert list(rolled.fits.index) == [panel.index[499], panel.index[599], panel.index[699]]
    assert rolled.fits["converged"].all()
    assert (rolled.fits["rows"] == 500).all()
    for k, origin in enumerate((500, 600, 700)):
        alone = SPEC.fit(panel.iloc[origin - 500 : origin])
        # A start moves the end of the search by its tolerance: 1e-7 of log-likelihood.
        np.testing.assert_allclose(rolled.params.iloc[k], alone.params, atol=1e-4)
        assert rolled.fits["loglikelihood"].iloc[k] == pytest.approx(alone.loglikelihood, abs=1e-5)
        high = min(origin + 100, 760)
        path = alone.filter(panel.iloc[origin - 500 : high]).average_correlation.iloc[500:]
        np.testing.assert_allclose(rolled.path.loc[path.index], path, atol=1e-4)
    assert rolled.path.index.equals(panel.index[500:])


def test_expanding_fits_take_all_rows(panel):
    grown = ds.rolling_fits(SPEC, panel, window=500, every=100, expanding=True)
    assert grown.fits["rows"].tolist() == [500, 600, 700]
    np.testing.assert_allclose(grown.params.iloc[1], SPEC.fit(panel.iloc[:600]).params, atol=1e-4)


def test_workers_do_not_change_the_answer(panel, rolled):
    again = ds.rolling_fits(SPEC, panel, window=500, every=100, n_jobs=2)
    pd.testing.assert_frame_equal(again.params, rolled.params)
    pd.testing.assert_series_equal(again.path, rolled.path)


def test_nothing_looks_ahead(panel):
    def path(frame):
        return ds.rolling_fits(SPEC, frame, window=500, every=100).path

    ds.causal.assert_causal(path, panel, cuts=4, min_rows=520)


def test_a_failed_window_is_a_row_with_its_reason(panel):
    broken = panel.copy()
    broken.iloc[:620, 1] = 0.0
    broken.iloc[620:, 1] += 1.0
    out = ds.rolling_fits(ds.CCC(margins=ds.GARCH(mean="zero")), broken, window=500, every=100)
    assert out.fits["reason"].iloc[0] != ""
    assert not out.fits["converged"].iloc[0]
    assert out.path.iloc[:100].isna().all()
    assert out.params.iloc[0].isna().all()
    assert out.path.iloc[200:].notna().all()
    assert "failed" in repr(out)
    with pytest.raises(DataError, match="No refit"):
        ds.rolling_fits(SPEC, panel.assign(B=0.0), window=500, every=100)


def test_anything_with_labels_can_be_collected(panel):
    vol = ds.rolling_fits(ds.GARCH(), panel, window=700, every=50, collect=lambda r: r.conditional_volatility)
    assert vol.path.shape == (60, 3)
    res = ds.GARCH().fit(panel.iloc[:700])
    np.testing.assert_allclose(vol.path.iloc[:50], res.filter(panel.iloc[:750]).conditional_volatility.iloc[700:])


def test_margins_that_condition_on_lags_lose_no_row(panel):
    spec = ds.DCC(margins=ds.GARCH(mean="har", lags=(1, 5)))
    out = ds.rolling_fits(spec, panel, window=600, every=100)
    assert out.path.index.equals(panel.index[600:])
    assert out.path.notna().all()
    alone = spec.fit(panel.iloc[:600]).filter(panel.iloc[:700]).average_correlation
    np.testing.assert_allclose(out.path.iloc[:100], alone.loc[panel.index[600] : panel.index[699]], atol=1e-12)


def test_bad_input(panel):
    with pytest.raises(DataError, match="760 rows"):
        ds.rolling_fits(SPEC, panel, window=760)
    with pytest.raises(OptionError):
        ds.rolling_fits(SPEC, panel, window=5)
    with pytest.raises(OptionError):
        ds.rolling_fits(SPEC, panel, window=500, every=0)


def test_plot(rolled):
    pytest.importorskip("matplotlib")
    assert len(rolled.plot().lines) == 2
