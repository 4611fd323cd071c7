"""DCC against rmgarch 1.4-2 (R): the stored cases, each statistic with its own tolerance."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.models.coliquidity.dcc.search import likelihood
from drainstats.models.coliquidity.margins.search import evaluate

pytestmark = pytest.mark.reference


@dataclass(frozen=True)
class Case:
    """One stored fit; ``margin_errors`` names the margins whose stored standard errors are comparable."""

    name: str
    order: tuple[int, int] = (1, 1)
    mean: str = "constant"
    dist: str = "normal"
    model: type = ds.DCC
    correlation_errors: bool = True
    boundary: bool = False
    margin_errors: tuple[str, ...] = field(default=())


# Margin errors are compared where rugarch's numerical Hessian agrees with the exact one. It does not for series with
# crash outliers (wti 0.7 of the stored error; arch and we agree there to 4 digits, see the last test), nor where the
# persistence stands at rugarch's limit 0.999: rmgarch then inverts an indefinite Hessian and takes absolute values
# (dji10w BAC: errors 500 times ours, and through the cross terms those of a and b with them).
CASES = [
    Case("arch3_dcc11_mvnorm", margin_errors=("sp500", "nasdaq")),
    Case("arch3_dcc11_mvnorm_zeromean", mean="zero", margin_errors=("sp500", "nasdaq")),
    Case("arch3_dcc12_mvnorm", order=(1, 2), margin_errors=("sp500", "nasdaq")),
    Case(
        "arch3_dcc21_mvnorm", order=(2, 1), correlation_errors=False, boundary=True, margin_errors=("sp500", "nasdaq")
    ),
    Case("dji5_dcc11_mvnorm", margin_errors=("AXP",)),
    Case("dji3w_dcc11_mvnorm", margin_errors=("AA", "BA")),
    Case("dji10w_dcc11_mvnorm", correlation_errors=False, margin_errors=("AA", "BA", "CAT", "CVX", "DD", "DIS")),
    Case("arch3_dcc11_mvt", dist="t", margin_errors=("sp500", "nasdaq")),
    Case("arch3_dcc11_mvlaplace", dist="laplace", margin_errors=("sp500", "nasdaq")),
    # BA stands near the limit of the persistence: the stored error of its beta is 10.4 % below ours (9.6 % with DCC).
    Case("dji3w_adcc11_mvt", dist="t", model=ds.ADCC, boundary=True, margin_errors=("AA",)),
    pytest.param(Case("dji29_dcc11_mvnorm", correlation_errors=False), marks=pytest.mark.slow),
]


@dataclass(frozen=True)
class Stored:
    """The case, its data, what rmgarch printed, and our fit."""

    case: Case
    y: pd.DataFrame
    expected: dict
    res: object

    @property
    def coef(self) -> np.ndarray:
        return np.array(list(self.expected["coef"].values()))


def _data(folder, name):
    if name.startswith("arch3"):
        return pd.read_csv(folder / "data" / "arch3_ret.csv", index_col=0)
    weekly = name.split("_")[0].endswith("w")
    frame = 100.0 * pd.read_csv(folder / "data" / f"dji30ret{'w' if weekly else ''}.csv.gz", index_col=0)
    if name.startswith("dji29"):
        return frame.drop(columns="MRK")
    return frame.iloc[:, : int(name.split("_")[0].removeprefix("dji").removesuffix("w"))]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: c.name)
def stored(request, data_root):
    folder = data_root / "reference" / "coliquidity"
    case = request.param
    expected = json.loads((folder / "expected" / f"rmgarch_{case.name}.json").read_text())
    y = _data(folder, case.name)
    # rugarch keeps the persistence at 0.999 or below.
    margins = ds.GARCH(mean=case.mean, start="rugarch", max_persistence=0.999)
    spec = case.model(order=case.order, margins=margins, dist=case.dist, convention="rmgarch")
    return Stored(case, y, expected, spec.fit(y))


def test_likelihood_at_the_stored_parameters(stored):
    """No search: the same number from the same parameters."""
    spec, coef, y = stored.res.spec, stored.coef, stored.y.to_numpy()
    k, total, z = len(spec.margins.parameter_names), 0.0, np.empty(y.shape)
    for i in range(y.shape[1]):
        theta = coef[i * k : (i + 1) * k]
        path = evaluate(spec.margins, y[:, i], theta, np.nan)
        total += path.loglikelihood
        z[:, i] = (y[:, i] - (theta[0] if spec.margins.mean == "constant" else 0.0)) / np.sqrt(path.h)
    psi = coef[y.shape[1] * k :]
    target = spec.target_at(z, psi)
    S = target.reshape(-1, *target.shape[-2:])
    np.testing.assert_allclose(S[0], stored.expected["Qbar"], atol=1e-9)
    if len(S) == 2:
        np.testing.assert_allclose(S[1], stored.expected["Nbar"], atol=1e-9)
    total += likelihood(spec, z, target, spec.before(z, target, True), psi)[0].sum()
    assert total == pytest.approx(stored.expected["loglik"], abs=1e-6)


def test_our_optimum(stored):
    """Log-likelihood within 1e-2 and not 1e-3 below; dji29 was fitted in R with default tolerances."""
    gap = stored.res.loglikelihood - stored.expected["loglik"]
    assert -1e-3 < gap < (0.1 if stored.case.name.startswith("dji29") else 1e-2)
    assert stored.res.converged


def test_parameters(stored):
    """Two thousandths of a standard error; where R printed none, 3e-4 (its default tolerances)."""
    ours = stored.res.params.to_numpy()
    if "matcoef" not in stored.expected:
        np.testing.assert_allclose(ours, stored.coef, atol=3e-4)
        return
    gap = np.abs(ours - stored.coef) / np.array(stored.expected["matcoef"]["values"])[:, 1]
    if stored.case.dist == "t":
        # rmgarch stops short in nu; the next test has the higher optimum.
        assert gap[-1] < 2e-2
        gap = gap[:-1]
    assert gap.max() < 2e-3


def test_the_maximised_likelihood_is_not_lower(stored):
    """Correlation likelihood with zeros before the sample, which rmgarch maximises: ours at our margins against its."""
    spec, z, target = stored.res.spec, stored.res.std_resid.to_numpy(), stored.res.target
    k = len(spec.parameter_names)
    before = spec.before(z, target, False)
    ours, theirs = (
        likelihood(spec, z, target, before, psi, scores=False)[0].sum()
        for psi in (stored.res.params.to_numpy()[-k:], stored.coef[-k:])
    )
    assert ours > theirs - 1e-7


def test_last_day(stored):
    np.testing.assert_allclose(stored.res.last, stored.expected["R_last"], atol=1e-4)
    if "H_last" in stored.expected:
        vol = stored.res.conditional_volatility.iloc[-1].to_numpy()
        ours = stored.res.last.to_numpy() * np.outer(vol, vol)
        np.testing.assert_allclose(ours, stored.expected["H_last"], rtol=1e-3)


def test_paths_and_forecasts(stored):
    """The path differs with the parameters only; rmgarch lets R decay towards the scaled target."""
    expected = stored.expected
    first, second = stored.res.columns[:2]
    if "R_path_12_every50" in expected:
        np.testing.assert_allclose(stored.res.pair(first, second)[::50], expected["R_path_12_every50"], atol=1e-4)
    np.testing.assert_allclose(stored.res.forecast(1).correlation[0], expected["fc_R1"], atol=1e-4)
    if expected.get("fc_R10") and stored.case.order == (1, 1):
        ahead = stored.res.forecast(10, method="r")
        np.testing.assert_allclose(ahead.correlation[9], expected["fc_R10"], atol=1e-4)
        np.testing.assert_allclose(ahead.covariance[9], expected["fc_H10"], rtol=1e-3)


def test_standard_errors(stored):
    """Ten percent: rmgarch differences its likelihood numerically, we do not. It leaves out the target's own noise."""
    if "matcoef" not in stored.expected:
        pytest.skip("no standard errors were computed for this case")
    errors = pd.Series(np.array(stored.expected["matcoef"]["values"])[:, 1], index=stored.res.params.index)
    ratio = np.sqrt(np.diag(stored.res.covariance_of("two_step"))) / errors
    names = [n for n in errors.index if n.split(".")[0] in stored.case.margin_errors]
    if stored.case.correlation_errors:
        # Its errors of nu are 14 and 17 % below ours, which multiarch confirms; see the test of multiarch's.
        names += [n for n in stored.res.spec.parameter_names if n != "nu" and stored.res.std_errors[n] > 0.0]
    assert (ratio[names] - 1.0).abs().max() < 0.10, ratio[names].to_dict()
    if stored.case.boundary:
        assert np.isnan(stored.res.std_errors["g1" if stored.case.model is ds.ADCC else "a2"])


