"""The parametric bootstrap: same answer everywhere, known moments, failures as rows, sentences."""

from __future__ import annotations

import dataclasses
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def res():
    return ds.CCC(margins=ds.GARCH(mean="zero")).fit(twins.simulate_dcc(500, 2, seed=3, a=0.0, b=0.0))


@pytest.fixture(scope="module")
def found(res):
    return ds.bootstrap(res, draws=40, seed=5)


def test_the_answer_depends_on_the_seed_and_on_no_engine(res, found):
    few = ds.bootstrap(res, draws=6, seed=5)
    pd.testing.assert_frame_equal(few.params, found.params.iloc[:6])
    assert not few.params.equals(ds.bootstrap(res, draws=6, seed=6).params)
    with joblib.parallel_config(backend="threading"):
        pd.testing.assert_frame_equal(ds.bootstrap(res, draws=6, seed=5, n_jobs=2).params, few.params)
    again = ds.bootstrap(pickle.loads(pickle.dumps(res)), draws=6, seed=5)
    pd.testing.assert_frame_equal(again.params, few.params)


def test_a_row_is_the_fit_of_a_simulated_sample(res, found):
    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(1)[0])
    sample = res.simulate(res.nobs, seed=int(rng.integers(2**63)))
    assert sample.shape == (500, 2)
    pd.testing.assert_series_equal(found.params.iloc[0], res.spec.fit(sample).params, check_names=False)


def test_moments_and_quantiles_are_those_of_the_rows(res, found):
    table = found.params.to_numpy()
    np.testing.assert_allclose(found.bias, table.mean(axis=0) - res.params)
    np.testing.assert_allclose(found.std_errors, table.std(axis=0, ddof=1))
    plain, basic = found.conf_int(0.8, "percentile"), found.conf_int(0.8)
    np.testing.assert_allclose(plain, np.quantile(table, [0.1, 0.9], axis=0).T)
    np.testing.assert_allclose(basic["lower"] + plain["upper"], 2.0 * res.params)
    normal = found.conf_int(0.8, "normal")
    np.testing.assert_allclose(normal.mean(axis=1), 2.0 * res.params - table.mean(axis=0))
    np.testing.assert_allclose(normal.diff(axis=1)["upper"], 2.0 * 1.2815516 * found.std_errors, rtol=1e-6)
    assert (found.conf_int(0.9, "percentile")["lower"] <= plain["lower"]).all()
    # The correlation: the error of 40 draws' deviation is 11 %, three of them and the asymptotic error's own.
    name = res.params.index[-1]
    assert found.std_errors[name] == pytest.approx(res.std_errors[name], rel=0.4)
    assert "40 samples, 40 fits converged" in repr(found)


def test_every_kind_of_fit_can_be_drawn_from():
    y = pd.DataFrame(twins.simulate_dcc(400, 2, seed=8), columns=["A", "B"])
    dcc = ds.DCC().fit(y)
    fits = [ds.GARCH().fit(y["A"]), ds.GARCH(dist="t").fit(y), dcc, ds.DCC(margins=None).fit(dcc.std_resid)]
    fits += [ds.DECO().fit(y), ds.CDCC().fit(y)]
    for fit in fits:
        draws = ds.bootstrap(fit, draws=2)
        assert draws.params.columns.equals(fit.params.index)
        assert np.isfinite(draws.params).all(axis=None)
    filtered = dcc.filter(y.iloc[:100])
    pd.testing.assert_frame_equal(ds.bootstrap(filtered, draws=2).params, ds.bootstrap(dcc, draws=2).params)


@dataclasses.dataclass(frozen=True)
class Moody:
    """A spec that fits some samples, and its own result."""

    params: pd.Series = dataclasses.field(default_factory=lambda: pd.Series([0.0], index=["m"]))
    nobs: int = 20
    converged: bool = True

    @property
    def spec(self):
        return self

    def simulate(self, steps, seed):
        return pd.DataFrame(np.random.default_rng(seed).standard_normal((steps, 1)))

    def fit(self, y):
        mean = float(y.mean().iloc[0])
        if mean < 0.0:
            raise DataError("The mean is below zero.")
        return dataclasses.replace(self, params=pd.Series([mean if mean < 0.3 else np.nan], index=["m"]))


def test_samples_that_cannot_be_fitted_are_rows_with_a_reason():
    draws = ds.bootstrap(Moody(), draws=40)
    failed, missing = draws.status["reason"].str.contains("below zero"), draws.status["reason"].str.contains("no estim")
    assert failed.sum() > 10
    assert missing.sum() > 0
    assert draws.params[failed | missing].isna().all(axis=None)
    assert not draws.status["converged"][failed].any()
    kept = draws.params[~(failed | missing)]["m"]
    assert draws.bias["m"] == pytest.approx(kept.mean())
    np.testing.assert_allclose(draws.conf_int(0.5, "percentile").loc["m"], kept.quantile([0.25, 0.75]))


def test_bad_choices_are_sentences(res, found):
    for bad in (0, 1, 2.5, True):
        with pytest.raises(OptionError, match="draws"):
            ds.bootstrap(res, draws=bad)
    with pytest.raises(OptionError):
        found.conf_int(method="bca")
    with pytest.raises(OptionError, match="level"):
        found.conf_int(level=1.5)
    from arch import arch_model

    y = twins.simulate_dcc(300, 2, seed=1)
    given = {k: arch_model(y[:, i], rescale=False).fit(disp="off") for i, k in enumerate("AB")}
    with pytest.raises(DataError, match="arch"):
        ds.bootstrap(ds.DCC().fit(given))
