"""Tests by size: plain loops, laws that are exact, and the numbers of another program."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

from drainstats.episodes.study.testing.registry import TESTS, run_test
from tests.episodes.study.battery import columns, draws, sample

CASES = {"one row": (1, 0.0), "four rows": (4, 0.0), "missing": (2, 0.15)}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    m, missing = CASES[request.param]
    values = draws(3, (80 + m, 7), rho=0.3, missing=missing)
    values[:, 5] *= 20
    values[-1, 6] = np.nan  # takes no part
    return sample(values, m, market=draws(4, (80 + m, 1))[:, 0])


def _twin_path(s):
    keep = np.flatnonzero(s.usable)
    path = []
    for row in s.estimation[:, keep]:
        seen = row[np.isfinite(row)]
        path.append(seen.mean())
    return np.array(path), np.array([row[keep].mean() for row in s.event])


def _twin(name, s):
    rows = list(columns(s))
    n, m = len(rows), s.event.shape[0]
    total = np.array([event.sum() for _, event, *_ in rows])
    z = np.array([event.sum() / error for _, event, _, error, _ in rows])
    patell = z.sum() / np.sqrt(sum(f / (f - 2) for *_, f in rows))
    if name == "patell":
        return patell, 2 * st.norm.sf(abs(patell))
    if name == "kp_patell":
        t = patell / np.sqrt(1 + (n - 1) * s.correlation)
        return t, 2 * st.norm.sf(abs(t))
    if name in ("bmp", "t"):
        found = st.ttest_1samp(z if name == "bmp" else total, 0.0)
        return found.statistic, found.pvalue
    if name == "kp_bmp":
        t = st.ttest_1samp(z, 0.0).statistic * np.sqrt((1 - s.correlation) / (1 + (n - 1) * s.correlation))
        return t, 2 * st.t.sf(abs(t), n - 1)
    if name == "skewness_adjusted_t":
        u, g = total.mean() / total.std(ddof=1), ((total - total.mean()) ** 3).mean() / total.std(ddof=1) ** 3
        t = np.sqrt(n) * (u + g * u**2 / 3 + g**2 * u**3 / 27 + g / (6 * n))
        return t, 2 * st.t.sf(abs(t), n - 1)
    if name == "brown_warner_1980":
        t = total.sum() / np.sqrt(m * sum(sigma**2 for _, _, sigma, *_ in rows))
        return t, 2 * st.norm.sf(abs(t))
    path, event = _twin_path(s)
    if name == "brown_warner_1985":
        t = event.sum() / (np.sqrt(m) * path.std(ddof=1))
        return t, 2 * st.t.sf(abs(t), len(path) - 1)
    freedom = np.mean([f for *_, f in rows])
    factor = np.mean([(error / sigma) ** 2 for _, _, sigma, error, _ in rows])
    t = event.sum() / np.sqrt(((path - path.mean()) ** 2).sum() / freedom * factor)
    return t, 2 * st.t.sf(abs(t), freedom)


PARAMETRIC = [
    "patell",
    "kp_patell",
    "bmp",
    "t",
    "kp_bmp",
    "skewness_adjusted_t",
    "brown_warner_1980",
    "brown_warner_1985",
    "lamb",
]


@pytest.mark.parametrize("name", PARAMETRIC)
def test_a_plain_loop_gives_the_same(name, case):
    outcome = TESTS[name](case)
    statistic, p_value = _twin(name, case)
    # Sums in another order: twelve digits.
    np.testing.assert_allclose(outcome.statistic, statistic, rtol=1e-10)
    np.testing.assert_allclose(outcome.p_value, p_value, rtol=1e-8)


def test_lamb_is_the_prediction_test_of_the_portfolio():
    x, y = draws(1, (61, 1))[:, 0], draws(2, (61, 5), rho=0.4)
    found = TESTS["lamb"](sample(y, market=x))
    # A dummy for the last row in a regression of the mean of the assets is that test.
    mean, design = y.mean(axis=1), np.column_stack([np.ones(61), x, np.arange(61) == 60])
    beta, rss = np.linalg.lstsq(design, mean)[:2]
    error = np.sqrt(rss[0] / 58 * np.linalg.inv(design.T @ design)[2, 2])
    np.testing.assert_allclose(found.statistic, beta[2] / error, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, 2 * st.t.sf(abs(beta[2] / error), 58), rtol=1e-8)


def test_correlation_zero_leaves_patell_and_bmp():
    s = replace(sample(draws(5, (50, 6))), correlation=np.array(0.0))
    for plain, adjusted in (("patell", "kp_patell"), ("bmp", "kp_bmp")):
        assert TESTS[plain](s).statistic == pytest.approx(TESTS[adjusted](s).statistic, rel=1e-14)


def test_residuals_that_cancel_leave_no_kp_test():
    # -1 / (n - 1) is the mean correlation of n residuals that sum to zero in every row.
    s = replace(sample(draws(6, (60, 5))), correlation=np.array(-0.25))
    for name in ("kp_bmp", "kp_patell"):
        found = run_test(name, [s])
        assert np.isnan(found["statistic"])
        assert np.isnan(found["p_value"])
        assert found["n_events"] == 0


@pytest.fixture(scope="module")
def estudy2(data_root):
    folder = data_root / "reference" / "events" / "eventstudy"
    abnormal = pd.read_csv(folder / "data" / "estudy2_abnormal.csv", index_col=0)
    market = pd.read_csv(folder / "data" / "estudy2_market.csv", index_col=0)["market"]
    expected = json.loads((folder / "expected" / "estudy2_expected.json").read_text())
    tables = {kind: pd.DataFrame(rows).set_index("date") for kind, rows in expected.items()}
    return abnormal, market, tables


def estudy2_sample(abnormal, market, day):
    """A sample in estudy2's conventions: divisor L - 1; the market's mean and variation from all estimation rows."""
    before, x = abnormal.loc[:"2020-03-13"], market.loc[:"2020-03-13"]
    rows, sigma = before.notna().sum().to_numpy(float), before.std(ddof=1).to_numpy()
    leverage = (market[day] - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    error = sigma * np.sqrt(1 + 1 / rows + leverage)
    ours = sample(np.vstack([before, abnormal.loc[[day]]]))
    return replace(
        ours,
        estimation=before.to_numpy(),
        event=abnormal.loc[[day]].to_numpy(),
        sigma=sigma,
        error=error[None],
        total_error=error,
        freedom=rows - 2,
    )


@pytest.mark.reference
def test_estudy2_parametric_values(estudy2):
    abnormal, market, tables = estudy2
    columns = {"brown_warner_1980": "bw_1980_stat", "t": "t_test_stat", "bmp": "bh_stat"}
    for day, row in tables["parametric"].iterrows():
        s = estudy2_sample(abnormal, market, day)
        for name, column in columns.items():
            assert TESTS[name](s).statistic == pytest.approx(row[column], abs=1e-8), (name, day)
        stars = {"": (0.1, 1.0), "*": (0.05, 0.1), "**": (0.01, 0.05), "***": (0.0, 0.01)}
        low, high = stars[row["bh_signif"]]
        assert low < TESTS["bmp"](s).p_value <= high  # Student's law, as theirs


@pytest.mark.reference
def test_estudy2_abnormal_values_in_our_convention_differ_little(estudy2, data_root):
    abnormal, market, tables = estudy2
    folder = data_root / "reference" / "events" / "eventstudy"
    observed = pd.read_csv(folder / "data" / "estudy2_observed.csv", index_col=0)
    for day, row in tables["parametric"].iterrows():
        keep = [*observed.loc[:"2020-03-13"].index, day]
        ours = sample(observed.loc[keep].to_numpy(), market=market[keep].to_numpy())
        np.testing.assert_allclose(ours.event[0], abnormal.loc[day], atol=1e-12)
        # Divisor L - 2 and each asset's own market rows move the fourth digit.
        assert TESTS["bmp"](ours).statistic == pytest.approx(row["bh_stat"], rel=2e-3, abs=2e-3)
        assert TESTS["brown_warner_1980"](ours).statistic == pytest.approx(row["bw_1980_stat"], rel=2.5e-3)
