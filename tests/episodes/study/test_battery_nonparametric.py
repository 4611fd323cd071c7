"""Rank and sign tests: plain loops, exact laws, ties, and the numbers of another program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats as st

from drainstats.episodes.study.testing.ranks import column_ranks, joint_ranks
from drainstats.episodes.study.testing.registry import TESTS
from drainstats.errors import OptionError
from tests.episodes.study.battery import columns, draws, rank_of, sample
from tests.episodes.study.test_battery_parametric import estudy2, estudy2_sample

__all__ = ["estudy2"]
CASES = {"one row": (1, 0.0, False), "three rows": (3, 0.0, False), "missing": (2, 0.2, False), "ties": (2, 0.1, True)}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    m, missing, ties = CASES[request.param]
    values = draws(7, (60 + m, 6), rho=0.3, missing=missing)
    s = sample(values, m)
    if not ties:
        return s
    return replace(s, estimation=np.round(s.estimation), event=np.round(s.event))


def _scores(s, kind):
    """d_t of every estimation and event row by plain loops over assets."""
    keep = np.flatnonzero(s.usable)
    both = np.vstack([s.estimation, s.event])[:, keep]
    score = np.full(both.shape, np.nan)
    for i in range(both.shape[1]):
        seen = [v for v in both[:, i] if np.isfinite(v)]
        for t, v in enumerate(both[:, i]):
            if not np.isfinite(v):
                continue
            k, size = rank_of(v, seen), len(seen)
            score[t, i] = {
                "rank": k - (size + 1) / 2,
                "modified_rank": k / (size + 1) - 0.5,
                "corrado_sign": np.sign(v - np.median(seen)),
            }[kind]
    path = []
    for row in score:
        there = row[np.isfinite(row)]
        path.append(there.sum() / (len(there) if kind == "rank" else np.sqrt(len(there))))
    return np.array(path)


@pytest.mark.parametrize("name", ["rank", "modified_rank", "corrado_sign"])
def test_path_tests_by_plain_loops(name, case):
    path, m = _scores(case, name), len(case.event)
    t = path[-m:].sum() / np.sqrt(m * (path**2).mean())
    found = TESTS[name](case)
    np.testing.assert_allclose(found.statistic, t, rtol=1e-10)
    np.testing.assert_allclose(found.p_value, 2 * st.norm.sf(abs(t)), rtol=1e-8)


def test_grank_by_plain_loops(case):
    rows = list(columns(case))
    n = len(rows)
    z = np.array([event.sum() / error for _, event, _, error, _ in rows])
    z = z / z.std(ddof=1)
    u0, variance = [], []
    for (seen, _, sigma, *_), value in zip(rows, z, strict=True):
        both = [*(seen / sigma), value]
        u0.append(rank_of(value, both) / (len(both) + 1) - 0.5)
        variance.append((len(both) - 1) / (12 * (len(both) + 1)))
    np.testing.assert_allclose(TESTS["grank_z"](case).statistic, sum(u0) / np.sqrt(sum(variance)), rtol=1e-10)
    keep = np.flatnonzero(case.usable)
    squares, length = [], len(case.estimation)
    for t in range(length):
        u = []
        for place, i in enumerate(keep):
            v = case.estimation[t, i]
            if np.isfinite(v):
                own = case.estimation[:, i]
                both = [*(own[np.isfinite(own)] / case.sigma[i]), z[place]]
                u.append(rank_of(v / case.sigma[i], both) / (len(both) + 1) - 0.5)
        squares.append(len(u) / n * np.mean(u) ** 2)
    q = np.mean(u0) / np.sqrt((sum(squares) + np.mean(u0) ** 2) / (length + 1))
    t = q * np.sqrt((length - 1) / (length - q**2))
    found = TESTS["grank_t"](case)
    np.testing.assert_allclose(found.statistic, t, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, 2 * st.t.sf(abs(t), length - 1), rtol=1e-8)


def test_signs_by_plain_loops(case):
    rows = list(columns(case))
    total = np.array([event.sum() for _, event, *_ in rows])
    above, n = int((total > 0).sum()), int((total != 0).sum())
    exact = st.binomtest(above, n).pvalue
    np.testing.assert_allclose(TESTS["sign"](case).p_value, exact, rtol=1e-10)
    np.testing.assert_allclose(TESTS["sign"](case).statistic, (above - n / 2) / (np.sqrt(n) / 2), rtol=1e-12)
    p = np.mean([(seen > 0).mean() for seen, *_ in rows])
    t = (above - n * p) / np.sqrt(n * p * (1 - p))
    np.testing.assert_allclose(TESTS["generalized_sign"](case).statistic, t, rtol=1e-10, atol=1e-12)
    found = TESTS["wilcoxon"](case)
    untied = len(np.unique(np.abs(total[total != 0]))) == n
    if untied:
        np.testing.assert_allclose(found.p_value, st.wilcoxon(total, method="exact").pvalue, rtol=1e-10)
    else:
        other = st.wilcoxon(total, method="approx", correction=False)
        np.testing.assert_allclose(found.p_value, other.pvalue, rtol=1e-10)


@pytest.mark.parametrize("n", [2, 5, 12, 37, 60, 75])
def test_wilcoxon_is_exact_up_to_sixty_assets(n):
    s = sample(draws(n, (30, n)) + 0.3)
    total = s.event.sum(axis=0)
    method = "exact" if n <= 60 else "approx"
    other = st.wilcoxon(total, method=method, correction=False).pvalue
    np.testing.assert_allclose(TESTS["wilcoxon"](s).p_value, other, rtol=1e-9)


@pytest.mark.parametrize("n", [4, 9, 20])
def test_exact_tests_never_exceed_their_level_and_reach_what_they_say(n):
    # All sign patterns of n values of different size: the p-values' law under symmetry, in full or by draws.
    rng = np.random.default_rng(n)
    signs = (
        rng.choice([-1.0, 1.0], (4000, n)) if n > 10 else 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    )
    base = sample(draws(1, (40, n)))
    event = np.abs(base.event) * signs[:, None, :]
    for name in ("sign", "wilcoxon"):
        found = TESTS[name](replace(base, event=event, usable=np.ones((len(signs), n), dtype=bool)))
        for level in (0.01, 0.05, 0.1, 0.3):
            slack = 0.0 if n <= 10 else 3 * np.sqrt(level / len(signs))
            assert (found.p_value <= level).mean() <= level + slack
        assert found.p_value.min() >= found.smallest_p.min() * (1 - 1e-12)
        if n <= 10:
            assert found.p_value.min() == pytest.approx(2.0 ** (1 - n), rel=1e-12)


def test_ranks_with_ties_and_missing_values_are_those_of_scipy():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (3, 25, 4)).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    expected = st.rankdata(values, axis=-2, nan_policy="omit")
    np.testing.assert_array_equal(column_ranks(values), expected)
    before, during, numbers = joint_ranks(values[:, :20], values[:, 20:])
    np.testing.assert_array_equal(np.concatenate([before, during], axis=1), expected)
    np.testing.assert_array_equal(numbers, np.isfinite(values).sum(axis=1))
    within = column_ranks(values[:, :20])
    np.testing.assert_array_equal(joint_ranks(values[:, :20], values[:, 20:], within)[1], during)


def test_rank_and_modified_rank_are_one_without_missing_values():
    s = sample(draws(9, (50, 8), rho=0.5), 3)
    assert TESTS["rank"](s).statistic == pytest.approx(TESTS["modified_rank"](s).statistic, rel=1e-12)


@pytest.mark.reference
def test_estudy2_nonparametric_values(estudy2):
    abnormal, market, tables = estudy2
    table = tables["nonparametric"]
    rows = abnormal.loc[: table.index[-1]]
    for day, expected in table.iterrows():
        # A day ranks among the estimation rows and the other days of the window: they stand with the estimation rows.
        s = estudy2_sample(abnormal, market, day)
        s = replace(s, estimation=rows.drop(day).to_numpy())
        # estudy2 gives the sign statistic without its sign.
        assert abs(TESTS["sign"](s).statistic) == pytest.approx(expected["sign_stat"], abs=1e-8)
        for name, column in (("modified_rank", "mrank_stat"), ("corrado_sign", "csign_stat")):
            theirs = TESTS[name].run(s, convention="estudy2").statistic
            assert theirs == pytest.approx(expected[column], abs=1e-8), (name, day)
            # Corrado and Zivney's own formula gives rows with fewer assets less weight.
            assert TESTS[name](s).statistic == pytest.approx(expected[column], rel=0.05)


def test_conventions_agree_without_missing_values():
    s = sample(draws(9, (50, 8), rho=0.5), 3)
    for name in ("modified_rank", "corrado_sign"):
        theirs = TESTS[name].run(s, convention="estudy2").statistic
        assert TESTS[name](s).statistic == pytest.approx(theirs, rel=1e-12)
    with pytest.raises(OptionError, match="convention"):
        TESTS["corrado_sign"].run(s, convention="other")
