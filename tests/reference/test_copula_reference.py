"""Copula-DCC against rmgarch 1.4-2 (R), normal copula on normal margins."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.models.coliquidity.copulas.pit import areas
from drainstats.models.coliquidity.copulas.search import likelihood, state_at

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def stored(data_root):
    folder = data_root / "reference" / "coliquidity"
    expected = json.loads((folder / "expected" / "rmgarch_arch3_cop_mvnorm.json").read_text())
    y = pd.read_csv(folder / "data" / "arch3_ret.csv", index_col=0)
    # rugarch keeps the persistence at 0.999 or below.
    spec = ds.CopulaDCC(dist="normal", margins=ds.GARCH(max_persistence=0.999), convention="rmgarch")
    return expected, spec.fit(y)


def test_our_optimum(stored):
    """Log-likelihood within 1e-2 and not 1e-3 below; parameters within two thousandths of a standard error."""
    expected, res = stored
    assert -1e-3 < res.loglikelihood - expected["loglik"] < 1e-2
    errors = np.array(expected["matcoef"]["values"])[:, 1]
    assert (np.abs(res.params.to_numpy() - list(expected["coef"].values())) / errors).max() < 2e-3
    np.testing.assert_allclose(res.last, expected["R_last"], atol=1e-4)
    # rmgarch's errors of wti are those of a numerical Hessian that crash outliers disturb, as in the DCC cases.
    # It does not count the sampling error of the target.
    two_step = pd.Series(np.sqrt(np.diag(res.covariance_of("two_step"))), index=res.params.index)
    ratio = (two_step / errors).drop([n for n in res.params.index if n.startswith("wti")])
    assert (ratio - 1.0).abs().max() < 0.10, ratio.to_dict()


def test_likelihood_at_the_stored_copula_parameters(stored):
    """Our residuals, their a and b: the copula's part of the number; the margins' part is compared above."""
    expected, res = stored
    psi = np.array(list(expected["coef"].values()))[-2:]
    spec = res.spec.recursion
    value = likelihood(spec, state_at(spec, res.at, psi), psi)[0].sum()
    assert value == pytest.approx(res.copula_loglikelihood, abs=1e-6)
    cut = (areas("normal", res.std_resid.to_numpy(), np.empty(0)).area < 1e-5) & (res.std_resid.to_numpy() > 0.0)
    assert (res.pit.to_numpy()[cut] == 0.99999).all()
    assert cut.sum() > 0