@pytest.mark.parametrize("o", [0, 1])
def test_margins_equal_those_of_arch(data_root, o):
    """Start "arch": the same likelihood, optimum and robust errors as the arch package, crash outliers included."""
    from arch import arch_model

    y = _data(data_root / "reference" / "coliquidity", "arch3")
    ours = ds.GARCH(o=o, start="arch").fit(y)
    for name in y:
        theirs = arch_model(y[name], o=o).fit(disp="off", tol=1e-12)
        assert ours.status.loc[name, "loglikelihood"] >= theirs.loglikelihood - 1e-6
        assert ours.status.loc[name, "loglikelihood"] == pytest.approx(theirs.loglikelihood, abs=1e-4)
        mine = ours.params[[n for n in ours.params.index if n.startswith(f"{name}.")]]
        np.testing.assert_allclose(mine, theirs.params, atol=2e-4)
        if mine.min() > 0.0:
            # arch differences its scores numerically.
            np.testing.assert_allclose(ours.std_errors[mine.index], theirs.std_err, rtol=5e-3)


def _two_step(res, names):
    return np.sqrt(np.diag(res.covariance_of("two_step").loc[names, names]))


def test_second_program_agrees_on_the_errors(data_root):
    """multiarch 0.2.0 under the same convention prints these; rmgarch's are 7 % below for a and b, 14 % for nu."""
    y = _data(data_root / "reference" / "coliquidity", "arch3")
    errors = _two_step(ds.DCC(convention="rmgarch").fit(y), ["a1", "b1"])
    np.testing.assert_allclose(errors, [0.00457, 0.00618], atol=1e-5)
    errors = _two_step(ds.DCC(convention="rmgarch", dist="t").fit(y), ["a1", "b1", "nu"])
    # multiarch's optimum lies 1.4e-4 (a), 5e-5 (b) and 2e-4 (nu) off ours.
    np.testing.assert_allclose(errors, [0.004768, 0.006779, 0.59848], rtol=3e-3)


