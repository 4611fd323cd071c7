"""`event_study`: statistics against a slow twin, rules on missing data and odd events, and what the result offers."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import drainstats as ds
from drainstats.episodes.study.commondate import (
    date_statistics,
    effective_number,
    kp_factor,
    many_shares_passed,
    placebo_p_value,
    pooled_p_value,
)
from drainstats.episodes.study.expected.abnormal import Offsets, abnormal_values
from drainstats.errors import CommonShareWarning, DataError

DAYS = pd.date_range("2018-01-01", periods=700, tz="UTC", name="time")
NAMES = list("ABCDEFGH")


def calm(seed: int = 1, rows: int = 700, rho: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((rows, 1)), rng.standard_normal((rows, len(NAMES)))
    return pd.DataFrame(np.sqrt(rho) * common + np.sqrt(1 - rho) * own, DAYS[:rows], NAMES)


def twin(values, row, offsets, market=None):
    """One date by textbook regressions and double loops: BMP, KP-BMP and the mean residual correlation."""
    before = np.arange(row + offsets.estimation[0], row + offsets.estimation[1] + 1)
    during = np.arange(row + offsets.window[0], row + offsets.window[1] + 1)
    design = np.column_stack([np.ones(len(values))] + ([] if market is None else [market]))
    standardized, residuals = [], []
    for y in values.T:
        rows = before[np.isfinite(y[before]) & np.isfinite(design[before]).all(axis=1)]
        x = design[rows]
        coefficients = np.linalg.lstsq(x, y[rows], rcond=None)[0]
        e = y[rows] - x @ coefficients
        total = (y[during] - design[during] @ coefficients).sum()
        ahead = design[during].sum(axis=0)
        error = e @ e / (len(rows) - x.shape[1]) * (len(during) + ahead @ np.linalg.inv(x.T @ x) @ ahead)
        standardized.append(total / np.sqrt(error))
        residuals.append(pd.Series(e / np.sqrt(np.mean(e**2)), rows))
    a, n, products, joint = np.array(standardized), len(standardized), 0.0, 0
    for i in range(n):
        for j in range(i):
            both = pd.concat([residuals[i], residuals[j]], axis=1, join="inner")
            products, joint = products + both.prod(axis=1).sum(), joint + len(both)
    r = products / joint
    bmp = a.mean() / (a.std(ddof=1) / np.sqrt(n))
    return bmp, bmp * np.sqrt((1 - r) / (1 + (n - 1) * r)), r


@pytest.mark.parametrize("with_market", [False, True])
@pytest.mark.parametrize("window", [(0, 0), (-1, 3)])
@pytest.mark.parametrize("holes", [False, True])
def test_statistics_are_those_of_the_slow_twin(with_market, window, holes):
    rng = np.random.default_rng(4)
    market = rng.standard_normal(200)
    values = 5.0 + rng.standard_normal((200, 1)) + rng.standard_normal((200, 6)) * np.arange(1, 7) + market[:, None]
    if holes:
        values[rng.random(values.shape) < 0.2] = np.nan
        market[30] = np.nan
        values[135:170] = np.where(np.isnan(values[135:170]), 1.0, values[135:170])
    offsets, x = Offsets((-100, -6), window), market if with_market else None
    found = date_statistics(values, offsets, 140, 20, market=x)
    for k, row in enumerate(range(140, 160)):
        expected = twin(values, row, offsets, x)
        # Sums over windows against regressions: rounding only.
        np.testing.assert_allclose([found.bmp[k], found.kp[k], found.correlation[k]], expected, rtol=1e-9)


def test_mean_correlation_of_complete_data_is_the_mean_of_the_correlation_matrix():
    y = calm().to_numpy()[:300]
    found = date_statistics(y, Offsets((-250, -11), (0, 0)), 260, 1).correlation[0]
    matrix = np.corrcoef(y[10:250].T)
    assert found == pytest.approx(matrix[np.triu_indices(8, 1)].mean(), rel=1e-12)


def test_kp_factor_from_the_covariance_matrix():
    for n, r in ((2, 0.4), (20, 0.3), (7, -0.1)):
        c = (1 - r) * np.eye(n) + r
        centre = np.eye(n) - 1 / n
        dispersion = np.trace(centre @ c) / (n - 1)
        of_the_mean = np.ones(n) @ c @ np.ones(n) / n**2
        assert kp_factor(np.array([r]), np.array([float(n)]))[0] == pytest.approx(
            np.sqrt(dispersion / n / of_the_mean), rel=1e-12
        )


def test_forecast_error_of_the_sum_covers_what_it_should():
    rng = np.random.default_rng(5)
    market = rng.standard_normal(80)
    y = 0.3 + 1.5 * market[:, None] + rng.standard_normal((80, 6000))
    z = abnormal_values(y, Offsets((-60, -2), (0, 4)), 70, 1, market=market).standardized[0]
    # t with 57 degrees of freedom: sd 1.018; 6000 draws leave a standard error of .009.
    assert z.std() == pytest.approx(stats.t(57).std(), abs=0.04)


def test_tests_come_in_the_order_asked_with_their_laws():
    y = calm()
    both = ds.event_study(y, DAYS[600])
    assert list(both.tests.index) == ["studentized_placebo", "kp_bmp"]
    swapped = ds.event_study(y, DAYS[600], tests=("kp_bmp", "studentized_placebo")).tests
    assert list(swapped.index) == ["kp_bmp", "studentized_placebo"]
    row = both.tests.loc["kp_bmp"]
    assert row["p_value"] == pytest.approx(2 * stats.t(7).sf(abs(row["statistic"])), rel=1e-12)
    assert row["reference"] == "t(7)"
    only = ds.event_study(y, DAYS[600], tests="kp_bmp").tests
    assert list(only.index) == ["kp_bmp"]


def test_placebo_rank_counts_by_hand():
    study = ds.event_study(calm(), DAYS[600])
    t, placebos = study.tests.loc["kp_bmp", "statistic"], study.placebos
    assert placebos.index[0] == DAYS[250]
    assert placebos.index[-1] == DAYS[589]  # the last estimation row: what lies nearer may announce the event
    beyond = (placebos.abs() >= abs(t)).sum()
    assert study.rank["studentized"].iloc[0] == pytest.approx(beyond / len(placebos))
    assert study.tests.loc["studentized_placebo", "p_value"] == pytest.approx(
        (1 + beyond) / (1 + len(placebos)), abs=0.01
    )


def test_placebo_p_value_counts_ties_and_the_event_itself():
    p, share, k = placebo_p_value(np.array(0.2), np.array([0.1, 0.2, 0.3, 0.25]))
    assert (share, k) == (0.5, pytest.approx(4.0))
    assert p == pytest.approx(3 / 5)


def test_overlapping_windows_are_worth_fewer_dates():
    rng = np.random.default_rng(8)
    independent = rng.random((50, 400))
    moving = np.apply_along_axis(lambda v: np.convolve(v, np.ones(5), "valid"), 1, rng.standard_normal((50, 404)))
    assert effective_number(independent).mean() == pytest.approx(400, rel=0.06)
    # Autocorrelations of a five-term moving sum: n / (1 + 2 (.8 + .6 + .4 + .2)) = 80.
    assert effective_number(moving).mean() == pytest.approx(80, rel=0.25)


def test_a_planted_shift_is_found_and_measured():
    y = calm()
    y.iloc[600] += 6.0
    with pytest.warns(CommonShareWarning, match="across"):
        study = ds.event_study(y, DAYS[600])
    assert (study.tests["p_value"] < 0.01).all()
    assert study.abnormal.mean(axis=1).iloc[0] == pytest.approx(6.0, abs=1.0)
    assert study.mean_path.loc[0, "low"] > 0
    assert list(study.mean_path.index) == list(range(-10, 1))
    assert study.rank["mean"].iloc[0] == 0.0


def test_market_model_removes_the_market():
    y = calm().assign(index=lambda d: 0.0)
    y["index"] = np.random.default_rng(0).standard_normal(len(y))
    y[NAMES] = y[NAMES].add(2.0 * y["index"], axis=0)
    y.loc[DAYS[600], "index"] += 8.0
    y.loc[DAYS[600], NAMES] += 16.0
    by_name = ds.event_study(y, DAYS[600], model="market", market="index")
    assert by_name.tests["p_value"].min() > 0.05
    assert list(by_name.abnormal.columns) == NAMES
    by_series = ds.event_study(y[NAMES], DAYS[600], model="market", market=y["index"])
    pd.testing.assert_frame_equal(by_name.tests, by_series.tests)
    by_array = ds.event_study(y[NAMES], DAYS[600], model="market", market=y["index"].to_numpy())
    pd.testing.assert_frame_equal(by_name.tests, by_array.tests)


def test_a_market_made_of_the_assets_is_an_error_or_noted():
    y = calm()
    with pytest.raises(DataError, match="market is made of them"):
        ds.event_study(y[["A", "B"]], DAYS[600], model="market", market=y[["A", "B"]].mean(axis=1))
    study = ds.event_study(y, DAYS[600], model="market", market=y.mean(axis=1))
    assert any("nearly cancel" in note for note in study.notes)


def test_inputs_may_be_polars_arrays_or_episodes():
    y = calm()
    plain = ds.event_study(y, DAYS[600]).tests
    episode = ds.Episode.from_dates(DAYS[600] + pd.Timedelta("13h"), name="test")
    pd.testing.assert_frame_equal(ds.event_study(y, episode).tests, plain)
    pd.testing.assert_frame_equal(ds.event_study(y, [episode]).tests, plain)
    frame = pl.from_pandas(y.tz_localize(None).reset_index())
    pd.testing.assert_frame_equal(ds.event_study(frame, "2019-08-24T05:00").tests, plain)
    pd.testing.assert_frame_equal(ds.event_study(y.to_numpy(), 600).tests, plain)
    before = y.copy()
    ds.event_study(y, DAYS[600])
    pd.testing.assert_frame_equal(y, before)


def test_min_rows_lets_younger_assets_in():
    y = calm()
    y.loc[: DAYS[500], "A"] = np.nan
    assert "A" not in ds.event_study(y, DAYS[600]).abnormal
    assert "A" in ds.event_study(y, DAYS[600], min_rows=60).abnormal


def test_short_history_still_gives_kp_bmp_and_says_so():
    study = ds.event_study(calm(rows=260), DAYS[255], tests=("kp_bmp",))
    assert np.isnan(study.rank["studentized"].iloc[0])
    assert any("no placebo date" in note for note in study.notes)
    few = ds.event_study(calm(rows=275), DAYS[270])
    assert few.tests.loc["studentized_placebo", "smallest_p"] == pytest.approx(1 / 11)
    assert any("cannot fall below 0.091" in note for note in few.notes)


def test_several_events_rank_among_sums_that_hold_their_own_dates():
    own, placebos = [1.4, -0.3], [np.array([0.2, -1.0, 2.0]), np.array([1.0, -2.0, 0.5, 0.1])]
    sums = np.add.outer(np.r_[own[0], placebos[0]], np.r_[own[1], placebos[1]])
    share = (np.abs(sums) >= abs(sum(own)) - 1e-12).mean()
    # Four binomial standard errors of 9999 draws.
    assert pooled_p_value(own, placebos, [3.0, 4.0], 0) == pytest.approx(share, abs=4 * 0.5 / 9999**0.5)
    # Ten placebo dates an event: without the own ones 2.5 % of true nulls were rejected at 1 %.
    x = np.random.default_rng(0).standard_normal((1500, 2, 11))
    p = np.array([pooled_p_value(list(r[:, 0]), list(r[:, 1:]), [10.0, 10.0], k) for k, r in enumerate(x)])
    for level in (0.01, 0.05, 0.1):
        assert (p <= level).mean() < level + 2.5 * (level * (1 - level) / len(p)) ** 0.5
    two = ds.event_study(calm(rows=285), [DAYS[270], DAYS[280]])
    counts = two.by_event["n_placebos"]
    assert two.tests.loc["studentized_placebo", "smallest_p"] >= (1 / (counts + 1)).prod() * (1 - 1e-12)


def test_placebos_after_the_event_only_when_asked():
    y = calm()
    past, everything = (ds.event_study(y, DAYS[300], placebos=p).placebos for p in ("past", "all"))
    assert past.index.max() == DAYS[289]
    assert everything.index.max() == DAYS[699]
    assert DAYS[400] not in everything.index  # its estimation window contains the event
    assert everything.index[everything.index > DAYS[300]].min() == DAYS[551]


def test_the_stale_asset_that_blunts_the_tests_is_named():
    y = calm()
    y.loc[: DAYS[595], "C"] *= 1e-3
    study = ds.event_study(y, DAYS[600])
    assert any("C alone makes" in note for note in study.notes)


def test_groups_of_assets_are_noted():
    rng = np.random.default_rng(6)
    coins = rng.standard_normal((700, 3)) + rng.standard_normal((700, 1))
    venues = pd.DataFrame(np.repeat(coins, 7, axis=1) + 0.2 * rng.standard_normal((700, 21)), DAYS)
    with pytest.warns(CommonShareWarning):
        study = ds.event_study(venues, DAYS[600])
    assert any("about 2 degrees of freedom, not 20" in note for note in study.notes)
    many = pd.DataFrame(rng.standard_normal((700, 120)) + rng.standard_normal((700, 1)), DAYS)
    assert not any("groups" in note for note in ds.event_study(many, DAYS[600]).notes)


def test_persistent_levels_are_noted():
    study = ds.event_study(calm().cumsum(), DAYS[600])
    assert any("study its changes or innovations" in note for note in study.notes)
    assert not any("innovations" in note for note in ds.event_study(calm(), DAYS[600]).notes)


def test_common_share_limit_is_the_ninety_percent_point_of_kp_bmp():
    y = np.random.default_rng(0).standard_normal((400, 12)) + np.random.default_rng(1).standard_normal((400, 1))
    s = date_statistics(y, Offsets((-100, -11), (0, 0)), 100, 300)
    np.testing.assert_array_equal(s.common_share > s.common_share_limit, s.p_value < 0.10)
    assert (s.common_share >= 0).all()


def test_calm_dates_warn_about_once_in_ten_and_at_most_once_a_call():
    y = calm()
    warned = 0
    for row in range(320, 520):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            study = ds.event_study(y, DAYS[row], estimation=(-100, -11))
        warned += len(caught)
        assert len(caught) == int(study.common_share["passed"].iloc[0]) <= 1
    # 200 dates at 10 %: three binomial standard errors are 6.4 points.
    assert 0.03 < warned / 200 < 0.17


def test_a_rise_of_the_common_share_is_told_from_calm_by_number_of_events():
    assert many_shares_passed(1, 1)
    assert not many_shares_passed(0, 1)
    assert not many_shares_passed(1, 2)
    assert many_shares_passed(4, 10)
    assert not many_shares_passed(2, 10)


def test_several_events():
    y = calm()
    rows = [300, 400, 500, 600]
    for row in rows:
        y.iloc[row] += 2.0
    with pytest.warns(CommonShareWarning, match=r"and \d more of 4 events"):
        study = ds.event_study(y, [DAYS[r] for r in rows[::-1]])
    assert list(study.by_event.index) == [DAYS[r] for r in rows]
    assert study.abnormal.index.names == ["event", "offset"]
    assert list(study.abnormal.columns) == NAMES
    assert (study.tests["n_events"] == 4).all()
    scores = [stats.norm.isf(stats.t(7).sf(t)) for t in study.by_event["kp_bmp"]]
    assert study.tests.loc["kp_bmp", "statistic"] == pytest.approx(sum(scores) / 2, rel=1e-9)
    assert (study.tests["p_value"] < 0.01).all()
    means = study.by_event["mean_standardized"]
    assert study.across_events["p_value"] == pytest.approx(stats.ttest_1samp(means, 0).pvalue, rel=1e-9)
    assert study.placebos.loc[DAYS[600]].index.intersection([DAYS[r] for r in rows]).empty
    assert any("lies in the estimation window" in note for note in study.notes)
    with pytest.warns(CommonShareWarning):
        again = ds.event_study(y, [DAYS[r] for r in rows])
    pd.testing.assert_frame_equal(again.tests, study.tests)


def test_events_in_one_row_count_once_and_bad_ones_are_left_out():
    y = calm()
    study = ds.event_study(y, [DAYS[600], DAYS[600] + pd.Timedelta("3h"), "2031-01-01", DAYS[20]])
    assert list(study.by_event.index) == [DAYS[600]]
    assert any("fall into one row" in note for note in study.notes)
    assert sum(note.startswith("Left out") for note in study.notes) == 2
    pd.testing.assert_frame_equal(study.tests, ds.event_study(y, DAYS[600]).tests)
    with pytest.raises(DataError, match="None of the 2 events"):
        ds.event_study(y, ["2031-01-01", "2032-01-01"])


def test_overlapping_event_windows_are_noted():
    study = ds.event_study(calm(), [DAYS[600], DAYS[602]], window=(0, 4))
    assert any("overlap" in note for note in study.notes)


@pytest.mark.parametrize(("first", "inside"), [(349, False), (350, True), (589, True), (590, False)])
def test_an_event_in_the_estimation_window_of_another_is_noted(first, inside):
    study = ds.event_study(calm(), [DAYS[first], DAYS[600]], tests="kp_bmp")
    assert any("lies in the estimation window of the second" in note for note in study.notes) == inside


def test_cumulative_is_the_running_sum_within_each_event():
    y = calm()
    one = ds.event_study(y, DAYS[600], window=(-1, 2))
    pd.testing.assert_frame_equal(one.cumulative, one.abnormal.cumsum())
    two = ds.event_study(y, [DAYS[500], DAYS[600]], window=(-1, 2))
    pd.testing.assert_frame_equal(two.cumulative.loc[DAYS[600]], one.cumulative)
    assert two.mean_path["low"].isna().all()


def test_card_and_figure():
    pytest.importorskip("matplotlib").use("Agg")
    study = ds.event_study(calm(), DAYS[600])
    card = repr(study)
    for text in ("2019-08-24", "null", "alternative two-sided", "studentized_placebo: statistic", "p-value", "t(7)"):
        assert text in card
    ax = study.plot()
    assert ax.get_xlabel() == "rows from the event"
    assert study.plot(ax=ax) is ax
    ax.figure.clear()
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.model = "market"
