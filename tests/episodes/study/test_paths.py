"""Paths with bands, buy-and-hold, adjusted p-values, exact tests across events, figures."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

import drainstats as ds
from drainstats.episodes.study.across import across_events
from drainstats.episodes.study.multiplicity import benjamini_hochberg, holm, stepdown
from drainstats.errors import DataError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::drainstats.errors.CommonShareWarning")
NAMES = list("ABCDEFGH")
DAYS = pd.date_range("2018-01-01", periods=500, tz="UTC", name="time")


def market(seed: int = 1, rows: int = 500, rho: float = 0.3, assets: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((rows, 1)), rng.standard_normal((rows, assets))
    values = 0.02 * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
    return pd.DataFrame(values, DAYS[:rows], NAMES[:assets] if assets <= 8 else None)


def study(y: pd.DataFrame, row: int = 400, **options):
    return ds.event_study(y, DAYS[row], **({"estimation": (-100, -6), "window": (-1, 3)} | options))


def test_buy_and_hold_by_hand():
    y = market()
    s = study(y)
    held = np.exp(y["A"].iloc[399:404].cumsum())
    expected = np.exp((y["A"].iloc[399:404] - s.abnormal["A"].to_numpy()).cumsum())
    np.testing.assert_allclose(s.buy_and_hold()["A"], held - expected, rtol=1e-12)
    held = (1 + y["A"].iloc[399:404]).cumprod()
    expected = (1 + y["A"].iloc[399:404] - s.abnormal["A"].to_numpy()).cumprod()
    np.testing.assert_allclose(s.buy_and_hold("simple")["A"], held - expected, rtol=1e-12)
    two = ds.event_study(y, [DAYS[300], DAYS[400]], estimation=(-100, -6), window=(-1, 3))
    pd.testing.assert_frame_equal(two.buy_and_hold().loc[DAYS[400]], s.buy_and_hold())
    with pytest.raises(OptionError, match="'log', 'simple'"):
        s.buy_and_hold("arithmetic")


def test_paths_are_means_over_assets_and_bands_nest():
    s = study(market())
    for kind, table in (("abnormal", s.abnormal), ("cumulative", s.cumulative), ("buy_and_hold", s.buy_and_hold())):
        whole, point = (s.path(kind, band=band) for band in ("simultaneous", "pointwise"))
        np.testing.assert_allclose(whole["mean"], table.mean(axis=1), rtol=1e-10)
        assert (whole["critical"] > point["critical"]).all()
        np.testing.assert_allclose(whole["high"] - whole["mean"], whole["critical"] * whole["error"], rtol=1e-12)
        assert (s.path(kind, level=0.5)["critical"] < whole["critical"]).all()
    np.testing.assert_allclose(s.path("abnormal", band="pointwise")["error"].iloc[0], 0.02 / np.sqrt(8), rtol=1.0)


def test_critical_values_are_quantiles_of_placebo_paths():
    s = study(market(), window=(0, 0))
    # With a window of one row the studentised path is KP's t without standardising; all assets have one variance here.
    windows = s.worked_out[0].again()
    a = windows.event[:, 0]
    r = windows.correlation
    t = np.abs(a.mean(axis=1) / a.std(axis=1, ddof=1) * np.sqrt(8) * np.sqrt((1 - r) / (1 + 7 * r)))
    k = len(t)
    assert s.path()["critical"].iloc[0] == pytest.approx(np.quantile(t, 0.95 * (k + 1) / k), rel=0.02)
    pd.testing.assert_frame_equal(s.path(), s.path(band="pointwise"))


def test_few_placebo_dates_give_student_t_and_bonferroni():
    s = study(market(rows=130), 120)
    assert 0 < len(s.placebos) < 39
    point, whole = s.path(band="pointwise")["critical"].iloc[0], s.path()["critical"].iloc[0]
    assert point == pytest.approx(stats.t(7).ppf(0.975), rel=1e-12)
    assert whole == pytest.approx(stats.t(7).ppf(1 - 0.025 / 5), rel=1e-12)


def test_no_placebo_date_at_all():
    s = study(market(rows=105), 101, tests="kp_bmp")
    assert not len(s.placebos)
    assert s.path(band="pointwise")["critical"].iloc[0] == pytest.approx(stats.t(7).ppf(0.975), rel=1e-12)
    for over in ("assets", "events"):
        with pytest.raises(DataError, match="no placebo date"):
            s.adjust(over)


def test_the_signed_rank_band_holds_what_the_test_does_not_reject():
    s = study(market())
    band = s.path("abnormal", "signed_rank")
    for offset, row in band.iterrows():
        values = s.abnormal.loc[offset]
        assert row["median"] == values.median()
        for centre, inside in ((row["low"] + 1e-9, True), (row["low"] - 1e-9, False), (row["high"] + 1e-9, False)):
            p_value = stats.wilcoxon(values - centre, method="exact").pvalue
            assert (p_value > 0.05) == inside
    few = ds.event_study(market(assets=5), DAYS[400], estimation=(-100, -6), tests="kp_bmp")
    assert few.path(band="signed_rank")[["low", "high"]].isna().all().all(), "five assets cannot reach 95 %"
    assert few.path(band="signed_rank", level=0.9)["low"].notna().all()


def test_the_independent_band_is_that_of_a_t_test():
    s = study(market())
    one = stats.ttest_1samp(s.cumulative, 0.0, axis=1).confidence_interval(0.9)
    found = s.path("cumulative", "independent", level=0.9)
    np.testing.assert_allclose(found[["low", "high"]], np.column_stack(one), rtol=1e-12)
    events = ds.event_study(market(), DAYS[[250, 330, 410, 480]], estimation=(-100, -6), tests="kp_bmp")
    pd.testing.assert_frame_equal(events.path(band="independent"), events.path(band="pointwise"))


def test_bands_of_several_events():
    y = market()
    days = [DAYS[k] for k in (200, 260, 320, 380, 440)]
    s = ds.event_study(y, days, estimation=(-100, -6), window=(0, 2))
    point, whole = s.path(band="pointwise"), s.path()
    means = s.cumulative.mean(axis=1).unstack("offset")
    np.testing.assert_allclose(point["mean"], means.mean(), rtol=1e-10)
    np.testing.assert_allclose(point["error"], means.std() / np.sqrt(5), rtol=1e-10)
    assert point["critical"].iloc[0] == pytest.approx(stats.t(4).ppf(0.975), rel=1e-12)
    assert (whole["critical"] > point["critical"]).all()
    pd.testing.assert_frame_equal(whole, s.path())
    two = ds.event_study(y, days[:2], estimation=(-100, -6), window=(0, 2))
    assert two.path()["low"].isna().all()
    for options, match in (
        ({"kind": "level"}, "buy_and_hold"),
        ({"band": "wide"}, "pointwise"),
        ({"level": 1.5}, "level"),
    ):
        with pytest.raises(OptionError, match=match):
            s.path(**options)


def test_holm_and_benjamini_hochberg_are_those_of_statsmodels():
    p = np.random.default_rng(0).random(40) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-12)
    with_hole = np.append(p, np.nan)
    np.testing.assert_allclose(holm(with_hole)[:-1], holm(p))
    assert np.isnan(benjamini_hochberg(with_hole)[-1])


def test_stepdown_by_hand():
    rng = np.random.default_rng(1)
    placebos = rng.standard_normal((400, 3))
    values = np.array([1.9, -3.0, 2.2])
    raw, adjusted = stepdown(values, placebos)
    scale = np.sqrt((placebos**2).mean(axis=0))
    size, own = np.abs(placebos) / scale, np.abs(values) / scale
    assert own[1] > own[2] > own[0]
    shares = [
        (size.max(axis=1) >= own[1]).mean(),
        (size[:, [0, 2]].max(axis=1) >= own[2]).mean(),
        (size[:, 0] >= own[0]).mean(),
    ]
    expected = np.maximum.accumulate([(1 + 400 * s) / 401 for s in shares])
    # The effective number of 400 independent dates is about 400.
    np.testing.assert_allclose(adjusted[[1, 2, 0]], expected, atol=0.003)
    assert (adjusted >= raw - 1e-12).all()
    repeated = stepdown(np.full(3, 2.0), np.repeat(placebos[:, :1], 3, axis=1))
    np.testing.assert_allclose(repeated[1], repeated[0])  # one statistic three times costs nothing
    walk = placebos.copy()
    walk[:, 0] = np.convolve(rng.standard_normal(419), np.ones(20) / 20**0.5, "valid")
    # Values that hang together are worth few dates: their p-value is large, and so is the adjusted one.
    slow = stepdown(np.array([9.0, 5.0, 0.1]), walk)
    assert slow[0][0] > 0.02
    assert slow[1][0] >= slow[0][0]
    masked = stepdown(values, np.where(np.arange(3) == 1, np.nan, placebos))
    assert masked[0][1] < 0.003


def test_the_asset_that_moved_is_found_among_many():
    y = market()
    y.loc[DAYS[400], "C"] += 0.3
    s = study(y, window=(0, 0))
    plain, own = s.adjust(), s.adjust(studentize=False)
    assert own["romano_wolf"].idxmin() == "C"
    assert own.loc["C", "romano_wolf"] < 0.01
    assert (own.drop("C")["romano_wolf"] > 0.1).all()
    assert plain["statistic"].abs().idxmax() == "C"
    assert (own["holm"] >= own["p_value"]).all()
    assert (own["benjamini_hochberg"] <= own["holm"] + 1e-12).all()
    jumped = y.copy()
    jumped.loc[DAYS[400]] = y.iloc[300:395].mean() + 3.0 * (y.loc[DAYS[400]] - y.iloc[300:395].mean())
    # A jump of all variances by one factor cancels in the studentised values.
    np.testing.assert_allclose(study(jumped, window=(0, 0)).adjust()["statistic"], plain["statistic"], rtol=1e-8)


def test_events_and_outcomes_are_adjusted():
    y = market()
    y.iloc[300] += 0.2
    s = ds.event_study(y, [DAYS[300], DAYS[350], DAYS[400]], estimation=(-100, -6))
    table = s.adjust("events")
    assert table["romano_wolf"].idxmin() == DAYS[300]
    np.testing.assert_allclose(table["p_value"], s.by_event["p_studentized_placebo"])
    assert (table["romano_wolf"] >= table["p_value"]).all()
    # Two dates that beat all of theirs claim no more dates than there are, as one in the number of draws would.
    both = y.copy()
    both.iloc[400] += 0.2
    shifted = ds.event_study(both, [DAYS[300], DAYS[400]], estimation=(-100, -6)).adjust("events")
    assert (shifted["romano_wolf"] >= shifted["p_value"]).all()
    with pytest.raises(DataError, match="3 events came"):
        s.adjust()
    with pytest.raises(OptionError, match="'assets', 'events'"):
        s.adjust("outcomes")
    one, two = study(y, 300, window=(0, 0)), study(market(5), 300, window=(0, 0))
    found = ds.adjust_studies({"spread": one, "depth": two, "again": one})
    assert found.loc["spread", "romano_wolf"] == found.loc["again", "romano_wolf"] < 0.05
    assert found.loc["depth", "romano_wolf"] >= found.loc["depth", "p_value"]
    assert found.loc["spread", "statistic"] == pytest.approx(one.tests["statistic"].iloc[0])
    with pytest.raises(DataError, match="3 events"):
        ds.adjust_studies({"a": s})
    with pytest.raises(DataError, match="take one event"):
        ds.adjust_studies({"a": one, "b": study(y, 400)})
    for nothing in ({}, None, [one]):
        with pytest.raises(DataError, match="No study came"):
            ds.adjust_studies(nothing)
    with pytest.raises(DataError, match="a is a int and no study"):
        ds.adjust_studies({"a": 5})
    for draw in (s.path, lambda seed: s.adjust("events", seed=seed)):
        with pytest.raises(OptionError, match="seed=-1"):
            draw(seed=-1)


@pytest.mark.parametrize("n", [3, 6, 11])
def test_exact_tests_across_events_are_those_of_scipy(n):
    means = np.random.default_rng(n).standard_normal(n) + 0.4
    found = across_events(means)
    assert found["p_value"] == pytest.approx(stats.ttest_1samp(means, 0).pvalue, rel=1e-10)
    assert found["p_sign"] == pytest.approx(stats.binomtest(int((means > 0).sum()), n).pvalue, rel=1e-10)
    wilcoxon = stats.wilcoxon(means, method="exact")
    assert found["p_signed_rank"] == pytest.approx(wilcoxon.pvalue, rel=1e-10)
    assert min(found["signed_rank"], n * (n + 1) / 2 - found["signed_rank"]) == wilcoxon.statistic
    assert found["smallest_exact_p"] == 2.0 ** (1 - n)
    assert across_events(np.abs(means))["p_signed_rank"] == pytest.approx(2.0 ** (1 - n))


def test_ties_and_zeros_across_events():
    ties = np.array([1.0, 1.0, -1.0, 2.0, 0.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    ranks = np.array([2.0, 2.0, 2.0, 4.0])
    sums = (signs > 0) @ ranks
    p = min(1.0, 2 * min((sums <= 8).mean(), (sums >= 8).mean()))
    found = across_events(ties)
    assert (found["signed_rank"], found["p_signed_rank"]) == (8.0, pytest.approx(p))
    assert across_events(np.zeros(4) + np.array([1e-9, 0, 0, 0]))["smallest_exact_p"] == 1.0
    assert across_events(np.ones(2)) is None


def test_figures():
    pytest.importorskip("matplotlib").use("Agg")
    s = study(market())
    for kind, label in (
        ("path", "rows from the event"),
        ("cumulative", "rows from the event"),
        ("placebo", "KP-BMP"),
        ("assets", "abnormal outcome of the window, ± 1.96 errors of forecast"),
    ):
        ax = s.plot(kind=kind)
        assert ax.get_xlabel() == label
        ax.figure.clear()
    several = ds.event_study(market(), [DAYS[300], DAYS[350], DAYS[400]], estimation=(-100, -6), window=(0, 2))
    for kind in ("cumulative", "placebo", "assets"):
        several.plot(kind=kind).figure.clear()
    with pytest.raises(OptionError, match="'placebo', 'assets'"):
        s.plot(kind="pie")


@pytest.mark.slow
def test_bands_cover_the_planted_path():
    """The simultaneous band holds the whole true path in 95 of 100 markets when all deviations double at the event."""
    rng, shape = np.random.default_rng(7), np.array([0.5, 1.5, 1.0, 0.0])
    inside, points = 0, np.zeros(4)
    draws = 150
    for _ in range(draws):
        common, own = rng.standard_normal((370, 1)), rng.standard_normal((370, 10))
        y = np.sqrt(0.3) * common + np.sqrt(0.7) * own
        y[366:] = 2.0 * y[366:] + shape[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
            s = ds.event_study(y, 366, estimation=(-100, -3), window=(0, 3))
        truth = shape.cumsum()
        whole, point = s.path(), s.path(band="pointwise")
        inside += bool(((whole["low"] <= truth) & (truth <= whole["high"])).all())
        points += ((point["low"] <= truth) & (truth <= point["high"])).to_numpy()
    # 150 draws at 95 %: three binomial standard errors are 5.3 points.
    assert abs(inside / draws - 0.95) < 0.054
    assert (np.abs(points / draws - 0.95) < 0.054).all()


@pytest.mark.slow
def test_romano_wolf_keeps_the_family_wise_error():
    """Ten assets, a true null for all: some asset is called at 5 % in one market of twenty, as many for any jump."""
    rng, called, naive = np.random.default_rng(9), 0, 0
    draws = 200
    for _ in range(draws):
        y = np.sqrt(0.3) * rng.standard_normal((330, 1)) + np.sqrt(0.7) * rng.standard_normal((330, 10))
        y[329] *= 2.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ds.errors.CommonShareWarning)
            table = ds.event_study(y, 329, estimation=(-100, -3)).adjust()
        called += table["romano_wolf"].min() <= 0.05
        naive += table["p_value"].min() <= 0.05
    # 200 draws at 5 %: three binomial standard errors are 4.6 points.
    assert called / draws < 0.097
    assert naive / draws > 0.2