# multiarch 0.2.0: convention there and here, start of the variances, log-likelihood, (a, b[, g][, nu]) of its optimum.
MULTIARCH = [
    ("arch", "multiarch", "arch"),
    ("rmgarch", "multiarch_rmgarch", "rugarch"),
    ("tsmarch", "multiarch_tsmarch", "fcp"),
]


@pytest.mark.parametrize(("theirs", "ours", "start"), MULTIARCH)
@pytest.mark.parametrize(("kind", "dist"), [("dcc", "normal"), ("dcc", "t"), ("adcc", "normal")])
def test_multiarch_at_its_own_optimum(data_root, theirs, ours, start, kind, dist):
    """Its parameters in our likelihood under the convention named after it: the same number to 1e-6."""
    multiarch = pytest.importorskip("multiarch")
    y = _data(data_root / "reference" / "coliquidity", "arch3").iloc[:1500]
    found = multiarch.DCC(y, model=kind, corr_dist=dist, convention=theirs).fit(se=None)
    spec = (ds.ADCC if kind == "adcc" else ds.DCC)(margins=ds.GARCH(start=start), dist=dist, convention=ours)
    values, total, z = y.to_numpy(), 0.0, np.empty(y.shape)
    for i, theta in enumerate(found.uparams):
        # Its backcast is of residuals, that of arch and ours of deviations from the mean.
        weights = 0.94 ** np.arange(75)
        level = float(weights @ (values[:75, i] - theta[0]) ** 2 / weights.sum())
        path = evaluate(spec.margins, values[:, i], np.array(theta), level if start == "arch" else np.nan)
        total += path.loglikelihood
        z[:, i] = (values[:, i] - theta[0]) / np.sqrt(path.h)
    psi = np.array(found.corr_params)
    target = spec.target_at(z, psi)
    total += likelihood(spec, z, target, spec.before(z, target, True), psi)[0].sum()
    assert total == pytest.approx(found.loglik, abs=1e-6)
